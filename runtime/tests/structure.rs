//! Rules about the tree itself, as tests, so that they can't be forgotten.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
	fs,
	path::{Path, PathBuf},
};

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

/// All sources below `folder` but those of tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
	for entry in fs::read_dir(folder).unwrap() {
		let path = entry.unwrap().path();
		let is_test = ["tests", "tests.rs", "mock.rs"].iter().any(|name| path.ends_with(name));
		if path.is_dir() && !is_test {
			sources(&path, found);
		} else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
			found.push(path);
		}
	}
}

/// Floats would be allowed without the standard library, and differ between machines.
#[test]
fn the_chain_computes_without_floats() {
	let mut found = Vec::new();
	let folders = PALLETS.iter().map(|pallet| format!("pallets/{pallet}/src"));
	for folder in folders.chain(["primitives/src".into(), "runtime/src".into()]) {
		sources(&root().join(folder), &mut found);
	}
	assert!(found.len() > 50, "{} sources", found.len());
	for path in found {
		let source = fs::read_to_string(&path).unwrap();
		let mut words = source.split(|c: char| !c.is_alphanumeric() && c != '_');
		let float = words.find(|word| ["f32", "f64", "from_float"].contains(word));
		assert_eq!(float, None, "{}", path.display());
	}
}
