//! Shards: a task's stream filled, sealed, hashed and named, many blocks at a time.
//!
//! One thread fills a block's buffer with plaintext and notes which segments are to be sealed where; the
//! block is then sealed, hashed twice and put, while it is in the processor's cache, on any thread of
//! the pool. Buffers go round, so that memory is bounded by their number however long the stream is and
//! however slow the store.

use std::{
	io::{self, Read},
	sync::Arc,
};

use dgcs_primitives::{ContentCodec, ContentId};
use sp_core::H256;

use crate::{
	audit::{self, LEAF_SIZE},
	block::{fetch, store, BlockSink, BlockSource, BLOCK_SIZE},
	content_id::sha256,
	error::{Error, Result},
	keys::{Cipher, Place, TAG_SIZE},
	layout::Segment,
	manifest::{Manifest, Shard},
	pool::{with_pool, Queue},
	tree::{shard_leaves, shard_root},
};

/// Buffers of blocks for each thread of the pool: enough that it finds work while the one that fills
/// them waits for its turn.
const BUFFERS_PER_THREAD: usize = 8;
/// The most buffers of blocks, however many cores there are.
const MOST_BUFFERS: usize = 128;

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
struct Work {
	buffer: Vec<u8>,
	seals: Vec<Seal>,
}

/// What is left of a block that was put.
struct Hashes {
	/// Of its name.
	digest: H256,
	/// Of its subtree of the shard's.
	subtree: audit::Hash,
}

/// Cuts a stream of sealed pieces into shards. Made by [`write_shards`].
pub(crate) struct ShardWriter<'a, 'pool> {
	queue: Queue<'a, 'pool, (Work, Hashes)>,
	/// How many blocks the queue may have.
	most: usize,
	sink: &'pool dyn BlockSink,
	/// How many blocks a shard has.
	blocks: usize,
	/// How many blocks were sent to the queue.
	sent: usize,
	/// The blocks of the shard that is not whole yet, from its first.
	whole: Vec<Hashes>,
	shards: Vec<Shard>,
	padding: Arc<Cipher>,
	/// The block that is being filled, and up to where.
	current: Option<(Work, usize)>,
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

	/// Appends what `reader` gives to the piece, up to `limit` bytes or its end. Gives their number.
	pub fn copy(&mut self, reader: &mut dyn Read, limit: u64) -> io::Result<u64> {
		let mut copied = 0;
		while copied < limit {
			let room = self.room().map_err(Error::into_io)?;
			let most = room.len().min((limit - copied).try_into().unwrap_or(usize::MAX));
			let read = match reader.read(&mut room[..most]) {
				Ok(0) => break,
				Ok(read) => read,
				Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
				Err(error) => return Err(error),
			};
			copied += read as u64;
			self.advance(read).map_err(Error::into_io)?;
		}
		Ok(copied)
	}

