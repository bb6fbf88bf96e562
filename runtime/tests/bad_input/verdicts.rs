//! Votes that are nobody's, for something else, too early, too late or twice.

use dgcs_primitives::{
	Ballot, Commitment, Digests, RangeIndex, ResultDigest, Round, TaskId, TaskSpec,
};
use dgcs_runtime::{constants::MILLI, Runtime, RuntimeCall, System, Tasks, Verdicts};
use pallet_verdicts::{Call, Error, Phase, SeatState};
use sp_core::{sr25519::Pair, H256};

use crate::{
	accepted, accepted_free, commit as right, common,
	common::{
		blocks::{chain, id, next_block, skip_to},
		spec, SALT,
	},
	disagree, found, leased, made_up, one_range, owner, refused, reveal as revealed, stranger,
	submit, take, worker, NO_RANGES, NO_TASKS, RANGE,
};

/// A commitment to what was found, for another ballot than the one that the worker is asked for.
fn replay(task: TaskId, key: &Pair, digests: &Digests, change: fn(&mut Ballot)) -> RuntimeCall {
	let round = Verdicts::range(task, RANGE).unwrap().round;
	let mut ballot = Ballot { genesis: System::block_hash(0), task, range: RANGE, round };
	change(&mut ballot);
	let commitment = ballot.commitment(&id(key), digests, &SALT);
	Call::commit { task, range: RANGE, commitment }.into()
}

fn blank(task: TaskId, range: RangeIndex) -> [RuntimeCall; 2] {
	let digests = Digests::truncate_from(vec![ResultDigest::default(); 4]);
	let commitment = Commitment::default();
	[
		Call::commit { task, range, commitment }.into(),
		Call::reveal { task, range, digests, salt: SALT }.into(),
	]
}

/// The block in which the first lease on the range ends.
fn lease_end(task: TaskId) -> u32 {
	let range = Verdicts::range(task, RANGE).unwrap();
	let ends = range.seats.iter().filter_map(|seat| match seat.state {
		SeatState::Leased { until, .. } => Some(until),
		_ => None,
	});
	ends.min().unwrap()
}

/// The last block in which a reveal counts.
fn reveal_end(task: TaskId) -> u32 {
	match Verdicts::range(task, RANGE).unwrap().phase {
		Phase::Reveal { until } => until,
		Phase::Commit => panic!("not everybody has committed"),
	}
}

#[test]
pub fn commit() {
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let (idle, digests) = (worker(4), found(task));
		for who in [&stranger(), &owner(), &idle] {
			for range in NO_RANGES {
				refused(who, blank(task, range)[0].clone(), Error::<Runtime>::UnknownRange);
			}
			refused(who, right(task, who, &digests), Error::<Runtime>::NoSeat);
		}
		for other in NO_TASKS {
			let [commit, _] = blank(other, RANGE);
			refused(&workers[0], commit, Error::<Runtime>::UnknownRange);
		}
		for range in NO_RANGES {
			let [commit, _] = blank(task, range);
			refused(&workers[0], commit, Error::<Runtime>::UnknownRange);
		}
		accepted_free(&workers[0], right(task, &workers[0], &digests));
		for digests in [digests.clone(), made_up(&workers[0], &digests)] {
			let again = right(task, &workers[0], &digests);
			refused(&workers[0], again, Error::<Runtime>::AlreadyCommitted);
		}
		skip_to(lease_end(task) + 1);
		for worker in &workers[1..] {
			refused(worker, right(task, worker, &digests), Error::<Runtime>::LeaseOver);
		}
		next_block();
		for worker in &workers[1..] {
			refused(worker, right(task, worker, &digests), Error::<Runtime>::NoSeat);
		}
	});
}

