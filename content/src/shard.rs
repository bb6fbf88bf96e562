//! Shards: a task's stream filled, sealed, hashed and named, many blocks at a time.
//!
//! One thread notes which bytes of which file, or which bytes that it has, go where in a block's buffer, and
//! which segments are to be sealed. On any thread of the pool the block is then read, sealed, hashed and put,
//! while it is in the processor's cache. Buffers go round, so that memory is bounded by their number however
//! long the stream is and however slow the store.

use std::{ops::Range, sync::Arc};

use dgcs_primitives::{ContentCodec, ContentId};
use sp_core::H256;

use crate::{
	audit::{self, LEAF_SIZE, LEAVES},
	block::{fetch, store, BlockSink, BlockSource, BLOCK_SIZE},
	content_id::digest,
	error::{Error, Result},
	keys::{Cipher, Place, TAG_SIZE},
	layout::Segment,
	manifest::{Manifest, Shard},
	pool::{with_pool, Queue},
	steady::Steady,
	tree::{shard_leaves, shard_root},
};

/// Buffers of blocks for each thread of the pool: enough that it finds work while the one that fills
/// them waits for its turn.
const BUFFERS_PER_THREAD: usize = 8;
/// The most buffers of blocks, however many cores there are.
const MOST_BUFFERS: usize = 128;

/// Bytes of a file to be read into a block's buffer.
struct FileRead {
	start: usize,
	len: usize,
	file: Arc<Steady>,
	at: u64,
}

/// A segment to be sealed within a block's buffer.
struct Seal {
	start: usize,
	len: usize,
	cipher: Arc<Cipher>,
	place: Place,
	/// Whether there is no room for a tag: what only fills up is never opened.
	untagged: bool,
}

/// A block on its way through the pool.
struct Block {
	buffer: Vec<u8>,
	reads: Vec<FileRead>,
	seals: Vec<Seal>,
}

/// Cuts a stream of sealed pieces into shards. Made by [`write_shards`].
pub(crate) struct ShardWriter<'a, 'pool> {
	/// Gives back the buffer of a block that was put, and the digest in its name.
	queue: Queue<'a, 'pool, (Vec<u8>, H256)>,
	/// How many blocks the queue may have.
	most: usize,
	sink: &'pool dyn BlockSink,
	/// How many blocks a shard has.
	blocks: usize,
	/// How many blocks were sent to the queue.
	sent: usize,
	/// The digests of the shard that is not whole yet, from its first block's.
	whole: Vec<H256>,
	shards: Vec<Shard>,
	padding: Arc<Cipher>,
	/// The block that is being filled, and up to where.
	current: Option<(Block, usize)>,
	piece: Option<Piece>,
}

/// The piece that is being written.
struct Piece {
	cipher: Arc<Cipher>,
	place: Place,
	/// The segment that is being filled: where it starts in the buffer, and its bytes so far.
	open: Option<(usize, usize)>,
}

/// Makes shards of `size` bytes of what `fill` writes, and puts them to `sink`. What is left of the
/// last one is filled with zeros, encrypted by `padding`, so that nobody sees where it ends.
pub(crate) fn write_shards<T>(
	size: u32,
	sink: &dyn BlockSink,
	padding: Cipher,
	fill: impl FnOnce(&mut ShardWriter<'_, '_>) -> Result<T>,
) -> Result<(T, Vec<Shard>)> {
	with_pool(|pool| {
		let mut writer = ShardWriter {
			queue: Queue::new(pool),
			most: (BUFFERS_PER_THREAD * rayon::current_num_threads()).min(MOST_BUFFERS),
			sink,
			blocks: size as usize / BLOCK_SIZE,
			sent: 0,
			whole: Vec::new(),
			shards: Vec::new(),
			padding: Arc::new(padding),
			current: None,
			piece: None,
		};
		let value = fill(&mut writer)?;
		Ok((value, writer.finish()?))
	})
}

impl ShardWriter<'_, '_> {
	/// Where in the stream the next byte goes.
	pub fn position(&self) -> u64 {
		let at = self.current.as_ref().map_or(0, |(_, at)| *at);
		self.sent as u64 * BLOCK_SIZE as u64 + at as u64
	}

	/// Begins the piece of `subtask`.
	pub fn begin(&mut self, cipher: Arc<Cipher>, subtask: u32) {
		self.piece = Some(Piece { cipher, place: Place::only(subtask), open: None });
	}

	/// Ends the piece.
	pub fn end(&mut self) -> Result<()> {
		self.close_segment()?;
		self.piece = None;
		Ok(())
	}

