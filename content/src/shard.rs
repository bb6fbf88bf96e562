//! Shards: a task's stream filled, sealed, hashed and named, many of them at a time.
//!
//! One thread fills a shard's buffer with plaintext and notes which segments are to be sealed
//! where; the shard is then sealed, hashed twice and put block by block, while it is in the
//! processor's cache, on any thread of the pool. Buffers go round, so that memory is bounded by
//! their number however long the stream is and however slow the store.

use std::{
	io::{self, Read},
	sync::{
		mpsc::{channel, Receiver, Sender},
		Arc,
	},
};

use dgcs_primitives::{ContentCodec, ContentId};
use rayon::Scope as Pool;
use sp_core::H256;

use crate::{
	audit::{self, ShardHasher, LEAF_SIZE},
	block::{fetch, store, BlockSink, BlockSource, BLOCK_SIZE},
	content_id::sha256,
	error::{Error, Result},
	keys::{Cipher, Place, TAG_SIZE},
	layout::Segment,
	manifest::{Manifest, Shard},
	pool::guarded,
	tree::{shard_leaves, shard_root},
};

/// The most memory that buffers of shards take, in bytes.
const BUFFERS: usize = 160 << 20;

/// A segment to be sealed within a shard's buffer.
struct Seal {
	start: u32,
	len: u32,
	cipher: Arc<Cipher>,
	place: Place,
	/// Whether there is no room for a tag: what only fills up is never opened.
	untagged: bool,
}

/// A shard on its way through the pool.
struct Work {
	number: usize,
	buffer: Vec<u8>,
	seals: Vec<Seal>,
}

struct Done {
	work: Work,
	shard: Result<Shard>,
}

