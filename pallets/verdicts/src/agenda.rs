//! What falls due when. Every range that waits for a deadline has one entry, at `range.due`; it
//! may be early, never late: leases that are met leave it where it is, and it moves when it fires.

use alloc::vec::Vec;
use dgcs_primitives::{
	range::{Seat, SeatState, PARKED},
	Conduct, RangeIndex, TaskBook, TaskId, Workers,
};
use frame_support::{
	defensive, ensure,
	weights::{Weight, WeightMeter},
};
use sp_runtime::DispatchError;

use crate::{
	pallet::{Agenda, AgendaCursor, Config, Error, Event, Heads, Pallet, Ranges},
	step::Step,
	types::RangeOf,
	WeightInfo,
};

impl<T: Config> Pallet<T> {
	/// Sees to it that the range is looked at in block `at` or before. The caller writes `range`.
	pub(crate) fn arm(task: TaskId, index: RangeIndex, range: &mut RangeOf<T>, at: u32) {
		if at < range.due {
			Self::disarm(task, index, range);
			Agenda::<T>::insert(at, (task, index), ());
			range.due = at;
		}
	}

	/// Takes the range off the agenda. The caller writes `range`.
	pub(crate) fn disarm(task: TaskId, index: RangeIndex, range: &mut RangeOf<T>) {
		if range.due != PARKED {
			Agenda::<T>::remove(range.due, (task, index));
			range.due = PARKED;
		}
	}

	/// Does what is overdue for one range, and says what that was.
	pub(crate) fn do_expire(task: TaskId, index: RangeIndex) -> Result<Step, DispatchError> {
		let range = Ranges::<T>::get(task, index).ok_or(Error::<T>::UnknownRange)?;
		ensure!(Heads::<T>::contains_key(task), Error::<T>::Closed);
		let now = Self::now();
		let step = Step::due(&range, now);
		ensure!(step != Step::Rearm, Error::<T>::NotDue);
		Self::carry_out(step, task, index, range, now);
		Ok(step)
	}

	/// The agenda up to block `now`, then what ended tasks have left, as far as `limit` goes.
	pub(crate) fn do_idle(now: u32, limit: Weight) -> Weight {
		let mut meter = WeightMeter::with_limit(limit);
		if meter.try_consume(T::WeightInfo::on_idle_base()).is_ok() {
			Self::drain_agenda(now, &mut meter);
			Self::drain_closing(&mut meter);
		}
		meter.consumed()
	}

	fn drain_agenda(now: u32, meter: &mut WeightMeter) {
		let start = AgendaCursor::<T>::get();
		let mut cursor = start;
		while cursor <= now
			&& meter.try_consume(T::WeightInfo::agenda_block()).is_ok()
			&& Self::drain_block(cursor, now, meter)
		{
			cursor = cursor.saturating_add(1);
		}
		if cursor != start {
			AgendaCursor::<T>::put(cursor);
		}
	}

	/// Whether the agenda of block `at` was done to its end.
	pub(crate) fn drain_block(at: u32, now: u32, meter: &mut WeightMeter) -> bool {
		for (task, index) in Agenda::<T>::iter_key_prefix(at) {
			if meter.try_consume(T::WeightInfo::agenda_entry()).is_err() {
				return false;
			}
			let Some(range) = Ranges::<T>::get(task, index).filter(|range| range.due == at) else {
				defensive!("an entry goes with its range");
				Agenda::<T>::remove(at, (task, index));
				continue;
			};
			if !Heads::<T>::contains_key(task) {
				// What is left of an ended task is deleted elsewhere.
				Agenda::<T>::remove(at, (task, index));
				continue;
			}
			let step = Step::due(&range, now);
			if meter.try_consume(step.weight::<T>()).is_err() {
				return false;
			}
			Self::carry_out(step, task, index, range, now);
		}
		true
	}

	fn carry_out(step: Step, task: TaskId, index: RangeIndex, range: RangeOf<T>, now: u32) {
		match step {
			Step::Rearm | Step::Lapse(_) => Self::do_lapse(task, index, range, now),
			Step::TallyUnanimous { .. } | Step::TallySplit { .. } => {
				Self::do_tally(task, index, range, T::TaskBook::reward(task), None)
			},
		}
	}

	/// Takes their seats from those whose lease is over, opens them again, and sets the next date.
	/// A range without seats comes to be again with the next one.
	///
	/// They are rated if somebody has committed to the range, which shows that it can be computed.
	/// Where nobody has, it may be that its owner gave nothing to compute, or no key to it.
	fn do_lapse(task: TaskId, index: RangeIndex, mut range: RangeOf<T>, now: u32) {
		let round = range.round;
		let lapsed: Vec<_> =
			range.seats.iter().filter(|seat| seat.has_lapsed(now)).cloned().collect();
		range.seats.retain(|seat| !seat.has_lapsed(now));
		let computable = range.seats.iter().any(Seat::has_committed);
		Self::disarm(task, index, &mut range);
		if range.seats.is_empty() {
			Ranges::<T>::remove(task, index);
		} else {
			if let Some(due) = range.next_due() {
				Self::arm(task, index, &mut range, due);
			}
			Ranges::<T>::insert(task, index, range);
		}
		for seat in lapsed {
			if let SeatState::Leased { since, .. } = seat.state {
				T::Workers::vacate(&seat.worker);
				if computable {
					T::Workers::rate(&seat.worker, Conduct::Lapsed { since });
				}
			}
			let worker = seat.worker;
			Self::deposit_event(Event::Lapsed { task, range: index, round, worker });
			T::TaskBook::reopen(task, index);
		}
	}
}
