//! Accounts: the keys that sign, and what derives from them.
//!
//! Everything that a person has to keep is in one secret: that of its account. An account file of
//! polkadot.js holds no phrase and no seed, but the expanded secret alone; so that is what the other
//! secrets derive from.

use std::fmt;

use aws_lc_rs::hkdf::{KeyType, Salt, HKDF_SHA256};
use dgcs_content::{EncryptionSecret, OwnerSecret};
use schnorrkel::SecretKey;
use sp_core::{
	crypto::{SecretStringError, Ss58Codec},
	sr25519, Pair,
};
use subxt::{
	config::substrate::MultiSignature, transactions::Signer, utils::AccountId32 as SubxtAccountId,
};
use zeroize::Zeroizing;

use crate::runtime::DgcsConfig;

/// Names an account. Its text is an SS58 address with prefix 42.
pub type AccountId = sp_core::crypto::AccountId32;

/// Salt of the derivation of an owner's secret.
pub const OWNER_DOMAIN: &[u8; 16] = b"dgcs/owner/v1\0\0\0";
/// Salt of the derivation of an encryption secret.
pub const ENCRYPTION_DOMAIN: &[u8; 16] = b"dgcs/encrypt/v1\0";

/// Bytes of an expanded secret: a scalar and a nonce's seed, each 32.
pub(crate) const SECRET_SIZE: usize = 64;

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
	/// The text is no secret.
	#[error(
		"this is no secret of an account: {reason}. Give 12, 15, 18, 21 or 24 English words, a seed of \
		 0x and 64 hexadecimal digits, or a development account such as //Alice"
	)]
	Secret {
		/// What is wrong with it.
		reason: &'static str,
	},
	/// The text is no address.
	#[error("`{text}` is no address of an account ({reason}): expected one such as 5GrwvaEF…")]
	Address {
		/// What was given.
		text: String,
		/// What is wrong with it.
		reason: String,
	},
}

/// Reads an address, in SS58 with any prefix or as 0x and 64 hexadecimal digits.
pub fn parse_address(text: &str) -> Result<AccountId, AccountError> {
	let wrong =
		|reason: String| AccountError::Address { text: text.chars().take(80).collect(), reason };
	if let Some(digits) = text.strip_prefix("0x") {
		let bytes = hex::decode(digits).map_err(|error| wrong(error.to_string()))?;
		let bytes = <[u8; 32]>::try_from(bytes);
		return bytes.map(AccountId::new).map_err(|_| wrong("not 32 bytes".into()));
	}
	AccountId::from_ss58check_with_version(text)
		.map(|(account, _)| account)
		.map_err(|error| wrong(format!("{error:?}")))
}

/// A new account's words, which are all that its owner has to keep. Not printed by accident.
pub struct SecretPhrase(Zeroizing<String>);

impl SecretPhrase {
	/// The words, to be shown once.
	pub fn words(&self) -> &str {
		&self.0
	}
}

impl fmt::Debug for SecretPhrase {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("SecretPhrase(…)")
	}
}

/// An account with its secret.
#[derive(Clone)]
pub struct Account {
	pair: sr25519::Pair,
}

impl fmt::Debug for Account {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Account({})", self.address())
	}
}

impl Account {
	/// A new account, and its twelve words.
	pub fn generate() -> (Self, SecretPhrase) {
		let (pair, phrase, _) = sr25519::Pair::generate_with_phrase(None);
		(Account { pair }, SecretPhrase(Zeroizing::new(phrase)))
	}

	/// The account of a secret URI, as polkadot.js and subkey read it: a phrase (BIP39, by
	/// substrate-bip39) or a seed in hexadecimal, then `/soft` and `//hard` derivations, then
	/// `///password`. Derivations without a phrase are development accounts, whose secret everybody
	/// knows; nothing at all is refused, since nobody means that.
	pub fn from_uri(uri: &str) -> Result<Self, AccountError> {
		if uri.trim().is_empty() {
			return Err(AccountError::Secret { reason: "it is empty" });
		}
		let reason = |error| match error {
			SecretStringError::InvalidFormat(_) => "it has not the form of one",
			SecretStringError::InvalidPhrase => "a word is wrong, or they are not in order",
			SecretStringError::InvalidPassword => "the password after /// is wrong",
			SecretStringError::InvalidSeed => "the seed is no secret",
			SecretStringError::InvalidSeedLength => "the seed has another length",
			_ => "the derivation after / is not possible",
		};
		sr25519::Pair::from_string(uri.trim(), None)
			.map(|pair| Account { pair })
			.map_err(|error| AccountError::Secret { reason: reason(error) })
	}

	/// The account with the expanded secret of an account file of polkadot.js: 64 bytes in the form
	/// of ed25519, where the scalar is multiplied by the cofactor.
	pub(crate) fn from_secret(secret: &[u8; SECRET_SIZE]) -> Option<Self> {
		let secret = SecretKey::from_ed25519_bytes(secret).ok()?;
		Some(Account { pair: secret.into() })
	}

	/// The inverse of [`Account::from_secret`].
	pub(crate) fn secret(&self) -> Zeroizing<[u8; SECRET_SIZE]> {
		let pair: &schnorrkel::Keypair = self.pair.as_ref();
		Zeroizing::new(pair.secret.to_ed25519_bytes())
	}

	/// The account's name on the chain.
	pub fn id(&self) -> AccountId {
		self.pair.public().into()
	}

	/// The account's name on the chain, as people read it.
	pub fn address(&self) -> String {
		self.id().to_ss58check()
	}

