//! What masternodes earn.

use crate::{mock::*, pot::share, Authored, Event};
use frame_support::assert_ok;

fn free(who: AccountId) -> Balance {
	Balances::free_balance(who)
}

#[test]
fn pot_is_divided_by_authored_blocks() {
	ExtBuilder::default().build_and_execute(|| {
		let before = [free(1), free(2), free(3)];
		pay_fee(9, 100);
		author_blocks(1, 5);
		author_blocks(2, 2);
		assert_eq!(Authored::<Test>::get(1), 5);
		events();
		run_to_session(1);
		// 100 * 5 / 7, 100 * 2 / 7, rounded down.
		assert_eq!([free(1), free(2), free(3)], [before[0] + 71, before[1] + 28, before[2]]);
		assert_eq!(Masternodes::pot_balance(), 1);
		assert_eq!(Authored::<Test>::iter().count(), 0);
		let mut events = events();
		assert_eq!(events.pop(), Some(Event::RewardsPaid { session: 0, total: 99 }));
		assert_eq!(events.len(), 2);
		assert!(events.contains(&Event::Rewarded { who: 1, amount: 71, authored: 5 }));
		assert!(events.contains(&Event::Rewarded { who: 2, amount: 28, authored: 2 }));
		// What is left and what comes is divided at the next end.
		pay_fee(9, 9);
		author_blocks(3, 1);
		run_to_session(2);
		assert_eq!(free(3), before[2] + 10);
		assert_eq!(free(Masternodes::pot()), EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn pot_waits_when_nobody_authored() {
	ExtBuilder::default().build_and_execute(|| {
		pay_fee(9, 100);
		events();
		run_to_session(1);
		assert_eq!(Masternodes::pot_balance(), 100);
		assert!(events().is_empty());
	});
}

#[test]
fn smallest_fee_is_not_lost() {
	ExtBuilder::default().build_and_execute(|| {
		pay_fee(9, 1);
		assert_eq!(Masternodes::pot_balance(), 1);
		author_blocks(1, 1);
		author_blocks(2, 1);
		run_to_session(1);
		assert_eq!(Masternodes::pot_balance(), 1);
	});
}

#[test]
fn author_without_an_account_is_not_paid_dust() {
	ExtBuilder::default().build_and_execute(|| {
		pay_fee(9, EXISTENTIAL_DEPOSIT - 1);
		author_blocks(77, 1);
		run_to_session(1);
		assert_eq!(Masternodes::pot_balance(), EXISTENTIAL_DEPOSIT - 1);
		assert_eq!(free(77), 0);
	});
}

#[test]
fn transfers_to_the_pot_are_divided_too() {
	ExtBuilder::default().build_and_execute(|| {
		let pot = Masternodes::pot();
		assert_ok!(Balances::transfer_keep_alive(RuntimeOrigin::signed(9), pot, 50));
		author_blocks(1, 1);
		let before = free(1);
		run_to_session(1);
		assert_eq!(free(1), before + 50);
	});
}

#[test]
fn share_is_exact() {
	assert_eq!(share(100u128, 5, 7), 71);
	assert_eq!(share(100u128, 7, 7), 100);
	assert_eq!(share(u128::MAX, u32::MAX, u32::MAX), u128::MAX);
	assert_eq!(share(u128::MAX, 1, 2), u128::MAX / 2);
	assert_eq!(share(100u128, 0, 0), 0);
	assert_eq!(share(0u128, 1, 2), 0);
}
