//! What a chain starts with.

use crate::mock::*;
use frame_support::traits::Get;

#[test]
fn genesis_works() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(ranked(), [1, 2, 3, 4]);
		assert_eq!(Session::validators(), [1, 2, 3]);
		assert_eq!((held(1), held(4)), (500, 200));
		assert_eq!(Balances::free_balance(Masternodes::pot()), EXISTENTIAL_DEPOSIT);
		assert_eq!(System::providers(&Masternodes::pot()), 2);
		assert_eq!(crate::PotAccount::<Test>::get(), Masternodes::pot());
		assert_eq!(Masternodes::pot_balance(), 0);
	});
}

#[test]
fn one_masternode_makes_a_chain() {
	ExtBuilder::default().masternodes(&[(7, 100)]).build_and_execute(|| {
		run_to_session(3);
		assert_eq!(Session::validators(), [7]);
	});
}

#[test]
#[should_panic = "named twice"]
fn genesis_fails_when_one_is_named_twice() {
	ExtBuilder::default().masternodes(&[(1, 100), (1, 200)]).build();
}

#[test]
#[should_panic = "too small"]
fn genesis_fails_with_a_small_bond() {
	ExtBuilder::default().masternodes(&[(1, MIN_BOND - 1)]).build();
}

#[test]
#[should_panic = "activeCount must be from 2 to 4"]
fn genesis_fails_with_a_bad_active_count() {
	ExtBuilder::default().active_count(5).build();
}
