//! Joining, leaving, outbidding, withdrawing.

use crate::{mock::*, Candidates, Error, Event, Ranking, Unbonding, UnbondingBond};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

#[test]
fn join_works() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(join(5, 350));
		assert_eq!(ranked(), [1, 2, 5, 3, 4]);
		assert_eq!(held(5), 350);
		let candidate = Candidates::<Test>::get(5).unwrap();
		assert_eq!((candidate.bond, candidate.key), (350, key(5)));
		assert_eq!(events(), [Event::Joined { who: 5, bond: 350 }]);
	});
}

#[test]
fn earlier_ranks_first_among_equals() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(join(5, 300));
		assert_eq!(ranked(), [1, 2, 3, 5, 4]);
		assert_ok!(Masternodes::bond_more(RuntimeOrigin::signed(4), 100));
		assert_eq!(ranked(), [1, 2, 3, 5, 4]);
		assert_ok!(Masternodes::bond_more(RuntimeOrigin::signed(4), 1));
		assert_eq!(ranked(), [1, 2, 4, 3, 5]);
	});
}

#[test]
fn join_fails_without_session_keys() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(join(12, 350), Error::<Test>::NoSessionKeys);
		set_session_keys(12);
		assert_ok!(join(12, 350));
	});
}

#[test]
fn join_fails_when_it_must() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(join(5, MIN_BOND - 1), Error::<Test>::BondTooSmall);
		assert_noop!(join(1, 350), Error::<Test>::AlreadyCandidate);
		assert_noop!(join(5, ENDOWMENT), TokenError::FundsUnavailable);
		assert_noop!(
			Masternodes::join(RuntimeOrigin::none(), 350, key(5), address("a")),
			DispatchError::BadOrigin
		);
		assert_ok!(join(5, MIN_BOND));
	});
}

#[test]
fn key_and_address_are_checked() {
	ExtBuilder::default().build_and_execute(|| {
		let origin = || RuntimeOrigin::signed(5);
		assert_noop!(
			Masternodes::join(origin(), 350, key(0), address("a")),
			Error::<Test>::InvalidKey
		);
		for text in ["", "with space", "new\nline", "zero\0", "caf\u{e9}", "\u{202e}moc.elpmaxe"] {
			assert_noop!(
				Masternodes::join(origin(), 350, key(5), address(text)),
				Error::<Test>::InvalidAddress
			);
			assert_noop!(
				Masternodes::update(RuntimeOrigin::signed(1), key(5), address(text)),
				Error::<Test>::InvalidAddress
			);
		}
		assert_ok!(Masternodes::join(origin(), 350, key(5), address(&"a".repeat(128))));
	});
}

#[test]
fn full_ranking_has_to_be_outbid() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(join(5, 150));
		assert_ok!(join(6, 150));
		assert_noop!(join(7, 150), Error::<Test>::Outranked);
		events();
		assert_ok!(join(7, 151));
		// The later of the two lowest makes room.
		assert_eq!(ranked(), [1, 2, 3, 4, 7, 5]);
		let due = 1 + UNBONDING;
		assert_eq!(
			events(),
			[
				Event::Outbid { who: 6, by: 7, amount: 150, due },
				Event::Joined { who: 7, bond: 151 },
			]
		);
		assert_eq!(Unbonding::<Test>::get(6), Some(UnbondingBond { amount: 150, due }));
		assert_eq!(held(6), 150);
		assert_noop!(join(6, 500), Error::<Test>::StillUnbonding);
	});
}

#[test]
fn outbidding_without_the_money_changes_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(join(5, 150));
		assert_ok!(join(6, 150));
		assert_noop!(join(7, 2 * ENDOWMENT), TokenError::FundsUnavailable);
		assert_eq!(ranked(), [1, 2, 3, 4, 5, 6]);
	});
}

#[test]
fn bond_more_works() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Masternodes::bond_more(RuntimeOrigin::signed(4), 1_000));
		assert_eq!(ranked(), [4, 1, 2, 3]);
		assert_eq!(held(4), 1_200);
		assert_eq!(events(), [Event::BondRaised { who: 4, bond: 1_200 }]);
	});
}

