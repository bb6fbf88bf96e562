//! Reading a task's input back: by a worker, its own range and no more; by the owner, all of it.
//!
//! Blocks are fetched, checked and opened on all threads of the pool, and handed over in order.

use std::sync::Arc;

use dgcs_primitives::{ContentId, RangeIndex};

use crate::{
	block::{fetch, BlockSource, BLOCK_SIZE},
	error::{Error, Result},
	index::Record,
	keys::{Cipher, Place, Scope, ScopeKey, TaskKeys, Use, TAG_SIZE},
	layout::{end_of_piece, segments, Segment},
	manifest::Manifest,
	pool::{ordered, with_pool},
	tree::shard_leaves,
};

/// What is called with the bytes of each subtask's input in order: its number, and some bytes.
pub type EachPart<'a> = dyn FnMut(u32, &[u8]) -> Result<()> + 'a;

/// The input of one range, found and understood.
#[derive(Clone, Debug)]
pub struct RangeInput {
	range: RangeIndex,
	first: u32,
	record: Record,
	cipher: Arc<Cipher>,
}

impl RangeInput {
	/// Finds the input of `range` by its key.
	pub fn open(
		source: &dyn BlockSource,
		manifest: &Manifest,
		range: RangeIndex,
		key: &ScopeKey,
	) -> Result<Self> {
		let index = manifest.index.ok_or(Error::Decode { what: "the index of a shared input" })?;
		let record = Record::get(source, manifest, &index, range, key)?;
		let first = range.0 * manifest.range_size;
		Ok(RangeInput { range, first, record, cipher: Arc::new(key.cipher(Use::Input)) })
	}

	/// How many bytes each of its subtasks has, in order.
	pub fn lens(&self) -> &[u64] {
		&self.record.lens
	}

	/// Reads the input of one subtask of the range.
	pub fn read(
		&self,
		source: &dyn BlockSource,
		manifest: &Manifest,
		subtask: u32,
		each: &mut EachPart<'_>,
	) -> Result<()> {
		let number = subtask.checked_sub(self.first);
		let piece = number.and_then(|number| self.record.piece(number as usize));
		let (start, len) = piece.ok_or(Error::OutOfRange {
			what: "subtask",
			number: subtask.into(),
			count: u64::from(self.first) + self.record.lens.len() as u64,
		})?;
		let piece = Piece { scope: Scope::Range(self.range), subtask, start, len };
		let cipher = self.cipher.clone();
		read_pieces(source, manifest, std::iter::once(Ok((piece, cipher))), each)
	}

	fn pieces(&self) -> impl Iterator<Item = Result<(Piece, Arc<Cipher>)>> + '_ {
		let scope = Scope::Range(self.range);
		(0..self.record.lens.len()).map(move |number| {
			let (start, len) =
				self.record.piece(number).ok_or(Error::Index { scope, end: u64::MAX, len: 0 })?;
			let piece = Piece { scope, subtask: self.first + number as u32, start, len };
			Ok((piece, self.cipher.clone()))
		})
	}
}

/// Reads an input of `len` bytes that every subtask sees, with the task's key. Parts have the
/// number 0.
pub fn read_shared(
	source: &dyn BlockSource,
	manifest: &Manifest,
	task: &ScopeKey,
	len: u64,
	each: &mut EachPart<'_>,
) -> Result<()> {
	let stream = manifest.stream_len();
	let end = end_of_piece(0, len).unwrap_or(u64::MAX);
	if end > stream {
		return Err(Error::Index { scope: Scope::Task, end, len: stream });
	}
	let cipher = Arc::new(task.cipher(Use::Input));
	let piece = Piece { scope: Scope::Task, subtask: 0, start: 0, len };
	read_pieces(source, manifest, std::iter::once(Ok((piece, cipher))), each)
}

/// Reads the whole input in order, as its owner.
pub fn read_all(
	source: &dyn BlockSource,
	manifest: &Manifest,
	keys: &TaskKeys,
	each: &mut EachPart<'_>,
) -> Result<()> {
	if manifest.index.is_none() {
		let task = keys.scope(Scope::Task);
		let len = manifest.open_job(&task)?.shared_input.unwrap_or_default();
		return read_shared(source, manifest, &task, len, each);
	}
	let ranges = (0..manifest.ranges()).map(|range| {
		let range = RangeIndex(range);
		RangeInput::open(source, manifest, range, &keys.scope(Scope::Range(range)))
	});
	let pieces = ranges.flat_map(|input| match input {
		Ok(input) => input.pieces().collect::<Vec<_>>(),
		Err(error) => vec![Err(error)],
	});
	read_pieces(source, manifest, pieces, each)
}

