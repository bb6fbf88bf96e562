//! Masternodes without a bond, keys, an address or the right.

use dgcs_primitives::{api::ServiceAddress, EncryptionKey};
use dgcs_runtime::{
	constants::DGC, AccountId, Balance, Masternodes, Runtime, RuntimeCall, RuntimeEvent,
	SessionKeys,
};
use pallet_masternodes::{Call, Error};
use sp_core::{ed25519, sr25519::Pair, Pair as _, H256};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{ArithmeticError, DispatchError, TokenError};

use crate::{
	accepted,
	common::blocks::{chain, events, id, key},
	owner, refused, set_balance, stranger,
};

const KEY: EncryptionKey = EncryptionKey(H256::repeat_byte(4));

fn address(text: &str) -> ServiceAddress {
	ServiceAddress::truncate_from(text.as_bytes().to_vec())
}

/// Key and address with which nobody could be reached, and why.
fn unreachable() -> Vec<(EncryptionKey, ServiceAddress, Error<Runtime>)> {
	let zeros = EncryptionKey(H256::zero());
	let bad = ["", " ", "http://a b", "http://é", "a\0", "a\n", "\u{7f}"];
	let bad = bad.map(|text| (KEY, address(text), Error::InvalidAddress));
	[(zeros, address("http://a"), Error::InvalidKey)].into_iter().chain(bad).collect()
}

fn joining(bond: Balance) -> Call<Runtime> {
	Call::join { bond, key: KEY, address: address("http://127.0.0.1:1") }
}

/// An account with money and session keys.
fn candidate(number: u32) -> Pair {
	let key = key(number);
	let mut seed = [1; 32];
	seed[..4].copy_from_slice(&number.to_le_bytes());
	let grandpa = ed25519::Pair::from_seed(&seed).public();
	let keys = SessionKeys { babe: key.public().into(), grandpa: grandpa.into() };
	set_balance(&id(&key), 10_000 * DGC);
	pallet_session::NextKeys::<Runtime>::insert(id(&key), keys);
	key
}

/// The masternode of the development preset, which may use sudo as well.
fn alice() -> Pair {
	Sr25519Keyring::Alice.pair()
}

/// So many masternodes that one of them may leave.
fn masternodes() -> Vec<Pair> {
	let join = |number| {
		let key = candidate(number);
		accepted(&key, joining(1_000 * DGC));
		key
	};
	(2_000..2_004).map(join).collect()
}

#[test]
pub fn join() {
	chain().execute_with(|| {
		let right = joining(1_000 * DGC);
		let candidate = candidate(1_999);
		for (key, address, error) in unreachable() {
			refused(&candidate, Call::join { bond: 1_000 * DGC, key, address }, error);
		}
		for bond in [0, 1, 1_000 * DGC - 1] {
			refused(&candidate, joining(bond), Error::<Runtime>::BondTooSmall);
		}
		for bond in [10_000 * DGC, u128::MAX / 2, u128::MAX] {
			refused(&candidate, joining(bond), TokenError::FundsUnavailable);
		}
		refused(&stranger(), right.clone(), Error::<Runtime>::NoSessionKeys);
		refused(&alice(), right.clone(), Error::<Runtime>::AlreadyCandidate);

		let nodes = masternodes();
		accepted(&nodes[0], Call::leave {});
		refused(&nodes[0], right.clone(), Error::<Runtime>::StillUnbonding);

		pallet_masternodes::Ranking::<Runtime>::mutate(|ranking| {
			let other = |number: usize| AccountId::from([number as u8; 32]);
			while ranking.try_push((1_000 * DGC, other(ranking.len()))).is_ok() {}
		});
		refused(&candidate, right, Error::<Runtime>::Outranked);
	});
}

#[test]
pub fn bond_more() {
	chain().execute_with(|| {
		let more = |amount| Call::bond_more { amount };
		refused(&alice(), more(0), Error::<Runtime>::NothingToBond);
		refused(&alice(), more(u128::MAX), ArithmeticError::Overflow);
		for amount in [u128::MAX / 2, 1_000_000 * DGC] {
			refused(&alice(), more(amount), TokenError::FundsUnavailable);
		}
		refused(&stranger(), more(0), Error::<Runtime>::NothingToBond);
		for amount in [1, DGC, u128::MAX] {
			refused(&stranger(), more(amount), Error::<Runtime>::NotCandidate);
		}
	});
}

#[test]
pub fn update() {
	chain().execute_with(|| {
		for (key, address, error) in unreachable() {
			refused(&alice(), Call::update { key, address }, error);
		}
		let right = Call::update { key: KEY, address: address("http://a") };
		refused(&stranger(), right, Error::<Runtime>::NotCandidate);
	});
}

#[test]
pub fn leave() {
	chain().execute_with(|| {
		let leave = Call::leave {};
		refused(&alice(), leave.clone(), Error::<Runtime>::TooFewLeft);
		refused(&stranger(), leave.clone(), Error::<Runtime>::NotCandidate);
		let nodes = masternodes();
		accepted(&nodes[0], leave.clone());
		refused(&nodes[0], leave.clone(), Error::<Runtime>::NotCandidate);
		refused(&nodes[1], leave, Error::<Runtime>::TooFewLeft);
	});
}

#[test]
pub fn withdraw() {
	chain().execute_with(|| {
		let withdraw = |who: &Pair| Call::withdraw { who: id(who) };
		let nodes = masternodes();
		for who in [&stranger(), &alice(), &nodes[0]] {
			refused(&owner(), withdraw(who), Error::<Runtime>::NotUnbonding);
			refused(who, withdraw(who), Error::<Runtime>::NotUnbonding);
		}
		accepted(&nodes[0], Call::leave {});
		for who in [&owner(), &nodes[0]] {
			refused(who, withdraw(&nodes[0]), Error::<Runtime>::NotDue);
		}
	});
}

#[test]
pub fn set_active_count() {
	chain().execute_with(|| {
		for who in [&stranger(), &owner(), &alice()] {
			for count in [0, 4, u32::MAX] {
				let call = Call::set_active_count { count };
				refused(who, call, DispatchError::BadOrigin);
			}
		}
		for count in [0, 3, 65, u32::MAX] {
			let call = Call::set_active_count { count }.into();
			let before = Masternodes::active_count();
			as_root(call, Err(Error::<Runtime>::CountOutOfRange.into()));
			assert_eq!(Masternodes::active_count(), before);
		}
		as_root(Call::set_active_count { count: 5 }.into(), Ok(()));
		let stranger_as_root =
			pallet_sudo::Call::sudo { call: Box::new(Call::set_active_count { count: 6 }.into()) };
		let not_root = pallet_sudo::Error::<Runtime>::RequireSudo;
		refused(&stranger(), stranger_as_root, not_root);
		assert_eq!(Masternodes::active_count(), 5);
	});
}

/// Has the holder of the sudo key send the call as root.
fn as_root(call: RuntimeCall, expected: Result<(), DispatchError>) {
	accepted(&alice(), pallet_sudo::Call::sudo { call: Box::new(call) });
	let sudid = events().into_iter().rev().find_map(|event| match event {
		RuntimeEvent::Sudo(pallet_sudo::Event::Sudid { sudo_result }) => Some(sudo_result),
		_ => None,
	});
	assert_eq!(sudid, Some(expected));
}
