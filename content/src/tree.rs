//! UnixFS file trees: how bytes become blocks and one CID, exactly as
//! `ipfs add --cid-version=1 --hash=blake3 --raw-leaves --chunker=size-262144` does it, and back.

use std::{
	io::{self, Write},
	ops::Range,
};

use cid::Cid;
use codec::{Decode, Encode};
use dgcs_primitives::{ContentCodec, ContentId};
use multihash_codetable::Code;
use rust_unixfs::file::{
	adder::{build_file_from_leaves, parse_file_branch, FileAdder, FileBranchLink},
	visit::IdleFileVisit,
};
use sp_core::H256;

use crate::{
	block::{fetch, store, BlockSink, BlockSource, BLOCK_SIZE},
	content_id::{from_cid, to_cid},
	error::{Error, Result},
};

/// Trees are at most so high: 174³ leaves of 256 KiB are more than a terabyte.
const MAX_HEIGHT: usize = 4;

/// Some bytes, by name and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Blob {
	/// The root of the tree.
	pub id: ContentId,
	/// How many bytes.
	pub len: u64,
}

/// How the leaves of a tree are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
	/// As they are. The CID of what fits one block has the codec raw, that of more dag-pb.
	Raw,
	/// Each in a UnixFS node. The CID always has the codec dag-pb, so that the digest says it all.
	Wrapped,
}

/// Writes a stream of any length as a tree of blocks, keeping no more than a block of it.
pub struct BlobWriter<'a> {
	sink: &'a dyn BlockSink,
	adder: FileAdder,
	len: u64,
	/// The block that was put last: after the end of the stream, the root.
	last: Option<ContentId>,
}

impl std::fmt::Debug for BlobWriter<'_> {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "BlobWriter({} bytes)", self.len)
	}
}

impl<'a> BlobWriter<'a> {
	/// Writes blocks to `sink`.
	pub fn new(sink: &'a dyn BlockSink, leaves: Leaves) -> Self {
		// The default chunk is BLOCK_SIZE, the default layout that of `ipfs add`.
		let adder = FileAdder::builder().with_hasher(Code::Blake3_256);
		let adder = adder.with_raw_leaves(leaves == Leaves::Raw).build();
		BlobWriter { sink, adder, len: 0, last: None }
	}

	/// Ends the stream, and names it.
	pub fn finish(mut self) -> Result<Blob> {
		let adder = std::mem::take(&mut self.adder);
		adder.finish().try_for_each(|block| self.put(block))?;
		// Even an empty stream has one leaf.
		let id = self.last.ok_or(Error::Decode { what: "a tree without blocks" })?;
		Ok(Blob { id, len: self.len })
	}

	fn put(&mut self, (cid, bytes): (Cid, Vec<u8>)) -> Result<()> {
		let id = from_cid(&cid)?;
		self.last = Some(id);
		store(self.sink, &id, &bytes)
	}
}

impl Write for BlobWriter<'_> {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		let (blocks, taken) = self.adder.push(bytes);
		let blocks: Vec<_> = blocks.collect();
		blocks.into_iter().try_for_each(|block| self.put(block)).map_err(Error::into_io)?;
		self.len += taken as u64;
		Ok(taken)
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}

/// Puts `bytes` as a blob.
pub fn put_blob(sink: &dyn BlockSink, bytes: &[u8]) -> Result<Blob> {
	let mut writer = BlobWriter::new(sink, Leaves::Raw);
	writer.write_all(bytes).map_err(|error| Error::from_io(error, Error::Stream))?;
	writer.finish()
}

/// Gets a blob of at most `limit` bytes into memory.
pub fn get_blob(source: &dyn BlockSource, id: &ContentId, limit: u64) -> Result<Vec<u8>> {
	let mut bytes = Vec::new();
	read_blob(source, id, limit, &mut |leaf| {
		bytes.extend_from_slice(leaf);
		Ok(())
	})?;
	Ok(bytes)
}

/// Reads a blob of at most `limit` bytes leaf by leaf, and gives its length.
pub fn read_blob(
	source: &dyn BlockSource,
	id: &ContentId,
	limit: u64,
	each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
	let node = Node::get(source, id)?;
	let len = node.len();
	if len > limit {
		return Err(Error::TooLarge { id: *id, found: len, limit });
	}
	node.walk(source, &(0..len), &mut |_, leaf| each(leaf.get(source)?.bytes()))?;
	Ok(len)
}

