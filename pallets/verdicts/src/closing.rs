//! What ended tasks have left is deleted a few keys at a time.

use dgcs_primitives::{
	range::{Seat, SeatState},
	RangeIndex, TaskId, Workers,
};
use frame_support::weights::WeightMeter;

use crate::{
	pallet::{Answers, Blocks, Closing, Config, Pallet, Ranges},
	types::RangeOf,
	WeightInfo,
};

impl<T: Config> Pallet<T> {
	/// Deletes what ended tasks have left, as far as the meter goes. The next block goes on where
	/// this one stopped, because what is deleted is no longer found.
	pub(crate) fn drain_closing(meter: &mut WeightMeter) {
		for task in Closing::<T>::iter_keys() {
			if meter.try_consume(T::WeightInfo::close_task()).is_err()
				|| !Self::drain_ranges(task, meter)
				|| !Self::drain_blocks(task, meter)
			{
				return;
			}
			Closing::<T>::remove(task);
		}
	}

	/// Whether no range of the task is left.
	fn drain_ranges(task: TaskId, meter: &mut WeightMeter) -> bool {
		let mut ranges = Ranges::<T>::iter_prefix(task);
		while meter.try_consume(T::WeightInfo::close_range()).is_ok() {
			match ranges.next() {
				Some((index, range)) => Self::close_range(task, index, range),
				None => return true,
			}
		}
		false
	}

	/// Whether no block of the task is left.
	fn drain_blocks(task: TaskId, meter: &mut WeightMeter) -> bool {
		let mut indices = Blocks::<T>::iter_key_prefix(task);
		while meter.try_consume(T::WeightInfo::remove_block()).is_ok() {
			match indices.next() {
				Some(index) => Blocks::<T>::remove(task, index),
				None => return true,
			}
		}
		false
	}

	/// Ends the vote on a range without a verdict: those who compute have their slots back, and
	/// those who were wrong, or right, in an earlier round are rated for it.
	pub(crate) fn close_range(task: TaskId, index: RangeIndex, mut range: RangeOf<T>) {
		Self::disarm(task, index, &mut range);
		for seat in &range.seats {
			if matches!(seat.state, SeatState::Leased { .. }) {
				T::Workers::vacate(&seat.worker);
			}
			Self::rate_vote(seat);
		}
		for key in range.seats.iter().filter_map(Seat::answer) {
			Answers::<T>::remove((task, index, key));
		}
		Ranges::<T>::remove(task, index);
	}
}
