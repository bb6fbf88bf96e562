//! The fuel of a run, where the program keeps it: in two globals that `rewrite` adds to it.

use wasmtime::{AsContextMut, Global, Val};

use crate::rewrite;

/// More than any program could use up in centuries.
pub(crate) const MOST: u64 = i64::MAX as u64;

/// What is left, while nothing of the program runs but a function of the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tank {
	/// Of the slice that the program has. Below zero, it has taken more than that.
	slice: Global,
	/// Beside that.
	rest: Global,
}

impl Tank {
	/// That of a program, by what it exports.
	pub(crate) fn of(mut export: impl FnMut(&str) -> Option<Global>) -> Option<Self> {
		Some(Self { slice: export(rewrite::SLICE)?, rest: export(rewrite::REST)? })
	}

	/// Puts in what the program gets: at most [`MOST`].
	pub(crate) fn fill(&self, mut store: impl AsContextMut, fuel: u64) -> wasmtime::Result<()> {
		self.slice.set(&mut store, Val::I64(0))?;
		self.rest.set(&mut store, Val::I64(i64::try_from(fuel).unwrap_or(i64::MAX)))
	}

	/// How much is left.
	pub(crate) fn left(&self, mut store: impl AsContextMut) -> u64 {
		let [slice, rest] =
			[self.slice, self.rest].map(|global| global.get(&mut store).i64().unwrap_or_default());
		u64::try_from(rest.saturating_add(slice)).unwrap_or(0)
	}

	/// Takes so much out, or all, and says whether it was there.
	pub(crate) fn take(&self, mut store: impl AsContextMut, fuel: u64) -> wasmtime::Result<bool> {
		if fuel > self.left(&mut store) {
			self.fill(store, 0)?;
			return Ok(false);
		}
		// Below zero, it is made up for when the program takes its next slice.
		let slice = self.slice.get(&mut store).i64().unwrap_or_default();
		self.slice.set(store, Val::I64(slice.saturating_sub_unsigned(fuel)))?;
		Ok(true)
	}

	/// Whether the program was stopped because it used up all of it.
	pub(crate) fn is_used_up(&self, store: impl AsContextMut) -> bool {
		self.rest.get(store).i64() == Some(rewrite::USED_UP)
	}
}
