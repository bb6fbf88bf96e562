//! The threads that compute: one for each run and all that it does, at a low priority, never more than the
//! machine lends.

use std::{
	collections::HashMap,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::{mpsc::channel, Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use rayon::ThreadPoolBuilder;

use crate::execute::Abandon;

/// Runs on threads of their own: one each, on which its content is opened, its program compiled and run, and
/// its results sealed. So as many runs as may go on take no more than as many cores.
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
			let result = on_this_thread(move || work(&abandon));
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

/// Does `work` with this thread as the only one of a pool of rayon's: whatever `work` would share with other
/// threads stays here. `None` if it panicked, or there can be no pool.
fn on_this_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
	let mut own = None;
	let pool = ThreadPoolBuilder::new().num_threads(1).spawn_handler(|thread| {
		own = Some(thread);
		Ok(())
	});
	let pool = match pool.build() {
		Ok(pool) => pool,
		Err(error) => {
			log::error!("a run can't be kept on its thread, and is not started: {error}");
			return None;
		},
	};
	let (sender, receiver) = channel();
	pool.spawn(move || {
		// What a panicking run leaves behind half-done is its own.
		let _ = sender.send(catch_unwind(AssertUnwindSafe(work)).ok());
	});
	// A pool that nobody holds any more lets its thread go once all of its work is done.
	drop(pool);
	own?.run();
	receiver.recv().ok()?
}

/// Makes this thread give way to others. On Linux that is the thread alone; elsewhere it may be the
/// process, all of which may give way.
fn lower_priority(nice: i32) {
	// Giving way is always allowed; where it isn't known, the scheduler's own fairness is left.
	if let Err(error) = rustix::process::setpriority_process(None, nice) {
		log::debug!("the priority of a thread stays as it is: {error}");
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{
		sync::atomic::{AtomicUsize, Ordering},
		thread::ThreadId,
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
	fn what_a_run_shares_stays_on_its_thread() {
		let (sender, receiver) = channel();
		let threads = |_: &Abandon| {
			let mut threads = vec![std::thread::current().id()];
			let (shared, thread) = channel();
			rayon::scope(|pool| {
				for _ in 0..100 {
					let shared = shared.clone();
					pool.spawn(move |_| {
						shared.send(std::thread::current().id()).expect("the run listens");
					});
				}
			});
			drop(shared);
			threads.extend(thread);
			let (left, right) =
				rayon::join(|| std::thread::current().id(), || std::thread::current().id());
			threads.extend([left, right]);
			threads
		};
		// One after the other and at the same time: each run has its own.
		let slots = Slots::new(3, 19);
		for number in 0..10 {
			let sender = sender.clone();
			slots.start(number, threads, move |threads: Option<Vec<ThreadId>>| {
				sender.send(threads).expect("the test listens");
			});
		}
		drop(sender);
		let mut own = Vec::new();
		for threads in receiver {
			let threads = threads.expect("no run panics");
			assert_eq!(threads.len(), 103);
			assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
			assert!(!own.contains(&threads[0]));
			own.push(threads[0]);
		}
		assert_eq!(own.len(), 10);
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
