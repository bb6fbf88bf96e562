//! The fuel of a run, where the program keeps it: in a global that `rewrite` adds to it.

use wasmtime::{AsContextMut, Global, Val};

/// More than any program could use up in centuries.
pub(crate) const MOST: u64 = 1 << 62;

/// What is left, while nothing of the program runs but a function of the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tank(pub(crate) Global);

impl Tank {
	/// Puts in what the program gets: at most [`MOST`].
	pub(crate) fn fill(&self, store: impl AsContextMut, fuel: u64) -> wasmtime::Result<()> {
		self.0.set(store, Val::I64(fuel.min(MOST) as i64))
	}

	/// How much is left.
	pub(crate) fn left(&self, store: impl AsContextMut) -> u64 {
		// Less than nothing, if the program took more before it looked.
		self.0.get(store).i64().and_then(|left| u64::try_from(left).ok()).unwrap_or(0)
	}

	/// Takes so much out, or all, and says whether it was there.
	pub(crate) fn take(&self, mut store: impl AsContextMut, fuel: u64) -> wasmtime::Result<bool> {
		let rest = self.left(&mut store).checked_sub(fuel);
		self.fill(store, rest.unwrap_or(0))?;
		Ok(rest.is_some())
	}

	/// Whether the program took more than there was.
	pub(crate) fn is_overdrawn(&self, store: impl AsContextMut) -> bool {
		self.0.get(store).i64().is_some_and(|left| left < 0)
	}
}
