//! What a refund costs at worst: the part is too little for a dead account, so that the pot gets
//! it, and it is one of many.

use dgcs_primitives::{Payout, TaskId};
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{hold::Mutate as _, Inspect as _, Mutate as _},
	tokens::Precision::Exact,
	Get,
};
use frame_system::RawOrigin;
use sp_runtime::traits::Saturating;

use crate::*;

const TASK: TaskId = TaskId(u64::MAX);

/// An account that lives.
fn funded<T: Config>(name: &'static str, amount: BalanceOf<T>) -> T::AccountId {
	let who = account(name, 0, 0);
	T::Currency::set_balance(&who, amount.saturating_mul(4u32.into()));
	who
}

/// A closed task with two contributors, of whom `leaver` has no account any more. Five units are
/// left of its money, which is one for each contributor and one for nobody.
fn closed_task<T: Config>() -> Result<T::AccountId, BenchmarkError> {
	let amount = T::MinContribution::get().saturating_add(T::Currency::minimum_balance());
	let owner = funded::<T>("owner", amount);
	let leaver = funded::<T>("leaver", amount);
	let other = funded::<T>("other", amount);
	T::Currency::set_balance(&T::Pot::get(), amount);

	Pallet::<T>::do_open(TASK, &owner, amount, Payout::Pplns { window: 1 })?;
	Pallet::<T>::do_add(TASK, &leaver, amount)?;
	Pallet::<T>::do_add(TASK, &other, amount)?;
	Pallet::<T>::do_close(TASK)?;

	let (remainder, left) = (5u32.into(), 3u32.into());
	let held = Pallet::<T>::held(TASK);
	T::Currency::release(&HoldReason::Task.into(), &owner, held.saturating_sub(left), Exact)?;
	Ledgers::<T>::mutate(TASK, |ledger| {
		if let Some(ledger) = ledger {
			ledger.paid = ledger.deposited.saturating_sub(remainder);
			let waiting = ledger.others;
			ledger.state = LedgerState::Refunding(Refunding { remainder, left, waiting });
		}
	});
	T::Currency::set_balance(&leaver, 0u32.into());
	T::Currency::set_balance(&other, 0u32.into());
	Ok(leaver)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// The last one's: the rest goes to the owner, and the ledger is deleted.
	#[benchmark]
	fn refund() -> Result<(), BenchmarkError> {
		let leaver = closed_task::<T>()?;
		Pallet::<T>::do_refund(TASK, &account("other", 0, 0))?;
		let caller: T::AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), TASK, leaver);

		assert!(!Ledgers::<T>::contains_key(TASK));
		Ok(())
	}

	/// A look at the queue, which is empty.
	#[benchmark]
	fn drain_base() {
		let mut meter = frame_support::weights::WeightMeter::new();

		#[block]
		{
			Pallet::<T>::do_drain(&mut meter);
		}

		assert_eq!(meter.consumed(), T::WeightInfo::drain_base());
	}

	/// Not the last one's: the task goes to the end of the queue, which takes a write more than
	/// the deletion of its ledger.
	#[benchmark]
	fn drain_step() -> Result<(), BenchmarkError> {
		closed_task::<T>()?;

		#[block]
		{
			Pallet::<T>::drain_step();
		}

		assert!(Ledgers::<T>::contains_key(TASK));
		assert!(!RefundQueueEnds::<T>::get().is_empty());
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
