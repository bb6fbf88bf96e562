//! Slashing, chilling, disabling.

use crate::{mock::*, Event, Offenders, Slashed, Unbonding, WeightInfo};
use frame_support::assert_ok;
use sp_runtime::Perbill;
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};

#[test]
fn equivocation_is_slashed_into_the_pot() {
	ExtBuilder::default().build_and_execute(|| {
		offend(1, 50, 0);
		let due = 1 + UNBONDING;
		assert_eq!(
			events(),
			[
				Event::Slashed {
					who: 1,
					amount: 250,
					fraction: Perbill::from_percent(50),
					session: 0
				},
				Event::Chilled { who: 1, amount: 250, due },
			]
		);
		assert_eq!(held(1), 250);
		assert_eq!(Masternodes::pot_balance(), 250);
		assert_eq!(ranked(), [2, 3, 4]);
		assert_eq!(Masternodes::unbonding(1).unwrap().amount, 250);
		// Its reporter got nothing.
		assert_eq!(Balances::free_balance(9), ENDOWMENT);
		run_to(due);
		assert_ok!(Masternodes::withdraw(RuntimeOrigin::signed(1), 1));
		assert_eq!(Balances::free_balance(1), ENDOWMENT - 250);
	});
}

#[test]
fn offender_has_no_share_of_its_own_slash() {
	ExtBuilder::default().build_and_execute(|| {
		author_blocks(1, 5);
		author_blocks(2, 1);
		offend(1, 50, 0);
		let before = [1, 2].map(Balances::free_balance);
		run_to_session(1);
		assert_eq!(Balances::free_balance(1), before[0]);
		assert_eq!(Balances::free_balance(2), before[1] + 250);
	});
}

#[test]
fn offender_is_disabled_until_it_is_out_of_the_set() {
	ExtBuilder::default().active_count(4).build_and_execute(|| {
		offend(1, 1, 0);
		assert_eq!(disabled(), [1]);
		assert_eq!(Offenders::<Test>::get().len(), 1);
		// The next session had been planned with it.
		run_to_session(1);
		assert_eq!(Session::validators(), [1, 2, 3, 4]);
		assert_eq!(disabled(), [1]);
		assert!(Offenders::<Test>::get().is_empty());
		run_to_session(2);
		assert_eq!(Session::validators(), [2, 3, 4]);
		assert!(disabled().is_empty());
	});
}

#[test]
fn unbonding_bond_is_slashed() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(1)));
		let due = Masternodes::unbonding(1).unwrap().due;
		offend(1, 20, 0);
		assert_eq!(held(1), 400);
		let unbonding = Masternodes::unbonding(1).unwrap();
		assert_eq!((unbonding.amount, unbonding.due), (400, due));
		assert_eq!(ranked(), [2, 3, 4]);
		assert_eq!(Masternodes::pot_balance(), 100);
	});
}

#[test]
fn nobody_escapes_by_leaving() {
	ExtBuilder::default().build_and_execute(|| {
		// It leaves at the very start of a session, and offends in the last it has to serve.
		run_to_session(1);
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(1)));
		let due = Masternodes::unbonding(1).unwrap().due;
		run_to_session(2);
		assert_eq!(Session::validators(), [1, 2, 3]);
		run_to(due - 1);
		assert_eq!(pallet_session::CurrentIndex::<Test>::get(), 4);
		offend(1, 100, 2);
		assert_eq!(held(1), 0);
		// From then on there is no root with which to prove anything.
		run_to(due);
		assert!(!pallet_session::historical::HistoricalSessions::<Test>::contains_key(2));
		offend(1, 100, 2);
		assert_eq!(Slashed::<Test>::iter().count(), 0);
	});
}

#[test]
fn losing_everything_leaves_nothing_to_withdraw() {
	ExtBuilder::default().build_and_execute(|| {
		offend(1, 100, 0);
		assert_eq!((held(1), Unbonding::<Test>::get(1)), (0, None));
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(2)));
		offend(2, 100, 0);
		assert_eq!((held(2), Unbonding::<Test>::get(2)), (0, None));
		assert_eq!(Masternodes::pot_balance(), 900);
		// It may start afresh.
		assert_ok!(join(2, 100));
	});
}

#[test]
fn last_masternodes_are_slashed_and_stay() {
	ExtBuilder::default().masternodes(&[(1, 500), (2, 400)]).build_and_execute(|| {
		offend(1, 50, 0);
		assert_eq!(ranked(), [2, 1]);
		assert_eq!(held(1), 250);
		offend(2, 100, 0);
		assert_eq!(ranked(), [1, 2]);
		assert_eq!(held(2), 0);
		assert!(!events().iter().any(|event| matches!(event, Event::Chilled { .. })));
		run_to_session(3);
		assert_eq!(Session::validators(), [1, 2]);
		assert_ok!(Masternodes::bond_more(RuntimeOrigin::signed(2), 300));
		assert_eq!(ranked(), [2, 1]);
	});
}

#[test]
fn who_has_nothing_at_stake_is_replaced() {
	ExtBuilder::default().masternodes(&[(1, 500), (2, 400)]).build_and_execute(|| {
		offend(1, 100, 0);
		run_to_session(2);
		assert_eq!(Session::validators(), [2, 1]);
		assert_ok!(join(5, 100));
		run_to_session(4);
		assert_eq!(Session::validators(), [2, 5]);
		assert_eq!(ranked(), [2, 5, 1]);
		assert_ok!(Masternodes::bond_more(RuntimeOrigin::signed(1), 100));
		run_to_session(6);
		assert_eq!(Session::validators(), [2, 5, 1]);
	});
}

#[test]
fn highest_fraction_of_a_session_counts() {
	ExtBuilder::default().build_and_execute(|| {
		offend(1, 10, 0);
		assert_eq!(held(1), 450);
		// The same again, as when two machines run with the same keys.
		offend(1, 10, 0);
		offend(1, 5, 0);
		assert_eq!(held(1), 450);
		// More offenders were found: the fraction rises, for the earlier ones too.
		let offenders: Vec<_> =
			[1, 2].map(|who| OffenceDetails { offender: (who, who), reporters: Vec::new() }).into();
		let fractions = [Perbill::from_percent(40); 2];
		let weight = Masternodes::on_offence(&offenders, &fractions, 0);
		assert_eq!(weight, <() as WeightInfo>::punish().saturating_mul(2));
		assert_eq!((held(1), held(2)), (300, 240));
		let record = Slashed::<Test>::get(0, 1).unwrap();
		assert_eq!((record.base, record.taken), (500, 200));
		// Another session is another matter.
		run_to_session(1);
		offend(1, 10, 1);
		assert_eq!(held(1), 270);
		run_to_session(4);
		assert_eq!(Slashed::<Test>::iter_keys().count(), 0);
	});
}

#[test]
fn no_fraction_no_punishment() {
	ExtBuilder::default().build_and_execute(|| {
		offend(1, 0, 0);
		assert_eq!(ranked(), [1, 2, 3, 4]);
		assert!(disabled().is_empty() && events().is_empty());
	});
}

#[test]
fn offences_of_strangers_and_of_long_ago_are_ignored() {
	ExtBuilder::default().build_and_execute(|| {
		offend(9, 100, 0);
		run_to_session(3);
		offend(1, 100, 0);
		assert_eq!((held(1), Balances::free_balance(9)), (500, ENDOWMENT));
		assert_eq!(Slashed::<Test>::iter().count(), 0);
		offend(1, 100, 1);
		assert_eq!(held(1), 0);
	});
}
