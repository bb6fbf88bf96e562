//! A task's content from the owner's file to the worker and back, by the public interface alone.

mod common;

use std::{fs, sync::Mutex};

use common::{files, pattern, World};
use dgcs_content::{
	audit, audit_shard,
	content_id::raw,
	keys::{open_release, seal_release, HolderShares, KeyRing},
	merkle, prepare, read_all, read_shard, read_shared, restore, result_id, seal_result, BlockSink,
	BlockSource, Cut, CutError, Directory, EncryptionSecret, Ending, Error, Gap, Input, Manifest,
	OwnerSecret, Plan, Private, RangeInput, Results, Scope, TaskNonce, Verdict, BLOCK_SIZE,
	MAX_SHARD_SIZE,
};
use dgcs_primitives::{leaf_hash, ContentId, EncryptionKey, RangeIndex, ResultDigest, Round};
use proptest::prelude::*;

/// What the workers of all ranges read, subtask by subtask, each with the key of its range alone.
fn read_by_workers(world: &World, manifest: &Manifest) -> Vec<Vec<u8>> {
	let mut inputs = Vec::new();
	for range in (0..manifest.ranges()).map(RangeIndex) {
		let key = world.key(manifest, Scope::Range(range)).expect("three of four answered");
		let input = RangeInput::open(&world.store, manifest, range, &key).expect("its own");
		for number in 0..input.lens().len() as u32 {
			let subtask = range.0 * manifest.range_size + number;
			let mut bytes = Vec::new();
			input
				.read(&world.store, manifest, subtask, &mut |number, part| {
					assert_eq!(number, subtask);
					bytes.extend_from_slice(part);
					Ok(())
				})
				.expect("all blocks are there");
			assert_eq!(bytes.len() as u64, input.lens()[number as usize]);
			inputs.push(bytes);
		}
	}
	assert_eq!(inputs.len(), manifest.subtasks as usize);
	inputs
}

fn restored(world: &World, manifest: &Manifest) -> Vec<(String, Vec<u8>)> {
	let to = tempfile::tempdir().expect("a temporary folder");
	restore(&world.store, manifest, &world.owner, to.path()).expect("all is there");
	files(to.path())
}

#[test]
fn a_file_cut_by_bytes_reaches_every_worker_and_comes_back() {
	let world = World::new();
	let content = pattern(20_000_003);
	let input = world.file("film.bin", &content);
	let prepared = world.prepare(&input, Cut::Bytes(1_500_000), 4).expect("possible");
	let manifest = &prepared.manifest;
	assert_eq!((manifest.subtasks, manifest.ranges(), manifest.shards.len()), (14, 4, 3));
	assert_eq!(prepared.input_len, content.len() as u64);
	let inputs = read_by_workers(&world, manifest);
	assert!(inputs.iter().zip(content.chunks(1_500_000)).all(|(input, piece)| input == piece));
	assert!(restored(&world, manifest) == vec![("film.bin".into(), content)]);

	let task = world.key(manifest, Scope::Task).expect("every worker gets it");
	let job = manifest.open_job(&task).expect("its own");
	assert_eq!(job.arguments, ["--secret-argument"]);
	assert_eq!(job.shared_input, None);
}

#[test]
fn lines_stay_whole() {
	let world = World::new();
	let mut text = String::new();
	for number in 0..30_000 {
		text.push_str(&"word ".repeat(number % 23));
		text.push_str(if number % 7 == 0 { "\r\n" } else { "\n" });
	}
	text.push_str("a last line without an end");
	let input = world.file("text", text.as_bytes());
	let prepared = world.prepare(&input, Cut::Lines(100), 64).expect("possible");
	let inputs = read_by_workers(&world, &prepared.manifest);
	assert_eq!(inputs.len(), 301);
	assert!(inputs[..300].iter().all(|piece| {
		piece.ends_with(b"\n") && piece.iter().filter(|byte| **byte == b'\n').count() == 100
	}));
	assert_eq!(inputs[300], b"a last line without an end");
	assert!(inputs.concat() == text.as_bytes());
	assert!(restored(&world, &prepared.manifest)[0].1 == text.as_bytes());
}

#[test]
fn every_file_is_a_subtask() {
	let world = World::new();
	let sizes = [("b/large", 9_000_000), ("a", 10), ("b/empty", 0), ("b/c/d", 262_128), ("z", 1)];
	for (name, size) in sizes {
		world.file(&format!("folder/{name}"), &pattern(size));
	}
	let input = Input::at(world.folder.path().join("folder")).expect("a folder");
	let prepared = world.prepare(&input, Cut::Files, 2).expect("possible");
	let inputs = read_by_workers(&world, &prepared.manifest);
	let expected = files(&world.folder.path().join("folder"));
	assert_eq!(inputs.len(), 5);
	let keys = world.owner.task(&world.nonce);
	let private = Private::get(&world.store, &prepared.manifest, &keys).expect("its own");
	for (file, input) in private.files.iter().zip(&inputs) {
		let (_, content) =
			expected.iter().find(|(name, _)| *name == file.path).expect("a file of the folder");
		assert!(content == input, "{}", file.path);
	}
	let back: Vec<_> = restored(&world, &prepared.manifest);
	assert!(back
		.iter()
		.map(|(name, content)| (name.clone(), content.clone()))
		.eq(expected.into_iter().map(|(name, content)| (format!("folder/{name}"), content))));
}

