//! What a masternode keeps for whom, for how long, and what it does not.

mod common;

use std::{sync::atomic::Ordering, time::Duration};

use common::{catch_up, World};
use dgcs_content::{
	get_blob, put_blob, restore, result_id, Blob, Cut, Input, Manifest, OwnerSecret, Prepared,
	BLOCK_SIZE, DEFAULT_SHARD_SIZE, MAX_MANIFEST,
};
use dgcs_custody::{Chain, Held, Limits};
use dgcs_primitives::{RangeIndex, ResultDigest, TaskId};

fn held(world: &World, node: usize, task: TaskId) -> Held {
	world.nodes[node].custody.held(task).expect("known")
}

#[test]
fn all_of_a_task_is_kept_and_its_owner_may_go() {
	let world = World::new(2);
	let folder = world.folder.path();
	let text: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
	std::fs::write(folder.join("input"), &text).expect("room");
	let input = Input::at(folder.join("input")).expect("exists");
	let task = world.submit(world.prepare(&input, Cut::Bytes(1 << 20), 2), 1000);
	world.nodes[0].custody.sync().expect("the chain is there");
	let before = held(&world, 0, task.id);
	assert!(!before.complete && !before.manifest && before.reason.is_none(), "{before:?}");
	catch_up(&world);
	for node in 0..2 {
		let held = held(&world, node, task.id);
		assert!(held.complete && held.manifest && held.program, "{held:?}");
		assert_eq!((held.shards_held, held.shards), (2, 2));
		assert_eq!((held.key_shares_held, held.key_shares), (2, 2));
		assert_eq!(held.reason, None);
	}
	world.owner_goes_offline();
	let back = folder.join("back");
	let shelf = &world.nodes[1].shelf.local;
	let manifest = Manifest::get(&**shelf, &task.prepared.id).expect("here");
	restore(&**shelf, &manifest, &task.secret, &back).expect("all of it is here");
	assert!(std::fs::read(back.join("input")).expect("restored") == text);
}

#[test]
fn a_restart_fetches_nothing_twice_and_goes_on() {
	let mut world = World::new(1);
	let first = world.small_task(4, 1000);
	catch_up(&world);
	let second = world.small_task(4, 1000);
	world.owner_goes_offline();
	world.restart(0);
	catch_up(&world);
	assert!(held(&world, 0, first.id).complete);
	assert_eq!(world.nodes[0].shelf.fetched.load(Ordering::Relaxed), 0);
	let waiting = held(&world, 0, second.id);
	assert!(waiting.reason.is_some_and(|reason| reason.contains("not to be found")));
	world.network.join(&world.folder.path().join("owner"));
	world.pass(4);
	catch_up(&world);
	assert!(held(&world, 0, second.id).complete);
}

#[test]
fn without_a_ledger_the_chain_is_enough() {
	let mut world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	std::fs::remove_dir_all(world.nodes[0].folder.join("ledger")).expect("exists");
	world.owner_goes_offline();
	world.restart(0);
	assert_eq!(world.nodes[0].custody.held(task.id), None);
	catch_up(&world);
	assert!(held(&world, 0, task.id).complete, "its blocks were there");
}

#[test]
fn what_the_ledger_names_and_the_disk_lost_is_fetched_again() {
	let mut world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let program = task.prepared.manifest.program.id;
	let path = world.nodes[0].shelf.local.path_of(&program);
	std::fs::remove_file(&path).expect("kept");
	world.restart(0);
	catch_up(&world);
	assert!(held(&world, 0, task.id).complete && path.exists());
}

#[test]
fn an_owner_who_never_delivers_is_given_up() {
	let world = World::with_limits(1, Limits { patience: 500, ..Limits::default() });
	let task = world.small_task(4, 1000);
	world.owner_goes_offline();
	for _ in 0..1000 {
		world.pass(1);
		catch_up(&world);
	}
	let held = held(&world, 0, task.id);
	let reason = held.reason.expect("why");
	assert!(held.given_up && reason.contains("nothing came for 500 blocks"), "{reason}");
	let asked = world.nodes[0].shelf.asked.load(Ordering::Relaxed);
	assert!(asked < 15, "asked {asked} times");
}

