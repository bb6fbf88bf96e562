//! Who did what: kept with the work chain for owners who come back when nodes have forgotten the events.

mod common;

use common::{catch_up, receipts, World};
use dgcs_custody::{Chain, Limits, Receipt};
use dgcs_primitives::{RangeIndex, ResultDigest, TaskId};
use sp_core::H256;

/// A masternode's receipts of a task, from its first block on.
fn kept(world: &World, task: TaskId) -> Option<(u32, Vec<Option<Vec<Receipt>>>)> {
	kept_from(world, task, 0)
}

fn kept_from(world: &World, task: TaskId, from: u32) -> Option<(u32, Vec<Option<Vec<Receipt>>>)> {
	let page = world.nodes[0].custody.work_chain(task, from).expect("the disk works")?;
	Some((page.height, page.blocks.into_iter().map(|kept| kept.receipts).collect()))
}

/// So many verdicts, one a block.
fn decide(world: &World, task: TaskId, subtasks: std::ops::Range<u32>) {
	for subtask in subtasks {
		let digest = ResultDigest(H256::from_low_u64_be(u64::from(subtask)));
		world.verdict(task, subtask, RangeIndex(subtask / 2), digest);
	}
}

fn all(subtasks: std::ops::Range<u32>) -> Vec<Option<Vec<Receipt>>> {
	subtasks.map(|subtask| Some(receipts(subtask))).collect()
}

#[test]
fn who_did_what_is_kept_as_long_as_the_results() {
	let mut world = World::with_limits(1, Limits { retention: 100, ..Limits::default() });
	let task = world.small_task(4, 1000);
	let other = world.small_task(4, 1000);
	catch_up(&world);
	assert_eq!(kept(&world, task.id), None);
	let worker = world.network.join(&world.folder.path().join("worker"));
	world.decide(&task, &worker, &[b"one", b"two"]);
	decide(&world, other.id, 0..1);
	catch_up(&world);
	// Several blocks become final at once, the last one with the end.
	world.decide(&task, &worker, &[b"three", b"four"]);
	world.settle(task.id, false);
	catch_up(&world);
	let both = [all(0..2), all(0..2)].concat();
	assert_eq!(kept(&world, task.id), Some((4, both.clone())));
	assert_eq!(kept(&world, other.id), Some((1, all(0..1))));
	world.restart(0);
	catch_up(&world);
	assert_eq!(kept(&world, task.id), Some((4, both.clone())));
	assert_eq!(kept_from(&world, task.id, 3), Some((4, both[3..].to_vec())));
	world.pass(100);
	catch_up(&world);
	assert_eq!(kept(&world, task.id), None);
}

#[test]
fn a_page_has_256_blocks() {
	let world = World::new(1);
	let task = world.small_task(300, 1000);
	for part in [0..150, 150..300] {
		decide(&world, task.id, part);
		catch_up(&world);
	}
	assert_eq!(kept(&world, task.id), Some((300, all(0..256))));
	assert_eq!(kept_from(&world, task.id, 256), Some((300, all(256..300))));
}

#[test]
fn what_a_block_does_not_commit_to_is_not_kept() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let mut more = receipts(1);
	more[0].paid += 1;
	let short = receipts(2)[..2].to_vec();
	let long = [receipts(3), receipts(3)].concat();
	for (subtask, said) in (0..).zip([receipts(0), more, short, long]) {
		let digest = ResultDigest(H256::repeat_byte(subtask as u8));
		world.verdict_saying(task.id, subtask, RangeIndex(subtask / 2), digest, said);
	}
	catch_up(&world);
	assert_eq!(kept(&world, task.id), Some((4, vec![Some(receipts(0)), None, None, None])));
	assert_eq!(world.nodes[0].custody.held(task.id).expect("known").results, 4);
}

/// The work chain of a live task is in each state, what happened in a block in its own alone.
#[test]
fn a_masternode_that_was_away_for_too_long_keeps_the_rest() {
	let mut world = World::new(1);
	let task = world.small_task(6, 1000);
	catch_up(&world);
	decide(&world, task.id, 0..1);
	catch_up(&world);
	decide(&world, task.id, 1..3);
	let forgotten = world.chain.finalised().expect("there is one").number;
	world.chain.pruned.lock().expect("not poisoned").extend([forgotten - 1, forgotten]);
	world.pass(100);
	decide(&world, task.id, 3..4);
	world.restart(0);
	catch_up(&world);
	let known = [all(0..1), vec![None, None], all(3..4)].concat();
	assert_eq!(kept(&world, task.id), Some((4, known.clone())));
	// Nor are those that are there read anew, or lost.
	decide(&world, task.id, 4..5);
	world.restart(0);
	catch_up(&world);
	assert_eq!(kept(&world, task.id), Some((5, [known, all(4..5)].concat())));
}
