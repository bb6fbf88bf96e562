//! Results: what a worker seals and votes on, and what the owner opens.

use std::io::{Read, Write};

use dgcs_primitives::{ContentCodec, ContentId, RangeIndex, ResultDigest, Round};

use crate::{
	block::{BlockSink, BlockSource},
	error::{Error, Result},
	keys::{Scope, ScopeKey, Use},
	sealed::{Sealed, SealedWriter, Segment},
	tree::Leaves,
};

/// Bytes before the output: how the program ended.
pub(crate) const HEADER: usize = 5;

/// How a program ended. It is part of the result that workers vote on, so it is the same on every
/// honest worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
	/// By itself, with exit code 0.
	Ok,
	/// By itself, with another exit code.
	Exit(i32),
	/// By a trap: unreachable code, a division by zero, memory that it does not have.
	Trap,
	/// It used up its fuel.
	OutOfFuel,
	/// It asked for more memory than it may have.
	OutOfMemory,
	/// It wrote more than it may.
	TooMuchOutput,
	/// It took too long. The one ending that depends on the machine.
	TimedOut,
}

impl Ending {
	fn to_bytes(self) -> [u8; HEADER] {
		let (kind, code) = match self {
			Ending::Ok => (0, 0),
			Ending::Exit(code) => (1, code),
			Ending::Trap => (2, 0),
			Ending::OutOfFuel => (3, 0),
			Ending::OutOfMemory => (4, 0),
			Ending::TooMuchOutput => (5, 0),
			Ending::TimedOut => (6, 0),
		};
		let [a, b, c, d] = i32::to_le_bytes(code);
		[kind, a, b, c, d]
	}

	fn from_bytes([kind, code @ ..]: [u8; HEADER]) -> Option<Self> {
		match (kind, i32::from_le_bytes(code)) {
			(0, 0) => Some(Ending::Ok),
			(1, code) => (code != 0).then_some(Ending::Exit(code)),
			(2, 0) => Some(Ending::Trap),
			(3, 0) => Some(Ending::OutOfFuel),
			(4, 0) => Some(Ending::OutOfMemory),
			(5, 0) => Some(Ending::TooMuchOutput),
			(6, 0) => Some(Ending::TimedOut),
			_ => None,
		}
	}
}

impl std::fmt::Display for Ending {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		match self {
			Ending::Ok => f.write_str("ok"),
			Ending::Exit(code) => write!(f, "exit code {code}"),
			Ending::Trap => f.write_str("trap"),
			Ending::OutOfFuel => f.write_str("out of fuel"),
			Ending::OutOfMemory => f.write_str("out of memory"),
			Ending::TooMuchOutput => f.write_str("too much output"),
			Ending::TimedOut => f.write_str("timed out"),
		}
	}
}

/// The name of the result with this digest. Its codec is always dag-pb.
pub fn result_id(digest: &ResultDigest) -> ContentId {
	ContentId { codec: ContentCodec::DagPb, digest: digest.0 }
}

/// Seals the result of `subtask` with the key of its range, for one round, and stores it. The same
/// ending and output always give the same digest.
pub fn seal_result(
	sink: &dyn BlockSink,
	key: &ScopeKey,
	round: Round,
	subtask: u32,
	ending: Ending,
	output: &mut dyn Read,
) -> Result<ResultDigest> {
	let cipher = key.cipher(Use::Result(round));
	let mut writer = SealedWriter::new(sink, Leaves::Wrapped, cipher, subtask);
	writer
		.write_all(&ending.to_bytes())
		.and_then(|()| std::io::copy(output, &mut writer))
		.map_err(|error| Error::from_io(error, Error::Stream))?;
	Ok(ResultDigest(writer.finish()?.id.digest))
}

/// A result that was found.
pub struct Output<'a> {
	sealed: Sealed<'a>,
}

impl std::fmt::Debug for Output<'_> {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Output")
	}
}

impl<'a> Output<'a> {
	/// Finds the result of `subtask` of `range` that has this digest, with at most `limit` bytes of
	/// output.
	pub fn open(
		source: &'a dyn BlockSource,
		digest: &ResultDigest,
		key: &ScopeKey,
		(range, round, subtask): (RangeIndex, Round, u32),
		limit: u64,
	) -> Result<Self> {
		let about = (subtask, Scope::Range(range), "the result");
		let limit = limit.saturating_add(HEADER as u64);
		let cipher = key.cipher(Use::Result(round));
		let sealed = Sealed::open(source, &result_id(digest), limit, cipher, about)?;
		Ok(Output { sealed })
	}

	/// Its segments, in order. The first begins as [`split`] says.
	pub(crate) fn segments(self) -> Result<Vec<Segment<'a>>> {
		self.sealed.segments()
	}

	/// Hands over the output in order, opened on all cores, and says how the program ended.
	pub fn read(self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Ending> {
		let mut ending = None;
		self.sealed.read(&mut |part| {
			if ending.is_some() {
				return each(part);
			}
			let (found, output) = split(part)?;
			ending = Some(found);
			each(output)
		})?;
		ending.ok_or(NO_ENDING)
	}
}

