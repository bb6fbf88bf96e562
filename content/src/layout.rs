//! Where sealed segments lie in a task's stream.
//!
//! The stream is all sealed pieces of a task's input, one after the other, and is cut into shards
//! of one size. No segment crosses the border of a block, so that every block can be opened by
//! itself, and in parallel. The rule is the same for who writes and who reads: a segment begins
//! where the last one ended, unless no more than a tag would fit into the block: then at the next
//! block. It takes what fits, or what is left of its piece.

use crate::{block::BLOCK_SIZE, keys::TAG_SIZE};

const BLOCK: u64 = BLOCK_SIZE as u64;
const TAG: u64 = TAG_SIZE as u64;

/// One segment in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
	/// Where its sealed bytes start in the stream.
	pub start: u64,
	/// How many bytes of plaintext it has; a tag follows.
	pub len: usize,
}

impl Segment {
	/// The segment that starts at or after `at`, of a piece of which `left` bytes are left.
	pub fn next(at: u64, left: u64) -> Self {
		let room = BLOCK - at % BLOCK;
		let (start, room) = if room <= TAG { (at + room, BLOCK) } else { (at, room) };
		Segment { start, len: (room - TAG).min(left) as usize }
	}

	/// Where the next one may start.
	pub fn end(&self) -> u64 {
		self.start + (self.len + TAG_SIZE) as u64
	}
}

/// All segments of a piece of `len` bytes that begins at `at`. A piece of nothing has none.
pub(crate) fn segments(at: u64, len: u64) -> impl Iterator<Item = Segment> {
	let (mut at, mut left) = (at, len);
	std::iter::from_fn(move || {
		if left == 0 {
			return None;
		}
		let segment = Segment::next(at, left);
		(at, left) = (segment.end(), left - segment.len as u64);
		Some(segment)
	})
}

/// Where a piece of `len` bytes that begins at `at` ends, or `None` beyond what a u64 counts.
pub(crate) fn end_of_piece(at: u64, len: u64) -> Option<u64> {
	if len == 0 {
		return Some(at);
	}
	// A first segment ends in the next block at the latest.
	at.checked_add(2 * BLOCK)?;
	let first = Segment::next(at, len);
	let left = len - first.len as u64;
	let (full, rest) = (left / (BLOCK - TAG), left % (BLOCK - TAG));
	let rest = if rest == 0 { 0 } else { rest + TAG };
	first.end().checked_add(full.checked_mul(BLOCK)?)?.checked_add(rest)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	proptest! {
		#![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn segments_hold_a_piece_without_crossing_blocks(at in 0u64..3 * BLOCK, len in 0u64..4 * BLOCK) {
			let all: Vec<Segment> = segments(at, len).collect();
			prop_assert_eq!(all.iter().map(|segment| segment.len as u64).sum::<u64>(), len);
			let mut end = at;
			for segment in all {
				prop_assert!(segment.len > 0);
				prop_assert!(segment.start >= end && segment.start - end <= TAG);
				prop_assert_eq!(segment.start / BLOCK, (segment.end() - 1) / BLOCK);
				end = segment.end();
			}
			prop_assert_eq!(end_of_piece(at, len), Some(end));
		}

		#[test]
		fn no_border_of_a_block_is_special(before in 0u64..40, after in 0u64..40, len in 1u64..50) {
			let at = BLOCK - before + after;
			prop_assert_eq!(end_of_piece(at, len), segments(at, len).last().map(|last| last.end()));
		}
	}

	#[test]
	fn lengths_beyond_everything_have_no_end() {
		assert_eq!(end_of_piece(u64::MAX - BLOCK, u64::MAX / 2), None);
	}
}
