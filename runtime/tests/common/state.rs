//! The state as bytes, to be compared before and after.

use std::collections::{BTreeMap, BTreeSet};

use dgcs_runtime::{
	AccountId, Balances, Escrow, Masternodes, Runtime, System, Tasks, Verdicts, Workers,
};
use frame_support::{storage::StoragePrefixedMap, traits::PalletInfoAccess};
use sp_core::hexdisplay::HexDisplay;
use sp_io::hashing::twox_128;

/// Keys and their values.
pub type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// The pallets of DGCS.
pub fn pallets() -> [&'static str; 5] {
	[Escrow::name(), Masternodes::name(), Tasks::name(), Verdicts::name(), Workers::name()]
}

/// All that stands under `prefix`.
fn under(prefix: &[u8]) -> State {
	let mut state = State::new();
	let mut key = prefix.to_vec();
	while let Some(next) = sp_io::storage::next_key(&key).filter(|next| next.starts_with(prefix)) {
		state.insert(next.clone(), sp_io::storage::get(&next).unwrap_or_default().to_vec());
		key = next;
	}
	state
}

/// What the pallets of DGCS have written.
pub fn ours() -> State {
	pallets().iter().flat_map(|name| under(&twox_128(name.as_bytes()))).collect()
}

/// The whole state but for what every transaction leaves behind: the block's own bookkeeping, and
/// the accounts that pay and receive its fee.
pub fn beside(fee: &[&AccountId]) -> State {
	let account = |who: &&AccountId| frame_system::Account::<Runtime>::hashed_key_for(*who);
	let touched: Vec<_> = fee.iter().map(account).collect();
	let block = twox_128(System::name().as_bytes());
	let accounts = frame_system::Account::<Runtime>::final_prefix();
	let bookkeeping = |key: &[u8]| {
		key.starts_with(b":") || key.starts_with(&block) && !key.starts_with(&accounts)
	};
	let mut state = under(&[]);
	state.retain(|key, _| !bookkeeping(key) && !touched.contains(key));
	state
}

/// The keys under which two states differ.
pub fn changes(before: &State, after: &State) -> Vec<String> {
	let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
	let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
	changed.map(|key| HexDisplay::from(key).to_string()).collect()
}

/// Every unit of money is somebody's.
pub fn check_money() {
	let sum: u128 = frame_system::Account::<Runtime>::iter_values()
		.map(|account| account.data.free + account.data.reserved)
		.sum();
	assert_eq!(sum, Balances::total_issuance(), "money was lost or made");
}
