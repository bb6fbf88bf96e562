//! Work on many threads whose results come in order.
//!
//! Called from outside of any pool of rayon's, it is done by the global one, on all cores. Called within a
//! pool, it is done by that one's threads alone, the caller's among them. So who has one core has a pool
//! of one thread.

use std::{
	collections::BTreeMap,
	io, iter,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::mpsc::{channel, Receiver, Sender},
};

use rayon::Yield;
/// First come, first served: a pool of one thread works in the order in which results are taken, on nothing
/// before it is its turn.
pub(crate) use rayon::{in_place_scope_fifo as with_pool, ScopeFifo as Pool};

use crate::error::{Error, Result};

/// The most items that are worked on or wait for their turn, however many cores there are.
const MOST: usize = 32;

/// Does `work`; a panic becomes an error, since who waits for the result would wait for ever.
fn guarded<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
	// What `work` leaves behind half-done is dropped: the error ends all of the stream.
	catch_unwind(AssertUnwindSafe(work))
		.unwrap_or_else(|_| Err(Error::Stream(io::Error::other("a thread of the pool panicked"))))
}

/// Work on the pool's threads whose results are taken in the order in which it was begun.
pub(crate) struct Queue<'a, 'pool, R> {
	pool: &'a Pool<'pool>,
	sender: Sender<(usize, Result<R>)>,
	receiver: Receiver<(usize, Result<R>)>,
	/// What is done before something that was begun before it.
	early: BTreeMap<usize, Result<R>>,
	begun: usize,
	taken: usize,
}

impl<'a, 'pool, R: Send + 'pool> Queue<'a, 'pool, R> {
	pub fn new(pool: &'a Pool<'pool>) -> Self {
		let (sender, receiver) = channel();
		Queue { pool, sender, receiver, early: BTreeMap::new(), begun: 0, taken: 0 }
	}

	/// How many results are still to be taken.
	pub fn len(&self) -> usize {
		self.begun - self.taken
	}

	/// Begins `work`. A panic in it becomes an error.
	pub fn begin(&mut self, work: impl FnOnce() -> Result<R> + Send + 'pool) {
		let (number, sender) = (self.begun, self.sender.clone());
		self.begun += 1;
		self.pool.spawn_fifo(move |_| {
			// Nobody listens after the first error: that one is enough.
			let _ = sender.send((number, guarded(work)));
		});
	}

	/// Adds an error to the results, in its turn.
	fn fail(&mut self, error: Error) {
		self.early.insert(self.begun, Err(error));
		self.begun += 1;
	}

	/// Waits for the next result; `None` if nothing more was begun.
	pub fn take(&mut self) -> Option<Result<R>> {
		if self.len() == 0 {
			return None;
		}
		loop {
			if let Some(result) = self.early.remove(&self.taken) {
				self.taken += 1;
				return Some(result);
			}
			let (number, result) = self.receive();
			self.early.insert(number, result);
		}
	}

	/// Waits for any result. A thread of the pool does meanwhile what it has begun itself: maybe just what it
	/// waits for. Once none of that is left, others are doing what it waits for; none of them waits for
	/// this one, since whoever waits does so for what was begun after itself.
	fn receive(&self) -> (usize, Result<R>) {
		loop {
			if let Ok(done) = self.receiver.try_recv() {
				return done;
			}
			if rayon::yield_local() != Some(Yield::Executed) {
				return self.receiver.recv().expect("a sender is kept here; qed");
			}
		}
	}
}

/// What `work` makes of each of `items`, in the order of the items. It is done on the threads of the
/// pool, a few items ahead of who takes the results, so that memory is bounded. Whoever stops at the
/// first error has seen all results before it.
pub(crate) fn ordered<'a, 'pool, T, R, I, W>(
	pool: &'a Pool<'pool>,
	items: I,
	work: &'pool W,
) -> impl Iterator<Item = Result<R>> + use<'a, 'pool, T, R, I, W>
where
	I: Iterator<Item = Result<T>>,
	W: Fn(T) -> Result<R> + Sync,
	T: Send + 'pool,
	R: Send + 'pool,
{
	let most = (4 * rayon::current_num_threads()).min(MOST);
	let mut items = items.fuse();
	let mut queue = Queue::new(pool);
	iter::from_fn(move || {
		while queue.len() < most {
			match items.next() {
				Some(Ok(item)) => queue.begin(move || work(item)),
				Some(Err(error)) => queue.fail(error),
				None => break,
			}
		}
		queue.take()
	})
}

#[cfg(test)]
mod tests {
	use std::{
		cell::Cell,
		sync::atomic::{AtomicUsize, Ordering::Relaxed},
	};

	use rayon::ThreadPoolBuilder;

	use super::*;

	/// Does `test` within a pool of so many threads.
	fn within<R: Send>(threads: usize, test: impl FnOnce() -> R + Send) -> R {
		let pool = ThreadPoolBuilder::new().num_threads(threads).build();
		pool.expect("there are threads").install(test)
	}

