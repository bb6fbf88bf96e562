//! Merkle commitments: a binary tree over one verdict, a mountain range over all of a task's.
//!
//! The mountain range grows by one leaf a verdict in O(log n) and is kept as its peaks alone, so
//! that the chain stores a few hashes however long the task is. Any leaf can be proven afterwards
//! with `polkadot-ckb-merkle-mountain-range`, whose positions and bagging are used unchanged.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use mmr::{
	helper::{get_peaks, leaf_index_to_mmr_size},
	MMRStoreReadOps, Merge, MMR,
};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_io::hashing::blake2_256;
use sp_runtime::traits::BlakeTwo256;

/// Root of the binary Merkle tree over the SCALE encodings of `leaves`, by Blake2-256.
/// A leaf is never 64 bytes long, so that none can be mistaken for an inner node.
pub fn merkle_root<Leaf: Encode>(leaves: &[Leaf]) -> H256 {
	binary_merkle_tree::merkle_root::<BlakeTwo256, _>(leaves.iter().map(Encode::encode))
}

/// How the mountain range joins two nodes: `blake2_256(0x01 ++ left ++ right)` (the prefix of
/// RFC 6962).
#[derive(Debug)]
pub struct JoinNodes;

impl Merge for JoinNodes {
	type Item = H256;

	fn merge(left: &H256, right: &H256) -> mmr::Result<H256> {
		Ok(H256(blake2_256(&(1u8, left, right).encode())))
	}
}

/// The leaf that stands for `root` in an [`Accumulator`]: `blake2_256(0x00 ++ root)`.
pub fn leaf_hash(root: H256) -> H256 {
	H256(blake2_256(&(0u8, root).encode()))
}

/// A Merkle mountain range, kept as its peaks.
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
pub struct Accumulator {
	leaves: u32,
	/// Left to right. A range of `u32` leaves has at most 32 of them.
	peaks: BoundedVec<H256, ConstU32<32>>,
}

impl Accumulator {
	/// How many leaves there are.
	pub fn leaves(&self) -> u32 {
		self.leaves
	}

	/// Appends [`leaf_hash`] of `root`. A full range (`u32::MAX` leaves) stays as it is.
	pub fn push(&mut self, root: H256) {
		let Some(leaves) = self.leaves.checked_add(1) else { return };
		let mut range = MMR::<H256, JoinNodes, _>::new(self.size(), Peaks(self));
		if range.push(leaf_hash(root)).is_err() {
			debug_assert!(false, "pushing reads peaks alone, and all peaks are kept");
			return;
		}
		let peaks: Vec<H256> = get_peaks(range.mmr_size())
			.into_iter()
			.filter_map(|position| range.batch().get_elem(position).ok().flatten())
			.collect();
		self.leaves = leaves;
		self.peaks = BoundedVec::truncate_from(peaks);
	}

	/// The root: all peaks, bagged from the right. All zeros while there is no leaf.
	pub fn root(&self) -> H256 {
		MMR::<H256, JoinNodes, _>::new(self.size(), Peaks(self)).get_root().unwrap_or_default()
	}

	fn size(&self) -> u64 {
		self.leaves.checked_sub(1).map_or(0, |last| leaf_index_to_mmr_size(u64::from(last)))
	}
}

/// The peaks of an accumulator as a store of nodes by position.
struct Peaks<'a>(&'a Accumulator);

impl MMRStoreReadOps<H256> for Peaks<'_> {
	fn get_elem(&self, position: u64) -> mmr::Result<Option<H256>> {
		let index = get_peaks(self.0.size()).iter().position(|peak| *peak == position);
		Ok(index.and_then(|index| self.0.peaks.get(index).copied()))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use mmr::util::MemStore;
	use proptest::prelude::*;

	fn root_of(i: u32) -> H256 {
		H256(blake2_256(&i.encode()))
	}

	#[test]
	fn empty_has_a_zero_root() {
		assert_eq!(Accumulator::default().root(), H256::zero());
	}

	proptest! {
		/// The peaks alone give the same root as the whole range, and its proofs verify.
		#[test]
		fn equals_the_whole_range(leaves in 1u32..300, pick in 0u32..300) {
			let store = MemStore::<H256>::default();
			let mut whole = MMR::<H256, JoinNodes, _>::new(0, &store);
			let mut peaks = Accumulator::default();
			let positions: Vec<u64> = (0..leaves)
				.map(|i| {
					peaks.push(root_of(i));
					whole.push(leaf_hash(root_of(i))).expect("the store holds every node")
				})
				.collect();
			prop_assert_eq!(peaks.root(), whole.get_root().expect("there are leaves"));

			let pick = pick % leaves;
			let position = positions[pick as usize];
			let proof = whole.gen_proof(vec![position]).expect("the leaf exists");
			let leaf = (position, leaf_hash(root_of(pick)));
			prop_assert!(proof.verify(peaks.root(), vec![leaf]).expect("well-formed"));
			let other = (position, leaf_hash(root_of(leaves)));
			prop_assert!(!proof.verify(peaks.root(), vec![other]).unwrap_or(false));
		}
	}
}
