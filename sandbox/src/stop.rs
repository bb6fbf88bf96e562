//! Stops runs from outside: by the clock, or because nobody wants them any more.

use std::{
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	time::{Duration, Instant},
};

use crate::wasi::Halt;

/// Why a run stops before its program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
	Cancelled,
	TimedOut,
}

/// Cancels runs from another thread: every one that it was handed to.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
	/// A handle for [`Sandbox::run`](crate::Sandbox::run).
	pub fn new() -> Self {
		Self::default()
	}

	/// Stops the runs within a fraction of a second, and keeps later ones from starting.
	pub fn cancel(&self) {
		self.0.store(true, Ordering::Relaxed);
	}

	pub(crate) fn is_cancelled(&self) -> bool {
		self.0.load(Ordering::Relaxed)
	}
}

/// What stops one run.
#[derive(Debug)]
pub(crate) struct Stop {
	cancel: Cancel,
	began: Instant,
	limit: Duration,
}

impl Stop {
	/// For a run that begins now.
	pub(crate) fn new(cancel: Cancel, limit: Duration) -> Self {
		Self { cancel, began: Instant::now(), limit }
	}

	/// Looks whether the run is to stop.
	pub(crate) fn look(&self) -> Result<(), Halt> {
		if self.cancel.is_cancelled() {
			return Err(Halt::Stopped(Reason::Cancelled));
		}
		if self.began.elapsed() >= self.limit {
			return Err(Halt::Stopped(Reason::TimedOut));
		}
		Ok(())
	}
}
