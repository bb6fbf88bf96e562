//! Submitting, funding, cancelling, taking and settling, wrongly.

use dgcs_primitives::{
	api::LEASES_PER_SLOT, Conduct, Payout, TaskId, TaskKind, TaskSpec, Visibility, Workers as _,
	MAX_RANGE_SIZE, MAX_REPLICAS, MAX_SUBTASKS,
};
use dgcs_runtime::{
	constants::{DAYS, DGC, MICRO, MILLI},
	Balance, Runtime, Tasks, Workers,
};
use pallet_tasks::{types::LineEnds, Call, Error};
use sp_runtime::TokenError;

use crate::{
	accepted, accepted_free,
	common::{
		blocks::{chain, id, next_block, skip_to},
		spec, SLOTS,
	},
	leased, one_range, owner, refused, stranger, submit as submitted, take as taken, worker,
	NO_TASKS,
};

type Change = fn(&mut TaskSpec<Balance>);

/// The longest that a task may wait or run.
const LONGEST: u32 = 30 * DAYS;

/// Everything that no task can be, and why.
fn wrong_specs() -> Vec<(Change, Error<Runtime>)> {
	use Error::*;
	vec![
		(|s| s.subtasks = 0, SubtasksOutOfRange),
		(|s| s.subtasks = MAX_SUBTASKS + 1, SubtasksOutOfRange),
		(|s| s.subtasks = u32::MAX, SubtasksOutOfRange),
		(|s| s.range_size = 0, RangeSizeOutOfRange),
		(|s| s.range_size = MAX_RANGE_SIZE + 1, RangeSizeOutOfRange),
		(|s| s.range_size = u32::MAX, RangeSizeOutOfRange),
		(|s| s.replicas = 0, BadReplicas),
		(|s| s.replicas = 1, BadReplicas),
		(|s| s.replicas = 4, BadReplicas),
		(|s| s.replicas = 7, BadReplicas),
		(|s| s.replicas = u8::MAX, BadReplicas),
		(|s| s.max_replicas = 0, BadReplicas),
		(|s| s.max_replicas = 2, BadReplicas),
		(|s| s.max_replicas = MAX_REPLICAS + 1, BadReplicas),
		(|s| s.max_replicas = u8::MAX, BadReplicas),
		(|s| (s.replicas, s.max_replicas) = (u8::MAX, u8::MAX), BadReplicas),
		(|s| s.reward = 0, RewardTooLow),
		(|s| s.reward = MICRO - 1, RewardTooLow),
		(|s| s.limits.time_ms = 0, LimitsOutOfRange),
		(|s| s.limits.memory_mib = 0, LimitsOutOfRange),
		(|s| s.limits.memory_mib = 4097, LimitsOutOfRange),
		(|s| s.limits.memory_mib = u32::MAX, LimitsOutOfRange),
		(|s| s.limits.fuel = 0, LimitsOutOfRange),
		(|s| s.queue_timeout = 0, TimeoutOutOfRange),
		(|s| s.queue_timeout = LONGEST + 1, TimeoutOutOfRange),
		(|s| s.queue_timeout = u32::MAX, TimeoutOutOfRange),
		(|s| s.run_timeout = 0, TimeoutOutOfRange),
		(|s| s.run_timeout = LONGEST + 1, TimeoutOutOfRange),
		(|s| s.run_timeout = u32::MAX, TimeoutOutOfRange),
		(|s| s.payout = Payout::Pplns { window: 0 }, WindowOutOfRange),
		(|s| s.payout = Payout::Pplns { window: u32::from(s.max_replicas) - 1 }, WindowOutOfRange),
		(|s| s.payout = Payout::Pplns { window: 33 }, WindowOutOfRange),
		(|s| s.payout = Payout::Pplns { window: u32::MAX }, WindowOutOfRange),
		(|s| s.kind = TaskKind::Store, KindNotSupported),
		(|s| s.kind = TaskKind::Host, KindNotSupported),
		// No time for one lease and its vote: a second each, but a lease and a vote have slack.
		(|s| s.run_timeout = 1, DeadlineTooShort),
		(|s| s.run_timeout = 61, DeadlineTooShort),
		(|s| s.limits.time_ms = u32::MAX, DeadlineTooShort),
		(|s| (s.limits.time_ms, s.run_timeout) = (u32::MAX, LONGEST), DeadlineTooShort),
		// More subtasks than could ever finish.
		(|s| s.subtasks = MAX_SUBTASKS, TooManySubtasks),
		(|s| (s.subtasks, s.run_timeout) = (63 * 10_680 + 1, 63), TooManySubtasks),
		// Each of the steps of the price can overflow: subtasks, replicas, reserve, share.
		(|s| s.reward = u128::MAX, PriceOverflow),
		(|s| s.reward = u128::MAX / 10 + 1, PriceOverflow),
		(|s| s.reward = u128::MAX / 10, PriceOverflow),
		(|s| s.reward = u128::MAX / 30, PriceOverflow),
		(|s| s.reward = u128::MAX / 50, PriceOverflow),
		(|s| (s.subtasks, s.reward) = (1, u128::MAX / 5), PriceOverflow),
	]
}

