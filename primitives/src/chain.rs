//! The work chain of a task (§4.2.1, §5.7.1.3): hash-linked blocks of its verdicts.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;
use sp_io::hashing::blake2_256;

use crate::{Accumulator, RangeIndex, ResultDigest, Round, TaskId, MAX_RANGE_SIZE};

/// Domain tag of a work-chain block's hash.
pub const BLOCK_DOMAIN: [u8; 16] = *b"dgcs/work/v1\0\0\0\0";

/// What became true of one subtask.
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
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
	/// More than half of at least three revealed digests were this one.
	Agreed(ResultDigest),
	/// No majority among as many replicas as the task allows. Its money goes back.
	Failed,
}

/// The verdict on one subtask.
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
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
	/// The subtask, counted from the start of its range.
	pub subtask: u8,
	/// What became true.
	pub outcome: Outcome,
}

/// All verdicts of one round on one range.
pub type Verdicts = BoundedVec<Verdict, ConstU32<MAX_RANGE_SIZE>>;

/// One block of a task's work chain.
#[derive(
	Clone,
	Debug,
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
#[serde(rename_all = "camelCase")]
pub struct WorkBlock {
	/// The task that the chain belongs to.
	pub task: TaskId,
	/// Its place in the chain, from 0.
	pub index: u32,
	/// Hash of the block before, all zeros for the first.
	pub parent: H256,
	/// The top-level block that it was made in.
	pub when: u32,
	/// How many subtasks of the task have no verdict yet.
	pub open_subtasks: u32,
	/// The range that was decided on.
	pub range: RangeIndex,
	/// The round that decided.
	pub round: Round,
	/// What was decided.
	pub verdicts: Verdicts,
	/// Merkle root over the round's receipts: who did what, and who was paid.
	pub receipts_root: H256,
}

impl WorkBlock {
	/// `blake2_256(BLOCK_DOMAIN ++ block)`, in SCALE.
	pub fn hash(&self) -> H256 {
		H256(blake2_256(&(BLOCK_DOMAIN, self).encode()))
	}

	/// Root over the block's verdicts: the leaf that it adds to the solution root.
	pub fn verdicts_root(&self) -> H256 {
		let leaves: alloc::vec::Vec<_> =
			self.verdicts.iter().map(|verdict| (self.range, verdict)).collect();
		crate::merkle_root(&leaves)
	}

	/// How many of its verdicts give a digest. The others give up.
	pub fn agreed(&self) -> u32 {
		let agreed = |verdict: &&Verdict| matches!(verdict.outcome, Outcome::Agreed(_));
		self.verdicts.iter().filter(agreed).count() as u32
	}
}

/// The end of a task's work chain, and what is still to be decided.
#[derive(
	Clone,
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
// Who reads metadata knows it as a type of the pallet that stores it.
#[scale_info(replace_segment("dgcs_primitives", "pallet_verdicts"))]
#[scale_info(replace_segment("chain", "types"))]
pub struct Head {
	/// How many blocks there are.
	pub height: u32,
	/// Hash of the last one, all zeros while there is none.
	pub tip: H256,
	/// Subtasks without a verdict.
	pub open_subtasks: u32,
	/// Over every block's verdicts root.
	pub solution: Accumulator,
	/// Over every block's receipts root.
	pub receipts: Accumulator,
	/// Subtasks with a digest.
	pub agreed: u32,
	/// Subtasks without a majority.
	pub failed: u32,
}

impl Head {
	/// Moves on to `block`, which is the next one.
	pub fn push(&mut self, block: &WorkBlock) {
		let agreed = block.agreed();
		let failed = (block.verdicts.len() as u32).saturating_sub(agreed);
		self.height = self.height.saturating_add(1);
		self.tip = block.hash();
		self.open_subtasks = block.open_subtasks;
		self.solution.push(block.verdicts_root());
		self.receipts.push(block.receipts_root);
		self.agreed = self.agreed.saturating_add(agreed);
		self.failed = self.failed.saturating_add(failed);
	}

	/// What the chain leaves behind when it ends here.
	pub fn record(&self) -> ChainRecord {
		ChainRecord {
			height: self.height,
			tip: self.tip,
			solution_root: self.solution.root(),
			receipts_root: self.receipts.root(),
			agreed: self.agreed,
			failed: self.failed,
		}
	}
}

/// What one worker did in a round, and what it was paid.
#[derive(
	Clone,
	Debug,
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
#[serde(rename_all = "camelCase")]
pub struct Receipt<AccountId, Balance> {
	/// The worker.
	pub worker: AccountId,
	/// How many of its results agree with the round's verdicts.
	pub agreed: u32,
	/// How many do not.
	pub dissented: u32,
	/// What it was paid at this verdict, in the smallest unit. Under PPLNS a worker may be paid
	/// for earlier rounds alone.
	pub paid: Balance,
}

/// How a task ended.
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
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum TaskEnd {
	/// Every subtask has its verdict.
	Completed,
	/// The owner cancelled it; what was already leased has its verdict.
	Cancelled,
	/// It waited too long for its first lease.
	Expired,
	/// Its run timeout passed with subtasks open.
	DeadlinePassed,
}

/// What the work chain of an ended task leaves behind.
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
#[serde(rename_all = "camelCase")]
pub struct ChainRecord {
	/// How many blocks it had.
	pub height: u32,
	/// Hash of the last one.
	pub tip: H256,
	/// Accumulator root over every block's [`WorkBlock::verdicts_root`].
	pub solution_root: H256,
	/// Accumulator root over every block's `receipts_root`.
	pub receipts_root: H256,
	/// Subtasks with a digest.
	pub agreed: u32,
	/// Subtasks without a majority.
	pub failed: u32,
}

/// Where a task's money went. `deposited == paid + masternodes + refunded`, always.
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
#[serde(rename_all = "camelCase")]
pub struct Sums<Balance> {
	/// To workers.
	pub paid: Balance,
	/// To the masternodes' pot.
	pub masternodes: Balance,
	/// Back to those who paid in.
	pub refunded: Balance,
}

/// All that stays of a settled task: at most 256 bytes with its storage key.
#[derive(
	Clone,
	Debug,
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
#[serde(rename_all = "camelCase")]
pub struct Settlement<AccountId, Balance> {
	/// Who submitted it.
	pub owner: AccountId,
	/// The top-level block of its end.
	pub when: u32,
	/// How it ended.
	pub end: TaskEnd,
	/// What was found.
	pub chain: ChainRecord,
	/// Where the money went.
	pub sums: Sums<Balance>,
}
