//! What must always hold.

use alloc::collections::{BTreeMap, BTreeSet};
use dgcs_primitives::{
	range::{mask_below, Phase, SeatState, PARKED},
	Accumulator, Head, Outcome, RangeIndex, Round, TaskId, MAX_RANGE_SIZE,
};
use frame_support::ensure;
use sp_core::H256;
use sp_runtime::TryRuntimeError;

use crate::{
	pallet::{Agenda, AgendaCursor, Answers, Blocks, Closing, Config, Heads, Pallet, Ranges},
	types::RangeOf,
};

type Check = Result<(), TryRuntimeError>;

impl<T: Config> Pallet<T> {
	/// Checks that
	///
	/// 1. every work chain links up, from all zeros to the tip of its head, and that its head
	///    sums it up;
	/// 2. no task is both live and ended, and nothing belongs to a task that is neither;
	/// 3. every range under vote is in a state that the rules lead to;
	/// 4. the agenda has exactly one entry for each range that waits for a deadline, not after it;
	/// 5. every revealed answer is stored, and no other.
	pub fn do_try_state() -> Check {
		for (task, head) in Heads::<T>::iter() {
			ensure!(!Closing::<T>::contains_key(task), "a task is live and ended");
			Self::check_chain(task, &head)?;
		}
		for (task, ..) in Blocks::<T>::iter() {
			Self::check_owner(task)?;
		}
		let mut undecided = BTreeMap::<TaskId, u32>::new();
		for (task, index, range) in Ranges::<T>::iter() {
			Self::check_owner(task)?;
			if Heads::<T>::contains_key(task) {
				Self::check_range(&range)?;
				Self::check_due(task, index, &range)?;
				let sum = undecided.entry(task).or_default();
				*sum = sum.saturating_add(range.open.count_ones());
			}
			Self::check_answers(task, index, &range)?;
		}
		for (task, open) in undecided {
			let head = Heads::<T>::get(task).ok_or("just seen")?;
			ensure!(open <= head.open_subtasks, "ranges have more open subtasks than their task");
		}
		for (at, (task, index), ()) in Agenda::<T>::iter() {
			ensure!(at >= AgendaCursor::<T>::get(), "an entry was passed over");
			let range = Ranges::<T>::get(task, index).ok_or("an entry has no range")?;
			ensure!(range.due == at, "a range has more than one entry");
		}
		for ((task, index, key), answer) in Answers::<T>::iter() {
			let range = Ranges::<T>::get(task, index).ok_or("an answer has no range")?;
			let given = range.seats.iter().any(|seat| seat.answer() == Some(key));
			ensure!(given, "nobody gave a stored answer");
			ensure!(answer.key() == key, "an answer is stored under another's key");
		}
		Ok(())
	}

	fn check_owner(task: TaskId) -> Check {
		let known = Heads::<T>::contains_key(task) || Closing::<T>::contains_key(task);
		ensure!(known, "something belongs to no task");
		Ok(())
	}

	fn check_chain(task: TaskId, head: &Head) -> Check {
		let (mut tip, mut open) = (H256::zero(), u32::MAX);
		let (mut agreed, mut failed) = (0u32, 0u32);
		let (mut solution, mut receipts) = (Accumulator::default(), Accumulator::default());
		for index in 0..head.height {
			let block = Blocks::<T>::get(task, index).ok_or("a block is missing")?;
			ensure!(block.task == task && block.index == index, "a block is out of place");
			ensure!(block.parent == tip, "a block does not link to the one before");
			ensure!(!block.verdicts.is_empty(), "a block decides nothing");
			let decided = block.verdicts.len() as u32;
			let left = block.open_subtasks.checked_add(decided);
			ensure!(left.is_some_and(|left| left <= open), "subtasks were decided twice");
			tip = block.hash();
			open = block.open_subtasks;
			for verdict in &block.verdicts {
				match verdict.outcome {
					Outcome::Agreed(_) => agreed = agreed.saturating_add(1),
					Outcome::Failed => failed = failed.saturating_add(1),
				}
			}
			solution.push(block.verdicts_root());
			receipts.push(block.receipts_root);
		}
		let count = Blocks::<T>::iter_key_prefix(task).count();
		ensure!(count == head.height as usize, "there are blocks above the tip");
		ensure!(head.tip == tip, "the head is not the tip");
		ensure!(head.open_subtasks <= open, "decided subtasks came back");
		ensure!(head.agreed == agreed && head.failed == failed, "the head miscounts");
		ensure!(head.solution == solution, "the solution is not that of the blocks");
		ensure!(head.receipts == receipts, "the receipts are not those of the blocks");
		Ok(())
	}

