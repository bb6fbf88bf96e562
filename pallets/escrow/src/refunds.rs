//! The contributors' way to their money after the end: one at a time, by a call or in idle blocks.

use dgcs_primitives::TaskId;
use frame_support::{storage::with_storage_layer, traits::Get, weights::WeightMeter};
use sp_runtime::{
	traits::{Saturating, Zero},
	DispatchError,
};

use crate::{
	BalanceOf, Config, Contributions, Error, Event, LedgerState, Ledgers, Pallet, RefundQueue,
	RefundQueueEnds, WeightInfo, LOG_TARGET,
};

impl<T: Config> Pallet<T> {
	/// Refunds one contributor, and returns how much its part is. The last one's refund empties
	/// the ledger; what rounding left goes to the owner.
	pub(crate) fn do_refund(
		task: TaskId,
		funder: &T::AccountId,
	) -> Result<BalanceOf<T>, DispatchError> {
		let mut ledger = Ledgers::<T>::get(task).ok_or(Error::<T>::UnknownTask)?;
		let LedgerState::Refunding(mut refunding) = ledger.state else {
			return Err(Error::<T>::StillOpen.into());
		};
		let contribution =
			Contributions::<T>::take(task, funder).ok_or(Error::<T>::NothingToRefund)?;
		let amount = ledger.part(refunding.remainder, contribution);
		if amount.is_zero() || Self::send(&ledger.owner, funder, amount) {
			Self::deposit_event(Event::Refunded { task, funder: funder.clone(), amount });
		} else if !Self::divert(task, &ledger.owner, funder, amount) {
			Self::give_back(task, &ledger.owner, amount)?;
		}
		refunding.left = refunding.left.saturating_sub(amount);
		refunding.waiting = refunding.waiting.saturating_sub(contribution);
		if refunding.waiting.is_zero() {
			Self::give_back(task, &ledger.owner, refunding.left)?;
			Self::forget(task);
		} else {
			ledger.state = LedgerState::Refunding(refunding);
			Ledgers::<T>::insert(task, ledger);
		}
		Ok(amount)
	}

	/// Refunds contributors of closed tasks, the tasks in turn, while the meter allows.
	pub(crate) fn do_drain(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::drain_base()).is_err() {
			return;
		}
		for _ in 0..T::RefundsPerBlock::get() {
			if RefundQueueEnds::<T>::get().is_empty()
				|| meter.try_consume(T::WeightInfo::drain_step()).is_err()
			{
				break;
			}
			Self::drain_step();
		}
	}

	/// Refunds one contributor of the first task in the queue, which goes to the end of the queue
	/// if there are more.
	pub(crate) fn drain_step() {
		let Some(task) = Self::dequeue() else { return };
		// No contributor: calls were faster, and the task is done.
		let Some(funder) = Contributions::<T>::iter_key_prefix(task).next() else { return };
		if let Err(error) = with_storage_layer(|| Self::do_refund(task, &funder)) {
			log::error!(target: LOG_TARGET, "task {task}: refund to {funder:?} failed: {error:?}");
		}
		if Ledgers::<T>::contains_key(task) {
			Self::enqueue(task);
		}
	}

	/// Puts a task at the end of the refund queue.
	pub(crate) fn enqueue(task: TaskId) {
		RefundQueueEnds::<T>::mutate(|ends| {
			RefundQueue::<T>::insert(ends.tail, task);
			ends.tail = ends.tail.saturating_add(1);
		});
	}

	/// Takes the first task out of the refund queue. Leaves no storage behind with the last one.
	fn dequeue() -> Option<TaskId> {
		let mut ends = RefundQueueEnds::<T>::get();
		let task = RefundQueue::<T>::take(ends.head);
		ends.head = ends.head.saturating_add(1);
		if ends.is_empty() {
			RefundQueueEnds::<T>::kill();
		} else {
			RefundQueueEnds::<T>::put(ends);
		}
		task
	}
}
