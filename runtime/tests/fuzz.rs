//! What comes in is bytes from strangers: whatever they are, nothing panics, what fails changes
//! nothing, every invariant holds, and every task comes to its end.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "fuzz/actions.rs"]
mod actions;
#[path = "fuzz/calls.rs"]
mod calls;
mod common;
#[path = "fuzz/decoding.rs"]
mod decoding;
#[path = "fuzz/meter.rs"]
mod meter;
#[path = "fuzz/strategies.rs"]
mod strategies;

use common::{
	blocks::{id, key, send},
	state,
};
use dgcs_runtime::{constants::DGC, AccountId, Balance, Balances, Runtime, RuntimeOrigin};
use proptest::prelude::ProptestConfig;
use sp_core::{ed25519, sr25519::Pair, Pair as _};

/// So many cases; as many times more as the variable `DGCS_FUZZ` says.
fn config(cases: u32) -> ProptestConfig {
	let times = std::env::var("DGCS_FUZZ").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
	ProptestConfig { cases: cases * times, failure_persistence: None, ..ProptestConfig::default() }
}

/// Gives the account that much, and no more.
fn set_balance(who: &AccountId, free: Balance) {
	Balances::force_set_balance(RuntimeOrigin::root(), who.clone().into(), free).unwrap();
}

/// An account with money and, in case it wants to be a masternode, session keys.
fn rich(number: u32) -> Pair {
	let key = key(number);
	let mut seed = [1; 32];
	seed[..4].copy_from_slice(&number.to_le_bytes());
	let grandpa = ed25519::Pair::from_seed(&seed).public();
	let keys = dgcs_runtime::SessionKeys { babe: key.public().into(), grandpa: grandpa.into() };
	pallet_session::NextKeys::<Runtime>::insert(id(&key), keys);
	set_balance(&id(&key), 20_000 * DGC);
	key
}

/// Sends the call. If it is refused, nothing of ours has changed. Says whether it was accepted.
fn attempt(who: &Pair, call: impl Into<dgcs_runtime::RuntimeCall>) -> bool {
	let (call, before) = (call.into(), state::ours());
	let accepted = send(who, call.clone()) == Ok(Ok(()));
	if !accepted {
		let changes = state::changes(&before, &state::ours());
		assert!(changes.is_empty(), "{call:?} was refused and changed {changes:?}");
	}
	accepted
}

/// Everything that is true at any time.
fn check() {
	common::check();
	state::check_money();
}
