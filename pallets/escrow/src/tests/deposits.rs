use super::*;
use frame_support::traits::fungible::MutateFreeze as _;
use sp_runtime::{Perbill, TokenError};

#[test]
fn open_holds_the_price_on_the_owners_account() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 5_000);
		assert_eq!((free(ALICE), on_hold(ALICE)), (ENDOWMENT - 5_000, 5_000));
		assert_eq!(Escrow::held(TASK), 5_000);
		let ledger = Escrow::ledger(TASK).unwrap();
		assert_eq!(ledger, Ledger::new(ALICE, Payout::Pps, Perbill::from_percent(5), 5_000));
		assert_eq!(events(), [Event::Opened { task: TASK, owner: ALICE, amount: 5_000 }]);
	});
}

#[test]
fn tasks_of_one_owner_are_kept_apart() {
	ExtBuilder::default().build_and_execute(|| {
		open(TaskId(1), ALICE, 5_000);
		open(TaskId(2), ALICE, 300);
		assert_eq!(on_hold(ALICE), 5_300);
		// The other task's money is no help.
		assert_noop!(pay(TaskId(2), 301, &[(W1, 1)]), Error::<Test>::Insufficient);
		assert_ok!(pay(TaskId(2), 200, &[(W1, 1)]));
		assert_eq!((Escrow::held(TaskId(1)), Escrow::held(TaskId(2))), (5_000, 100));
	});
}

#[test]
fn open_fails_when_it_must() {
	ExtBuilder::default().build_and_execute(|| {
		let open = |amount, payout| Money::open(TASK, &ALICE, amount, payout);
		assert_noop!(open(0, Payout::Pps), Error::<Test>::ZeroAmount);
		assert_noop!(open(10, Payout::Pplns { window: 0 }), Error::<Test>::BadWindow);
		assert_noop!(open(10, Payout::Pplns { window: 33 }), Error::<Test>::BadWindow);
		// The account must stay alive, so that it can be refunded.
		assert_noop!(open(ENDOWMENT - ED + 1, Payout::Pps), TokenError::FundsUnavailable);
		assert_noop!(Money::open(TASK, &W1, 10, Payout::Pps), TokenError::FundsUnavailable);
		assert_ok!(open(ENDOWMENT - ED, Payout::Pps));
		assert_noop!(open(10, Payout::Pps), Error::<Test>::AlreadyOpen);
		assert_noop!(Money::open(TASK, &BOB, 10, Payout::Pps), Error::<Test>::AlreadyOpen);
	});
}

#[test]
fn frozen_money_does_not_come_in() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Balances::set_freeze(&[0; 8], &ALICE, ENDOWMENT - 1_000));
		assert_noop!(Money::open(TASK, &ALICE, 1_001, Payout::Pps), TokenError::FundsUnavailable);
		open(TASK, ALICE, 1_000);
	});
}

#[test]
fn owner_adds_by_holding_more() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		// No minimum: it needs no storage.
		assert_ok!(add(TASK, ALICE, 1));
		assert_eq!(on_hold(ALICE), 1_001);
		let ledger = Escrow::ledger(TASK).unwrap();
		assert_eq!((ledger.deposited, ledger.others), (1_001, 0));
		assert_eq!(Contributions::<Test>::iter().count(), 0);
		assert_eq!(events().last(), Some(&Event::Added { task: TASK, funder: ALICE, amount: 1 }));
		assert_noop!(add(TASK, ALICE, ENDOWMENT), TokenError::FundsUnavailable);
	});
}

#[test]
fn contributors_money_moves_to_the_owners_hold() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_ok!(add(TASK, CAROL, 500));
		assert_ok!(add(TASK, DAVE, MIN_CONTRIBUTION));
		// More on top of a contribution needs no new storage, so no minimum.
		assert_ok!(add(TASK, CAROL, 1));
		assert_eq!((free(ALICE), on_hold(ALICE)), (ENDOWMENT - 1_000, 1_601));
		assert_eq!(free(CAROL), ENDOWMENT - 501);
		assert_eq!(Escrow::contribution(TASK, CAROL), 501);
		assert_eq!(Escrow::contribution(TASK, DAVE), 100);
		assert_eq!(Escrow::contribution(TASK, ALICE), 0);
		let ledger = Escrow::ledger(TASK).unwrap();
		assert_eq!((ledger.deposited, ledger.others), (1_601, 601));
	});
}

#[test]
fn add_fails_when_it_must() {
	ExtBuilder::default().endow(EVE, 500).build_and_execute(|| {
		assert_noop!(add(TASK, CAROL, 500), Error::<Test>::UnknownTask);
		open(TASK, ALICE, 1_000);
		assert_noop!(add(TASK, CAROL, 0), Error::<Test>::ZeroAmount);
		assert_noop!(add(TASK, ALICE, 0), Error::<Test>::ZeroAmount);
		assert_noop!(add(TASK, CAROL, MIN_CONTRIBUTION - 1), Error::<Test>::BelowMinimum);
		assert_noop!(add(TASK, EVE, 491), TokenError::FundsUnavailable);
		// Alice could not receive that much, but what matters is that Eve does not have it.
		let most = Balance::MAX - 1_000;
		assert_noop!(add(TASK, EVE, most), TokenError::FundsUnavailable);
		assert_noop!(add(TASK, EVE, Balance::MAX), sp_runtime::ArithmeticError::Overflow);
		assert_ok!(add(TASK, EVE, 490));
		close(TASK);
		assert_noop!(add(TASK, CAROL, 500), Error::<Test>::Closing);
		assert_noop!(add(TASK, ALICE, 500), Error::<Test>::Closing);
	});
}
