//! Money for results: who gets what at a verdict, and how it leaves the escrow.

use alloc::{collections::BTreeMap, vec::Vec};
use dgcs_primitives::{Payout, TaskId};
use frame_support::{
	ensure,
	storage::with_storage_layer,
	traits::{
		fungible::hold::Mutate as _,
		tokens::{Fortitude::Force, Precision::Exact, Restriction::Free},
		Get,
	},
};
use sp_runtime::{
	traits::{AtLeast32BitUnsigned, Saturating, Zero},
	DispatchError, SaturatedConversion,
};

use crate::{
	types::part, BalanceOf, Config, Error, Event, HoldReason, Ledgers, Pallet, PaymentsOf, Window,
	Windows,
};

impl<T: Config> Pallet<T> {
	/// Pays one verdict, and returns what each payee got, by account.
	pub(crate) fn do_pay(
		task: TaskId,
		reward: BalanceOf<T>,
		credits: &[(T::AccountId, u32)],
	) -> Result<PaymentsOf<T>, DispatchError> {
		let mut ledger = Self::open_ledger(task)?;
		// More than the balance type holds is more than is held.
		let earned = earned(reward, credits).ok_or(Error::<T>::Insufficient)?;
		let mut payments = match ledger.payout {
			Payout::Pps => earned,
			Payout::Pplns { window } => {
				let total = sum(earned.values()).ok_or(Error::<T>::Insufficient)?;
				Windows::<T>::mutate(task, |kept| {
					remember(kept, window, credits);
					shared(total, kept)
				})
			},
		};
		payments.retain(|_, amount| !amount.is_zero());
		let due = sum(payments.values()).ok_or(Error::<T>::Insufficient)?;
		ensure!(due <= ledger.spendable(), Error::<T>::Insufficient);

		let mut paid = BalanceOf::<T>::zero();
		let mut diverted = BalanceOf::<T>::zero();
		let mut made = Vec::new();
		for (payee, amount) in payments {
			if Self::send(&ledger.owner, &payee, amount) {
				paid = paid.saturating_add(amount);
				Self::deposit_event(Event::Paid { task, payee: payee.clone(), amount });
				made.push((payee, amount));
			} else if Self::divert(task, &ledger.owner, &payee, amount) {
				diverted = diverted.saturating_add(amount);
			}
		}
		ledger.spend(paid, diverted);
		Ledgers::<T>::insert(task, ledger);
		Ok(made)
	}

	/// Moves `amount` of what is on hold on `owner` to `to`, whatever is frozen. Changes nothing
	/// and says `false` if `to` can't receive it.
	pub(crate) fn send(owner: &T::AccountId, to: &T::AccountId, amount: BalanceOf<T>) -> bool {
		let reason = HoldReason::Task.into();
		with_storage_layer::<_, DispatchError, _>(|| {
			T::Currency::transfer_on_hold(&reason, owner, to, amount, Exact, Free, Force)
		})
		.is_ok()
	}

	/// Moves to the pot what `account` can't receive, and says whether the pot could.
	pub(crate) fn divert(
		task: TaskId,
		owner: &T::AccountId,
		account: &T::AccountId,
		amount: BalanceOf<T>,
	) -> bool {
		let to_pot = Self::send(owner, &T::Pot::get(), amount);
		let account = account.clone();
		Self::deposit_event(Event::Unpayable { task, account, amount, to_pot });
		to_pot
	}
}

/// What each payee has earned at `reward` a result. `None` if it does not fit the balance type.
fn earned<AccountId: Ord + Clone, Balance: AtLeast32BitUnsigned + Copy>(
	reward: Balance,
	credits: &[(AccountId, u32)],
) -> Option<BTreeMap<AccountId, Balance>> {
	let mut earned = BTreeMap::new();
	for (payee, results) in credits {
		let amount = reward.checked_mul(&Balance::from(*results))?;
		let so_far = earned.entry(payee.clone()).or_insert_with(Balance::zero);
		*so_far = so_far.checked_add(&amount)?;
	}
	Some(earned)
}

/// Adds `credits` to those that are kept, and forgets all but the last `window`.
fn remember<AccountId: Clone>(
	kept: &mut Window<AccountId>,
	window: u32,
	credits: &[(AccountId, u32)],
) {
	let mut all = core::mem::take(kept).into_inner();
	all.extend(credits.iter().filter(|(_, results)| *results > 0).cloned());
	let forgotten = all.len().saturating_sub(window.saturated_into());
	all.drain(..forgotten);
	*kept = Window::truncate_from(all);
}

/// `total`, shared by results over the credits that are kept. Parts are rounded down.
fn shared<AccountId: Ord + Clone, Balance: AtLeast32BitUnsigned + Copy>(
	total: Balance,
	kept: &Window<AccountId>,
) -> BTreeMap<AccountId, Balance> {
	let mut parts = BTreeMap::new();
	let mut all = Balance::zero();
	for (payee, results) in kept {
		let results = Balance::from(*results);
		let so_far = parts.entry(payee.clone()).or_insert_with(Balance::zero);
		*so_far = so_far.saturating_add(results);
		all = all.saturating_add(results);
	}
	for results in parts.values_mut() {
		*results = part(total, *results, all);
	}
	parts
}

fn sum<'a, Balance: AtLeast32BitUnsigned + 'a>(
	mut amounts: impl Iterator<Item = &'a Balance>,
) -> Option<Balance> {
	amounts.try_fold(Balance::zero(), |sum, amount| sum.checked_add(amount))
}
