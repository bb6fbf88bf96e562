//! What the votes see of the task book, and what everybody may list of it.

use alloc::vec::Vec;
use dgcs_primitives::{
	api::{TaskState, MAX_TASKS_PER_CALL},
	RangeIndex, TaskBook, TaskId,
};

use crate::pallet::{Config, Pallet, Tasks};

impl<T: Config> Pallet<T> {
	/// Up to `limit` (at most [`MAX_TASKS_PER_CALL`]) live tasks, those that follow on `after` in the
	/// order of the state. `after` may have ended.
	pub fn live_tasks(after: Option<TaskId>, limit: u32) -> Vec<TaskId> {
		let tasks = match after {
			Some(after) => Tasks::<T>::iter_keys_from_key(after),
			None => Tasks::<T>::iter_keys(),
		};
		tasks.take(limit.min(MAX_TASKS_PER_CALL) as usize).collect()
	}
}

impl<T: Config> TaskBook<T::Balance> for Pallet<T> {
	fn reward(task: TaskId) -> Option<T::Balance> {
		Tasks::<T>::get(task).filter(|task| task.state != TaskState::Queued).map(|task| task.reward)
	}

	fn reopen(task: TaskId, range: RangeIndex) {
		Self::do_reopen(task, range);
	}

	fn finished(task: TaskId) {
		Self::do_finish(task);
	}
}
