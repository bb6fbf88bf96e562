use super::*;

#[test]
fn close_without_contributors_settles_at_once() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_ok!(pay(TASK, 100, &[(W1, 3)]));
		events();
		assert_eq!(close(TASK), Sums { paid: 300, masternodes: 15, refunded: 685 });
		assert_eq!((free(ALICE), on_hold(ALICE)), (ENDOWMENT - 315, 0));
		assert_eq!(free(POT), ED + 15);
		assert_eq!(
			events(),
			[
				Event::Closed { task: TASK, paid: 300, masternodes: 15, refunded: 685 },
				Event::Refunded { task: TASK, funder: ALICE, amount: 685 },
				Event::Emptied { task: TASK },
			]
		);
		assert_eq!((Escrow::ledger(TASK), Escrow::held(TASK)), (None, 0));
		assert_nothing_left();
	});
}

#[test]
fn close_drops_the_window() {
	ExtBuilder::default().build_and_execute(|| {
		open_pplns(TASK, ALICE, 1_000, 8);
		assert_ok!(pay(TASK, 100, &[(W1, 3), (W2, 3)]));
		close(TASK);
		assert_nothing_left();
	});
}

#[test]
fn close_gives_the_owner_its_part_and_queues_the_contributors() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_ok!(add(TASK, CAROL, 500));
		assert_ok!(add(TASK, DAVE, 101));
		assert_ok!(pay(TASK, 100, &[(W1, 3)]));
		events();
		// 1601 - 300 - 15 = 1286 remain, of which 1286 * 601 / 1601 = 482.7… is the others'.
		assert_eq!(close(TASK), Sums { paid: 300, masternodes: 15, refunded: 1_286 });
		assert_eq!((free(ALICE), on_hold(ALICE)), (ENDOWMENT - 1_000 + 804, 482));
		assert_eq!(
			events(),
			[
				Event::Closed { task: TASK, paid: 300, masternodes: 15, refunded: 1_286 },
				Event::Refunded { task: TASK, funder: ALICE, amount: 804 },
			]
		);
		let ledger = Escrow::ledger(TASK).unwrap();
		let refunding = Refunding { remainder: 1_286, left: 482, waiting: 601 };
		assert_eq!(ledger.state, LedgerState::Refunding(refunding));
		assert_eq!((Escrow::held(TASK), ledger.spendable()), (482, 0));
		assert_eq!(RefundQueue::<Test>::get(0), Some(TASK));
	});
}

#[test]
fn close_fails_when_it_must() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(Money::close(TASK), Error::<Test>::UnknownTask);
		open(TASK, ALICE, 1_000);
		assert_ok!(add(TASK, CAROL, 500));
		close(TASK);
		assert_noop!(Money::close(TASK), Error::<Test>::Closing);
		idle_until_drained();
		assert_noop!(Money::close(TASK), Error::<Test>::UnknownTask);
	});
}

#[test]
fn share_that_the_pot_can_not_receive_goes_back() {
	ExtBuilder::default().endow(POT, 0).build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_ok!(pay(TASK, 100, &[(W1, 1)]));
		events();
		assert_eq!(close(TASK), Sums { paid: 100, masternodes: 0, refunded: 900 });
		assert_eq!(
			events()[0],
			Event::Unpayable { task: TASK, account: POT, amount: 5, to_pot: false }
		);
		assert_nothing_left();
	});
}

#[test]
fn owner_that_can_not_receive_does_not_block_the_end() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		assert_ok!(pay(TASK, 947, &[(W1, 1)]));
		// Something else keeps the account alive, so that it can be drained below the
		// existential deposit.
		System::inc_providers(&ALICE);
		let everything = free(ALICE);
		assert_ok!(Balances::transfer_allow_death(RuntimeOrigin::signed(ALICE), BOB, everything));
		events();
		assert_eq!(close(TASK), Sums { paid: 947, masternodes: 48, refunded: 5 });
		assert_eq!(free(POT), ED + 53);
		assert_eq!(
			events()[1..],
			[
				Event::Unpayable { task: TASK, account: ALICE, amount: 5, to_pot: true },
				Event::Emptied { task: TASK },
			]
		);
		assert_nothing_left();
	});
}
