//! Commit and reveal, and who may still do so.

use alloc::vec::Vec;
use dgcs_primitives::{
	api::MAX_RANGES_PER_CALL,
	range::{after, Phase, SeatState},
	Ballot, Commitment, Digests, RangeIndex, TaskBook, TaskId, Workers,
};
use frame_support::{ensure, traits::Get};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use sp_core::H256;
use sp_runtime::DispatchResult;

use crate::{
	pallet::{Answers, Config, Error, Event, Heads, Pallet, Ranges},
	step::Step,
	types::{Answer, RangeOf},
};

impl<T: Config> Pallet<T> {
	/// The ranges of the task on which the worker has a live lease, out of the first
	/// [`MAX_RANGES_PER_CALL`] under vote in the order of the state.
	pub fn leases(task: TaskId, worker: &T::AccountId) -> Vec<RangeIndex> {
		let now = Self::now();
		Ranges::<T>::iter_prefix(task)
			.take(MAX_RANGES_PER_CALL as usize)
			.filter_map(|(index, range)| range.view().has_lease(worker, now).then_some(index))
			.collect()
	}

	/// Whether the signer has a lease that obliges it to commit, so that this is free.
	pub(crate) fn owes_commit(origin: &OriginFor<T>, task: TaskId, index: RangeIndex) -> bool {
		ensure_signed(origin.clone())
			.is_ok_and(|worker| Self::check_commit(&worker, task, index).is_ok())
	}

	/// Whether the signer has committed to just this, and so has to reveal it, free of charge. A
	/// reveal that would fail is not free.
	pub(crate) fn owes_reveal(
		origin: &OriginFor<T>,
		task: TaskId,
		index: RangeIndex,
		digests: &Digests,
		salt: &H256,
	) -> bool {
		ensure_signed(origin.clone())
			.is_ok_and(|worker| Self::check_reveal(&worker, task, index, digests, salt).is_ok())
	}

	pub(crate) fn do_commit(
		worker: T::AccountId,
		task: TaskId,
		index: RangeIndex,
		commitment: Commitment,
	) -> DispatchResult {
		let (mut range, place) = Self::check_commit(&worker, task, index)?;
		let seat = range.seats.get_mut(place).ok_or(Error::<T>::NoSeat)?;
		seat.state = SeatState::Committed(commitment);
		T::Workers::vacate(&worker);
		T::Workers::seen(&worker);
		let round = range.round;
		Self::deposit_event(Event::Committed { task, range: index, round, worker });
		if range.all_committed() {
			let until = Self::now().saturating_add(T::RevealPeriod::get());
			range.phase = Phase::Reveal { until };
			Self::arm(task, index, &mut range, after(until));
			Self::deposit_event(Event::RevealStarted { task, range: index, round, until });
		}
		Ranges::<T>::insert(task, index, range);
		Ok(())
	}

	/// Takes a reveal down. If it is the round's last one, counts the votes and says how.
	pub(crate) fn do_reveal(
		worker: T::AccountId,
		task: TaskId,
		index: RangeIndex,
		digests: Digests,
		salt: &H256,
	) -> Result<Option<Step>, sp_runtime::DispatchError> {
		let (mut range, place) = Self::check_reveal(&worker, task, index, &digests, salt)?;
		let answer = Answer { open: range.open, digests };
		let key = answer.key();
		let known = range.seats.iter().any(|seat| seat.answer() == Some(key));
		let seat = range.seats.get_mut(place).ok_or(Error::<T>::NoSeat)?;
		seat.state = SeatState::Revealed(key);
		T::Workers::seen(&worker);
		Self::deposit_event(Event::Revealed { task, range: index, round: range.round, worker });
		if range.all_revealed() {
			let reward = T::TaskBook::reward(task).ok_or(Error::<T>::Closed)?;
			let step = Step::tally_of(&range);
			Self::do_tally(task, index, range, Some(reward), Some((key, answer, known)));
			return Ok(Some(step));
		}
		if !known {
			Answers::<T>::insert((task, index, key), answer);
		}
		Ranges::<T>::insert(task, index, range);
		Ok(None)
	}

	/// The range, and the worker's place in it, if a commitment would count now.
	fn check_commit(
		worker: &T::AccountId,
		task: TaskId,
		index: RangeIndex,
	) -> Result<(RangeOf<T>, usize), Error<T>> {
		let (range, place) = Self::check_seat(worker, task, index)?;
		match range.seats.get(place).map(|seat| seat.state) {
			Some(SeatState::Leased { until, .. }) => {
				ensure!(Self::now() <= until, Error::<T>::LeaseOver);
			},
			_ => return Err(Error::<T>::AlreadyCommitted),
		}
		Ok((range, place))
	}

	/// The range, and the worker's place in it, if this reveal would count now. The hash, which
	/// costs most, is checked last.
	fn check_reveal(
		worker: &T::AccountId,
		task: TaskId,
		index: RangeIndex,
		digests: &Digests,
		salt: &H256,
	) -> Result<(RangeOf<T>, usize), Error<T>> {
		let (range, place) = Self::check_seat(worker, task, index)?;
		let commitment = match range.seats.get(place).map(|seat| seat.state) {
			Some(SeatState::Committed(commitment)) => commitment,
			Some(SeatState::Leased { .. }) => return Err(Error::<T>::NotCommitted),
			Some(SeatState::Revealed(_)) => return Err(Error::<T>::AlreadyRevealed),
			Some(SeatState::Withheld) => return Err(Error::<T>::RevealOver),
			None => return Err(Error::<T>::NoSeat),
		};
		match range.phase {
			Phase::Commit => return Err(Error::<T>::TooEarly),
			Phase::Reveal { until } => ensure!(Self::now() <= until, Error::<T>::RevealOver),
		}
		ensure!(digests.len() == range.open.count_ones() as usize, Error::<T>::WrongLength);
		let ballot = Self::ballot(task, index, &range);
		ensure!(
			ballot.commitment(worker, digests, salt) == commitment,
			Error::<T>::CommitmentMismatch
		);
		Ok((range, place))
	}

	fn check_seat(
		worker: &T::AccountId,
		task: TaskId,
		index: RangeIndex,
	) -> Result<(RangeOf<T>, usize), Error<T>> {
		let range = Ranges::<T>::get(task, index).ok_or(Error::<T>::UnknownRange)?;
		let place = range.seats.iter().position(|seat| seat.worker == *worker);
		let place = place.ok_or(Error::<T>::NoSeat)?;
		ensure!(Heads::<T>::contains_key(task), Error::<T>::Closed);
		Ok((range, place))
	}

	/// What a vote in the current round of the range is bound to.
	pub(crate) fn ballot(task: TaskId, index: RangeIndex, range: &RangeOf<T>) -> Ballot {
		// The hash of block 0 is the one that the system pallet never prunes.
		let genesis = frame_system::Pallet::<T>::block_hash(
			frame_system::pallet_prelude::BlockNumberFor::<T>::default(),
		);
		Ballot { genesis, task, range: index, round: range.round }
	}
}
