//! Work on all cores whose results come in order.

use std::{
	collections::BTreeMap,
	io, iter,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::mpsc::{channel, Receiver, Sender},
};

use rayon::Scope as Pool;

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
		self.pool.spawn(move |_| {
			// Nobody listens after the first error: that one is enough.
			let _ = sender.send((number, guarded(work)));
		});
	}

	/// Adds an error to the results, in its turn.
	fn fail(&mut self, error: Error) {
		self.early.insert(self.begun, Err(error));
		self.begun += 1;
	}

	/// Waits for the next result; `None` if nothing more was begun. Never to be called within the pool,
	/// whose thread would wait for others like itself.
	pub fn take(&mut self) -> Option<Result<R>> {
		if self.len() == 0 {
			return None;
		}
		loop {
			if let Some(result) = self.early.remove(&self.taken) {
				self.taken += 1;
				return Some(result);
			}
			let (number, result) = self.receiver.recv().expect("a sender is kept here; qed");
			self.early.insert(number, result);
		}
	}
}

/// What `work` makes of each of `items`, in the order of the items. It is done on the threads of the
/// pool, a few items ahead of who takes the results, so that memory is bounded. Whoever stops at the
/// first error has seen all results before it.
///
/// Taking a result waits for the pool, so it must not be done within it.
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
	use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

	use super::*;

	/// Takes results up to the first error.
	fn take<T: Send, R: Send>(
		items: impl Iterator<Item = Result<T>>,
		work: impl Fn(T) -> Result<R> + Sync,
	) -> (Vec<R>, Option<Error>) {
		let (mut taken, mut failed) = (Vec::new(), None);
		rayon::in_place_scope(|pool| {
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
		let (taken, failed) = take((0..1000).map(Ok), square);
		assert!(failed.is_none() && taken.into_iter().eq((0..1000).map(|i| i * i)));
	}

	#[test]
	fn results_of_one_are_the_items_of_another() {
		let (double, next) = (|i: u64| Ok(2 * i), |i: u64| Ok(i + 1));
		let sum: Result<u64> = rayon::in_place_scope(|pool| {
			let doubled = ordered(pool, (0..1000).map(Ok), &double);
			ordered(pool, doubled, &next).sum()
		});
		assert_eq!(sum.expect("nothing fails"), 1000 * 1000);
	}

	#[test]
	fn a_panic_is_an_error_and_no_standstill() {
		let (taken, failed) =
			take((0..100).map(Ok), |i| if i == 50 { panic!("oh") } else { Ok(i) });
		assert!(taken.into_iter().eq(0..50));
		assert!(
			matches!(failed, Some(Error::Stream(error)) if error.to_string().contains("panicked"))
		);
	}

	#[test]
	fn all_before_the_first_error_is_handed_over() {
		let fail = |what| Error::Decode { what };
		let (taken, failed) =
			take((0..100).map(Ok), |i| if i == 7 { Err(fail("seven")) } else { Ok(i) });
		assert!(taken.into_iter().eq(0..7));
		assert!(matches!(failed, Some(Error::Decode { what: "seven" })));
		let items = [Ok(1), Err(fail("item")), Ok(2)].into_iter();
		let (taken, failed) = take(items, Ok);
		assert_eq!(taken, [1]);
		assert!(matches!(failed, Some(Error::Decode { what: "item" })));
	}

	#[test]
	fn few_items_are_ahead_of_who_takes_the_results() {
		let begun = AtomicUsize::new(0);
		let count = |i: usize| Ok((begun.fetch_add(1, Relaxed), i).1);
		rayon::in_place_scope(|pool| {
			for (taken, result) in (1..).zip(ordered(pool, (0..500).map(Ok), &count)) {
				assert_eq!(result.expect("nothing fails"), taken - 1);
				assert!(begun.load(Relaxed) < taken + MOST, "{taken}");
			}
		});
	}
}