/// A manifest of a small task, changed by whoever wrote it.
fn forged(world: &World, change: impl FnOnce(&mut Manifest)) -> (Prepared, OwnerSecret) {
	let (mut prepared, secret) = world.prepare(&Input::Nothing, Cut::Index(4), 2);
	change(&mut prepared.manifest);
	prepared.id = prepared.manifest.put(&*world.owner).expect("the format allows it");
	(prepared, secret)
}

#[test]
fn promises_that_are_not_kept_are_given_up() {
	let world = World::new(1);
	let big = put_blob(&*world.owner, &[7; 100_000]).expect("room");
	type Change = Box<dyn FnOnce(&mut Manifest)>;
	let cases: [(Change, &str); 5] = [
		(
			Box::new(move |manifest| manifest.program = Blob { len: 10_000, ..big }),
			"100000 bytes where at most 10000",
		),
		(
			Box::new(move |manifest| manifest.program = Blob { len: 200_000, ..big }),
			"the manifest promises 200000",
		),
		(Box::new(|manifest| manifest.program.len = 1 << 40), "a program of bytes"),
		(Box::new(|manifest| manifest.private.len = 1 << 40), "a private part of bytes"),
		(Box::new(|manifest| manifest.holders[0].shares.len *= 10), "of key shares for"),
	];
	for (change, expected) in cases {
		let task = world.submit(forged(&world, change), 1000);
		catch_up(&world);
		let held = held(&world, 0, task.id);
		let reason = held.reason.expect("why");
		assert!(held.given_up && !held.complete && reason.contains(expected), "{reason}");
		world.settle(task.id, false);
	}
}

/// A task with an input of so many bytes, in one shard, and an index of two records.
fn with_input(world: &World, bytes: &[u8]) -> (Prepared, OwnerSecret) {
	let path = world.folder.path().join("input");
	std::fs::write(&path, bytes).expect("room");
	let input = Input::at(path).expect("exists");
	world.prepare(&input, Cut::Bytes(bytes.len() as u64 / 4), 2)
}

/// What is promised of a task is changed to a blob of `bytes`, which is as long as it was by the manifest.
fn replace(world: &World, blob: &mut Blob, bytes: &[u8]) {
	blob.id = put_blob(&*world.owner, bytes).expect("room").id;
}

/// All of what an owner has under this name.
fn bytes_of(world: &World, blob: &Blob) -> Vec<u8> {
	get_blob(&*world.owner, &blob.id, blob.len).expect("prepared")
}

fn shard_of(world: &World, prepared: &Prepared) -> Vec<u8> {
	let id = prepared.manifest.shards[0].id();
	bytes_of(world, &Blob { id, len: DEFAULT_SHARD_SIZE.into() })
}

/// The first shard is changed to `bytes`, under the Merkle root that it had.
fn replace_shard(world: &World, prepared: &mut Prepared, bytes: &[u8]) {
	let id = put_blob(&*world.owner, bytes).expect("room").id;
	prepared.manifest.shards[0].digest = id.digest;
}

