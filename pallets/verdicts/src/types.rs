//! What the pallet keeps beside the heads of work chains: a range under vote, its seats and answers.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use dgcs_primitives::{
	api::{RangeView, SeatStage, SeatView},
	Commitment, Digests, RangeTerms, Receipt, ResultDigest, Round, MAX_PPLNS_WINDOW, MAX_REPLICAS,
};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_io::hashing::blake2_256;

use crate::{tally::mask_below, Config};

/// [`RangeVote::due`] of a range that waits for a worker and for nothing else: it has no agenda entry.
pub const PARKED: u32 = u32::MAX;

/// Most receipts of one verdict: one for every seat, and under PPLNS one for every credit that is
/// remembered from earlier verdicts.
pub const MAX_RECEIPTS: u32 = MAX_REPLICAS as u32 + MAX_PPLNS_WINDOW;

/// All seats of a range.
pub type Seats<AccountId> = BoundedVec<Seat<AccountId>, ConstU32<{ MAX_REPLICAS as u32 }>>;

/// A range as this runtime stores it.
pub type RangeOf<T> = RangeVote<<T as frame_system::Config>::AccountId>;

/// A receipt as this runtime makes it.
pub type ReceiptOf<T> = Receipt<<T as frame_system::Config>::AccountId, <T as Config>::Balance>;

/// Who did what in a round, and who was paid.
pub type ReceiptsOf<T> = BoundedVec<ReceiptOf<T>, ConstU32<MAX_RECEIPTS>>;

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
pub(crate) fn after(block: u32) -> u32 {
	block.saturating_add(1).min(PARKED - 1)
}

/// The digests that one or more workers revealed. Equal answers are stored once.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Answer {
	/// The subtasks that it speaks about, as bits: those that were open in its round.
	pub open: u64,
	/// One digest for each of them, in order.
	pub digests: Digests,
}

impl Answer {
	/// What the answer is stored under: `blake2_256(answer)`, in SCALE.
	pub fn key(&self) -> H256 {
		H256(blake2_256(&self.encode()))
	}

	/// What it says of `subtask`.
	pub fn digest(&self, subtask: u8) -> Option<&ResultDigest> {
		if mask_below(subtask.saturating_add(1)) & !mask_below(subtask) & self.open == 0 {
			return None;
		}
		let place = (self.open & mask_below(subtask)).count_ones();
		self.digests.get(place as usize)
	}
}
