//! The threads that compute: one for each run, at a low priority, never more than the machine lends.

use std::{
	collections::HashMap,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::execute::Abandon;

/// Runs on threads of their own.
///
/// How many go on at the same time is decided by who starts them; what holds here whatever is
/// decided is that no more than `most` do: a run that was abandoned and has not ended yet keeps its
/// slot until it has.
#[derive(Clone, Debug)]
pub struct Slots {
	shared: Arc<Shared>,
	nice: i32,
}

#[derive(Debug)]
struct Shared {
	runs: Mutex<Runs>,
	ended: Condvar,
}

#[derive(Debug)]
struct Runs {
	most: usize,
	going: usize,
	handles: HashMap<u64, Abandon>,
}

impl Slots {
	/// Slots for `most` runs at a time, on threads of niceness `nice` (0 to 19, 19 gives way to
	/// everybody else).
	pub fn new(most: u16, nice: i32) -> Self {
		let runs = Runs { most: most.max(1).into(), going: 0, handles: HashMap::new() };
		let shared = Shared { runs: Mutex::new(runs), ended: Condvar::new() };
		Slots { shared: Arc::new(shared), nice }
	}

	/// Starts run `number` on a thread of its own, as soon as a slot is free. `end` is called once
	/// in any case: with what `work` gave, or `None` if it panicked or no thread could be had.
	pub fn start<T: Send + 'static>(
		&self,
		number: u64,
		work: impl FnOnce(&Abandon) -> T + Send + 'static,
		end: impl Fn(Option<T>) + Send + Sync + 'static,
	) {
		let abandon = Abandon::default();
		self.shared.lock().handles.insert(number, abandon.clone());
		let (shared, nice, end) = (self.shared.clone(), self.nice, Arc::new(end));
		let ended = end.clone();
		let run = move || {
			shared.enter();
			lower_priority(nice);
			// What a panicking run leaves behind half-done is its own.
			let result = catch_unwind(AssertUnwindSafe(|| work(&abandon))).ok();
			shared.leave(number);
			ended(result);
		};
		let thread = std::thread::Builder::new().name(format!("run-{number}"));
		if let Err(error) = thread.spawn(run) {
			log::error!("run {number} can't be started: {error}");
			self.shared.lock().handles.remove(&number);
			end(None);
		}
	}

	/// Ends run `number`, if it goes on.
	pub fn abandon(&self, number: u64) {
		if let Some(abandon) = self.shared.lock().handles.get(&number) {
			abandon.abandon();
		}
	}
}

impl Shared {
	/// What is locked is changed in single steps that don't panic.
	fn lock(&self) -> MutexGuard<'_, Runs> {
		self.runs.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn enter(&self) {
		let mut runs = self.lock();
		while runs.going >= runs.most {
			runs = self.ended.wait(runs).unwrap_or_else(PoisonError::into_inner);
		}
		runs.going += 1;
	}

	fn leave(&self, number: u64) {
		let mut runs = self.lock();
		runs.going -= 1;
		runs.handles.remove(&number);
		self.ended.notify_one();
	}
}

/// Makes this thread give way to others. On Linux that is the thread alone; elsewhere it may be the
/// process, all of which may give way.
pub(crate) fn lower_priority(nice: i32) {
	// Giving way is always allowed; where it isn't known, the scheduler's own fairness is left.
	if let Err(error) = rustix::process::setpriority_process(None, nice) {
		log::debug!("the priority of a thread stays as it is: {error}");
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::sync::{
		atomic::{AtomicUsize, Ordering},
		mpsc::channel,
	};

	#[test]
	fn never_more_than_the_most_and_each_ends_once() {
		for most in [1, 2, 3] {
			let slots = Slots::new(most, 19);
			let (sender, receiver) = channel();
			let going = Arc::new(AtomicUsize::new(0));
			for number in 0..20 {
				let (going, sender) = (going.clone(), sender.clone());
				let work = move |_: &Abandon| {
					let now = going.fetch_add(1, Ordering::SeqCst) + 1;
					std::thread::yield_now();
					if number % 5 == 4 {
						going.fetch_sub(1, Ordering::SeqCst);
						panic!("run {number} panics");
					}
					going.fetch_sub(1, Ordering::SeqCst);
					now
				};
				let end = move |now| sender.send((number, now)).expect("the test listens");
				slots.start(number, work, end);
			}
			drop(sender);
			let mut ended: Vec<(u64, Option<usize>)> = receiver.iter().collect();
			ended.sort();
			assert_eq!(ended.len(), 20, "each ends once");
			for (number, now) in ended {
				assert_eq!(now.is_none(), number % 5 == 4);
				assert!(now.is_none_or(|now| now <= most.into()), "{now:?} of {most}");
			}
			let runs = slots.shared.lock();
			assert_eq!((runs.going, runs.handles.len()), (0, 0));
		}
	}

	#[test]
	fn threads_give_way() {
		let (sender, receiver) = channel();
		let priority = |_: &Abandon| rustix::process::getpriority_process(None).expect("its own");
		Slots::new(1, 19).start(0, priority, move |nice| {
			sender.send(nice).expect("the test listens");
		});
		assert_eq!(receiver.recv().expect("it ends"), Some(19));
	}
}
