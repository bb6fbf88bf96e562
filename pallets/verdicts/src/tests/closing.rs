//! The end of a task, and what is left of it.

use dgcs_primitives::{
	doubles::{TestBook, TestWorkers},
	ChainRecord, Conduct, Judge, RangeIndex,
};
use frame_support::{assert_noop, assert_ok, traits::Hooks};
use sp_core::H256;

use crate::{mock::*, Agenda, Answers, Blocks, Closing, Error, Heads, Ranges, WeightInfo};

const FOUND: &[u8] = &[1, 2, 3, 4];

#[test]
fn a_decided_task_leaves_its_record() {
	ExtBuilder::default().build_and_execute(|| {
		vote(&[(1, FOUND), (2, FOUND), (3, FOUND)]);
		let head = Heads::<Test>::get(TASK).unwrap();
		let record = Verdicts::close(TASK).unwrap();
		assert_eq!(record, head.record());
		assert_eq!((record.height, record.agreed, record.failed), (1, 4, 0));
		assert_eq!(record.tip, Blocks::<Test>::get(TASK, 0).unwrap().hash());
		assert_ne!(record.solution_root, H256::zero());
		assert_eq!(Verdicts::close(TASK), None);
		assert_eq!(Verdicts::work_chain(TASK, 0, 9), None);
		idle();
		assert_eq!(Blocks::<Test>::iter().count() + Closing::<Test>::iter().count(), 0);
	});
}

#[test]
fn nothing_is_accepted_after_the_end() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		assert_ok!(commit(1, FOUND));
		assert_eq!(Verdicts::close(TASK), Some(ChainRecord::default()));
		assert_noop!(commit(2, FOUND), Error::<Test>::Closed);
		assert_noop!(reveal(1, FOUND), Error::<Test>::Closed);
		assert_eq!(seat(4), Err(dgcs_primitives::SeatError::NoOpenSeat));
		Verdicts::do_try_state().unwrap();
		idle();
		assert_noop!(commit(2, FOUND), Error::<Test>::UnknownRange);
	});
}

#[test]
fn those_who_compute_have_their_slots_back() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		assert_ok!(commit(1, FOUND));
		Verdicts::close(TASK).unwrap();
		idle();
		assert_eq!([1, 2, 3].map(room), [SLOTS; 3]);
		assert!(TestWorkers::ratings().is_empty());
		assert_eq!(Ranges::<Test>::iter().count() + Agenda::<Test>::iter().count(), 0);
		assert_eq!(Closing::<Test>::iter().count(), 0);
	});
}

#[test]
fn whoever_was_wrong_before_the_end_is_rated_for_it() {
	ExtBuilder::default().build_and_execute(|| {
		// Subtask 3 stays open, the others are decided against worker 3.
		vote(&[(1, &[1, 2, 3, 7]), (2, &[1, 2, 3, 8]), (3, &[9, 9, 9, 9])]);
		assert!(TestWorkers::ratings().is_empty());
		Verdicts::close(TASK).unwrap();
		idle();
		assert_eq!(
			TestWorkers::ratings(),
			[(1, Conduct::Agreed), (2, Conduct::Agreed), (3, Conduct::Dissented)]
		);
		assert_eq!(Answers::<Test>::iter().count() + Blocks::<Test>::iter().count(), 0);
	});
}

#[test]
fn remains_are_deleted_in_bounded_steps() {
	ExtBuilder::default().subtasks(100).build_and_execute(|| {
		for index in 0..12 {
			let range = RangeIndex(index);
			for worker in 1..=3u64 {
				assert_ok!(seat_with(terms(1), range, worker, 90));
				let vote = dgcs_primitives::Ballot { range, ..ballot(0) };
				let commitment = vote.commitment(&worker, &digests(&[1]), &SALT);
				let origin = RuntimeOrigin::signed(worker);
				assert_ok!(Verdicts::commit(origin, TASK, range, commitment));
			}
			// Half of the ranges are decided, half stay.
			for worker in (1..=3).filter(|_| index % 2 == 0) {
				let origin = RuntimeOrigin::signed(worker);
				assert_ok!(Verdicts::reveal(origin, TASK, range, digests(&[1]), SALT));
			}
		}
		idle();
		Verdicts::close(TASK).unwrap();
		let count = || Ranges::<Test>::iter().count() + Blocks::<Test>::iter().count();
		assert_eq!(count(), 12);
		// Room for one range or a few blocks at a time.
		let limit = <() as WeightInfo>::on_idle_base()
			+ <() as WeightInfo>::agenda_block()
			+ <() as WeightInfo>::close_task()
			+ <() as WeightInfo>::close_range() * 2
			+ <() as WeightInfo>::remove_block();
		let mut blocks = 0;
		while Closing::<Test>::contains_key(TASK) {
			let before = count();
			System::set_block_number(System::block_number() + 1);
			assert!(Verdicts::on_idle(System::block_number(), limit).all_lte(limit));
			assert!(before == 0 || count() < before);
			Verdicts::do_try_state().unwrap();
			blocks += 1;
		}
		assert!((3..=12).contains(&blocks), "took {blocks} blocks");
		assert_eq!(count() + Agenda::<Test>::iter().count(), 0);
		assert!(TestBook::book().finished.is_empty());
	});
}
