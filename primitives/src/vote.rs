//! What workers vote with. Every payload starts with a domain tag and the genesis hash, so that a
//! vote for one chain, task, range or round is never one for another.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_io::hashing::blake2_256;

use crate::{RangeIndex, ResultDigest, Round, TaskId, MAX_RANGE_SIZE};

/// Domain tag of a commitment.
pub const COMMIT_DOMAIN: [u8; 16] = *b"dgcs/commit/v1\0\0";
/// Domain tag of a vote that is signed apart from its extrinsic.
pub const VOTE_DOMAIN: [u8; 16] = *b"dgcs/vote/v1\0\0\0\0";

/// The digests that one worker found for the open subtasks of a range, in subtask order.
pub type Digests = BoundedVec<ResultDigest, ConstU32<MAX_RANGE_SIZE>>;

/// The hash that a worker shows before anybody shows a digest.
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
)]
pub struct Commitment(pub H256);

/// Where a vote belongs.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Ballot {
	/// Hash of the chain's first block.
	pub genesis: H256,
	/// The task.
	pub task: TaskId,
	/// The range within the task.
	pub range: RangeIndex,
	/// The round of the vote on that range.
	pub round: Round,
}

impl Ballot {
	/// The commitment of `worker` to `digests` under `salt`:
	/// `blake2_256(COMMIT_DOMAIN ++ genesis ++ task ++ range ++ round ++ worker ++ digests ++ salt)`,
	/// each in SCALE.
	pub fn commitment<AccountId: Encode>(
		&self,
		worker: &AccountId,
		digests: &Digests,
		salt: &H256,
	) -> Commitment {
		let bytes = (COMMIT_DOMAIN, self, worker, digests, salt).encode();
		Commitment(H256(blake2_256(&bytes)))
	}
}

/// A vote as its worker signs it when somebody else carries it to the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Vote {
	/// "I have computed this range."
	Commit(Commitment),
	/// "This is what I found."
	Reveal {
		/// The digests of the open subtasks.
		digests: Digests,
		/// What hid them until now.
		salt: H256,
	},
}

impl Vote {
	/// The bytes to sign: `VOTE_DOMAIN ++ ballot ++ vote`, in SCALE.
	pub fn signing_bytes(&self, ballot: &Ballot) -> Vec<u8> {
		(VOTE_DOMAIN, ballot, self).encode()
	}
}