/// What is sealed is no masternode's to open: of index and private part it knows the lengths alone.
#[test]
fn content_that_breaks_its_promise_is_given_up() {
	let world = World::new(1);
	type Change = fn(&World, &mut Prepared, &Prepared);
	let manifests: [(Change, &str); 4] = [
		(
			|world, prepared, _| {
				let bytes = prepared.manifest.to_bytes();
				let short = put_blob(&*world.owner, &bytes[..bytes.len() - 1]).expect("room");
				prepared.id = short.id;
			},
			"it is cut short",
		),
		(|_, prepared, _| prepared.id = prepared.manifest.program.id, "not start with the mark"),
		(|_, prepared, other| prepared.id = other.id, "another task's"),
		(
			|world, prepared, _| {
				let large = put_blob(&*world.owner, &vec![0; 10 * MAX_MANIFEST as usize]);
				prepared.id = large.expect("room").id;
			},
			"has 335544320 bytes where at most 33554432",
		),
	];
	let others: [(Change, &str); 8] = [
		(
			|world, prepared, _| {
				let index = prepared.manifest.index.as_mut().expect("cut by bytes");
				let bytes = bytes_of(world, index);
				replace(world, index, &bytes[..bytes.len() - 1]);
			},
			"has 79 bytes, the manifest promises 80",
		),
		(
			|world, prepared, _| {
				let index = prepared.manifest.index.as_mut().expect("cut by bytes");
				let bytes = bytes_of(world, index);
				replace(world, index, &bytes.repeat(10));
			},
			"has 800 bytes where at most 80",
		),
		(
			|world, prepared, _| {
				let shard = shard_of(world, prepared);
				replace_shard(world, prepared, &shard[..shard.len() - BLOCK_SIZE]);
			},
			"has 8126464 bytes, its owner promised 8388608",
		),
		(
			|world, prepared, _| {
				let mut shard = shard_of(world, prepared);
				shard.rotate_left(BLOCK_SIZE);
				replace_shard(world, prepared, &shard);
			},
			"shard 0 has the Merkle root",
		),
		(
			|world, prepared, other| {
				let shard = shard_of(world, other);
				replace_shard(world, prepared, &shard);
			},
			"shard 0 has the Merkle root",
		),
		(
			|world, prepared, _| {
				let shard = shard_of(world, prepared);
				replace_shard(world, prepared, &shard.repeat(10));
			},
			"has 83886080 bytes, its owner promised 8388608",
		),
		(
			|world, prepared, _| {
				let private = &mut prepared.manifest.private;
				let bytes = bytes_of(world, private);
				replace(world, private, &bytes[..bytes.len() - 1]);
			},
			"the manifest promises",
		),
		(
			|world, prepared, _| {
				let private = &mut prepared.manifest.private;
				let bytes = bytes_of(world, private);
				replace(world, private, &bytes.repeat(10));
			},
			"bytes where at most",
		),
	];
	let (other, _) = with_input(&world, &[2; 1000]);
	let given_up = |forged: (Prepared, OwnerSecret), expected: &str| {
		let task = world.submit(forged, 1000);
		catch_up(&world);
		let held = held(&world, 0, task.id);
		let reason = held.reason.expect("why");
		assert!(reason.contains(expected), "{expected}: {reason}");
		assert!(held.given_up && !held.complete, "{reason}");
		world.settle(task.id, false);
		catch_up(&world);
	};
	for (change, expected) in manifests {
		let (mut prepared, secret) = with_input(&world, &[1; 1000]);
		change(&world, &mut prepared, &other);
		given_up((prepared, secret), expected);
	}
	for (change, expected) in others {
		let (mut prepared, secret) = with_input(&world, &[1; 1000]);
		change(&world, &mut prepared, &other);
		prepared.id = prepared.manifest.put(&*world.owner).expect("the format allows it");
		given_up((prepared, secret), expected);
	}
	// As it was prepared, it is kept.
	let task = world.submit(with_input(&world, &[1; 1000]), 1000);
	catch_up(&world);
	assert!(held(&world, 0, task.id).complete);
}

#[test]
fn a_manifest_of_another_task_is_given_up() {
	let world = World::new(1);
	let (prepared, secret) = world.prepare(&Input::Nothing, Cut::Index(4), 2);
	let mut other = prepared.clone();
	other.manifest.subtasks = 5;
	let task = world.submit((other, secret), 1000);
	catch_up(&world);
	let held = held(&world, 0, task.id);
	let reason = held.reason.expect("why");
	assert!(held.given_up && !held.manifest && reason.contains("another task's"), "{reason}");
	let asked = world.nodes[0].shelf.asked.load(Ordering::Relaxed);
	world.pass(1000);
	catch_up(&world);
	assert_eq!(world.nodes[0].shelf.asked.load(Ordering::Relaxed), asked, "nor asked for again");
}

