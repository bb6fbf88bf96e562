//! Benchmarks: each sets up the worst case, a full ranking.
#![allow(missing_docs, clippy::unwrap_used)]

use super::*;
use alloc::vec::Vec;
use codec::{Decode, Encode};
use dgcs_primitives::{api::ServiceAddress, EncryptionKey};
use frame_benchmarking::{account, v2::*, BenchmarkError};
use frame_support::{
	traits::{
		fungible::{Inspect, InspectHold, Mutate},
		EnsureOrigin, Get, ValidatorSet,
	},
	BoundedVec,
};
use frame_system::{Pallet as System, RawOrigin};
use pallet_session::SessionInterface;
use sp_runtime::{
	traits::{Hash, Saturating, Zero},
	Perbill,
};

type Keys<T> = <<T as Config>::Session as SessionInterface>::Keys;

fn key() -> EncryptionKey {
	EncryptionKey([7u8; 32].into())
}

fn address() -> ServiceAddress {
	ServiceAddress::truncate_from(alloc::vec![b'a'; 128])
}

/// An account with money enough for `bond`, and with session keys.
fn funded<T: Config>(index: u32, bond: BalanceOf<T>) -> T::AccountId {
	let who: T::AccountId = account("masternode", index, 0);
	T::Currency::set_balance(
		&who,
		bond.saturating_mul(4u32.into()).saturating_add(T::Currency::minimum_balance()),
	);
	// Any bytes are public keys to the session pallet; they only have to be different.
	let bytes = T::Hashing::hash_of(&who).encode().repeat(16);
	let keys = Keys::<T>::decode(&mut &bytes[..]).unwrap();
	T::Session::set_keys(&who, keys).unwrap();
	who
}

fn bond<T: Config>() -> BalanceOf<T> {
	let least = T::Currency::minimum_balance();
	T::MinBond::get().max(least).saturating_mul(10u32.into())
}

/// Fills the ranking up to `count` candidates with the same bond.
fn fill<T: Config>(count: u32) -> Vec<T::AccountId> {
	for (_, who) in Ranking::<T>::take() {
		Candidates::<T>::remove(who);
	}
	(0..count)
		.map(|index| {
			let who = funded::<T>(index, bond::<T>());
			Pallet::<T>::do_join(who.clone(), bond::<T>(), key(), address()).unwrap();
			who
		})
		.collect()
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn join() {
		fill::<T>(T::MaxCandidates::get());
		let higher = bond::<T>().saturating_mul(2u32.into());
		let who = funded::<T>(u32::MAX, higher);

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), higher, key(), address());

		assert!(Candidates::<T>::contains_key(who));
	}

	#[benchmark]
	fn bond_more() {
		let who = fill::<T>(T::MaxCandidates::get()).pop().unwrap();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), bond::<T>());

		assert_eq!(Ranking::<T>::get().first().map(|(_, who)| who.clone()), Some(who));
	}

	#[benchmark]
	fn update() {
		let who = fill::<T>(1).pop().unwrap();
		let new = EncryptionKey([8u8; 32].into());

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), new, address());

		assert_eq!(Candidates::<T>::get(who).unwrap().key, new);
	}

	#[benchmark]
	fn leave() {
		let who = fill::<T>(T::MaxCandidates::get()).pop().unwrap();

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(Unbonding::<T>::contains_key(who));
	}

	#[benchmark]
	fn withdraw() {
		let who = fill::<T>(T::MinActive::get().saturating_add(1)).pop().unwrap();
		Pallet::<T>::do_leave(who.clone()).unwrap();
		let due = Unbonding::<T>::get(&who).unwrap().due;
		System::<T>::set_block_number(due);

		#[extrinsic_call]
		_(RawOrigin::Signed(account("anyone", 0, 0)), who.clone());

		assert!(T::Currency::balance_on_hold(&HoldReason::Bond.into(), &who).is_zero());
	}

	#[benchmark]
	fn set_active_count() -> Result<(), BenchmarkError> {
		let origin = T::AdminOrigin::try_successful_origin()
			.map_err(|_| BenchmarkError::Stop("no admin"))?;
		let count = T::MaxActive::get();

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, count);

		assert_eq!(ActiveCount::<T>::get(), count);
		Ok(())
	}

	#[benchmark]
	fn note_author() {
		let who: T::AccountId = account("masternode", 0, 0);

		#[block]
		{
			<Pallet<T> as pallet_authorship::EventHandler<_, _>>::note_author(who.clone());
		}

		assert_eq!(Authored::<T>::get(who), 1);
	}

	#[benchmark]
	fn new_session(c: Linear<0, { T::MaxCandidates::get() }>) {
		// Nobody has keys: all are looked at.
		for who in fill::<T>(c) {
			T::Session::purge_keys(&who).unwrap();
		}
		let chosen;

		#[block]
		{
			chosen = Pallet::<T>::plan_session();
		}

		assert!(chosen.is_none());
	}

	#[benchmark]
	fn start_session(o: Linear<1, { T::MaxActive::get() }>) {
		let mut accounts: Vec<T::AccountId> = <T::Session as ValidatorSet<_>>::validators();
		accounts.extend((0..o).map(|index| account::<T::AccountId>("offender", index, 0)));
		let offenders: BoundedVec<(T::AccountId, Perbill), T::MaxActive> = accounts
			.into_iter()
			.take(o as usize)
			.map(|who| (who, Perbill::one()))
			.collect::<Vec<_>>()
			.try_into()
			.unwrap();
		Offenders::<T>::put(offenders);

		#[block]
		{
			Pallet::<T>::disable_offenders();
		}

		assert!(!Offenders::<T>::exists());
	}

	#[benchmark]
	fn end_session(a: Linear<0, { T::MaxActive::get() }>) {
		let session = T::ReportSessions::get();
		let amount = bond::<T>();
		let pot = Pallet::<T>::pot();
		T::Currency::set_balance(&pot, amount.saturating_mul(a.saturating_add(1).into()));
		for index in 0..a {
			Authored::<T>::insert(funded::<T>(index, amount), 1);
		}
		for index in 0..T::MaxActive::get() {
			let offender: T::AccountId = account("offender", index, 0);
			let record = SlashRecord { fraction: Perbill::one(), base: amount, taken: amount };
			Slashed::<T>::insert(0u32, offender, record);
		}

		#[block]
		{
			Pallet::<T>::close_session(session);
		}

		assert_eq!(Authored::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn punish() {
		let who = fill::<T>(T::MaxCandidates::get()).pop().unwrap();
		let session = <T::Session as ValidatorSet<T::AccountId>>::session_index();

		#[block]
		{
			Pallet::<T>::do_punish(&who, Perbill::from_percent(50), session);
		}

		assert!(Unbonding::<T>::contains_key(who));
	}

	impl_benchmark_test_suite!(
		Pallet,
		crate::mock::ExtBuilder::default().build(),
		crate::mock::Test
	);
}
