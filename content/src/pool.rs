//! Work on all cores whose results come in order.

use std::{
	collections::BTreeMap,
	io,
	panic::{catch_unwind, AssertUnwindSafe},
	sync::mpsc::channel,
};

use crate::error::{Error, Result};

/// The most items that are worked on or wait for their turn, however many cores there are.
const MOST: usize = 32;

/// Does `work`; a panic becomes an error, since who waits for the result would wait for ever.
pub(crate) fn guarded<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
	// What `work` leaves behind half-done is dropped: the error ends all of the stream.
	catch_unwind(AssertUnwindSafe(work))
		.unwrap_or_else(|_| Err(Error::Stream(io::Error::other("a thread of the pool panicked"))))
}

/// Does `work` on each of `items` on the threads of the pool and hands the results to `each`, in
/// the order of the items and on this thread. No more than a few are in flight, so that memory is
/// bounded. The first error ends it.
///
/// Waits for the pool, so it must not be called from within it.
pub(crate) fn ordered<T: Send, R: Send>(
	items: impl Iterator<Item = Result<T>>,
	work: impl Fn(T) -> Result<R> + Sync,
	mut each: impl FnMut(R) -> Result<()>,
) -> Result<()> {
	let most = (4 * rayon::current_num_threads()).min(MOST);
	let work = &work;
	rayon::in_place_scope(|pool| {
		let mut items = items.enumerate().fuse();
		let (sender, receiver) = channel();
		let mut early: BTreeMap<usize, R> = BTreeMap::new();
		let (mut begun, mut done) = (0, 0);
		loop {
			while begun - done < most {
				let Some((number, item)) = items.next() else { break };
				let (item, sender) = (item?, sender.clone());
				begun += 1;
				pool.spawn(move |_| {
					// Nobody listens after the first error: that one is enough.
					let _ = sender.send((number, guarded(|| work(item))));
				});
			}
			if begun == done {
				return Ok(());
			}
			let lost = |_| Error::Stream(io::Error::other("a thread of the pool stopped"));
			let (number, result) = receiver.recv().map_err(lost)?;
			early.insert(number, result?);
			while let Some(result) = early.remove(&done) {
				each(result)?;
				done += 1;
			}
		}
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn results_come_in_order() {
		let mut seen = Vec::new();
		let square = |i: u64| {
			// Later items are done sooner.
			(0..(1000 - i) * 50).for_each(|n| {
				std::hint::black_box(n);
			});
			Ok(i * i)
		};
		ordered((0..1000).map(Ok), square, |result| {
			seen.push(result);
			Ok(())
		})
		.expect("nothing fails");
		assert!(seen.into_iter().eq((0..1000).map(|i| i * i)));
	}

	#[test]
	fn a_panic_is_an_error_and_no_standstill() {
		let result =
			ordered((0..100).map(Ok), |i| if i == 50 { panic!("oh") } else { Ok(i) }, |_| Ok(()));
		assert!(
			matches!(result, Err(Error::Stream(error)) if error.to_string().contains("panicked"))
		);
	}

	#[test]
	fn the_first_error_ends_it() {
		let fail = |what| Error::Decode { what };
		let mut seen = 0;
		let in_work = ordered(
			(0..100).map(Ok),
			|i| if i == 7 { Err(fail("seven")) } else { Ok(i) },
			|_| {
				seen += 1;
				Ok(())
			},
		);
		assert!(matches!(in_work, Err(Error::Decode { what: "seven" })));
		assert!(seen <= 7);
		let items = [Ok(1), Err(fail("item")), Ok(2)].into_iter();
		let in_items = ordered(items, Ok, |_| Ok(()));
		assert!(matches!(in_items, Err(Error::Decode { what: "item" })));
		let in_each = ordered((0..9).map(Ok), Ok, |_| Err(fail("each")));
		assert!(matches!(in_each, Err(Error::Decode { what: "each" })));
	}
}