	/// Appends `bytes` to the piece.
	pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
		while !bytes.is_empty() {
			let room = self.room()?;
			let (taken, rest) = bytes.split_at(room.len().min(bytes.len()));
			let (block, _) = self.current()?;
			block.buffer[room][..taken.len()].copy_from_slice(taken);
			self.advance(taken.len())?;
			bytes = rest;
		}
		Ok(())
	}

	/// Appends `len` bytes of `file` from byte `at` on to the piece. The pool reads them.
	pub fn append(&mut self, file: &Arc<Steady>, mut at: u64, len: u64) -> Result<()> {
		let end = at + len;
		while at < end {
			let room = self.room()?;
			let len = (end - at).min(room.len() as u64) as usize;
			let (block, _) = self.current()?;
			block.reads.push(FileRead { start: room.start, len, file: file.clone(), at });
			self.advance(len)?;
			at += len as u64;
		}
		Ok(())
	}

	/// Where the piece goes on: what is left of the open segment, or a new one.
	fn room(&mut self) -> Result<Range<usize>> {
		let open = self.piece.as_ref().and_then(|piece| piece.open);
		let (start, filled) = match open {
			Some(open) => open,
			None => {
				let at = self.current.as_ref().map_or(0, |(_, at)| *at);
				let start = Segment::next(at as u64, u64::MAX).start as usize;
				if start > at {
					self.pad(start - at)?;
				}
				// Or that of the next block.
				(start % BLOCK_SIZE, 0)
			},
		};
		if let Some(piece) = &mut self.piece {
			piece.open = Some((start, filled));
		}
		Ok(start + filled..BLOCK_SIZE - TAG_SIZE)
	}

	/// Counts `len` bytes that are, or will be, in [`Self::room`].
	fn advance(&mut self, len: usize) -> Result<()> {
		let Some(Piece { open: Some((start, filled)), .. }) = &mut self.piece else {
			return Ok(());
		};
		*filled += len;
		if *start + *filled + TAG_SIZE == BLOCK_SIZE {
			self.close_segment()?;
		}
		Ok(())
	}

	fn close_segment(&mut self) -> Result<()> {
		let Some(piece) = &mut self.piece else { return Ok(()) };
		let Some((start, len)) = piece.open.take().filter(|(_, len)| *len > 0) else {
			return Ok(());
		};
		let (cipher, place) = (piece.cipher.clone(), piece.place);
		piece.place.segment += 1;
		self.seal(Seal { start, len, cipher, place, untagged: false }, len + TAG_SIZE)
	}

	/// Fills up `len` bytes, within one block.
	fn pad(&mut self, len: usize) -> Result<()> {
		let place = Place { subtask: 0, segment: self.position() };
		let cipher = self.padding.clone();
		let (block, at) = self.current()?;
		let start = *at;
		block.buffer[start..start + len].fill(0);
		self.seal(Seal { start, len, cipher, place, untagged: true }, len)
	}

	/// Notes a segment that takes `len` bytes with its tag, and sends off a block that is full.
	fn seal(&mut self, seal: Seal, len: usize) -> Result<()> {
		let (block, at) = self.current()?;
		*at = seal.start + len;
		block.seals.push(seal);
		if *at == BLOCK_SIZE {
			self.send();
		}
		Ok(())
	}

	/// The block that is being filled, or a new one.
	fn current(&mut self) -> Result<&mut (Block, usize)> {
		let current = match self.current.take() {
			Some(current) => current,
			None => (self.begin_block()?, 0),
		};
		Ok(self.current.insert(current))
	}

	/// A new block, in the buffer of the next that is done if there are as many as there may be.
	fn begin_block(&mut self) -> Result<Block> {
		let done = if self.queue.len() < self.most { None } else { self.receive()? };
		let buffer = done.unwrap_or_else(|| vec![0; BLOCK_SIZE]);
		Ok(Block { buffer, reads: Vec::new(), seals: Vec::new() })
	}

	/// Sends the current block to the pool.
	fn send(&mut self) {
		let Some((block, _)) = self.current.take() else { return };
		let sink = self.sink;
		self.sent += 1;
		self.queue.begin(move || block.process(sink));
	}

	/// Waits for the next block, adds it to its shard, and gives back its buffer.
	fn receive(&mut self) -> Result<Option<Vec<u8>>> {
		let Some(done) = self.queue.take() else { return Ok(None) };
		let (buffer, digest) = done?;
		self.whole.push(digest);
		if self.whole.len() == self.blocks {
			self.end_shard()?;
		}
		Ok(Some(buffer))
	}

	/// Names the shard that is whole.
	fn end_shard(&mut self) -> Result<()> {
		let (id, node) = shard_root(&self.whole)?;
		store(self.sink, &id, &node)?;
		let root = audit::root(self.whole.drain(..));
		self.shards.push(Shard { digest: id.digest, root });
		Ok(())
	}

	/// Fills up the last shard and waits for all.
	fn finish(mut self) -> Result<Vec<Shard>> {
		self.end()?;
		let size = self.blocks as u64 * BLOCK_SIZE as u64;
		while !self.position().is_multiple_of(size) {
			let at = self.position() % BLOCK_SIZE as u64;
			self.pad(BLOCK_SIZE - at as usize)?;
		}
		while self.receive()?.is_some() {}
		Ok(self.shards)
	}
}

