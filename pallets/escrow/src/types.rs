//! The ledger of a task, and its arithmetic.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use dgcs_primitives::{Payout, MAX_PPLNS_WINDOW};
use frame_support::{
	traits::{fungible::Inspect, ConstU32},
	BoundedVec,
};
use scale_info::TypeInfo;
use sp_runtime::{traits::AtLeast32BitUnsigned, Perbill, Rounding};

use crate::Config;

/// The balance type of the runtime's money.
pub type BalanceOf<T> =
	<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

/// The ledger of a task in the runtime.
pub type LedgerOf<T> = Ledger<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

/// What each payee got at a verdict, by account.
pub type PaymentsOf<T> = Vec<(<T as frame_system::Config>::AccountId, BalanceOf<T>)>;

/// The last credits of a task, the oldest first: who, and how many results.
pub type Window<AccountId> = BoundedVec<(AccountId, u32), ConstU32<MAX_PPLNS_WINDOW>>;

/// The money of one task.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Ledger<AccountId, Balance> {
	/// Whose task it is. All that the task holds is on hold on this account.
	pub owner: AccountId,
	/// How rewards are shared.
	pub payout: Payout,
	/// What the masternodes get of every reward, on top of it.
	pub rate: Perbill,
	/// All that was ever paid in.
	pub deposited: Balance,
	/// The part of it that is not the owner's: the sum of all contributions.
	pub others: Balance,
	/// What the payees got.
	pub paid: Balance,
	/// What went to the pot because a payee could not receive it.
	pub diverted: Balance,
	/// What the masternodes have earned. On hold while the task is open, in the pot afterwards.
	pub shares: Balance,
	/// Whether the task is open.
	pub state: LedgerState<Balance>,
}

/// Where a ledger stands.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum LedgerState<Balance> {
	/// Money may be added and paid.
	Open,
	/// The task is closed, and contributors wait for their part.
	Refunding(Refunding<Balance>),
}

/// The refunds of a closed task.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Refunding<Balance> {
	/// What was left when the task was closed, the owner's part included.
	pub remainder: Balance,
	/// What is still on hold.
	pub left: Balance,
	/// The sum of the contributions that are not refunded yet.
	pub waiting: Balance,
}

impl<AccountId, Balance: AtLeast32BitUnsigned + Copy> Ledger<AccountId, Balance> {
	/// The ledger of a new task.
	pub fn new(owner: AccountId, payout: Payout, rate: Perbill, deposited: Balance) -> Self {
		Self {
			owner,
			payout,
			rate,
			deposited,
			others: Balance::zero(),
			paid: Balance::zero(),
			diverted: Balance::zero(),
			shares: Balance::zero(),
			state: LedgerState::Open,
		}
	}

	/// Whether money may be added and paid.
	pub fn is_open(&self) -> bool {
		matches!(self.state, LedgerState::Open)
	}

	/// What is on hold for the task.
	pub fn held(&self) -> Balance {
		match &self.state {
			LedgerState::Open => {
				self.deposited.saturating_sub(self.paid).saturating_sub(self.diverted)
			},
			LedgerState::Refunding(refunding) => refunding.left,
		}
	}

	/// What may still be paid for results: all that an open task holds, except for what the
	/// masternodes have earned.
	pub fn spendable(&self) -> Balance {
		match &self.state {
			LedgerState::Open => self.held().saturating_sub(self.shares),
			LedgerState::Refunding(_) => Balance::zero(),
		}
	}

	/// Notes that `paid` went to payees and `diverted` to the pot, together no more than
	/// [`Self::spendable`], and what the masternodes have earned by it. Their share is that of
	/// everything paid so far, rounded up once; it never shrinks and is never more than is held.
	pub fn spend(&mut self, paid: Balance, diverted: Balance) {
		self.paid = self.paid.saturating_add(paid);
		self.diverted = self.diverted.saturating_add(diverted);
		let earned = self.rate.mul_ceil(self.paid).min(self.held());
		self.shares = self.shares.max(earned);
	}

	/// The part of `remainder` that somebody gets who has `contribution` in the task.
	pub fn part(&self, remainder: Balance, contribution: Balance) -> Balance {
		part(remainder, contribution, self.deposited)
	}
}

/// `amount * numerator / denominator`, rounded down, without overflow between. The fraction must
/// not be above 1.
pub fn part<Balance: AtLeast32BitUnsigned>(
	amount: Balance,
	numerator: Balance,
	denominator: Balance,
) -> Balance {
	// Nothing is a part of nothing: `None` is a denominator of zero.
	amount.multiply_rational(numerator, denominator, Rounding::Down).unwrap_or_else(Balance::zero)
}

/// The first place of the refund queue that is taken, and the first after it that is free.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct QueueEnds {
	/// The first place that is taken, unless the queue is empty.
	pub head: u64,
	/// The first free place.
	pub tail: u64,
}

impl QueueEnds {
	/// Whether nothing is queued.
	pub fn is_empty(&self) -> bool {
		self.head >= self.tail
	}
}
