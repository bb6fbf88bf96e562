//! Views that no pallet can give alone, since they join what several know.

use dgcs_primitives::{
	api::{TaskInfo, TaskView},
	TaskId,
};

use crate::{AccountId, Balance, Escrow, Tasks, Verdicts};

/// The task, live or settled.
pub fn task(id: TaskId) -> Option<TaskInfo<AccountId, Balance>> {
	if let Some(settlement) = Tasks::settlement(id) {
		return Some(TaskInfo::Settled(settlement));
	}
	let task = Tasks::task(id)?;
	let head = Verdicts::head(id)?;
	Some(TaskInfo::Live(TaskView {
		owner: task.owner,
		spec: task.spec,
		state: task.state,
		due: task.due,
		reward: task.reward,
		held: Escrow::held(id),
		begun_ranges: task.begun,
		open_subtasks: head.open_subtasks,
		agreed: head.agreed,
		failed: head.failed,
		height: head.height,
	}))
}
