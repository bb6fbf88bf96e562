//! Leases that lapse, and the agenda that sees to it.

use dgcs_primitives::{
	doubles::{TestBook, TestWorkers},
	Conduct, RangeIndex, Round,
};
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};

use crate::{mock::*, Agenda, AgendaCursor, Error, Event, Heads, Phase, Ranges, WeightInfo};

const FOUND: &[u8] = &[1, 2, 3, 4];

#[test]
fn a_lapsed_lease_is_given_to_somebody_else() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		assert_ok!(commit(1, FOUND));
		assert_ok!(commit(2, FOUND));
		run_to(11);
		idle();
		assert!(TestWorkers::ratings().is_empty());
		run_to(13);
		assert_eq!(TestWorkers::ratings(), [(3, Conduct::Lapsed { since: 1 })]);
		assert_eq!(TestBook::book().reopened, [(TASK, RANGE)]);
		assert_eq!(room(3), SLOTS);
		assert_eq!(
			events().last(),
			Some(&Event::Lapsed { task: TASK, range: RANGE, round: Round(0), worker: 3 })
		);
		assert_noop!(commit(3, FOUND), Error::<Test>::NoSeat);
		// Whoever has committed waits, and nothing is due.
		assert_eq!(range().unwrap().seats.len(), 2);
		assert_eq!(Agenda::<Test>::iter().count(), 0);

		assert_ok!(seat(4));
		assert_ok!(commit(4, FOUND));
		assert!(matches!(range().unwrap().phase, Phase::Reveal { .. }));
		for worker in [1, 2, 4] {
			assert_ok!(reveal(worker, FOUND));
		}
		assert_eq!(TestBook::book().finished, [TASK]);
	});
}

#[test]
fn the_same_worker_may_be_drawn_again() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(seat(1));
		run_to(13);
		// The last seat gone, the range is too; it comes to be again.
		assert_eq!(range(), None);
		assert_eq!(TestBook::book().reopened.len(), 1);
		assert_ok!(seat(1));
		assert_eq!(range().unwrap().seats.len(), 1);
	});
}

#[test]
fn nobody_is_rated_for_what_nobody_could_compute() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		run_to(13);
		assert_eq!(range(), None);
		assert_eq!(TestBook::book().reopened.len(), 3);
		assert_eq!((1..=3).map(room).collect::<Vec<_>>(), [SLOTS; 3]);
		assert!(TestWorkers::ratings().is_empty());

		// Once somebody can, whoever else lets its lease lapse has no excuse.
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		assert_ok!(commit(2, FOUND));
		run_to(25);
		let lapsed = Conduct::Lapsed { since: 13 };
		assert_eq!(TestWorkers::ratings(), [(1, lapsed), (3, lapsed)]);
	});
}

#[test]
fn votes_of_earlier_rounds_show_that_it_can_be_computed() {
	ExtBuilder::default().build_and_execute(|| {
		vote(&[(1, &[1; 4]), (2, &[2; 4]), (3, &[3; 4])]);
		assert_ok!(seat(4));
		let since = System::block_number();
		run_to(13);
		assert_eq!(TestWorkers::ratings(), [(4, Conduct::Lapsed { since })]);
	});
}

#[test]
fn every_lapse_opens_a_seat() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(seat_with(terms(4), RANGE, 1, 5));
		assert_ok!(seat_with(terms(4), RANGE, 2, 3));
		assert_ok!(seat_with(terms(4), RANGE, 3, 5));
		assert_eq!(range().unwrap().due, 4);
		run_to(5);
		assert_eq!(TestBook::book().reopened.len(), 1);
		assert_eq!(range().unwrap().due, 6);
		System::set_block_number(6);
		assert_ok!(Verdicts::expire(RuntimeOrigin::signed(9), TASK, RANGE));
		assert_eq!(TestBook::book().reopened.len(), 3);
		assert_eq!(range(), None);
		assert_eq!(Agenda::<Test>::iter().count(), 0);
	});
}

#[test]
fn a_lapse_in_a_later_round_keeps_the_votes() {
	ExtBuilder::default().build_and_execute(|| {
		vote(&[(1, &[1; 4]), (2, &[2; 4]), (3, &[3; 4])]);
		assert_ok!(seat(4));
		run_to(13);
		let range = range().unwrap();
		assert_eq!((range.round, range.seats.len()), (Round(1), 3));
		assert_eq!(TestBook::book().reopened.len(), 2);
		assert_ok!(seat(4));
	});
}

#[test]
fn a_full_block_carries_the_agenda_over() {
	ExtBuilder::default().subtasks(100).build_and_execute(|| {
		for range in 0..20 {
			assert_ok!(seat_with(terms(1), RangeIndex(range), 1 + u64::from(range), 3));
		}
		run_to(4);
		assert_eq!(AgendaCursor::<Test>::get(), 4);
		// Room for a few lapses in each block.
		let step = <() as WeightInfo>::agenda_entry() + <() as WeightInfo>::lapse(1);
		let limit =
			<() as WeightInfo>::on_idle_base() + <() as WeightInfo>::agenda_block() * 2 + step * 8;
		let left = [12, 4, 0].map(|left| {
			let now = System::block_number();
			let used = Verdicts::on_idle(now, limit);
			assert!(used.all_lte(limit));
			assert_eq!(Ranges::<Test>::iter().count(), left);
			Verdicts::do_try_state().unwrap();
			System::set_block_number(now + 1);
			AgendaCursor::<Test>::get()
		});
		assert_eq!(left, [4, 4, 7]);
		assert_eq!(TestBook::book().reopened.len(), 20);
		assert_eq!(Verdicts::on_idle(9, Weight::zero()), Weight::zero());
	});
}

#[test]
fn the_agenda_of_an_ended_task_is_dropped() {
	use dgcs_primitives::Judge;
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(seat(1));
		assert!(Verdicts::close(TASK).is_some());
		System::set_block_number(12);
		assert!(Heads::<Test>::get(TASK).is_none());
		let expire = Verdicts::expire(RuntimeOrigin::signed(9), TASK, RANGE);
		assert_noop!(expire, Error::<Test>::Closed);
		idle();
		assert_eq!(Agenda::<Test>::iter().count(), 0);
		assert!(TestWorkers::ratings().is_empty());
		assert!(TestBook::book().reopened.is_empty());
	});
}
