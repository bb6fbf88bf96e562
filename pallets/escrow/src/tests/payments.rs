use super::*;
use frame_support::traits::fungible::{Inspect as _, MutateFreeze as _};
use sp_runtime::Perbill;

#[test]
fn pps_pays_each_result_at_once() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 10_000);
		events();
		let made = pay(TASK, 20, &[(W1, 3), (W2, 1), (W3, 0)]).unwrap();
		assert_eq!(made, [(W1, 60), (W2, 20)]);
		assert_eq!((free(W1), free(W2), free(W3)), (60, 20, 0));
		assert_eq!(on_hold(ALICE), 9_920);
		let ledger = Escrow::ledger(TASK).unwrap();
		assert_eq!((ledger.paid, ledger.shares, ledger.spendable()), (80, 4, 9_916));
		assert_eq!(
			events(),
			[
				Event::Paid { task: TASK, payee: W1, amount: 60 },
				Event::Paid { task: TASK, payee: W2, amount: 20 },
			]
		);
		assert_eq!(Windows::<Test>::iter().count(), 0);
	});
}

#[test]
fn credits_of_one_payee_make_one_payment() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 10_000);
		// 2 * 4 alone would be below the existential deposit.
		assert_eq!(pay(TASK, 4, &[(W1, 2), (W2, 5), (W1, 1)]).unwrap(), [(W1, 12), (W2, 20)]);
	});
}

#[test]
fn a_verdict_that_nobody_won_pays_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_eq!(pay(TASK, 20, &[]).unwrap(), []);
		assert_eq!(pay(TASK, 0, &[(W1, 3)]).unwrap(), []);
		open_pplns(TaskId(1), ALICE, 1_000, 4);
		assert_eq!(pay(TaskId(1), 20, &[(W1, 0)]).unwrap(), []);
		assert_eq!(on_hold(ALICE), 2_000);
	});
}

#[test]
fn pplns_shares_over_the_window() {
	ExtBuilder::default().build_and_execute(|| {
		open_pplns(TASK, ALICE, 10_000, 3);
		// Only W1 in the window.
		assert_eq!(pay(TASK, 100, &[(W1, 2)]).unwrap(), [(W1, 200)]);
		// 300 over 2 + 3 results.
		assert_eq!(pay(TASK, 100, &[(W2, 3)]).unwrap(), [(W1, 120), (W2, 180)]);
		// 200 over 2 + 3 + 2, rounded down; 1 stays with the task.
		let made = pay(TASK, 100, &[(W3, 2)]).unwrap();
		assert_eq!(made, [(W1, 57), (W2, 85), (W3, 57)]);
		// W1's credit is the fourth last now. A new one of W2 joins its old one.
		let made = pay(TASK, 100, &[(W2, 5)]).unwrap();
		assert_eq!(made, [(W2, 400), (W3, 100)]);
		assert_eq!(Windows::<Test>::get(TASK).into_inner(), [(W2, 3), (W3, 2), (W2, 5)]);
		let ledger = Escrow::ledger(TASK).unwrap();
		assert_eq!((ledger.paid, Escrow::held(TASK)), (1_199, 8_801));
		assert_eq!(ledger.shares, Perbill::from_percent(5).mul_ceil(1_199));
	});
}

#[test]
fn pplns_keeps_the_last_credits_of_a_large_verdict() {
	ExtBuilder::default().build_and_execute(|| {
		open_pplns(TASK, ALICE, 10_000, 2);
		assert_eq!(pay(TASK, 10, &[(W1, 2), (W2, 2), (W3, 2)]).unwrap(), [(W2, 30), (W3, 30)]);
		assert_eq!(Windows::<Test>::get(TASK).into_inner(), [(W2, 2), (W3, 2)]);
	});
}

#[test]
fn pplns_window_takes_32_credits() {
	ExtBuilder::default().build_and_execute(|| {
		open_pplns(TASK, ALICE, 500_000, 32);
		for payee in 100..150 {
			assert_ok!(pay(TASK, 1_000, &[(payee, 1)]));
		}
		let payees: Vec<_> = Windows::<Test>::get(TASK).into_iter().map(|(who, _)| who).collect();
		assert_eq!(payees, (118..150).collect::<Vec<_>>());
	});
}

