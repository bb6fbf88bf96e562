//! Becoming a masternode and ceasing to be one.

use dgcs_primitives::{api::ServiceAddress, EncryptionKey};
use frame_support::{
	ensure,
	traits::{fungible::MutateHold, tokens::Precision, Defensive, Get, ValidatorRegistration},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{
	traits::{CheckedAdd, Saturating, Zero},
	ArithmeticError, DispatchError, DispatchResult,
};

use crate::{
	ranking, ActiveCount, BalanceOf, Candidate, Candidates, Config, Error, Event, HoldReason,
	Pallet, Ranking, Unbonding, UnbondingBond,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_join(
		who: T::AccountId,
		bond: BalanceOf<T>,
		key: EncryptionKey,
		address: ServiceAddress,
	) -> DispatchResult {
		Self::ensure_reachable(&key, &address)?;
		ensure!(bond >= T::MinBond::get(), Error::<T>::BondTooSmall);
		ensure!(!Candidates::<T>::contains_key(&who), Error::<T>::AlreadyCandidate);
		ensure!(!Unbonding::<T>::contains_key(&who), Error::<T>::StillUnbonding);
		ensure!(T::Session::is_registered(&who), Error::<T>::NoSessionKeys);

		let mut ranking = Ranking::<T>::get();
		if ranking.is_full() {
			let lowest = ranking.pop().filter(|(lowest, _)| bond > *lowest);
			let (amount, outbid) = lowest.ok_or(Error::<T>::Outranked)?;
			Candidates::<T>::remove(&outbid);
			let due = Self::start_unbonding(&outbid, amount);
			Self::deposit_event(Event::Outbid { who: outbid, by: who.clone(), amount, due });
		}
		ranking::place::<T>(&mut ranking, bond, who.clone())
			.map_err(|()| DispatchError::Exhausted)
			.defensive()?;
		T::Currency::hold(&HoldReason::Bond.into(), &who, bond)?;
		Ranking::<T>::put(ranking);
		Candidates::<T>::insert(&who, Candidate { bond, key, address });
		Self::deposit_event(Event::Joined { who, bond });
		Ok(())
	}

	pub(crate) fn do_bond_more(who: T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
		ensure!(!amount.is_zero(), Error::<T>::NothingToBond);
		let mut candidate = Candidates::<T>::get(&who).ok_or(Error::<T>::NotCandidate)?;
		candidate.bond = candidate.bond.checked_add(&amount).ok_or(ArithmeticError::Overflow)?;
		T::Currency::hold(&HoldReason::Bond.into(), &who, amount)?;
		let bond = candidate.bond;
		Self::rebond(&who, candidate);
		Self::deposit_event(Event::BondRaised { who, bond });
		Ok(())
	}

	pub(crate) fn do_update(
		who: T::AccountId,
		key: EncryptionKey,
		address: ServiceAddress,
	) -> DispatchResult {
		Self::ensure_reachable(&key, &address)?;
		Candidates::<T>::try_mutate(&who, |candidate| {
			let candidate = candidate.as_mut().ok_or(Error::<T>::NotCandidate)?;
			candidate.key = key;
			candidate.address = address;
			Ok::<_, DispatchError>(())
		})?;
		Self::deposit_event(Event::Updated { who });
		Ok(())
	}

	pub(crate) fn do_leave(who: T::AccountId) -> DispatchResult {
		let candidate = Candidates::<T>::get(&who).ok_or(Error::<T>::NotCandidate)?;
		ensure!(Self::can_spare_one(), Error::<T>::TooFewLeft);
		let due = Self::dismiss(&who, candidate.bond);
		Self::deposit_event(Event::Left { who, amount: candidate.bond, due });
		Ok(())
	}

	pub(crate) fn do_withdraw(who: T::AccountId) -> DispatchResult {
		let UnbondingBond { amount, due } =
			Unbonding::<T>::get(&who).ok_or(Error::<T>::NotUnbonding)?;
		ensure!(frame_system::Pallet::<T>::block_number() >= due, Error::<T>::NotDue);
		T::Currency::release(&HoldReason::Bond.into(), &who, amount, Precision::Exact)?;
		Unbonding::<T>::remove(&who);
		Self::deposit_event(Event::Withdrawn { who, amount });
		Ok(())
	}

	pub(crate) fn do_set_active_count(count: u32) -> DispatchResult {
		ensure!(Self::is_valid_count(count), Error::<T>::CountOutOfRange);
		ActiveCount::<T>::put(count);
		Self::deposit_event(Event::ActiveCountSet { count });
		Ok(())
	}

	/// Whether `count` masternodes may be active.
	pub(crate) fn is_valid_count(count: u32) -> bool {
		(T::MinActive::get()..=T::MaxActive::get()).contains(&count)
	}

	/// Whether the chain can do with one candidate less.
	pub(crate) fn can_spare_one() -> bool {
		let candidates = Ranking::<T>::decode_len().unwrap_or_default();
		u32::try_from(candidates).is_ok_and(|candidates| candidates > T::MinActive::get())
	}

	/// Takes a candidate from the ranking and starts to unbond what is left of its bond. Returns
	/// when that is due.
	pub(crate) fn dismiss(who: &T::AccountId, bond: BalanceOf<T>) -> BlockNumberFor<T> {
		Ranking::<T>::mutate(|ranking| ranking::remove::<T>(ranking, who));
		Candidates::<T>::remove(who);
		Self::start_unbonding(who, bond)
	}

	/// Writes down a candidate whose bond has changed, and where it now stands.
	pub(crate) fn rebond(who: &T::AccountId, candidate: Candidate<BalanceOf<T>>) {
		Ranking::<T>::mutate(|ranking| {
			ranking::remove::<T>(ranking, who);
			ranking::place::<T>(ranking, candidate.bond, who.clone()).defensive_unwrap_or_default();
		});
		Candidates::<T>::insert(who, candidate);
	}

	/// Whether owners and workers can use the key and the address. Printable ASCII without
	/// spaces holds every URL and multiaddress, and nothing that looks like something else.
	pub(crate) fn ensure_reachable(
		key: &EncryptionKey,
		address: &ServiceAddress,
	) -> DispatchResult {
		ensure!(!key.is_degenerate(), Error::<T>::InvalidKey);
		let printable = !address.is_empty() && address.iter().all(u8::is_ascii_graphic);
		ensure!(printable, Error::<T>::InvalidAddress);
		Ok(())
	}

	fn start_unbonding(who: &T::AccountId, amount: BalanceOf<T>) -> BlockNumberFor<T> {
		let now = frame_system::Pallet::<T>::block_number();
		let due = now.saturating_add(T::UnbondingPeriod::get());
		// After a slash of everything there is nothing to wait for.
		if !amount.is_zero() {
			Unbonding::<T>::insert(who, UnbondingBond { amount, due });
		}
		due
	}
}
