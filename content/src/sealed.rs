//! Streams that one person seals for one key: results, and the owner's private part. Each block of
//! the tree is one sealed segment.

use std::{
	io::{self, Write},
	sync::Arc,
};

use dgcs_primitives::ContentId;

use crate::{
	block::{BlockSink, BlockSource, BLOCK_SIZE},
	error::{Error, Result},
	keys::{Cipher, Place, Scope, TAG_SIZE},
	pool::{ordered, with_pool},
	tree::{Blob, BlobWriter, Content, Leaf, Leaves, Node},
};

/// Bytes of plaintext in every segment but the last.
const SEGMENT: usize = BLOCK_SIZE - TAG_SIZE;

/// How many bytes `len` bytes have when they are sealed.
fn sealed_len(len: u64) -> u64 {
	len.saturating_add(len.div_ceil(SEGMENT as u64).max(1).saturating_mul(TAG_SIZE as u64))
}

/// Seals a stream of any length, keeping no more than a block of it.
pub(crate) struct SealedWriter<'a> {
	out: BlobWriter<'a>,
	cipher: Cipher,
	place: Place,
	buffer: Vec<u8>,
}

impl<'a> SealedWriter<'a> {
	pub fn new(sink: &'a dyn BlockSink, leaves: Leaves, cipher: Cipher, subtask: u32) -> Self {
		let buffer = Vec::with_capacity(BLOCK_SIZE);
		let out = BlobWriter::new(sink, leaves);
		SealedWriter { out, cipher, place: Place::only(subtask), buffer }
	}

	fn seal(&mut self) -> io::Result<()> {
		let tag = self.cipher.seal(self.place, &mut self.buffer);
		self.buffer.extend_from_slice(&tag);
		self.out.write_all(&self.buffer)?;
		self.buffer.clear();
		self.place.segment += 1;
		Ok(())
	}

	pub fn finish(mut self) -> Result<Blob> {
		// Even a stream of nothing has a segment, so that nobody can pass off nothing as one.
		if !self.buffer.is_empty() || self.place.segment == 0 {
			self.seal().map_err(|error| Error::from_io(error, Error::Stream))?;
		}
		self.out.finish()
	}
}

impl Write for SealedWriter<'_> {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		let taken = bytes.len().min(SEGMENT - self.buffer.len());
		self.buffer.extend_from_slice(&bytes[..taken]);
		if self.buffer.len() == SEGMENT {
			self.seal()?;
		}
		Ok(taken)
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}

/// A sealed stream that was found, and is read in order.
pub(crate) struct Sealed<'a> {
	stream: Stream<'a>,
	node: Node,
}

/// What all segments of a stream have in common.
struct Stream<'a> {
	source: &'a dyn BlockSource,
	cipher: Cipher,
	subtask: u32,
	scope: Scope,
	what: &'static str,
}

/// One segment of a stream, to be got and opened.
pub(crate) struct Segment<'a> {
	stream: Arc<Stream<'a>>,
	number: u64,
	leaf: Leaf,
}

impl<'a> Sealed<'a> {
	/// Finds the stream `id`, of at most `limit` bytes of plaintext. `what` names it in errors.
	pub fn open(
		source: &'a dyn BlockSource,
		id: &ContentId,
		limit: u64,
		cipher: Cipher,
		(subtask, scope, what): (u32, Scope, &'static str),
	) -> Result<Self> {
		let node = Node::get(source, id)?;
		let limit = sealed_len(limit);
		if node.len() > limit {
			return Err(Error::TooLarge { id: *id, found: node.len(), limit });
		}
		Ok(Sealed { stream: Stream { source, cipher, subtask, scope, what }, node })
	}

	/// All of its segments, in order: at least one.
	pub fn segments(self) -> Result<Vec<Segment<'a>>> {
		let (stream, len) = (Arc::new(self.stream), self.node.len());
		let mut segments = Vec::new();
		self.node.walk(stream.source, &(0..len), &mut |_, leaf| {
			let number = segments.len() as u64;
			segments.push(Segment { stream: stream.clone(), number, leaf });
			Ok(())
		})?;
		Ok(segments)
	}

	/// Opens all of it on all cores, and hands it over in order.
	pub fn read(self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
		let segments = self.segments()?.into_iter().map(Ok);
		with_pool(|pool| {
			ordered(pool, segments, &Segment::open).try_for_each(|content| each(content?.bytes()))
		})
	}
}

impl Segment<'_> {
	/// Whether the stream begins with it.
	pub fn is_first(&self) -> bool {
		self.number == 0
	}

	/// Gets it, and opens it in place.
	pub fn open(self) -> Result<Content> {
		let Stream { source, cipher, subtask, scope, what } = &*self.stream;
		let mut content = self.leaf.get(*source)?;
		let place = Place { subtask: *subtask, segment: self.number };
		let len = cipher.open(place, content.bytes_mut()).map(|data| data.len());
		let what = || format!("{what} (subtask {subtask}, segment {})", self.number);
		content.truncate(len.ok_or_else(|| Error::Sealed { what: what(), scope: *scope })?);
		Ok(content)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		keys::{OwnerSecret, TaskNonce, Use},
		testing::Memory,
	};

	fn cipher(owner: u8) -> Cipher {
		let keys = OwnerSecret::from_bytes([owner; 32]).task(&TaskNonce([2; 32]));
		keys.scope(Scope::Owner).cipher(Use::Private)
	}

	fn write(store: &Memory, len: usize) -> (Vec<u8>, Blob) {
		let plain: Vec<u8> = (0..len).map(|i| (i / 777) as u8).collect();
		let mut writer = SealedWriter::new(store, Leaves::Wrapped, cipher(1), 5);
		writer.write_all(&plain).expect("into memory");
		(plain, writer.finish().expect("into memory"))
	}

	fn read(store: &Memory, blob: &Blob, limit: u64, owner: u8, subtask: u32) -> Result<Vec<u8>> {
		let about = (subtask, Scope::Owner, "the test");
		let sealed = Sealed::open(store, &blob.id, limit, cipher(owner), about)?;
		let mut bytes = Vec::new();
		sealed.read(&mut |part| {
			bytes.extend_from_slice(part);
			Ok(())
		})?;
		Ok(bytes)
	}

	#[test]
	fn every_length_comes_back_to_who_has_the_key() {
		for len in [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 9 * SEGMENT, 180 * SEGMENT + 7] {
			let store = Memory::default();
			let (plain, blob) = write(&store, len);
			assert_eq!(blob.len, sealed_len(len as u64));
			assert!(read(&store, &blob, len as u64, 1, 5).expect("all right") == plain, "{len}");
			let sealed = |result: Result<_>| matches!(result, Err(Error::Sealed { .. }));
			assert!(sealed(read(&store, &blob, len as u64, 2, 5)), "another owner");
			assert!(sealed(read(&store, &blob, len as u64, 1, 6)), "another subtask");
			if len > TAG_SIZE {
				let error = read(&store, &blob, len as u64 / 10, 1, 5).expect_err("ten times");
				assert!(matches!(error, Error::TooLarge { .. }), "{error}");
			}
			assert!(store.all().iter().all(|block| {
				len < 4000 || block.windows(64).all(|part| part.iter().any(|b| *b != part[0]))
			}));
		}
	}
}
