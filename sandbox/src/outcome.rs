//! How a run ended, and the bytes by which the test vectors say so.

use std::fmt;

use codec::{Decode, Encode};
use thiserror::Error;

/// First byte of every encoded [`SubtaskResult`]. Another format gets another number.
pub const RESULT_VERSION: u8 = 1;

/// Why the program was stopped by the machine that it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[non_exhaustive]
pub enum TrapKind {
	/// It reached an instruction that it declares never to reach: `abort`, a panic.
	#[codec(index = 0)]
	Unreachable,
	/// It read or wrote beyond its memory.
	#[codec(index = 1)]
	MemoryOutOfBounds,
	/// It read or wrote beyond a table, as by calling a function pointer that is none.
	#[codec(index = 2)]
	TableOutOfBounds,
	/// It called a null function pointer.
	#[codec(index = 3)]
	IndirectCallToNull,
	/// It called a function pointer as a function of another type.
	#[codec(index = 4)]
	BadSignature,
	/// A signed division overflowed.
	#[codec(index = 5)]
	IntegerOverflow,
	/// It divided an integer by zero.
	#[codec(index = 6)]
	IntegerDivisionByZero,
	/// It converted a float to an integer that can't hold it.
	#[codec(index = 7)]
	BadConversionToInteger,
	/// Its calls went too deep.
	#[codec(index = 8)]
	StackOverflow,
}

impl TrapKind {
	/// `None`: a trap that no program that passes [`check`](crate::check) can cause.
	pub(crate) fn of(trap: wasmtime::Trap) -> Option<Self> {
		use wasmtime::Trap;
		Some(match trap {
			Trap::UnreachableCodeReached => Self::Unreachable,
			Trap::MemoryOutOfBounds => Self::MemoryOutOfBounds,
			Trap::TableOutOfBounds => Self::TableOutOfBounds,
			Trap::IndirectCallToNull => Self::IndirectCallToNull,
			Trap::BadSignature => Self::BadSignature,
			Trap::IntegerOverflow => Self::IntegerOverflow,
			Trap::IntegerDivisionByZero => Self::IntegerDivisionByZero,
			Trap::BadConversionToInteger => Self::BadConversionToInteger,
			Trap::StackOverflow => Self::StackOverflow,
			_ => return None,
		})
	}
}

impl fmt::Display for TrapKind {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Unreachable => "unreachable code reached (an abort or a panic)",
			Self::MemoryOutOfBounds => "memory access out of bounds",
			Self::TableOutOfBounds => "table access out of bounds",
			Self::IndirectCallToNull => "call of a null function pointer",
			Self::BadSignature => "call of a function pointer of another type",
			Self::IntegerOverflow => "integer overflow in a division",
			Self::IntegerDivisionByZero => "integer division by zero",
			Self::BadConversionToInteger => "conversion of a float that no integer can hold",
			Self::StackOverflow => "stack overflow (its calls went too deep)",
		})
	}
}

/// How a run ended. An end with an error is a result like any other: it is voted on and paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[non_exhaustive]
pub enum Outcome {
	/// It returned, or exited with code 0.
	#[codec(index = 0)]
	Ok,
	/// It exited with another code.
	#[codec(index = 1)]
	Exit(u32),
	/// It did what no program may.
	#[codec(index = 2)]
	Trap(TrapKind),
	/// It used up its fuel.
	#[codec(index = 3)]
	OutOfFuel,
	/// It asked for more memory than it may have.
	#[codec(index = 4)]
	OutOfMemory,
	/// It wrote more than it may.
	#[codec(index = 5)]
	TooMuchOutput,
	/// It was still running when its time was over. Another machine may well have been faster.
	#[codec(index = 6)]
	TimedOut,
}

impl Outcome {
	/// Whether the program did what it was meant to do.
	pub fn is_ok(&self) -> bool {
		matches!(self, Self::Ok)
	}

	/// Whether every honest worker ends the same way.
	pub fn is_deterministic(&self) -> bool {
		!matches!(self, Self::TimedOut)
	}

	/// Whether what the program wrote until then is part of the result. It isn't when the clock ended
	/// it. Nor is it when its calls went too deep: should a processor need more of its own stack than
	/// any should, that must not show.
	pub fn has_output(&self) -> bool {
		!matches!(self, Self::TimedOut | Self::Trap(TrapKind::StackOverflow))
	}
}

impl fmt::Display for Outcome {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Ok => f.write_str("ok"),
			Self::Exit(code) => write!(f, "exit code {code}"),
			Self::Trap(kind) => write!(f, "trap: {kind}"),
			Self::OutOfFuel => f.write_str("out of fuel"),
			Self::OutOfMemory => f.write_str("out of memory"),
			Self::TooMuchOutput => f.write_str("too much output"),
			Self::TimedOut => f.write_str("timed out"),
		}
	}
}