#[test]
fn pay_fails_when_it_must() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(pay(TASK, 20, &[(W1, 1)]), Error::<Test>::UnknownTask);
		open(TASK, ALICE, 1_000);
		assert_noop!(pay(TASK, 1_001, &[(W1, 1)]), Error::<Test>::Insufficient);
		assert_noop!(pay(TASK, 501, &[(W1, 1), (W2, 1)]), Error::<Test>::Insufficient);
		assert_noop!(pay(TASK, Balance::MAX, &[(W1, 2)]), Error::<Test>::Insufficient);
		assert_noop!(pay(TASK, Balance::MAX, &[(W1, 1), (W2, 1)]), Error::<Test>::Insufficient);
		open_pplns(TaskId(1), ALICE, 1_000, 4);
		// The window too is as before.
		assert_noop!(pay(TaskId(1), 1_001, &[(W1, 1)]), Error::<Test>::Insufficient);
		assert_noop!(pay(TaskId(1), Balance::MAX, &[(W1, 2)]), Error::<Test>::Insufficient);
		assert_ok!(add(TASK, CAROL, 500));
		close(TASK);
		assert_noop!(pay(TASK, 20, &[(W1, 1)]), Error::<Test>::Closing);
	});
}

#[test]
fn what_the_masternodes_earned_is_not_paid_to_others() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_ok!(pay(TASK, 900, &[(W1, 1)]));
		assert_noop!(pay(TASK, 56, &[(W1, 1)]), Error::<Test>::Insufficient);
		// Their share of this last one would be more than is left: it takes nothing from nobody.
		assert_ok!(pay(TASK, 55, &[(W1, 1)]));
		let ledger = Escrow::ledger(TASK).unwrap();
		assert_eq!((ledger.paid, ledger.shares, ledger.spendable()), (955, 45, 0));
		assert_eq!(close(TASK), Sums { paid: 955, masternodes: 45, refunded: 0 });
	});
}

#[test]
fn the_share_is_rounded_up_once_however_many_verdicts() {
	ExtBuilder::default().endow(W1, ED).build_and_execute(|| {
		// The price of 100 results at 1: the share of the whole.
		open(TASK, ALICE, 105);
		for _ in 0..100 {
			assert_ok!(pay(TASK, 1, &[(W1, 1)]));
		}
		assert_eq!(close(TASK), Sums { paid: 100, masternodes: 5, refunded: 0 });
	});
}

#[test]
fn a_task_keeps_the_rate_that_it_was_opened_with() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_050);
		MasternodeShare::set(Perbill::from_percent(50));
		assert_ok!(pay(TASK, 1_000, &[(W1, 1)]));
		assert_eq!(close(TASK), Sums { paid: 1_000, masternodes: 50, refunded: 0 });
	});
}

#[test]
fn the_pot_takes_what_a_payee_can_not_receive() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		events();
		let made = pay(TASK, ED - 1, &[(W1, 1), (W2, 2)]).unwrap();
		assert_eq!(made, [(W2, 18)]);
		assert_eq!((free(W1), free(W2), free(POT)), (0, 18, ED + 9));
		assert_eq!(
			events(),
			[
				Event::Unpayable { task: TASK, account: W1, amount: 9, to_pot: true },
				Event::Paid { task: TASK, payee: W2, amount: 18 },
			]
		);
		let ledger = Escrow::ledger(TASK).unwrap();
		assert_eq!((ledger.paid, ledger.diverted, ledger.shares), (18, 9, 1));
		assert_eq!(close(TASK), Sums { paid: 18, masternodes: 10, refunded: 972 });
	});
}

#[test]
fn what_the_pot_can_not_receive_stays_with_the_task() {
	ExtBuilder::default().endow(POT, 0).build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		events();
		assert_eq!(pay(TASK, ED - 1, &[(W1, 1), (W2, 2)]).unwrap(), [(W2, 18)]);
		assert_eq!(
			events()[0],
			Event::Unpayable { task: TASK, account: W1, amount: 9, to_pot: false }
		);
		assert_eq!(Escrow::held(TASK), 982);
		assert_eq!(close(TASK), Sums { paid: 18, masternodes: 0, refunded: 982 });
		assert_eq!(free(ALICE), ENDOWMENT - 18);
		assert_nothing_left();
	});
}

#[test]
fn the_owner_can_not_withhold_a_reward() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 900_000);
		// All that it has left is spent, and the whole account frozen.
		let rest = Balances::reducible_balance(
			&ALICE,
			frame_support::traits::tokens::Preservation::Expendable,
			frame_support::traits::tokens::Fortitude::Polite,
		);
		let transfer = Balances::transfer_allow_death(RuntimeOrigin::signed(ALICE), BOB, rest);
		assert_ok!(transfer);
		assert_ok!(Balances::set_freeze(&[0; 8], &ALICE, Balance::MAX));
		assert_eq!(pay(TASK, 850_000, &[(W1, 1)]).unwrap(), [(W1, 850_000)]);
		assert_eq!(close(TASK).masternodes, 42_500);
		assert_nothing_left();
	});
}

#[test]
fn owner_and_pot_may_be_payees() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_eq!(pay(TASK, 100, &[(ALICE, 1), (POT, 2)]).unwrap(), [(ALICE, 100), (POT, 200)]);
		assert_eq!(close(TASK), Sums { paid: 300, masternodes: 15, refunded: 685 });
		assert_eq!(free(ALICE), ENDOWMENT - 215);
	});
}
