//! Merkle trees by Blake2b-256 with the prefixes of RFC 6962: a leaf is hashed as `00 ++ data`, two
//! nodes are joined as `01 ++ left ++ right`, and the last node of an odd row moves up as it is.
//! Nobody can pass a node off as a leaf.
//!
//! A task's tree has the roots of its shards as leaves, a masternode's the shares that it holds. The tree
//! within a shard is another ([`audit`](crate::audit)).

use binary_merkle_tree::{merkle_root_raw, verify_proof, Leaf};
use sp_core::{Blake2Hasher, Hasher, H256};

/// How two nodes are joined. The library hands over `left ++ right`.
#[derive(Debug)]
pub struct JoinNodes;

impl Hasher for JoinNodes {
	type Out = H256;
	type StdHasher = <Blake2Hasher as Hasher>::StdHasher;
	const LENGTH: usize = 32;

	fn hash(nodes: &[u8]) -> H256 {
		prefixed(1, nodes)
	}
}

fn prefixed(prefix: u8, data: &[u8]) -> H256 {
	Blake2Hasher::hash(&[&[prefix][..], data].concat())
}

/// The hash of one leaf.
pub fn leaf_hash(data: &[u8]) -> H256 {
	prefixed(0, data)
}

/// The root over leaves with these hashes. All zeros if there is none.
pub fn root(hashes: impl IntoIterator<Item = H256>) -> H256 {
	merkle_root_raw::<JoinNodes, _>(hashes)
}

/// A whole tree in memory, 64 bytes a leaf, for who proves many of its leaves: the library would
/// hash all of it again for every proof.
#[derive(Clone, Debug)]
pub struct Tree {
	/// From the leaves up to the root.
	rows: Vec<Vec<H256>>,
}

impl Tree {
	/// Over leaves with these hashes.
	pub fn new(leaves: Vec<H256>) -> Self {
		Tree { rows: rows(leaves, |left, right| join(*left, *right)) }
	}

	/// The root. All zeros if there is no leaf.
	pub fn root(&self) -> H256 {
		self.rows.last().and_then(|row| row.first()).copied().unwrap_or_default()
	}

	/// The hashes that lead from leaf `index` up to the root, or `None` if there is no such leaf.
	pub fn prove(&self, index: u32) -> Option<Vec<H256>> {
		siblings(&self.rows, index)
	}
}

/// The rows of a tree from its leaves up to the root, whatever joins its nodes.
pub(crate) fn rows<T: Copy>(leaves: Vec<T>, join: impl Fn(&T, &T) -> T) -> Vec<Vec<T>> {
	let mut rows = vec![leaves];
	while let Some(row) = rows.last().filter(|row| row.len() > 1) {
		let parents = row.chunks(2).map(|pair| match pair {
			[left, right] => join(left, right),
			_ => pair[0],
		});
		rows.push(parents.collect());
	}
	rows
}

/// The nodes beside those that lead from leaf `index` up to the root, or `None` if there is no such leaf.
pub(crate) fn siblings<T: Copy>(rows: &[Vec<T>], index: u32) -> Option<Vec<T>> {
	let mut index = index as usize;
	rows.first()?.get(index)?;
	let mut siblings = Vec::with_capacity(rows.len());
	for row in rows {
		// The last of an odd row has no sibling, and the root has none.
		siblings.extend(row.get(index ^ 1));
		index /= 2;
	}
	Some(siblings)
}

/// Whether `proof` leads from the leaf with this hash, number `index` of `leaves`, to `root`.
pub fn verify(root: &H256, proof: &[H256], leaves: u32, index: u32, leaf: H256) -> bool {
	// The library's loop is as long as the proof; no tree of a u32 of leaves is higher than 32.
	proof.len() <= 32
		&& verify_proof::<JoinNodes, _, _>(
			root,
			proof.iter().copied(),
			leaves,
			index,
			Leaf::Hash(leaf),
		)
}

