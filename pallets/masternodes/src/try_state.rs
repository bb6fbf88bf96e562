//! What has to be true after every block.

use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Get},
};
use sp_runtime::{traits::Zero, TryRuntimeError};

use crate::{
	ActiveCount, Authored, Candidates, Config, HoldReason, Offenders, Pallet, Ranking, Slashed,
	Unbonding,
};

impl<T: Config> Pallet<T> {
	/// # Invariants
	///
	/// - The ranking is sorted by bond and names exactly the candidates, each once, with its bond.
	/// - Nobody is a candidate and unbonding. Nothing that is unbonding is empty.
	/// - What is on hold for the bond is the bond, or what is unbonding.
	/// - As many may be active as the configuration allows.
	/// - Counted blocks are at least one; slashes are below what they are of.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let ranking = Ranking::<T>::get();
		ensure!(
			ranking.windows(2).all(|pair| matches!(pair, [a, b] if a.0 >= b.0)),
			"ranking is not sorted"
		);
		ensure!(
			Candidates::<T>::iter_keys().count() == ranking.len(),
			"ranking has not as many entries as there are candidates"
		);
		let mut accounts: alloc::vec::Vec<_> = ranking.iter().map(|(_, who)| who).collect();
		accounts.sort();
		accounts.dedup();
		ensure!(accounts.len() == ranking.len(), "somebody is ranked twice");

		let on_hold =
			|who: &T::AccountId| T::Currency::balance_on_hold(&HoldReason::Bond.into(), who);
		for (bond, who) in &ranking {
			let candidate = Candidates::<T>::get(who).ok_or("no candidate of that rank")?;
			ensure!(candidate.bond == *bond, "ranked by another bond");
			ensure!(on_hold(who) == *bond, "bond is not what is on hold");
			ensure!(!Unbonding::<T>::contains_key(who), "candidate is unbonding");
			ensure!(
				Self::ensure_reachable(&candidate.key, &candidate.address).is_ok(),
				"candidate has an invalid key or address"
			);
		}
		for (who, unbonding) in Unbonding::<T>::iter() {
			ensure!(!unbonding.amount.is_zero(), "nothing is unbonding");
			ensure!(on_hold(&who) == unbonding.amount, "unbonding is not what is on hold");
		}
		ensure!(Self::is_valid_count(ActiveCount::<T>::get()), "active count is out of range");
		ensure!(Authored::<T>::iter_values().all(|n| n > 0), "no block, but counted");
		ensure!(
			Slashed::<T>::iter_values().all(|record| record.taken <= record.base),
			"slashed more than there was"
		);
		ensure!(
			Offenders::<T>::decode_len().unwrap_or_default()
				<= usize::try_from(T::MaxActive::get()).unwrap_or(usize::MAX),
			"too many offenders"
		);
		Ok(())
	}
}
