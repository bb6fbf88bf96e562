//! The queue: one chain of tasks for each lane, doubly linked, so that a task enters and leaves in
//! O(1) wherever it stands and a walk meets live tasks alone.

use dgcs_primitives::{api::QueuePosition, Refusal, TaskId, Workers};

use crate::{
	class::{Class, Classes, Lane},
	pallet::{Chains, Config, Pallet, Places, Waiting},
	types::{Cursor, Ends, Place, MIDDLE},
	TaskOf,
};

impl<T: Config> Pallet<T> {
	/// The lane that the task belongs to.
	pub(crate) fn lane(task: &TaskOf<T>) -> Lane {
		Lane { bucket: Self::bucket(task), class: Class::of(&task.spec.requirements()) }
	}

	/// Puts the task at the end of `lane`. Takes it out of wherever it was.
	pub(crate) fn enqueue_last(task: TaskId, lane: Lane) {
		Self::leave_queue(task);
		let Some(mut ends) = Chains::<T>::get(lane) else {
			return Self::open_lane(task, lane);
		};
		let mut position = MIDDLE;
		Places::<T>::mutate_extant(ends.last, |last| {
			position = last.position.saturating_add(1);
			last.next = Some(task);
		});
		let place = Place { lane, position, prev: Some(ends.last), next: None };
		Places::<T>::insert(task, place);
		ends.last = task;
		Chains::<T>::insert(lane, ends);
	}

	/// Puts the task at the front of `lane`. Takes it out of wherever it was.
	pub(crate) fn enqueue_first(task: TaskId, lane: Lane) {
		Self::leave_queue(task);
		let Some(mut ends) = Chains::<T>::get(lane) else {
			return Self::open_lane(task, lane);
		};
		let mut position = MIDDLE;
		Places::<T>::mutate_extant(ends.first, |first| {
			position = first.position.saturating_sub(1);
			first.prev = Some(task);
		});
		let place = Place { lane, position, prev: None, next: Some(ends.first) };
		Places::<T>::insert(task, place);
		ends.first = task;
		Chains::<T>::insert(lane, ends);
	}

	/// Takes the task out of the queue, if it is there.
	pub(crate) fn leave_queue(task: TaskId) {
		let Some(place) = Places::<T>::take(task) else { return };
		if let Some(prev) = place.prev {
			Places::<T>::mutate_extant(prev, |prev| prev.next = place.next);
		}
		if let Some(next) = place.next {
			Places::<T>::mutate_extant(next, |next| next.prev = place.prev);
		}
		match (place.prev, place.next) {
			(None, None) => {
				Chains::<T>::remove(place.lane);
				Waiting::<T>::mutate(|waiting| waiting.set(place.lane, false));
			},
			(None, Some(next)) => Chains::<T>::mutate_extant(place.lane, |ends| ends.first = next),
			(Some(prev), None) => Chains::<T>::mutate_extant(place.lane, |ends| ends.last = prev),
			(Some(_), Some(_)) => (),
		}
	}

	/// Whether the task is in the queue.
	pub(crate) fn is_queued(task: TaskId) -> bool {
		Places::<T>::contains_key(task)
	}

	/// Where the task waits.
	pub(crate) fn find_queue_position(task: TaskId) -> Option<QueuePosition> {
		let place = Places::<T>::get(task)?;
		let first = Places::<T>::get(Chains::<T>::get(place.lane)?.first)?;
		let ahead = place.position.saturating_sub(first.position);
		Some(QueuePosition { bucket: place.lane.bucket, ahead })
	}

	/// Whether a class of tasks waits that is open to the worker, or why none is.
	pub(crate) fn find_prospects(worker: &T::AccountId) -> Result<(), Refusal> {
		let offer = T::Workers::offer(worker)?;
		let waiting = Waiting::<T>::get().all_classes();
		match waiting.and(Classes::open_to(&offer)).is_empty() {
			true => Err(waiting.refusal(&offer)),
			false => Ok(()),
		}
	}

	/// The task that the walk stands at, out of the classes that are `open` to the worker. `None`:
	/// the walk is over.
	pub(crate) fn look(cursor: &mut Cursor, open: Classes) -> Option<(TaskId, Place)> {
		if let Some(task) = cursor.next {
			match Places::<T>::get(task) {
				Some(place) if place.lane == cursor.lane() && open.contains(place.lane.class) => {
					return Some((task, place))
				},
				_ => cursor.lose(),
			}
		}
		let lane = cursor.seek(&Waiting::<T>::get(), open)?;
		let first = Chains::<T>::get(lane)?.first;
		cursor.next = Some(first);
		Places::<T>::get(first).map(|place| (first, place))
	}

	fn open_lane(task: TaskId, lane: Lane) {
		Places::<T>::insert(task, Place { lane, position: MIDDLE, prev: None, next: None });
		Chains::<T>::insert(lane, Ends { first: task, last: task });
		Waiting::<T>::mutate(|waiting| waiting.set(lane, true));
	}
}
