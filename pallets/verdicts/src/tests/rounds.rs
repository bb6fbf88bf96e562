//! Liars, silence after a commitment, extra replicas, failure.

use dgcs_primitives::{
	doubles::{TestBook, TestEscrow, TestWorkers},
	Conduct, Outcome, Receipt, Round, SeatError,
};
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

use crate::{
	mock::*, Agenda, Answers, Blocks, Error, Event, Heads, Phase, SeatState, WeightInfo, PARKED,
};

const FOUND: &[u8] = &[1, 2, 3, 4];

/// One more replica, in a later round.
fn extra(worker: u64, found: &[u8]) {
	assert_ok!(seat(worker));
	assert_ok!(commit(worker, found));
	assert_ok!(reveal(worker, found));
}

fn outcomes(index: u32) -> Vec<(u8, Option<u8>)> {
	let block = Blocks::<Test>::get(TASK, index).unwrap();
	block
		.verdicts
		.iter()
		.map(|verdict| match verdict.outcome {
			Outcome::Agreed(digest) => (verdict.subtask, Some(digest.0.as_bytes()[0])),
			Outcome::Failed => (verdict.subtask, None),
		})
		.collect()
}

fn last_receipts() -> Vec<Receipt<u64, u128>> {
	let decided = events().into_iter().rev().find_map(|event| match event {
		Event::Decided { receipts, .. } => Some(receipts.into_inner()),
		_ => None,
	});
	decided.unwrap()
}

#[test]
fn a_liar_is_outvoted() {
	ExtBuilder::default().build_and_execute(|| {
		vote(&[(1, FOUND), (2, &[1, 2, 9, 9]), (3, FOUND)]);
		assert_eq!(outcomes(0), [(0, Some(1)), (1, Some(2)), (2, Some(3)), (3, Some(4))]);
		assert_eq!(
			last_receipts(),
			[
				Receipt { worker: 1, agreed: 4, dissented: 0, paid: 4 * REWARD },
				Receipt { worker: 2, agreed: 2, dissented: 2, paid: 2 * REWARD },
				Receipt { worker: 3, agreed: 4, dissented: 0, paid: 4 * REWARD },
			]
		);
		assert_eq!(
			TestWorkers::ratings(),
			[(1, Conduct::Agreed), (2, Conduct::Dissented), (3, Conduct::Agreed)]
		);
		assert_eq!(range(), None);
	});
}

#[test]
fn a_split_is_charged_as_one() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		assert_ok!(commit(1, FOUND));
		assert_ok!(commit(2, FOUND));
		assert_ok!(commit(3, &[9; 4]));
		assert_ok!(reveal(1, FOUND));
		assert_ok!(reveal(2, FOUND));
		let origin = RuntimeOrigin::signed(3);
		let done = Verdicts::reveal(origin, TASK, RANGE, digests(&[9; 4]), SALT).unwrap();
		let weight = <() as WeightInfo>::reveal(4) + <() as WeightInfo>::tally_split(3);
		assert_eq!(done.actual_weight, Some(weight));
	});
}

#[test]
fn an_extra_replica_decides_what_was_split() {
	ExtBuilder::default().build_and_execute(|| {
		vote(&[(1, &[1, 2, 3, 4]), (2, &[1, 2, 7, 8]), (3, &[1, 2, 9, 4])]);
		// Subtask 2 has three different digests, all else a majority.
		assert_eq!(outcomes(0), [(0, Some(1)), (1, Some(2)), (3, Some(4))]);
		let open = range().unwrap();
		assert_eq!((open.open, open.round, open.phase), (0b100, Round(1), Phase::Commit));
		assert_eq!(open.due, PARKED);
		assert_eq!(Answers::<Test>::iter().count(), 3);
		assert_eq!(TestBook::book().reopened, [(TASK, RANGE)]);
		assert!(TestWorkers::ratings().is_empty());
		assert_eq!(
			events().last(),
			Some(&Event::RoundOpened { task: TASK, range: RANGE, round: Round(1), open: 0b100 })
		);

		// Old hands may not sit again, and there is one seat alone.
		assert_eq!(seat(1), Err(SeatError::AlreadySeated));
		assert_ok!(seat(4));
		assert_eq!(seat(5), Err(SeatError::NoOpenSeat));
		assert_noop!(reveal(1, FOUND), Error::<Test>::AlreadyRevealed);
		assert_ok!(commit(4, &[3]));
		assert_noop!(reveal(4, &[3, 3]), Error::<Test>::WrongLength);
		assert_ok!(reveal(4, &[3]));
		// Two of four are no majority: one more.
		assert_eq!(range().unwrap().round, Round(2));
		extra(5, &[3]);
		assert_eq!(outcomes(1), [(2, Some(3))]);
		assert_eq!(Blocks::<Test>::get(TASK, 1).unwrap().round, Round(2));
		assert_eq!(
			last_receipts(),
			[
				Receipt { worker: 1, agreed: 1, dissented: 0, paid: REWARD },
				Receipt { worker: 2, agreed: 0, dissented: 1, paid: 0 },
				Receipt { worker: 3, agreed: 0, dissented: 1, paid: 0 },
				Receipt { worker: 4, agreed: 1, dissented: 0, paid: REWARD },
				Receipt { worker: 5, agreed: 1, dissented: 0, paid: REWARD },
			]
		);
		assert_eq!(
			TestWorkers::ratings(),
			[
				(1, Conduct::Agreed),
				(2, Conduct::Dissented),
				(3, Conduct::Dissented),
				(4, Conduct::Agreed),
				(5, Conduct::Agreed),
			]
		);
		assert_eq!(TestEscrow::ledger(TASK).unwrap().paid, (3 + 2 + 3 + 3) * REWARD);
		assert_eq!(TestBook::book().finished, [TASK]);
		assert_eq!(Answers::<Test>::iter().count(), 0);
	});
}