#[test]
fn every_subtask_by_index_sees_the_whole_input() {
	let world = World::new();
	let content = pattern(9_000_000);
	let input = world.file("scene", &content);
	let prepared = world.prepare(&input, Cut::Index(1000), 10).expect("possible");
	let manifest = &prepared.manifest;
	assert_eq!((manifest.subtasks, manifest.index), (1000, None));
	let task = world.key(manifest, Scope::Task).expect("every worker gets it");
	let len = manifest.open_job(&task).expect("its own").shared_input.expect("shared");
	let mut bytes = Vec::new();
	read_shared(&world.store, manifest, &task, len, &mut |_, part| {
		bytes.extend_from_slice(part);
		Ok(())
	})
	.expect("all blocks are there");
	assert!(bytes == content);
	assert!(restored(&world, manifest)[0].1 == content);
	let beyond = read_shared(&world.store, manifest, &task, len * 10, &mut |_, _| Ok(()));
	assert!(matches!(beyond, Err(Error::Index { .. })));
	let range = RangeInput::open(&world.store, manifest, RangeIndex(0), &task);
	assert!(matches!(range, Err(Error::Decode { .. })));
}

#[test]
fn a_shard_that_is_just_full_is_the_last() {
	let world = World { masternodes: Vec::new(), ..World::new() };
	let full = 32 * (262_144 - 16);
	for (len, shards) in [(full, 1), (full + 1, 2), (2 * full, 2)] {
		let content = pattern(len);
		let input = world.file("f", &content);
		for cut in [Cut::Index(1), Cut::Bytes(262_128), Cut::Lines(u64::MAX)] {
			let manifest = world.prepare(&input, cut, 7).expect("possible").manifest;
			assert_eq!(manifest.shards.len(), shards);
			assert!(restored(&world, &manifest)[0].1 == content);
		}
	}
}

#[test]
fn a_program_comes_as_long_as_promised() {
	let world = World::new();
	let manifest = world.prepare(&Input::Nothing, Cut::Index(1), 1).expect("possible").manifest;
	assert_eq!(manifest.get_program(&world.store, 100).expect("stored"), b"\0asm");
	let limited = manifest.get_program(&world.store, 3);
	assert!(matches!(limited, Err(Error::TooLarge { found: 4, limit: 3, .. })));
	let mut other = manifest.clone();
	other.program.len = 5;
	assert!(matches!(other.get_program(&world.store, 100), Err(Error::Tree { .. })));
}

#[test]
fn a_task_without_input_has_no_shards() {
	let world = World::new();
	let prepared = world.prepare(&Input::Nothing, Cut::Index(7), 3).expect("possible");
	assert!(prepared.manifest.shards.is_empty() && prepared.manifest.input_root().is_zero());
	assert!(restored(&world, &prepared.manifest).is_empty());
}

#[test]
fn a_folder_travels_as_one_archive() {
	let world = World::new();
	for number in 0..500 {
		world.file(&format!("folder/{}/{number}", number % 7), &pattern(number * 10));
	}
	fs::create_dir(world.folder.path().join("folder/empty")).expect("possible");
	let input = Input::at(world.folder.path().join("folder")).expect("a folder");
	for cut in [Cut::Index(3), Cut::Bytes(100_000)] {
		let prepared = world.prepare(&input, cut, 2).expect("possible");
		assert_eq!(prepared.manifest.shards.len(), 1, "small files share a shard");
		let to = tempfile::tempdir().expect("a temporary folder");
		let there = to.path().join("there");
		restore(&world.store, &prepared.manifest, &world.owner, &there).expect("all is there");
		let original = files(&world.folder.path().join("folder"));
		assert!(files(&there.join("folder")) == original);
		assert!(there.join("folder/empty").is_dir());
	}
}

