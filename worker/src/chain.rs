//! The chain, as a worker sees it: what it reads in a block, and what it may ask of it.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use codec::{Decode, Encode};
use dgcs_primitives::{
	api::{Capacity, Standing},
	Commitment, Digests, EncryptionKey, Kinds, RangeIndex, Refusal, Round, TaskId, TaskSpec,
};
use serde::{Serialize, Serializer};
use sp_core::H256;

/// The type of the chain's amounts.
pub type Balance = u128;

/// The smallest units of one DGC.
const DGC: Balance = 1_000_000_000_000;

/// An amount of money. In JSON a text with the smallest units, of which there may be more than a number can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dgc(pub Balance);

impl Dgc {
	/// So many DGC.
	pub fn whole(dgc: u64) -> Self {
		Dgc(Balance::from(dgc) * DGC)
	}
}

impl fmt::Display for Dgc {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let (whole, part) = (self.0 / DGC, self.0 % DGC);
		if part == 0 {
			return write!(f, "{whole} DGC");
		}
		let part = format!("{part:012}");
		write!(f, "{whole}.{} DGC", part.trim_end_matches('0'))
	}
}

impl Serialize for Dgc {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(&self.0)
	}
}

/// A range of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Place {
	/// The task.
	pub task: TaskId,
	/// The range within the task.
	pub range: RangeIndex,
}

impl fmt::Display for Place {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "task {} range {}", self.task, self.range)
	}
}

/// What the vote on a range waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
	/// For every seat to be taken and to commit.
	Commit,
	/// For every seat to reveal.
	Reveal {
		/// The block in which the last seat committed.
		begun: u32,
		/// The last block in which a reveal counts.
		until: u32,
	},
}

/// How far the worker has come with its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatState {
	/// It computes.
	Leased {
		/// The block in which it got the lease.
		since: u32,
		/// The last block in which a commitment counts.
		until: u32,
	},
	/// It has committed.
	Committed(Commitment),
	/// It has revealed.
	Revealed,
	/// It committed and did not reveal in time.
	Withheld,
}

/// This worker's seat on a range, as some block has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
	/// The round that it was drawn for.
	pub round: Round,
	/// Bit `i` is set while subtask `i` of the range has no verdict.
	pub open: u64,
	/// What the vote waits for.
	pub phase: Phase,
	/// How far this seat is.
	pub state: SeatState,
}

/// What the chain knows of this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
	/// What it offers.
	pub capacity: Capacity,
	/// Where keys are sealed to.
	pub key: EncryptionKey,
	/// The kinds that it serves.
	pub kinds: Kinds,
	/// Slots that are taken: its leases without a commitment.
	pub busy: u16,
	/// Its standing.
	pub standing: Standing,
	/// Whether it is leaving.
	pub leaving: bool,
}

/// What tells one state of the queue from another. A worker that was refused asks again when it
/// has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
	/// The number that the next task will have.
	pub next_task: u64,
	/// The classes of which tasks with open seats wait, in any bucket, as bits.
	pub waiting: u64,
}

/// What a worker is blamed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
	/// A result of its is not that of the majority.
	Dissented,
	/// It committed to results, and did not reveal them.
	Withheld,
	/// A lease of its lapsed, and it was heard of meanwhile.
	Silent,
	/// A lease of its lapsed, and it was not.
	Offline,
}

impl fmt::Display for Fault {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Fault::Dissented => "a result is not that of the majority",
			Fault::Withheld => "results were not revealed in time",
			Fault::Silent => "there were no results before the lease was over",
			Fault::Offline => {
				"there were no results before the lease was over, and no sign of this worker"
			},
		})
	}
}

/// What a final block did to this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
	/// Subtasks of a range that it has revealed results for have their verdicts.
	Decided {
		/// The range.
		place: Place,
		/// The round that decided.
		round: Round,
		/// How many of its results agree.
		agreed: u32,
		/// How many do not.
		dissented: u32,
		/// What was paid at this verdict: for these results, and where payment is by the last results (PPLNS)
		/// for earlier ones.
		paid: Balance,
	},
	/// Its lease on a range was over before it had committed.
	Lapsed {
		/// The range.
		place: Place,
		/// The round of the vote.
		round: Round,
	},
	/// It lost a part of its bond.
	Slashed {
		/// How much.
		amount: Balance,
		/// What for.
		fault: Fault,
	},
}