	/// Signs bytes with sr25519, in the context "substrate".
	pub fn sign(&self, message: &[u8]) -> [u8; 64] {
		self.pair.sign(message).0
	}

	/// The secret from which the keys of all tasks of this account derive
	/// (`docs/protocol.md`, "Secrets of an account").
	pub fn owner_secret(&self) -> OwnerSecret {
		OwnerSecret::from_bytes(*self.derive(OWNER_DOMAIN))
	}

	/// The secret half of the encryption key that a worker with this account registers
	/// (`docs/protocol.md`, "Secrets of an account").
	pub fn encryption_secret(&self) -> EncryptionSecret {
		EncryptionSecret::from_bytes(&self.derive(ENCRYPTION_DOMAIN))
	}

	/// HKDF-SHA256 over the scalar alone: the nonce's seed beside it is random for an account of a
	/// soft derivation, and the same phrase would give other keys.
	fn derive(&self, domain: &[u8; 16]) -> Zeroizing<[u8; 32]> {
		struct Bytes32;
		impl KeyType for Bytes32 {
			fn len(&self) -> usize {
				32
			}
		}
		let secret = self.secret();
		let (scalar, _) = secret.split_at(32);
		let mut derived = Zeroizing::new([0; 32]);
		Salt::new(HKDF_SHA256, domain)
			.extract(scalar)
			.expand(&[], Bytes32)
			.and_then(|bytes| bytes.fill(&mut *derived))
			.expect("32 bytes are below the 8160 that HKDF gives; qed");
		derived
	}
}

impl Signer<DgcsConfig> for Account {
	fn account_id(&self) -> SubxtAccountId {
		SubxtAccountId(self.id().into())
	}

	fn sign(&self, payload: &[u8]) -> MultiSignature {
		MultiSignature::Sr25519(Account::sign(self, payload))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

	fn account(uri: &str) -> Account {
		Account::from_uri(uri).expect(uri)
	}

	#[test]
	fn addresses_are_those_of_the_ecosystem() {
		assert_eq!(
			account("//Alice").address(),
			"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
		);
		assert_eq!(account("//Alice").id(), account(&format!("{PHRASE}//Alice")).id());
		// `subkey inspect` of the development phrase.
		assert_eq!(account(PHRASE).address(), "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV");
		let seed = "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
		assert_eq!(account(seed).id(), account(PHRASE).id());
	}

	#[test]
	fn a_generated_account_comes_back_from_its_words() {
		let (made, phrase) = Account::generate();
		assert_eq!(phrase.words().split(' ').count(), 12);
		let back = account(phrase.words());
		assert_eq!(back.id(), made.id());
		assert_eq!(back.encryption_secret().to_bytes(), made.encryption_secret().to_bytes());
		assert!(!format!("{phrase:?} {made:?}").contains(phrase.words()));
	}

	#[test]
	fn derived_secrets_are_the_same_whichever_way_the_account_came() {
		for uri in [PHRASE, "//Alice", "//Alice/soft/er", &format!("{PHRASE}//hard///password")] {
			let made = account(uri);
			let again = account(uri);
			let from_file = Account::from_secret(&made.secret()).expect("its own secret");
			for other in [again, from_file] {
				assert_eq!(other.id(), made.id(), "{uri}");
				assert_eq!(other.derive(OWNER_DOMAIN), made.derive(OWNER_DOMAIN), "{uri}");
				assert_eq!(
					other.derive(ENCRYPTION_DOMAIN),
					made.derive(ENCRYPTION_DOMAIN),
					"{uri}"
				);
			}
		}
	}

	#[test]
	fn every_secret_is_its_own() {
		let (alice, bob) = (account("//Alice"), account("//Bob"));
		assert_ne!(alice.derive(OWNER_DOMAIN), alice.derive(ENCRYPTION_DOMAIN));
		assert_ne!(alice.derive(OWNER_DOMAIN), bob.derive(OWNER_DOMAIN));
		assert_ne!(&alice.derive(OWNER_DOMAIN)[..], &alice.secret()[..32]);
	}

	#[test]
	fn bad_secrets_are_refused_and_not_repeated() {
		let wrong_order = "drive bottom obey lake curtain smoke basket hold race lonely fit walk";
		for text in ["", " ", "alice", wrong_order, "0x1234", "bottom drive obey", "5Grwva"] {
			let shown = Account::from_uri(text).expect_err("no secret").to_string();
			assert!(text.trim().is_empty() || !shown.contains(text), "{shown}");
			assert!(shown.contains("12, 15"), "{shown}");
		}
	}

	#[test]
	fn addresses_are_read_in_every_form() {
		let alice = account("//Alice");
		let hexadecimal = format!("0x{}", hex::encode(alice.id()));
		// Alice with Polkadot's prefix.
		let polkadot = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5";
		for text in [alice.address().as_str(), &hexadecimal, polkadot] {
			assert_eq!(parse_address(text).expect(text), alice.id());
		}
		let typo = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ";
		for text in ["", "0x12", "0xzz", "alice", typo] {
			assert!(parse_address(text).is_err(), "{text}");
		}
	}

	proptest::proptest! {
		#![proptest_config(proptest::prelude::ProptestConfig {
			cases: 64,
			failure_persistence: None,
			..Default::default()
		})]

		#[test]
		fn any_text_is_an_account_or_an_error(text in ".{0,100}") {
			let _ = Account::from_uri(&text);
			let _ = parse_address(&text);
		}
	}
}