#[test]
fn shards_are_full_audited_and_hide_where_they_end() {
	let world = World::new();
	let input = world.file("tiny", b"x");
	let prepared = world.prepare(&input, Cut::Bytes(1), 1).expect("possible");
	let manifest = &prepared.manifest;
	assert_eq!(manifest.shards.len(), 1);
	let mut shard = Vec::new();
	read_shard(&world.store, manifest, 0, &mut |block| {
		shard.extend_from_slice(block);
		Ok(())
	})
	.expect("all blocks are there");
	assert_eq!(shard.len() as u32, manifest.shard_size);
	// Encrypted padding: no run of zeros, and no byte stands out.
	assert!(shard.windows(16).all(|run| run.iter().any(|byte| *byte != 0)));
	for byte in 0..=255u8 {
		let count = shard.iter().filter(|other| **other == byte).count();
		assert!((31_000..34_600).contains(&count), "{byte}: {count}");
	}
	let digests = shard.chunks(BLOCK_SIZE).map(|block| raw(block).digest);
	assert_eq!(manifest.shards[0].root, audit::root(digests));
	let leaves = manifest.shard_size / audit::LEAF_SIZE as u32;
	let shard_root = manifest.shards[0].root;
	for index in [0, 1, 255, 256, leaves - 1] {
		let (leaf, proof) = audit_shard(&world.store, manifest, 0, index).expect("stored");
		assert_eq!(leaf, shard[index as usize * 1024..][..1024]);
		assert!(audit::verify(&shard_root, leaves, index, &leaf, &proof));
	}
	assert!(audit_shard(&world.store, manifest, 0, leaves).is_err());
	assert!(read_shard(&world.store, manifest, 1, &mut |_| Ok(())).is_err());
	let proof = manifest.shard_proof(0).expect("there is one shard");
	assert!(merkle::verify(&manifest.input_root(), &proof, 1, 0, leaf_hash(shard_root)));

	let mut lying = manifest.clone();
	lying.shards[0].root = leaf_hash(shard_root);
	let error = read_shard(&world.store, &lying, 0, &mut |_| Ok(())).expect_err("a wrong root");
	assert!(matches!(error, Error::ShardRoot { shard: 0, .. }), "{error}");
}

#[test]
fn the_same_input_gives_the_same_shards() {
	let (one, two) = (World::new(), World::new());
	let content = pattern(30_000_000);
	let manifest_of = |world: &World| {
		world
			.prepare(&world.file("f", &content), Cut::Bytes(700_001), 5)
			.expect("possible")
			.manifest
	};
	let (first, second) = (manifest_of(&one), manifest_of(&two));
	assert_eq!(first.shards, second.shards);
	assert_eq!((first.index, first.private, first.job), (second.index, second.private, second.job));
	let other = World { nonce: TaskNonce([9; 32]), ..World::new() };
	let third = manifest_of(&other);
	assert!(third.shards.iter().all(|shard| !first.shards.contains(shard)), "a key for each task");
}

/// What a stranger, one masternode, and a worker of another range can read: nothing.
#[test]
fn strangers_read_nothing() {
	let world = World::new();
	let marks: [&[u8]; 5] =
		[b"top secret line", b"secret-name", b"--secret-argument", b"SECRET", b"environment"];
	let text = "top secret line of some length\n".repeat(40_000);
	let input = world.file("secret-name.txt", text.as_bytes());
	let prepared = world.prepare(&input, Cut::Lines(10_000), 2).expect("possible");
	let manifest = &prepared.manifest;
	for (name, block) in files(world.store.path()) {
		for mark in marks {
			assert!(!block.windows(mark.len()).any(|part| part == mark), "{name}");
		}
	}
	// One masternode has one share of each key: it is neither the key nor enough for it.
	let range = |number| Scope::Range(RangeIndex(number));
	let worker = EncryptionSecret::random();
	let shares = world.shares(manifest, 0).expect("its own");
	let mut ring = KeyRing::new(manifest, range(1));
	let sealed = seal_release(&shares, &manifest.nonce, 0, range(1), &worker.public())
		.expect("it has a share");
	ring.add(0, &sealed, &worker).expect("a good share");
	ring.add(0, &sealed, &worker).expect("the same again adds nothing");
	assert!(matches!(ring.key(), Err(Error::TooFewShares { have: 1, need: 3, .. })));
	// A worker with the key of range 0 and of the task cannot open range 1.
	for scope in [range(0), Scope::Task] {
		let key = world.key(manifest, scope).expect("three of four answered");
		let refused = RangeInput::open(&world.store, manifest, RangeIndex(1), &key);
		assert!(matches!(refused, Err(Error::Sealed { .. })));
	}
	let keys = OwnerSecret::from_bytes([99; 32]).task(&manifest.nonce);
	assert!(matches!(Private::get(&world.store, manifest, &keys), Err(Error::Sealed { .. })));
}

