//! The masternodes that a chain starts with. A chain specification that breaks a rule stops here.

use alloc::string::String;
use dgcs_primitives::{api::ServiceAddress, EncryptionKey};
use frame_support::traits::{
	fungible::{Inspect, Mutate, MutateHold},
	Get,
};

use crate::{
	ranking, ActiveCount, BalanceOf, Candidate, Candidates, Config, GenesisConfig, HoldReason,
	Pallet, Ranking,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_genesis(genesis: &GenesisConfig<T>) {
		assert!(
			Self::is_valid_count(genesis.active_count),
			"activeCount must be from {} to {}",
			T::MinActive::get(),
			T::MaxActive::get(),
		);
		ActiveCount::<T>::put(genesis.active_count);
		Self::endow_pot();
		for (who, bond, key, address) in &genesis.masternodes {
			Self::enlist(who, *bond, *key, address);
		}
	}

	/// Gives the pot the existential deposit, so that the smallest fee can be paid into it and no
	/// payment reaps it, and a provider, so that it exists whatever happens.
	fn endow_pot() {
		let pot = Self::pot();
		frame_system::Pallet::<T>::inc_providers(&pot);
		if T::Currency::balance(&pot) < T::Currency::minimum_balance() {
			T::Currency::mint_into(&pot, T::Currency::minimum_balance())
				.expect("the existential deposit fits into the issuance of a new chain");
		}
	}

	/// Its session keys are looked at when a session is planned: they may not be there yet.
	fn enlist(who: &T::AccountId, bond: BalanceOf<T>, key: EncryptionKey, address: &str) {
		let address = ServiceAddress::try_from(String::from(address).into_bytes())
			.expect("the address of a masternode is too long");
		Self::ensure_reachable(&key, &address)
			.expect("a masternode's key is not zero, its address printable ASCII");
		assert!(bond >= T::MinBond::get(), "the bond of {who:?} is too small");
		assert!(!Candidates::<T>::contains_key(who), "{who:?} is named twice");
		T::Currency::hold(&HoldReason::Bond.into(), who, bond)
			.expect("a masternode has its bond and the existential deposit");
		Ranking::<T>::mutate(|ranking| ranking::place::<T>(ranking, bond, who.clone()))
			.expect("no more masternodes than candidates are allowed");
		Candidates::<T>::insert(who, Candidate { bond, key, address });
	}
}