#[test]
fn without_a_majority_among_the_most_replicas_a_subtask_fails() {
	ExtBuilder::default().build_and_execute(|| {
		vote(&[(1, &[1, 1, 1, 1]), (2, &[1, 2, 2, 2]), (3, &[1, 3, 3, 3])]);
		extra(4, &[4, 4, 4]);
		assert_eq!(TestBook::book().reopened.len(), 2);
		extra(5, &[5, 5, 5]);
		assert_eq!(outcomes(1), [(1, None), (2, None), (3, None)]);
		let head = Heads::<Test>::get(TASK).unwrap();
		assert_eq!((head.agreed, head.failed, head.open_subtasks), (1, 3, 0));
		assert_eq!(TestEscrow::ledger(TASK).unwrap().paid, 3 * REWARD);
		// Nobody is punished; those who had something right are rated for it.
		assert_eq!(TestWorkers::ratings(), [1, 2, 3].map(|worker| (worker, Conduct::Agreed)));
		assert_eq!(TestBook::book().finished, [TASK]);
		assert_eq!(range(), None);
		assert!(last_receipts().iter().all(|receipt| receipt.agreed + receipt.dissented == 0));
	});
}

#[test]
fn silence_after_a_commitment_brings_an_extra_replica() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		assert_ok!(reveal(1, FOUND));
		assert_ok!(reveal(2, FOUND));
		run_to(6);
		idle();
		assert!(TestWorkers::ratings().is_empty());
		run_to(8);
		assert_eq!(TestWorkers::ratings(), [(3, Conduct::Withheld)]);
		let open = range().unwrap();
		// Two equal digests are no quorum.
		assert_eq!((open.round, open.open), (Round(1), 0b1111));
		assert_eq!(open.seats[2].state, SeatState::Withheld);
		assert_eq!(Heads::<Test>::get(TASK).unwrap().height, 0);
		assert!(events().contains(&Event::Withheld {
			task: TASK,
			range: RANGE,
			round: Round(0),
			worker: 3
		}));
		assert_noop!(reveal(3, FOUND), Error::<Test>::RevealOver);
		assert_noop!(commit(3, FOUND), Error::<Test>::AlreadyCommitted);

		extra(4, FOUND);
		assert_eq!(outcomes(0).len(), 4);
		assert_eq!(TestEscrow::ledger(TASK).unwrap().paid, 12 * REWARD);
		let agreed = [1, 2, 4].map(|worker| (worker, Conduct::Agreed));
		assert_eq!(TestWorkers::ratings()[1..], agreed);
	});
}

#[test]
fn silence_of_all_fails_in_the_end() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		run_to(8);
		for worker in 4..=5 {
			assert_ok!(seat(worker));
			assert_ok!(commit(worker, FOUND));
			run_to(System::block_number() + 7);
		}
		assert_eq!(outcomes(0), [(0, None), (1, None), (2, None), (3, None)]);
		assert_eq!(TestWorkers::ratings(), [1, 2, 3, 4, 5].map(|who| (who, Conduct::Withheld)));
		assert_eq!(TestBook::book().finished, [TASK]);
		assert_eq!(TestEscrow::ledger(TASK).unwrap().paid, 0);
		assert_eq!(last_receipts(), []);
	});
}

#[test]
fn anyone_may_end_an_overdue_round_for_free() {
	ExtBuilder::default().build_and_execute(|| {
		let expire = || Verdicts::expire(RuntimeOrigin::signed(50), TASK, RANGE);
		assert_noop!(expire(), Error::<Test>::UnknownRange);
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		assert_ok!(reveal(1, FOUND));
		System::set_block_number(6);
		assert_noop!(expire(), Error::<Test>::NotDue);
		System::set_block_number(7);
		let done = expire().unwrap();
		assert_eq!(done.pays_fee, Pays::No);
		let weight = <() as WeightInfo>::agenda_entry() + <() as WeightInfo>::tally_unanimous(3, 4);
		assert_eq!(done.actual_weight, Some(weight));
		assert_eq!(range().unwrap().round, Round(1));
		assert_eq!(Agenda::<Test>::iter().count(), 0);
		assert_noop!(expire(), Error::<Test>::NotDue);
	});
}

#[test]
fn the_reveal_moves_the_deadline_forward_only() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat_with(terms(4), RANGE, worker, 3));
		}
		System::set_block_number(2);
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		// Leases end at 3, reveals at 7: the entry is early, and moves when it fires.
		let early = range().unwrap();
		assert_eq!((early.due, early.next_due()), (4, Some(8)));
		run_to(5);
		assert_eq!(range().unwrap().due, 8);
		assert_eq!(Agenda::<Test>::iter_keys().collect::<Vec<_>>(), [(8, (TASK, RANGE))]);
	});
}
