//! Compiled programs on disk: used again, never trusted.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::SystemTime};

use dgcs_sandbox::{Cache, CacheError, Cancel, Sandbox};
use tempfile::TempDir;

use crate::{program, subtask};

fn sandbox(dir: &TempDir, max_bytes: u64) -> Sandbox {
	Sandbox::new(Some(Cache::open(dir.path(), max_bytes).unwrap())).unwrap()
}

fn entries(dir: &TempDir) -> Vec<PathBuf> {
	let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
	files.filter(|path| path.extension().is_some_and(|suffix| suffix == "cwasm")).collect()
}

/// A program that writes that number.
fn writes(number: u64) -> Vec<u8> {
	program(&format!("(call $put64 (i64.const {number}))"))
}

/// Prepares and runs the program that writes that number. Whether it came from the cache.
fn from_cache(sandbox: &Sandbox, number: u64) -> bool {
	let program = sandbox.prepare(&writes(number)).unwrap();
	let report = sandbox.run(&program, subtask(b""), &Cancel::new()).unwrap();
	assert_eq!(report.output, number.to_le_bytes());
	program.from_cache()
}

#[test]
fn programs_are_compiled_once() {
	let dir = tempfile::tempdir().unwrap();
	let first = sandbox(&dir, 1 << 30);
	assert!(!from_cache(&first, 1));
	assert!(from_cache(&first, 1));
	assert!(!from_cache(&first, 2));
	assert!(from_cache(&sandbox(&dir, 1 << 30), 1));
	assert_eq!(entries(&dir).len(), 2);
}

/// Any changed bit, and any length: compiled anew, and the entry replaced.
#[test]
fn damaged_entries_are_compiled_anew() {
	let dir = tempfile::tempdir().unwrap();
	let sandbox = sandbox(&dir, 1 << 30);
	from_cache(&sandbox, 1);
	let path = entries(&dir).remove(0);
	let whole = fs::read(&path).unwrap();
	let damages = (0..whole.len()).step_by(whole.len() / 20).map(|at| {
		let mut damaged = whole.clone();
		damaged[at] ^= 1;
		damaged
	});
	let cuts = [0, 1, 31, 32, whole.len() - 1].map(|length| whole[..length].to_vec());
	let longer = [&whole[..], b"x"].concat();
	for damaged in damages.chain(cuts).chain([longer]) {
		fs::write(&path, damaged).unwrap();
		assert!(!from_cache(&sandbox, 1));
		assert!(from_cache(&sandbox, 1));
	}
}

/// One program's code can't stand in for another's, and another cache's for this one's.
#[test]
fn foreign_entries_are_compiled_anew() {
	let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
	let here = sandbox(&dir, 1 << 30);
	from_cache(&here, 1);
	let one = entries(&dir).remove(0);
	from_cache(&here, 2);
	let two = entries(&dir).into_iter().find(|path| *path != one).unwrap();
	fs::copy(&one, &two).unwrap();
	assert!(!from_cache(&here, 2));

	from_cache(&sandbox(&other, 1 << 30), 1);
	fs::copy(entries(&other).remove(0), &one).unwrap();
	assert!(!from_cache(&here, 1));
}

#[test]
fn entries_used_longest_ago_make_room() {
	let dir = tempfile::tempdir().unwrap();
	from_cache(&sandbox(&dir, 1 << 30), 1);
	let bytes = fs::metadata(&entries(&dir)[0]).unwrap().len();
	// Room for two. All are alike in length, give or take a little.
	let sandbox = sandbox(&dir, bytes * 5 / 2);
	from_cache(&sandbox, 2);
	for path in entries(&dir) {
		fs::File::open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
	}
	assert!(from_cache(&sandbox, 1));
	assert!(!from_cache(&sandbox, 3));
	assert_eq!(entries(&dir).len(), 2);
	assert!(from_cache(&sandbox, 1));
	assert!(from_cache(&sandbox, 3));
	assert!(!from_cache(&sandbox, 2));
}

/// What does not fit is not kept, and does not drive out the others.
#[test]
fn a_cache_without_room_is_none() {
	let dir = tempfile::tempdir().unwrap();
	let sandbox = sandbox(&dir, 100);
	assert!(!from_cache(&sandbox, 1));
	assert!(!from_cache(&sandbox, 1));
	assert!(entries(&dir).is_empty());
}

#[test]
fn opening_fails_when_others_may_write_there() {
	let dir = tempfile::tempdir().unwrap();
	fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
	assert!(matches!(Cache::open(dir.path(), 1), Err(CacheError::Shared { mode: 0o777, .. })));
}

#[test]
fn opening_fails_when_it_is_no_directory() {
	let dir = tempfile::tempdir().unwrap();
	fs::write(dir.path().join("file"), "").unwrap();
	assert!(matches!(Cache::open(dir.path().join("file"), 1), Err(CacheError::Io { .. })));
	fs::write(dir.path().join("key"), "short").unwrap();
	assert!(matches!(Cache::open(dir.path(), 1), Err(CacheError::Key { bytes: 5, .. })));
}

#[test]
fn the_key_is_secret() {
	let dir = tempfile::tempdir().unwrap();
	let new = dir.path().join("new");
	Cache::open(&new, 1).unwrap();
	let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
	assert_eq!((mode(new.clone()), mode(new.join("key"))), (0o700, 0o600));
}