#[test]
fn bond_more_fails_when_it_must() {
	ExtBuilder::default().build_and_execute(|| {
		let bond_more = |who, amount| Masternodes::bond_more(RuntimeOrigin::signed(who), amount);
		assert_noop!(bond_more(5, 100), Error::<Test>::NotCandidate);
		assert_noop!(bond_more(1, 0), Error::<Test>::NothingToBond);
		assert_noop!(bond_more(1, ENDOWMENT), TokenError::FundsUnavailable);
		assert_noop!(bond_more(1, u128::MAX), sp_runtime::ArithmeticError::Overflow);
	});
}

#[test]
fn update_works() {
	ExtBuilder::default().build_and_execute(|| {
		let new = || (key(77), address("https://new.example"));
		let update = |who| Masternodes::update(RuntimeOrigin::signed(who), new().0, new().1);
		assert_noop!(update(5), Error::<Test>::NotCandidate);
		assert_ok!(update(1));
		let candidate = Candidates::<Test>::get(1).unwrap();
		assert_eq!((candidate.key, candidate.address, candidate.bond), (new().0, new().1, 500));
		assert_eq!(events(), [Event::Updated { who: 1 }]);
	});
}

#[test]
fn leave_and_withdraw_work() {
	ExtBuilder::default().build_and_execute(|| {
		let due = 1 + UNBONDING;
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(3)));
		assert_eq!(ranked(), [1, 2, 4]);
		assert_eq!(events(), [Event::Left { who: 3, amount: 300, due }]);
		assert_eq!(Masternodes::unbonding(3), Some(UnbondingBond { amount: 300, due }));
		assert_noop!(Masternodes::leave(RuntimeOrigin::signed(3)), Error::<Test>::NotCandidate);
		assert_noop!(join(3, 300), Error::<Test>::StillUnbonding);

		run_to(due - 1);
		let withdraw = || Masternodes::withdraw(RuntimeOrigin::signed(9), 3);
		assert_noop!(withdraw(), Error::<Test>::NotDue);
		run_to(due);
		events();
		assert_ok!(withdraw());
		assert_eq!(held(3), 0);
		assert_eq!(Balances::free_balance(3), ENDOWMENT);
		assert_eq!(events(), [Event::Withdrawn { who: 3, amount: 300 }]);
		assert_noop!(withdraw(), Error::<Test>::NotUnbonding);
		assert_ok!(join(3, 300));
	});
}

#[test]
fn leave_fails_when_too_few_would_be_left() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(1)));
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(2)));
		assert_noop!(Masternodes::leave(RuntimeOrigin::signed(3)), Error::<Test>::TooFewLeft);
		assert_ok!(join(5, 100));
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(3)));
		assert_eq!(Ranking::<Test>::get().len() as u32, MIN_ACTIVE);
	});
}

#[test]
fn bond_cannot_be_spent() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(join(5, ENDOWMENT - EXISTENTIAL_DEPOSIT));
		assert_noop!(
			Balances::transfer_allow_death(RuntimeOrigin::signed(5), 6, EXISTENTIAL_DEPOSIT),
			TokenError::Frozen
		);
	});
}

#[test]
fn views_show_what_is_there() {
	ExtBuilder::default().build_and_execute(|| {
		author_blocks(2, 3);
		let all = Masternodes::masternodes();
		let seen: Vec<_> = all.iter().map(|m| (m.account, m.bond, m.active, m.authored)).collect();
		assert_eq!(
			seen,
			[(1, 500, true, 0), (2, 400, true, 3), (3, 300, true, 0), (4, 200, false, 0)]
		);
		assert_eq!(Masternodes::candidate(1).as_ref(), all.first());
		assert_eq!(all[0].address, address("/dns/1.example/tcp/30333"));
		assert_eq!(Masternodes::candidate(5), None);
		assert_eq!(Masternodes::unbonding(1), None);
		assert_eq!(Masternodes::active_count(), 3);
	});
}
