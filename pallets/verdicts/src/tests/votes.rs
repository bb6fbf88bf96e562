//! Commit and reveal: the good path, and every refusal.

use dgcs_primitives::{
	doubles::{TestBook, TestEscrow, TestWorkers},
	merkle_root, Commitment, Conduct, Head, Judge, Outcome, RangeIndex, RangeTerms, Receipt, Round,
	SeatError, TaskId, Verdict,
};
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo};
use sp_core::H256;

use crate::{mock::*, Agenda, Answers, Blocks, Error, Event, Heads, Phase, WeightInfo};

const FOUND: &[u8] = &[1, 2, 3, 4];

fn committed(worker: u64) -> Event<Test> {
	Event::Committed { task: TASK, range: RANGE, round: Round(0), worker }
}

fn revealed(worker: u64) -> Event<Test> {
	Event::Revealed { task: TASK, range: RANGE, round: Round(0), worker }
}

#[test]
fn three_honest_workers_decide_a_range() {
	ExtBuilder::default().build_and_execute(|| {
		vote(&[(1, FOUND), (2, FOUND), (3, FOUND)]);

		let block = Blocks::<Test>::get(TASK, 0).unwrap();
		let verdicts: Vec<_> = (0..4u8)
			.map(|subtask| Verdict {
				subtask,
				outcome: Outcome::Agreed(digests(FOUND)[usize::from(subtask)]),
			})
			.collect();
		assert_eq!(block.verdicts.to_vec(), verdicts);
		let receipts: Vec<_> = (1..=3)
			.map(|worker| Receipt { worker, agreed: 4, dissented: 0, paid: 4 * REWARD })
			.collect();
		assert_eq!(block.receipts_root, merkle_root(&receipts));
		assert_eq!((block.parent, block.index, block.when), (H256::zero(), 0, 1));
		assert_eq!((block.range, block.round, block.open_subtasks), (RANGE, Round(0), 0));
		assert_eq!(
			events(),
			[
				committed(1),
				committed(2),
				committed(3),
				Event::RevealStarted { task: TASK, range: RANGE, round: Round(0), until: 6 },
				revealed(1),
				revealed(2),
				revealed(3),
				Event::Decided {
					task: TASK,
					range: RANGE,
					round: Round(0),
					index: 0,
					hash: block.hash(),
					agreed: 4,
					failed: 0,
					receipts: receipts.try_into().unwrap(),
				},
			]
		);
		let head = Heads::<Test>::get(TASK).unwrap();
		assert_eq!((head.height, head.tip), (1, block.hash()));
		assert_eq!((head.open_subtasks, head.agreed, head.failed), (0, 4, 0));
		assert_eq!(head.solution.leaves(), 1);
		assert_eq!(TestEscrow::ledger(TASK).unwrap().paid, 12 * REWARD);
		assert_eq!(TestWorkers::ratings(), [1, 2, 3].map(|worker| (worker, Conduct::Agreed)));
		assert_eq!(TestBook::book().finished, [TASK]);
		assert_eq!(range(), None);
		assert_eq!(Answers::<Test>::iter().count() + Agenda::<Test>::iter().count(), 0);
	});
}

#[test]
fn equal_answers_are_stored_once() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		assert_ok!(reveal(1, FOUND));
		assert_ok!(reveal(2, FOUND));
		assert_eq!(Answers::<Test>::iter().count(), 1);
	});
}

#[test]
fn a_range_of_64_and_a_range_of_one_are_decided() {
	for len in [1u8, 64] {
		ExtBuilder::default().subtasks(u32::from(len) + 1).build_and_execute(|| {
			let found: Vec<u8> = (0..len).collect();
			for worker in 1..=3 {
				assert_ok!(seat_with(terms(len), RANGE, worker, 9));
			}
			for worker in 1..=3 {
				assert_ok!(commit(worker, &found));
			}
			for worker in 1..=3 {
				assert_ok!(reveal(worker, &found));
			}
			let head = Heads::<Test>::get(TASK).unwrap();
			assert_eq!((head.agreed, head.open_subtasks), (u32::from(len), 1));
			assert!(TestBook::book().finished.is_empty());
		});
	}
}

