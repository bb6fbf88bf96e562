//! Cancelling, expiring, settling.

use dgcs_primitives::{
	api::TaskState,
	doubles::{TestEscrow, TestJudge},
	Escrow, RangeIndex, TaskBook, TaskEnd, TaskId, TaskSpec,
};
use frame_support::{
	assert_noop, assert_ok,
	pallet_prelude::{Pays, Weight},
	traits::Hooks,
};

use crate::{mock::*, types::RETRY_BLOCKS, Backlog, Error, Event, Leftovers, Places, Windows};

type Spec = TaskSpec<Balance>;

fn cancel(who: Account, task: TaskId) -> Result<(), sp_runtime::DispatchError> {
	Tasks::cancel(RuntimeOrigin::signed(who), task).map(|_| ()).map_err(|error| error.error)
}

fn settle(task: TaskId) -> Result<Pays, sp_runtime::DispatchError> {
	Tasks::settle(RuntimeOrigin::signed(9), task)
		.map(|info| info.pays_fee)
		.map_err(|error| error.error)
}

/// How the task ended, by the last event.
fn end(task: TaskId) -> TaskEnd {
	match events().pop() {
		Some(Event::Settled { task: settled, settlement }) if settled == task => settlement.end,
		other => panic!("{task} is not settled: {other:?}"),
	}
}

fn nothing_is_left_of(task: TaskId) {
	assert_eq!(Tasks::task(task), None);
	assert!(!Places::<Test>::contains_key(task));
	assert!(!Windows::<Test>::contains_key(task));
	assert!(TestEscrow::ledger(task).unwrap().closed);
	assert!(TestJudge::votes(task).unwrap().closed);
}

#[test]
fn cancel_of_a_waiting_task_settles_it() {
	ExtBuilder::default().build_and_execute(|| {
		let id = submit(1, spec());
		assert_noop!(cancel(2, id), Error::<Test>::NotOwner);
		assert_noop!(cancel(1, TaskId(9)), Error::<Test>::UnknownTask);
		events();
		assert_ok!(cancel(1, id));
		let all = events();
		assert_eq!(all[0], Event::Cancelled { task: id, withdrawn: 10 });
		let Event::Settled { settlement, .. } = &all[1] else { panic!("{all:?}") };
		assert_eq!((settlement.end, settlement.sums.refunded), (TaskEnd::Cancelled, 5_250));
		assert_eq!(Tasks::settlement(id).as_ref(), Some(settlement));
		nothing_is_left_of(id);
		assert_noop!(cancel(1, id), Error::<Test>::UnknownTask);
		assert_noop!(settle(id), Error::<Test>::UnknownTask);
	});
}

#[test]
fn nothing_is_kept_unless_wanted() {
	ExtBuilder::default().build_and_execute(|| {
		let id = submit(1, Spec { keep_solution: false, ..spec() });
		assert_ok!(cancel(1, id));
		assert_eq!(end(id), TaskEnd::Cancelled);
		assert_eq!(Tasks::settlement(id), None);
	});
}

#[test]
fn cancel_of_a_running_task_withdraws_what_was_not_leased() {
	ExtBuilder::default().workers(2, 8).build_and_execute(|| {
		// 21 ranges, the last with one subtask: more than fit in the window.
		let id = submit(1, Spec { subtasks: 41, ..spec() });
		take(101, 3);
		run_to(3);
		let begun: Vec<_> = TestJudge::votes(id).unwrap().seats.iter().map(|seat| seat.0).collect();
		let left: u32 =
			begun.iter().map(|range| Spec { subtasks: 41, ..spec() }.range_len(*range)).sum();
		events();
		assert_ok!(cancel(1, id));
		assert_eq!(events(), [Event::Cancelled { task: id, withdrawn: 41 - left }]);
		assert_eq!(TestJudge::votes(id).unwrap().open, left);
		assert_noop!(cancel(1, id), Error::<Test>::AlreadyEnding);
		assert_noop!(settle(id), Error::<Test>::NotDue);

		// Seats of ranges begun are still given, others are not.
		assert_eq!(Windows::<Test>::get(id).len(), 3);
		take(102, 8);
		run_to(5);
		assert_eq!(TestJudge::votes(id).unwrap().seats.len(), 6);
		assert_eq!(Tasks::task(id).unwrap().state, TaskState::Cancelling);
		Tasks::reopen(id, begun[0]);
		Tasks::do_try_state().unwrap();

		Tasks::finished(id);
		assert_eq!(Tasks::queue_position(id), None);
		next_block();
		next_block();
		assert_eq!(end(id), TaskEnd::Cancelled);
		nothing_is_left_of(id);
	});
}

#[test]
fn a_judge_that_has_nothing_left_ends_the_task() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		take(101, 1);
		run_to(3);
		// The leased range was decided meanwhile.
		<TestJudge as dgcs_primitives::Judge<Account>>::withdraw(id, 2);
		assert_ok!(cancel(1, id));
		assert!(Tasks::task(id).unwrap().finished);
		next_block();
		next_block();
		assert_eq!(end(id), TaskEnd::Cancelled);
	});
}

/// The state after the block of the last verdict has the whole work chain.
#[test]
fn a_finished_task_stays_until_its_last_verdict_can_be_read() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		take(101, 1);
		run_to(3);
		Tasks::finished(id);
		assert_noop!(settle(id), Error::<Test>::NotDue);
		assert_noop!(cancel(1, id), Error::<Test>::AlreadyEnding);
		let fund = Tasks::fund(RuntimeOrigin::signed(1), id, 100_000);
		assert_noop!(fund, Error::<Test>::AlreadyEnding);
		// Block 3 ends, block 4 begins.
		next_block();
		assert!(Tasks::task(id).is_some());
		assert!(!TestJudge::votes(id).unwrap().closed);
		next_block();
		assert_eq!(end(id), TaskEnd::Completed);
		nothing_is_left_of(id);
	});
}

