//! Who is active when.

use crate::{mock::*, ActiveCount, Error, Event};
use frame_support::{assert_noop, assert_ok, traits::KeyOwnerProofSystem};
use pallet_session::{historical::HistoricalSessions, SessionManager};
use sp_core::crypto::key_types::DUMMY;
use sp_runtime::{testing::UintAuthorityId, DispatchError, RuntimeAppPublic};

#[test]
fn highest_bonds_are_active_two_sessions_later() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(join(5, 600));
		run_to_session(1);
		assert_eq!(Session::validators(), [1, 2, 3]);
		run_to_session(2);
		assert_eq!(Session::validators(), [5, 1, 2]);
		assert_ok!(Masternodes::bond_more(RuntimeOrigin::signed(4), 1_000));
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(1)));
		run_to_session(4);
		assert_eq!(Session::validators(), [4, 5, 2]);
	});
}

#[test]
fn active_count_can_be_set_by_the_admin() {
	ExtBuilder::default().build_and_execute(|| {
		let set = |count| Masternodes::set_active_count(RuntimeOrigin::root(), count);
		assert_noop!(
			Masternodes::set_active_count(RuntimeOrigin::signed(1), 4),
			DispatchError::BadOrigin
		);
		for count in [0, MIN_ACTIVE - 1, 5, u32::MAX] {
			assert_noop!(set(count), Error::<Test>::CountOutOfRange);
		}
		assert_ok!(set(4));
		assert_eq!(events(), [Event::ActiveCountSet { count: 4 }]);
		run_to_session(2);
		assert_eq!(Session::validators(), [1, 2, 3, 4]);
		assert_ok!(set(2));
		run_to_session(4);
		assert_eq!(Session::validators(), [1, 2]);
	});
}

#[test]
fn more_seats_than_candidates_is_fine() {
	ExtBuilder::default().active_count(4).build_and_execute(|| {
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(1)));
		run_to_session(2);
		assert_eq!(Session::validators(), [2, 3, 4]);
		assert_eq!(ActiveCount::<Test>::get(), 4);
	});
}

#[test]
fn who_removes_its_keys_takes_no_seat() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Session::purge_keys(RuntimeOrigin::signed(1)));
		run_to_session(2);
		assert_eq!(Session::validators(), [2, 3, 4]);
		set_session_keys(1);
		run_to_session(4);
		assert_eq!(Session::validators(), [1, 2, 3]);
	});
}

#[test]
fn set_stays_when_nobody_has_keys() {
	ExtBuilder::default().build_and_execute(|| {
		for who in 1..=4 {
			assert_ok!(Session::purge_keys(RuntimeOrigin::signed(who)));
		}
		assert_eq!(<Masternodes as SessionManager<u64>>::new_session(7), None);
	});
}

#[test]
fn historical_roots_are_kept_as_long_as_offences_can_be_reported() {
	ExtBuilder::default().build_and_execute(|| {
		let known = || (0..=9).filter(|s| HistoricalSessions::<Test>::contains_key(s));
		run_to_session(2);
		assert_eq!(known().collect::<Vec<_>>(), [0, 1, 2, 3]);
		run_to_session(5);
		assert_eq!(known().collect::<Vec<_>>(), [3, 4, 5, 6]);
	});
}

#[test]
fn historical_root_covers_new_keys_of_an_unchanged_set() {
	ExtBuilder::default().build_and_execute(|| {
		run_to_session(1);
		let before = HistoricalSessions::<Test>::get(2);
		let keys = Keys { dummy: UintAuthorityId(99) };
		assert_ok!(<Session as pallet_session::SessionInterface>::set_keys(&1, keys));
		run_to_session(2);
		assert_ne!(HistoricalSessions::<Test>::get(3), before);
	});
}

#[test]
fn key_owner_is_proven_until_reports_are_too_late() {
	ExtBuilder::default().build_and_execute(|| {
		let key = (DUMMY, UintAuthorityId(1).to_raw_vec());
		run_to_session(2);
		let proof = Historical::prove(key.clone()).unwrap();
		assert_ok!(Masternodes::leave(RuntimeOrigin::signed(1)));
		let owner = || Historical::check_proof(key.clone(), proof.clone());
		assert_eq!(owner(), Some((1, 1)));
		run_to_session(4);
		assert_eq!(owner(), Some((1, 1)));
		run_to_session(5);
		assert_eq!(owner(), None);
	});
}
