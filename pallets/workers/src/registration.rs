//! How workers come, change, come back and go, and what that does to their bonds.

use dgcs_primitives::{
	api::{Capacity, Standing},
	EncryptionKey, Kinds,
};
use frame_support::{
	pallet_prelude::*,
	traits::{fungible::MutateHold, tokens::Precision, Defensive},
};
use sp_runtime::{
	traits::{Saturating, Zero},
	SaturatedConversion,
};

use crate::{
	reputation::Reputation, BalanceOf, Blacklist, Config, Error, Event, Former, HoldReason, Pallet,
	Worker, WorkerOf, Workers,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_register(
		who: T::AccountId,
		operator: T::AccountId,
		key: EncryptionKey,
		capacity: Capacity,
		kinds: Kinds,
	) -> DispatchResult {
		Self::ensure_valid(key, capacity, kinds)?;
		ensure!(!Blacklist::<T>::contains_key(&who), Error::<T>::Blacklisted);
		ensure!(!Workers::<T>::contains_key(&who), Error::<T>::AlreadyRegistered);
		let bond = Self::required_bond(capacity.slots);
		T::Currency::hold(&HoldReason::Bond.into(), &who, bond)?;
		let worker = Worker {
			operator: operator.clone(),
			bond,
			key,
			capacity,
			former: None,
			kinds,
			busy: 0,
			standing: Standing::Good,
			reputation: Reputation::default(),
			good_run: 0,
			last_seen: Self::now(),
			missed: false,
			leaving: None,
		};
		Workers::<T>::insert(&who, worker);
		Self::deposit_event(Event::Registered { worker: who, operator, capacity, kinds, bond });
		Ok(())
	}

	pub(crate) fn do_update(
		who: T::AccountId,
		operator: T::AccountId,
		key: EncryptionKey,
		capacity: Capacity,
		kinds: Kinds,
	) -> DispatchResult {
		Self::ensure_valid(key, capacity, kinds)?;
		let mut worker = Self::known(&who)?;
		Self::ensure_not_blacklisted(&worker)?;
		ensure!(worker.leaving.is_none(), Error::<T>::Leaving);
		ensure!(worker.busy <= capacity.leases(T::LeasesPerSlot::get()), Error::<T>::Busy);
		if capacity.slots > worker.capacity.slots {
			worker.former = worker.former.filter(|former| former.slots > capacity.slots);
			Self::hold_up_to(&who, &mut worker, Self::required_bond(capacity.slots))?;
		} else if capacity.slots < worker.capacity.slots {
			let until = Self::now().saturating_add(T::UnbondingPeriod::get());
			worker.former = Some(Former { slots: worker.bonded_slots(), until });
		}
		worker.operator = operator.clone();
		worker.key = key;
		worker.capacity = capacity;
		worker.kinds = kinds;
		let bond = worker.bond;
		Workers::<T>::insert(&who, worker);
		Self::deposit_event(Event::Updated { worker: who, operator, capacity, kinds, bond });
		Ok(())
	}

	pub(crate) fn do_replenish(who: T::AccountId) -> DispatchResult {
		let mut worker = Self::known(&who)?;
		Self::ensure_not_blacklisted(&worker)?;
		let required = Self::required_bond(worker.capacity.slots);
		let amount = required.saturating_sub(worker.bond);
		ensure!(!amount.is_zero(), Error::<T>::BondComplete);
		Self::hold_up_to(&who, &mut worker, required)?;
		Workers::<T>::insert(&who, worker);
		Self::deposit_event(Event::Replenished { worker: who, amount });
		Ok(())
	}

	pub(crate) fn do_resume(who: T::AccountId) -> DispatchResult {
		let mut worker = Self::known(&who)?;
		match worker.standing {
			Standing::Blacklisted => return Err(Error::<T>::Blacklisted.into()),
			Standing::Suspended { until } => {
				ensure!(Self::now() >= until, Error::<T>::StillSuspended);
			},
			Standing::Good => ensure!(worker.leaving.is_some(), Error::<T>::InGoodStanding),
		}
		let required = Self::required_bond(worker.capacity.slots);
		ensure!(worker.bond >= required, Error::<T>::BondIncomplete);
		worker.standing = Standing::Good;
		worker.leaving = None;
		Workers::<T>::insert(&who, worker);
		Self::deposit_event(Event::Resumed { worker: who });
		Ok(())
	}

	pub(crate) fn do_leave(who: T::AccountId) -> DispatchResult {
		let mut worker = Self::known(&who)?;
		ensure!(worker.leaving.is_none(), Error::<T>::Leaving);
		let due = Self::now().saturating_add(T::UnbondingPeriod::get());
		worker.leaving = Some(due);
		Workers::<T>::insert(&who, worker);
		Self::deposit_event(Event::Leaving { worker: who, due });
		Ok(())
	}

	/// Releases what is due: the whole bond of a worker that has left, or what the bond holds
	/// for slots that were given up.
	pub(crate) fn do_withdraw(who: T::AccountId) -> DispatchResult {
		let mut worker = Self::known(&who)?;
		let due = worker.leaving.or(worker.former.map(|former| former.until));
		let due = due.ok_or(Error::<T>::NothingToWithdraw)?;
		ensure!(Self::now() >= due, Error::<T>::NotDue);
		if worker.leaving.is_some() {
			ensure!(worker.busy == 0, Error::<T>::Busy);
			Self::release(&who, worker.bond)?;
			Workers::<T>::remove(&who);
			Self::deposit_event(Event::Left { worker: who, released: worker.bond });
		} else {
			let amount = worker.bond.saturating_sub(Self::required_bond(worker.capacity.slots));
			Self::release(&who, amount)?;
			worker.bond = worker.bond.saturating_sub(amount);
			worker.former = None;
			Workers::<T>::insert(&who, worker);
			Self::deposit_event(Event::Released { worker: who, amount });
		}
		Ok(())
	}

	/// What a worker with that many slots must have on hold.
	pub(crate) fn required_bond(slots: u16) -> BalanceOf<T> {
		T::Bond::get().saturating_mul(u32::from(slots).into())
	}

	/// The current block, in the type that the traits between pallets use.
	pub(crate) fn now() -> u32 {
		frame_system::Pallet::<T>::block_number().saturated_into()
	}

	/// What is on hold of `who`'s account as its bond. Calls read it from the record.
	#[cfg(any(feature = "std", feature = "try-runtime", feature = "runtime-benchmarks"))]
	pub(crate) fn held(who: &T::AccountId) -> BalanceOf<T> {
		use frame_support::traits::fungible::InspectHold;
		T::Currency::balance_on_hold(&HoldReason::Bond.into(), who)
	}

	fn ensure_valid(key: EncryptionKey, capacity: Capacity, kinds: Kinds) -> DispatchResult {
		ensure!(!key.is_degenerate(), Error::<T>::DegenerateKey);
		ensure!((1..=T::MaxSlots::get()).contains(&capacity.slots), Error::<T>::InvalidSlots);
		ensure!(capacity.memory_mib > 0, Error::<T>::InvalidMemory);
		ensure!(kinds.is_valid(), Error::<T>::InvalidKinds);
		Ok(())
	}

	fn known(who: &T::AccountId) -> Result<WorkerOf<T>, Error<T>> {
		Workers::<T>::get(who).ok_or(Error::<T>::NotRegistered)
	}

	fn ensure_not_blacklisted(worker: &WorkerOf<T>) -> DispatchResult {
		ensure!(worker.standing != Standing::Blacklisted, Error::<T>::Blacklisted);
		Ok(())
	}

	/// Brings the bond up to `required`. One that is higher stays.
	fn hold_up_to(
		who: &T::AccountId,
		worker: &mut WorkerOf<T>,
		required: BalanceOf<T>,
	) -> DispatchResult {
		let missing = required.saturating_sub(worker.bond);
		if !missing.is_zero() {
			T::Currency::hold(&HoldReason::Bond.into(), who, missing)?;
			worker.bond = worker.bond.saturating_add(missing);
		}
		Ok(())
	}

	fn release(who: &T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
		if !amount.is_zero() {
			T::Currency::release(&HoldReason::Bond.into(), who, amount, Precision::Exact)
				.defensive_proof("the record's bond is on hold; qed")?;
		}
		Ok(())
	}
}
