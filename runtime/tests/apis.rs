//! What the runtime API lists, on a chain with all pallets together.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::*;
use dgcs_primitives::{
	api::{runtime_decl_for_dgcs_api::DgcsApiV2, SeatStage},
	Digests, RangeIndex, Round, TaskId,
};
use dgcs_runtime::{constants::DGC, AccountId, Balance, Block, Runtime, System, Tasks, Verdicts};
use frame_support::assert_ok;

fn changed() -> Vec<TaskId> {
	<Runtime as DgcsApiV2<Block, AccountId, Balance>>::changed_tasks()
}

fn live(after: Option<TaskId>, limit: u32) -> Vec<TaskId> {
	<Runtime as DgcsApiV2<Block, AccountId, Balance>>::live_tasks(after, limit)
}

fn leases(task: TaskId, worker: &AccountId) -> Vec<RangeIndex> {
	let mut ranges =
		<Runtime as DgcsApiV2<Block, AccountId, Balance>>::leases(task, worker.clone());
	ranges.sort();
	ranges
}

#[test]
fn live_tasks_come_in_pages() {
	chain().execute_with(|| {
		assert_eq!(live(None, 10), []);
		let tasks: Vec<TaskId> = (0..5).map(|_| submit(spec())).collect();
		let mut found = Vec::new();
		loop {
			let page = live(found.last().copied(), 2);
			assert!(page.len() <= 2);
			if page.is_empty() {
				break;
			}
			found.extend(page);
		}
		let order = found.clone();
		found.sort();
		assert_eq!(found, tasks);
		// One that has ended is still a place to go on from.
		assert_ok!(Tasks::cancel(signed(&owner()), order[1]).map(|_| ()));
		assert_eq!(live(Some(order[1]), u32::MAX), order[2..]);
		assert_eq!(live(None, 2), [order[0], order[2]]);
	});
}

#[test]
fn tasks_that_changed_are_named_in_their_block_alone() {
	chain().execute_with(|| {
		assert_eq!(changed(), []);
		let (one, two) = (submit(spec()), submit(spec()));
		assert_eq!(changed(), [one, two]);
		next_block();
		assert_eq!(changed(), []);
		for _ in 0..2 {
			assert_ok!(Tasks::fund(signed(&owner()), two, DGC));
		}
		assert_eq!(changed(), [two], "once");
		next_block();
		assert_ok!(Tasks::cancel(signed(&owner()), one).map(|_| ()));
		assert_eq!(changed(), [one]);
		assert!(Tasks::settlement(one).is_some());
	});
}

#[test]
fn leases_live_until_the_reveal_and_verdicts_are_changes() {
	chain().execute_with(|| {
		register_workers(3);
		let workers: Vec<AccountId> = (1..=3).map(account).collect();
		let task = submit(spec());
		let ranges = [0, 1, 2].map(RangeIndex);
		for worker in &workers {
			assert_eq!(leases(task, worker), []);
			assert_ok!(Tasks::take(signed(worker), 3));
		}
		let mut begun = 0;
		while leases(task, &workers[2]) != ranges {
			next_block();
			begun += usize::from(changed() == [task]);
			assert!(System::block_number() < 20, "they are drawn in a few blocks");
		}
		assert_eq!(begun, 1, "with its first lease");
		assert!(workers.iter().all(|worker| leases(task, worker) == ranges));
		assert_eq!(leases(task, &account(4)), []);

		let now = System::block_number();
		let seats = Verdicts::range(task, ranges[0]).unwrap().view().seats;
		let SeatStage::Leased { until } = seats[0].stage else { panic!("{seats:?}") };
		let held = |number| {
			System::set_block_number(number);
			leases(task, &seats[0].worker).contains(&ranges[0])
		};
		assert!(held(until) && !held(until + 1));
		System::set_block_number(now);

		next_block();
		let found = Digests::truncate_from(honest(task, ranges[0], spec().range_size));
		let vote_of = commitment(task, ranges[0], Round(0), &workers[0], &found);
		assert_ok!(Verdicts::commit(signed(&workers[0]), task, ranges[0], vote_of));
		assert_eq!(leases(task, &workers[0]), ranges, "it may have lost its results");
		assert_eq!(changed(), []);
		vote(task, &workers, &|_, _, digests| digests);
		assert_eq!(changed(), [task]);
		assert!(workers.iter().all(|worker| leases(task, worker).is_empty()));
	});
}
