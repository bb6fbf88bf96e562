//! Money in: opening a ledger, and adding to it.

use dgcs_primitives::{Payout, TaskId, MAX_PPLNS_WINDOW};
use frame_support::{
	dispatch::DispatchResult,
	ensure,
	traits::{
		fungible::{hold::Mutate as _, Inspect as _},
		tokens::{Fortitude::Polite, Precision::Exact, Preservation::Preserve},
		Get,
	},
};
use sp_runtime::{
	traits::{CheckedAdd, Zero},
	ArithmeticError, DispatchError, TokenError,
};

use crate::{
	BalanceOf, Config, Contributions, Error, Event, HoldReason, Ledger, LedgerOf, Ledgers, Pallet,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_open(
		task: TaskId,
		owner: &T::AccountId,
		amount: BalanceOf<T>,
		payout: Payout,
	) -> DispatchResult {
		ensure!(!Ledgers::<T>::contains_key(task), Error::<T>::AlreadyOpen);
		ensure!(!amount.is_zero(), Error::<T>::ZeroAmount);
		if let Payout::Pplns { window } = payout {
			ensure!((1..=MAX_PPLNS_WINDOW).contains(&window), Error::<T>::BadWindow);
		}
		Self::hold_free(owner, amount)?;
		let ledger = Ledger::new(owner.clone(), payout, T::MasternodeShare::get(), amount);
		Ledgers::<T>::insert(task, ledger);
		Self::deposit_event(Event::Opened { task, owner: owner.clone(), amount });
		Ok(())
	}

	pub(crate) fn do_add(
		task: TaskId,
		funder: &T::AccountId,
		amount: BalanceOf<T>,
	) -> DispatchResult {
		let mut ledger = Self::open_ledger(task)?;
		ensure!(!amount.is_zero(), Error::<T>::ZeroAmount);
		ledger.deposited = checked_sum(ledger.deposited, amount)?;
		if *funder == ledger.owner {
			Self::hold_free(funder, amount)?;
		} else {
			let before = Contributions::<T>::get(task, funder).unwrap_or_default();
			let contribution = checked_sum(before, amount)?;
			ensure!(contribution >= T::MinContribution::get(), Error::<T>::BelowMinimum);
			ledger.others = checked_sum(ledger.others, amount)?;
			Self::ensure_free(funder, amount)?;
			T::Currency::transfer_and_hold(
				&HoldReason::Task.into(),
				funder,
				&ledger.owner,
				amount,
				Exact,
				Preserve,
				Polite,
			)?;
			Contributions::<T>::insert(task, funder, contribution);
		}
		Ledgers::<T>::insert(task, ledger);
		Self::deposit_event(Event::Added { task, funder: funder.clone(), amount });
		Ok(())
	}

	/// The ledger of a task that is open.
	pub(crate) fn open_ledger(task: TaskId) -> Result<LedgerOf<T>, DispatchError> {
		let ledger = Ledgers::<T>::get(task).ok_or(Error::<T>::UnknownTask)?;
		ensure!(ledger.is_open(), Error::<T>::Closing);
		Ok(ledger)
	}

	/// Holds `amount` that is neither frozen nor needed to keep the account alive: payments leave
	/// by force, so frozen money must not come in, and refunds need an account that can receive.
	fn hold_free(owner: &T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
		Self::ensure_free(owner, amount)?;
		T::Currency::hold(&HoldReason::Task.into(), owner, amount)
	}

	/// Checks first of all that `who` has the money: whoever names more than could ever be, is to
	/// hear that, and not that the other side can't receive it.
	fn ensure_free(who: &T::AccountId, amount: BalanceOf<T>) -> DispatchResult {
		let free = T::Currency::reducible_balance(who, Preserve, Polite);
		ensure!(amount <= free, TokenError::FundsUnavailable);
		Ok(())
	}
}

fn checked_sum<Balance: CheckedAdd>(a: Balance, b: Balance) -> Result<Balance, ArithmeticError> {
	a.checked_add(&b).ok_or(ArithmeticError::Overflow)
}