impl Block {
	/// Reads, seals, hashes and puts it.
	fn process(mut self, sink: &dyn BlockSink) -> Result<(Vec<u8>, H256)> {
		self.read()?;
		self.seal();
		let digest = digest(&self.buffer);
		store(sink, &ContentId { codec: ContentCodec::Raw, digest }, &self.buffer)?;
		Ok((self.buffer, digest))
	}

	/// Reads what is to come from files, which must be what they were after that as well.
	fn read(&mut self) -> Result<()> {
		for FileRead { start, len, file, at } in &self.reads {
			file.read_at(&mut self.buffer[*start..start + len], *at)?;
		}
		self.reads.dedup_by(|next, one| Arc::ptr_eq(&next.file, &one.file));
		self.reads.iter().try_for_each(|read| read.file.unchanged())
	}

	fn seal(&mut self) {
		for seal in &self.seals {
			let (data, rest) = self.buffer[seal.start..].split_at_mut(seal.len);
			let tag = seal.cipher.seal(seal.place, data);
			if !seal.untagged {
				rest[..TAG_SIZE].copy_from_slice(&tag);
			}
		}
	}
}

/// Gets the whole of shard `number` block by block, for who stores it, and checks the Merkle root
/// as well: a wrong one would make its storer fail every audit.
pub fn read_shard(
	source: &dyn BlockSource,
	manifest: &Manifest,
	number: u32,
	each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
	let (blocks, expected) = shard_blocks(source, manifest, number)?;
	let found = audit::root(blocks.iter().map(|id| id.digest));
	if found != expected {
		return Err(Error::ShardRoot { shard: number, expected, found });
	}
	source.want(&blocks);
	blocks.iter().try_for_each(|id| each(&full_block(source, id)?))
}

/// The answer to an audit of shard `number`: its leaf `index`, and the proof that leads from there to the
/// shard's root ([`audit::verify`]). Of the shard it gets the block that has the leaf.
pub fn audit_shard(
	source: &dyn BlockSource,
	manifest: &Manifest,
	number: u32,
	index: u32,
) -> Result<(Vec<u8>, Vec<H256>)> {
	let (blocks, _) = shard_blocks(source, manifest, number)?;
	let count = blocks.len() as u64 * u64::from(LEAVES);
	let missing = || Error::OutOfRange { what: "leaf", number: index.into(), count };
	let block = full_block(source, blocks.get((index / LEAVES) as usize).ok_or_else(missing)?)?;
	let digests = blocks.into_iter().map(|id| id.digest).collect();
	let proof = audit::prove(digests, &block, index).ok_or_else(missing)?;
	let leaf = &block[(index % LEAVES) as usize * LEAF_SIZE..][..LEAF_SIZE];
	Ok((leaf.to_vec(), proof))
}

/// The blocks of a shard, and the root that the manifest promises.
fn shard_blocks(
	source: &dyn BlockSource,
	manifest: &Manifest,
	number: u32,
) -> Result<(Vec<ContentId>, H256)> {
	let shard = manifest.shards.get(number as usize).ok_or(Error::OutOfRange {
		what: "shard",
		number: number.into(),
		count: manifest.shards.len() as u64,
	})?;
	Ok((shard_leaves(source, &shard.id(), manifest.shard_size)?, shard.root))
}

/// Gets a block of a shard.
fn full_block(source: &dyn BlockSource, id: &ContentId) -> Result<Vec<u8>> {
	let block = fetch(source, id)?;
	if block.len() != BLOCK_SIZE {
		return Err(Error::Tree { id: *id, what: "a block of a shard that is not full" });
	}
	Ok(block)
}

#[cfg(test)]
mod tests {
	use std::{
		fs::{self, File},
		path::PathBuf,
		sync::Once,
		time::UNIX_EPOCH,
	};

