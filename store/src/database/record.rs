//! Records: a block on disk, with what it takes to find it again without an index.
//!
//! ```text
//! mark (4) ‖ length (u32) ‖ CRC-32 (u32) ‖ digest (32) ‖ zeros (20) ‖ block ‖ zeros
//! ```
//!
//! Integers are little-endian. The checksum is over the length, the digest and the block: it tells a
//! torn or rotten record from a whole one at a fifth of the cost of BLAKE3. It guards against
//! accidents alone; readers check the digest.
//!
//! Zeros make records and blocks begin at multiples of [`ALIGNMENT`] in a file, and so in the system's
//! cache of it.

use std::{fs::File, io, os::unix::fs::FileExt};

use rustix::{
	buffer::spare_capacity,
	io::{pread, retry_on_intr},
};

/// The BLAKE3 of a block, by which it is filed: its codec changes its name, not its bytes.
pub(crate) type Digest = [u8; 32];

/// The most bytes of a block that is stored: what Bitswap carries.
pub(crate) const MAX_STORED: usize = 2 << 20;

/// The number of this form of records. A store of another one can't be read.
pub(crate) const FORM: u32 = 2;
const MARK: [u8; 4] = *b"dgb2";

/// A line of a processor's cache: some processors copy to and from other places at a third of the speed.
const ALIGNMENT: usize = 64;

/// The bytes before the block.
const HEADER: usize = ALIGNMENT;

/// How many bytes a block of `len` takes on disk.
pub(crate) const fn size(len: usize) -> u64 {
	(HEADER + padded(len)) as u64
}

/// Bytes of a block of `len` with the zeros behind it.
const fn padded(len: usize) -> usize {
	len.next_multiple_of(ALIGNMENT)
}

fn checksum(len: [u8; 4], digest: &Digest, block: &[u8]) -> [u8; 4] {
	let mut hasher = crc32fast::Hasher::new();
	hasher.update(&len);
	hasher.update(digest);
	hasher.update(block);
	hasher.finalize().to_le_bytes()
}

/// A block on its way to the disk. It is not copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
	header: [u8; HEADER],
	block: &'a [u8],
}

impl<'a> Record<'a> {
	/// The record of `block`. `None` if it is larger than any that is stored.
	pub fn new(digest: &Digest, block: &'a [u8]) -> Option<Self> {
		if block.len() > MAX_STORED {
			return None;
		}
		let len = u32::try_from(block.len()).ok()?.to_le_bytes();
		let mut header = [0; HEADER];
		header[..4].copy_from_slice(&MARK);
		header[4..8].copy_from_slice(&len);
		header[8..12].copy_from_slice(&checksum(len, digest, block));
		header[12..44].copy_from_slice(digest);
		Some(Record { header, block })
	}

	/// Bytes of the block.
	pub fn len(&self) -> u32 {
		self.block.len() as u32 // At most MAX_STORED.
	}

	/// Bytes on disk.
	pub fn size(&self) -> u64 {
		size(self.block.len())
	}

	/// Writes it at `offset` of a file. If that ends half-way, what is there is no record.
	pub fn write(&self, file: &File, offset: u64) -> io::Result<()> {
		file.write_all_at(&self.header, offset)?;
		let (offset, len) = (offset + HEADER as u64, self.block.len());
		file.write_all_at(self.block, offset)?;
		file.write_all_at(&[0; ALIGNMENT][..padded(len) - len], offset + len as u64)
	}
}

/// The digest and length that a header states.
fn parse(header: &[u8; HEADER]) -> Option<(Digest, [u8; 4], usize)> {
	let (mark, rest) = header.split_first_chunk::<4>()?;
	let (len, rest) = rest.split_first_chunk::<4>()?;
	let (_, rest) = rest.split_first_chunk::<4>()?;
	let (digest, zeros) = rest.split_first_chunk::<32>()?;
	let size = u32::from_le_bytes(*len) as usize;
	let known = *mark == MARK && size <= MAX_STORED && is_zero(zeros);
	known.then_some((*digest, *len, size))
}

fn is_zero(bytes: &[u8]) -> bool {
	bytes.iter().all(|byte| *byte == 0)
}

/// The block in the record at `offset`, if the record is whole.
pub(crate) fn read(
	file: &File,
	offset: u64,
	digest: &Digest,
	len: usize,
) -> io::Result<Option<Vec<u8>>> {
	let mut header = [0; HEADER];
	match file.read_exact_at(&mut header, offset) {
		Ok(()) => {},
		Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
		Err(error) => return Err(error),
	}
	// Into memory that is not zeroed before. To zero it, jemalloc gives its pages back to the system, and
	// each of them costs a fault when it is written to: together as much as hashing the block.
	let padded = padded(len);
	let mut block = Vec::with_capacity(padded);
	while block.len() < padded {
		let at = offset + (HEADER + block.len()) as u64;
		match retry_on_intr(|| pread(file, spare_capacity(&mut block), at))? {
			0 => return Ok(None),
			_ => block.truncate(padded),
		}
	}
	let Some((found, stated, size)) = parse(&header) else { return Ok(None) };
	let padding_is_whole = is_zero(&block[len..]);
	block.truncate(len);
	let same = found == *digest && size == len && header[8..12] == checksum(stated, digest, &block);
	Ok((same && padding_is_whole).then_some(block))
}

/// A whole record that was found in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
	pub digest: Digest,
	pub offset: u64,
	pub block: Vec<u8>,
}

/// The record at `offset`, without knowing what should be there. `None` at the end of what is whole.
pub(crate) fn scan(file: &File, offset: u64) -> io::Result<Option<Found>> {
	let mut header = [0; HEADER];
	match file.read_exact_at(&mut header, offset) {
		Ok(()) => {},
		Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
		Err(error) => return Err(error),
	}
	let Some((digest, _, len)) = parse(&header) else { return Ok(None) };
	let block = read(file, offset, &digest, len)?;
	Ok(block.map(|block| Found { digest, offset, block }))
}

#[cfg(test)]
mod tests {
	use std::io::Write;

	use proptest::prelude::*;

	use super::*;

	proptest! {
		#![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn a_changed_or_cut_record_is_seen(
			block in proptest::collection::vec(any::<u8>(), 0..200),
			at in any::<prop::sample::Index>(),
			bit in 0..8u8,
		) {
			let digest = [7; 32];
			let file = tempfile::tempfile().expect("a temporary file");
			let record = Record::new(&digest, &block).expect("small");
			record.write(&file, 0).expect("there is room");
			let mut bytes = vec![0; record.size() as usize];
			prop_assert_eq!(file.metadata().expect("it is open").len(), record.size());
			prop_assert_eq!(record.size() % ALIGNMENT as u64, 0);
			file.read_exact_at(&mut bytes, 0).expect("just written");
			let record = bytes;
			let written = |bytes: &[u8]| {
				let mut file = tempfile::tempfile().expect("a temporary file");
				file.write_all(bytes).expect("there is room");
				scan(&file, 0).expect("can be read")
			};
			prop_assert_eq!(written(&record).map(|found| (found.digest, found.block)), Some((digest, block)));
			let at = at.index(record.len());
			prop_assert_eq!(written(&record[..at]), None);
			let mut changed = record;
			changed[at] ^= 1 << bit;
			prop_assert_eq!(written(&changed), None);
		}
	}

	#[test]
	fn a_block_beyond_what_is_carried_is_refused() {
		assert!(Record::new(&[0; 32], &vec![0; MAX_STORED]).is_some());
		assert!(Record::new(&[0; 32], &vec![0; MAX_STORED + 1]).is_none());
	}
}