/// A best block, as far as it concerns this worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
	/// The block's number.
	pub block: u32,
	/// The last block that is final.
	pub finalised: u32,
	/// This worker, if it is registered.
	pub worker: Option<Record>,
	/// Whether it waits in the line for work.
	pub asking: bool,
	/// Why it last left the line without work, if that was since the last view.
	pub refused: Option<Refusal>,
	/// The queue.
	pub queue: Queue,
	/// Why none of the tasks that wait is for this worker. `None`: some are, or none waits.
	pub unsuited: Option<Refusal>,
	/// The places that were asked for and all that were leased to this worker since the last view,
	/// each with this worker's seat, if it has one.
	pub seats: BTreeMap<Place, Option<Seat>>,
	/// What became final since the last view, in order. Some of it is left out after a long absence.
	pub news: Vec<News>,
}

/// What a worker says to the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
	/// Join the line for so many ranges.
	Take(u16),
	/// Commit to the results of a range.
	Commit(Place, Commitment),
	/// Show them.
	Reveal(Place, Digests, H256),
	/// Register this worker. Its bond follows from the capacity.
	Register {
		/// Who runs it, and where rewards go.
		operator: H256,
		/// Where keys are sealed to.
		key: EncryptionKey,
		/// What it offers.
		capacity: Capacity,
		/// The kinds that it serves.
		kinds: Kinds,
	},
	/// Change what was registered. The fields are those of [`Call::Register`].
	Update {
		/// Who runs it, and where rewards go.
		operator: H256,
		/// Where keys are sealed to.
		key: EncryptionKey,
		/// What it offers.
		capacity: Capacity,
		/// The kinds that it serves.
		kinds: Kinds,
	},
}

/// Why the chain could not be read or a call was not included.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
	/// The connection, or the node at its other end. Worth another try.
	#[error("the chain can't be reached: {0}; it is tried again. If that lasts, see that a node of --chain runs and is reached from here, or name others")]
	Unreachable(String),
	/// The chain refuses the call.
	#[error("the chain refuses {call}: {reason}")]
	Refused {
		/// Which call.
		call: &'static str,
		/// The chain's own words, with what to do.
		reason: String,
	},
}

impl Call {
	/// The call's name on the chain.
	pub fn name(&self) -> &'static str {
		match self {
			Call::Take(_) => "tasks.take",
			Call::Commit(..) => "verdicts.commit",
			Call::Reveal(..) => "verdicts.reveal",
			Call::Register { .. } => "workers.register",
			Call::Update { .. } => "workers.update",
		}
	}
}

/// A chain at its best block, read and spoken to in the name of one worker.
///
/// Every method has a deadline of its own and ends with [`ChainError::Unreachable`] after it.
#[async_trait]
pub trait Chain: Send + Sync + 'static {
	/// Waits for a best block that was not returned yet, and reads it: the places in `watch`, and
	/// whatever was leased to this worker since the last call. The first call finds all seats that
	/// the worker has, wherever they are, and so does every one with `all`.
	async fn next(&self, watch: &[Place], all: bool) -> Result<View, ChainError>;

	/// The specification of a live task. `None`: it has ended.
	async fn task(&self, task: TaskId) -> Result<Option<TaskSpec<Balance>>, ChainError>;

	/// Signs a call as this worker and waits until it is in a block.
	async fn send(&self, call: Call) -> Result<(), ChainError>;
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn amounts_are_read_in_dgc() {
		assert_eq!(Dgc(20 * DGC).to_string(), "20 DGC");
		assert_eq!(Dgc(DGC / 20).to_string(), "0.05 DGC");
		assert_eq!(Dgc(0).to_string(), "0 DGC");
	}
}
