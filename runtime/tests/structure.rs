//! Rules about the tree itself, as tests, so that they can't be forgotten.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path};

const PALLETS: [&str; 5] = ["escrow", "masternodes", "tasks", "verdicts", "workers"];

fn root() -> &'static Path {
	Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn pallets_meet_at_traits_alone() {
	for pallet in PALLETS {
		let manifest =
			fs::read_to_string(root().join("pallets").join(pallet).join("Cargo.toml")).unwrap();
		for other in PALLETS.iter().filter(|other| **other != pallet) {
			assert!(
				!manifest.contains(&format!("pallet-{other}")),
				"pallet-{pallet} names pallet-{other}"
			);
		}
		assert!(!manifest.contains("\nsc-"), "pallet-{pallet} depends on the node");
	}
}

#[test]
fn every_pallet_has_all_its_parts() {
	for pallet in PALLETS {
		let folder = root().join("pallets").join(pallet);
		for part in [
			"README.md",
			"src/lib.rs",
			"src/mock.rs",
			"src/benchmarking.rs",
			"src/weights.rs",
			"src/try_state.rs",
		] {
			assert!(folder.join(part).exists(), "pallet-{pallet} has no {part}");
		}
		let lib = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
		for word in ["storage_version", "fn try_state", "fn integrity_test", "view_functions"] {
			assert!(lib.contains(word), "pallet-{pallet} has no {word}");
		}
	}
}
