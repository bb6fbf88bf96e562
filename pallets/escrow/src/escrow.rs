//! The trait that the other pallets see. Every function is all or nothing, in hooks too.

use dgcs_primitives::{Escrow, Payout, Sums, TaskId};
use frame_support::{dispatch::DispatchResult, storage::with_storage_layer, traits::Get};
use sp_runtime::{DispatchError, Perbill};

use crate::{BalanceOf, Config, Ledgers, Pallet, PaymentsOf};

impl<T: Config> Escrow<T::AccountId, BalanceOf<T>> for Pallet<T> {
	fn masternode_share() -> Perbill {
		T::MasternodeShare::get()
	}

	fn open(
		task: TaskId,
		owner: &T::AccountId,
		amount: BalanceOf<T>,
		payout: Payout,
	) -> DispatchResult {
		with_storage_layer(|| Self::do_open(task, owner, amount, payout))
	}

	fn add(task: TaskId, funder: &T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
		with_storage_layer(|| Self::do_add(task, funder, amount))
	}

	fn pay(
		task: TaskId,
		reward: BalanceOf<T>,
		credits: &[(T::AccountId, u32)],
	) -> Result<PaymentsOf<T>, DispatchError> {
		with_storage_layer(|| Self::do_pay(task, reward, credits))
	}

	fn close(task: TaskId) -> Result<Sums<BalanceOf<T>>, DispatchError> {
		with_storage_layer(|| Self::do_close(task))
	}
}

impl<T: Config> Pallet<T> {
	/// What is on hold for the task. Zero for a task that has no ledger.
	pub fn held(task: TaskId) -> BalanceOf<T> {
		Ledgers::<T>::get(task).map(|ledger| ledger.held()).unwrap_or_default()
	}
}