#[test]
fn a_wrong_share_names_its_giver() {
	let world = World::new();
	let input = world.file("f", &pattern(1000));
	let prepared = world.prepare(&input, Cut::Bytes(100), 3).expect("possible");
	let manifest = &prepared.manifest;
	let scope = Scope::Range(RangeIndex(1));
	let worker = EncryptionSecret::random();
	let release = |world: &World, manifest: &Manifest, scope| {
		let shares = world.shares(manifest, 2).expect("its own");
		let sealed = seal_release(&shares, &manifest.nonce, 2, scope, &worker.public());
		sealed.expect("it has a share")
	};
	let open = |sealed: &[u8], holder| open_release(sealed, &worker, manifest, holder, scope);
	let good = release(&world, manifest, scope);
	open(&good, 2).expect("a good share");
	// A share of another sharing, sealed for the right place: only the commitment tells.
	let other = world.prepare(&input, Cut::Bytes(100), 3).expect("possible").manifest;
	let error = open(&release(&world, &other, scope), 2).expect_err("another share");
	assert!(matches!(error, Error::WrongShare { holder: 2, scope: s } if s == scope), "{error}");
	// For another range, by another holder, cut short, ten times as long.
	for (sealed, holder) in [
		(release(&world, manifest, Scope::Task), 2),
		(good.clone(), 1),
		(good[..good.len() - 1].to_vec(), 2),
		(good[..20].to_vec(), 2),
		(good.repeat(10), 2),
		(Vec::new(), 2),
	] {
		let error = open(&sealed, holder).expect_err("refused");
		assert!(matches!(error, Error::Unsealable { .. }), "{error}");
	}
	assert!(matches!(open(&good, 4), Err(Error::OutOfRange { what: "masternode", .. })));
}

#[test]
fn keys_survive_a_change_of_masternodes_and_a_liar() {
	let world = World::new();
	let input = world.file("f", &pattern(1000));
	let manifest = world.prepare(&input, Cut::Bytes(100), 3).expect("possible").manifest;
	let other = world.prepare(&input, Cut::Bytes(100), 3).expect("possible").manifest;
	let scope = Scope::Range(RangeIndex(2));
	let worker = EncryptionSecret::random();
	let seal = |shares: &HolderShares, holder| {
		seal_release(shares, &manifest.nonce, holder, scope, &worker.public()).expect("a share")
	};
	let mut ring = KeyRing::new(&manifest, scope);
	// Masternode 0 lies. Masternode 1 has left, and handed its shares over to an heir that the
	// manifest does not know.
	let lie = seal(&world.shares(&other, 0).expect("its own"), 0);
	assert!(matches!(ring.add(0, &lie, &worker), Err(Error::WrongShare { holder: 0, .. })));
	let heir = EncryptionSecret::random();
	let left = world.shares(&manifest, 1).expect("its own");
	let blob = left.reseal(&heir.public(), &manifest.nonce, 1).expect("a good key");
	let (count, root) = (manifest.shared_keys(), manifest.holders[1].shares_root);
	let handed = HolderShares::open(&blob, &heir, &manifest.nonce, 1, count, &root).expect("all");
	ring.add(1, &seal(&handed, 1), &worker).expect("a good share");
	for holder in [2, 3] {
		assert!(matches!(ring.key(), Err(Error::TooFewShares { need: 3, .. })));
		let shares = world.shares(&manifest, holder).expect("its own");
		ring.add(holder, &seal(&shares, holder), &worker).expect("a good share");
	}
	assert_eq!(ring.key().expect("three"), world.owner.task(&manifest.nonce).scope(scope));
}

#[test]
fn one_and_two_masternodes_can_hold_the_keys() {
	for count in [1, 2] {
		let mut world = World::new();
		world.masternodes.truncate(count);
		let input = world.file("f", &pattern(1000));
		let manifest = world.prepare(&input, Cut::Bytes(100), 3).expect("possible").manifest;
		let worker = EncryptionSecret::random();
		let mut ring = KeyRing::new(&manifest, Scope::Task);
		for holder in 0..count as u8 {
			let shares = world.shares(&manifest, holder).expect("its own");
			let sealed =
				seal_release(&shares, &manifest.nonce, holder, Scope::Task, &worker.public());
			ring.add(holder, &sealed.expect("a share"), &worker).expect("a good share");
		}
		let expected = world.owner.task(&manifest.nonce).scope(Scope::Task);
		assert_eq!(ring.key().expect("all of them"), expected);
	}
}

#[test]
fn tampered_blocks_are_refused_and_named() {
	let world = World::new();
	let content = pattern(9_000_000);
	let input = world.file("f", &content);
	let prepared = world.prepare(&input, Cut::Bytes(3_000_000), 1).expect("possible");
	let manifest = &prepared.manifest;
	let all = |manifest: &Manifest| {
		let keys = world.owner.task(&manifest.nonce);
		read_all(&world.store, manifest, &keys, &mut |_, _| Ok(()))
	};
	all(manifest).expect("untouched");

	// Two shards in each other's place: every block is good, and opens nowhere else.
	let mut swapped = manifest.clone();
	swapped.shards.swap(0, 1);
	assert!(matches!(all(&swapped), Err(Error::Sealed { .. })));
	// A shard too few, and an index of another length.
	let mut short = manifest.clone();
	short.shards.truncate(1);
	assert!(matches!(all(&short), Err(Error::Index { .. })));
	let mut other_index = manifest.clone();
	other_index.index = Some(manifest.private);
	assert!(all(&other_index).is_err());

	let root = world.store.path_of(&manifest.shards[0].id());
	let shard = fs::read(&root).expect("stored");
	let truncated = &shard[..shard.len() - 1];
	let ten_times = shard.repeat(10);
	for wrong in [&shard[..0], truncated, &ten_times[..], &b"something else"[..]] {
		fs::write(&root, wrong).expect("possible");
		let error = all(manifest).expect_err("another block");
		let named = matches!(error, Error::WrongBlock { id, .. } if id == manifest.shards[0].id());
		assert!(named, "{error}");
	}
	fs::remove_file(&root).expect("possible");
	assert!(matches!(all(manifest), Err(Error::Missing(id)) if id == manifest.shards[0].id()));
	fs::write(&root, vec![0; 4 << 20]).expect("possible");
	assert!(matches!(all(manifest), Err(Error::TooLarge { .. })));
	fs::write(&root, &shard).expect("possible");
	all(manifest).expect("as before");
	assert!(read_all(
		&common::Nothing,
		manifest,
		&world.owner.task(&manifest.nonce),
		&mut |_, _| Ok(())
	)
	.is_err());
}

