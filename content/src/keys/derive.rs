//! Derivation by HKDF-SHA256 (RFC 5869) and encryption by AES-256-GCM-SIV (RFC 8452).

use std::fmt;

use aws_lc_rs::{
	aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM_SIV},
	hkdf::{KeyType, Salt, HKDF_SHA256},
};
use codec::{Decode, Encode};
use dgcs_primitives::{RangeIndex, Round};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes that sealing adds to a segment.
pub const TAG_SIZE: usize = 16;

const TASK_DOMAIN: &[u8; 16] = b"dgcs/task/v1\0\0\0\0";
const SCOPE_DOMAIN: &[u8; 16] = b"dgcs/scope/v1\0\0\0";
const USE_DOMAIN: &[u8; 16] = b"dgcs/use/v1\0\0\0\0\0";

struct Bytes32;

impl KeyType for Bytes32 {
	fn len(&self) -> usize {
		32
	}
}

fn hkdf(salt: &[u8], secret: &[u8; 32], info: &[u8]) -> [u8; 32] {
	let mut key = [0; 32];
	Salt::new(HKDF_SHA256, salt)
		.extract(secret)
		.expand(&[info], Bytes32)
		.and_then(|okm| okm.fill(&mut key))
		.expect("32 bytes are below the 8160 that HKDF gives; qed");
	key
}

/// What an owner has to keep: 32 random bytes, from a backup phrase or a keystore. Every key of
/// every task of this owner derives from it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct OwnerSecret([u8; 32]);

impl OwnerSecret {
	/// From the bytes that a keystore or a backup phrase gives.
	pub fn from_bytes(bytes: [u8; 32]) -> Self {
		OwnerSecret(bytes)
	}

	/// The keys of the task with this nonce.
	pub fn task(&self, nonce: &TaskNonce) -> TaskKeys {
		TaskKeys(ScopeKey(hkdf(&[&TASK_DOMAIN[..], &nonce.0].concat(), &self.0, b"")))
	}
}

impl fmt::Debug for OwnerSecret {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("OwnerSecret(…)")
	}
}

/// 32 random bytes that make a task's keys its own, in clear in its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskNonce(pub [u8; 32]);

impl TaskNonce {
	/// A new one, from the system's randomness.
	pub fn random() -> Self {
		let mut bytes = [0; 32];
		getrandom::fill(&mut bytes)
			.expect("the system has randomness, or nothing here is safe; qed");
		TaskNonce(bytes)
	}
}

/// Who may read what is sealed under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Scope {
	/// Every worker with a lease on any range of the task: the job, and an input that all see.
	Task,
	/// The workers with a lease on this range.
	Range(RangeIndex),
	/// The owner alone. Never shared.
	Owner,
}

impl Scope {
	/// The place of this scope's key in a masternode's list of shares. The owner's has none.
	pub fn position(self) -> Option<u32> {
		match self {
			Scope::Task => Some(0),
			Scope::Range(range) => range.0.checked_add(1),
			Scope::Owner => None,
		}
	}

	/// The scope whose key is at `position` of the list of shares.
	pub fn at(position: u32) -> Self {
		position.checked_sub(1).map_or(Scope::Task, |range| Scope::Range(RangeIndex(range)))
	}
}

impl fmt::Display for Scope {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Scope::Task => f.write_str("the task"),
			Scope::Range(range) => write!(f, "range {range}"),
			Scope::Owner => f.write_str("the owner"),
		}
	}
}

/// What a key is used for. One key for each, so that nothing sealed for one use opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Use {
	/// The input.
	Input,
	/// Where the pieces of a range are in the stream.
	Index,
	/// Arguments and environment.
	Job,
	/// The results of one round. An extra replica, which may have seen the digests of the rounds
	/// before, encrypts to others (design: the round enters the key).
	Result(Round),
	/// The owner's names, sizes and structure.
	Private,
	/// What fills up the last shard.
	Padding,
}

/// All keys of one task, for its owner.
#[derive(Clone, Debug)]
pub struct TaskKeys(ScopeKey);

impl TaskKeys {
	/// The key of `scope`.
	pub fn scope(&self, scope: Scope) -> ScopeKey {
		ScopeKey(hkdf(SCOPE_DOMAIN, &self.0 .0, &scope.encode()))
	}
}

/// The key of one scope: what masternodes hold shares of, and a worker rebuilds for its range.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ScopeKey(pub(super) [u8; 32]);

impl ScopeKey {
	/// The cipher for one use of this key.
	pub fn cipher(&self, purpose: Use) -> Cipher {
		let key = Zeroizing::new(hkdf(USE_DOMAIN, &self.0, &purpose.encode()));
		let key =
			UnboundKey::new(&AES_256_GCM_SIV, &*key).expect("AES-256 takes keys of 32 bytes; qed");
		Cipher(LessSafeKey::new(key))
	}

	/// The bytes, for test vectors and keystores.
	pub fn as_bytes(&self) -> &[u8; 32] {
		&self.0
	}
}

impl fmt::Debug for ScopeKey {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("ScopeKey(…)")
	}
}