/// A tree that only grows and is kept as the roots of its full subtrees, so that a root over
/// millions of leaves takes a kilobyte of memory.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
	/// Full subtrees from left to right, each with the number of its leaves, which strictly falls.
	subtrees: Vec<(u64, H256)>,
}

impl Frontier {
	/// Appends a leaf with this hash.
	pub fn push(&mut self, leaf: H256) {
		let (mut size, mut node) = (1, leaf);
		while let Some((left_size, left)) = self.subtrees.pop() {
			if left_size != size {
				self.subtrees.push((left_size, left));
				break;
			}
			(size, node) = (2 * size, join(left, node));
		}
		self.subtrees.push((size, node));
	}

	/// The root over all leaves so far. All zeros if there is none.
	pub fn root(&self) -> H256 {
		let nodes = self.subtrees.iter().rev().map(|(_, node)| *node);
		nodes.reduce(|right, left| join(left, right)).unwrap_or_default()
	}
}

fn join(left: H256, right: H256) -> H256 {
	let mut nodes = [0; 64];
	nodes[..32].copy_from_slice(left.as_bytes());
	nodes[32..].copy_from_slice(right.as_bytes());
	JoinNodes::hash(&nodes)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn leaves(count: u32) -> Vec<H256> {
		(0..count).map(|number| leaf_hash(&number.to_le_bytes())).collect()
	}

	/// The tree as RFC 6962, section 2.1, defines it.
	fn rfc_root(data: &[[u8; 4]]) -> H256 {
		let hash = |parts: &[&[u8]]| Blake2Hasher::hash(&parts.concat());
		match data {
			[] => H256::zero(),
			[leaf] => hash(&[&[0], leaf]),
			_ => {
				let split = data.len().next_power_of_two() / 2;
				let (left, right) = data.split_at(split);
				hash(&[&[1], rfc_root(left).as_bytes(), rfc_root(right).as_bytes()])
			},
		}
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn roots_are_those_of_rfc_6962(count in 0u32..70) {
			let data: Vec<[u8; 4]> = (0..count).map(u32::to_le_bytes).collect();
			let expected = rfc_root(&data);
			prop_assert_eq!(root(leaves(count)), expected);
			let mut frontier = Frontier::default();
			leaves(count).into_iter().for_each(|leaf| frontier.push(leaf));
			prop_assert_eq!(frontier.root(), expected);
		}

		#[test]
		fn proofs_hold_for_their_leaf_alone(count in 1u32..70, pick in 0u32..70, flip in 0usize..8) {
			let index = pick % count;
			let all = leaves(count);
			let (root, leaf) = (root(all.clone()), all[index as usize]);
			let tree = Tree::new(all);
			prop_assert_eq!(tree.root(), root);
			let proof = tree.prove(index).expect("the leaf exists");
			prop_assert!(verify(&root, &proof, count, index, leaf));
			prop_assert!(!verify(&root, &proof, count, index, leaf_hash(b"other")));
			prop_assert!(!verify(&root, &proof, count, count, leaf));
			let mut longer = proof.clone();
			longer.push(root);
			prop_assert!(!verify(&root, &longer, count, index, leaf));
			if let Some(changed) = proof.get(flip % proof.len().max(1)) {
				let mut wrong = proof.clone();
				wrong[flip % proof.len()] = Blake2Hasher::hash(changed.as_bytes());
				prop_assert!(!verify(&root, &wrong, count, index, leaf));
				prop_assert!(!verify(&root, &proof[1..], count, index, leaf));
			}
		}
	}

	#[test]
	fn prove_fails_when_there_is_no_such_leaf() {
		assert_eq!(Tree::new(leaves(3)).prove(3), None);
		assert_eq!(Tree::new(Vec::new()).prove(0), None);
		assert_eq!(Tree::new(Vec::new()).root(), H256::zero());
		assert!(!verify(&H256::zero(), &vec![H256::zero(); 33], 3, 0, H256::zero()));
	}
}