#[test]
fn a_task_that_waits_too_long_expires() {
	ExtBuilder::default().build_and_execute(|| {
		let id = submit(1, spec());
		run_to(51);
		assert!(Tasks::task(id).is_some());
		next_block();
		assert_eq!(end(id), TaskEnd::Expired);
		nothing_is_left_of(id);
	});
}

#[test]
fn a_task_past_its_deadline_is_settled() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		take(101, 1);
		run_to(203);
		assert_eq!(Tasks::task(id).unwrap().state, TaskState::Running);
		run_to(204);
		assert_eq!(end(id), TaskEnd::DeadlinePassed);
		let other = submit(1, spec());
		take(101, 1);
		run_to(206);
		assert_ok!(cancel(1, other));
		run_to(407);
		assert_eq!(end(other), TaskEnd::Cancelled);
	});
}

#[test]
fn settle_by_anyone_when_due_and_not_before() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		assert_noop!(settle(id), Error::<Test>::NotDue);
		System::set_block_number(50);
		assert_noop!(settle(id), Error::<Test>::NotDue);
		System::set_block_number(51);
		assert_noop!(cancel(1, id), Error::<Test>::AlreadyEnding);
		assert_eq!(settle(id), Ok(Pays::No));
		assert_eq!(end(id), TaskEnd::Expired);

		let id = submit(1, spec());
		take(101, 1);
		run_to(53);
		assert_eq!(Tasks::reward(id), Some(100));
		assert_noop!(settle(id), Error::<Test>::NotDue);
		Tasks::finished(id);
		System::set_block_number(54);
		Tasks::finished(id);
		assert_eq!(Tasks::task(id).unwrap().due, 54);
		assert_eq!(settle(id), Ok(Pays::No));
		assert_eq!(end(id), TaskEnd::Completed);
		assert_eq!(Tasks::reward(id), None);
		Tasks::finished(id);
		Tasks::reopen(id, RangeIndex(0));
		nothing_is_left_of(id);
	});
}

#[test]
fn finished_after_the_last_hook_of_a_block_is_settled_in_the_next() {
	ExtBuilder::default().workers(1, 8).build_and_execute(|| {
		let id = submit(1, spec());
		take(101, 1);
		run_to(5);
		Tasks::on_idle(5, plenty());
		Tasks::finished(id);
		Tasks::do_try_state().unwrap();
		System::set_block_number(6);
		Tasks::on_idle(6, plenty());
		assert_eq!(end(id), TaskEnd::Completed);
	});
}

#[test]
fn full_blocks_put_settlement_off_and_lose_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		let ids: Vec<_> = (0..30).map(|_| submit(1, spec())).collect();
		for block in 1..60 {
			System::set_block_number(block);
			assert_eq!(Tasks::on_idle(block, Weight::zero()), Weight::zero());
		}
		let mut blocks = 0;
		let each = <() as crate::WeightInfo>::agenda_settle().saturating_mul(4);
		while ids.iter().any(|id| Tasks::task(*id).is_some()) {
			blocks += 1;
			assert!(Tasks::on_idle(60, each).all_lte(each));
			Tasks::do_try_state().unwrap();
		}
		assert!(blocks >= 8, "{blocks}");
	});
}

#[test]
fn a_settlement_that_fails_is_tried_again_and_blocks_no_other() {
	ExtBuilder::default().build_and_execute(|| {
		let broken = submit(1, spec());
		let sound = submit(1, spec());
		// Its money is gone: what must never happen.
		TestEscrow::close(broken).unwrap();
		run_to(52);
		assert!(Tasks::task(broken).is_some());
		assert_eq!(Tasks::task(broken).unwrap().due, 51 + RETRY_BLOCKS);
		assert_eq!(end(sound), TaskEnd::Expired);
		Tasks::do_try_state().unwrap();
		TestEscrow::open(broken, &1, 5_250, spec().payout).unwrap();
		run_to(53 + u64::from(RETRY_BLOCKS));
		assert_eq!(Tasks::task(broken), None);
	});
}

#[test]
fn what_is_left_of_a_backlog_is_cleared_away_bit_by_bit() {
	ExtBuilder::default().workers(3, 64).build_and_execute(|| {
		let id = submit(1, Spec { subtasks: 160, ..spec() });
		(101..=103).for_each(|worker| take(worker, 40));
		run_to(4);
		let votes = TestJudge::votes(id).unwrap();
		for seat in &votes.seats {
			Tasks::reopen(id, seat.0);
		}
		let entries = Backlog::<Test>::iter().count();
		assert!(entries > 10);
		Tasks::finished(id);
		System::set_block_number(System::block_number() + 1);
		assert_ok!(settle(id));
		assert_eq!(Backlog::<Test>::iter().count(), entries);
		assert!(Leftovers::<Test>::contains_key(id));
		Tasks::do_try_state().unwrap();

		let step = <() as crate::WeightInfo>::drop_leftover();
		Tasks::on_idle(4, step.saturating_mul(5));
		let fewer = Backlog::<Test>::iter().count();
		assert!(fewer < entries && fewer > 0);
		Tasks::do_try_state().unwrap();
		next_block();
		assert_eq!(Backlog::<Test>::iter().count(), 0);
		assert_eq!(Leftovers::<Test>::iter().count(), 0);
	});
}