#[test]
fn prepare_fails_when_the_input_or_the_plan_is_wrong() {
	let world = World::new();
	let file = world.file("folder/file", b"some bytes\n");
	let empty = world.file("empty", b"");
	let folder = Input::at(world.folder.path().join("folder")).expect("a folder");
	let plan = |change: fn(&mut Plan)| {
		let mut plan = world.plan(Cut::Bytes(4), 2);
		change(&mut plan);
		plan
	};
	let cases: Vec<(&Input, Plan, CutError)> = vec![
		(&empty, plan(|_| {}), CutError::Empty),
		(&empty, plan(|p| p.cut = Cut::Lines(1)), CutError::Empty),
		(&Input::Nothing, plan(|_| {}), CutError::Empty),
		(&file, plan(|p| p.cut = Cut::Bytes(0)), CutError::Zero("bytes")),
		(&file, plan(|p| p.cut = Cut::Lines(0)), CutError::Zero("lines")),
		(&file, plan(|p| p.cut = Cut::Index(0)), CutError::Zero("subtasks")),
		(&file, plan(|p| p.cut = Cut::Index(u32::MAX)), CutError::TooMany { limit: 1 << 24 }),
		(&file, plan(|p| p.cut = Cut::Files), CutError::FilesOfFile),
		(&folder, plan(|p| p.cut = Cut::Lines(1)), CutError::LinesOfFolder),
		(&file, plan(|p| p.shard_size = 1 << 20), CutError::ShardSize(1 << 20)),
		(&file, plan(|p| p.range_size = 0), CutError::RangeSize(0)),
		(&file, plan(|p| p.range_size = 65), CutError::RangeSize(65)),
	];
	for (input, plan, expected) in cases {
		let Err(Error::Cut(found)) = world.prepare_plan(input, &plan) else {
			panic!("{expected} is not seen");
		};
		assert_eq!(found, expected);
	}
	let long = plan(|p| p.arguments = vec!["a".repeat(70_000)]);
	let refused = world.prepare_plan(&file, &long);
	assert!(matches!(refused, Err(Error::Cut(CutError::Arguments(size))) if size > 70_000));
	let gone = Input::File(world.folder.path().join("gone"));
	assert!(matches!(world.prepare(&gone, Cut::Bytes(4), 2), Err(Error::Read { .. })));
	assert!(matches!(Input::at("/nowhere/at/all"), Err(Error::Read { .. })));
	#[cfg(unix)]
	{
		let (link, socket) = (world.folder.path().join("link"), world.folder.path().join("socket"));
		std::os::unix::fs::symlink("nothing", &link).expect("possible");
		let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("possible");
		for (path, expected) in [(link, "a symbolic link to nothing"), (socket, "socket")] {
			let error = Input::at(&path).expect_err(expected);
			let named = matches!(&error, Error::NotAFile { path: named, .. } if *named == path);
			assert!(named && error.to_string().contains(expected), "{error}");
		}
	}
	let same = plan(|p| p.masternodes[1] = p.masternodes[0]);
	assert!(matches!(world.prepare_plan(&file, &same), Err(Error::Manifest(_))));
	let zero = plan(|p| p.masternodes[1].key = EncryptionKey(Default::default()));
	assert!(matches!(world.prepare_plan(&file, &zero), Err(Error::PublicKey(_))));
}

#[test]
fn a_full_or_failing_store_ends_it_with_its_words() {
	struct Full;
	impl BlockSink for Full {
		fn put(&self, _: &ContentId, _: &[u8]) -> std::io::Result<()> {
			Err(std::io::Error::other("no space left"))
		}
	}
	let world = World::new();
	let input = world.file("f", &pattern(30_000_000));
	let plan = world.plan(Cut::Bytes(1 << 20), 4);
	let result = prepare(&input, &plan, &world.owner, world.nonce, &Full, &mut |_| {});
	let error = result.expect_err("there is no room");
	assert!(matches!(error, Error::Store { .. }), "{error}");
	assert!(error.to_string().contains("no space left"));
}

