//! Cutting a task's input into the pieces of its subtasks (§4.2.1, §4.5.2), as a stream: by bytes,
//! by lines, by files, or not at all where every subtask sees all of it and its own number.

use std::{
	io::{self, Read, Write},
	sync::Arc,
};

use codec::{Decode, Encode};
use dgcs_primitives::{RangeIndex, MAX_SUBTASKS};
use memchr::memchr_iter;

use crate::{
	block::{BlockSink, BLOCK_SIZE},
	error::{CutError, Error, Result},
	index::Record,
	keys::{Cipher, Scope, ScopeKey, TaskKeys, Use},
	shard::ShardWriter,
	steady::Steady,
	tree::{Blob, BlobWriter, Leaves},
};

/// How much is cut at once, so that progress is seen.
const CHUNK: u64 = 4 << 20;

/// How an input becomes subtasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Cut {
	/// Pieces of so many bytes; the last one has what is left.
	Bytes(u64),
	/// Pieces of so many lines, each with its line end.
	Lines(u64),
	/// Each file of a folder.
	Files,
	/// So many subtasks, each of which sees the whole input and its own number: frames to render.
	Index(u32),
}

/// Cuts what is written to it, and notes where each piece is.
pub(crate) struct Cutter<'c, 'w, 'pool, 's> {
	shards: &'c mut ShardWriter<'w, 'pool>,
	keys: &'c TaskKeys,
	sink: &'s dyn BlockSink,
	progress: &'c mut dyn FnMut(u64),
	cut: Cut,
	range_size: u32,
	index: Option<BlobWriter<'s>>,
	range: Option<Range>,
	/// How many pieces have begun.
	subtasks: u32,
	/// Bytes and full lines in the piece that is open, if one is.
	piece: Option<(u64, u64)>,
	total: u64,
}

/// The range that is being filled.
struct Range {
	number: RangeIndex,
	key: ScopeKey,
	cipher: Arc<Cipher>,
	record: Record,
}

/// What came of a cut.
pub(crate) struct Pieces {
	pub subtasks: u32,
	/// Where the pieces are, unless all subtasks see one.
	pub index: Option<Blob>,
	/// Bytes of the whole input.
	pub total: u64,
}

impl<'c, 'w, 'pool, 's> Cutter<'c, 'w, 'pool, 's> {
	/// Cuts as `cut` says. `progress` is told how many bytes were read since it was last told.
	pub fn new(
		shards: &'c mut ShardWriter<'w, 'pool>,
		keys: &'c TaskKeys,
		sink: &'s dyn BlockSink,
		(cut, range_size): (Cut, u32),
		progress: &'c mut dyn FnMut(u64),
	) -> Result<Self> {
		match cut {
			Cut::Bytes(0) => return Err(CutError::Zero("bytes").into()),
			Cut::Lines(0) => return Err(CutError::Zero("lines").into()),
			Cut::Index(0) => return Err(CutError::Zero("subtasks").into()),
			Cut::Index(count) if count > MAX_SUBTASKS => {
				return Err(CutError::TooMany { limit: MAX_SUBTASKS }.into())
			},
			_ => {},
		}
		if let Cut::Index(_) = cut {
			let cipher = keys.scope(Scope::Task).cipher(Use::Input);
			shards.begin(Arc::new(cipher), 0);
		}
		Ok(Cutter {
			shards,
			keys,
			sink,
			progress,
			cut,
			range_size,
			index: None,
			range: None,
			subtasks: 0,
			piece: None,
			total: 0,
		})
	}

	/// Begins the next piece.
	pub fn begin(&mut self) -> Result<()> {
		if self.subtasks == MAX_SUBTASKS {
			return Err(CutError::TooMany { limit: MAX_SUBTASKS }.into());
		}
		let start = self.shards.position();
		let range = self.range.get_or_insert_with(|| {
			let number = RangeIndex(self.subtasks / self.range_size);
			let key = self.keys.scope(Scope::Range(number));
			let cipher = Arc::new(key.cipher(Use::Input));
			Range { number, key, cipher, record: Record { start, lens: Vec::new() } }
		});
		self.shards.begin(range.cipher.clone(), self.subtasks);
		self.subtasks += 1;
		self.piece = Some((0, 0));
		Ok(())
	}

