//! What the pallet keeps beside work chains and ranges under vote, which others read as well.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use dgcs_primitives::{
	range::{mask_below, RangeVote},
	Digests, Receipt, ResultDigest, MAX_PPLNS_WINDOW, MAX_REPLICAS,
};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_io::hashing::blake2_256;

use crate::Config;

/// Most receipts of one verdict: one for every seat, and under PPLNS one for every credit that is
/// remembered from earlier verdicts.
pub const MAX_RECEIPTS: u32 = MAX_REPLICAS as u32 + MAX_PPLNS_WINDOW;

/// A range as this runtime stores it.
pub type RangeOf<T> = RangeVote<<T as frame_system::Config>::AccountId>;

/// A receipt as this runtime makes it.
pub type ReceiptOf<T> = Receipt<<T as frame_system::Config>::AccountId, <T as Config>::Balance>;

/// Who did what in a round, and who was paid.
pub type ReceiptsOf<T> = BoundedVec<ReceiptOf<T>, ConstU32<MAX_RECEIPTS>>;

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