	/// Appends `bytes` to the piece.
	pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
		let len = bytes.len() as u64;
		self.copy(&mut &*bytes, len).map_err(|error| Error::from_io(error, Error::Stream))?;
		Ok(())
	}

	/// Where the piece goes on: what is left of the open segment, or a new one.
	fn room(&mut self) -> Result<&mut [u8]> {
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
		let (work, _) = self.current()?;
		Ok(&mut work.buffer[start + filled..BLOCK_SIZE - TAG_SIZE])
	}

	/// Counts `read` bytes that were written to [`Self::room`].
	fn advance(&mut self, read: usize) -> Result<()> {
		let Some(Piece { open: Some((start, filled)), .. }) = &mut self.piece else {
			return Ok(());
		};
		*filled += read;
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
		let (work, at) = self.current()?;
		let start = *at;
		work.buffer[start..start + len].fill(0);
		self.seal(Seal { start, len, cipher, place, untagged: true }, len)
	}

	/// Notes a segment that takes `len` bytes with its tag, and sends off a block that is full.
	fn seal(&mut self, seal: Seal, len: usize) -> Result<()> {
		let (work, at) = self.current()?;
		*at = seal.start + len;
		work.seals.push(seal);
		if *at == BLOCK_SIZE {
			self.send();
		}
		Ok(())
	}

	/// The block that is being filled, or a new one.
	fn current(&mut self) -> Result<&mut (Work, usize)> {
		let current = match self.current.take() {
			Some(current) => current,
			None => (self.begin_block()?, 0),
		};
		Ok(self.current.insert(current))
	}

	/// A new block, in the buffer of the next that is done if there are as many as there may be.
	fn begin_block(&mut self) -> Result<Work> {
		if self.queue.len() >= self.most {
			if let Some(mut work) = self.receive()? {
				work.seals.clear();
				return Ok(work);
			}
		}
		Ok(Work { buffer: vec![0; BLOCK_SIZE], seals: Vec::new() })
	}

	/// Sends the current block to the pool.
	fn send(&mut self) {
		let Some((mut work, _)) = self.current.take() else { return };
		let (sink, place) = (self.sink, self.sent % self.blocks);
		self.sent += 1;
		self.queue.begin(move || {
			let hashes = work.process(place, sink)?;
			Ok((work, hashes))
		});
	}

	/// Waits for the next block, adds it to its shard, and gives back its buffer.
	fn receive(&mut self) -> Result<Option<Work>> {
		let Some(done) = self.queue.take() else { return Ok(None) };
		let (work, hashes) = done?;
		self.whole.push(hashes);
		if self.whole.len() == self.blocks {
			self.end_shard()?;
		}
		Ok(Some(work))
	}

	/// Names the shard that is whole.
	fn end_shard(&mut self) -> Result<()> {
		let (digests, subtrees): (Vec<_>, Vec<_>) =
			self.whole.drain(..).map(|Hashes { digest, subtree }| (digest, subtree)).unzip();
		let (id, node) = shard_root(&digests)?;
		store(self.sink, &id, &node)?;
		let root =
			audit::root_of(subtrees).ok_or(Error::Decode { what: "a shard of one block" })?;
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

impl Work {
	/// Seals, hashes and puts the block, which is at `place` in its shard.
	fn process(&mut self, place: usize, sink: &dyn BlockSink) -> Result<Hashes> {
		for seal in &self.seals {
			let (data, rest) = self.buffer[seal.start..].split_at_mut(seal.len);
			let tag = seal.cipher.seal(seal.place, data);
			if !seal.untagged {
				rest[..TAG_SIZE].copy_from_slice(&tag);
			}
		}
		let digest = sha256(&self.buffer);
		let subtree = audit::block_hash(place, &self.buffer);
		store(sink, &ContentId { codec: ContentCodec::Raw, digest }, &self.buffer)?;
		Ok(Hashes { digest, subtree })
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
	let mut subtrees = Vec::new();
	let expected = shard_blocks(source, manifest, number, &mut |block| {
		subtrees.push(audit::block_hash(subtrees.len(), block));
		each(block)
	})?;
	match audit::root_of(subtrees).unwrap_or_default() {
		found if found == expected => Ok(()),
		found => Err(Error::ShardRoot { shard: number, expected, found }),
	}
}

/// The answer to an audit of shard `number`: its leaf `index`, and the proof that leads from there to the
/// shard's root ([`audit::verify`]).
pub fn audit_shard(
	source: &dyn BlockSource,
	manifest: &Manifest,
	number: u32,
	index: u32,
) -> Result<(Vec<u8>, Vec<H256>)> {
	let count = manifest.shard_size / LEAF_SIZE as u32;
	let missing = || Error::OutOfRange { what: "leaf", number: index.into(), count: count.into() };
	let mut hashes = Vec::with_capacity(count as usize);
	let mut wanted = None;
	shard_blocks(source, manifest, number, &mut |block| {
		for leaf in block.chunks(LEAF_SIZE) {
			let at = hashes.len() as u32; // At most 32 Ki.
			if at == index {
				wanted = Some(leaf.to_vec());
			}
			hashes.push(audit::leaf_hash(at, leaf));
		}
		Ok(())
	})?;
	Ok((wanted.ok_or_else(missing)?, audit::prove(hashes, index).ok_or_else(missing)?))
}

/// Gets a shard block by block, and gives the root that the manifest promises.
fn shard_blocks(
	source: &dyn BlockSource,
	manifest: &Manifest,
	number: u32,
	each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<H256> {
	let shard = manifest.shards.get(number as usize).ok_or(Error::OutOfRange {
		what: "shard",
		number: number.into(),
		count: manifest.shards.len() as u64,
	})?;
	let ids = shard_leaves(source, &shard.id(), manifest.shard_size)?;
	source.want(&ids);
	for id in ids {
		let block = fetch(source, &id)?;
		if block.len() != BLOCK_SIZE {
			return Err(Error::Tree { id, what: "a block of a shard that is not full" });
		}
		each(&block)?;
	}
	Ok(shard.root)
}
