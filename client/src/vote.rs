//! The votes that are going on, as the chain stores them.

use dgcs_primitives::range;

use crate::AccountId;

pub use range::{Phase, SeatState};

/// A range under vote.
pub type RangeVote = range::RangeVote<AccountId>;
/// A worker's part in the vote on a range.
pub type Seat = range::Seat<AccountId>;
