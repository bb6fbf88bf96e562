use super::*;
use crate::weights::WeightInfo as _;
use frame_support::{
	dispatch::{Pays, PostDispatchInfo},
	traits::{fungible::Mutate as _, tokens::Preservation::Expendable},
	weights::Weight,
};
use sp_runtime::{traits::BadOrigin, DispatchErrorWithPostInfo, Perbill};

fn refund(funder: u64) -> Result<PostDispatchInfo, DispatchErrorWithPostInfo<PostDispatchInfo>> {
	Escrow::refund(RuntimeOrigin::signed(EVE), TASK, funder)
}

/// A task of 1000 from its owner, 500 from Carol and 101 from Dave, with 300 paid.
fn closed() {
	open(TASK, ALICE, 1_000);
	assert_ok!(add(TASK, CAROL, 500));
	assert_ok!(add(TASK, DAVE, 101));
	assert_ok!(pay(TASK, 100, &[(W1, 3)]));
	close(TASK);
	events();
}

#[test]
fn anyone_may_trigger_a_refund_and_pays_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		closed();
		// 1286 * 500 / 1601 = 401.6…
		assert_eq!(refund(CAROL).unwrap().pays_fee, Pays::No);
		assert_eq!(free(CAROL), ENDOWMENT - 500 + 401);
		assert_eq!(Escrow::held(TASK), 482 - 401);
		assert_eq!(Escrow::contribution(TASK, CAROL), 0);
		assert_eq!(events(), [Event::Refunded { task: TASK, funder: CAROL, amount: 401 }]);
		Escrow::do_try_state().unwrap();

		// 1286 * 101 / 1601 = 81.1…; the last one: nothing was lost to rounding.
		assert_eq!(refund(DAVE).unwrap().pays_fee, Pays::No);
		assert_eq!(free(DAVE), ENDOWMENT - 101 + 81);
		assert_eq!(
			events(),
			[
				Event::Refunded { task: TASK, funder: DAVE, amount: 81 },
				Event::Emptied { task: TASK },
			]
		);
		assert_eq!(on_hold(ALICE), 0);
		// The queue still has the task; that does no harm.
		idle_until_drained();
		assert_eq!(events(), []);
		assert_nothing_left();
	});
}

#[test]
fn refund_fails_when_it_must() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(refund(CAROL), Error::<Test>::UnknownTask);
		open(TASK, ALICE, 1_000);
		assert_ok!(add(TASK, CAROL, 500));
		assert_ok!(add(TASK, DAVE, 500));
		assert_noop!(refund(CAROL), Error::<Test>::StillOpen);
		close(TASK);
		assert_noop!(Escrow::refund(RuntimeOrigin::none(), TASK, CAROL), BadOrigin);
		// Neither the owner nor a stranger is a contributor.
		assert_noop!(refund(ALICE), Error::<Test>::NothingToRefund);
		assert_noop!(refund(EVE), Error::<Test>::NothingToRefund);
		assert_ok!(refund(CAROL));
		// Nobody is refunded twice.
		assert_noop!(refund(CAROL), Error::<Test>::NothingToRefund);
		assert_ok!(refund(DAVE));
		assert_noop!(refund(DAVE), Error::<Test>::UnknownTask);
	});
}

#[test]
fn what_rounding_left_goes_to_the_owner() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 100);
		assert_ok!(add(TASK, CAROL, 100));
		assert_ok!(add(TASK, DAVE, 100));
		assert_ok!(pay(TASK, 215, &[(W1, 1)]));
		// 74 - 49 to the owner, 24 each to the others, 1 over.
		assert_eq!(close(TASK), Sums { paid: 215, masternodes: 11, refunded: 74 });
		assert_eq!((free(ALICE), on_hold(ALICE)), (ENDOWMENT - 100 + 25, 49));
		assert_ok!(refund(CAROL));
		assert_ok!(refund(DAVE));
		assert_eq!(free(CAROL), ENDOWMENT - 100 + 24);
		assert_eq!(free(DAVE), ENDOWMENT - 100 + 24);
		assert_eq!((free(ALICE), on_hold(ALICE)), (ENDOWMENT - 100 + 26, 0));
	});
}

#[test]
fn refund_of_nothing_costs_its_fee() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 100_000);
		assert_ok!(add(TASK, CAROL, 100));
		assert_ok!(pay(TASK, 100_000, &[(W1, 1)]));
		assert_eq!(close(TASK), Sums { paid: 100_000, masternodes: 100, refunded: 0 });
		assert_eq!(on_hold(ALICE), 0);
		assert_eq!(refund(CAROL).unwrap().pays_fee, Pays::Yes);
		idle_until_drained();
		assert_nothing_left();
	});
}

