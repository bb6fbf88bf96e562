//! The end of a task's money: the masternodes' share, the owner's part, the contributors' queue.

use dgcs_primitives::{Sums, TaskId};
use frame_support::{
	dispatch::DispatchResult,
	ensure,
	storage::with_storage_layer,
	traits::{fungible::hold::Mutate as _, tokens::Precision::Exact, Get},
};
use sp_runtime::{
	traits::{Saturating, Zero},
	DispatchError, TokenError,
};

use crate::{
	BalanceOf, Config, Event, HoldReason, LedgerState, Ledgers, Pallet, Refunding, Windows,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_close(task: TaskId) -> Result<Sums<BalanceOf<T>>, DispatchError> {
		let mut ledger = Self::open_ledger(task)?;
		Windows::<T>::remove(task);
		let pot = T::Pot::get();
		if !ledger.shares.is_zero() && !Self::send(&ledger.owner, &pot, ledger.shares) {
			let amount = ledger.shares;
			Self::deposit_event(Event::Unpayable { task, account: pot, amount, to_pot: false });
			// It goes back with the rest.
			ledger.shares = Zero::zero();
		}
		let remainder = ledger.spendable();
		let paid = ledger.paid;
		let masternodes = ledger.shares.saturating_add(ledger.diverted);
		Self::deposit_event(Event::Closed { task, paid, masternodes, refunded: remainder });

		let left = ledger.part(remainder, ledger.others);
		Self::give_back(task, &ledger.owner, remainder.saturating_sub(left))?;
		if ledger.others.is_zero() {
			Self::forget(task);
		} else {
			ledger.state =
				LedgerState::Refunding(Refunding { remainder, left, waiting: ledger.others });
			Ledgers::<T>::insert(task, ledger);
			Self::enqueue(task);
		}
		Ok(Sums { paid, masternodes, refunded: remainder })
	}

	/// Frees `amount` of what is on hold on the owner's account. The hold keeps that account alive,
	/// so it can receive; one that something else keeps alive may not, and then the pot gets it.
	pub(crate) fn give_back(
		task: TaskId,
		owner: &T::AccountId,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		if amount.is_zero() {
			return Ok(());
		}
		let released = with_storage_layer::<_, DispatchError, _>(|| {
			T::Currency::release(&HoldReason::Task.into(), owner, amount, Exact)
		});
		if released.is_ok() {
			Self::deposit_event(Event::Refunded { task, funder: owner.clone(), amount });
		} else {
			ensure!(Self::divert(task, owner, owner, amount), TokenError::CannotCreate);
		}
		Ok(())
	}

	/// Deletes a ledger that holds nothing any more.
	pub(crate) fn forget(task: TaskId) {
		Ledgers::<T>::remove(task);
		Self::deposit_event(Event::Emptied { task });
	}
}
