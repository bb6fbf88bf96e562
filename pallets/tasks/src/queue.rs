//! The queue: one chain of tasks for each priority bucket, doubly linked, so that a task enters
//! and leaves in O(1) wherever it stands and a walk meets live tasks alone.

use dgcs_primitives::{api::QueuePosition, TaskId};

use crate::{
	pallet::{Buckets, Config, Pallet, Places, Waiting},
	types::{bit, Cursor, Ends, Place, MIDDLE},
};

impl<T: Config> Pallet<T> {
	/// Puts the task at the end of `bucket`. Takes it out of wherever it was.
	pub(crate) fn enqueue_last(task: TaskId, bucket: u8) {
		Self::leave_queue(task);
		let Some(mut ends) = Buckets::<T>::get(bucket) else {
			return Self::open_bucket(task, bucket);
		};
		let mut position = MIDDLE;
		Places::<T>::mutate_extant(ends.last, |last| {
			position = last.position.saturating_add(1);
			last.next = Some(task);
		});
		let place = Place { bucket, position, prev: Some(ends.last), next: None };
		Places::<T>::insert(task, place);
		ends.last = task;
		Buckets::<T>::insert(bucket, ends);
	}

	/// Puts the task at the front of `bucket`. Takes it out of wherever it was.
	pub(crate) fn enqueue_first(task: TaskId, bucket: u8) {
		Self::leave_queue(task);
		let Some(mut ends) = Buckets::<T>::get(bucket) else {
			return Self::open_bucket(task, bucket);
		};
		let mut position = MIDDLE;
		Places::<T>::mutate_extant(ends.first, |first| {
			position = first.position.saturating_sub(1);
			first.prev = Some(task);
		});
		let place = Place { bucket, position, prev: None, next: Some(ends.first) };
		Places::<T>::insert(task, place);
		ends.first = task;
		Buckets::<T>::insert(bucket, ends);
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
				Buckets::<T>::remove(place.bucket);
				Waiting::<T>::mutate(|waiting| *waiting &= !bit(place.bucket));
			},
			(None, Some(next)) => {
				Buckets::<T>::mutate_extant(place.bucket, |ends| ends.first = next)
			},
			(Some(prev), None) => {
				Buckets::<T>::mutate_extant(place.bucket, |ends| ends.last = prev)
			},
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
		let first = Places::<T>::get(Buckets::<T>::get(place.bucket)?.first)?;
		let ahead = place.position.saturating_sub(first.position);
		Some(QueuePosition { bucket: place.bucket, ahead })
	}

	/// The task that the walk stands at. `None`: the walk is over.
	pub(crate) fn look(cursor: &mut Cursor) -> Option<(TaskId, Place)> {
		if let Some(task) = cursor.next {
			match Places::<T>::get(task) {
				Some(place) if place.bucket == cursor.bucket() => return Some((task, place)),
				_ => cursor.lose(),
			}
		}
		let bucket = cursor.seek(Waiting::<T>::get())?;
		let first = Buckets::<T>::get(bucket)?.first;
		cursor.next = Some(first);
		Places::<T>::get(first).map(|place| (first, place))
	}

	fn open_bucket(task: TaskId, bucket: u8) {
		Places::<T>::insert(task, Place { bucket, position: MIDDLE, prev: None, next: None });
		Buckets::<T>::insert(bucket, Ends { first: task, last: task });
		Waiting::<T>::mutate(|waiting| *waiting |= bit(bucket));
	}
}
