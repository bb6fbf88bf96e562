#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod accumulator;
pub mod api;
mod chain;
#[cfg(feature = "std")]
pub mod doubles;
mod ids;
mod price;
pub mod range;
mod task;
mod traits;
mod vote;

pub use accumulator::{leaf_hash, merkle_root, Accumulator, JoinNodes};
pub use chain::{
	ChainRecord, Head, Outcome, Receipt, Settlement, Sums, TaskEnd, Verdict, Verdicts, WorkBlock,
	BLOCK_DOMAIN,
};
pub use ids::{ContentCodec, ContentId, EncryptionKey, RangeIndex, ResultDigest, Round, TaskId};
pub use price::Price;
pub use task::{
	Kinds, Payout, Requirements, Selection, SpecError, SubtaskLimits, TaskKind, TaskSpec,
	Visibility, MAX_MEMORY_MIB, MAX_PPLNS_WINDOW, MAX_RANGE_SIZE, MAX_REPLICAS, MAX_SUBTASKS,
	MIN_REPLICAS,
};
pub use traits::{
	Conduct, Escrow, Judge, Offer, RangeTerms, Refusal, SeatError, TaskBook, Workers,
};
pub use vote::{Ballot, Commitment, Digests, Vote, COMMIT_DOMAIN, VOTE_DOMAIN};

/// The type that block numbers have on the top-level chain.
pub type BlockNumber = u32;
