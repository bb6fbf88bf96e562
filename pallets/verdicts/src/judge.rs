//! What the task book asks of the votes.

use dgcs_primitives::{
	range::{after, RangeVote, Seat, SeatState},
	ChainRecord, Head, Judge, RangeIndex, RangeTerms, SeatError, TaskBook, TaskId, MAX_RANGE_SIZE,
	MAX_REPLICAS,
};

use crate::pallet::{Closing, Config, Heads, Pallet, Ranges};

impl<T: Config> Judge<T::AccountId> for Pallet<T> {
	fn open(task: TaskId, subtasks: u32) {
		Heads::<T>::insert(task, Head { open_subtasks: subtasks, ..Default::default() });
	}

	fn seat(
		task: TaskId,
		index: RangeIndex,
		terms: RangeTerms,
		worker: &T::AccountId,
		operator: &T::AccountId,
		until: u32,
	) -> Result<(), SeatError> {
		let fits = (1..=MAX_RANGE_SIZE).contains(&u32::from(terms.len))
			&& (1..=MAX_REPLICAS).contains(&terms.replicas);
		if !fits || !Heads::<T>::contains_key(task) {
			return Err(SeatError::NoOpenSeat);
		}
		let mut range = Ranges::<T>::get(task, index).unwrap_or_else(|| RangeVote::new(terms));
		if range.seats.iter().any(|seat| seat.operator == *operator || seat.worker == *worker) {
			return Err(SeatError::AlreadySeated);
		}
		if !range.has_open_seat() {
			return Err(SeatError::NoOpenSeat);
		}
		let now = Self::now();
		let until = until.max(now);
		let seat = Seat {
			worker: worker.clone(),
			operator: operator.clone(),
			round: range.round,
			state: SeatState::Leased { since: now, until },
			agreed: 0,
			dissented: 0,
		};
		range.seats.try_push(seat).map_err(|_| SeatError::NoOpenSeat)?;
		Self::arm(task, index, &mut range, after(until));
		Ranges::<T>::insert(task, index, range);
		Ok(())
	}

	fn withdraw(task: TaskId, subtasks: u32) {
		let Some(mut head) = Heads::<T>::get(task).filter(|head| head.open_subtasks > 0) else {
			return;
		};
		head.open_subtasks = head.open_subtasks.saturating_sub(subtasks);
		Heads::<T>::insert(task, &head);
		if head.open_subtasks == 0 {
			T::TaskBook::finished(task);
		}
	}

	fn close(task: TaskId) -> Option<ChainRecord> {
		let head = Heads::<T>::take(task)?;
		Closing::<T>::insert(task, ());
		Some(head.record())
	}
}
