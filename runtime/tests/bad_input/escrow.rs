//! Asking for refunds that are not due.

use dgcs_primitives::{TaskSpec, Visibility};
use dgcs_runtime::{constants::DGC, Balances, Masternodes, Runtime};
use pallet_escrow::{Call, Error};

use crate::{
	accepted, accepted_free,
	common::{
		blocks::{chain, id, key},
		spec,
	},
	owner, refused, set_balance, stranger, submit, NO_TASKS,
};

#[test]
pub fn refund() {
	chain().execute_with(|| {
		let (owner, funder, other) = (owner(), stranger(), key(1_001));
		set_balance(&id(&other), 10 * DGC);
		let task = submit(TaskSpec { visibility: Visibility::Public, ..spec() });
		let refund = |task, funder| Call::refund { task, funder: id(funder) };
		for task in NO_TASKS {
			refused(&funder, refund(task, &funder), Error::<Runtime>::UnknownTask);
		}
		for who in [&owner, &funder, &other] {
			accepted(who, pallet_tasks::Call::fund { task, amount: DGC });
			refused(who, refund(task, who), Error::<Runtime>::StillOpen);
		}
		accepted(&owner, pallet_tasks::Call::cancel { task });

		// The owner has its part at once, others theirs once each, the pot has none.
		refused(&owner, refund(task, &owner), Error::<Runtime>::NothingToRefund);
		let pot = Call::refund { task, funder: Masternodes::pot() };
		refused(&owner, pot, Error::<Runtime>::NothingToRefund);
		accepted_free(&other, refund(task, &funder));
		refused(&funder, refund(task, &funder), Error::<Runtime>::NothingToRefund);
		accepted_free(&other, refund(task, &other));
		refused(&other, refund(task, &other), Error::<Runtime>::UnknownTask);
		assert_eq!(Balances::reserved_balance(id(&owner)), 0);
	});
}