#[test]
fn results_are_joined_and_gaps_reported() {
	let mut world = World::new();
	let names = ["a", "b/c", "d", "e"];
	for name in names {
		world.file(&format!("folder/{name}"), name.as_bytes());
	}
	world.masternodes.clear();
	let input = Input::at(world.folder.path().join("folder")).expect("a folder");
	let manifest = world.prepare(&input, Cut::Files, 3).expect("possible").manifest;
	let keys = world.owner.task(&manifest.nonce);
	let outputs = [pattern(3_000_000), b"small".to_vec(), Vec::new()];
	let endings = [Ending::Ok, Ending::Exit(3), Ending::Ok];
	let mut verdicts: Vec<Verdict> = (0u32..)
		.zip(outputs.iter().zip(endings))
		.map(|(subtask, (output, ending))| {
			let key = keys.scope(Scope::Range(RangeIndex(subtask / 3)));
			let round = Round(subtask as u8 % 2);
			let digest = seal_result(&world.store, &key, round, subtask, ending, &mut &output[..])
				.expect("there is room");
			Verdict { subtask, result: Some((digest, round)) }
		})
		.collect();
	verdicts.push(Verdict { subtask: 3, result: None });

	let results = Results::new(&world.store, &manifest, &keys, 3_000_000);
	let mut solution = Vec::new();
	let joined = results.concatenate(verdicts.iter().copied(), &mut solution).expect("all there");
	assert!(solution == outputs.concat());
	assert_eq!(joined.bytes, solution.len() as u64);
	assert_eq!(joined.gaps, [(1, Gap::Ended(Ending::Exit(3))), (3, Gap::Undecided)]);

	let private = Private::get(&world.store, &manifest, &keys).expect("its own");
	let to = world.folder.path().join("solution");
	let joined = results.to_files(verdicts.iter().copied(), &private, &to).expect("all there");
	assert_eq!(joined.gaps.len(), 2);
	let expected: Vec<(String, Vec<u8>)> =
		names[..3].iter().map(|name| name.to_string()).zip(outputs.clone()).collect();
	assert!(files(&to) == expected);
	assert!(matches!(
		results.to_files(verdicts.iter().copied(), &private, &to),
		Err(Error::NotEmpty { .. })
	));

	let beyond = Verdict { subtask: 4, result: verdicts[0].result };
	let refused = results.concatenate([beyond].into_iter(), &mut std::io::sink());
	assert!(matches!(refused, Err(Error::OutOfRange { number: 4, count: 4, .. })));
}

/// A store that notes the names of what is put there.
struct Noting<'a>(&'a Directory, Mutex<Vec<ContentId>>);

impl BlockSink for Noting<'_> {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> std::io::Result<()> {
		self.1.lock().expect("no panic").push(*id);
		self.0.put(id, bytes)
	}
}

