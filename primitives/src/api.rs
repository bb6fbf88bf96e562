//! The runtime API that the node's `dgcs_*` JSON-RPC and its custody read through, and the views it
//! returns.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::Permill;

use crate::{
	BlockNumber, EncryptionKey, Kinds, Price, RangeIndex, Round, Settlement, SpecError, TaskId,
	TaskSpec, WorkBlock,
};

/// Most work-chain blocks that one call returns.
pub const MAX_BLOCKS_PER_CALL: u32 = 256;
/// Most tasks that one call names.
pub const MAX_TASKS_PER_CALL: u32 = 1024;
/// Most ranges that one call looks at.
pub const MAX_RANGES_PER_CALL: u32 = 256;
/// Leases that each slot of a worker may have: that on the range which it computes, and those on the next
/// ones. With a range that takes as little as two blocks it need not wait for work.
pub const LEASES_PER_SLOT: u16 = 4;
/// Most slots that one ask may be for.
pub const MAX_SLOTS_PER_ASK: u16 = 64;

/// Where a live task stands.
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
pub enum TaskState {
	/// Waits for its first lease until the block named by `due`.
	Queued,
	/// Has until the block named by `due`.
	Running,
	/// Cancelled by its owner: no new ranges, those begun are decided. Until `due`.
	Cancelling,
}

/// A live task.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskView<AccountId, Balance> {
	/// Who submitted it.
	pub owner: AccountId,
	/// What was asked for.
	pub spec: TaskSpec<Balance>,
	/// Where it stands.
	pub state: TaskState,
	/// When that state ends by itself.
	pub due: BlockNumber,
	/// What one result earns now: the reward of the specification and what was added on top.
	pub reward: Balance,
	/// Money still held.
	pub held: Balance,
	/// Ranges that were leased at least once.
	pub begun_ranges: u32,
	/// Subtasks without a verdict.
	pub open_subtasks: u32,
	/// Subtasks with a digest.
	pub agreed: u32,
	/// Subtasks without a majority.
	pub failed: u32,
	/// Blocks in its work chain.
	pub height: u32,
}

/// A task, live or ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::large_enum_variant)] // Returned once per call; boxing would only cost clarity.
pub enum TaskInfo<AccountId, Balance> {
	/// In the queue or being computed.
	Live(TaskView<AccountId, Balance>),
	/// Settled; this is what is kept.
	Settled(Settlement<AccountId, Balance>),
}

/// Where a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuePosition {
	/// The priority bucket; a higher one is served first.
	pub bucket: u8,
	/// Tasks of the same bucket that ask for the same of a worker and come before it, at the most:
	/// some may have ended meanwhile.
	pub ahead: u64,
}

/// How far a worker has come with its seat on a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SeatStage {
	/// It computes.
	Leased {
		/// The last block in which a commitment counts.
		until: BlockNumber,
	},
	/// It has committed.
	Committed,
	/// It has revealed.
	Revealed,
	/// It committed and did not reveal in time.
	Withheld,
}

impl SeatStage {
	/// Whether the worker may have the range's key in block `now`: from the draw until the lease lapses,
	/// and once it has committed until it reveals, since it may have lost its results.
	pub fn is_live(&self, now: BlockNumber) -> bool {
		match self {
			SeatStage::Leased { until } => *until >= now,
			SeatStage::Committed => true,
			SeatStage::Revealed | SeatStage::Withheld => false,
		}
	}
}

/// A worker's part in the vote on a range.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatView<AccountId> {
	/// The worker.
	pub worker: AccountId,
	/// Who runs it.
	pub operator: AccountId,
	/// The round that it was drawn for.
	pub round: Round,
	/// How far it is.
	pub stage: SeatStage,
	/// Results that agree with a verdict.
	pub agreed: u8,
	/// Results that do not.
	pub dissented: u8,
}

/// A range that is computed or voted on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RangeView<AccountId> {
	/// The current round.
	pub round: Round,
	/// Bit `i` is set while subtask `i` of the range has no verdict.
	pub open: u64,
	/// The last block in which a reveal counts; `None` until every seat of the round has committed.
	pub reveal_until: Option<BlockNumber>,
	/// Everybody who votes or has voted.
	pub seats: Vec<SeatView<AccountId>>,
}

impl<AccountId: PartialEq> RangeView<AccountId> {
	/// Whether the worker has a lease that is [live](SeatStage::is_live) in block `now`.
	pub fn has_lease(&self, worker: &AccountId, now: BlockNumber) -> bool {
		self.seats.iter().any(|seat| seat.worker == *worker && seat.stage.is_live(now))
	}
}

