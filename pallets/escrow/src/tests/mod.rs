//! Tests by what is done with the money.

#![allow(clippy::unwrap_used, missing_docs)]

mod closing;
mod conservation;
mod deposits;
mod payments;
mod refunds;

use dgcs_primitives::{Escrow as EscrowTrait, Payout, Sums, TaskId};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::DispatchError;

use crate::{mock::*, *};

/// The pallet, as the other pallets see it.
type Money = Escrow;

fn open(task: TaskId, owner: u64, amount: Balance) {
	assert_ok!(Money::open(task, &owner, amount, Payout::Pps));
}

fn open_pplns(task: TaskId, owner: u64, amount: Balance, window: u32) {
	assert_ok!(Money::open(task, &owner, amount, Payout::Pplns { window }));
}

fn add(task: TaskId, funder: u64, amount: Balance) -> DispatchResult {
	Money::add(task, &funder, amount)
}

fn pay(
	task: TaskId,
	reward: Balance,
	credits: &[(u64, u32)],
) -> Result<Vec<(u64, Balance)>, DispatchError> {
	Money::pay(task, reward, credits)
}

fn close(task: TaskId) -> Sums<Balance> {
	Money::close(task).unwrap()
}

/// Nothing of any task is left in the storage or on hold.
fn assert_nothing_left() {
	assert_eq!(Ledgers::<Test>::iter().count(), 0);
	assert_eq!(Contributions::<Test>::iter().count(), 0);
	assert_eq!(Windows::<Test>::iter().count(), 0);
	assert_eq!(RefundQueue::<Test>::iter().count(), 0);
	assert!(!RefundQueueEnds::<Test>::exists());
	assert_eq!(pallet_balances::Holds::<Test>::iter().count(), 0);
}
