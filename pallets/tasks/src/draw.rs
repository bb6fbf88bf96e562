//! Who computes what: asks wait in a line, and each is drawn ranges by the randomness of a block
//! that was authored after it.

use codec::Encode;
use dgcs_primitives::{
	api::{TaskState, MAX_SLOTS_PER_ASK},
	Judge, Offer, RangeIndex, RangeTerms, Refusal, SeatError, TaskId, TaskSpec, Workers,
};
use frame_support::{
	defensive, ensure,
	pallet_prelude::{DispatchResult, Weight},
	traits::{Get, Randomness},
	weights::WeightMeter,
};
use sp_runtime::{traits::Hash, SaturatedConversion};

use crate::{
	class::Classes,
	pallet::{Asking, Asks, Config, Error, Event, Line, Pallet, Rotation, Tasks, Waiting, Windows},
	types::{Ask, Cursor, LineEnds, OpenRange, MAX_PROBES, MAX_TURNS, TASKS_PER_WALK},
	weights::WeightInfo,
	AskOf, TaskOf,
};

/// What the draws take the block's randomness for.
const SUBJECT: &[u8] = b"dgcs/draw";

/// What became of an ask in this block.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
	/// It has what can be had.
	Done,
	/// It goes back to the end of the line.
	Back,
	/// The block is full; it stays where it is.
	Paused,
}

/// What became of the walk for one slot.
#[derive(Debug, PartialEq, Eq)]
enum Walk {
	/// A range was leased.
	Leased,
	/// All tasks were met.
	End,
	/// There are more tasks than one walk meets.
	Tired,
	/// The block is full.
	Paused,
}

impl<T: Config> Pallet<T> {
	/// Puts the worker into the line for up to `slots` ranges.
	pub(crate) fn do_take(worker: T::AccountId, slots: u16) -> DispatchResult {
		ensure!((1..=MAX_SLOTS_PER_ASK).contains(&slots), Error::<T>::SlotsOutOfRange);
		ensure!(!Asking::<T>::contains_key(&worker), Error::<T>::AlreadyAsking);
		let mut line = Line::<T>::get();
		ensure!(line.len() < u64::from(T::MaxAsks::get()), Error::<T>::LineFull);
		let offer = T::Workers::offer(&worker).map_err(Error::<T>::from)?;
		ensure!(offer.room > 0, Error::<T>::NoFreeSlot);
		ensure!(slots <= offer.room, Error::<T>::TooManySlots);

		let ask = Ask {
			worker: worker.clone(),
			slots,
			got: 0,
			asked: Self::now(),
			turns: 0,
			reason: Refusal::QueueEmpty,
			cursor: None,
		};
		Asking::<T>::insert(&worker, ());
		Asks::<T>::insert(line.tail, ask);
		line.tail = line.tail.saturating_add(1);
		Line::<T>::put(line);
		Self::deposit_event(Event::Asked { worker, slots });
		Ok(())
	}

	/// Serves the line as far as the pallet's share of the block goes.
	pub(crate) fn do_poll(meter: &mut WeightMeter) {
		let block = <T as frame_system::Config>::BlockWeights::get().max_block;
		let share = (T::DrawShare::get() * block).min(meter.remaining());
		let mut own = WeightMeter::with_limit(share);
		Self::serve_line(&mut own);
		meter.consume(own.consumed());
	}

	fn serve_line(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::draw_base()).is_err() {
			return;
		}
		let before = Line::<T>::get();
		if before.is_empty() {
			return;
		}
		// `known`: the block in which the seed became known. Only an ask from before it is served,
		// for whoever asks later could choose whether to.
		let (Some(seed), known) = T::Randomness::random(SUBJECT) else { return };
		let known: u32 = known.saturated_into();