/// Reads `len` bytes from `start` of a blob, which must have the length that it says: no more leaves than
/// that needs.
pub fn get_blob_range(
	source: &dyn BlockSource,
	blob: &Blob,
	start: u64,
	len: usize,
) -> Result<Vec<u8>> {
	let end = start.saturating_add(len as u64);
	let node = Node::get(source, &blob.id)?;
	if node.len() != blob.len {
		return Err(Error::Length { id: blob.id, found: node.len(), promised: blob.len });
	}
	if end > blob.len {
		return Err(Error::TooLarge { id: blob.id, found: end, limit: blob.len });
	}
	let mut bytes = Vec::with_capacity(len);
	node.walk(source, &(start..end), &mut |at, leaf| {
		let (from, to) = (start.max(at) - at, end.min(at + leaf.len()) - at);
		bytes.extend_from_slice(&leaf.get(source)?.bytes()[from as usize..to as usize]);
		Ok(())
	})?;
	Ok(bytes)
}

/// What is called with each leaf, and where it starts.
pub(crate) type Each<'a> = dyn FnMut(u64, Leaf) -> Result<()> + 'a;

/// The content of a leaf, within the block that it came in: copying it out costs as much as a third of
/// decrypting it.
pub(crate) struct Content {
	block: Vec<u8>,
	range: Range<usize>,
}

impl Content {
	pub fn bytes(&self) -> &[u8] {
		&self.block[self.range.clone()]
	}

	pub fn bytes_mut(&mut self) -> &mut [u8] {
		&mut self.block[self.range.clone()]
	}

	/// Leaves the first `len` bytes of it.
	pub fn truncate(&mut self, len: usize) {
		self.range.end = self.range.end.min(self.range.start + len);
	}

	/// Leaves all but the first `len` bytes of it.
	pub fn advance(&mut self, len: usize) {
		self.range.start = self.range.end.min(self.range.start + len);
	}

	fn len(&self) -> u64 {
		self.range.len() as u64
	}
}

/// A leaf on the way through a tree: its content, or where to get it.
pub(crate) enum Leaf {
	Got(Content),
	Named(ContentId, u64),
}

impl Leaf {
	pub fn len(&self) -> u64 {
		match self {
			Leaf::Got(content) => content.len(),
			Leaf::Named(_, len) => *len,
		}
	}

	/// Its content. The branch above promises how many bytes, at most a block. The last leaf of a high
	/// tree has branches of its own above it, with one child each.
	pub fn get(self, source: &dyn BlockSource) -> Result<Content> {
		let (id, len) = match self {
			Leaf::Got(content) => return Ok(content),
			Leaf::Named(id, len) => (id, len),
		};
		let mut node = Node::get(source, &id)?;
		for _ in 0..MAX_HEIGHT {
			let child = match node {
				Node::Leaf(content) if content.len() == len => return Ok(content),
				Node::Branch { ref children, .. } if children.len() == 1 => children[0].0,
				_ => break,
			};
			node = Node::get(source, &child)?;
		}
		Err(Error::Tree { id, what: "a leaf of another length or form than promised" })
	}
}

/// One checked block of a tree, understood.
pub(crate) enum Node {
	/// Content.
	Leaf(Content),
	/// The children, each with how many bytes it stands for.
	Branch { id: ContentId, children: Vec<(ContentId, u64)> },
}

impl Node {
	/// Gets block `id` and understands it.
	pub fn get(source: &dyn BlockSource, id: &ContentId) -> Result<Self> {
		Node::parse(id, fetch(source, id)?)
	}

	fn parse(id: &ContentId, bytes: Vec<u8>) -> Result<Self> {
		let refused = |what| Error::Tree { id: *id, what };
		let leaf = |block, range| Ok(Node::Leaf(Content { block, range }));
		if id.codec == ContentCodec::Raw {
			let all = 0..bytes.len();
			return leaf(bytes, all);
		}
		let Some(branch) = parse_file_branch(&bytes) else {
			return match IdleFileVisit::default().start(&bytes) {
				Ok((content, len, _, None)) if len == content.len() as u64 => {
					let range = place_of(content, &bytes);
					leaf(bytes, range)
				},
				_ => Err(refused("a block that is neither a leaf nor a branch of a file")),
			};
		};
		let mut sum = 0u64;
		let mut children = Vec::with_capacity(branch.links.len());
		for link in branch.links {
			if link.blocksize == 0 {
				return Err(refused("a branch with an empty child"));
			}
			sum = sum.checked_add(link.blocksize).ok_or(refused("lengths that overflow"))?;
			children.push((from_cid(&link.cid)?, link.blocksize));
		}
		if sum != branch.filesize {
			return Err(refused("children that don't make up the length of their branch"));
		}
		Ok(Node::Branch { id: *id, children })
	}

	/// How many bytes the tree under this node has, or says it has.
	pub fn len(&self) -> u64 {
		match self {
			Node::Leaf(content) => content.len(),
			Node::Branch { children, .. } => children.iter().map(|(_, len)| len).sum(),
		}
	}