#[test]
fn results_are_kept_after_the_end_for_as_long_as_promised() {
	let world = World::with_limits(1, Limits { retention: 100, ..Limits::default() });
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let worker = world.network.join(&world.folder.path().join("worker"));
	let digests = world.decide(&task, &worker, &[b"one", b"two", b"three"]);
	catch_up(&world);
	let shelf = &world.nodes[0].shelf;
	let results = held(&world, 0, task.id);
	assert_eq!((results.results_held, results.results), (3, 3));
	assert!(digests.iter().all(|digest| shelf.is_pinned(&result_id(digest))));
	let Manifest { program, private, .. } = task.prepared.manifest;
	world.settle(task.id, false);
	catch_up(&world);
	assert!(held(&world, 0, task.id).ended);
	let kept = || world.nodes[0].custody.work_chain(task.id, 1).expect("readable");
	let page = kept().expect("kept");
	assert_eq!((page.height, page.blocks.len(), page.blocks[0].block.index), (3, 2, 1));
	assert!(!shelf.is_pinned(&program.id) && shelf.is_pinned(&private.id));
	assert!(shelf.is_pinned(&task.prepared.id));
	world.pass(98);
	catch_up(&world);
	assert!(digests.iter().all(|digest| shelf.is_pinned(&result_id(digest))));
	world.pass(2);
	catch_up(&world);
	assert_eq!(world.nodes[0].custody.held(task.id), None);
	assert!(shelf.pins.lock().expect("not poisoned").is_empty());
	let ledger = std::fs::read_dir(world.nodes[0].folder.join("ledger")).expect("exists");
	assert_eq!(ledger.count(), 0);
	assert_eq!(kept(), None);
}

#[test]
fn a_restart_after_the_end_keeps_to_the_term() {
	let mut world = World::with_limits(1, Limits { retention: 100, ..Limits::default() });
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let worker = world.network.join(&world.folder.path().join("worker"));
	let digests = world.decide(&task, &worker, &[b"one"]);
	catch_up(&world);
	world.settle(task.id, false);
	catch_up(&world);
	world.restart(0);
	world.pass(50);
	catch_up(&world);
	assert!(world.nodes[0].shelf.is_pinned(&result_id(&digests[0])));
	world.pass(60);
	catch_up(&world);
	assert!(world.nodes[0].shelf.pins.lock().expect("not poisoned").is_empty());
}

#[test]
fn a_task_that_ends_while_the_masternode_is_off_is_dropped() {
	let mut world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	world.settle(task.id, false);
	world.restart(0);
	catch_up(&world);
	assert_eq!(world.nodes[0].custody.held(task.id), None, "there are no results");
	assert!(world.nodes[0].shelf.pins.lock().expect("not poisoned").is_empty());
}

#[test]
fn a_node_that_has_lost_its_database_drops_no_task_of_blocks_to_come() {
	let mut world = World::new(1);
	let early = world.chain.finalised().expect("there is one").number;
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let all = held(&world, 0, task.id);
	assert!(all.complete);
	world.owner_goes_offline();
	let state = world.chain.rewind(early);
	world.restart(0);
	catch_up(&world);
	let before = held(&world, 0, task.id);
	assert!(!before.ended && before.shards_held == all.shards_held, "{before:?}");
	world.chain.catch_up(state);
	catch_up(&world);
	assert!(held(&world, 0, task.id).complete);
	assert_eq!(world.nodes[0].shelf.fetched.load(Ordering::Relaxed), 0);
	// What ends after that is dropped as ever.
	world.settle(task.id, false);
	catch_up(&world);
	assert_eq!(world.nodes[0].custody.held(task.id), None);
}

#[test]
fn kept_solutions_stay_until_their_room_is_needed() {
	// Room for the content of one task at a time: 8 blobs of 4 KiB and what is essential.
	let limits = Limits { retention: 100, budget: 48 << 10, ..Limits::default() };
	let world = World::with_limits(1, limits);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let worker = world.network.join(&world.folder.path().join("worker"));
	let outputs: [&[u8]; 4] = [&[1; 5000], &[2; 5000], &[3; 5000], &[4; 5000]];
	let digests = world.decide(&task, &worker, &outputs);
	catch_up(&world);
	world.settle(task.id, true);
	world.pass(1000);
	catch_up(&world);
	let shelf = &world.nodes[0].shelf;
	assert!(digests.iter().all(|digest| shelf.is_pinned(&result_id(digest))), "nobody needs room");
	let next: Vec<_> = (0..3).map(|_| world.small_task(4, 1000)).collect();
	catch_up(&world);
	assert!(!digests.iter().any(|digest| shelf.is_pinned(&result_id(digest))), "now they do");
	assert!(held(&world, 0, next[0].id).complete);
}