	/// Ends the piece that is open.
	pub fn end(&mut self) -> Result<()> {
		let (Some((len, _)), Some(range)) = (self.piece.take(), &mut self.range) else {
			return Ok(());
		};
		self.shards.end()?;
		range.record.lens.push(len);
		if range.record.lens.len() == self.range_size as usize {
			self.close_range()?;
		}
		Ok(())
	}

	fn close_range(&mut self) -> Result<()> {
		let Some(range) = self.range.take() else { return Ok(()) };
		let sink = self.sink;
		let index = self.index.get_or_insert_with(|| BlobWriter::new(sink, Leaves::Raw));
		range.record.write(index, range.number, self.range_size, &range.key)
	}

	/// Cuts the content of `file`.
	pub fn pull(&mut self, file: &Arc<Steady>) -> Result<()> {
		// Lines have to be seen. And what the pool is to read stays open until it has: of small files
		// those might be thousands.
		if matches!(self.cut, Cut::Lines(_)) || file.len() < BLOCK_SIZE as u64 {
			return self.pull_through(file);
		}
		let mut at = 0;
		while at < file.len() {
			let len = self.room()?.min(file.len() - at).min(CHUNK);
			self.shards.append(file, at, len)?;
			self.count(len);
			at += len;
		}
		file.ends()
	}

	/// The same with all bytes read here.
	fn pull_through(&mut self, file: &Steady) -> Result<()> {
		let mut reader = file.reader();
		let mut buffer = vec![0; BLOCK_SIZE.min(file.len() as usize + 1)];
		loop {
			match reader.read(&mut buffer).map_err(|error| file.failed(error))? {
				0 => return Ok(()),
				read => self.write_all(&buffer[..read]).map_err(|error| file.failed(error))?,
			}
		}
	}

	/// How many bytes the piece takes; begins a new one if it is full.
	fn room(&mut self) -> Result<u64> {
		let Cut::Bytes(size) = self.cut else { return Ok(u64::MAX) };
		if self.piece.is_some_and(|(len, _)| len == size) {
			self.end()?;
		}
		if self.piece.is_none() {
			self.begin()?;
		}
		Ok(size - self.piece.map_or(0, |(len, _)| len))
	}

	fn count(&mut self, bytes: u64) {
		self.total += bytes;
		if let Some((len, _)) = &mut self.piece {
			*len += bytes;
		}
		(self.progress)(bytes);
	}

	/// Takes as much of `bytes` as belongs to the piece.
	fn feed(&mut self, bytes: &[u8]) -> Result<usize> {
		let mut taken = bytes.len();
		let mut full = false;
		match self.cut {
			Cut::Bytes(_) => taken = self.room()?.min(bytes.len() as u64) as usize,
			Cut::Lines(count) => {
				if self.piece.is_none() {
					self.begin()?;
				}
				if let Some((_, lines)) = &mut self.piece {
					for end in memchr_iter(b'\n', bytes) {
						*lines += 1;
						if *lines == count {
							(taken, full) = (end + 1, true);
							break;
						}
					}
				}
			},
			Cut::Files | Cut::Index(_) => {},
		}
		self.shards.write(&bytes[..taken])?;
		self.count(taken as u64);
		if full {
			self.end()?;
		}
		Ok(taken)
	}

	/// Ends the last piece and the index.
	pub fn finish(mut self) -> Result<Pieces> {
		let total = self.total;
		if let Cut::Index(subtasks) = self.cut {
			self.shards.end()?;
			return Ok(Pieces { subtasks, index: None, total });
		}
		self.end()?;
		self.close_range()?;
		let index = self.index.take().ok_or(CutError::Empty)?.finish()?;
		Ok(Pieces { subtasks: self.subtasks, index: Some(index), total })
	}
}

impl Write for Cutter<'_, '_, '_, '_> {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		if bytes.is_empty() {
			return Ok(0);
		}
		self.feed(bytes).map_err(Error::into_io)
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}
