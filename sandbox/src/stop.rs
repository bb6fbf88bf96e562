//! Stops runs from outside: by the clock, or because nobody wants them any more.

use std::{
	ptr::NonNull,
	sync::{
		atomic::{AtomicBool, AtomicI64, Ordering},
		Arc, Condvar, Mutex, MutexGuard, PoisonError,
	},
	thread,
	time::{Duration, Instant},
};

use wasmtime::{AsContext, Memory};

/// Why a run stops before its program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
	Cancelled,
	TimedOut,
}

/// Cancels runs from another thread: every one that it was handed to.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
	cancelled: Mutex<bool>,
	/// It was cancelled, or a run that it was handed to has ended.
	changed: Condvar,
}

impl Cancel {
	/// A handle for [`Sandbox::run`](crate::Sandbox::run).
	pub fn new() -> Self {
		Self::default()
	}

	/// Stops the runs within a fraction of a second, and keeps later ones from starting.
	pub fn cancel(&self) {
		*self.lock() = true;
		self.0.changed.notify_all();
	}

	pub(crate) fn is_cancelled(&self) -> bool {
		*self.lock()
	}

	/// Nothing that holds it can panic half-way.
	fn lock(&self) -> MutexGuard<'_, bool> {
		self.0.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// What a program compares its fuel with: more than it can have, when it is to stop.
const STOP: i64 = i64::MAX;

/// The words that a program looks at, at the start of a memory that `rewrite` adds to it.
struct Words(NonNull<[AtomicI64; 2]>);

// SAFETY: they are atomic, and a reference to them is no more than a pointer.
unsafe impl Send for Words {}

impl Words {
	fn of(memory: &Memory, store: impl AsContext) -> Option<Self> {
		let bytes = memory.data_size(&store);
		let words = NonNull::new(memory.data_ptr(&store))?.cast::<[AtomicI64; 2]>();
		(bytes >= size_of::<[AtomicI64; 2]>() && words.is_aligned()).then_some(Self(words))
	}

	fn raise(&self) {
		// SAFETY: the memory is as long as two words, aligned, and of a fixed size, so that it stays
		// where it is as long as its store, which `Watch::over` outlives by no moment. The program reads
		// it, in whole words; nobody else in this process does anything with it.
		for word in unsafe { self.0.as_ref() } {
			// The program's numbers have their lowest byte first on every machine.
			word.store(STOP.to_le(), Ordering::Relaxed);
		}
	}
}

/// Watches over one run.
#[derive(Debug)]
pub(crate) struct Watch {
	cancel: Cancel,
	deadline: Option<Instant>,
	ended: AtomicBool,
	reason: Mutex<Option<Reason>>,
}

impl Watch {
	/// Over a run that begins now.
	pub(crate) fn new(cancel: Cancel, limit: Duration) -> Self {
		// A limit beyond what the clock can show is none.
		let deadline = Instant::now().checked_add(limit);
		Self { cancel, deadline, ended: AtomicBool::new(false), reason: Mutex::new(None) }
	}

	/// Does `run`, and tells the program of that memory to stop when it is time.
	pub(crate) fn over<S: AsContext, T>(
		&self,
		memory: &Memory,
		store: &mut S,
		run: impl FnOnce(&mut S) -> wasmtime::Result<T>,
	) -> wasmtime::Result<T> {
		let words = Words::of(memory, &*store)
			.ok_or_else(|| wasmtime::Error::msg("the memory to stop a program in is too small"))?;
		thread::scope(|scope| {
			thread::Builder::new().name("dgcs-watch".into()).spawn_scoped(scope, move || {
				if let Some(reason) = self.wait() {
					*self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
					words.raise();
				}
			})?;
			// However it ends.
			let _ended = Ended(self);
			run(store)
		})
	}

	/// Waits until the run is to stop. `None`: it has ended.
	fn wait(&self) -> Option<Reason> {
		let mut cancelled = self.cancel.lock();
		loop {
			if self.ended.load(Ordering::Relaxed) {
				return None;
			}
			if *cancelled {
				return Some(Reason::Cancelled);
			}
			let changed = &self.cancel.0.changed;
			let Some(deadline) = self.deadline else {
				cancelled = changed.wait(cancelled).unwrap_or_else(PoisonError::into_inner);
				continue;
			};
			let left = deadline.saturating_duration_since(Instant::now());
			if left.is_zero() {
				return Some(Reason::TimedOut);
			}
			let waited = changed.wait_timeout(cancelled, left);
			cancelled = waited.unwrap_or_else(PoisonError::into_inner).0;
		}
	}

	/// Why the program was told to stop, if it was.
	pub(crate) fn reason(&self) -> Option<Reason> {
		*self.reason.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// Lets the watch end.
struct Ended<'a>(&'a Watch);

impl Drop for Ended<'_> {
	fn drop(&mut self) {
		let _cancelled = self.0.cancel.lock();
		self.0.ended.store(true, Ordering::Relaxed);
		self.0.cancel.0.changed.notify_all();
	}
}
