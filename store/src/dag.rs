//! Trees of blocks: which blocks a block names.

use std::collections::HashSet;

use cid::Cid;
use dgcs_content::{
	content_id::{from_cid, raw},
	BLOCK_SIZE,
};
use dgcs_primitives::{ContentCodec, ContentId};
use prost::Message;

use crate::error::{Error, Result};

/// A node of a tree, as the codec dag-pb has it. Its data are not of interest here.
#[derive(Clone, PartialEq, Message)]
struct PbNode {
	#[prost(message, repeated, tag = "2")]
	links: Vec<PbLink>,
}

#[derive(Clone, PartialEq, Message)]
struct PbLink {
	#[prost(bytes = "vec", tag = "1")]
	hash: Vec<u8>,
}

/// The blocks that block `id` names, each once, in their order. Raw blocks name none.
pub(crate) fn children(id: &ContentId, block: &[u8]) -> Result<Vec<ContentId>> {
	if id.codec == ContentCodec::Raw {
		return Ok(Vec::new());
	}
	let refused = |reason: String| Error::Node { id: *id, reason };
	let node = PbNode::decode(block).map_err(|error| refused(error.to_string()))?;
	let mut seen = HashSet::new();
	let mut ids = Vec::with_capacity(node.links.len());
	for link in node.links {
		let cid =
			Cid::try_from(link.hash.as_slice()).map_err(|error| refused(error.to_string()))?;
		let child = from_cid(&cid)?;
		if seen.insert(child) {
			ids.push(child);
		}
	}
	Ok(ids)
}

/// Whether the block is the one without bytes, which nobody needs to be asked for. Kubo keeps it, but
/// doesn't send it.
pub(crate) fn is_empty(id: &ContentId) -> bool {
	raw(&[]).digest == id.digest
}

/// The most blocks that a blob of `len` bytes has: its leaves, and no more branches than leaves.
pub(crate) fn most_blocks(len: u64) -> usize {
	let leaves = len.div_ceil(BLOCK_SIZE as u64).max(1);
	usize::try_from(leaves.saturating_mul(2)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
	use std::{collections::HashMap, io, sync::Mutex};

	use dgcs_content::{put_blob, BlockSink};

	use super::*;

	#[derive(Default)]
	struct Memory(Mutex<HashMap<ContentId, Vec<u8>>>);

	impl BlockSink for Memory {
		fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
			self.0.lock().expect("no panic").insert(*id, bytes.to_vec());
			Ok(())
		}
	}

	#[test]
	fn a_tree_is_all_that_its_root_names() {
		for (len, branches) in
			[(0, 0), (1, 0), (BLOCK_SIZE, 0), (BLOCK_SIZE + 1, 1), (175 * BLOCK_SIZE, 3)]
		{
			let memory = Memory::default();
			let bytes: Vec<u8> = (0..len).map(|at| (at / 1000) as u8).collect();
			let blob = put_blob(&memory, &bytes).expect("there is room");
			let blocks = memory.0.into_inner().expect("no panic");
			let mut found = HashSet::from([blob.id]);
			let mut open = vec![blob.id];
			while let Some(id) = open.pop() {
				let below = children(&id, &blocks[&id]).expect("a tree");
				open.extend(below.into_iter().filter(|child| found.insert(*child)));
			}
			assert_eq!(found, blocks.keys().copied().collect());
			assert!(found.len() <= most_blocks(len as u64));
			let nodes = found.iter().filter(|id| id.codec == ContentCodec::DagPb).count();
			assert_eq!(nodes, branches);
		}
	}

	#[test]
	fn what_is_no_tree_is_refused() {
		let leaf = raw(b"leaf");
		let id = ContentId { codec: ContentCodec::DagPb, ..leaf };
		assert!(matches!(children(&id, &[0xff; 9]), Err(Error::Node { .. })));
		let other = PbNode { links: vec![PbLink { hash: vec![1, 2, 3] }] }.encode_to_vec();
		assert!(matches!(children(&id, &other), Err(Error::Node { .. })));
		assert_eq!(children(&leaf, &[0xff; 9]).expect("raw blocks name none"), []);
	}
}