#[test]
pub fn reveal() {
	use Error::*;
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let (idle, digests) = (worker(4), found(task));
		for who in [&stranger(), &owner(), &idle] {
			refused(who, revealed(task, &digests), NoSeat::<Runtime>);
		}
		for other in NO_TASKS {
			refused(&workers[0], blank(other, RANGE)[1].clone(), UnknownRange::<Runtime>);
		}
		for range in NO_RANGES {
			refused(&workers[0], blank(task, range)[1].clone(), UnknownRange::<Runtime>);
		}
		for worker in &workers {
			refused(worker, revealed(task, &digests), NotCommitted::<Runtime>);
		}
		for worker in &workers[..2] {
			accepted_free(worker, right(task, worker, &digests));
			refused(worker, revealed(task, &digests), TooEarly::<Runtime>);
		}
		accepted_free(&workers[2], right(task, &workers[2], &digests));

		let [first, second, third] = [&workers[0], &workers[1], &workers[2]];
		for len in [0, 1, 3, 5, 64] {
			let digests = Digests::truncate_from(vec![digests[0]; len]);
			refused(first, revealed(task, &digests), WrongLength::<Runtime>);
		}
		let mut swapped = digests.to_vec();
		swapped.swap(0, 1);
		let swapped = Digests::truncate_from(swapped);
		for digests in [swapped, made_up(first, &digests)] {
			refused(first, revealed(task, &digests), CommitmentMismatch::<Runtime>);
		}
		let salt = H256::repeat_byte(8);
		let salted = Call::reveal { task, range: RANGE, digests: digests.clone(), salt };
		refused(first, salted, CommitmentMismatch::<Runtime>);

		accepted_free(first, revealed(task, &digests));
		refused(first, revealed(task, &digests), AlreadyRevealed::<Runtime>);
		refused(&idle, revealed(task, &digests), NoSeat::<Runtime>);
		accepted_free(second, revealed(task, &digests));

		skip_to(reveal_end(task) + 1);
		refused(third, revealed(task, &digests), RevealOver::<Runtime>);
	});
}

#[test]
fn a_vote_after_the_verdict_is_none() {
	chain().execute_with(|| {
		// Two ranges, so that the task outlives the verdict on the first.
		let (task, workers) = leased(TaskSpec { subtasks: 8, ..spec() });
		let digests = found(task);
		for worker in &workers {
			accepted_free(worker, right(task, worker, &digests));
		}
		for worker in &workers {
			accepted_free(worker, revealed(task, &digests));
		}
		assert!(Tasks::task(task).is_some());
		for worker in workers.iter().chain([&stranger()]) {
			for vote in [right(task, worker, &digests), revealed(task, &digests)] {
				refused(worker, vote, Error::<Runtime>::UnknownRange);
			}
		}
	});
}

#[test]
fn a_vote_for_another_ballot_is_none() {
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let digests = found(task);
		let changes: [fn(&mut Ballot); 3] = [
			|ballot| ballot.task = TaskId(ballot.task.0 + 1),
			|ballot| ballot.range = RangeIndex(1),
			|ballot| ballot.genesis = H256::repeat_byte(3),
		];
		// A hash tells nothing: it is only when it is opened that the chain can know.
		for (worker, change) in workers.iter().zip(changes) {
			accepted_free(worker, replay(task, worker, &digests, change));
		}
		for worker in &workers {
			let mismatch = Error::<Runtime>::CommitmentMismatch;
			refused(worker, revealed(task, &digests), mismatch);
		}
	});
}

#[test]
fn a_commitment_is_of_no_use_on_another_task_or_range() {
	chain().execute_with(|| {
		let (task, workers) = leased(TaskSpec { subtasks: 8, ..spec() });
		let other = submit(one_range());
		take(&workers, 1);
		let (voter, digests) = (&workers[0], found(task));
		let once = common::commitment(task, RANGE, Round(0), &id(voter), &digests);
		let ballots = [(task, RANGE), (task, RangeIndex(1)), (other, RANGE)];
		for (task, range) in ballots {
			for worker in &workers {
				accepted_free(worker, Call::commit { task, range, commitment: once });
			}
		}
		let reveal = |(task, range)| {
			let digests = digests.clone();
			Call::reveal { task, range, digests, salt: SALT }
		};
		accepted_free(voter, reveal(ballots[0]));
		for ballot in &ballots[1..] {
			refused(voter, reveal(*ballot), Error::<Runtime>::CommitmentMismatch);
		}
	});
}

#[test]
fn a_copied_commitment_is_never_opened() {
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let digests = found(task);
		let [honest, copycat, third] = [&workers[0], &workers[1], &workers[2]];
		accepted_free(honest, right(task, honest, &digests));
		accepted_free(copycat, right(task, honest, &digests));
		accepted_free(third, right(task, third, &digests));
		accepted_free(honest, revealed(task, &digests));
		let copied = revealed(task, &digests);
		refused(copycat, copied, Error::<Runtime>::CommitmentMismatch);
	});
}

