//! Views that no pallet can give alone, since they join what several know.

use alloc::vec::Vec;
use dgcs_primitives::{
	api::{TaskInfo, TaskView},
	TaskId,
};

use crate::{AccountId, Balance, Escrow, RuntimeEvent, System, Tasks, Verdicts};

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

/// The tasks whose state, money or work chain changed in this block, by their ids: its events name
/// them, so that nothing has to be kept for it.
pub fn changed_tasks() -> Vec<TaskId> {
	use pallet_tasks::Event::{Cancelled, Funded, Settled, Started, Submitted};
	use pallet_verdicts::Event::Decided;

	let mut tasks: Vec<TaskId> = System::read_events_no_consensus()
		.filter_map(|record| match record.event {
			RuntimeEvent::Tasks(
				Submitted { task, .. }
				| Funded { task, .. }
				| Started { task, .. }
				| Cancelled { task, .. }
				| Settled { task, .. },
			)
			| RuntimeEvent::Verdicts(Decided { task, .. }) => Some(task),
			_ => None,
		})
		.collect();
	tasks.sort();
	tasks.dedup();
	tasks
}