#[test]
pub fn submit() {
	chain().execute_with(|| {
		for (change, error) in wrong_specs() {
			let mut spec = spec();
			change(&mut spec);
			refused(&owner(), Call::submit { spec }, error);
		}
		let unaffordable: &[Change] = &[
			|s| s.reward = u128::MAX / 60,
			|s| s.reward = 100_000 * DGC,
			// All that the owner has, and the share on top.
			|s| (s.subtasks, s.reward) = (1, 200_000 * DGC),
		];
		for change in unaffordable {
			let mut spec = spec();
			change(&mut spec);
			refused(&owner(), Call::submit { spec }, TokenError::FundsUnavailable);
		}
	});
}

/// The highest number of everything together, and the lowest.
#[test]
fn the_limits_themselves_are_allowed() {
	let most: Change = |s| {
		(s.subtasks, s.range_size) = (MAX_SUBTASKS, MAX_RANGE_SIZE);
		(s.replicas, s.max_replicas) = (MAX_REPLICAS, MAX_REPLICAS);
		(s.queue_timeout, s.run_timeout) = (LONGEST, LONGEST);
		(s.limits.memory_mib, s.limits.fuel) = (4096, u64::MAX);
		(s.payout, s.reward) = (Payout::Pplns { window: 32 }, MICRO);
	};
	let least: Change = |s| {
		(s.subtasks, s.range_size) = (1, 1);
		(s.replicas, s.max_replicas) = (3, 3);
		(s.queue_timeout, s.run_timeout) = (1, 61);
		(s.limits.time_ms, s.limits.memory_mib, s.limits.fuel) = (1, 1, 1);
		(s.payout, s.reward) = (Payout::Pplns { window: 3 }, MICRO);
	};
	chain().execute_with(|| {
		for change in [most, least] {
			let mut spec = spec();
			change(&mut spec);
			assert!(accepted(&owner(), Call::submit { spec }) > 0);
		}
	});
}

#[test]
pub fn fund() {
	chain().execute_with(|| {
		let (owner, stranger) = (owner(), stranger());
		let private = submitted(spec());
		let public = submitted(TaskSpec { visibility: Visibility::Public, ..one_range() });
		let fund = |task, amount| Call::fund { task, amount };
		for task in NO_TASKS {
			refused(&owner, fund(task, DGC), Error::<Runtime>::UnknownTask);
		}
		for amount in [0, DGC, u128::MAX] {
			refused(&stranger, fund(private, amount), Error::<Runtime>::NotPublic);
		}
		for (who, task) in [(&owner, private), (&owner, public), (&stranger, public)] {
			for amount in [0, 1] {
				refused(who, fund(task, amount), Error::<Runtime>::TooSmall);
			}
			refused(who, fund(task, u128::MAX), Error::<Runtime>::PriceOverflow);
			let deposited = Tasks::task(task).unwrap().deposited;
			for amount in [u128::MAX - deposited, u128::MAX / 2, 2_000_000 * DGC] {
				refused(who, fund(task, amount), TokenError::FundsUnavailable);
			}
		}
		// Enough to raise the reward, but not to be a contribution.
		let below = pallet_escrow::Error::<Runtime>::BelowMinimum;
		refused(&stranger, fund(public, 10 * MILLI - 1), below);

		accepted(&owner, Call::cancel { task: public });
		refused(&stranger, fund(public, DGC), Error::<Runtime>::UnknownTask);
	});
}