		let mut line = before;
		// Those that go back to the end of the line wait there for the next block.
		while line.head < before.tail
			&& meter.can_consume(Self::least_per_ask())
			&& Self::serve_first(&mut line, seed, known, meter)
		{}
		if line != before {
			Line::<T>::put(line);
		}
	}

	/// Serves the first ask of the line with a seed that was known in block `known`. Says whether
	/// the next one has its turn.
	pub(crate) fn serve_first(
		line: &mut LineEnds,
		seed: T::Hash,
		known: u32,
		meter: &mut WeightMeter,
	) -> bool {
		meter.consume(T::WeightInfo::draw_ask());
		let position = line.head;
		let Some(mut ask) = Asks::<T>::get(position) else {
			defensive!("every position of the line has an ask");
			line.head = line.head.saturating_add(1);
			return true;
		};
		if ask.asked >= known {
			return false;
		}
		let fate = Self::serve(&mut ask, (seed, position), meter);
		if fate == Fate::Paused {
			Asks::<T>::insert(position, ask);
			return false;
		}
		Asks::<T>::remove(position);
		line.head = line.head.saturating_add(1);
		if fate == Fate::Back && ask.turns < MAX_TURNS {
			ask.turns = ask.turns.saturating_add(1);
			Asks::<T>::insert(line.tail, ask);
			line.tail = line.tail.saturating_add(1);
		} else {
			Asking::<T>::remove(&ask.worker);
			Self::deposit_event(if ask.got > 0 {
				Event::Served { worker: ask.worker, leased: ask.got }
			} else {
				Event::NothingFound { worker: ask.worker, reason: ask.reason }
			});
		}
		true
	}

	/// What must be left of the meter for an ask to be looked at.
	fn least_per_ask() -> Weight {
		T::WeightInfo::draw_ask().saturating_add(T::WeightInfo::draw_visit(MAX_PROBES))
	}

	/// Draws as many ranges for the ask as it wants and can get.
	fn serve(ask: &mut AskOf<T>, seed: (T::Hash, u64), meter: &mut WeightMeter) -> Fate {
		let mut offer = match T::Workers::offer(&ask.worker) {
			Ok(offer) => offer,
			Err(refusal) => {
				ask.reason = refusal;
				return Fate::Done;
			},
		};
		while ask.got < ask.slots {
			if offer.room == 0 {
				ask.reason = ask.reason.max(Refusal::NoFreeSlot);
				return Fate::Done;
			}
			match Self::draw_slot(ask, &offer, seed, meter) {
				Walk::Leased => {
					ask.got = ask.got.saturating_add(1);
					offer.room = offer.room.saturating_sub(1);
				},
				Walk::End => return Fate::Done,
				Walk::Tired => return Fate::Back,
				Walk::Paused => return Fate::Paused,
			}
		}
		Fate::Done
	}

	/// Walks on through the queue until a range is leased.
	fn draw_slot(
		ask: &mut AskOf<T>,
		offer: &Offer<T::AccountId>,
		(seed, position): (T::Hash, u64),
		meter: &mut WeightMeter,
	) -> Walk {
		let open = Classes::open_to(offer);
		let lot = T::Hashing::hash_of(&(seed, &ask.worker, position, ask.got)).encode();
		let mut cursor = match ask.cursor.take() {
			Some(cursor) if cursor.walking => cursor,
			kept => {
				let buckets = Waiting::<T>::get().buckets(open);
				match (Rotation::<T>::mutate(|turn| turn.advance(buckets)), kept) {
					// The tasks before the last one that had a seat have nothing for this worker.
					(None, Some(kept)) => Cursor { walking: true, ..kept },
					(rotated, _) => Cursor::begin(rotated, lot.last().copied().unwrap_or(0)),
				}
			},
		};
		for _ in 0..TASKS_PER_WALK {
			if !meter.can_consume(T::WeightInfo::draw_visit(MAX_PROBES)) {
				ask.cursor = Some(cursor);
				return Walk::Paused;
			}
			let Some((id, place)) = Self::look(&mut cursor, open) else {
				return Self::end_walk(ask, offer, open, meter);
			};
			let (seated, probes) = Self::visit(id, &ask.worker, offer, &lot);
			meter.consume(match probes {
				0 => T::WeightInfo::draw_late(),
				_ => T::WeightInfo::draw_visit(probes),
			});
			match seated {
				Ok(()) => {
					if !Self::is_queued(id) {
						cursor.pass(place.next);
					}
					cursor.walking = false;
					ask.cursor = (!cursor.rotated).then_some(cursor);
					return Walk::Leased;
				},
				Err(refusal) => {
					ask.reason = ask.reason.max(refusal);
					cursor.pass(place.next);
				},
			}
		}
		if Self::look(&mut cursor, open).is_none() {
			return Self::end_walk(ask, offer, open, meter);
		}
		ask.cursor = Some(cursor);
		Walk::Tired
	}

	/// Ends a walk that met all tasks `open` to the worker, and says why it may not have others.
	fn end_walk(
		ask: &mut AskOf<T>,
		offer: &Offer<T::AccountId>,
		open: Classes,
		meter: &mut WeightMeter,
	) -> Walk {
		meter.consume(T::WeightInfo::draw_end());
		let closed = Waiting::<T>::get().all_classes().without(open);
		ask.reason = ask.reason.max(closed.refusal(offer));
		Walk::End
	}

	/// Tries to lease one range of the task to the worker: the first in the window, from the entry
	/// that `lot` names on, on which its operator has no seat. If it has one on all of them, that
	/// entry is exchanged for another range. Says how many were tried. A task of which nothing can
	/// be leased any more before its deadline leaves the queue.
	pub(crate) fn visit(
		id: TaskId,
		worker: &T::AccountId,
		offer: &Offer<T::AccountId>,
		lot: &[u8],
	) -> (Result<(), Refusal>, u32) {
		let Some(mut task) = Tasks::<T>::get(id) else {
			defensive!("whoever is in the queue is a task");
			Self::leave_queue(id);
			return (Err(Refusal::QueueEmpty), 0);
		};
		let due = match Self::deadline(&task) {
			Ok(due) => due,
			Err(refusal) => {
				Self::leave_queue(id);
				return (Err(refusal), 0);
			},
		};
		let mut window = Windows::<T>::get(id);
		let entries = window.len();
		let start = Self::pick(lot, entries);
		let mut probes = 0u32;
		let mut seat = (0..entries).find_map(|step| {
			probes = probes.saturating_add(1);
			let index = start.saturating_add(step).checked_rem(entries)?;
			Self::seat(id, &task.spec, window.get_mut(index)?, worker, &offer.operator)
		});
		if seat.is_none() && window.iter().all(|open| open.seats > 0) {
			if !Self::exchange(id, &mut task, &mut window, start) {
				return (Err(Refusal::AlreadySeated), probes);
			}
			probes = probes.saturating_add(1);
			seat = window
				.get_mut(start)
				.and_then(|open| Self::seat(id, &task.spec, open, worker, &offer.operator));
		}

		if let Some((range, until)) = seat {
			if let Err(refusal) = T::Workers::occupy(worker) {
				defensive!("the offer has a free slot, and nothing took it since", refusal);
			}
			if task.state == TaskState::Queued {
				task.state = TaskState::Running;
				Self::reschedule(id, &mut task, due);
				Self::deposit_event(Event::Started { task: id, due });
			}
			for open in window.iter_mut().filter(|open| open.range == range) {
				open.seats = open.seats.saturating_sub(1);
				if open.fresh {
					open.fresh = false;
					task.begun = task.begun.saturating_add(1);
				}
			}
			let worker = worker.clone();
			Self::deposit_event(Event::Leased { task: id, range, worker, until });
		}
		window.retain(|open| open.seats > 0);
		Self::refill(id, &mut task, &mut window);
		Self::put_window(id, window);
		Tasks::<T>::insert(id, task);
		(seat.map(|_| ()).ok_or(Refusal::AlreadySeated), probes)
	}

	/// Asks the judge for a seat on the range. Says which range it is and until when, if there is
	/// one; if the range turns out to have none at all, its entry is set to 0 seats.
	fn seat(
		id: TaskId,
		spec: &TaskSpec<T::Balance>,
		open: &mut OpenRange,
		worker: &T::AccountId,
		operator: &T::AccountId,
	) -> Option<(RangeIndex, u32)> {
		let len = spec.range_len(open.range);
		let terms = RangeTerms {
			len: len.saturated_into(),
			replicas: spec.replicas,
			max_replicas: spec.max_replicas,
		};
		let until = Self::now().saturating_add(Self::lease_blocks(spec, len));
		match T::Judge::seat(id, open.range, terms, worker, operator, until) {
			Ok(()) => Some((open.range, until)),
			Err(SeatError::AlreadySeated) => None,
			Err(SeatError::NoOpenSeat) => {
				defensive!("the judge has a seat for each one that the task book has");
				open.seats = 0;
				None
			},
		}
	}

	/// When the task would be due if it were leased now, provided that a lease and the vote after
	/// it fit before that.
	pub(crate) fn deadline(task: &TaskOf<T>) -> Result<u32, Refusal> {
		let now = Self::now();
		let due = match task.state {
			TaskState::Queued if now < task.due => now.saturating_add(task.spec.run_timeout),
			TaskState::Queued => return Err(Refusal::DeadlineTooClose),
			TaskState::Running | TaskState::Cancelling => task.due,
		};
		let needed = now.saturating_add(Self::time_needed(&task.spec));
		if needed <= due && !task.finished {
			Ok(due)
		} else {
			Err(Refusal::DeadlineTooClose)
		}
	}

	/// A number below `below` out of `lot`. The bias of 64 bits over a few entries is of no use.
	fn pick(lot: &[u8], below: usize) -> usize {
		let number = lot.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
		number.checked_rem(below as u64).unwrap_or(0).saturated_into()
	}
}

impl<T: Config> From<Refusal> for Error<T> {
	fn from(refusal: Refusal) -> Self {
		match refusal {
			Refusal::NotRegistered => Error::NotRegistered,
			Refusal::Suspended => Error::Suspended,
			Refusal::Blacklisted => Error::Blacklisted,
			Refusal::Leaving => Error::Leaving,
			Refusal::NoFreeSlot => Error::NoFreeSlot,
			Refusal::QueueEmpty
			| Refusal::AlreadySeated
			| Refusal::DeadlineTooClose
			| Refusal::KindNotOffered
			| Refusal::NotEnoughMemory
			| Refusal::NotProven => Error::Refused,
		}
	}
}
