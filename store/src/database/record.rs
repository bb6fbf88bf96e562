//! Records: a block on disk, with what it takes to find it again without an index.
//!
//! ```text
//! mark (4) ‖ length (u32) ‖ CRC-32 (u32) ‖ digest (32) ‖ block
//! ```
//!
//! Integers are little-endian. The checksum is over the length, the digest and the block: it tells a
//! torn or rotten record from a whole one at a tenth of the cost of SHA-256. It guards against
//! accidents alone; readers check the digest.

use std::{fs::File, io, os::unix::fs::FileExt};

/// The SHA-256 of a block, by which it is filed: its codec changes its name, not its bytes.
pub(crate) type Digest = [u8; 32];

/// The most bytes of a block that is stored: what Bitswap carries.
pub(crate) const MAX_STORED: usize = 2 << 20;

const MARK: [u8; 4] = *b"dgb1";

/// The bytes before the block.
pub(crate) const HEADER: usize = 44;

/// How many bytes a block of `len` takes on disk.
pub(crate) const fn size(len: usize) -> u64 {
	(HEADER + len) as u64
}

fn checksum(len: [u8; 4], digest: &Digest, block: &[u8]) -> [u8; 4] {
	let mut hasher = crc32fast::Hasher::new();
	hasher.update(&len);
	hasher.update(digest);
	hasher.update(block);
	hasher.finalize().to_le_bytes()
}

/// The record of `block`. `None` if it is larger than any that is stored.
pub(crate) fn encode(digest: &Digest, block: &[u8]) -> Option<Vec<u8>> {
	if block.len() > MAX_STORED {
		return None;
	}
	let len = u32::try_from(block.len()).ok()?.to_le_bytes();
	let mut record = Vec::with_capacity(HEADER + block.len());
	record.extend_from_slice(&MARK);
	record.extend_from_slice(&len);
	record.extend_from_slice(&checksum(len, digest, block));
	record.extend_from_slice(digest);
	record.extend_from_slice(block);
	Some(record)
}

/// The digest and length that a header states.
fn parse(header: &[u8; HEADER]) -> Option<(Digest, [u8; 4], usize)> {
	let (mark, rest) = header.split_first_chunk::<4>()?;
	let (len, rest) = rest.split_first_chunk::<4>()?;
	let (_, digest) = rest.split_first_chunk::<4>()?;
	let size = u32::from_le_bytes(*len) as usize;
	let known = *mark == MARK && size <= MAX_STORED;
	known.then_some((digest.try_into().ok()?, *len, size))
}

/// The block in the record at `offset`, if the record is whole.
pub(crate) fn read(
	file: &File,
	offset: u64,
	digest: &Digest,
	len: usize,
) -> io::Result<Option<Vec<u8>>> {
	let mut header = [0; HEADER];
	let mut block = vec![0; len];
	let whole = file
		.read_exact_at(&mut header, offset)
		.and_then(|()| file.read_exact_at(&mut block, offset + HEADER as u64));
	match whole {
		Ok(()) => {},
		Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
		Err(error) => return Err(error),
	}
	let Some((found, stated, size)) = parse(&header) else { return Ok(None) };
	let same = found == *digest && size == len && header[8..12] == checksum(stated, digest, &block);
	Ok(same.then_some(block))
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
			let record = encode(&digest, &block).expect("small");
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
		assert!(encode(&[0; 32], &vec![0; MAX_STORED]).is_some());
		assert!(encode(&[0; 32], &vec![0; MAX_STORED + 1]).is_none());
	}
}
