//! The memory of the container that this runs in, by the files of its control group, version 2 or 1.

use std::{fs, path::Path};

/// Where a system shows a container its control group.
pub(super) const CONTROL_GROUP: &str = "/sys/fs/cgroup";

/// The memory of a container, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Container {
	/// What it may have.
	pub total: u64,
	/// What is left of that, or can be freed.
	pub available: u64,
}

impl Container {
	/// That whose control group is shown in `folder`. `None`: this is no container, or it may have all that
	/// its host has.
	pub(super) fn at(folder: &Path) -> Option<Self> {
		let version_2 = ["memory.max", "memory.current", "active_file", "inactive_file"];
		let version_1 = [
			"memory.limit_in_bytes",
			"memory.usage_in_bytes",
			"total_active_file",
			"total_inactive_file",
		];
		Self::read(folder, version_2).or_else(|| Self::read(&folder.join("memory"), version_1))
	}

	fn read(folder: &Path, [total, used, active, inactive]: [&str; 4]) -> Option<Self> {
		let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
		// Where there is no limit, version 2 has a word in place of a number.
		let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
		let (total, used) = (number(total)?, number(used)?);
		// Copies of files count as used, and make room for whatever needs it.
		let statistics = text("memory.stat").unwrap_or_default();
		let of_files = statistics.lines().filter_map(|line| {
			let (name, bytes) = line.split_once(' ')?;
			if name == active || name == inactive {
				bytes.trim().parse().ok()
			} else {
				None
			}
		});
		let freed = of_files.fold(0, u64::saturating_add);
		Some(Container { total, available: total.saturating_sub(used.saturating_sub(freed)) })
	}
}

/// What there is of something of which the host has `host`, and the container `container` at the most.
pub(super) fn less(host: u64, container: Option<u64>) -> u64 {
	container.map_or(host, |container| container.min(host))
}

#[cfg(test)]
mod tests {
	use super::*;

	/// The container whose control group has these files.
	fn container(files: &[(&str, &str)]) -> Option<Container> {
		let folder = tempfile::tempdir().expect("a temporary folder");
		for (name, text) in files {
			let path = folder.path().join(name);
			fs::create_dir_all(path.parent().expect("it is in a folder")).expect("writable");
			fs::write(path, text).expect("writable");
		}
		Container::at(folder.path())
	}

	#[test]
	fn the_files_of_both_versions_are_understood() {
		let bounds = |total, available| Some(Container { total, available });
		let statistics = "anon 600\nfile 250\ninactive_file 200\nactive_file 50\nshmem 30\n";
		let total = "inactive_file 1\ntotal_inactive_file 200\ntotal_active_file 50\n";
		type Case<'a> = (&'a [(&'a str, &'a str)], Option<Container>);
		let cases: [Case<'_>; 9] = [
			(&[], None),
			(&[("memory.max", "max\n"), ("memory.current", "900\n")], None),
			(&[("memory.max", "1000\n")], None),
			(&[("memory.max", "1000\n"), ("memory.current", "900\n")], bounds(1000, 100)),
			(
				&[
					("memory.max", "1000\n"),
					("memory.current", "900\n"),
					("memory.stat", statistics),
				],
				bounds(1000, 350),
			),
			// Two files are never of the same moment.
			(
				&[
					("memory.max", "1000\n"),
					("memory.current", "200\n"),
					("memory.stat", statistics),
				],
				bounds(1000, 1000),
			),
			(&[("memory.max", "1000\n"), ("memory.current", "1001\n")], bounds(1000, 0)),
			(
				&[
					("memory/memory.limit_in_bytes", "1000\n"),
					("memory/memory.usage_in_bytes", "900\n"),
					("memory/memory.stat", total),
				],
				bounds(1000, 350),
			),
			// No limit, in version 1.
			(
				&[
					("memory/memory.limit_in_bytes", "9223372036854771712\n"),
					("memory/memory.usage_in_bytes", "900\n"),
				],
				bounds(9_223_372_036_854_771_712, 9_223_372_036_854_770_812),
			),
		];
		for (number, (files, expected)) in cases.into_iter().enumerate() {
			assert_eq!(container(files), expected, "case {number}");
		}
	}

	#[test]
	fn host_and_container_bind_both() {
		for (host, container, expected) in
			[(10, None, 10), (10, Some(4), 4), (10, Some(11), 10), (0, Some(4), 0)]
		{
			assert_eq!(less(host, container), expected, "{host} and {container:?}");
		}
	}
}