	/// Visits the leaves that have bytes of `range`, in order, each with where it starts. Leaves
	/// under a branch are named, not got: what has at most the size of a block is one, what has
	/// more is a branch. An empty tree has one leaf.
	pub fn walk(
		self,
		source: &dyn BlockSource,
		range: &Range<u64>,
		each: &mut Each<'_>,
	) -> Result<()> {
		match self {
			Node::Leaf(content) => each(0, Leaf::Got(content)),
			branch => branch.walk_branch(source, range, (0, MAX_HEIGHT), each),
		}
	}

	fn walk_branch(
		&self,
		source: &dyn BlockSource,
		range: &Range<u64>,
		(start, height): (u64, usize),
		each: &mut Each<'_>,
	) -> Result<()> {
		let Node::Branch { id, children } = self else {
			return Err(Error::Decode { what: "a leaf that is larger than a block" });
		};
		if height == 0 {
			return Err(Error::Tree { id: *id, what: "a tree that is too high" });
		}
		let mut end = start;
		let wanted: Vec<(u64, u64, ContentId)> = children
			.iter()
			.map(|(child, len)| {
				end += len;
				(end - len, *len, *child)
			})
			.filter(|(at, len, _)| *at < range.end && range.start < at + len)
			.collect();
		source.want(&wanted.iter().map(|(_, _, child)| *child).collect::<Vec<_>>());
		for (at, len, child) in wanted {
			if len <= BLOCK_SIZE as u64 {
				each(at, Leaf::Named(child, len))?;
				continue;
			}
			let node = Node::get(source, &child)?;
			if node.len() != len {
				return Err(Error::Tree { id: child, what: "a length other than promised" });
			}
			node.walk_branch(source, range, (at, height - 1), each)?;
		}
		Ok(())
	}
}

/// Where `part`, a part of `block`, is in it. One without bytes may be anywhere.
fn place_of(part: &[u8], block: &[u8]) -> Range<usize> {
	if part.is_empty() {
		return 0..0;
	}
	let start = part.as_ptr().addr() - block.as_ptr().addr();
	start..start + part.len()
}

/// The root block over leaves that are full raw blocks with these digests: a shard's.
pub(crate) fn shard_root(leaves: &[H256]) -> Result<(ContentId, Vec<u8>)> {
	let links: Vec<FileBranchLink> = leaves
		.iter()
		.map(|digest| FileBranchLink {
			cid: to_cid(&ContentId { codec: ContentCodec::Raw, digest: *digest }),
			blocksize: BLOCK_SIZE as u64,
			tsize: BLOCK_SIZE as u64,
		})
		.collect();
	let (_, _, blocks): (Cid, u64, _) =
		build_file_from_leaves(&links, cid::Version::V1, Code::Blake3_256);
	// A shard has 32 to 128 leaves, and a branch takes 174: there is just the root.
	let (cid, bytes) =
		blocks.into_iter().last().ok_or(Error::Decode { what: "a shard of one block" })?;
	Ok((from_cid(&cid)?, bytes))
}

