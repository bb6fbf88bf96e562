//! Accounts that sign, each with its own count of what it has sent.

use codec::Encode;
use dgcs_runtime::{AccountId, Nonce, RuntimeCall, VERSION};
use sp_core::{sr25519, Pair, H256};

use crate::signing::{self, Binding};

/// An account with its key and its next nonce.
pub struct Account {
	pair: sr25519::Pair,
	/// Its address.
	pub id: AccountId,
	nonce: Nonce,
	genesis: H256,
}

impl Account {
	/// The account of a development phrase such as `//Alice`.
	pub fn new(
		phrase: &str,
		genesis: H256,
		nonce: Nonce,
	) -> Result<Self, sp_core::crypto::SecretStringError> {
		let pair = sr25519::Pair::from_string(phrase, None)?;
		let id = signing::id(&pair);
		Ok(Self { pair, id, nonce, genesis })
	}

	/// Signs `call` with the next nonce.
	pub fn sign(&mut self, call: RuntimeCall) -> Vec<u8> {
		let binding = Binding {
			genesis: self.genesis,
			spec_version: VERSION.spec_version,
			transaction_version: VERSION.transaction_version,
			nonce: self.nonce,
			tip: 0,
		};
		self.nonce = self.nonce.saturating_add(1);
		signing::transaction(&self.pair, call, binding).encode()
	}
}
