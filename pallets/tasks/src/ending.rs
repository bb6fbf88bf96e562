//! How a task ends: the agenda of what falls due, cancelling, settling, and clearing away.

use dgcs_primitives::{api::TaskState, Escrow, Judge, Settlement, TaskEnd, TaskId};
use frame_support::{
	ensure, pallet_prelude::DispatchResult, storage::with_storage_layer, weights::WeightMeter,
};
use sp_runtime::SaturatedConversion;

use crate::{
	pallet::{
		Agenda, AgendaCursor, Backlog, Config, Error, Event, Leftovers, Pallet, Settlements, Tasks,
		Windows,
	},
	types::{FINAL_BLOCKS, RETRY_BLOCKS},
	weights::WeightInfo,
	TaskOf, LOG_TARGET,
};

impl<T: Config> Pallet<T> {
	/// The current block.
	pub(crate) fn now() -> u32 {
		frame_system::Pallet::<T>::block_number().saturated_into()
	}

	/// Notes in the agenda that the task falls due at `due`.
	pub(crate) fn note_due(id: TaskId, due: u32) {
		Agenda::<T>::insert(due, id, ());
	}

	/// Moves the task's entry in the agenda.
	pub(crate) fn reschedule(id: TaskId, task: &mut TaskOf<T>, due: u32) {
		Agenda::<T>::remove(task.due, id);
		task.due = due;
		Self::note_due(id, due);
	}

	/// How the task ends if it ends now. `None`: it is not due.
	pub(crate) fn ending(task: &TaskOf<T>) -> Option<TaskEnd> {
		(task.due <= Self::now()).then_some(match task.state {
			TaskState::Cancelling => TaskEnd::Cancelled,
			_ if task.finished => TaskEnd::Completed,
			TaskState::Queued => TaskEnd::Expired,
			TaskState::Running => TaskEnd::DeadlinePassed,
		})
	}

	/// Whether the task takes no more wishes: it is cancelled, finished or due.
	pub(crate) fn is_ending(task: &TaskOf<T>) -> bool {
		task.state == TaskState::Cancelling || task.finished || Self::ending(task).is_some()
	}

	/// Ends the task at once if nothing of it was leased, or else as soon as what was is decided.
	/// Says whether it was settled.
	pub(crate) fn do_cancel(
		who: T::AccountId,
		id: TaskId,
	) -> Result<bool, sp_runtime::DispatchError> {
		let mut task = Tasks::<T>::get(id).ok_or(Error::<T>::UnknownTask)?;
		ensure!(task.owner == who, Error::<T>::NotOwner);
		ensure!(!Self::is_ending(&task), Error::<T>::AlreadyEnding);
		if task.state == TaskState::Queued {
			let withdrawn = task.spec.subtasks;
			Self::deposit_event(Event::Cancelled { task: id, withdrawn });
			Self::close(id, task, TaskEnd::Cancelled)?;
			return Ok(true);
		}
		let mut window = Windows::<T>::get(id);
		let withdrawn = Self::withdraw_fresh(&mut task, &mut window);
		// What was reopened takes the room of what was withdrawn.
		Self::refill(id, &mut task, &mut window);
		Self::put_window(id, window);
		Tasks::<T>::insert(id, task);
		Self::deposit_event(Event::Cancelled { task: id, withdrawn });
		// Last, for it may report the task as finished.
		T::Judge::withdraw(id, withdrawn);
		Ok(false)
	}

	/// Settles the task if it is due.
	pub(crate) fn do_settle(id: TaskId) -> DispatchResult {
		let task = Tasks::<T>::get(id).ok_or(Error::<T>::UnknownTask)?;
		let end = Self::ending(&task).ok_or(Error::<T>::NotDue)?;
		Self::close(id, task, end)
	}

	/// Notes that nothing of the task is left to decide: it is due [`FINAL_BLOCKS`] from now, so that
	/// the state of a block has all of its work chain.
	pub(crate) fn do_finish(id: TaskId) {
		let Some(mut task) = Tasks::<T>::get(id) else { return };
		if task.finished {
			return;
		}
		task.finished = true;
		Self::leave_queue(id);
		Self::reschedule(id, &mut task, Self::now().saturating_add(FINAL_BLOCKS));
		Tasks::<T>::insert(id, task);
	}

	fn close(id: TaskId, task: TaskOf<T>, end: TaskEnd) -> DispatchResult {
		let chain = T::Judge::close(id).unwrap_or_default();
		let sums = T::Escrow::close(id)?;
		Self::leave_queue(id);
		Windows::<T>::remove(id);
		Agenda::<T>::remove(task.due, id);
		Tasks::<T>::remove(id);
		if !task.backlog.is_empty() {
			Leftovers::<T>::insert(id, task.backlog);
		}
		let settlement = Settlement { owner: task.owner, when: Self::now(), end, chain, sums };
		if task.spec.keep_solution {
			Settlements::<T>::insert(id, &settlement);
		}
		Self::deposit_event(Event::Settled { task: id, settlement });
		Ok(())
	}

	/// Settles what is due, then clears away what settled tasks left.
	pub(crate) fn do_idle(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::idle_base()).is_err() {
			return;
		}
		Self::settle_due(meter);
		Self::clear_leftovers(meter);
	}

	/// Works the agenda off from the first block that may have entries, as far as the meter goes.
	/// The current block is never left behind, since it may still get entries.
	pub(crate) fn settle_due(meter: &mut WeightMeter) {
		let now = Self::now();
		// Unknown only while there was never a task.
		let Some(before) = AgendaCursor::<T>::get() else { return };
		let mut block = before;
		'blocks: while block <= now && meter.try_consume(T::WeightInfo::agenda_block()).is_ok() {
			let mut due = Agenda::<T>::iter_key_prefix(block);
			loop {
				if !meter.can_consume(T::WeightInfo::agenda_settle()) {
					break 'blocks;
				}
				let Some(id) = due.next() else { break };
				meter.consume(T::WeightInfo::agenda_settle());
				Self::settle_or_postpone(id, block);
			}
			if block == now {
				break;
			}
			block = block.saturating_add(1);
		}
		if before != block {
			AgendaCursor::<T>::put(block);
		}
	}

	/// Settles one entry of the agenda. If that fails, nothing of it happened, and it is tried
	/// again later, so that one task can't block those after it.
	pub(crate) fn settle_or_postpone(id: TaskId, block: u32) {
		let settled = with_storage_layer(|| Self::do_settle(id));
		let Err(error) = settled else { return };
		log::error!(target: LOG_TARGET, "task {id} can't be settled: {error:?}");
		match Tasks::<T>::get(id) {
			Some(mut task) => {
				let later = Self::now().saturating_add(RETRY_BLOCKS);
				Self::reschedule(id, &mut task, later);
				Tasks::<T>::insert(id, task);
			},
			None => Agenda::<T>::remove(block, id),
		}
	}

	/// Deletes ranges that waited in the backlog of settled tasks.
	pub(crate) fn clear_leftovers(meter: &mut WeightMeter) {
		if !meter.can_consume(T::WeightInfo::drop_leftover()) {
			return;
		}
		let Some((id, mut left)) = Leftovers::<T>::iter().next() else { return };
		while meter.can_consume(T::WeightInfo::drop_leftover()) {
			meter.consume(T::WeightInfo::drop_leftover());
			let Some(index) = left.pop() else { break };
			Backlog::<T>::remove(id, index);
		}
		if left.is_empty() {
			Leftovers::<T>::remove(id);
		} else {
			Leftovers::<T>::insert(id, left);
		}
	}
}
