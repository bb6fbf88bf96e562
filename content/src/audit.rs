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

use crate::{
	block::BLOCK_SIZE,
	merkle::{rows, siblings},
};

/// Bytes in one leaf of a shard's tree (§4.3.1: what an audit asks for is small).
pub const LEAF_SIZE: usize = blake3::CHUNK_LEN;

// So that the leaves of a block are all below one node.
const _: () = assert!((BLOCK_SIZE / LEAF_SIZE).is_power_of_two());

/// The hash of a node below the root.
pub(crate) type Hash = ChainingValue;

/// The root of the tree over a shard of these bytes.
pub fn root(shard: &[u8]) -> H256 {
	H256(blake3::hash(shard).into())
}

/// The hash of the node over all leaves in `bytes`, which begin at byte `offset` of the shard and are
/// not all of it.
fn subtree(offset: u64, bytes: &[u8]) -> Hash {
	let mut hasher = blake3::Hasher::new();
	hasher.set_input_offset(offset);
	hasher.update(bytes).finalize_non_root()
}

/// The hash of leaf `index` of a shard that has more than one.
pub(crate) fn leaf_hash(index: u32, leaf: &[u8]) -> Hash {
	subtree(u64::from(index) * LEAF_SIZE as u64, leaf)
}

/// The hash over the leaves in block `number` of a shard that has more than one.
pub(crate) fn block_hash(number: usize, block: &[u8]) -> Hash {
	subtree(number as u64 * BLOCK_SIZE as u64, block)
}

/// The root over these nodes, which are side by side and equally high. `None` if there are not two.
pub(crate) fn root_of(nodes: Vec<Hash>) -> Option<H256> {
	let rows = rows(nodes, join);
	match rows.iter().rev().nth(1)?.as_slice() {
		[left, right] => Some(H256(merge_subtrees_root(left, right, Mode::Hash).into())),
		_ => None,
	}
}

fn join(left: &Hash, right: &Hash) -> Hash {
	merge_subtrees_non_root(left, right, Mode::Hash)
}

/// The hashes that lead from leaf `index` up to the root of a tree over these, from below. `None` if
/// there is no such leaf.
pub(crate) fn prove(leaves: Vec<Hash>, index: u32) -> Option<Vec<H256>> {
	Some(siblings(&rows(leaves, join), index)?.into_iter().map(H256).collect())
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
			node = join(left, right);
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

	fn hashes(shard: &[u8]) -> Vec<Hash> {
		(0..).zip(shard.chunks(LEAF_SIZE)).map(|(index, leaf)| leaf_hash(index, leaf)).collect()
	}

	#[test]
	fn a_root_is_the_same_of_the_shard_its_blocks_and_its_leaves() {
		for blocks in [2, 3, 8, 33] {
			let shard = shard(blocks * (BLOCK_SIZE / LEAF_SIZE) as u32);
			let of_blocks = shard.chunks(BLOCK_SIZE).enumerate();
			let of_blocks = of_blocks.map(|(number, block)| block_hash(number, block)).collect();
			assert_eq!(root_of(of_blocks), Some(root(&shard)), "{blocks} blocks");
			assert_eq!(root_of(hashes(&shard)), Some(root(&shard)), "{blocks} blocks");
		}
		assert_eq!(root_of(hashes(&shard(1))), None);
		assert_eq!(root_of(Vec::new()), None);
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
