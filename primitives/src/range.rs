//! A range under vote and its seats, as the chain stores them. In the metadata they are types of the
//! pallet that does: who reads it knows them as that.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::H256;

use crate::{
	api::{RangeView, SeatStage, SeatView},
	Ballot, Commitment, RangeIndex, RangeTerms, Round, TaskId, MAX_REPLICAS,
};

/// [`RangeVote::due`] of a range that waits for a worker and for nothing else: it has no agenda entry.
pub const PARKED: u32 = u32::MAX;

/// All seats of a range.
pub type Seats<AccountId> = BoundedVec<Seat<AccountId>, ConstU32<{ MAX_REPLICAS as u32 }>>;

/// The `bits` lowest bits set.
pub fn mask_below(bits: u8) -> u64 {
	1u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |bit| bit - 1)
}

/// The subtasks that `mask` names, in order.
pub fn subtasks(mask: u64) -> impl Iterator<Item = u8> {
	(0..64u8).filter(move |subtask| mask & (1 << subtask) != 0)
}

/// What a range waits for.
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
#[scale_info(replace_segment("dgcs_primitives", "pallet_verdicts"))]
#[scale_info(replace_segment("range", "types"))]
pub enum Phase {
	/// For every seat of the round to be taken and to commit.
	Commit,
	/// For every seat of the round to reveal.
	Reveal {
		/// The last block in which a reveal counts.
		until: u32,
	},
}

/// How far a worker has come with its seat.
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
#[scale_info(replace_segment("dgcs_primitives", "pallet_verdicts"))]
#[scale_info(replace_segment("range", "types"))]
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
	/// It has revealed the answer with this key.
	Revealed(H256),
	/// It committed and did not reveal in time.
	Withheld,
}

/// A worker's part in the vote on a range.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(replace_segment("dgcs_primitives", "pallet_verdicts"))]
#[scale_info(replace_segment("range", "types"))]
pub struct Seat<AccountId> {
	/// The worker.
	pub worker: AccountId,
	/// Who runs it: no operator has two seats on a range.
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

impl<AccountId> Seat<AccountId> {
	/// Whether its lease was over before block `now`, without a commitment.
	pub fn has_lapsed(&self, now: u32) -> bool {
		matches!(self.state, SeatState::Leased { until, .. } if until < now)
	}

	/// Whether its worker has said that it has computed the range.
	pub fn has_committed(&self) -> bool {
		!matches!(self.state, SeatState::Leased { .. })
	}

	/// What everybody may see of it.
	pub fn view(self) -> SeatView<AccountId> {
		SeatView {
			worker: self.worker,
			operator: self.operator,
			round: self.round,
			stage: match self.state {
				SeatState::Leased { until, .. } => SeatStage::Leased { until },
				SeatState::Committed(_) => SeatStage::Committed,
				SeatState::Revealed(_) => SeatStage::Revealed,
				SeatState::Withheld => SeatStage::Withheld,
			},
			agreed: self.agreed,
			dissented: self.dissented,
		}
	}

	/// The key of its answer, if it has revealed.
	pub fn answer(&self) -> Option<H256> {
		match self.state {
			SeatState::Revealed(key) => Some(key),
			_ => None,
		}
	}
}

/// A range under vote. It comes to be with its first seat, and goes with its last verdict.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(replace_segment("dgcs_primitives", "pallet_verdicts"))]
#[scale_info(replace_segment("range", "types"))]
pub struct RangeVote<AccountId> {
	/// How the vote goes.
	pub terms: RangeTerms,
	/// The current round.
	pub round: Round,
	/// Bit `i` is set while subtask `i` has no verdict.
	pub open: u64,
	/// What it waits for.
	pub phase: Phase,
	/// The block of its agenda entry, never after [`RangeVote::next_due`]; or [`PARKED`].
	pub due: u32,
	/// Everybody who votes or has voted.
	pub seats: Seats<AccountId>,
}

impl<AccountId> RangeVote<AccountId> {
	/// A range in which nobody sits yet.
	pub fn new(terms: RangeTerms) -> Self {
		Self {
			terms,
			round: Round(0),
			open: mask_below(terms.len),
			phase: Phase::Commit,
			due: PARKED,
			seats: Seats::new(),
		}
	}

	/// What everybody may see of it.
	pub fn view(self) -> RangeView<AccountId> {
		RangeView {
			round: self.round,
			open: self.open,
			reveal_until: match self.phase {
				Phase::Commit => None,
				Phase::Reveal { until } => Some(until),
			},
			seats: self.seats.into_iter().map(Seat::view).collect(),
		}
	}

	/// The seats of the current round that are taken.
	pub fn sitting(&self) -> impl Iterator<Item = &Seat<AccountId>> {
		self.seats.iter().filter(|seat| seat.round == self.round)
	}

	/// How many seats the current round has.
	pub fn seats_needed(&self) -> usize {
		if self.round == Round(0) {
			usize::from(self.terms.replicas)
		} else {
			1
		}
	}

	/// Whether the current round has a seat to give.
	pub fn has_open_seat(&self) -> bool {
		self.phase == Phase::Commit && self.sitting().count() < self.seats_needed()
	}

	/// Whether every seat of the current round is taken and has committed.
	pub fn all_committed(&self) -> bool {
		self.sitting().count() >= self.seats_needed()
			&& self.sitting().all(|seat| matches!(seat.state, SeatState::Committed(_)))
	}

	/// Whether every seat of the current round has revealed.
	pub fn all_revealed(&self) -> bool {
		self.sitting().all(|seat| seat.answer().is_some())
	}

	/// Whether one more replica may be leased.
	pub fn may_grow(&self) -> bool {
		self.seats.len() < usize::from(self.terms.max_replicas.min(MAX_REPLICAS))
	}

	/// The seat of `worker`, if it has one.
	pub fn seat(&self, worker: &AccountId) -> Option<&Seat<AccountId>>
	where
		AccountId: PartialEq,
	{
		self.seats.iter().find(|seat| seat.worker == *worker)
	}

	/// Which subtasks of the range, counted from its start, are still to be voted on: what a commit
	/// and a reveal in this round must have a digest for, in this order.
	pub fn open_subtasks(&self) -> impl Iterator<Item = u8> + '_ {
		subtasks(self.open & mask_below(self.terms.len))
	}

	/// Where a vote in the current round belongs.
	pub fn ballot(&self, genesis: H256, task: TaskId, range: RangeIndex) -> Ballot {
		Ballot { genesis, task, range, round: self.round }
	}

	/// The first block in which something is overdue: a lease, or the reveals.
	pub fn next_due(&self) -> Option<u32> {
		let last = match self.phase {
			Phase::Reveal { until } => Some(until),
			Phase::Commit => self
				.seats
				.iter()
				.filter_map(|seat| match seat.state {
					SeatState::Leased { until, .. } => Some(until),
					_ => None,
				})
				.min(),
		};
		last.map(after)
	}
}

/// The block after `block`. Saturates below [`PARKED`], which is no block.
pub fn after(block: u32) -> u32 {
	block.saturating_add(1).min(PARKED - 1)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn masks_have_their_edges() {
		assert_eq!(mask_below(0), 0);
		assert_eq!(mask_below(1), 1);
		assert_eq!(mask_below(63), u64::MAX >> 1);
		assert_eq!(mask_below(64), u64::MAX);
		assert_eq!(mask_below(255), u64::MAX);
		assert_eq!(subtasks(0b1010_0001).collect::<Vec<_>>(), [0, 5, 7]);
		assert_eq!(subtasks(u64::MAX).count(), 64);
	}
}
