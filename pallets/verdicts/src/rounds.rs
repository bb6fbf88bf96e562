//! The end of a round: who withheld, what the majority says, who is paid, what comes next.

use alloc::vec::Vec;
use dgcs_primitives::{
	range::{Phase, Seat, SeatState},
	Conduct, Head, Outcome, RangeIndex, Round, TaskBook, TaskId, Verdict, Verdicts, Workers,
};
use frame_support::defensive;
use sp_core::H256;

use crate::{
	pallet::{Answers, Config, Event, Heads, Pallet, Ranges},
	tally::{score, tally},
	types::{Answer, RangeOf},
};

/// An answer, its key, and how many workers gave it.
type Counted = (H256, Answer, u32);

/// The key of an answer, how many of its digests agree with a round's verdicts, and how many not.
pub(crate) type Score = (H256, (u8, u8));

impl<T: Config> Pallet<T> {
	/// Ends the current round of `range`. `last` is the answer of the reveal that ended it, with
	/// its key and whether it is stored already; so an undisputed range is decided without
	/// reading or writing an answer.
	///
	/// Whatever is ours is written before the task book is told, which may close the task.
	pub(crate) fn do_tally(
		task: TaskId,
		index: RangeIndex,
		mut range: RangeOf<T>,
		reward: Option<T::Balance>,
		last: Option<(H256, Answer, bool)>,
	) {
		let Some(mut head) = Heads::<T>::get(task) else {
			defensive!("a vote is counted while its work chain lives");
			return;
		};
		Self::withhold(task, index, &mut range);
		let unstored = last.as_ref().is_some_and(|(_, _, stored)| !stored);
		let last = last.map(|(key, answer, _)| (key, answer));
		let answers = Self::answers(task, index, &range, last.as_ref());

		let verdicts = Self::verdicts(&range, &answers);
		if !verdicts.is_empty() {
			for verdict in &verdicts {
				range.open &= !(1u64.checked_shl(u32::from(verdict.subtask)).unwrap_or(0));
			}
			let scores: Vec<Score> =
				answers.iter().map(|(key, answer, _)| (*key, score(answer, &verdicts))).collect();
			Self::score_seats(&mut range, &scores);
			let receipts = Self::pay(task, reward, &range, &scores);
			Self::append(task, index, range.round, &mut head, verdicts, receipts);
			Heads::<T>::insert(task, &head);
		}

		if range.open == 0 {
			let stored = answers
				.iter()
				.map(|(key, ..)| *key)
				.filter(|key| !(unstored && last.as_ref().is_some_and(|(fresh, _)| fresh == key)));
			for key in stored {
				Answers::<T>::remove((task, index, key));
			}
			Self::finish_range(task, index, range, &head);
		} else {
			if let Some((key, answer)) = last.filter(|_| unstored) {
				Answers::<T>::insert((task, index, key), answer);
			}
			Self::open_round(task, index, range);
		}
	}

	/// Whoever has not revealed by the end of the round has withheld.
	fn withhold(task: TaskId, index: RangeIndex, range: &mut RangeOf<T>) {
		let round = range.round;
		for seat in &mut range.seats {
			if matches!(seat.state, SeatState::Committed(_)) {
				seat.state = SeatState::Withheld;
				T::Workers::rate(&seat.worker, Conduct::Withheld);
				let worker = seat.worker.clone();
				Self::deposit_event(Event::Withheld { task, range: index, round, worker });
			}
		}
	}

	/// All answers of all rounds, each once.
	fn answers(
		task: TaskId,
		index: RangeIndex,
		range: &RangeOf<T>,
		last: Option<&(H256, Answer)>,
	) -> Vec<Counted> {
		let mut answers: Vec<Counted> = Vec::new();
		for key in range.seats.iter().filter_map(Seat::answer) {
			if let Some((.., votes)) = answers.iter_mut().find(|(known, ..)| *known == key) {
				*votes = votes.saturating_add(1);
				continue;
			}
			let answer = match last {
				Some((fresh, answer)) if *fresh == key => Some(answer.clone()),
				_ => Answers::<T>::get((task, index, key)),
			};
			match answer {
				Some(answer) => answers.push((key, answer, 1)),
				None => {
					defensive!("every answer is stored until its range is decided");
				},
			}
		}
		answers
	}

	/// What the answers decide. When no further replica is allowed, the rest fails.
	fn verdicts(range: &RangeOf<T>, answers: &[Counted]) -> Verdicts {
		let votes: Vec<_> = answers.iter().map(|(_, answer, votes)| (answer, *votes)).collect();
		let give_up = !range.may_grow();
		let verdicts = tally(range.open, &votes).into_iter().filter_map(|(subtask, digest)| {
			let outcome = match digest {
				Some(digest) => Outcome::Agreed(digest),
				None if give_up => Outcome::Failed,
				None => return None,
			};
			Some(Verdict { subtask, outcome })
		});
		Verdicts::truncate_from(verdicts.collect())
	}

	/// Adds to each seat what the verdicts say of its answer.
	fn score_seats(range: &mut RangeOf<T>, scores: &[Score]) {
		for (key, (agreed, dissented)) in scores {
			for seat in range.seats.iter_mut().filter(|seat| seat.answer() == Some(*key)) {
				seat.agreed = seat.agreed.saturating_add(*agreed);
				seat.dissented = seat.dissented.saturating_add(*dissented);
			}
		}
	}

	/// Rates everybody, forgets the range, and tells the task book if it was the last one.
	fn finish_range(task: TaskId, index: RangeIndex, mut range: RangeOf<T>, head: &Head) {
		range.seats.iter().for_each(Self::rate_vote);
		Self::disarm(task, index, &mut range);
		Ranges::<T>::remove(task, index);
		if head.open_subtasks == 0 {
			T::TaskBook::finished(task);
		}
	}

	/// Rates a seat by its votes, once. What failed punishes nobody; what was withheld is rated.
	pub(crate) fn rate_vote(seat: &Seat<T::AccountId>) {
		if seat.dissented > 0 {
			T::Workers::rate(&seat.worker, Conduct::Dissented);
		} else if seat.agreed > 0 {
			T::Workers::rate(&seat.worker, Conduct::Agreed);
		}
	}

	/// One more replica for what is still open. The range waits for a worker, and is parked.
	fn open_round(task: TaskId, index: RangeIndex, mut range: RangeOf<T>) {
		range.round = Round(range.round.0.saturating_add(1));
		range.phase = Phase::Commit;
		Self::disarm(task, index, &mut range);
		let (round, open) = (range.round, range.open);
		Ranges::<T>::insert(task, index, range);
		Self::deposit_event(Event::RoundOpened { task, range: index, round, open });
		T::TaskBook::reopen(task, index);
	}
}