/// One piece of the stream.
#[derive(Clone, Copy)]
struct Piece {
	scope: Scope,
	subtask: u32,
	start: u64,
	len: u64,
}

/// One segment, within its block.
struct Part {
	scope: Scope,
	place: Place,
	start: usize,
	len: usize,
	cipher: Arc<Cipher>,
}

fn read_pieces(
	source: &dyn BlockSource,
	manifest: &Manifest,
	pieces: impl Iterator<Item = Result<(Piece, Arc<Cipher>)>>,
	each: &mut EachPart<'_>,
) -> Result<()> {
	let parts = pieces.flat_map(|piece| {
		let (piece, failed) = match piece {
			Ok(piece) => (Some(piece), None),
			Err(error) => (None, Some(Err(error))),
		};
		piece.into_iter().flat_map(parts_of).map(Ok).chain(failed)
	});
	let blocks = Blocks { parts, ahead: None, shard: None, source, manifest };
	let open = |(id, parts): (ContentId, Vec<Part>)| {
		let mut block = fetch(source, &id)?;
		if block.len() != BLOCK_SIZE {
			return Err(Error::Tree { id, what: "a block of a shard that is not full" });
		}
		for Part { scope, place, start, len, cipher } in &parts {
			let sealed = &mut block[*start..start + len + TAG_SIZE];
			cipher.open(*place, sealed).ok_or_else(|| Error::Sealed {
				what: format!(
					"segment {} of the input of subtask {}",
					place.segment, place.subtask
				),
				scope: *scope,
			})?;
		}
		Ok((block, parts))
	};
	with_pool(|pool| {
		ordered(pool, blocks, &open).try_for_each(|opened| {
			let (block, parts) = opened?;
			parts.iter().try_for_each(|part| {
				each(part.place.subtask, &block[part.start..part.start + part.len])
			})
		})
	})
}

/// The segments of a piece, each with the number of its block.
fn parts_of((piece, cipher): (Piece, Arc<Cipher>)) -> impl Iterator<Item = (u64, Part)> {
	let numbered = (0..).zip(segments(piece.start, piece.len));
	numbered.map(move |(segment, Segment { start, len })| {
		let part = Part {
			scope: piece.scope,
			place: Place { subtask: piece.subtask, segment },
			start: (start % BLOCK_SIZE as u64) as usize,
			len,
			cipher: cipher.clone(),
		};
		(start / BLOCK_SIZE as u64, part)
	})
}

/// Groups segments by the block that they are in, and names the blocks.
struct Blocks<'a, I> {
	parts: I,
	ahead: Option<(u64, Part)>,
	/// The shard that was looked up last, with its blocks.
	shard: Option<(usize, Vec<ContentId>)>,
	source: &'a dyn BlockSource,
	manifest: &'a Manifest,
}

impl<I: Iterator<Item = Result<(u64, Part)>>> Blocks<'_, I> {
	fn group(&mut self) -> Result<Option<(ContentId, Vec<Part>)>> {
		let first = match self.ahead.take() {
			Some(part) => Some(part),
			None => self.parts.next().transpose()?,
		};
		let Some((number, part)) = first else { return Ok(None) };
		let mut group = vec![part];
		while let Some((other, part)) = self.parts.next().transpose()? {
			if other != number {
				self.ahead = Some((other, part));
				break;
			}
			group.push(part);
		}
		Ok(Some((self.name(number)?, group)))
	}

	/// The id of block `number` of the stream.
	fn name(&mut self, number: u64) -> Result<ContentId> {
		let per_shard = u64::from(self.manifest.shard_size) / BLOCK_SIZE as u64;
		let (shard, block) = ((number / per_shard) as usize, (number % per_shard) as usize);
		let shards = &self.manifest.shards;
		if self.shard.as_ref().is_none_or(|(known, _)| *known != shard) {
			let root = shards.get(shard).ok_or(Error::OutOfRange {
				what: "shard",
				number: shard as u64,
				count: shards.len() as u64,
			})?;
			let ids = shard_leaves(self.source, &root.id(), self.manifest.shard_size)?;
			self.source.want(&ids[block..]);
			self.shard = Some((shard, ids));
		}
		let id = self.shard.as_ref().and_then(|(_, ids)| ids.get(block).copied());
		id.ok_or(Error::Decode { what: "a shard with too few blocks" })
	}
}

impl<I: Iterator<Item = Result<(u64, Part)>>> Iterator for Blocks<'_, I> {
	type Item = Result<(ContentId, Vec<Part>)>;

	fn next(&mut self) -> Option<Self::Item> {
		self.group().transpose()
	}
}
