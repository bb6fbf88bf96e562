//! Bounds the memory of a run.

use wasmtime::ResourceLimiter;

use crate::{rewrite::STOP_BYTES, wasi::Halt};

/// Bytes that one entry of a table counts for, on every machine.
const TABLE_ENTRY_BYTES: u64 = 16;

/// Counts the bytes of all memories and tables of a run, but of the memory that `rewrite` adds.
///
/// A program that asks for more than it may have is stopped instead of being told: hardly any
/// program goes on without the memory it asked for, and its owner learns why it ended.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
	limit: u64,
	total: u64,
}

impl MemoryLimiter {
	pub(crate) fn new(limit: u64) -> Self {
		Self { limit: limit.saturating_add(STOP_BYTES), total: 0 }
	}

	/// The most that there was: memories and tables never shrink.
	pub(crate) fn peak(&self) -> u64 {
		self.total.saturating_sub(STOP_BYTES)
	}

	fn grow(
		&mut self,
		current: usize,
		desired: usize,
		maximum: Option<usize>,
		unit: u64,
	) -> wasmtime::Result<bool> {
		if maximum.is_some_and(|maximum| desired > maximum) {
			// The program's own bound: it is told, as WebAssembly says.
			return Ok(false);
		}
		let more = (desired.saturating_sub(current) as u64).saturating_mul(unit);
		let total = self.total.saturating_add(more);
		if total > self.limit {
			return Err(Halt::OutOfMemory.into());
		}
		self.total = total;
		Ok(true)
	}
}

impl ResourceLimiter for MemoryLimiter {
	fn memory_growing(
		&mut self,
		current: usize,
		desired: usize,
		maximum: Option<usize>,
	) -> wasmtime::Result<bool> {
		self.grow(current, desired, maximum, 1)
	}

	/// The machine has less memory than it lent: its fault, and no result of the program.
	fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
		Err(Halt::Host(format!("the memory of the program can't grow: {error:#}")).into())
	}

	fn table_growing(
		&mut self,
		current: usize,
		desired: usize,
		maximum: Option<usize>,
	) -> wasmtime::Result<bool> {
		self.grow(current, desired, maximum, TABLE_ENTRY_BYTES)
	}

	fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
		Err(Halt::Host(format!("a table of the program can't grow: {error:#}")).into())
	}
}