/// The leaves of the shard with this root, which is refused unless they are full raw blocks that
/// make up `shard_size` bytes.
pub(crate) fn shard_leaves(
	source: &dyn BlockSource,
	root: &ContentId,
	shard_size: u32,
) -> Result<Vec<ContentId>> {
	let refused = |what| Error::Tree { id: *root, what };
	let Node::Branch { children, .. } = Node::get(source, root)? else {
		return Err(refused("one block in place of a shard"));
	};
	let found: u64 = children.iter().map(|(_, len)| len).sum();
	if found != u64::from(shard_size) {
		return Err(Error::Length { id: *root, found, promised: shard_size.into() });
	}
	let full = |(id, len): (ContentId, u64)| {
		(len == BLOCK_SIZE as u64 && id.codec == ContentCodec::Raw).then_some(id)
	};
	children
		.into_iter()
		.map(full)
		.collect::<Option<_>>()
		.ok_or(refused("a shard with blocks that are not full"))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		content_id::{display, raw},
		testing::Memory,
	};

	fn bytes(len: usize) -> Vec<u8> {
		(0..len).map(|i| (i / 1021 + i) as u8).collect()
	}

	fn write(store: &Memory, bytes: &[u8], leaves: Leaves) -> Blob {
		let mut writer = BlobWriter::new(store, leaves);
		// In odd slices, as a pipe would give them.
		bytes.chunks(100_003).for_each(|slice| writer.write_all(slice).expect("into memory"));
		writer.finish().expect("into memory")
	}

	#[test]
	fn names_are_those_of_ipfs() {
		let store = Memory::default();
		// `ipfs add --cid-version=1 --hash=blake3 -Q` of nothing, and without raw leaves.
		let empty = write(&store, b"", Leaves::Raw);
		assert_eq!(
			display(&empty.id),
			"bafkr4ifpcne3t5pzugtkaqcn5i3nzskjtpfslsnnyejlpte2spfoihzsmi"
		);
		let wrapped = write(&store, b"", Leaves::Wrapped);
		assert_eq!(
			display(&wrapped.id),
			"bafyb4icvwknbzf4e6xryxlucewpmolohxpxn6kzveuc24mpae2ytsacb4y"
		);
	}

	#[test]
	fn every_length_comes_back() {
		let store = Memory::default();
		for len in
			[0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE, 175 * BLOCK_SIZE]
		{
			let content = bytes(len);
			for leaves in [Leaves::Raw, Leaves::Wrapped] {
				let blob = write(&store, &content, leaves);
				assert_eq!(blob.len, len as u64);
				let is_raw = blob.id.codec == ContentCodec::Raw;
				assert_eq!(is_raw, leaves == Leaves::Raw && len <= BLOCK_SIZE);
				assert!(get_blob(&store, &blob.id, blob.len).expect("complete") == content);
				if len > 0 {
					let error = get_blob(&store, &blob.id, blob.len - 1).expect_err("too long");
					assert!(matches!(error, Error::TooLarge { .. }), "{error}");
				}
				let (start, end) = (len / 3, len / 3 + len / 2);
				let range = get_blob_range(&store, &blob, start as u64, end - start);
				assert!(range.expect("complete") == content[start..end]);
				assert!(get_blob_range(&store, &blob, blob.len, 1).is_err());
				for promised in [blob.len / 10, blob.len + 1, 10 * blob.len] {
					if promised != blob.len {
						let other = Blob { len: promised, ..blob };
						let error =
							get_blob_range(&store, &other, 0, 0).expect_err("another length");
						let Error::Length { found, .. } = error else { panic!("{error}") };
						assert_eq!(found, blob.len);
					}
				}
			}
		}
	}

	#[test]
	fn a_shard_is_a_file_of_ipfs() {
		let store = Memory::default();
		let content = bytes(32 * BLOCK_SIZE);
		let leaves: Vec<H256> = content.chunks(BLOCK_SIZE).map(|block| raw(block).digest).collect();
		let (id, _) = shard_root(&leaves).expect("32 leaves");
		assert_eq!(id, write(&store, &content, Leaves::Raw).id);
		let size = content.len() as u32;
		let found = shard_leaves(&store, &id, size).expect("a good shard");
		assert!(found.iter().map(|id| id.digest).eq(leaves));
		for wrong in [size / 10, size - 1, size + 1, size * 2] {
			let error = shard_leaves(&store, &id, wrong).expect_err("another size");
			let Error::Length { found, promised, .. } = error else { panic!("{error}") };
			assert_eq!((found, promised), (size.into(), wrong.into()));
		}
	}

	#[test]
	fn shard_leaves_fails_when_blocks_are_not_full() {
		let store = Memory::default();
		let child = write(&store, &bytes(BLOCK_SIZE / 2), Leaves::Raw).id;
		let link = |id: &ContentId| FileBranchLink {
			cid: to_cid(id),
			blocksize: BLOCK_SIZE as u64 / 2,
			tsize: BLOCK_SIZE as u64 / 2,
		};
		let (_, _, blocks) = build_file_from_leaves(
			&[link(&child), link(&child)],
			cid::Version::V1,
			Code::Blake3_256,
		);
		let (cid, root) = &blocks[0];
		let id = from_cid(cid).expect("ours");
		store.put(&id, root).expect("into memory");
		let error = shard_leaves(&store, &id, BLOCK_SIZE as u32).expect_err("half blocks");
		assert!(matches!(error, Error::Tree { .. }), "{error}");
	}

	#[test]
	fn reading_fails_when_a_tree_lies_about_its_length() {
		let store = Memory::default();
		let child = write(&store, b"ten bytes.", Leaves::Raw).id;
		for (blocksize, children) in [(1u64, 2), (10_000_000, 2), (20, 2)] {
			let link = FileBranchLink { cid: to_cid(&child), blocksize, tsize: 10 };
			let links = vec![link; children];
			let (_, _, blocks) = build_file_from_leaves(&links, cid::Version::V1, Code::Blake3_256);
			let (cid, root) = blocks.last().expect("two leaves have a branch");
			let id = from_cid(cid).expect("ours");
			store.put(&id, root).expect("into memory");
			let error = get_blob(&store, &id, 100).expect_err("a lie");
			assert!(matches!(error, Error::Tree { .. } | Error::TooLarge { .. }), "{error}");
		}
	}

	#[test]
	fn reading_fails_when_dag_pb_is_no_file() {
		let store = Memory::default();
		let garbage = b"\xff\xff not protobuf";
		let id = ContentId { codec: ContentCodec::DagPb, ..raw(garbage) };
		store.put(&id, garbage).expect("into memory");
		assert!(matches!(get_blob(&store, &id, 100), Err(Error::Tree { .. })));
	}
}
