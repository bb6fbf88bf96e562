//! Counts the memory that a thread has asked for.

use std::{
	alloc::{GlobalAlloc, Layout, System},
	cell::Cell,
};

/// The system's allocator, with a count.
#[derive(Debug)]
struct Meter;

#[global_allocator]
static METER: Meter = Meter;

thread_local! {
	static NOW: Cell<isize> = const { Cell::new(0) };
	static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn note(size: isize) {
	let now = NOW.get() + size;
	NOW.set(now);
	PEAK.set(PEAK.get().max(now));
}

// Safety: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Meter {
	unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
		note(layout.size() as isize);
		unsafe { System.alloc(layout) }
	}

	unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
		note(-(layout.size() as isize));
		unsafe { System.dealloc(pointer, layout) }
	}
}

/// The most memory that `work` had in use at the same time, in bytes.
pub fn peak<R>(work: impl FnOnce() -> R) -> (usize, R) {
	let before = NOW.get();
	PEAK.set(before);
	let result = work();
	((PEAK.get() - before).max(0) as usize, result)
}