	fn check_range(range: &RangeOf<T>) -> Check {
		let terms = range.terms;
		ensure!((1..=MAX_RANGE_SIZE).contains(&u32::from(terms.len)), "a range has no length");
		ensure!(range.open != 0, "a decided range is kept");
		ensure!(range.open & !mask_below(terms.len) == 0, "a subtask beyond the range is open");
		ensure!(!range.seats.is_empty(), "a range without seats is kept");
		let most = terms.max_replicas.max(terms.replicas);
		ensure!(range.seats.len() <= usize::from(most), "too many seats");
		let operators: BTreeSet<_> = range.seats.iter().map(|seat| &seat.operator).collect();
		ensure!(operators.len() == range.seats.len(), "an operator has two seats");
		let workers: BTreeSet<_> = range.seats.iter().map(|seat| &seat.worker).collect();
		ensure!(workers.len() == range.seats.len(), "a worker has two seats");
		ensure!(range.sitting().count() <= range.seats_needed(), "a round has too many seats");
		ensure!(range.sitting().count() > 0 || range.round > Round(0), "a first round is empty");
		for seat in &range.seats {
			let votes = seat.agreed.checked_add(seat.dissented);
			ensure!(votes.is_some_and(|votes| votes <= terms.len), "a seat has too many votes");
			let voted = matches!(seat.state, SeatState::Revealed(_) | SeatState::Withheld);
			ensure!(seat.round <= range.round, "a seat is in a round to come");
			ensure!(voted || seat.round == range.round, "an earlier round has not ended");
			let fits = match (range.phase, seat.state) {
				(_, SeatState::Committed(_)) => true,
				(Phase::Commit, SeatState::Leased { .. }) => true,
				(Phase::Reveal { .. }, SeatState::Revealed(_)) => true,
				_ => seat.round < range.round,
			};
			ensure!(fits, "a seat does not fit the phase");
		}
		match range.phase {
			Phase::Commit => ensure!(!range.all_committed(), "all have committed, none may reveal"),
			Phase::Reveal { .. } => {
				ensure!(range.sitting().count() == range.seats_needed(), "a reveal came early");
				ensure!(!range.all_revealed(), "a round that is over was not counted");
			},
		}
		Ok(())
	}

	fn check_due(task: TaskId, index: RangeIndex, range: &RangeOf<T>) -> Check {
		match range.next_due() {
			Some(due) => ensure!(range.due <= due, "a range is looked at too late"),
			None => ensure!(range.phase == Phase::Commit, "nobody ends the reveal"),
		}
		let listed = Agenda::<T>::contains_key(range.due, (task, index));
		ensure!(listed == (range.due != PARKED), "the agenda does not match a range");
		Ok(())
	}

	fn check_answers(task: TaskId, index: RangeIndex, range: &RangeOf<T>) -> Check {
		for key in range.seats.iter().filter_map(|seat| seat.answer()) {
			let answer = Answers::<T>::get((task, index, key)).ok_or("an answer is missing")?;
			ensure!(range.open & !answer.open == 0, "an answer leaves an open subtask out");
			let counts = answer.digests.len() == answer.open.count_ones() as usize;
			ensure!(counts, "an answer does not fit its mask");
		}
		Ok(())
	}
}
