//! What is always true of this pallet's storage.

use alloc::collections::{BTreeMap, BTreeSet};
use dgcs_primitives::{Payout, TaskId};
use frame_support::{ensure, traits::fungible::InspectHold as _};
use sp_runtime::{
	traits::{CheckedAdd, Saturating, Zero},
	TryRuntimeError,
};

use crate::{
	BalanceOf, Config, Contributions, HoldReason, LedgerOf, LedgerState, Ledgers, Pallet,
	RefundQueue, RefundQueueEnds, Windows,
};

impl<T: Config> Pallet<T> {
	/// Checks that no unit is lost or made, and that nothing is left of what is done:
	///
	/// - held + paid + masternodes + refunded = deposited, for every task;
	/// - what an owner's ledgers hold adds up to its balance on hold;
	/// - a ledger's contributions add up, none is empty, and none is an orphan;
	/// - every closed task with contributors is queued, and the queue has no gap.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let mut holds = BTreeMap::<T::AccountId, BalanceOf<T>>::new();
		let queued = Self::try_state_queue()?;
		for (task, ledger) in Ledgers::<T>::iter() {
			let hold = holds.entry(ledger.owner.clone()).or_default();
			*hold = hold.checked_add(&ledger.held()).ok_or("holds overflow")?;
			Self::try_state_ledger(task, &ledger)?;
			ensure!(ledger.is_open() || queued.contains(&task), "closed task is not queued");
		}
		for (owner, hold) in holds {
			let on_hold = T::Currency::balance_on_hold(&HoldReason::Task.into(), &owner);
			ensure!(hold == on_hold, "an owner's ledgers differ from its balance on hold");
		}
		for (task, _) in Windows::<T>::iter() {
			let ledger = Ledgers::<T>::get(task).ok_or("window without a ledger")?;
			let pplns = matches!(ledger.payout, Payout::Pplns { .. });
			ensure!(pplns && ledger.is_open(), "window that nobody needs");
		}
		for (task, funder, contribution) in Contributions::<T>::iter() {
			let ledger = Ledgers::<T>::get(task).ok_or("contribution without a ledger")?;
			ensure!(funder != ledger.owner, "the owner is no contributor");
			ensure!(!contribution.is_zero(), "contribution of nothing");
		}
		Ok(())
	}

	fn try_state_ledger(task: TaskId, ledger: &LedgerOf<T>) -> Result<(), TryRuntimeError> {
		let spent = ledger
			.paid
			.checked_add(&ledger.diverted)
			.and_then(|sum| sum.checked_add(&ledger.shares))
			.ok_or("ledger overflows")?;
		let contributions = Contributions::<T>::iter_prefix(task).map(|(_, amount)| amount);
		let zero = BalanceOf::<T>::zero();
		let (waiting, parts) = contributions.fold((zero, zero), |(waiting, parts), amount| {
			let part = match &ledger.state {
				LedgerState::Open => zero,
				LedgerState::Refunding(refunding) => ledger.part(refunding.remainder, amount),
			};
			(waiting.saturating_add(amount), parts.saturating_add(part))
		});
		ensure!(ledger.others < ledger.deposited, "the owner paid nothing in");
		match &ledger.state {
			LedgerState::Open => {
				ensure!(spent <= ledger.deposited, "more spent than deposited");
				ensure!(waiting == ledger.others, "contributions don't add up");
			},
			LedgerState::Refunding(refunding) => {
				let sum = spent.checked_add(&refunding.remainder).ok_or("ledger overflows")?;
				ensure!(sum == ledger.deposited, "money was lost or made");
				ensure!(refunding.left <= refunding.remainder, "more left than remained");
				ensure!(parts <= refunding.left, "not enough left for the contributors");
				ensure!(waiting == refunding.waiting, "waiting contributions don't add up");
				ensure!(!waiting.is_zero(), "emptied ledger was not deleted");
			},
		}
		Ok(())
	}

	/// The tasks in the queue.
	fn try_state_queue() -> Result<BTreeSet<TaskId>, TryRuntimeError> {
		let ends = RefundQueueEnds::<T>::get();
		let mut tasks = BTreeSet::new();
		let mut places = 0u64;
		for (place, task) in RefundQueue::<T>::iter() {
			ensure!((ends.head..ends.tail).contains(&place), "entry outside of the queue");
			ensure!(tasks.insert(task), "task is queued twice");
			places = places.saturating_add(1);
		}
		ensure!(places == ends.tail.saturating_sub(ends.head), "gap in the queue");
		ensure!(RefundQueueEnds::<T>::exists() != ends.is_empty(), "empty queue left its ends");
		Ok(tasks)
	}
}