#[test]
fn a_vote_of_another_round_is_none() {
	use Error::*;
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let digests = found(task);
		disagree(task, &workers);
		for worker in &workers {
			refused(worker, right(task, worker, &digests), AlreadyCommitted::<Runtime>);
			let revealed = revealed(task, &made_up(worker, &digests));
			refused(worker, revealed, AlreadyRevealed::<Runtime>);
		}
		let extra = worker(4);
		take(std::slice::from_ref(&extra), 1);
		accepted_free(&extra, replay(task, &extra, &digests, |ballot| ballot.round = Round(0)));
		refused(&extra, revealed(task, &digests), CommitmentMismatch::<Runtime>);
	});
}

#[test]
fn who_withheld_may_not_reveal_in_a_later_round() {
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let digests = found(task);
		for worker in &workers {
			accepted_free(worker, right(task, worker, &digests));
		}
		for worker in &workers[..2] {
			accepted_free(worker, revealed(task, &digests));
		}
		skip_to(reveal_end(task) + 1);
		next_block();
		// Two answers are no quorum, so a round was opened.
		assert_eq!(Verdicts::range(task, RANGE).map(|range| range.round), Some(Round(1)));
		let late = revealed(task, &digests);
		refused(&workers[2], late, Error::<Runtime>::RevealOver);
	});
}

#[test]
pub fn expire() {
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let (stranger, digests) = (stranger(), found(task));
		let expire = |task, range| Call::expire { task, range };
		let early = || {
			for who in [&stranger, &workers[0], &owner()] {
				refused(who, expire(task, RANGE), Error::<Runtime>::NotDue);
			}
		};
		for task in NO_TASKS {
			refused(&stranger, expire(task, RANGE), Error::<Runtime>::UnknownRange);
		}
		for range in NO_RANGES {
			refused(&stranger, expire(task, range), Error::<Runtime>::UnknownRange);
		}
		early();
		skip_to(lease_end(task));
		early();
		for worker in &workers {
			accepted_free(worker, right(task, worker, &digests));
		}
		early();
		skip_to(reveal_end(task));
		early();
		next_block();
		accepted_free(&stranger, expire(task, RANGE));
		early();
	});
}

#[test]
fn nothing_is_accepted_of_an_ended_task() {
	chain().execute_with(|| {
		let (task, workers) = leased(TaskSpec { run_timeout: 62, ..one_range() });
		let digests = found(task);
		disagree(task, &workers);
		let votes = |worker| [right(task, worker, &digests), revealed(task, &digests)];
		skip_to(Tasks::task(task).unwrap().due);
		accepted_free(&workers[0], pallet_tasks::Call::settle { task });
		for worker in &workers {
			for call in votes(worker) {
				refused(worker, call, Error::<Runtime>::Closed);
			}
			let expire = Call::expire { task, range: RANGE };
			refused(worker, expire, Error::<Runtime>::Closed);
		}
		next_block();
		for worker in &workers {
			for call in votes(worker) {
				refused(worker, call, Error::<Runtime>::UnknownRange);
			}
		}
	});
}

/// Without a lease a vote costs its fee, with one it is free even for a worker that has nothing
/// but its bond, unless it is wrong.
#[test]
fn a_worker_without_money_votes() {
	use sp_runtime::transaction_validity::InvalidTransaction::Payment;
	chain().execute_with(|| {
		let (task, workers) = leased(one_range());
		let digests = found(task);
		let wrong = made_up(&workers[0], &digests);
		let signed = |who: &Pair, call| {
			common::blocks::transaction(who, call, common::blocks::Binding::of(&id(who)))
		};
		for worker in &workers {
			crate::set_balance(&id(worker), MILLI);
		}
		for worker in &workers {
			crate::rejected(signed(worker, revealed(task, &digests)), Payment);
			accepted_free(worker, right(task, worker, &digests));
			crate::rejected(signed(worker, right(task, worker, &digests)), Payment);
		}
		for worker in &workers {
			crate::rejected(signed(worker, revealed(task, &wrong)), Payment);
		}
		for worker in &workers {
			accepted_free(worker, revealed(task, &digests));
		}
		assert!(Tasks::task(task).is_some_and(|task| task.finished));
		let _fee = accepted(&owner(), pallet_tasks::Call::submit { spec: spec() });
	});
}