/// Verdict and settlement become final at once: the verdict is in the state of one block between.
#[test]
fn the_last_verdict_is_read_though_the_task_has_ended() {
	let world = World::new(1);
	let task = world.small_task(1, 1000);
	catch_up(&world);
	let worker = world.network.join(&world.folder.path().join("worker"));
	let digests = world.decide(&task, &worker, &[b"the end"]);
	world.settle(task.id, false);
	world.pass(5);
	catch_up(&world);
	assert!(world.nodes[0].shelf.is_pinned(&result_id(&digests[0])));
	let kept = world.nodes[0].custody.work_chain(task.id, 0).expect("the disk works");
	assert_eq!(kept.map(|page| (page.height, page.blocks.len())), Some((1, 1)));
}

#[test]
fn results_that_are_too_large_are_left_out() {
	let world = World::with_limits(1, Limits { result: 10_000, ..Limits::default() });
	let task = world.small_task(4, 1000);
	let worker = world.network.join(&world.folder.path().join("worker"));
	world.decide(&task, &worker, &[&[1; 100_000], b"small"]);
	catch_up(&world);
	let held = held(&world, 0, task.id);
	assert_eq!((held.results_held, held.results, held.complete), (1, 2, true));
}

#[test]
fn a_worker_that_is_gone_holds_nothing_else_up() {
	let world = World::with_limits(1, Limits { patience: 50, ..Limits::default() });
	let task = world.small_task(4, 1000);
	let nobody = ResultDigest(sp_core::H256::repeat_byte(9));
	world.verdict(task.id, 0, RangeIndex(0), nobody);
	for _ in 0..100 {
		catch_up(&world);
		world.pass(1);
	}
	let first = held(&world, 0, task.id);
	assert!(first.complete && first.given_up && first.results_held == 0, "{first:?}");
	let worker = world.network.join(&world.folder.path().join("worker"));
	world.decide(&task, &worker, &[b"one"]);
	catch_up(&world);
	assert_eq!(held(&world, 0, task.id).results_held, 1, "later results come as ever");
}

#[test]
fn who_pays_most_for_its_bytes_comes_first() {
	let world = World::with_limits(1, Limits { budget: 48 << 10, ..Limits::default() });
	let cheap = world.small_task(4, 1_000);
	let dear = world.small_task(4, 1_000_000);
	let cheapest = world.small_task(4, 10);
	catch_up(&world);
	let complete = |task: TaskId| held(&world, 0, task).complete;
	assert!(complete(dear.id) && complete(cheap.id));
	let waiting = held(&world, 0, cheapest.id);
	assert!(waiting.key_shares_held == 1 && !waiting.complete && !waiting.given_up);
	assert!(waiting.reason.expect("why").contains("room"));
	let later = world.small_task(4, 1_000_000_000);
	catch_up(&world);
	assert!(complete(cheap.id) && !complete(later.id), "nothing is thrown out for another");
	world.settle(cheap.id, false);
	catch_up(&world);
	assert!(complete(later.id) && !complete(cheapest.id));
}

#[test]
fn shares_are_kept_where_content_does_not_fit() {
	let world = World::with_limits(1, Limits { budget: 1 << 20, ..Limits::default() });
	let folder = world.folder.path();
	std::fs::write(folder.join("input"), [1; 1000]).expect("room");
	let input = Input::at(folder.join("input")).expect("exists");
	let task = world.submit(world.prepare(&input, Cut::Bytes(100), 2), 1000);
	catch_up(&world);
	let held = held(&world, 0, task.id);
	assert!(!held.manifest && held.given_up && held.shards_held == 0);
	assert_eq!(held.key_shares_held, 1);
	assert!(held.reason.expect("why").contains("this masternode gives all tasks"));
}

#[test]
fn what_two_tasks_share_stays_for_the_second() {
	let world = World::new(1);
	let (one, two) = (world.small_task(4, 1000), world.small_task(4, 1000));
	catch_up(&world);
	let program = one.prepared.manifest.program.id;
	assert_eq!(program, two.prepared.manifest.program.id);
	world.settle(one.id, false);
	catch_up(&world);
	assert!(world.nodes[0].shelf.is_pinned(&program));
	world.settle(two.id, false);
	catch_up(&world);
	assert!(!world.nodes[0].shelf.is_pinned(&program));
}

