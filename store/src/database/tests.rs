use std::{collections::HashSet, fs::OpenOptions, os::unix::fs::FileExt, path::PathBuf};

use dgcs_content::content_id::raw;
use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

/// A block of `len` bytes like no other.
fn block(number: u32, len: usize) -> (Digest, Vec<u8>) {
	let bytes: Vec<u8> = number.to_le_bytes().into_iter().cycle().take(len.max(4)).collect();
	(raw(&bytes).digest.0, bytes)
}

fn put(database: &Database, number: u32, len: usize, keep: Keep) -> Digest {
	let (digest, bytes) = block(number, len);
	database.put(&digest, &bytes, keep).expect("there is room");
	digest
}

fn pack_files(folder: &Path) -> Vec<PathBuf> {
	let packs = Packs::open(folder.join("packs")).expect("there are packs");
	packs.list().expect("can be read").into_iter().map(|(number, _)| packs.path(number)).collect()
}

fn root(digest: Digest) -> ContentId {
	ContentId { codec: dgcs_primitives::ContentCodec::Raw, digest: digest.into() }
}

/// Pins one tree, whose root is `first`.
fn pin(database: &Database, first: Digest, digests: &[Digest]) -> Result<()> {
	database.pin(&[(root(first), digests.to_vec())])
}

#[test]
fn what_is_put_is_there_now_and_after_a_restart() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	for number in 0..100 {
		put(&database, number, 100_000, Keep::Session);
		put(&database, number, 100_000, Keep::Session);
	}
	let check = |database: &Database| {
		for number in 0..100 {
			let (digest, bytes) = block(number, 100_000);
			assert!(database.has(&digest).expect("can be read"));
			assert_eq!(database.get(&digest).expect("can be read"), Some(bytes));
		}
		assert!(!database.has(&[9; 32]).expect("can be read"));
		let usage = database.usage().expect("can be read");
		assert_eq!((usage.blocks, usage.used), (100, 100 * record::size(100_000)));
	};
	check(&database);
	drop(database);
	check(&Database::open(folder.path(), 64 * MIB).expect("opens again"));
}

#[test]
fn one_directory_serves_one_process() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let _first = Database::open(folder.path(), MIB).expect("opens");
	let Err(Error::Locked { path }) = Database::open(folder.path(), MIB) else { panic!() };
	assert_eq!(path, folder.path());
}

#[test]
fn a_store_of_another_form_is_left_as_it_is() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	let digest = put(&database, 1, 1000, Keep::Session);
	let state = |form: Option<u32>| index::state_form(&folder.path().join("index"), form);
	drop(database);
	for (stated, expected) in [(Some(record::FORM + 1), record::FORM + 1), (None, 1)] {
		state(stated);
		for _ in 0..2 {
			let Err(Error::Format { path, found, .. }) = Database::open(folder.path(), 64 * MIB)
			else {
				panic!("form {stated:?} is not known")
			};
			assert_eq!((path.as_path(), found), (folder.path(), expected));
		}
	}
	state(Some(record::FORM));
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	assert!(database.has(&digest).expect("can be read"));
}

#[test]
fn a_crash_loses_no_more_than_the_torn_end() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let copy = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	let first = put(&database, 1, 1000, Keep::Session);
	database.flush().expect("can be written");
	let second = put(&database, 2, 1000, Keep::Session);
	let third = put(&database, 3, 1000, Keep::Session);
	// What a process that is killed now leaves: the log is ahead of the index.
	std::fs::create_dir_all(copy.path().join("packs")).expect("can be made");
	std::fs::copy(folder.path().join("index"), copy.path().join("index")).expect("can be copied");
	let pack = pack_files(folder.path()).remove(0);
	let copied = copy.path().join("packs").join(pack.file_name().expect("has a name"));
	std::fs::copy(&pack, &copied).expect("can be copied");
	let whole = std::fs::metadata(&copied).expect("is there").len();
	// And the last write did not get to the end.
	OpenOptions::new()
		.write(true)
		.open(&copied)
		.and_then(|file| file.set_len(whole - 1))
		.expect("can be cut");

	let survivor = Database::open(copy.path(), 64 * MIB).expect("opens");
	assert!(survivor.has(&first).expect("can be read"));
	assert_eq!(survivor.get(&second).expect("can be read"), Some(block(2, 1000).1));
	assert!(!survivor.has(&third).expect("can be read"));
	assert_eq!(survivor.usage().expect("can be read").used, 2 * record::size(1000));
	put(&survivor, 3, 1000, Keep::Session);
	drop(survivor);
	let survivor = Database::open(copy.path(), 64 * MIB).expect("opens");
	assert_eq!(survivor.get(&third).expect("can be read"), Some(block(3, 1000).1));
}

