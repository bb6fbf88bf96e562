//! What the system knows of a running program.

use std::io::Read;

use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};
use thiserror::Error;

use super::{abi::Errno, guest::Fault};
use crate::{limiter::MemoryLimiter, stop::Reason, tank, ArgumentError, Subtask, MAX_STDERR_BYTES};

/// Why a program does not go on, other than by a trap of its own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Halt {
	#[error("the program exited with code {0}")]
	Exit(u32),
	#[error("a function of the system had no fuel left")]
	OutOfFuel,
	#[error("the program asked for more memory than it may have")]
	OutOfMemory,
	#[error("the program wrote more than it may")]
	TooMuchOutput,
	#[error("stopped from outside: {0:?}")]
	Stopped(Reason),
	/// Nothing that the program did, and so no result.
	#[error("{0}")]
	Host(String),
}

/// What is behind an open file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
	In,
	Out,
	Err,
}

/// The state of one run.
pub(crate) struct Process {
	pub(super) args: Vec<Vec<u8>>,
	pub(super) env: Vec<Vec<u8>>,
	/// File descriptors 0 to 2; there are never others.
	fds: [Option<Stream>; 3],
	pub(super) stdin: Box<dyn Read + Send>,
	stdout: Vec<u8>,
	stdout_limit: usize,
	stderr: Vec<u8>,
	pub(super) random: ChaCha20Rng,
	/// Fuel at the start.
	fuel: u64,
	/// Nanoseconds that the program has slept, by its own clocks.
	pub(super) slept: u64,
	memory: MemoryLimiter,
}

impl Process {
	pub(crate) fn new(subtask: Subtask) -> Result<Self, ArgumentError> {
		Ok(Self {
			args: subtask.encode_args()?,
			env: subtask.encode_env()?,
			fds: [Some(Stream::In), Some(Stream::Out), Some(Stream::Err)],
			stdin: subtask.stdin,
			stdout: Vec::new(),
			stdout_limit: usize::try_from(subtask.limits.output).unwrap_or(usize::MAX),
			stderr: Vec::new(),
			random: ChaCha20Rng::from_seed(subtask.seed),
			fuel: subtask.limits.fuel.min(tank::MOST),
			slept: 0,
			memory: MemoryLimiter::new(subtask.limits.memory),
		})
	}

	/// What the program wrote to standard output and standard error.
	pub(crate) fn into_output(self) -> (Vec<u8>, Vec<u8>) {
		(self.stdout, self.stderr)
	}

	/// Fuel that it has at the start.
	pub(crate) fn fuel(&self) -> u64 {
		self.fuel
	}

	pub(crate) fn memory(&mut self) -> &mut MemoryLimiter {
		&mut self.memory
	}

	pub(super) fn stream(&self, fd: u32) -> Result<Stream, Errno> {
		let fd = usize::try_from(fd).map_err(|_| Errno::Badf)?;
		self.fds.get(fd).copied().flatten().ok_or(Errno::Badf)
	}

	pub(super) fn close(&mut self, fd: u32) -> Result<(), Fault> {
		self.stream(fd)?;
		self.fds[fd as usize] = None;
		Ok(())
	}

	/// `to` becomes what `from` is, and `from` is closed.
	pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Fault> {
		let stream = self.stream(from)?;
		self.stream(to)?;
		self.fds[from as usize] = None;
		self.fds[to as usize] = Some(stream);
		Ok(())
	}

	/// Takes what the program writes, up to the bound.
	pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Fault> {
		match stream {
			Stream::In => Err(Errno::Notcapable.into()),
			Stream::Out => {
				let room = self.stdout_limit - self.stdout.len();
				self.stdout.extend_from_slice(&bytes[..bytes.len().min(room)]);
				if bytes.len() > room {
					return Err(Halt::TooMuchOutput.into());
				}
				Ok(())
			},
			Stream::Err => {
				let room = MAX_STDERR_BYTES - self.stderr.len();
				self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
				Ok(())
			},
		}
	}

	#[cfg(test)]
	pub(super) fn for_tests() -> Self {
		Self::new(Subtask {
			stdin: Box::new(std::io::empty()),
			args: Vec::new(),
			env: Vec::new(),
			seed: [0; 32],
			limits: crate::Limits {
				fuel: 0,
				memory: 0,
				output: 0,
				time: std::time::Duration::ZERO,
			},
		})
		.expect("no arguments")
	}
}