const NO_ENDING: Error = Error::Decode { what: "the ending of a result" };

/// How the program ended, and the output behind that, of the first segment of a result. It has all of
/// the header: it is the longest segment, or the only one.
pub(crate) fn split(segment: &[u8]) -> Result<(Ending, &[u8])> {
	let (header, output) = segment.split_first_chunk().ok_or(NO_ENDING)?;
	Ok((Ending::from_bytes(*header).ok_or(NO_ENDING)?, output))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		keys::{OwnerSecret, Place, TaskNonce},
		testing::Memory,
		tree::BlobWriter,
	};

	fn key(range: u32) -> ScopeKey {
		let keys = OwnerSecret::from_bytes([1; 32]).task(&TaskNonce([2; 32]));
		keys.scope(Scope::Range(RangeIndex(range)))
	}

	fn seal(store: &Memory, round: u8, ending: Ending, mut output: &[u8]) -> ResultDigest {
		seal_result(store, &key(0), Round(round), 3, ending, &mut output).expect("into memory")
	}

	fn open(
		store: &Memory,
		digest: &ResultDigest,
		(key, round, subtask, limit): (&ScopeKey, u8, u32, u64),
	) -> Result<(Ending, Vec<u8>)> {
		let place = (RangeIndex(0), Round(round), subtask);
		let output = Output::open(store, digest, key, place, limit)?;
		let mut bytes = Vec::new();
		let ending = output.read(&mut |part| {
			bytes.extend_from_slice(part);
			Ok(())
		})?;
		Ok((ending, bytes))
	}

	#[test]
	fn honest_workers_agree_to_the_byte() {
		let (one, two) = (Memory::default(), Memory::default());
		let output = vec![9; 700_000];
		assert_eq!(seal(&one, 0, Ending::Ok, &output), seal(&two, 0, Ending::Ok, &output));
		assert_eq!(one.digests(), two.digests());
		assert_ne!(seal(&one, 0, Ending::Ok, b"a"), seal(&one, 0, Ending::Ok, b"b"));
		assert_ne!(seal(&one, 0, Ending::Ok, b"a"), seal(&one, 1, Ending::Ok, b"a"));
		assert_ne!(seal(&one, 0, Ending::Ok, b"a"), seal(&one, 0, Ending::Trap, b"a"));
	}

	#[test]
	fn every_ending_and_length_comes_back() {
		let store = Memory::default();
		let endings = [
			Ending::Ok,
			Ending::Exit(-7),
			Ending::Trap,
			Ending::OutOfFuel,
			Ending::OutOfMemory,
			Ending::TooMuchOutput,
			Ending::TimedOut,
		];
		for ending in endings {
			for len in [0, 1, 262_123, 262_124, 2_000_000] {
				let output: Vec<u8> = (0..len).map(|i: u32| (i / 300) as u8).collect();
				let digest = seal(&store, 0, ending, &output);
				let opened = open(&store, &digest, (&key(0), 0, 3, len.into())).expect("ours");
				assert!(opened == (ending, output), "{ending}, {len}");
			}
		}
	}

	#[test]
	fn open_fails_when_the_result_is_anothers() {
		let store = Memory::default();
		let digest = seal(&store, 0, Ending::Ok, b"output");
		let sealed = |result| matches!(result, Err(Error::Sealed { .. }));
		assert!(sealed(open(&store, &digest, (&key(1), 0, 3, 6))), "another range");
		assert!(sealed(open(&store, &digest, (&key(0), 1, 3, 6))), "another round");
		assert!(sealed(open(&store, &digest, (&key(0), 0, 4, 6))), "another subtask");
		let large = seal(&store, 0, Ending::Ok, &[7; 1000]);
		let refused = open(&store, &large, (&key(0), 0, 3, 100));
		assert!(matches!(refused, Err(Error::TooLarge { .. })), "ten times too large");
		store.tamper(&large.0, |_| None);
		assert!(matches!(open(&store, &large, (&key(0), 0, 3, 1000)), Err(Error::Missing(_))));
	}

	#[test]
	fn open_fails_when_there_is_no_such_ending() {
		let store = Memory::default();
		for header in [&[7, 0, 0, 0, 0][..], &[0, 1, 0, 0, 0], &[1, 0, 0, 0, 0], &[0, 0]] {
			let cipher = key(0).cipher(Use::Result(Round(0)));
			let mut writer = BlobWriter::new(&store, Leaves::Wrapped);
			writer.write_all(&cipher.seal_vec(Place::only(3), header.to_vec())).expect("memory");
			let digest = ResultDigest(writer.finish().expect("memory").id.digest);
			let opened = open(&store, &digest, (&key(0), 0, 3, 10));
			assert!(matches!(opened, Err(Error::Decode { .. })), "{header:?}");
		}
	}
}