#[test]
pub fn cancel() {
	chain().execute_with(|| {
		let (task, workers) = leased(spec());
		let queued = submitted(spec());
		for who in [&stranger(), &workers[0]] {
			for task in [task, queued] {
				refused(who, Call::cancel { task }, Error::<Runtime>::NotOwner);
			}
		}
		for task in NO_TASKS {
			refused(&owner(), Call::cancel { task }, Error::<Runtime>::UnknownTask);
		}
		accepted(&owner(), Call::cancel { task: queued });
		refused(&owner(), Call::cancel { task: queued }, Error::<Runtime>::UnknownTask);

		accepted(&owner(), Call::cancel { task });
		refused(&owner(), Call::cancel { task }, Error::<Runtime>::AlreadyEnding);
		refused(&owner(), Call::fund { task, amount: DGC }, Error::<Runtime>::AlreadyEnding);
	});
}

#[test]
fn what_is_due_takes_no_more_wishes() {
	chain().execute_with(|| {
		let task = submitted(TaskSpec { queue_timeout: 3, ..spec() });
		(0..3).for_each(|_| next_block());
		refused(&owner(), Call::cancel { task }, Error::<Runtime>::AlreadyEnding);
		refused(&owner(), Call::fund { task, amount: DGC }, Error::<Runtime>::AlreadyEnding);
		accepted_free(&stranger(), Call::settle { task });
	});
}

#[test]
pub fn take() {
	use Error::*;
	chain().execute_with(|| {
		let take = |slots| Call::take { slots };
		let worker = worker(1);
		for slots in [0, 65, u16::MAX] {
			refused(&worker, take(slots), SlotsOutOfRange::<Runtime>);
		}
		// It has one lease of as many as it may have.
		Workers::occupy(&id(&worker)).unwrap();
		refused(&worker, take(LEASES_PER_SLOT * SLOTS), TooManySlots::<Runtime>);
		refused(&stranger(), take(1), NotRegistered::<Runtime>);
		refused(&owner(), take(64), NotRegistered::<Runtime>);

		let line = LineEnds { head: 5, tail: 5 + 100_000 };
		pallet_tasks::Line::<Runtime>::put(line);
		refused(&worker, take(1), LineFull::<Runtime>);
		pallet_tasks::Line::<Runtime>::kill();

		accepted(&worker, take(1));
		refused(&worker, take(1), AlreadyAsking::<Runtime>);
	});
}

#[test]
fn taking_while_not_admitted() {
	use Error::*;
	chain().execute_with(|| {
		let take = Call::take { slots: 1 };
		let leaving = worker(1);
		accepted(&leaving, pallet_workers::Call::leave {});
		refused(&leaving, take.clone(), Leaving::<Runtime>);

		let liar = worker(2);
		Workers::rate(&id(&liar), Conduct::Dissented);
		refused(&liar, take.clone(), Suspended::<Runtime>);
		Workers::rate(&id(&liar), Conduct::Dissented);
		refused(&liar, take.clone(), Blacklisted::<Runtime>);

		let busy = worker(3);
		for _ in 0..LEASES_PER_SLOT * SLOTS {
			Workers::occupy(&id(&busy)).unwrap();
		}
		refused(&busy, take, NoFreeSlot::<Runtime>);
	});
}

#[test]
pub fn settle() {
	chain().execute_with(|| {
		let early = |task: TaskId| {
			for who in [&owner(), &stranger()] {
				refused(who, Call::settle { task }, Error::<Runtime>::NotDue);
			}
		};
		for task in NO_TASKS {
			refused(&owner(), Call::settle { task }, Error::<Runtime>::UnknownTask);
		}
		let task = submitted(spec());
		early(task);
		let workers: Vec<_> = (1..=3).map(worker).collect();
		taken(&workers, 1);
		early(task);
		accepted(&owner(), Call::cancel { task });
		early(task);

		skip_to(Tasks::task(task).unwrap().due - 1);
		early(task);
		next_block();
		accepted_free(&stranger(), Call::settle { task });
		refused(&stranger(), Call::settle { task }, Error::<Runtime>::UnknownTask);
	});
}
