//! The Merkle tree of a shard, by which its storer proves to have it (§4.3.2): a leaf of it, and the hashes
//! that lead from there to the root.
//!
//! Within a block it is the tree of BLAKE3 (section 2.1 of its paper), whose root is the digest in the block's
//! name; above that it is a [`merkle`] tree over those digests. So every byte of an input is hashed once, and
//! the names of a shard's blocks tell its root.

use blake3::hazmat::{
	merge_subtrees_non_root, merge_subtrees_root, ChainingValue, HasherExt, Mode,
};
use sp_core::H256;

use crate::{
	block::BLOCK_SIZE,
	merkle::{self, rows, siblings, Tree},
};

/// Bytes in one leaf of a shard's tree (§4.3.1: what an audit asks for is small).
pub const LEAF_SIZE: usize = blake3::CHUNK_LEN;

/// Leaves in a block.
pub(crate) const LEAVES: u32 = (BLOCK_SIZE / LEAF_SIZE) as u32;

/// How many hashes lead from a leaf to its block's.
const HEIGHT: usize = LEAVES.ilog2() as usize;

// So that all leaves of a block are equally far from its root.
const _: () = assert!(LEAVES.is_power_of_two() && BLOCK_SIZE.is_multiple_of(LEAF_SIZE));

/// The root over full blocks with these digests.
pub fn root(blocks: impl IntoIterator<Item = H256>) -> H256 {
	merkle::root(blocks.into_iter().map(hash_of_block))
}

/// A block's digest as a leaf of the upper tree.
fn hash_of_block(digest: H256) -> H256 {
	merkle::leaf_hash(digest.as_bytes())
}

/// The hash of leaf `index` of a block.
fn hash_of_leaf(index: u32, leaf: &[u8]) -> ChainingValue {
	let mut hasher = blake3::Hasher::new();
	hasher.set_input_offset(u64::from(index) * LEAF_SIZE as u64);
	hasher.update(leaf).finalize_non_root()
}

/// The hashes that lead from leaf `index` to the root of the shard whose blocks have these digests, from below.
/// `block` is the full one that has the leaf. `None` if there is no such leaf.
pub(crate) fn prove(blocks: Vec<H256>, block: &[u8], index: u32) -> Option<Vec<H256>> {
	let hashes = (0..).zip(block.chunks(LEAF_SIZE));
	let hashes = hashes.map(|(index, leaf)| hash_of_leaf(index, leaf)).collect();
	let rows = rows(hashes, |left, right| merge_subtrees_non_root(left, right, Mode::Hash));
	let within = siblings(&rows, index % LEAVES)?.into_iter().map(H256);
	let upper = Tree::new(blocks.into_iter().map(hash_of_block).collect());
	Some(within.chain(upper.prove(index / LEAVES)?).collect())
}

/// Whether `leaf` is number `index` of the shard of `leaves` leaves with this `root`, by the `proof` of
/// [`audit_shard`](crate::audit_shard).
pub fn verify(root: &H256, leaves: u32, index: u32, leaf: &[u8], proof: &[H256]) -> bool {
	let Some((within, above)) = proof.split_at_checked(HEIGHT) else { return false };
	if index >= leaves || !leaves.is_multiple_of(LEAVES) || leaf.len() != LEAF_SIZE {
		return false;
	}
	let mut node = hash_of_leaf(index % LEAVES, leaf);
	for (level, H256(sibling)) in within.iter().enumerate() {
		let is_right = index >> level & 1 == 1;
		let (left, right) = if is_right { (sibling, &node) } else { (&node, sibling) };
		node = if level + 1 < HEIGHT {
			merge_subtrees_non_root(left, right, Mode::Hash)
		} else {
			merge_subtrees_root(left, right, Mode::Hash).into()
		};
	}
	merkle::verify(root, above, leaves / LEAVES, index / LEAVES, hash_of_block(H256(node)))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::content_id::digest;
	use proptest::prelude::*;

	fn shard(blocks: u32) -> Vec<u8> {
		(0..blocks as usize * BLOCK_SIZE).map(|i| (i * 7 / 3 + i / 1021) as u8).collect()
	}

	fn digests(shard: &[u8]) -> Vec<H256> {
		shard.chunks(BLOCK_SIZE).map(digest).collect()
	}

	#[test]
	fn there_is_no_proof_of_a_leaf_that_is_not_there() {
		let shard = shard(3);
		let digests = digests(&shard);
		assert_eq!(prove(digests.clone(), &shard[..BLOCK_SIZE], 3 * LEAVES), None);
		assert_eq!(prove(Vec::new(), &shard[..BLOCK_SIZE], 0), None);
		assert_eq!(prove(digests, &[], 0), None);
		let leaf = &shard[..LEAF_SIZE];
		assert!(!verify(&H256::zero(), 0, 0, leaf, &[]));
		assert!(!verify(&H256::zero(), 0, 0, leaf, &[H256::zero(); HEIGHT]));
	}

	#[test]
	fn no_node_passes_for_a_leaf() {
		let shard = shard(2);
		let digests = digests(&shard);
		let root = root(digests.clone());
		// What is joined to a block's digest has no place as a leaf of 1 KiB, nor has a pair of digests.
		let pair: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
		for forged in [&pair[..], digests[0].as_bytes(), &[]] {
			assert!(!verify(&root, 2 * LEAVES, 0, forged, &[]));
			assert!(!verify(&root, 2 * LEAVES, 0, forged, &[H256::zero(); HEIGHT]));
		}
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn a_proof_holds_for_its_leaf_alone(blocks in 1u32..6, pick: u32, flip in 0usize..8) {
			let count = blocks * LEAVES;
			let (index, shard) = (pick % count, shard(blocks));
			let digests = digests(&shard);
			let root = root(digests.clone());
			let leaf = &shard[index as usize * LEAF_SIZE..][..LEAF_SIZE];
			let block = shard.chunks(BLOCK_SIZE).nth((index / LEAVES) as usize).expect("exists");
			let proof = prove(digests, block, index).expect("the leaf exists");
			prop_assert!(verify(&root, count, index, leaf, &proof));
			prop_assert!(!verify(&root, count, count, leaf, &proof));
			prop_assert!(!verify(&root, count, (index + 1) % count, leaf, &proof));
			prop_assert!(!verify(&root, count, index ^ LEAVES, leaf, &proof));
			prop_assert!(!verify(&root, count + 1, index, leaf, &proof));
			prop_assert!(!verify(&H256::zero(), count, index, leaf, &proof));
			prop_assert!(!verify(&root, count, index, &leaf[1..], &proof));
			let mut other = leaf.to_vec();
			other[flip * 100] ^= 1;
			prop_assert!(!verify(&root, count, index, &other, &proof));
			let longer = [&proof[..], &[root]].concat();
			prop_assert!(!verify(&root, count, index, leaf, &longer));
			prop_assert!(!verify(&root, count, index, leaf, &proof[1..]));
			for wrong in 0..proof.len() {
				let mut proof = proof.clone();
				proof[wrong].0[flip] ^= 1;
				prop_assert!(!verify(&root, count, index, leaf, &proof));
			}
		}
	}
}
