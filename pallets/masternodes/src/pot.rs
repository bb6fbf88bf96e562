//! The pot: where the masternodes' money gathers, and how it is divided.

use alloc::vec::Vec;
use frame_support::{
	traits::{
		fungible::{Balanced, Inspect, Mutate},
		tokens::{Fortitude, Preservation},
		Get, OnUnbalanced,
	},
	DebugNoBound,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::{AccountIdConversion, Saturating, Zero};
use sp_staking::SessionIndex;

use crate::{Authored, BalanceOf, Config, CreditOf, Event, Pallet, WeightInfo, LOG_TARGET};

/// The pot's account, for those who pay into it themselves.
#[derive(DebugNoBound)]
pub struct PotAccount<T>(core::marker::PhantomData<T>);

impl<T: Config> Get<T::AccountId> for PotAccount<T> {
	fn get() -> T::AccountId {
		Pallet::<T>::pot()
	}
}

impl<T: Config> Pallet<T> {
	/// The account of the pot. Nobody has its key.
	pub fn pot() -> T::AccountId {
		T::PotId::get().into_account_truncating()
	}

	/// What is in the pot to be divided: all but the deposit that keeps its account alive.
	pub(crate) fn divisible() -> BalanceOf<T> {
		T::Currency::reducible_balance(&Self::pot(), Preservation::Preserve, Fortitude::Polite)
	}

	/// Divides the pot by the blocks authored in `session`. What rounding leaves stays in the pot.
	/// Returns how many authors there were; they are as few as the masternodes of a session.
	pub(crate) fn do_pay_rewards(session: SessionIndex) -> u32 {
		let authored: Vec<_> = Authored::<T>::drain().collect();
		let blocks = authored.iter().fold(0u32, |sum, (_, n)| sum.saturating_add(*n));
		let divisible = Self::divisible();
		let mut total = BalanceOf::<T>::zero();
		for (who, authored) in &authored {
			let amount = share(divisible, *authored, blocks);
			if amount.is_zero() {
				continue;
			}
			let paid = T::Currency::transfer(&Self::pot(), who, amount, Preservation::Preserve);
			if let Err(error) = paid {
				// Less than an account needs to exist: it stays in the pot.
				log::debug!(target: LOG_TARGET, "{who:?} was not paid: {error:?}");
				continue;
			}
			total.saturating_accrue(amount);
			let (who, authored) = (who.clone(), *authored);
			Self::deposit_event(Event::Rewarded { who, amount, authored });
		}
		if !total.is_zero() {
			Self::deposit_event(Event::RewardsPaid { session, total });
		}
		u32::try_from(authored.len()).unwrap_or(u32::MAX)
	}
}

/// `amount * part / whole`, rounded down, for `part <= whole`: exact, and never overflowing, since
/// the quotient times `part` is at most `amount` and the rest is below `whole`.
pub(crate) fn share<Balance>(amount: Balance, part: u32, whole: u32) -> Balance
where
	Balance: frame_support::traits::tokens::Balance,
{
	let (part, whole) = (Balance::from(part), Balance::from(whole));
	let Some(quotient) = amount.checked_div(&whole) else { return Zero::zero() };
	let rest = amount.saturating_sub(quotient.saturating_mul(whole));
	let of_rest = rest.saturating_mul(part).checked_div(&whole).unwrap_or_default();
	quotient.saturating_mul(part).saturating_add(of_rest)
}

impl<T: Config> OnUnbalanced<CreditOf<T>> for Pallet<T> {
	fn on_nonzero_unbalanced(credit: CreditOf<T>) {
		// Fails only if the pot's account does not exist and the credit is below the existential
		// deposit. The credit is burned then, as it would be without a pot.
		if T::Currency::resolve(&Self::pot(), credit).is_err() {
			log::warn!(target: LOG_TARGET, "the pot does not exist: a credit is burned");
		}
	}
}

impl<T: Config> pallet_authorship::EventHandler<T::AccountId, BlockNumberFor<T>> for Pallet<T> {
	fn note_author(author: T::AccountId) {
		Authored::<T>::mutate(author, |blocks| blocks.saturating_inc());
		Self::note_weight(T::WeightInfo::note_author());
	}
}