#[test]
fn blocks_link_up_and_read_in_pages() {
	ExtBuilder::default().subtasks(300).build_and_execute(|| {
		for index in 0..300 {
			let range = RangeIndex(index);
			for worker in 1..=3u64 {
				assert_ok!(seat_with(terms(1), range, worker, 9));
				let vote = dgcs_primitives::Ballot { range, ..ballot(0) };
				let commitment = vote.commitment(&worker, &digests(&[1]), &SALT);
				let origin = RuntimeOrigin::signed(worker);
				assert_ok!(Verdicts::commit(origin, TASK, range, commitment));
			}
			for worker in 1..=3 {
				let origin = RuntimeOrigin::signed(worker);
				assert_ok!(Verdicts::reveal(origin, TASK, range, digests(&[1]), SALT));
			}
		}
		assert_eq!(Verdicts::head(TASK).unwrap().height, 300);
		let first = Verdicts::work_chain(TASK, 0, u32::MAX).unwrap();
		assert_eq!(first.len(), 256);
		let rest = Verdicts::work_chain(TASK, 256, 256).unwrap();
		assert_eq!(rest.len(), 44);
		assert_eq!(rest[0].parent, first[255].hash());
		assert_eq!(Verdicts::work_chain(TASK, 300, 1).unwrap(), []);
		assert_eq!(Verdicts::work_chain(TASK, u32::MAX, u32::MAX).unwrap(), []);
		assert_eq!(Verdicts::work_chain(TaskId(9), 0, 1), None);
	});
}

#[test]
fn seats_are_given_within_the_rules() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(seat(1));
		assert_eq!(seat(1), Err(SeatError::AlreadySeated));
		let other = |worker: u64, operator: u64, task: TaskId, terms: RangeTerms| {
			Verdicts::seat(task, RANGE, terms, &worker, &operator, 11)
		};
		assert_eq!(other(2, operator(1), TASK, terms(4)), Err(SeatError::AlreadySeated));
		assert_eq!(other(1, operator(2), TASK, terms(4)), Err(SeatError::AlreadySeated));
		assert_eq!(other(2, 102, TaskId(9), terms(4)), Err(SeatError::NoOpenSeat));
		assert_eq!(other(2, 102, TASK, terms(0)), Err(SeatError::NoOpenSeat));
		assert_eq!(other(2, 102, TASK, terms(65)), Err(SeatError::NoOpenSeat));
		assert_ok!(seat(2));
		assert_ok!(seat(3));
		assert_eq!(seat(4), Err(SeatError::NoOpenSeat));
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		assert_eq!(seat(4), Err(SeatError::NoOpenSeat));
		assert_eq!(seat(2), Err(SeatError::AlreadySeated));
	});
}

#[test]
fn a_commitment_gives_the_slot_back() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(seat(1));
		assert_eq!(room(1), SLOTS - 1);
		assert_ok!(commit(1, FOUND));
		assert_eq!(room(1), SLOTS);
	});
}

#[test]
fn commit_is_refused_without_a_lease() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(commit(1, FOUND), Error::<Test>::UnknownRange);
		assert_ok!(seat(1));
		assert_noop!(commit(2, FOUND), Error::<Test>::NoSeat);
		assert_ok!(commit(1, FOUND));
		assert_noop!(commit(1, &[9; 4]), Error::<Test>::AlreadyCommitted);
		assert_ok!(seat(2));
		System::set_block_number(12);
		assert_noop!(commit(2, FOUND), Error::<Test>::LeaseOver);
		System::set_block_number(11);
		assert_ok!(commit(2, FOUND));
	});
}

#[test]
fn reveal_is_refused_out_of_turn() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(reveal(1, FOUND), Error::<Test>::UnknownRange);
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		assert_noop!(reveal(4, FOUND), Error::<Test>::NoSeat);
		assert_noop!(reveal(1, FOUND), Error::<Test>::NotCommitted);
		assert_ok!(commit(1, FOUND));
		assert_ok!(commit(2, FOUND));
		assert_noop!(reveal(1, FOUND), Error::<Test>::TooEarly);
		assert_ok!(commit(3, FOUND));
		assert_ok!(reveal(1, FOUND));
		assert_noop!(reveal(1, FOUND), Error::<Test>::AlreadyRevealed);
		System::set_block_number(7);
		assert_noop!(reveal(2, FOUND), Error::<Test>::RevealOver);
		System::set_block_number(6);
		assert_ok!(reveal(2, FOUND));
		assert_ok!(reveal(3, FOUND));
		assert_noop!(reveal(3, FOUND), Error::<Test>::UnknownRange);
		assert_noop!(commit(3, FOUND), Error::<Test>::UnknownRange);
	});
}

