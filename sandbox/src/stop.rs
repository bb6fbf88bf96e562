//! Stops runs from outside: by the clock, or because nobody wants them any more.
//!
//! A run looks whether it shall stop whenever the engine's epoch moves on. Nothing moves it but a
//! thread that wants a run to stop, so that runs which nobody stops are never disturbed.

use std::{
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc, Condvar, Mutex, MutexGuard, PoisonError,
	},
	time::{Duration, Instant},
};

use wasmtime::Engine;

/// How often a run that shall stop is told so. Once is enough nearly always; a run that was just
/// setting its next deadline misses it.
const NUDGE: Duration = Duration::from_millis(5);

/// Why a run stops before its program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
	Cancelled,
	TimedOut,
}

/// Cancels runs from another thread: every one that it was handed to.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
	cancelled: Mutex<bool>,
	/// Somebody cancelled, or a run ended.
	changed: Condvar,
}

impl Cancel {
	/// A handle for [`Sandbox::run`](crate::Sandbox::run).
	pub fn new() -> Self {
		Self::default()
	}

	/// Stops the runs, and keeps later ones from starting.
	pub fn cancel(&self) {
		*self.lock() = true;
		self.0.changed.notify_all();
	}

	fn lock(&self) -> MutexGuard<'_, bool> {
		self.0.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// Watches over one run.
#[derive(Debug)]
pub(crate) struct Watch {
	cancel: Cancel,
	ended: AtomicBool,
	timed_out: AtomicBool,
}

impl Watch {
	pub(crate) fn new(cancel: &Cancel) -> Self {
		Self {
			cancel: cancel.clone(),
			ended: AtomicBool::new(false),
			timed_out: AtomicBool::new(false),
		}
	}

	/// Why the run shall stop, if it shall.
	pub(crate) fn reason(&self) -> Option<Reason> {
		if *self.cancel.lock() {
			Some(Reason::Cancelled)
		} else if self.timed_out.load(Ordering::Relaxed) {
			Some(Reason::TimedOut)
		} else {
			None
		}
	}

	/// Ends [`watch`](Self::watch) when it is dropped, by a panic as well.
	pub(crate) fn until_dropped(&self) -> impl Drop + '_ {
		struct Ended<'a>(&'a Watch);
		impl Drop for Ended<'_> {
			fn drop(&mut self) {
				// Under the lock, so that it can't fall between the other's look and its wait.
				let _lock = self.0.cancel.lock();
				self.0.ended.store(true, Ordering::Relaxed);
				self.0.cancel.0.changed.notify_all();
			}
		}
		Ended(self)
	}

	/// Blocks until the run has ended, and sees to it that it does once it is to stop.
	pub(crate) fn watch(&self, engine: &Engine, limit: Duration) {
		// A limit beyond what the clock can hold is none.
		let deadline = Instant::now().checked_add(limit);
		let mut cancelled = self.cancel.lock();
		while !self.ended.load(Ordering::Relaxed) {
			let left = deadline.map_or(Duration::MAX, |deadline| {
				deadline.saturating_duration_since(Instant::now())
			});
			if left.is_zero() {
				self.timed_out.store(true, Ordering::Relaxed);
			}
			let wait = if *cancelled || left.is_zero() {
				engine.increment_epoch();
				NUDGE
			} else {
				left
			};
			let changed = &self.cancel.0.changed;
			let waited = changed.wait_timeout(cancelled, wait);
			cancelled = waited.unwrap_or_else(PoisonError::into_inner).0;
		}
	}
}
