//! What the votes see of the task book.

use dgcs_primitives::{api::TaskState, RangeIndex, TaskBook, TaskId};

use crate::pallet::{Config, Pallet, Tasks};

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