	/// Does `test` outside of any pool, and within pools of one thread and of more.
	fn everywhere(test: impl Fn() + Sync) {
		test();
		[1, 2, 5].into_iter().for_each(|threads| within(threads, &test));
	}

	/// Takes results up to the first error.
	fn take<T: Send, R: Send>(
		items: impl Iterator<Item = Result<T>>,
		work: impl Fn(T) -> Result<R> + Sync,
	) -> (Vec<R>, Option<Error>) {
		let (mut taken, mut failed) = (Vec::new(), None);
		with_pool(|pool| {
			for result in ordered(pool, items, &work) {
				match result {
					Ok(result) => taken.push(result),
					Err(error) => {
						failed = Some(error);
						break;
					},
				}
			}
		});
		(taken, failed)
	}

	#[test]
	fn results_come_in_order() {
		let square = |i: u64| {
			// Later items are done sooner.
			(0..(1000 - i) * 50).for_each(|n| {
				std::hint::black_box(n);
			});
			Ok(i * i)
		};
		everywhere(|| {
			let (taken, failed) = take((0..1000).map(Ok), square);
			assert!(failed.is_none() && taken.into_iter().eq((0..1000).map(|i| i * i)));
		});
	}

	#[test]
	fn results_of_one_are_the_items_of_another() {
		let (double, next) = (|i: u64| Ok(2 * i), |i: u64| Ok(i + 1));
		everywhere(|| {
			let sum: Result<u64> = with_pool(|pool| {
				let doubled = ordered(pool, (0..1000).map(Ok), &double);
				ordered(pool, doubled, &next).sum()
			});
			assert_eq!(sum.expect("nothing fails"), 1000 * 1000);
		});
	}

	#[test]
	fn work_may_have_work_of_its_own() {
		thread_local!(static DEPTH: Cell<usize> = const { Cell::new(0) });
		let deepest = AtomicUsize::new(0);
		let sum = |n: u64| {
			DEPTH.set(DEPTH.get() + 1);
			deepest.fetch_max(DEPTH.get(), Relaxed);
			let (taken, failed) = take((0..n).map(Ok), Ok);
			DEPTH.set(DEPTH.get() - 1);
			failed.map_or(Ok(taken.into_iter().sum::<u64>()), Err)
		};
		let test = || {
			let (taken, failed) = take((0..200).map(Ok), sum);
			assert!(failed.is_none());
			assert!(taken.into_iter().eq((0..200u64).map(|n| n * n.saturating_sub(1) / 2)));
		};
		// One thread does first what it has begun last.
		within(1, test);
		assert_eq!(deepest.load(Relaxed), 1);
		// Others may do that for it, and it goes on with the items that are ahead: so deep, no deeper.
		everywhere(test);
		assert!(deepest.load(Relaxed) <= MOST, "{deepest:?}");
	}

	#[test]
	fn one_thread_does_nothing_before_its_turn_and_all_of_it_itself() {
		within(1, || {
			let (own, worked) = (std::thread::current().id(), AtomicUsize::new(0));
			let work = |i: usize| {
				assert_eq!(std::thread::current().id(), own);
				Ok((worked.fetch_add(1, Relaxed), i))
			};
			with_pool(|pool| {
				for (taken, result) in (0..500).zip(ordered(pool, (0..500).map(Ok), &work)) {
					assert_eq!(result.expect("nothing fails"), (taken, taken));
					assert_eq!(worked.load(Relaxed), taken + 1);
				}
			});
		});
	}

	#[test]
	fn a_panic_is_an_error_and_no_standstill() {
		everywhere(|| {
			let (taken, failed) =
				take((0..100).map(Ok), |i| if i == 50 { panic!("oh") } else { Ok(i) });
			assert!(taken.into_iter().eq(0..50));
			assert!(
				matches!(failed, Some(Error::Stream(error)) if error.to_string().contains("panicked"))
			);
		});
	}

	#[test]
	fn all_before_the_first_error_is_handed_over() {
		let fail = |what| Error::Decode { what };
		everywhere(|| {
			let (taken, failed) =
				take((0..100).map(Ok), |i| if i == 7 { Err(fail("seven")) } else { Ok(i) });
			assert!(taken.into_iter().eq(0..7));
			assert!(matches!(failed, Some(Error::Decode { what: "seven" })));
			let items = [Ok(1), Err(fail("item")), Ok(2)].into_iter();
			let (taken, failed) = take(items, Ok);
			assert_eq!(taken, [1]);
			assert!(matches!(failed, Some(Error::Decode { what: "item" })));
		});
	}

	#[test]
	fn few_items_are_ahead_of_who_takes_the_results() {
		everywhere(|| {
			let begun = AtomicUsize::new(0);
			let count = |i: usize| Ok((begun.fetch_add(1, Relaxed), i).1);
			with_pool(|pool| {
				for (taken, result) in (1..).zip(ordered(pool, (0..500).map(Ok), &count)) {
					assert_eq!(result.expect("nothing fails"), taken - 1);
					assert!(begun.load(Relaxed) < taken + MOST, "{taken}");
				}
			});
		});
	}
}
