//! Where the pallets meet. None reaches into another's storage; each sees the others through one
//! of these traits, and its tests see the doubles in [`crate::doubles`].

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::dispatch::DispatchResult;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::{DispatchError, Perbill};

use crate::{ChainRecord, Kinds, Payout, RangeIndex, Requirements, Selection, Sums, TaskId};

/// A task's money. Implemented by `pallet-escrow`.
pub trait Escrow<AccountId, Balance> {
	/// What the masternodes get of every reward, on top of it.
	fn masternode_share() -> Perbill;

	/// Holds `amount` of `owner` for the new task `task`. Fails if the owner has not enough.
	fn open(task: TaskId, owner: &AccountId, amount: Balance, payout: Payout) -> DispatchResult;

	/// Adds `amount` of `funder` to the task's money.
	fn add(task: TaskId, funder: &AccountId, amount: Balance) -> DispatchResult;

	/// Pays one verdict: each `(payee, results)` has earned `results * reward`, and the task's
	/// payout scheme says who gets it now. Returns what each payee got.
	fn pay(
		task: TaskId,
		reward: Balance,
		credits: &[(AccountId, u32)],
	) -> Result<Vec<(AccountId, Balance)>, DispatchError>;

	/// Ends the task's money: the masternodes' share to their pot, the rest back to those who
	/// paid in. Nothing of the task can be paid afterwards.
	fn close(task: TaskId) -> Result<Sums<Balance>, DispatchError>;
}

/// Why a worker got no work. Shown to it as is.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
	/// No task has an open seat.
	QueueEmpty,
	/// The worker's operator already has a seat on every range that is open.
	AlreadySeated,
	/// The lease would end after the task's deadline.
	DeadlineTooClose,
	/// The tasks in the queue are of kinds that the worker does not offer.
	KindNotOffered,
	/// The tasks in the queue need more memory than the worker offers.
	NotEnoughMemory,
	/// The tasks in the queue want a longer run of good results.
	NotProven,
	/// All slots that the worker offers are taken.
	NoFreeSlot,
	/// The account is no registered worker.
	NotRegistered,
	/// The worker is suspended.
	Suspended,
	/// The worker is blacklisted.
	Blacklisted,
	/// The worker is leaving.
	Leaving,
}

/// What a worker in good standing offers at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer<AccountId> {
	/// Who runs it. Two replicas of a range never go to one operator.
	pub operator: AccountId,
	/// The kinds that it serves.
	pub kinds: Kinds,
	/// Memory for each slot, in MiB.
	pub memory_mib: u32,
	/// Leases that it has room for: some to compute at once, others to go on with.
	pub room: u16,
	/// Whether its run of good results is long enough for [`Selection::Proven`].
	pub proven: bool,
}

impl<AccountId> Offer<AccountId> {
	/// Whether the worker may be drawn for a task with these requirements, or why not.
	pub fn check(&self, required: &Requirements) -> Result<(), Refusal> {
		if self.room == 0 {
			Err(Refusal::NoFreeSlot)
		} else if !self.kinds.contains(required.kind) {
			Err(Refusal::KindNotOffered)
		} else if self.memory_mib < required.memory_mib {
			Err(Refusal::NotEnoughMemory)
		} else if required.selection == Selection::Proven && !self.proven {
			Err(Refusal::NotProven)
		} else {
			Ok(())
		}
	}
}

/// What a worker did with its seat on a range.
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
pub enum Conduct {
	/// All its results that were decided on agree with the verdicts.
	Agreed,
	/// At least one of its results does not.
	Dissented,
	/// It committed and did not reveal in time. Costs as much as being wrong.
	Withheld,
	/// It let its lease lapse without a commitment.
	Lapsed {
		/// The block in which it got the lease. Seen since: silent. Not seen since: offline.
		since: u32,
	},
}

/// The workers. Implemented by `pallet-workers`.
pub trait Workers<AccountId> {
	/// What `worker` offers now, or why it gets no work at all.
	fn offer(worker: &AccountId) -> Result<Offer<AccountId>, Refusal>;

	/// Where the worker's rewards go.
	fn payee(worker: &AccountId) -> AccountId;

	/// Takes one of the worker's free slots.
	fn occupy(worker: &AccountId) -> Result<(), Refusal>;

	/// Gives a slot back: the worker has committed, or its lease is over.
	fn vacate(worker: &AccountId);

	/// Notes that the worker is alive.
	fn seen(worker: &AccountId);

	/// Rates the worker, slashes it if it has earned that, and changes its standing if due.
	fn rate(worker: &AccountId, conduct: Conduct);
}

/// How the vote on a range goes, copied from the task when its first seat is taken.
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
pub struct RangeTerms {
	/// Subtasks in the range, 1 to 64.
	pub len: u8,
	/// Seats of the first round.
	pub replicas: u8,
	/// Seats that the range may ever have.
	pub max_replicas: u8,
}

/// Why a seat can't be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatError {
	/// The operator has a seat on this range, or had one that did not lapse.
	AlreadySeated,
	/// The range has no open seat.
	NoOpenSeat,
}

/// The votes. Implemented by `pallet-verdicts`, used by the task book.
pub trait Judge<AccountId> {
	/// Starts the work chain of a task with `subtasks` subtasks to decide on.
	fn open(task: TaskId, subtasks: u32);

	/// Gives `worker` a seat on the range until block `until`. The range comes to be with its
	/// first seat.
	fn seat(
		task: TaskId,
		range: RangeIndex,
		terms: RangeTerms,
		worker: &AccountId,
		operator: &AccountId,
		until: u32,
	) -> Result<(), SeatError>;

	/// Takes `subtasks` that were never leased out of what is to be decided. Calls
	/// [`TaskBook::finished`] if nothing is left.
	fn withdraw(task: TaskId, subtasks: u32);

	/// Ends the vote: nothing of the task is accepted any more. What it leaves behind is returned,
	/// all else is queued for deletion. `None` if the task has no work chain.
	fn close(task: TaskId) -> Option<ChainRecord>;
}

/// The task book. Implemented by `pallet-tasks`, used by the votes.
pub trait TaskBook<Balance> {
	/// What one result of the task earns now. `None` if the task is not running.
	fn reward(task: TaskId) -> Option<Balance>;

	/// One seat of the range is open: a lease lapsed, or an extra replica is needed.
	fn reopen(task: TaskId, range: RangeIndex);

	/// The last open subtask has its verdict.
	fn finished(task: TaskId);
}
