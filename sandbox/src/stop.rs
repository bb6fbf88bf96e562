//! Stops runs from outside: by the clock, or because nobody wants them any more.

use std::{
	future::Future,
	pin::pin,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	task::{Context, Poll, Waker},
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

/// Runs to the end, or until it is to stop. It pauses whenever a slice of fuel is used up.
pub(crate) fn run_until_stopped<T>(
	run: impl Future<Output = wasmtime::Result<T>>,
	cancel: &Cancel,
	limit: Duration,
) -> wasmtime::Result<T> {
	let began = Instant::now();
	let mut run = pin!(run);
	// Nobody need wake it: a pause is all that it ever waits for.
	let mut context = Context::from_waker(Waker::noop());
	loop {
		if let Poll::Ready(ended) = run.as_mut().poll(&mut context) {
			return ended;
		}
		if cancel.is_cancelled() {
			return Err(Halt::Stopped(Reason::Cancelled).into());
		}
		if began.elapsed() >= limit {
			return Err(Halt::Stopped(Reason::TimedOut).into());
		}
	}
}