/// The place of a segment under its key: which subtask (range for an index, 0 where there is but
/// one of a kind), and which segment of it. It is the nonce, so that no two segments can be swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
	/// Number of the subtask within the task.
	pub subtask: u32,
	/// Number of the segment within the subtask's data.
	pub segment: u64,
}

impl Place {
	/// The first and only segment of `subtask`.
	pub fn only(subtask: u32) -> Self {
		Place { subtask, segment: 0 }
	}

	fn nonce(self) -> Nonce {
		let mut nonce = [0; 12];
		nonce[..4].copy_from_slice(&self.subtask.to_le_bytes());
		nonce[4..].copy_from_slice(&self.segment.to_le_bytes());
		Nonce::assume_unique_for_key(nonce)
	}
}

/// AES-256-GCM-SIV under one key of one use. The same plaintext at the same place gives the same
/// ciphertext, on which honest workers agree; another one at the same place gives nothing away but
/// that it is another (RFC 8452, section 1).
#[derive(Debug)]
pub struct Cipher(LessSafeKey);

impl Cipher {
	/// Encrypts `data` in place and gives its tag.
	pub fn seal(&self, place: Place, data: &mut [u8]) -> [u8; TAG_SIZE] {
		let tag = self
			.0
			.seal_in_place_separate_tag(place.nonce(), Aad::empty(), data)
			.expect("a segment is far below the 64 GiB that GCM-SIV takes; qed");
		let mut bytes = [0; TAG_SIZE];
		bytes.copy_from_slice(tag.as_ref());
		bytes
	}

	/// Decrypts `data` with its tag at the end, in place. `None` if it is of another key or place,
	/// or was changed.
	pub fn open<'a>(&self, place: Place, data: &'a mut [u8]) -> Option<&'a mut [u8]> {
		self.0.open_in_place(place.nonce(), Aad::empty(), data).ok()
	}

	/// A sealed copy of a small piece of data, with its tag at the end.
	pub fn seal_vec(&self, place: Place, mut data: Vec<u8>) -> Vec<u8> {
		let tag = self.seal(place, &mut data);
		data.extend_from_slice(&tag);
		data
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn keys() -> TaskKeys {
		OwnerSecret::from_bytes([1; 32]).task(&TaskNonce([2; 32]))
	}

	#[test]
	fn every_key_is_its_own() {
		let other_owner = OwnerSecret::from_bytes([3; 32]).task(&TaskNonce([2; 32]));
		let other_task = OwnerSecret::from_bytes([1; 32]).task(&TaskNonce([3; 32]));
		let range = |number| Scope::Range(RangeIndex(number));
		let all = [
			keys().scope(Scope::Task),
			keys().scope(Scope::Owner),
			keys().scope(range(0)),
			keys().scope(range(1)),
			other_owner.scope(Scope::Task),
			other_task.scope(Scope::Task),
		];
		for (i, key) in all.iter().enumerate() {
			assert!(all[..i].iter().all(|other| other != key), "key {i} is not new");
		}
		assert_eq!(keys().scope(range(1)), all[3]);
	}

	#[test]
	fn a_segment_opens_with_its_key_use_and_place_alone() {
		let key = keys().scope(Scope::Task);
		let place = Place { subtask: 3, segment: 4 };
		let sealed = key.cipher(Use::Input).seal_vec(place, b"secret".to_vec());
		let open = |key: &ScopeKey, purpose, place| {
			let mut copy = sealed.clone();
			key.cipher(purpose).open(place, &mut copy).map(|data| data.to_vec())
		};
		assert_eq!(open(&key, Use::Input, place), Some(b"secret".to_vec()));
		assert_eq!(open(&keys().scope(Scope::Owner), Use::Input, place), None);
		for purpose in [Use::Index, Use::Job, Use::Result(Round(0)), Use::Private, Use::Padding] {
			assert_eq!(open(&key, purpose, place), None);
		}
		assert_eq!(open(&key, Use::Input, Place { subtask: 4, segment: 3 }), None);
		assert_eq!(open(&key, Use::Input, Place::only(3)), None);
	}

	#[test]
	fn rounds_encrypt_to_different_bytes() {
		let key = keys().scope(Scope::Range(RangeIndex(0)));
		let seal =
			|round| key.cipher(Use::Result(Round(round))).seal_vec(Place::only(0), vec![7; 40]);
		assert_eq!(seal(0), seal(0));
		assert_ne!(seal(0), seal(1));
	}

	#[test]
	fn positions_and_scopes_are_inverse() {
		for position in [0, 1, 2, u32::MAX] {
			assert_eq!(Scope::at(position).position(), Some(position));
		}
		assert_eq!(Scope::Owner.position(), None);
		assert_eq!(Scope::Range(RangeIndex(u32::MAX)).position(), None);
	}

	#[test]
	fn secrets_are_not_printed() {
		let secret = OwnerSecret::from_bytes([0xab; 32]);
		let text = format!("{secret:?} {:?}", secret.task(&TaskNonce([0; 32])));
		assert!(!text.contains("ab") && !text.contains("171"), "{text}");
	}
}