#[test]
fn reveal_must_be_what_was_committed_to() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		assert_noop!(reveal(1, &[1, 2, 3]), Error::<Test>::WrongLength);
		assert_noop!(reveal(1, &[1, 2, 3, 4, 5]), Error::<Test>::WrongLength);
		assert_noop!(reveal(1, &[]), Error::<Test>::WrongLength);
		assert_noop!(reveal(1, &[1, 2, 4, 3]), Error::<Test>::CommitmentMismatch);
		let origin = RuntimeOrigin::signed(1);
		assert_noop!(
			Verdicts::reveal(origin, TASK, RANGE, digests(FOUND), H256::zero()),
			Error::<Test>::CommitmentMismatch
		);
	});
}

#[test]
fn a_copied_commitment_is_worth_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		let honest = ballot(0).commitment(&1u64, &digests(FOUND), &SALT);
		for worker in 1..=3 {
			// Worker 3 copies worker 1.
			let commitment = match worker {
				3 => honest,
				_ => ballot(0).commitment(&worker, &digests(FOUND), &SALT),
			};
			let origin = RuntimeOrigin::signed(worker);
			assert_ok!(Verdicts::commit(origin, TASK, RANGE, commitment));
		}
		assert_ok!(reveal(1, FOUND));
		assert_ok!(reveal(2, FOUND));
		assert_noop!(reveal(3, FOUND), Error::<Test>::CommitmentMismatch);
		run_to(8);
		assert_eq!(TestWorkers::ratings(), [(3, Conduct::Withheld)]);
	});
}

#[test]
fn a_vote_for_elsewhere_is_none_for_here() {
	let elsewhere = [
		dgcs_primitives::Ballot { task: TaskId(2), ..ballot_of_test() },
		dgcs_primitives::Ballot { range: RangeIndex(1), ..ballot_of_test() },
		dgcs_primitives::Ballot { round: Round(1), ..ballot_of_test() },
		dgcs_primitives::Ballot { genesis: H256::zero(), ..ballot_of_test() },
	];
	for ballot in elsewhere {
		ExtBuilder::default().build_and_execute(|| {
			for worker in 1..=3u64 {
				assert_ok!(seat(worker));
			}
			for worker in 1..=3u64 {
				let commitment = ballot.commitment(&worker, &digests(FOUND), &SALT);
				let origin = RuntimeOrigin::signed(worker);
				assert_ok!(Verdicts::commit(origin, TASK, RANGE, commitment));
			}
			assert_noop!(reveal(1, FOUND), Error::<Test>::CommitmentMismatch);
		});
	}
}

fn ballot_of_test() -> dgcs_primitives::Ballot {
	ExtBuilder::default().build().execute_with(|| ballot(0))
}

#[test]
fn the_genesis_hash_outlives_pruning() {
	ExtBuilder::default().build_and_execute(|| {
		let genesis = ballot(0).genesis;
		let mut parent = H256::repeat_byte(1);
		for number in 2..=30 {
			System::initialize(&number, &parent, &Default::default());
			parent = System::finalize().hash();
		}
		assert_eq!(System::block_hash(5), H256::zero()); // Pruned after 10 blocks.
		assert_eq!(ballot(0).genesis, genesis);
		assert_ne!(genesis, H256::zero());
	});
}

#[test]
fn a_lone_commitment_reveals_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(seat(1));
		assert_ok!(commit(1, FOUND));
		let range = range().unwrap();
		assert_eq!(range.phase, Phase::Commit);
		// The lease is met: the entry stays where it is, and is early.
		assert_eq!((range.due, range.next_due()), (12, None));
	});
}