#[test]
fn a_full_disk_is_waited_for() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	world.nodes[0].shelf.full.store(true, Ordering::Relaxed);
	catch_up(&world);
	let reason = held(&world, 0, task.id).reason.expect("why");
	assert!(reason.contains("the disk is full"), "{reason}");
	world.nodes[0].shelf.full.store(false, Ordering::Relaxed);
	world.pass(2);
	catch_up(&world);
	assert!(held(&world, 0, task.id).complete);
}

#[test]
fn what_takes_too_long_is_left_for_later() {
	let world = World::with_limits(1, Limits { deadline: Duration::ZERO, ..Limits::default() });
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let held = held(&world, 0, task.id);
	let reason = held.reason.expect("why");
	assert!(!held.manifest && reason.contains("did not come within 0 s"), "{reason}");
	assert_eq!(world.nodes[0].shelf.asked.load(Ordering::Relaxed), 0);
}

#[test]
fn a_provider_that_lies_is_seen_and_another_asked() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	let program = task.prepared.manifest.program.id;
	let path = world.owner.path_of(&program);
	let good = std::fs::read(&path).expect("prepared");
	let half = &good[..good.len() / 2];
	for bad in [&b"something else"[..], half, &good.repeat(100_000), b""] {
		std::fs::write(&path, bad).expect("room");
		catch_up(&world);
		let held = held(&world, 0, task.id);
		let reason = held.reason.expect("why");
		assert!(!held.program && !held.complete && !held.given_up, "{reason}");
		world.pass(500);
	}
	std::fs::write(&path, good).expect("room");
	catch_up(&world);
	assert!(held(&world, 0, task.id).complete);
}

#[test]
fn a_block_costs_what_happened_in_it_however_many_tasks_live() {
	let world = World::new(1);
	let cost = || {
		let before = world.chain.reads.load(Ordering::Relaxed);
		world.nodes[0].custody.sync().expect("the chain is there");
		world.chain.reads.load(Ordering::Relaxed) - before
	};
	let tasks: Vec<_> = (0..100).map(|_| world.small_task(4, 1000)).collect();
	assert!(cost() >= 100, "at a start all are read");
	world.pass(1);
	assert_eq!(cost(), 1, "nothing happened");
	world.pass(3);
	assert_eq!(cost(), 3, "in none of three blocks");
	world.verdict(tasks[7].id, 0, RangeIndex(0), ResultDigest::default());
	assert_eq!(cost(), 4, "what changed, the task, its work chain, who did what");
	assert_eq!(held(&world, 0, tasks[7].id).results, 1);
}

#[test]
fn after_blocks_that_were_missed_all_tasks_are_read() {
	let world = World::new(1);
	let sync = || world.nodes[0].custody.sync().map(|at| at.number);
	let (first, second) = (world.small_task(4, 1000), world.small_task(4, 1000));
	sync().expect("the chain is there");
	// Too many.
	world.settle(first.id, false);
	world.pass(100);
	sync().expect("the chain is there");
	assert_eq!(world.nodes[0].custody.held(first.id), None);
	// One whose state is gone.
	world.settle(second.id, false);
	let third = world.small_task(4, 1000);
	let at = world.chain.finalised().expect("there").number;
	world.chain.pruned.lock().expect("not poisoned").extend([at - 1, at]);
	world.pass(1);
	sync().expect("the last block is there");
	assert_eq!(world.nodes[0].custody.held(second.id), None);
	assert!(!held(&world, 0, third.id).ended);
	// The last one itself: it is read when it can be.
	let fourth = world.small_task(4, 1000);
	let at = world.chain.finalised().expect("there").number;
	world.chain.pruned.lock().expect("not poisoned").insert(at);
	sync().expect_err("it can't be read");
	assert_eq!(world.nodes[0].custody.held(fourth.id), None);
	world.chain.pruned.lock().expect("not poisoned").clear();
	world.pass(1);
	sync().expect("the chain is there");
	assert!(!held(&world, 0, fourth.id).ended);
}