/// Whatever is in the place of a result, those around it are read.
#[test]
fn a_result_that_cannot_be_read_is_a_gap_between_the_others() {
	let world = World { masternodes: Vec::new(), ..World::new() };
	let manifest = world.prepare(&Input::Nothing, Cut::Index(12), 4).expect("possible").manifest;
	let keys = world.owner.task(&manifest.nonce);
	// The blocks of a result: its segments in order, and their root if there is more than one.
	let seal = |subtask: u32, range: u32, ending, output: &[u8]| {
		let sink = Noting(&world.store, Mutex::default());
		let key = keys.scope(Scope::Range(RangeIndex(range)));
		let digest = seal_result(&sink, &key, Round(0), subtask, ending, &mut &output[..]);
		(digest.expect("there is room"), sink.1.into_inner().expect("no panic"))
	};
	let limit = 600_000;
	let good: Vec<Vec<u8>> = [1, limit, 300_000, 0, 7].map(pattern).into();
	let mut verdicts = Vec::new();
	for (subtask, output) in (0..12).step_by(2).zip(&good) {
		let ending = if subtask == 8 { Ending::Exit(3) } else { Ending::Ok };
		let (digest, _) = seal(subtask, subtask / 4, ending, output);
		verdicts.push(Verdict { subtask, result: Some((digest, Round(0))) });
	}
	let mut bad = |subtask, digest| {
		verdicts.push(Verdict { subtask, result: Some((digest, Round(0))) });
	};
	let remove = |id: &ContentId| fs::remove_file(world.store.path_of(id)).expect("stored");
	let long = pattern(limit + 1);
	// Nobody has it.
	let (gone, blocks) = seal(1, 0, Ending::Ok, &long[..9]);
	remove(&blocks[0]);
	bad(1, gone);
	// Nobody has its second segment, and its program failed.
	let (torn, blocks) = seal(3, 0, Ending::Trap, &long[..limit]);
	let (lost, first) = (blocks[1], &long[..262_144 - 16 - 5]);
	remove(&lost);
	bad(3, torn);
	// It is that of another range; ten times too large; other bytes; and nothing that was sealed.
	bad(5, seal(5, 0, Ending::Ok, b"another's").0);
	bad(7, seal(7, 1, Ending::Ok, &long.repeat(10)).0);
	let (wrong, blocks) = seal(9, 2, Ending::Ok, b"sealed");
	fs::write(world.store.path_of(&blocks[0]), "something else").expect("possible");
	bad(9, wrong);
	let junk = ResultDigest(raw(b"junk").digest);
	world.store.put(&result_id(&junk), b"junk").expect("there is room");
	bad(11, junk);
	verdicts.push(Verdict { subtask: 10, result: None });
	verdicts.sort_by_key(|verdict| verdict.subtask);

	let turns = Mutex::new(Vec::new());
	let told = |subtask, bytes| turns.lock().expect("no panic").push((subtask, bytes));
	let results = Results::new(&world.store, &manifest, &keys, limit as u64).telling(&told);
	let mut solution = Vec::new();
	let joined = results.concatenate(verdicts.iter().copied(), &mut solution).expect("a solution");
	let parts: [&[u8]; 6] = [&good[0], &good[1], first, &good[2], &good[3], &good[4]];
	assert!(solution == parts.concat());
	assert_eq!(joined.bytes, solution.len() as u64);
	let turns = std::mem::take(&mut *turns.lock().expect("no panic"));
	assert!(turns.iter().map(|(subtask, _)| *subtask).eq(0..12), "{turns:?}");
	assert_eq!((turns[0].1, turns[2].1, turns[11].1), (0, 1, joined.bytes));
	let found: Vec<u32> = joined.gaps.iter().map(|(subtask, _)| *subtask).collect();
	assert_eq!(found, [1, 3, 5, 7, 8, 9, 10, 11], "one gap each");
	let gap = |subtask: u32| {
		let mut all = joined.gaps.iter();
		all.find(|(number, _)| *number == subtask).map(|(_, gap)| gap.clone()).expect("a gap")
	};
	assert_eq!(gap(1), Gap::Missing(result_id(&gone)));
	assert_eq!(gap(3), Gap::Missing(lost));
	assert_eq!(gap(9), Gap::Missing(result_id(&wrong)));
	assert_eq!((gap(8), gap(10)), (Gap::Ended(Ending::Exit(3)), Gap::Undecided));
	for (subtask, expected) in [(5, "does not open"), (7, "at most"), (11, "no file tree")] {
		let gap = gap(subtask);
		assert!(matches!(&gap, Gap::Unreadable(why) if why.contains(expected)), "{gap:?}");
	}

	let private = Private::get(&world.store, &manifest, &keys).expect("its own");
	let to = world.folder.path().join("solution");
	let as_files = results.to_files(verdicts.iter().copied(), &private, &to).expect("a solution");
	assert_eq!(as_files.gaps, joined.gaps);
	assert_eq!(as_files.bytes, good.concat().len() as u64);
	let names = ["00", "02", "04", "06", "08"].map(String::from);
	assert!(files(&to) == names.into_iter().zip(good).collect::<Vec<_>>(), "no file is torn");
}