/// What the network thinks of a worker.
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
pub enum Standing {
	/// Gets work.
	#[default]
	Good,
	/// Gets no new work, and may resume from the block named.
	Suspended {
		/// The first block in which it may resume.
		until: BlockNumber,
	},
	/// Never gets work again.
	Blacklisted,
}

/// What a worker's machine offers.
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
pub struct Capacity {
	/// Ranges that it can compute at the same time.
	pub slots: u16,
	/// Memory for each of them, in MiB.
	pub memory_mib: u32,
}

impl Capacity {
	/// Leases that it may have, with so many for each slot.
	pub fn leases(&self, per_slot: u16) -> u16 {
		self.slots.saturating_mul(per_slot)
	}
}

/// A registered worker.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerView<AccountId, Balance> {
	/// Who runs it, and where its rewards go.
	pub operator: AccountId,
	/// What it has at stake.
	pub bond: Balance,
	/// Where range keys are sealed to.
	pub key: EncryptionKey,
	/// What it offers.
	pub capacity: Capacity,
	/// The kinds that it serves.
	pub kinds: Kinds,
	/// Leases without a commitment: of the ranges that its slots compute, and of the next ones.
	pub busy: u16,
	/// Its standing.
	pub standing: Standing,
	/// Good results since the last bad one.
	pub good_run: u32,
	/// Score of the track "wrong": 100 % is best.
	pub wrong: Permill,
	/// Score of the track "silent".
	pub silent: Permill,
	/// Score of the track "offline".
	pub offline: Permill,
	/// When it was last heard of.
	pub last_seen: BlockNumber,
	/// When its bond is free, if it is leaving.
	pub leaving: Option<BlockNumber>,
}

/// Where a masternode answers, as text: a URL or a multiaddress.
pub type ServiceAddress = BoundedVec<u8, ConstU32<128>>;

/// A bonded masternode.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MasternodeView<AccountId, Balance> {
	/// Its account.
	pub account: AccountId,
	/// What it has at stake.
	pub bond: Balance,
	/// Where key shares are sealed to.
	pub key: EncryptionKey,
	/// Where it answers.
	pub address: ServiceAddress,
	/// Whether it authors and votes in the current session.
	pub active: bool,
	/// Blocks that it has authored in the current session.
	pub authored: u32,
}

/// Why there is no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum EstimateError {
	/// The specification breaks a rule.
	Invalid(SpecError),
	/// The price does not fit the balance type.
	Overflow,
}

sp_api::decl_runtime_apis! {
	/// What the `dgcs_*` JSON-RPC and masternodes' custody read.
	#[api_version(2)]
	pub trait DgcsApi<AccountId, Balance>
	where
		AccountId: codec::Codec,
		Balance: codec::Codec,
	{
		/// The task, live or settled. `None`: never submitted, or ended with nothing kept.
		fn task(task: TaskId) -> Option<TaskInfo<AccountId, Balance>>;

		/// Up to `limit` (at most [`MAX_TASKS_PER_CALL`]) live tasks, those that follow on `after` in the
		/// order of the state. All of them have been named when there are fewer than that.
		fn live_tasks(after: Option<TaskId>, limit: u32) -> Vec<TaskId>;

		/// The tasks whose state, money or work chain changed in this block, by their ids. Those that
		/// ended are among them.
		fn changed_tasks() -> Vec<TaskId>;

		/// Where the task waits. `None`: not in the queue.
		fn queue_position(task: TaskId) -> Option<QueuePosition>;

		/// Up to `limit` (at most [`MAX_BLOCKS_PER_CALL`]) blocks of the task's work chain, from
		/// index `from` on. `None`: the task is not live.
		fn work_chain(task: TaskId, from: u32, limit: u32) -> Option<Vec<WorkBlock>>;

		/// A range under vote. `None`: nobody has a seat on it yet, all of it is decided, or there is
		/// no such range.
		fn range(task: TaskId, range: RangeIndex) -> Option<RangeView<AccountId>>;

		/// The ranges of the task on which the worker has a [live](SeatStage::is_live) lease, out of the
		/// first [`MAX_RANGES_PER_CALL`] under vote in the order of the state.
		fn leases(task: TaskId, worker: AccountId) -> Vec<RangeIndex>;

		/// The worker. `None`: not registered.
		fn worker(account: AccountId) -> Option<WorkerView<AccountId, Balance>>;

		/// What a task would cost.
		fn estimate(spec: TaskSpec<Balance>) -> Result<Price<Balance>, EstimateError>;

		/// All bonded masternodes, highest bond first.
		fn masternodes() -> Vec<MasternodeView<AccountId, Balance>>;
	}
}
