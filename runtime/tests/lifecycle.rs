//! A task from submission to settlement, with all pallets together.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::*;
use dgcs_primitives::{
	api::Standing, Price, Refusal, ResultDigest, Settlement, TaskEnd, TaskId, TaskSpec,
};
use dgcs_runtime::{
	constants::DGC, AccountId, Balances, Escrow, Runtime, System, Tasks, Verdicts, Workers,
};
use frame_support::{
	assert_noop, assert_ok,
	traits::fungible::{Inspect, InspectHold},
};
use sp_core::H256;
use sp_runtime::Perbill;

fn workers(count: u32) -> Vec<AccountId> {
	register_workers(count);
	(1..=count).map(account).collect()
}

/// Everybody takes and votes, block by block, until the task is settled.
fn run(task: TaskId, workers: &[AccountId], found: Behaviour) -> Settlement<AccountId, u128> {
	for _ in 0..800 {
		for worker in workers {
			let _ = Tasks::take(signed(worker), 2);
		}
		vote(task, workers, found);
		next_block();
		if let Some(settlement) = Tasks::settlement(task) {
			blocks(5);
			return settlement;
		}
	}
	panic!("not settled: {:?}", Tasks::task(task));
}

fn assert_nothing_left(task: TaskId) {
	assert_eq!(Tasks::task(task), None);
	assert_eq!(Verdicts::head(task), None);
	assert_eq!(Escrow::ledger(task), None);
	assert_eq!(Verdicts::work_chain(task, 0, 10), None);
	assert_eq!(pallet_verdicts::Blocks::<Runtime>::iter_prefix(task).count(), 0);
	assert_eq!(pallet_verdicts::Ranges::<Runtime>::iter_prefix(task).count(), 0);
	assert_eq!(Balances::total_balance_on_hold(&owner()), 0);
}

#[test]
fn honest_workers_are_paid_to_the_last_unit() {
	chain().execute_with(|| {
		let workers = workers(4);
		let before: Vec<_> = workers.iter().map(Balances::total_balance).collect();
		let purse = Balances::balance(&owner());
		let price = Price::of(&spec(), Perbill::from_percent(5)).unwrap();

		let task = submit(spec());
		assert_eq!(Balances::total_balance_on_hold(&owner()), price.total());
		let settlement = run(task, &workers, &|_, _, digests| digests);

		assert_eq!(settlement.end, TaskEnd::Completed);
		assert_eq!((settlement.chain.agreed, settlement.chain.failed), (10, 0));
		assert_eq!(settlement.chain.height, 3);
		assert_eq!(settlement.sums.paid, 30 * spec().reward);
		let earned: u128 = workers
			.iter()
			.zip(&before)
			.map(|(worker, before)| Balances::total_balance(worker) - before)
			.sum();
		assert_eq!(earned, settlement.sums.paid);
		let sums = settlement.sums;
		assert_eq!(sums.paid + sums.masternodes + sums.refunded, price.total());
		assert_eq!(Balances::balance(&owner()), purse - sums.paid - sums.masternodes);
		assert_nothing_left(task);
	});
}

#[test]
fn a_liar_is_slashed_suspended_and_at_last_blacklisted() {
	chain().execute_with(|| {
		// As many as there are replicas, so that the liar is always among them.
		let workers = workers(3);
		let liar = workers[0].clone();
		let lie = |worker: &AccountId, _, digests: Vec<ResultDigest>| {
			if *worker == liar {
				digests.iter().map(|_| ResultDigest(H256::repeat_byte(0x66))).collect()
			} else {
				digests
			}
		};
		let standing = || Workers::worker(liar.clone()).map(|view| view.standing);
		let one_range = || TaskSpec { subtasks: 4, ..spec() };
		let bond = Balances::total_balance_on_hold(&liar);

		let settlement = run(submit(one_range()), &workers, &lie);
		assert_eq!((settlement.chain.agreed, settlement.chain.failed), (4, 0));
		assert_eq!(settlement.sums.paid, 2 * 4 * spec().reward);
		let Some(Standing::Suspended { until }) = standing() else {
			panic!("not suspended: {:?}", standing());
		};
		assert_eq!(Balances::total_balance_on_hold(&liar), bond - bond / 10);
		assert_noop!(Tasks::take(signed(&liar), 1), pallet_tasks::Error::<Runtime>::Suspended);

		// The way back.
		System::set_block_number(until);
		assert_ok!(Workers::replenish(signed(&liar)));
		assert_ok!(Workers::resume(signed(&liar)));
		assert_eq!(standing(), Some(Standing::Good));

		// And out.
		run(submit(one_range()), &workers, &lie);
		assert_eq!(standing(), Some(Standing::Blacklisted));
		assert_eq!(Workers::can_work(liar.clone()), Err(Refusal::Blacklisted));
		for worker in &workers[1..] {
			assert_ok!(Workers::can_work(worker.clone()));
		}
	});
}

#[test]
fn a_task_without_workers_expires_with_a_full_refund() {
	chain().execute_with(|| {
		let purse = Balances::total_balance(&owner());
		let task = submit(TaskSpec { queue_timeout: 5, ..spec() });
		blocks(8);
		let settlement = Tasks::settlement(task).unwrap();
		assert_eq!(settlement.end, TaskEnd::Expired);
		assert_eq!(Balances::balance(&owner()), purse);
		assert_nothing_left(task);
	});
}

#[test]
fn with_nobody_honest_enough_the_subtasks_fail_and_the_money_comes_back() {
	chain().execute_with(|| {
		let workers = workers(6);
		let purse = Balances::total_balance(&owner());
		let differ = |worker: &AccountId, _, digests: Vec<ResultDigest>| -> Vec<ResultDigest> {
			let tag: [u8; 32] = worker.clone().into();
			digests.iter().map(|_| ResultDigest(H256(tag))).collect()
		};
		let task = submit(spec());
		let settlement = run(task, &workers, &differ);
		assert_eq!((settlement.chain.agreed, settlement.chain.failed), (0, 10));
		assert_eq!(settlement.sums.paid, 0);
		assert_eq!(Balances::balance(&owner()), purse);
		for worker in &workers {
			assert_eq!(Balances::total_balance_on_hold(worker), u128::from(SLOTS) * 10 * DGC);
		}
		assert_nothing_left(task);
	});
}

#[test]
fn a_cancelled_task_pays_what_was_begun() {
	chain().execute_with(|| {
		let workers = workers(3);
		let task = submit(TaskSpec { subtasks: 400, ..spec() });
		for worker in &workers {
			assert_ok!(Tasks::take(signed(worker), 1));
		}
		blocks(3);
		assert_ok!(Tasks::cancel(signed(&owner()), task).map(|_| ()));
		let settlement = run(task, &workers, &|_, _, digests| digests);
		assert_eq!(settlement.end, TaskEnd::Cancelled);
		assert!(settlement.chain.agreed >= 4 && settlement.chain.agreed < 400);
		assert_eq!(settlement.sums.paid, u128::from(settlement.chain.agreed) * 3 * spec().reward);
		assert_nothing_left(task);
	});
}
