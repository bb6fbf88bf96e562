//! The index: where the pieces of each range are in the stream. One record of fixed size for each
//! range, sealed with the range's key, so that a worker finds its own pieces by one look-up, and
//! nobody else learns how large the owner's files or lines are.

use std::io::Write;

use dgcs_primitives::RangeIndex;

use crate::{
	block::BlockSource,
	error::{Error, Result},
	keys::{Place, Scope, ScopeKey, Use, TAG_SIZE},
	layout::end_of_piece,
	manifest::Manifest,
	tree::{get_blob_range, Blob, BlobWriter},
};

/// Bytes of one sealed record: where the first piece starts, and each piece's length.
pub(crate) fn record_size(range_size: u32) -> usize {
	8 + 8 * range_size as usize + TAG_SIZE
}

/// Where the pieces of one range are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
	/// Where in the stream the first one begins.
	pub start: u64,
	/// How many bytes of plaintext each has, in order.
	pub lens: Vec<u64>,
}

impl Record {
	/// Seals and appends it.
	pub fn write(
		&self,
		out: &mut BlobWriter<'_>,
		range: RangeIndex,
		range_size: u32,
		key: &ScopeKey,
	) -> Result<()> {
		let mut bytes = Vec::with_capacity(record_size(range_size));
		bytes.extend_from_slice(&self.start.to_le_bytes());
		self.lens.iter().for_each(|len| bytes.extend_from_slice(&len.to_le_bytes()));
		bytes.resize(record_size(range_size) - TAG_SIZE, 0);
		let sealed = key.cipher(Use::Index).seal_vec(Place::only(range.0), bytes);
		out.write_all(&sealed).map_err(|error| Error::from_io(error, Error::Stream))
	}

	/// Gets and opens the record of `range` in `index`, and checks that its pieces lie within the
	/// task's stream.
	pub fn get(
		source: &dyn BlockSource,
		manifest: &Manifest,
		index: &Blob,
		range: RangeIndex,
		key: &ScopeKey,
	) -> Result<Self> {
		let scope = Scope::Range(range);
		let first = u64::from(range.0) * u64::from(manifest.range_size);
		let count = u64::from(manifest.subtasks)
			.saturating_sub(first)
			.min(manifest.range_size.into()) as usize;
		if count == 0 {
			let count = manifest.ranges().into();
			return Err(Error::OutOfRange { what: "range", number: range.0.into(), count });
		}
		let size = record_size(manifest.range_size);
		let at = u64::from(range.0) * size as u64;
		let mut sealed = get_blob_range(source, index, at, size)?;
		let bytes = key
			.cipher(Use::Index)
			.open(Place::only(range.0), &mut sealed)
			.ok_or_else(|| Error::Sealed { what: format!("the index of {scope}"), scope })?;
		let mut numbers = bytes.chunks_exact(8).map(|chunk| {
			let mut number = [0; 8];
			number.copy_from_slice(chunk);
			u64::from_le_bytes(number)
		});
		let start = numbers.next().unwrap_or_default();
		let lens: Vec<u64> = numbers.take(count).collect();
		let len = manifest.stream_len();
		// Lengths are the owner's word: they may be anything, and lead nowhere but into the stream.
		let end = lens.iter().try_fold(start, |at, piece| end_of_piece(at.min(len), *piece));
		match end {
			Some(end) if start <= len && end <= len => Ok(Record { start, lens }),
			_ => Err(Error::Index { scope, end: end.unwrap_or(u64::MAX).max(start), len }),
		}
	}

	/// Where piece `number` begins, and its length.
	pub fn piece(&self, number: usize) -> Option<(u64, u64)> {
		let len = *self.lens.get(number)?;
		let before = self.lens[..number].iter();
		Some((before.copied().try_fold(self.start, end_of_piece)?, len))
	}
}