/// What is not about one result alone ends all of it: the next would fare no better.
#[test]
fn a_join_ends_when_the_store_or_the_stream_fails() {
	struct Failing(std::io::ErrorKind);
	impl BlockSource for Failing {
		fn get(&self, _: &ContentId, _: usize) -> std::io::Result<Option<Vec<u8>>> {
			Err(std::io::Error::new(self.0, "as the test says"))
		}
	}
	struct Full;
	impl std::io::Write for Full {
		fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
			Err(std::io::ErrorKind::StorageFull.into())
		}
		fn flush(&mut self) -> std::io::Result<()> {
			Ok(())
		}
	}
	let world = World { masternodes: Vec::new(), ..World::new() };
	let manifest = world.prepare(&Input::Nothing, Cut::Index(1), 1).expect("possible").manifest;
	let keys = world.owner.task(&manifest.nonce);
	let key = keys.scope(Scope::Range(RangeIndex(0)));
	let digest = seal_result(&world.store, &key, Round(0), 0, Ending::Ok, &mut &b"output"[..]);
	let digest = digest.expect("there is room");
	let verdict = || [Verdict { subtask: 0, result: Some((digest, Round(0))) }].into_iter();
	let join = |source: &dyn BlockSource| {
		let results = Results::new(source, &manifest, &keys, 100);
		results.concatenate(verdict(), &mut std::io::sink())
	};
	let ended = join(&Failing(std::io::ErrorKind::Other));
	assert!(matches!(ended, Err(Error::Store { .. })));
	// The store works, and whoever has the block does not send it.
	let late = join(&Failing(std::io::ErrorKind::TimedOut)).expect("one gap");
	assert_eq!(late.gaps, [(0, Gap::Missing(result_id(&digest)))]);
	let results = Results::new(&world.store, &manifest, &keys, 100);
	let ended = results.concatenate(verdict(), &mut Full);
	assert!(matches!(ended, Err(Error::Stream(_))));
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

	/// Whatever the lines, every piece has as many as asked, and together they are the file.
	#[test]
	fn any_lines_stay_whole(
		lines in proptest::collection::vec((0usize..60, 1usize..40), 1..200),
		count in 1u64..50,
		range_size in 1u32..=64,
		ends: bool,
	) {
		let world = World { masternodes: Vec::new(), ..World::new() };
		let mut text = Vec::new();
		for (len, times) in lines {
			let line = [&vec![b'x'; len][..], b"\n"].concat();
			text.extend(line.repeat(times));
		}
		if !ends {
			text.extend(b"no end");
		}
		let manifest = world
			.prepare(&world.file("f", &text), Cut::Lines(count), range_size)
			.expect("possible")
			.manifest;
		let mut pieces = vec![Vec::new(); manifest.subtasks as usize];
		let keys = world.owner.task(&world.nonce);
		read_all(&world.store, &manifest, &keys, &mut |subtask, bytes| {
			pieces[subtask as usize].extend_from_slice(bytes);
			Ok(())
		}).expect("all blocks are there");
		prop_assert!(pieces.concat() == text);
		let lines = |piece: &Vec<u8>| piece.iter().filter(|byte| **byte == b'\n').count() as u64;
		let (last, others) = pieces.split_last().expect("there is text");
		prop_assert!(!last.is_empty() && lines(last) <= count);
		prop_assert!(others.iter().all(|piece| lines(piece) == count && piece.ends_with(b"\n")));
	}

	/// A changed byte anywhere, in a block or in the manifest, is an error, or was not needed.
	#[test]
	fn a_flipped_bit_is_seen(pick: u64, at: u64, bit in 0u8..8) {
		let world = World { masternodes: Vec::new(), ..World::new() };
		let content = pattern(300_000);
		let manifest = world
			.prepare(&world.file("f", &content), Cut::Bytes(100_000), 2)
			.expect("possible")
			.manifest;
		let read = |manifest: &Manifest| {
			let to = tempfile::tempdir().expect("a temporary folder");
			let restored =
				restore(&world.store, manifest, &world.owner, to.path());
			restored.map(|()| files(to.path()))
		};
		let flip = |mut bytes: Vec<u8>| {
			let at = (at % bytes.len() as u64) as usize;
			bytes[at] ^= 1 << bit;
			bytes
		};
		let expected = vec![("f".to_owned(), content)];
		if let Ok(changed) = Manifest::from_bytes(&flip(manifest.to_bytes())) {
			prop_assert!(read(&changed).map_or(true, |found| found == expected));
		}
		let mut names: Vec<_> = fs::read_dir(world.store.path())
			.expect("exists")
			.map(|entry| entry.expect("readable").path())
			.collect();
		names.sort();
		let path = &names[(pick % names.len() as u64) as usize];
		fs::write(path, flip(fs::read(path).expect("stored"))).expect("possible");
		prop_assert!(read(&manifest).map_or(true, |found| found == expected));
	}

	/// Whatever the sizes, every worker gets its piece and the owner its file.
	#[test]
	fn any_cut_of_any_length_comes_back(
		len in 1usize..12_000_000,
		piece in 1u64..600_000,
		range_size in 1u32..=64,
		large_shards: bool,
	) {
		let world = World { masternodes: Vec::new(), ..World::new() };
		// At most a few hundred pieces, so that most have more than one segment or share a block.
		let piece = piece.max(len as u64 / 300);
		let content = pattern(len);
		let mut plan = world.plan(Cut::Bytes(piece), range_size);
		if large_shards {
			plan.shard_size = MAX_SHARD_SIZE;
		}
		let manifest =
			world.prepare_plan(&world.file("f", &content), &plan).expect("possible").manifest;
		prop_assert_eq!(u64::from(manifest.subtasks), (len as u64).div_ceil(piece));
		let keys = world.owner.task(&world.nonce);
		let mut pieces = vec![Vec::new(); manifest.subtasks as usize];
		read_all(&world.store, &manifest, &keys, &mut |subtask, bytes| {
			pieces[subtask as usize].extend_from_slice(bytes);
			Ok(())
		}).expect("all blocks are there");
		prop_assert!(pieces.iter().zip(content.chunks(piece as usize)).all(|(a, b)| a == b));
		let last = RangeIndex(manifest.ranges() - 1);
		let input =
			RangeInput::open(&world.store, &manifest, last, &keys.scope(Scope::Range(last)))
				.expect("its own");
		let mut bytes = Vec::new();
		input.read(&world.store, &manifest, manifest.subtasks - 1, &mut |_, part| {
			bytes.extend_from_slice(part);
			Ok(())
		}).expect("all blocks are there");
		prop_assert!(Some(&bytes) == pieces.last());
	}
}