/// Cuts a stream of sealed pieces into shards. Made by [`write_shards`].
pub(crate) struct ShardWriter<'a, 'pool> {
	pool: &'a Pool<'pool>,
	sink: &'pool dyn BlockSink,
	sender: Sender<Done>,
	receiver: Receiver<Done>,
	size: usize,
	/// How many more buffers may be made.
	spare: usize,
	flying: usize,
	shards: Vec<Option<Shard>>,
	padding: Arc<Cipher>,
	/// The shard that is being filled, and up to where.
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
///
/// Waits for the pool, so it must not be called from within it.
pub(crate) fn write_shards<T>(
	size: u32,
	sink: &dyn BlockSink,
	padding: Cipher,
	fill: impl FnOnce(&mut ShardWriter<'_, '_>) -> Result<T>,
) -> Result<(T, Vec<Shard>)> {
	let size = size as usize;
	rayon::in_place_scope(|pool| {
		let (sender, receiver) = channel();
		let mut writer = ShardWriter {
			pool,
			sink,
			sender,
			receiver,
			size,
			spare: (BUFFERS / size).clamp(2, 2 * rayon::current_num_threads() + 1),
			flying: 0,
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
		let (number, at) = match &self.current {
			Some((work, at)) => (work.number, *at),
			None => (self.shards.len(), 0),
		};
		number as u64 * self.size as u64 + at as u64
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
				let mut at = self.current.as_ref().map_or(0, |(_, at)| *at);
				let start = Segment::next(at as u64, u64::MAX).start as usize;
				if start > at {
					self.pad(start - at)?;
					at = start;
				}
				if at == self.size {
					at = 0;
				}
				(at, 0)
			},
		};
		if let Some(piece) = &mut self.piece {
			piece.open = Some((start, filled));
		}
		let end = (start / BLOCK_SIZE + 1) * BLOCK_SIZE - TAG_SIZE;
		let (work, _) = self.current()?;
		Ok(&mut work.buffer[start + filled..end])
	}

	/// Counts `read` bytes that were written to [`Self::room`].
	fn advance(&mut self, read: usize) -> Result<()> {
		let Some(Piece { open: Some((start, filled)), .. }) = &mut self.piece else {
			return Ok(());
		};
		*filled += read;
		if (*start + *filled + TAG_SIZE).is_multiple_of(BLOCK_SIZE) {
			self.close_segment()?;
		}
		Ok(())
	}

	fn close_segment(&mut self) -> Result<()> {
		let Some(piece) = &mut self.piece else { return Ok(()) };
		let Some((start, len)) = piece.open.take().filter(|(_, len)| *len > 0) else {
			return Ok(());
		};
		let seal = Seal {
			start: start as u32,
			len: len as u32,
			cipher: piece.cipher.clone(),
			place: piece.place,
			untagged: false,
		};
		piece.place.segment += 1;
		self.seal(seal, len + TAG_SIZE)
	}

	/// Fills up `len` bytes, within one block.
	fn pad(&mut self, len: usize) -> Result<()> {
		let position = self.position();
		let cipher = self.padding.clone();
		let (work, at) = self.current()?;
		let start = *at;
		work.buffer[start..start + len].fill(0);
		let place = Place { subtask: 0, segment: position };
		let seal = Seal { start: start as u32, len: len as u32, cipher, place, untagged: true };
		self.seal(seal, len)
	}

	/// Notes a segment that takes `len` bytes with its tag, and sends off a shard that is full.
	fn seal(&mut self, seal: Seal, len: usize) -> Result<()> {
		let size = self.size;
		let (work, at) = self.current()?;
		*at = seal.start as usize + len;
		work.seals.push(seal);
		if *at == size {
			self.send()?;
		}
		Ok(())
	}

	/// The shard that is being filled, or a new one.
	fn current(&mut self) -> Result<&mut (Work, usize)> {
		let current = match self.current.take() {
			Some(current) => current,
			None => (self.begin_shard()?, 0),
		};
		Ok(self.current.insert(current))
	}

	fn begin_shard(&mut self) -> Result<Work> {
		let number = self.shards.len();
		let mut work = if self.spare > 0 {
			self.spare -= 1;
			Work { number, buffer: vec![0; self.size], seals: Vec::new() }
		} else {
			self.receive()?
		};
		work.number = number;
		work.seals.clear();
		self.shards.push(None);
		Ok(work)
	}

	/// Sends the current shard to the pool.
	fn send(&mut self) -> Result<()> {
		let Some((work, _)) = self.current.take() else { return Ok(()) };
		let (sink, sender) = (self.sink, self.sender.clone());
		self.flying += 1;
		self.pool.spawn(move |_| {
			let mut work = work;
			let shard = guarded(|| work.process(sink));
			// Nobody listens once the writer gave up: the error it has is enough.
			let _ = sender.send(Done { work, shard });
		});
		Ok(())
	}

	/// Waits for any shard, notes it, and gives back its buffer.
	fn receive(&mut self) -> Result<Work> {
		let lost = |_| Error::Stream(io::Error::other("a thread of the pool stopped"));
		let done = self.receiver.recv().map_err(lost)?;
		self.flying -= 1;
		self.shards[done.work.number] = Some(done.shard?);
		Ok(done.work)
	}

	/// Fills up the last shard and waits for all.
	fn finish(mut self) -> Result<Vec<Shard>> {
		self.end()?;
		while let Some((_, at)) = &self.current {
			let end = (at / BLOCK_SIZE + 1) * BLOCK_SIZE;
			self.pad(end - at)?;
		}
		while self.flying > 0 {
			self.receive()?;
		}
		let shards = std::mem::take(&mut self.shards).into_iter().collect::<Option<Vec<_>>>();
		shards.ok_or(Error::Decode { what: "a shard that never came back" })
	}
}

impl Work {
	/// Seals, hashes and puts the shard, a block at a time.
	fn process(&mut self, sink: &dyn BlockSink) -> Result<Shard> {
		let blocks = self.buffer.len() / BLOCK_SIZE;
		let mut seals = self.seals.iter().peekable();
		let mut digests = Vec::with_capacity(blocks);
		let mut tree = ShardHasher::default();
		for (number, block) in self.buffer.chunks_exact_mut(BLOCK_SIZE).enumerate() {
			let offset = number * BLOCK_SIZE;
			while let Some(seal) = seals.next_if(|s| (s.start as usize) < offset + BLOCK_SIZE) {
				let start = seal.start as usize - offset;
				let (data, rest) = block[start..].split_at_mut(seal.len as usize);
				let tag = seal.cipher.seal(seal.place, data);
				if !seal.untagged {
					rest[..TAG_SIZE].copy_from_slice(&tag);
				}
			}
			let digest = sha256(block);
			tree.update(block);
			store(sink, &ContentId { codec: ContentCodec::Raw, digest }, block)?;
			digests.push(digest);
		}
		let (id, node) = shard_root(&digests)?;
		store(sink, &id, &node)?;
		Ok(Shard { digest: id.digest, root: tree.root() })
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
	let mut tree = ShardHasher::default();
	let expected = shard_blocks(source, manifest, number, &mut |block| {
		tree.update(block);
		each(block)
	})?;
	let found = tree.root();
	if found == expected {
		Ok(())
	} else {
		Err(Error::ShardRoot { shard: number, expected, found })
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