	use super::*;
	use crate::{
		keys::{OwnerSecret, Scope, TaskNonce, Use},
		testing::Memory,
	};

	fn cipher(purpose: Use) -> Cipher {
		let keys = OwnerSecret::from_bytes([1; 32]).task(&TaskNonce([2; 32]));
		keys.scope(Scope::Task).cipher(purpose)
	}

	/// A file with bytes that don't repeat soon, and those bytes.
	fn file(len: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let path = folder.path().join("input");
		let bytes: Vec<u8> = (0..len).map(|i| (i / 1021 + i) as u8).collect();
		fs::write(&path, &bytes).expect("possible");
		(folder, path, bytes)
	}

	/// Makes shards of so many blocks of pieces that `fill` writes.
	fn write(
		blocks: usize,
		sink: &dyn BlockSink,
		fill: impl FnOnce(&mut ShardWriter<'_, '_>) -> Result<()>,
	) -> Result<Vec<Shard>> {
		let size = (blocks * BLOCK_SIZE) as u32;
		Ok(write_shards(size, sink, cipher(Use::Padding), fill)?.1)
	}

	#[test]
	fn shards_are_the_same_however_their_bytes_come() {
		let (_folder, path, bytes) = file(9_000_000);
		let file = Arc::new(Steady::open(&path).expect("exists"));
		let cipher = Arc::new(cipher(Use::Input));
		for (blocks, expected) in [(32, 2), (33, 2), (9, 4)] {
			let (here, pool) = (Memory::default(), Memory::default());
			let one = write(blocks, &here, |shards| {
				for (number, piece) in (0..).zip(bytes.chunks(700_001)) {
					shards.begin(cipher.clone(), number);
					piece.chunks(100_003).try_for_each(|part| shards.write(part))?;
					shards.end()?;
				}
				Ok(())
			});
			let other = write(blocks, &pool, |shards| {
				let mut at = 0;
				for (number, piece) in (0..).zip(bytes.chunks(700_001)) {
					shards.begin(cipher.clone(), number);
					for part in piece.chunks(300_007) {
						shards.append(&file, at, part.len() as u64)?;
						at += part.len() as u64;
					}
					shards.end()?;
				}
				Ok(())
			});
			let (one, other) = (one.expect("into memory"), other.expect("into memory"));
			assert_eq!(one.len(), expected);
			assert_eq!(one, other);
			assert_eq!(here.digests(), pool.digests());
			for Shard { digest, root } in one {
				let id = ContentId { codec: ContentCodec::DagPb, digest };
				let leaves = shard_leaves(&here, &id, (blocks * BLOCK_SIZE) as u32);
				let leaves = leaves.expect("a good shard");
				assert_eq!(audit::root(leaves.iter().map(|id| id.digest)), root);
				leaves.iter().for_each(|id| assert!(full_block(&here, id).is_ok()));
			}
		}
	}

	/// Does something when the first block is put.
	struct Meanwhile<F>(Once, F);

	impl<F: Fn() + Sync> BlockSink for Meanwhile<F> {
		fn put(&self, _: &ContentId, _: &[u8]) -> std::io::Result<()> {
			self.0.call_once(&self.1);
			Ok(())
		}
	}

	#[test]
	fn what_the_pool_reads_must_not_change_meanwhile() {
		let cipher = Arc::new(cipher(Use::Input));
		let write_while = |change: fn(&File)| {
			// More than can be under way when the first block is put.
			let len = MOST_BUFFERS * BLOCK_SIZE * 2;
			let (_folder, path, _) = file(len);
			let file = Arc::new(Steady::open(&path).expect("exists"));
			let other = File::options().write(true).open(&path).expect("exists");
			let shards = write(32, &Meanwhile(Once::new(), || change(&other)), |shards| {
				shards.begin(cipher.clone(), 0);
				shards.append(&file, 0, len as u64)
			});
			(shards.map(|shards| shards.len()), path)
		};
		let (shards, path) = write_while(|file| file.set_modified(UNIX_EPOCH).expect("mine"));
		let error = shards.expect_err("written to");
		assert!(matches!(&error, Error::Rewritten { path: named } if *named == path), "{error}");
		let (shards, path) = write_while(|file| file.set_len(5).expect("mine"));
		let error = shards.expect_err("cut off");
		assert!(matches!(&error, Error::Changed { path: named, .. } if *named == path), "{error}");
		let (shards, _) = write_while(|_| ());
		// A segment's tag is what is more than the file.
		assert_eq!(shards.expect("left alone"), 2 * MOST_BUFFERS / 32 + 1);
	}
}