#[test]
fn refund_that_can_not_be_received_goes_to_the_pot() {
	let test = |pot: Balance| {
		ExtBuilder::default().endow(POT, pot).build_and_execute(|| {
			MasternodeShare::set(Perbill::zero());
			open(TASK, ALICE, 1_000);
			assert_ok!(add(TASK, CAROL, 100));
			assert_ok!(pay(TASK, 1_000, &[(W1, 1)]));
			// Carol leaves for good.
			assert_ok!(Balances::transfer(&CAROL, &DAVE, free(CAROL), Expendable));
			// 100 * 100 / 1100 = 9.0…, just below the existential deposit.
			assert_eq!(close(TASK), Sums { paid: 1_000, masternodes: 0, refunded: 100 });
			let owner = free(ALICE);
			events();
			assert_eq!(refund(CAROL).unwrap().pays_fee, Pays::No);
			let to_pot = pot > 0;
			assert_eq!(
				events()[0],
				Event::Unpayable { task: TASK, account: CAROL, amount: 9, to_pot }
			);
			let expected = if to_pot { (pot + 9, owner) } else { (0, owner + 9) };
			assert_eq!((free(POT), free(ALICE)), expected);
			assert_eq!(free(CAROL), 0);
			idle_until_drained();
			assert_nothing_left();
		});
	};
	test(ED);
	test(0);
}

#[test]
fn refund_revives_a_dead_account_if_it_is_enough() {
	ExtBuilder::default().build_and_execute(|| {
		closed();
		assert_ok!(Balances::transfer(&CAROL, &DAVE, free(CAROL), Expendable));
		assert_ok!(refund(CAROL));
		assert_eq!(free(CAROL), 401);
	});
}

#[test]
fn idle_blocks_refund_everybody() {
	ExtBuilder::default().build_and_execute(|| {
		closed();
		idle(Weight::MAX);
		assert_eq!(free(CAROL), ENDOWMENT - 500 + 401);
		assert_eq!(free(DAVE), ENDOWMENT - 101 + 81);
		assert_nothing_left();
	});
}

#[test]
fn idle_blocks_stay_within_their_limits() {
	ExtBuilder::default().build_and_execute(|| {
		open(TASK, ALICE, 1_000);
		let funders = 1_000..1_010;
		for funder in funders.clone() {
			assert_ok!(Balances::transfer(&BOB, &funder, 200, Expendable));
			assert_ok!(add(TASK, funder, 100));
		}
		close(TASK);
		let refunded = || funders.clone().filter(|funder| free(*funder) == 200).count();
		let (base, step) = (<()>::drain_base(), <()>::drain_step());

		// Not even a look.
		assert_eq!(idle(base - Weight::from_parts(1, 0)), Weight::zero());
		assert_eq!(idle(base), base);
		assert_eq!(idle(base + step - Weight::from_parts(1, 0)), base);
		assert_eq!(refunded(), 0);
		// As many as the meter allows.
		assert_eq!(idle(base + step * 2), base + step * 2);
		assert_eq!(refunded(), 2);
		// As many as the runtime allows, and the rest later.
		assert_eq!(idle(Weight::MAX), base + step * u64::from(REFUNDS_PER_BLOCK));
		assert_eq!(refunded(), 6);
		assert_eq!(idle(Weight::MAX), base + step * u64::from(REFUNDS_PER_BLOCK));
		assert_eq!(refunded(), 10);
		assert_nothing_left();
		assert_eq!(idle(Weight::MAX), base);
	});
}

#[test]
fn a_long_list_delays_nobody_else() {
	ExtBuilder::default().build_and_execute(|| {
		open(TaskId(1), ALICE, 1_000);
		for funder in 1_000..1_050 {
			assert_ok!(Balances::transfer(&BOB, &funder, 200, Expendable));
			assert_ok!(add(TaskId(1), funder, 100));
		}
		open(TaskId(2), ALICE, 1_000);
		assert_ok!(add(TaskId(2), CAROL, 100));
		close(TaskId(1));
		close(TaskId(2));
		idle(Weight::MAX);
		assert_eq!(free(CAROL), ENDOWMENT);
		assert_eq!(Ledgers::<Test>::get(TaskId(2)), None);
		assert!(Ledgers::<Test>::contains_key(TaskId(1)));
	});
}