#[test]
fn a_rotten_block_is_missing_and_can_come_again() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	let digest = put(&database, 1, 1000, Keep::Session);
	pin(&database, digest, &[digest]).expect("is there");
	let pack = pack_files(folder.path()).remove(0);
	let file = OpenOptions::new().write(true).open(pack).expect("is there");
	file.write_all_at(b"!", 500).expect("can be written");
	assert_eq!(database.get(&digest).expect("can be read"), None);
	assert!(!database.has(&digest).expect("can be read"));
	put(&database, 1, 1000, Keep::Cache);
	assert_eq!(database.get(&digest).expect("can be read"), Some(block(1, 1000).1));
	// The pin is still on it.
	database.unpin(&root(digest)).expect("was pinned");
	assert!(!database.has(&digest).expect("can be read"));
}

#[test]
fn a_full_store_lets_the_oldest_cached_go_and_no_others() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 8 * MIB).expect("opens");
	let pinned = put(&database, 0, 100_000, Keep::Cache);
	pin(&database, pinned, &[pinned]).expect("is there");
	let kept = put(&database, 1, 100_000, Keep::Session);
	let cached: Vec<_> = (2..200).map(|n| put(&database, n, 100_000, Keep::Cache)).collect();
	let has = |digest: &Digest| database.has(digest).expect("can be read");
	assert!(has(&pinned) && has(&kept));
	assert!(!has(&cached[0]) && has(&cached[cached.len() - 1]));
	assert!(database.usage().expect("can be read").used <= 8 * MIB);

	// What must be kept leaves no room at last.
	let mut refused = None;
	for number in 200..400 {
		let (digest, bytes) = block(number, 100_000);
		if let Err(error) = database.put(&digest, &bytes, Keep::Session) {
			refused = Some((number, error));
			break;
		}
	}
	let Some((number, Error::Full { capacity, needed, .. })) = refused else { panic!() };
	assert_eq!((capacity, needed), (8 * MIB, record::size(100_000)));
	assert!((270..290).contains(&number), "nearly all of the room was used: {number}");
	assert!(has(&pinned) && has(&kept));
	drop(database);

	// Kept ones that were never pinned may go in the next session.
	let database = Database::open(folder.path(), 8 * MIB).expect("opens");
	for number in 400..470 {
		put(&database, number, 100_000, Keep::Session);
	}
	assert!(database.has(&pinned).expect("can be read"));
	assert!(!database.has(&kept).expect("can be read"));
}

#[test]
fn unpinned_blocks_give_their_room_back() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	let blocks: Vec<_> = (0..100).map(|n| put(&database, n, 200_000, Keep::Session)).collect();
	let (odd, even): (Vec<_>, Vec<_>) = blocks.iter().enumerate().partition(|(n, _)| n % 2 == 1);
	let digests = |list: &[(usize, &Digest)]| list.iter().map(|(_, digest)| **digest).collect();
	let (odd, even): (Vec<Digest>, Vec<Digest>) = (digests(&odd), digests(&even));
	let shared = even[0];
	let odd_and_shared: Vec<_> = odd.iter().copied().chain([shared]).collect();
	pin(&database, odd[0], &odd_and_shared).expect("all are there");
	pin(&database, even[0], &even).expect("all are there");
	pin(&database, even[0], &even).expect("twice is once");
	assert_eq!(database.usage().expect("can be read").pins, 2);

	assert!(database.unpin(&root(even[0])).expect("was pinned"));
	assert!(!database.unpin(&root(even[0])).expect("was not"));
	let usage = database.usage().expect("can be read");
	assert_eq!(usage.blocks, 51);
	assert!(usage.used < 62 * record::size(200_000), "{usage:?}");
	for digest in &odd_and_shared {
		assert!(database.get(digest).expect("can be read").is_some());
	}
	drop(database);
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	for digest in &odd_and_shared {
		assert!(database.get(digest).expect("can be read").is_some());
	}
	database.unpin(&root(odd[0])).expect("was pinned");
	assert_eq!(
		database.usage().expect("can be read"),
		Usage { capacity: 64 * MIB, ..Usage::default() }
	);
}

#[test]
fn a_rotten_block_does_not_take_others_with_it() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	let blocks: Vec<_> = (0..10).map(|n| put(&database, n, 200_000, Keep::Session)).collect();
	pin(&database, blocks[0], &blocks[..6]).expect("all are there");
	pin(&database, blocks[6], &blocks[6..]).expect("all are there");
	// The head of the block before the last is damaged, so that the last cannot be found by reading on.
	let pack = pack_files(folder.path()).remove(0);
	let file = OpenOptions::new().write(true).open(pack).expect("is there");
	file.write_all_at(b"!", 8 * record::size(200_000)).expect("can be written");
	database.unpin(&root(blocks[0])).expect("was pinned");
	let there: Vec<_> =
		blocks.iter().map(|digest| database.has(digest).expect("can be read")).collect();
	assert_eq!(there[6..], [true, true, false, true]);
	assert_eq!(database.get(&blocks[9]).expect("can be read"), Some(block(9, 200_000).1));
	assert_eq!(database.usage().expect("can be read").used, 3 * record::size(200_000));
}

