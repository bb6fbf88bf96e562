//! The first state of a development chain and of a local network. Their keys are derived from
//! well-known phrases: never use them for anything of value.

use alloc::{string::String, vec, vec::Vec};
use dgcs_primitives::EncryptionKey;
use frame_support::build_struct_json_patch;
use hex_literal::hex;
use serde_json::Value;
use sp_consensus_babe::AuthorityId as BabeId;
use sp_consensus_grandpa::AuthorityId as GrandpaId;
use sp_core::H256;
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

use crate::{
	configs::BABE_GENESIS_EPOCH_CONFIG, constants::DGC, AccountId, BabeConfig, Balance,
	BalancesConfig, MasternodesConfig, RuntimeGenesisConfig, SessionConfig, SessionKeys,
	SudoConfig,
};

/// What every well-known account owns.
const ENDOWMENT: Balance = 1_000_000 * DGC;
/// What every masternode of a preset has at stake.
const BOND: Balance = 10_000 * DGC;

/// A masternode of a preset. The secret of its encryption key is
/// `blake2b_256("dgcs/dev/encryption//" ++ name)`.
struct DevMasternode {
	account: Sr25519Keyring,
	grandpa: Ed25519Keyring,
	encryption_key: [u8; 32],
	address: &'static str,
}

const ALICE: DevMasternode = DevMasternode {
	account: Sr25519Keyring::Alice,
	grandpa: Ed25519Keyring::Alice,
	encryption_key: hex!("8ad1a3028e2dfaa6e8c9a126478f51d2a142c2debbe433b53168c8441f57105e"),
	address: "ws://127.0.0.1:9944",
};
const BOB: DevMasternode = DevMasternode {
	account: Sr25519Keyring::Bob,
	grandpa: Ed25519Keyring::Bob,
	encryption_key: hex!("4f51c35ea626621e5825f0df25b84a05d14c5a67161115453a44c0b917e67457"),
	address: "ws://127.0.0.1:9945",
};
const CHARLIE: DevMasternode = DevMasternode {
	account: Sr25519Keyring::Charlie,
	grandpa: Ed25519Keyring::Charlie,
	encryption_key: hex!("4fb4ef2e8af9f4b2bceb333a4e914504f442c28a90c5edabc3293ac439360408"),
	address: "ws://127.0.0.1:9946",
};
const DAVE: DevMasternode = DevMasternode {
	account: Sr25519Keyring::Dave,
	grandpa: Ed25519Keyring::Dave,
	encryption_key: hex!("574664afa1498da5e3fd2644f6b21fe73f5a52e452335cec767ae67d9f86113a"),
	address: "ws://127.0.0.1:9947",
};

impl DevMasternode {
	fn session_keys(&self) -> SessionKeys {
		SessionKeys {
			babe: BabeId::from(self.account.public()),
			grandpa: GrandpaId::from(self.grandpa.public()),
		}
	}
}

fn genesis(masternodes: &[DevMasternode]) -> Value {
	let bonded = masternodes
		.iter()
		.map(|node| {
			(
				node.account.to_account_id(),
				BOND,
				EncryptionKey(H256(node.encryption_key)),
				String::from(node.address),
			)
		})
		.collect::<Vec<_>>();
	let keys = masternodes
		.iter()
		.map(|node| {
			let account: AccountId = node.account.to_account_id();
			(account.clone(), account, node.session_keys())
		})
		.collect::<Vec<_>>();
	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig {
			balances: Sr25519Keyring::well_known()
				.map(|account| (account.to_account_id(), ENDOWMENT))
				.collect::<Vec<_>>(),
		},
		babe: BabeConfig { epoch_config: BABE_GENESIS_EPOCH_CONFIG },
		masternodes: MasternodesConfig { masternodes: bonded, active_count: 16 },
		session: SessionConfig { keys },
		sudo: SudoConfig { key: Some(Sr25519Keyring::Alice.to_account_id()) },
	})
}

/// The preset called `id`, as a JSON patch.
pub fn get(id: &PresetId) -> Option<Vec<u8>> {
	let patch = match id.as_ref() {
		DEV_RUNTIME_PRESET => genesis(&[ALICE]),
		LOCAL_TESTNET_RUNTIME_PRESET => genesis(&[ALICE, BOB, CHARLIE, DAVE]),
		_ => return None,
	};
	serde_json::to_vec(&patch).ok()
}

/// All presets.
pub fn names() -> Vec<PresetId> {
	vec![PresetId::from(DEV_RUNTIME_PRESET), PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET)]
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_runtime::BuildStorage;

	#[test]
	fn every_preset_builds() {
		for name in names() {
			let patch = get(&name).expect("the preset exists");
			let json = serde_json::from_slice::<Value>(&patch).expect("it is JSON");
			let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).expect("JSON");
			merge(&mut config, json);
			let config: RuntimeGenesisConfig = serde_json::from_value(config).expect("fields fit");
			config.build_storage().expect("it builds");
		}
	}

	fn merge(into: &mut Value, patch: Value) {
		match (into, patch) {
			(Value::Object(into), Value::Object(patch)) => {
				for (key, value) in patch {
					merge(into.entry(key).or_insert(Value::Null), value);
				}
			},
			(into, patch) => *into = patch,
		}
	}
}
