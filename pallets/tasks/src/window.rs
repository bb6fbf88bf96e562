//! The window of a task: the few ranges that can be drawn, filled up from the ranges that were
//! reopened and then from those never leased.
//!
//! It is full unless the task has nothing more to fill it with.

use dgcs_primitives::{api::TaskState, RangeIndex, TaskId};

use crate::{
	pallet::{Backlog, Config, Pallet, Tasks, Windows},
	types::{OpenRange, Window, WINDOW},
	TaskOf,
};

impl<T: Config> Pallet<T> {
	/// Fills the window up. It is empty afterwards only if the task has no open seat.
	pub(crate) fn refill(id: TaskId, task: &mut TaskOf<T>, window: &mut Window) {
		// Each turn takes one range out of the backlog or the fresh ones. As many turns as a
		// window has room for are enough to leave it non-empty, and bound the work.
		for _ in 0..WINDOW {
			if window.is_full() {
				return;
			}
			let waiting = Self::next_waiting(id, task);
			match waiting.or_else(|| Self::next_fresh(task)) {
				Some(open) => Self::add(window, open),
				None => return,
			}
		}
	}

	/// Puts another range in the place of the entry at `index`, on which the operator in turn has
	/// a seat already: a fresh one, so that ranges for which no operator is left can't stop the
	/// task, or else the next one of the backlog. Says whether there was any.
	pub(crate) fn exchange(
		id: TaskId,
		task: &mut TaskOf<T>,
		window: &mut Window,
		index: usize,
	) -> bool {
		let fresh = Self::next_fresh(task);
		let Some(next) = fresh.or_else(|| Self::next_waiting(id, task)) else { return false };
		if window.iter().any(|open| open.range == next.range) {
			Self::add(window, next);
		} else if let Some(open) = window.get_mut(index) {
			let evicted = core::mem::replace(open, next);
			Backlog::<T>::insert(id, task.backlog.push(), evicted);
		}
		true
	}

	/// Takes the first range out of the backlog.
	fn next_waiting(id: TaskId, task: &mut TaskOf<T>) -> Option<OpenRange> {
		task.backlog.pop().and_then(|index| Backlog::<T>::take(id, index))
	}

	/// Takes the next range that was never leased.
	fn next_fresh(task: &mut TaskOf<T>) -> Option<OpenRange> {
		if task.issued >= task.spec.ranges() {
			return None;
		}
		let range = RangeIndex(task.issued);
		task.issued = task.issued.saturating_add(1);
		Some(OpenRange { range, seats: task.spec.replicas, fresh: true })
	}

	/// Writes the window down, and keeps the task in the queue exactly while it has open seats.
	pub(crate) fn put_window(id: TaskId, window: Window) {
		if window.is_empty() {
			Windows::<T>::remove(id);
			Self::leave_queue(id);
		} else {
			Windows::<T>::insert(id, window);
		}
	}

	/// Opens one more seat on a range that was leased before.
	pub(crate) fn do_reopen(id: TaskId, range: RangeIndex) {
		let Some(mut task) = Tasks::<T>::get(id) else { return };
		if task.finished || task.spec.range_len(range) == 0 {
			return;
		}
		let open = OpenRange { range, seats: 1, fresh: false };
		let mut window = Windows::<T>::get(id);
		let in_window = window.iter().any(|open| open.range == range);
		if in_window || (task.backlog.is_empty() && !window.is_full()) {
			Self::add(&mut window, open);
			Windows::<T>::insert(id, window);
		} else {
			let index = task.backlog.push();
			Backlog::<T>::insert(id, index, open);
			Tasks::<T>::insert(id, &task);
		}
		if !Self::is_queued(id) {
			Self::enqueue_first(id, Self::lane(&task));
		}
	}

	/// Takes all ranges that were never leased out of the task. Says how many subtasks they hold.
	pub(crate) fn withdraw_fresh(task: &mut TaskOf<T>, window: &mut Window) -> u32 {
		let spec = &task.spec;
		let in_window = window
			.iter()
			.filter(|open| open.fresh)
			.fold(0u32, |sum, open| sum.saturating_add(spec.range_len(open.range)));
		let begun = task.issued.saturating_mul(spec.range_size);
		let beyond = spec.subtasks.saturating_sub(begun);
		task.issued = spec.ranges();
		task.state = TaskState::Cancelling;
		window.retain(|open| !open.fresh);
		in_window.saturating_add(beyond)
	}

	/// Adds the seats to the range's entry, or the range, for which there is room.
	fn add(window: &mut Window, more: OpenRange) {
		match window.iter_mut().find(|open| open.range == more.range) {
			Some(open) => open.seats = open.seats.saturating_add(more.seats),
			None => {
				let _has_room = window.try_push(more);
			},
		}
	}
}
