//! The votes that are going on, as the chain stores them.

use codec::{Decode, Encode};
use dgcs_primitives::{Ballot, Commitment, RangeIndex, RangeTerms, Round, TaskId};
use sp_core::H256;

use crate::AccountId;

/// A range under vote. It comes to be with its first lease, and goes with its last verdict.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RangeVote {
	/// How the vote goes.
	pub terms: RangeTerms,
	/// The current round.
	pub round: Round,
	/// Bit `i` is set while subtask `i` of the range has no verdict.
	pub open: u64,
	/// What the range waits for.
	pub phase: Phase,
	/// When the chain looks at it by itself. `u32::MAX`: it waits for a worker and nothing else.
	pub due: u32,
	/// Everybody who votes or has voted.
	pub seats: Vec<Seat>,
}

/// What a range waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Phase {
	/// For every seat of the round to be taken and to commit.
	Commit,
	/// For every seat of the round to reveal.
	Reveal {
		/// The last block in which a reveal counts.
		until: u32,
	},
}

/// A worker's part in the vote on a range.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Seat {
	/// The worker.
	pub worker: AccountId,
	/// Who runs it.
	pub operator: AccountId,
	/// The round that it was drawn for.
	pub round: Round,
	/// How far it is.
	pub state: SeatState,
	/// Results that agree with a verdict.
	pub agreed: u8,
	/// Results that do not.
	pub dissented: u8,
}

/// How far a worker has come with its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
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
	/// It has revealed. The hash names its answer in the chain's storage.
	Revealed(H256),
	/// It committed and did not reveal in time.
	Withheld,
}

impl RangeVote {
	/// The seat of `worker`, if it has one.
	pub fn seat(&self, worker: &AccountId) -> Option<&Seat> {
		self.seats.iter().find(|seat| seat.worker == *worker)
	}

	/// Which subtasks of the range, counted from its start, are still to be voted on: what a commit
	/// and a reveal in this round must have a digest for, in this order.
	pub fn open_subtasks(&self) -> impl Iterator<Item = u8> + '_ {
		(0..self.terms.len.min(64)).filter(|subtask| self.open >> subtask & 1 == 1)
	}

	/// Where a vote in the current round belongs.
	pub fn ballot(&self, genesis: H256, task: TaskId, range: RangeIndex) -> Ballot {
		Ballot { genesis, task, range, round: self.round }
	}
}
