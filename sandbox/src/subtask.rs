//! What a run is given, and what it gives back.

use std::{fmt, io::Read, time::Duration};

use thiserror::Error;

use crate::{Outcome, SubtaskResult};

/// Most bytes that arguments and environment take together, each with the zero byte at its end.
pub const MAX_ARGUMENT_BYTES: usize = 1024 * 1024;

/// How much of standard error is kept, from its start.
pub const MAX_STDERR_BYTES: usize = 64 * 1024;

/// Bounds of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// Work that the program may do: about one unit an instruction, the same on every machine.
	pub fuel: u64,
	/// Bytes that its memories and tables may have together. An entry of a table counts as 16.
	pub memory: u64,
	/// Bytes that it may write to standard output.
	pub output: u64,
	/// How long it may run by the clock on the wall.
	pub time: Duration,
}

/// One run: the program's whole world.
pub struct Subtask {
	/// Standard input, read as the program asks for it. It must not block for long: while the
	/// program waits for it, it can't be stopped.
	pub stdin: Box<dyn Read + Send>,
	/// Arguments, after the program's own name, which is always `program`.
	pub args: Vec<String>,
	/// Environment: names and values.
	pub env: Vec<(String, String)>,
	/// What the program's random numbers come from.
	pub seed: [u8; 32],
	/// Bounds.
	pub limits: Limits,
}

impl Subtask {
	/// Arguments as the program gets them, each ending in a zero byte.
	pub(crate) fn encode_args(&self) -> Result<Vec<Vec<u8>>, ArgumentError> {
		let mut args = vec![b"program\0".to_vec()];
		for (index, arg) in self.args.iter().enumerate() {
			if arg.contains('\0') {
				return Err(ArgumentError::ZeroInArgument { index });
			}
			args.push(format!("{arg}\0").into_bytes());
		}
		fits(&args)?;
		Ok(args)
	}

	/// The environment as the program gets it: `NAME=value`, each ending in a zero byte.
	pub(crate) fn encode_env(&self) -> Result<Vec<Vec<u8>>, ArgumentError> {
		let mut env: Vec<Vec<u8>> = Vec::with_capacity(self.env.len());
		for (index, (name, value)) in self.env.iter().enumerate() {
			if name.is_empty() || name.contains(['=', '\0']) {
				return Err(ArgumentError::VariableName { name: name.clone() });
			}
			if value.contains('\0') {
				return Err(ArgumentError::ZeroInVariable { name: name.clone() });
			}
			if self.env[..index].iter().any(|(other, _)| other == name) {
				return Err(ArgumentError::VariableTwice { name: name.clone() });
			}
			env.push(format!("{name}={value}\0").into_bytes());
		}
		fits(&env)?;
		Ok(env)
	}
}

fn fits(strings: &[Vec<u8>]) -> Result<(), ArgumentError> {
	let bytes = strings.iter().map(Vec::len).sum();
	if bytes > MAX_ARGUMENT_BYTES {
		return Err(ArgumentError::TooLong { bytes });
	}
	Ok(())
}

impl fmt::Debug for Subtask {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Subtask")
			.field("args", &self.args)
			.field("env", &self.env)
			.field("limits", &self.limits)
			.finish_non_exhaustive()
	}
}

/// What arguments or environment can't be given to a program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ArgumentError {
	/// It would end there for the program.
	#[error("argument {index} contains a zero byte; remove it")]
	ZeroInArgument {
		/// Which one, from 0.
		index: usize,
	},
	/// It would end there for the program.
	#[error("the environment variable {name} has a zero byte in its value; remove it")]
	ZeroInVariable {
		/// Its name.
		name: String,
	},
	/// The program would see another variable.
	#[error(
		"{name:?} can't be the name of an environment variable; use one that is not empty and has \
		 neither '=' nor a zero byte"
	)]
	VariableName {
		/// The name.
		name: String,
	},
	/// Programs differ in which one they believe.
	#[error("the environment variable {name} is given twice; give it once")]
	VariableTwice {
		/// Its name.
		name: String,
	},
	/// More than [`MAX_ARGUMENT_BYTES`].
	#[error(
		"arguments or environment take {bytes} bytes, and may take {MAX_ARGUMENT_BYTES}; hand large \
		 data over as input"
	)]
	TooLong {
		/// How many there are.
		bytes: usize,
	},
}

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
	/// How it ended.
	pub outcome: Outcome,
	/// What the program wrote to standard output, up to its end or its bound. Empty for some ends: see
	/// [`Outcome::has_output`].
	pub output: Vec<u8>,
	/// The first [`MAX_STDERR_BYTES`] of what it wrote to standard error. Not part of the result.
	pub stderr: Vec<u8>,
	/// Fuel that it used. After a trap, or out of memory, what it used since it last called the system
	/// or another function is not part of it.
	pub fuel: u64,
	/// Most bytes that its memories and tables had together.
	pub peak_memory: u64,
	/// Processor time that it took, starting and ending included. Not the same on two machines.
	pub cpu_time: Duration,
}

impl Report {
	/// The part of the report that does not depend on the machine, unless the run timed out.
	pub fn into_result(self) -> SubtaskResult {
		SubtaskResult { outcome: self.outcome, output: self.output }
	}
}
