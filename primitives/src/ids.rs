//! Identifiers as newtypes, so that a task can never be taken for a range.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;

macro_rules! id {
	($(#[$doc:meta])* $name:ident($inner:ty)) => {
		$(#[$doc])*
		#[derive(
			Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode,
			DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Serialize, Deserialize,
		)]
		#[serde(transparent)]
		pub struct $name(pub $inner);

		impl core::fmt::Display for $name {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				self.0.fmt(f)
			}
		}
	};
}

id! {
	/// Names a task: a running number, given at submission and never used again.
	TaskId(u64)
}
id! {
	/// Names a range within its task: range `r` holds the subtasks from `r * range_size` on.
	RangeIndex(u32)
}
id! {
	/// Which vote on a range this is: round 0 has all replicas, each later round has one more.
	Round(u8)
}

/// Names the encrypted result of one subtask: the BLAKE3 multihash digest of its CID.
/// This is what workers vote on.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(transparent)]
pub struct ResultDigest(pub H256);

/// An X25519 public key, to which shares and range keys are sealed (HPKE).
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(transparent)]
pub struct EncryptionKey(pub H256);

impl EncryptionKey {
	/// Whether nobody can hold the secret of this key: all zeros is X25519's neutral element.
	pub fn is_degenerate(&self) -> bool {
		self.0.is_zero()
	}
}

/// How the bytes behind a [`ContentId`] are laid out.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum ContentCodec {
	/// One raw block (multicodec `0x55`).
	Raw,
	/// A UnixFS node (multicodec `0x70`).
	DagPb,
}

/// A CIDv1 with a BLAKE3 multihash: the only kind that DGCS stores, so that no invalid CID can
/// be written down.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub struct ContentId {
	/// How the bytes are laid out.
	pub codec: ContentCodec,
	/// BLAKE3 of the block.
	pub digest: H256,
}

impl ContentId {
	/// The 36 bytes of the binary CID: version 1, codec, blake3, 32, digest.
	pub fn to_bytes(&self) -> [u8; 36] {
		let codec = match self.codec {
			ContentCodec::Raw => 0x55,
			ContentCodec::DagPb => 0x70,
		};
		let mut bytes = [0; 36];
		bytes[..4].copy_from_slice(&[0x01, codec, 0x1e, 0x20]);
		bytes[4..].copy_from_slice(self.digest.as_bytes());
		bytes
	}
}