#[test]
fn a_withdrawal_shortens_what_is_open() {
	ExtBuilder::default().subtasks(10).build_and_execute(|| {
		Verdicts::withdraw(TASK, 6);
		assert_eq!(Heads::<Test>::get(TASK).unwrap().open_subtasks, 4);
		assert!(TestBook::book().finished.is_empty());
		vote(&[(1, FOUND), (2, FOUND), (3, FOUND)]);
		assert_eq!(TestBook::book().finished, [TASK]);
		Verdicts::withdraw(TASK, 6);
		assert_eq!(TestBook::book().finished, [TASK]);
		Verdicts::withdraw(TaskId(9), 1);
	});
	ExtBuilder::default().subtasks(10).build_and_execute(|| {
		Verdicts::withdraw(TASK, 10);
		assert_eq!(TestBook::book().finished, [TASK]);
	});
}

#[test]
fn an_honest_vote_is_charged_for_what_it_did() {
	ExtBuilder::default().build_and_execute(|| {
		for worker in 1..=3 {
			assert_ok!(seat(worker));
		}
		for worker in 1..=3 {
			assert_ok!(commit(worker, FOUND));
		}
		let weigh = |worker| {
			let origin = RuntimeOrigin::signed(worker);
			let done = Verdicts::reveal(origin, TASK, RANGE, digests(FOUND), SALT).unwrap();
			done.actual_weight.unwrap()
		};
		let base = <() as WeightInfo>::reveal(4);
		assert_eq!(weigh(1), base);
		assert_eq!(weigh(2), base);
		assert_eq!(weigh(3), base + <() as WeightInfo>::tally_unanimous(3, 4));
		let call = crate::Call::<Test>::reveal {
			task: TASK,
			range: RANGE,
			digests: digests(FOUND),
			salt: SALT,
		};
		let declared = call.get_dispatch_info().call_weight;
		assert!(declared.all_gte(base + <() as WeightInfo>::tally_split(15)));
	});
}

#[test]
fn a_verdict_that_cannot_be_paid_stands() {
	ExtBuilder::default().build_and_execute(|| {
		let task = TaskId(2); // Runs, but has no ledger.
		TestBook::run(task, REWARD);
		Verdicts::open(task, 1);
		for worker in 1..=3u64 {
			assert_ok!(Verdicts::seat(task, RANGE, terms(1), &worker, &operator(worker), 9));
		}
		let vote = dgcs_primitives::Ballot { task, ..ballot(0) };
		for worker in 1..=3u64 {
			let commitment = vote.commitment(&worker, &digests(&[1]), &SALT);
			assert_ok!(Verdicts::commit(RuntimeOrigin::signed(worker), task, RANGE, commitment));
		}
		for worker in 1..=3u64 {
			let origin = RuntimeOrigin::signed(worker);
			assert_ok!(Verdicts::reveal(origin, task, RANGE, digests(&[1]), SALT));
		}
		assert_eq!(Heads::<Test>::get(task).unwrap().agreed, 1);
		let Some(Event::Decided { receipts, .. }) = events().pop() else { panic!("no verdict") };
		assert!(receipts.iter().all(|receipt| receipt.paid == 0 && receipt.agreed == 1));
	});
}

#[test]
fn a_task_that_does_not_run_takes_no_last_reveal() {
	ExtBuilder::default().build_and_execute(|| {
		let task = TaskId(2);
		Verdicts::open(task, 1);
		let vote = dgcs_primitives::Ballot { task, ..ballot(0) };
		for worker in 1..=3u64 {
			assert_ok!(Verdicts::seat(task, RANGE, terms(1), &worker, &operator(worker), 9));
		}
		for worker in 1..=3u64 {
			let commitment = vote.commitment(&worker, &digests(&[1]), &SALT);
			assert_ok!(Verdicts::commit(RuntimeOrigin::signed(worker), task, RANGE, commitment));
		}
		let reveal = |worker| {
			Verdicts::reveal(RuntimeOrigin::signed(worker), task, RANGE, digests(&[1]), SALT)
		};
		assert_ok!(reveal(1));
		assert_ok!(reveal(2));
		assert_noop!(reveal(3).map_err(|error| error.error), Error::<Test>::Closed);
	});
}

#[test]
fn an_empty_chain_has_an_empty_record() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(Heads::<Test>::get(TASK).unwrap().record(), Head::default().record());
		assert_eq!(Commitment::default().0, H256::zero());
	});
}
