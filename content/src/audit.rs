//! The Merkle tree of a shard, by which its storer proves to have it (§4.3.2): a leaf of it, and the hashes
//! that lead from there to the root.
//!
//! It is the tree within BLAKE3 (section 2.1 of its paper), so the root is the BLAKE3 hash of the shard. Every
//! byte of an input goes into it, and BLAKE3 hashes as many leaves at once as the processor's registers
//! take: with Blake2b it took as long as SHA-256 and the encryption together.

use blake3::hazmat::{
	merge_subtrees_non_root, merge_subtrees_root, ChainingValue, HasherExt, Mode,
};
use sp_core::H256;

use crate::merkle::{rows, siblings};

/// Bytes in one leaf of a shard's tree (§4.3.1: what an audit asks for is small).
pub const LEAF_SIZE: usize = blake3::CHUNK_LEN;

/// Hashes a shard from its start to its end, and gives the root of its tree.
#[derive(Debug, Default)]
pub(crate) struct ShardHasher(blake3::Hasher);

impl ShardHasher {
	/// Takes the next bytes. Many at once are faster.
	pub fn update(&mut self, bytes: &[u8]) {
		self.0.update(bytes);
	}

	/// The root of the tree over all bytes.
	pub fn root(&self) -> H256 {
		H256(self.0.finalize().into())
	}
}

/// The root of the tree over a shard of these bytes.
pub fn root(shard: &[u8]) -> H256 {
	H256(blake3::hash(shard).into())
}

/// The hash of leaf `index` of a shard that has more than one.
pub(crate) fn leaf_hash(index: u32, leaf: &[u8]) -> ChainingValue {
	let mut hasher = blake3::Hasher::new();
	hasher.set_input_offset(u64::from(index) * LEAF_SIZE as u64);
	hasher.update(leaf).finalize_non_root()
}

/// The hashes that lead from leaf `index` up to the root of a tree over these, from below. `None` if
/// there is no such leaf.
pub(crate) fn prove(leaves: Vec<ChainingValue>, index: u32) -> Option<Vec<H256>> {
	let rows = rows(leaves, |left, right| merge_subtrees_non_root(left, right, Mode::Hash));
	Some(siblings(&rows, index)?.into_iter().map(H256).collect())
}

/// Whether `leaf` is number `index` of the shard of `leaves` leaves (two at least) with this `root`, by
/// the `proof` of [`audit_shard`](crate::audit_shard).
pub fn verify(root: &H256, leaves: u32, index: u32, leaf: &[u8], proof: &[H256]) -> bool {
	if index >= leaves || leaf.len() != LEAF_SIZE {
		return false;
	}
	let mut node = leaf_hash(index, leaf);
	let mut proof = proof.iter();
	let (mut index, mut last) = (index, leaves - 1);
	while last > 0 {
		// The last of an odd row moves up as it is.
		if index != last || index % 2 == 1 {
			let Some(H256(sibling)) = proof.next() else { return false };
			let (left, right) = if index % 2 == 1 { (sibling, &node) } else { (&node, sibling) };
			if last == 1 {
				let top = merge_subtrees_root(left, right, Mode::Hash);
				return proof.next().is_none() && H256(top.into()) == *root;
			}
			node = merge_subtrees_non_root(left, right, Mode::Hash);
		}
		(index, last) = (index / 2, last / 2);
	}
	false
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn shard(leaves: u32) -> Vec<u8> {
		(0..leaves as usize * LEAF_SIZE).map(|i| (i * 7 / 3) as u8).collect()
	}

	fn hashes(shard: &[u8]) -> Vec<ChainingValue> {
		(0..).zip(shard.chunks(LEAF_SIZE)).map(|(index, leaf)| leaf_hash(index, leaf)).collect()
	}

	#[test]
	fn a_root_is_the_same_in_one_go_and_piece_by_piece() {
		let shard = shard(300);
		let mut hasher = ShardHasher::default();
		shard.chunks(70_001).for_each(|piece| hasher.update(piece));
		assert_eq!(hasher.root(), root(&shard));
	}

	#[test]
	fn there_is_no_proof_of_a_leaf_that_is_not_there() {
		assert_eq!(prove(hashes(&shard(3)), 3), None);
		assert_eq!(prove(Vec::new(), 0), None);
		let one = shard(1);
		assert!(!verify(&root(&one), 1, 0, &one, &[]), "no shard has a single leaf");
		assert!(!verify(&root(&one), 0, 0, &one, &[]));
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn a_proof_holds_for_its_leaf_alone(count in 2u32..70, pick in 0u32..70, flip in 0usize..8) {
			let (index, shard) = (pick % count, shard(count));
			let root = root(&shard);
			let leaf = &shard[index as usize * LEAF_SIZE..][..LEAF_SIZE];
			let proof = prove(hashes(&shard), index).expect("the leaf exists");
			prop_assert!(verify(&root, count, index, leaf, &proof));
			prop_assert!(!verify(&root, count, count, leaf, &proof));
			prop_assert!(!verify(&root, count, (index + 1) % count, leaf, &proof));
			prop_assert!(!verify(&H256::zero(), count, index, leaf, &proof));
			prop_assert!(!verify(&root, count, index, &leaf[1..], &proof));
			let mut other = leaf.to_vec();
			other[flip * 100] ^= 1;
			prop_assert!(!verify(&root, count, index, &other, &proof));
			let longer = [&proof[..], &[root]].concat();
			prop_assert!(!verify(&root, count, index, leaf, &longer));
			prop_assert!(!verify(&root, count, index, leaf, &proof[1..]));
			let mut wrong = proof.clone();
			wrong[flip % proof.len()].0[flip] ^= 1;
			prop_assert!(!verify(&root, count, index, leaf, &wrong));
		}
	}
}
