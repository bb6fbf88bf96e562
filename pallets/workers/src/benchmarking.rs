//! Benchmarks of the calls, each in its dearest case.

use dgcs_primitives::{
	api::{Capacity, Standing},
	EncryptionKey, Kinds,
};
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{Balanced, BalancedHold, Inspect},
	tokens::Precision,
	Get,
};
use frame_system::RawOrigin;
use sp_runtime::traits::Saturating;

use crate::{BalanceOf, Call, Config, HoldReason, Pallet, Workers};

fn key() -> EncryptionKey {
	EncryptionKey([1u8; 32].into())
}

fn capacity(slots: u16) -> Capacity {
	Capacity { slots, memory_mib: 512 }
}

/// An account that can pay twice the largest bond.
fn rich<T: Config>() -> Result<T::AccountId, BenchmarkError> {
	let who: T::AccountId = account("worker", 0, 0);
	let amount: BalanceOf<T> = Pallet::<T>::required_bond(T::MaxSlots::get())
		.saturating_add(T::Currency::minimum_balance())
		.saturating_mul(2u32.into());
	drop(T::Currency::deposit(&who, amount, Precision::Exact)?);
	Ok(who)
}

fn registered<T: Config>(slots: u16) -> Result<T::AccountId, BenchmarkError> {
	let who = rich::<T>()?;
	Pallet::<T>::do_register(who.clone(), who.clone(), key(), capacity(slots), Kinds(7))?;
	Ok(who)
}

fn advance<T: Config>(blocks: u32) {
	let now = frame_system::Pallet::<T>::block_number();
	frame_system::Pallet::<T>::set_block_number(now.saturating_add(blocks.into()));
}

#[benchmarks]
mod benches {
	use super::*;

	#[benchmark]
	fn register() -> Result<(), BenchmarkError> {
		let who = rich::<T>()?;
		let operator: T::AccountId = account("operator", 0, 0);
		let capacity = capacity(T::MaxSlots::get());

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), operator, key(), capacity, Kinds(7));

		assert!(Workers::<T>::contains_key(&who));
		Ok(())
	}

	/// More slots: a bond grows at once.
	#[benchmark]
	fn update() -> Result<(), BenchmarkError> {
		let who = registered::<T>(1)?;
		let operator: T::AccountId = account("operator", 0, 0);
		let capacity = capacity(T::MaxSlots::get());

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()), operator, key(), capacity, Kinds(1));

		assert_eq!(Pallet::<T>::held(&who), Pallet::<T>::required_bond(T::MaxSlots::get()));
		Ok(())
	}

	#[benchmark]
	fn replenish() -> Result<(), BenchmarkError> {
		let who = registered::<T>(1)?;
		Workers::<T>::mutate(&who, |worker| {
			if let Some(worker) = worker {
				drop(T::Currency::slash(&HoldReason::Bond.into(), &who, worker.bond));
				worker.bond = Pallet::<T>::held(&who);
			}
		});

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert_eq!(Pallet::<T>::held(&who), Pallet::<T>::required_bond(1));
		Ok(())
	}

	#[benchmark]
	fn resume() -> Result<(), BenchmarkError> {
		let who = registered::<T>(1)?;
		let until = Pallet::<T>::now();
		Workers::<T>::mutate(&who, |worker| {
			if let Some(worker) = worker {
				worker.standing = Standing::Suspended { until };
				worker.leaving = Some(until);
			}
		});

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		let standing = Workers::<T>::get(&who).map(|worker| worker.standing);
		assert_eq!(standing, Some(Standing::Good));
		Ok(())
	}

	#[benchmark]
	fn leave() -> Result<(), BenchmarkError> {
		let who = registered::<T>(1)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(who.clone()));

		assert!(Workers::<T>::get(&who).is_some_and(|worker| worker.leaving.is_some()));
		Ok(())
	}

	/// The whole bond, and the worker is gone.
	#[benchmark]
	fn withdraw() -> Result<(), BenchmarkError> {
		let who = registered::<T>(1)?;
		Pallet::<T>::do_leave(who.clone())?;
		advance::<T>(T::UnbondingPeriod::get());
		let anyone: T::AccountId = account("anyone", 0, 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(anyone), who.clone());

		assert!(!Workers::<T>::contains_key(&who));
		Ok(())
	}

	impl_benchmark_test_suite!(
		Pallet,
		crate::mock::ExtBuilder::default().build(),
		crate::mock::Test
	);
}