#[test]
fn a_pin_of_what_is_not_there_changes_nothing() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	let there = put(&database, 1, 100, Keep::Session);
	let missing = block(2, 100).0;
	let Err(Error::Missing(id)) = pin(&database, there, &[there, missing]) else { panic!() };
	assert_eq!(id.digest.0, missing);
	assert!(!database.is_pinned(&root(there)).expect("can be read"));
	// Nor where another tree is whole.
	let trees = [(root(there), vec![there]), (root(missing), vec![missing])];
	assert!(matches!(database.pin(&trees), Err(Error::Missing(id)) if id == root(missing)));
	assert_eq!(database.pinned().expect("can be read").len(), 0);
	assert!(!database.unpin(&root(there)).expect("can be read"));
	database.pin(&[trees[0].clone(), trees[0].clone()]).expect("twice is once");
	assert_eq!(database.usage().expect("can be read").pins, 1);
	assert!(database.unpin(&root(there)).expect("is pinned"));
	assert!(!database.has(&there).expect("can be read"));
}

#[test]
fn many_threads_put_and_read() {
	let folder = tempfile::tempdir().expect("a temporary folder");
	let database = Database::open(folder.path(), 64 * MIB).expect("opens");
	std::thread::scope(|scope| {
		for thread in 0..4u32 {
			let database = &database;
			scope.spawn(move || {
				for number in 0..200 {
					// Half of them are put by two threads.
					let number = number + 200 * (thread / 2) * (number % 2);
					let digest = put(database, number, 20_000, Keep::Session);
					let got = database.get(&digest).expect("can be read");
					assert_eq!(got, Some(block(number, 20_000).1));
				}
			});
		}
	});
	let usage = database.usage().expect("can be read");
	assert_eq!((usage.blocks, usage.used), (300, 300 * record::size(20_000)));
}

#[derive(Clone, Debug)]
enum Step {
	Put(u32, bool),
	Pin(u32, u32),
	Unpin(u32),
	Restart,
}

fn step() -> impl Strategy<Value = Step> {
	prop_oneof![
		4 => (0..40u32, any::<bool>()).prop_map(|(number, kept)| Step::Put(number, kept)),
		2 => (0..40u32, 1..8u32).prop_map(|(root, len)| Step::Pin(root, len)),
		2 => (0..40u32).prop_map(Step::Unpin),
		1 => Just(Step::Restart),
	]
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

	/// Whatever happens, what is pinned is there, what is read is right, and the room is kept to.
	#[test]
	fn pinned_blocks_stay(steps in proptest::collection::vec(step(), 1..60)) {
		const LEN: usize = 100_000;
		let capacity = 3 * MIB;
		let folder = tempfile::tempdir().expect("a temporary folder");
		let mut database = Database::open(folder.path(), capacity).expect("opens");
		let mut pins: HashMap<u32, Vec<Digest>> = HashMap::new();
		for step in steps {
			match step {
				Step::Put(number, kept) => {
					let (digest, bytes) = block(number, LEN);
					let keep = if kept { Keep::Session } else { Keep::Cache };
					match database.put(&digest, &bytes, keep) {
						Ok(()) => prop_assert!(database.has(&digest).expect("can be read")),
						Err(Error::Full { .. }) => {},
						Err(error) => panic!("{error}"),
					}
				},
				Step::Pin(first, len) => {
					let digests: Vec<_> = (first..first + len).map(|n| block(n, LEN).0).collect();
					let there = digests.iter().all(|digest| database.has(digest).expect("can be read"));
					let known = pins.contains_key(&first);
					match pin(&database, digests[0], &digests) {
						Ok(()) => {
							prop_assert!(there || known);
							pins.entry(first).or_insert(digests);
						},
						Err(Error::Missing(_)) => prop_assert!(!there),
						Err(error) => panic!("{error}"),
					}
				},
				Step::Unpin(first) => {
					let was = pins.remove(&first).is_some();
					prop_assert_eq!(database.unpin(&root(block(first, LEN).0)).expect("works"), was);
				},
				Step::Restart => {
					drop(database);
					database = Database::open(folder.path(), capacity).expect("opens");
				},
			}
			let pinned: HashSet<_> = pins.values().flatten().collect();
			for digest in pinned {
				let bytes = database.get(digest).expect("can be read").expect("is pinned");
				prop_assert_eq!(&raw(&bytes).digest.0, digest);
			}
			prop_assert!(database.usage().expect("can be read").used <= capacity);
		}
	}
}
