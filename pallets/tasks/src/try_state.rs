//! What is true of the storage at any time between calls.

use alloc::collections::{BTreeMap, BTreeSet};

use dgcs_primitives::{api::TaskState, Escrow, Price, TaskId, TaskSpec};
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;

use crate::{
	class::Lanes,
	pallet::{
		Agenda, AgendaCursor, Asking, Asks, Backlog, Chains, Config, Leftovers, Line, NextTaskId,
		Pallet, Places, Tasks, Waiting, Windows,
	},
};

impl<T: Config> Pallet<T> {
	/// Checks every invariant of the task book.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		Self::try_state_queue()?;
		Self::try_state_tasks()?;
		Self::try_state_agenda()?;
		Self::try_state_line()
	}

	/// The lanes' chains hold every place once, in order, and the bits are right.
	fn try_state_queue() -> Result<(), TryRuntimeError> {
		let mut met = BTreeSet::new();
		let mut lanes = Lanes::default();
		for (lane, ends) in Chains::<T>::iter() {
			lanes.set(lane, true);
			let (mut at, mut prev, mut below) = (Some(ends.first), None, None);
			while let Some(id) = at {
				ensure!(met.insert(id), "a task is in the queue twice");
				let place = Places::<T>::get(id).ok_or("a link leads nowhere")?;
				ensure!(place.lane == lane, "a link leads to another lane");
				ensure!(place.prev == prev, "a link does not lead back");
				ensure!(below < Some(place.position), "positions don't grow");
				let task = Tasks::<T>::get(id).ok_or("the queue holds an unknown task")?;
				ensure!(Self::lane(&task) == lane, "a task is in the wrong lane");
				(at, prev, below) = (place.next, Some(id), Some(place.position));
			}
			ensure!(prev == Some(ends.last), "a lane does not end at its last task");
		}
		ensure!(lanes == Waiting::<T>::get(), "a bit of the waiting lanes is wrong");
		ensure!(met.len() == Places::<T>::iter_keys().count(), "a place is in no lane");
		Ok(())
	}

	/// Windows, backlogs, counters and money of each task fit together.
	fn try_state_tasks() -> Result<(), TryRuntimeError> {
		let share = T::Escrow::masternode_share();
		let mut backlog = 0u64;
		for (id, task) in Tasks::<T>::iter() {
			ensure!(id.0 < NextTaskId::<T>::get(), "a task has an id of the future");
			ensure!(
				task.begun <= task.issued && task.issued <= task.spec.ranges(),
				"more ranges are begun than there are"
			);
			ensure!(
				(task.begun == 0) == (task.state == TaskState::Queued),
				"a task runs from its first lease on"
			);
			let effective = TaskSpec { reward: task.reward, ..task.spec.clone() };
			let price = Price::of(&effective, share).ok_or("a reward has no price")?;
			ensure!(price.total() <= task.deposited, "a reward is not covered");

			let window = Windows::<T>::get(id);
			let open = Windows::<T>::contains_key(id);
			ensure!(open != window.is_empty(), "an empty window is kept");
			let queued = Self::is_queued(id);
			let can_be_leased = open && Self::deadline(&task).is_ok();
			ensure!(queued || !can_be_leased, "the queue misses an open seat");
			ensure!(!queued || (open && !task.finished), "the queue holds a task without a seat");
			let ranges: BTreeSet<_> = window.iter().map(|open| open.range).collect();
			ensure!(ranges.len() == window.len(), "a range is in a window twice");
			for open in &window {
				ensure!(open.seats > 0, "a range without open seats is in a window");
				ensure!(open.range.0 < task.issued, "a range is in a window before its time");
			}
			let more = !task.backlog.is_empty() || task.issued < task.spec.ranges();
			ensure!(window.is_full() || !more, "a window has room for what waits");
			for index in task.backlog.head..task.backlog.tail {
				ensure!(Backlog::<T>::contains_key(id, index), "a backlog has a gap");
				backlog = backlog.saturating_add(1);
			}
		}
		for id in Windows::<T>::iter_keys() {
			ensure!(Tasks::<T>::contains_key(id), "a window outlives its task");
		}
		for (id, left) in Leftovers::<T>::iter() {
			ensure!(!Tasks::<T>::contains_key(id), "a live task has left something");
			backlog = backlog.saturating_add(u64::from(left.tail.saturating_sub(left.head)));
		}
		let entries = Backlog::<T>::iter_keys().count() as u64;
		ensure!(entries == backlog, "the backlog holds something that is no task's");
		Ok(())
	}

	/// Every live task has one entry in the agenda, not before the cursor.
	fn try_state_agenda() -> Result<(), TryRuntimeError> {
		let cursor = AgendaCursor::<T>::get().unwrap_or_default();
		let mut due = BTreeMap::<TaskId, u32>::new();
		for (block, id) in Agenda::<T>::iter_keys() {
			ensure!(block >= cursor, "the agenda has an entry that is never met");
			ensure!(due.insert(id, block).is_none(), "a task is in the agenda twice");
		}
		for (id, task) in Tasks::<T>::iter() {
			ensure!(due.remove(&id) == Some(task.due), "a task is not in the agenda when due");
		}
		ensure!(due.is_empty(), "the agenda holds an unknown task");
		Ok(())
	}

	/// The line has an ask at every position, and one for each worker that asks.
	fn try_state_line() -> Result<(), TryRuntimeError> {
		let line = Line::<T>::get();
		ensure!(line.head <= line.tail, "the line ends before it begins");
		ensure!(line.len() <= u64::from(T::MaxAsks::get()), "the line is too long");
		let mut asking = BTreeSet::new();
		for (position, ask) in Asks::<T>::iter() {
			ensure!((line.head..line.tail).contains(&position), "an ask is beside the line");
			ensure!(ask.got < ask.slots, "an ask has all that it wanted");
			ensure!(Asking::<T>::contains_key(&ask.worker), "an ask is of nobody");
			asking.insert(ask.worker);
		}
		let asks = asking.len() as u64;
		ensure!(asks == line.len(), "the line has a gap, or a worker twice");
		ensure!(asks == Asking::<T>::iter_keys().count() as u64, "somebody asks outside the line");
		Ok(())
	}
}
