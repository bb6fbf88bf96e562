//! Streams that one person seals for one key: results, and the owner's private part. Each block of
//! the tree is one sealed segment.

use std::io::{self, Write};

use dgcs_primitives::ContentId;

use crate::{
	block::{BlockSink, BlockSource, BLOCK_SIZE},
	error::{Error, Result},
	keys::{Cipher, Place, Scope, TAG_SIZE},
	pool::ordered,
	tree::{leaf_content, Blob, BlobWriter, Each, Leaf, Leaves, Node},
};

/// Bytes of plaintext in every segment but the last.
const SEGMENT: usize = BLOCK_SIZE - TAG_SIZE;
/// Trees with at most so many bytes are opened as one piece of work.
const SMALL: u64 = 1 << 20;

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
	source: &'a dyn BlockSource,
	cipher: Cipher,
	subtask: u32,
	scope: Scope,
	what: &'static str,
	node: Node,
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
		Ok(Sealed { source, cipher, subtask, scope, what, node })
	}

	/// Whether reading it at once is no burden.
	pub fn is_small(&self) -> bool {
		self.node.len() <= SMALL
	}

	fn segment(&self, number: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
		let place = Place { subtask: self.subtask, segment: number };
		let len = self.cipher.open(place, &mut bytes).map(|data| data.len());
		let what = || format!("{} (subtask {}, segment {number})", self.what, self.subtask);
		let scope = self.scope;
		bytes.truncate(len.ok_or_else(|| Error::Sealed { what: what(), scope })?);
		Ok(bytes)
	}

	/// Opens all segments on this thread.
	pub fn read_here(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
		let mut number = 0;
		self.walk(&mut |_, leaf| {
			let bytes = match leaf {
				Leaf::Got(bytes) => bytes.to_vec(),
				Leaf::Named(id, len) => leaf_content(self.source, &id, len)?,
			};
			each(&self.segment(number, bytes)?)?;
			number += 1;
			Ok(())
		})
	}

	/// Opens all segments on all cores.
	pub fn read(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
		if self.is_small() {
			return self.read_here(each);
		}
		let mut names = Vec::new();
		self.walk(&mut |_, leaf| {
			if let Leaf::Named(id, len) = leaf {
				names.push(Ok((names.len() as u64, id, len)));
			}
			Ok(())
		})?;
		let open = |(number, id, len): (u64, ContentId, u64)| {
			self.segment(number, leaf_content(self.source, &id, len)?)
		};
		ordered(names.into_iter(), open, |segment| each(&segment))
	}

	fn walk(&self, each: &mut Each<'_>) -> Result<()> {
		self.node.walk(self.source, &(0..self.node.len()), each)
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
		let (mut bytes, mut again) = (Vec::new(), Vec::new());
		sealed.read(&mut |part| {
			bytes.extend_from_slice(part);
			Ok(())
		})?;
		sealed.read_here(&mut |part| {
			again.extend_from_slice(part);
			Ok(())
		})?;
		assert!(bytes == again);
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