/// What a subtask yields, which is the same on every honest worker unless it timed out.
///
/// Its encoding is that of `docs/sandbox-vectors.json` alone. What workers encrypt and vote on is
/// another one, which leaves the kind of a trap away: *Results* in `docs/protocol.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtaskResult {
	/// How the run ended.
	pub outcome: Outcome,
	/// What the program wrote to standard output, up to its end or its bound. Empty for some ends: see
	/// [`Outcome::has_output`].
	pub output: Vec<u8>,
}

impl SubtaskResult {
	/// The canonical bytes: [`RESULT_VERSION`], the outcome in SCALE, the output to the end.
	pub fn encode(&self) -> Vec<u8> {
		let mut bytes = (RESULT_VERSION, self.outcome).encode();
		bytes.extend_from_slice(&self.output);
		bytes
	}

	/// The inverse of [`encode`](Self::encode).
	///
	/// # Errors
	///
	/// When the bytes are not what [`encode`](Self::encode) gives: those of another version, of an unknown
	/// outcome, cut short, or with an output where there can be none.
	pub fn decode(bytes: &[u8]) -> Result<Self, ResultError> {
		let mut rest = bytes;
		match u8::decode(&mut rest) {
			Ok(RESULT_VERSION) => {},
			Ok(version) => return Err(ResultError::Version(version)),
			Err(_) => return Err(ResultError::Outcome),
		}
		let outcome = Outcome::decode(&mut rest).map_err(|_| ResultError::Outcome)?;
		if !outcome.has_output() && !rest.is_empty() {
			return Err(ResultError::UnexpectedOutput { outcome, bytes: rest.len() });
		}
		Ok(Self { outcome, output: rest.to_vec() })
	}
}

/// Why bytes are not a result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResultError {
	/// The format is a later one, or none.
	#[error(
		"the result is of format {0}, and this version reads {RESULT_VERSION}; use a later one"
	)]
	Version(u8),
	/// Too short, or no outcome that there is.
	#[error("the result has no known outcome, or is cut short; encode it with this version")]
	Outcome,
	/// Some ends have no output.
	#[error(
		"the result is that of a run that ended with '{outcome}', and yet has {bytes} bytes of output; \
		 such a run has none"
	)]
	UnexpectedOutput {
		/// How the run ended.
		outcome: Outcome,
		/// How much output there is.
		bytes: usize,
	},
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn outcomes() -> impl Strategy<Value = Outcome> {
		prop_oneof![
			Just(Outcome::Ok),
			any::<u32>().prop_map(Outcome::Exit),
			(0u8..9).prop_map(|kind| {
				Outcome::Trap(TrapKind::decode(&mut &[kind][..]).expect("nine kinds"))
			}),
			Just(Outcome::OutOfFuel),
			Just(Outcome::OutOfMemory),
			Just(Outcome::TooMuchOutput),
			Just(Outcome::TimedOut),
		]
	}

	proptest! {
		#![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn decoding_undoes_encoding(outcome in outcomes(), mut output: Vec<u8>) {
			if !outcome.has_output() {
				output.clear();
			}
			let result = SubtaskResult { outcome, output };
			prop_assert_eq!(SubtaskResult::decode(&result.encode()), Ok(result));
		}

		/// What decodes is canonical: no two byte strings are one result.
		#[test]
		fn encoding_undoes_decoding(mut bytes: Vec<u8>, known in any::<bool>()) {
			if let (true, Some(first)) = (known, bytes.first_mut()) {
				*first = RESULT_VERSION;
			}
			if let Ok(result) = SubtaskResult::decode(&bytes) {
				prop_assert_eq!(result.encode(), bytes);
			}
		}
	}

	#[test]
	fn decoding_fails_when_malformed() {
		let decode = SubtaskResult::decode;
		assert_eq!(decode(&[]), Err(ResultError::Outcome));
		assert_eq!(decode(&[2, 0]), Err(ResultError::Version(2)));
		assert_eq!(decode(&[1]), Err(ResultError::Outcome));
		assert_eq!(decode(&[1, 7]), Err(ResultError::Outcome));
		assert_eq!(decode(&[1, 1, 0, 0, 0]), Err(ResultError::Outcome));
		assert_eq!(decode(&[1, 2, 9]), Err(ResultError::Outcome));
		let unexpected = |outcome| Err(ResultError::UnexpectedOutput { outcome, bytes: 1 });
		assert_eq!(decode(&[1, 6, b'x']), unexpected(Outcome::TimedOut));
		assert_eq!(decode(&[1, 2, 8, b'x']), unexpected(Outcome::Trap(TrapKind::StackOverflow)));
	}
}
