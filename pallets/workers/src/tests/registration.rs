//! Coming, changing, coming back and going.

use dgcs_primitives::{
	api::{Capacity, Standing},
	Conduct, Kinds, Workers as _,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

use crate::{mock::*, Error, Event, Former};

fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}

#[test]
fn register_works() {
	ExtBuilder::default().build_and_execute(|| {
		advance(4);
		assert_ok!(Workers::register(signed(1), 7, key(3), capacity(2), Kinds(5)));
		let worker = record(1);
		assert_eq!((worker.operator, worker.key, worker.kinds), (7, key(3), Kinds(5)));
		assert_eq!((worker.bond, held(1), worker.last_seen), (2 * BOND, 2 * BOND, 5));
		assert_eq!((worker.standing, worker.good_run), (Standing::Good, 0));
		assert_eq!(
			events(),
			[Event::Registered {
				worker: 1,
				operator: 7,
				capacity: capacity(2),
				kinds: Kinds(5),
				bond: 2 * BOND
			}]
		);
	});
}

#[test]
fn register_refuses_what_makes_no_sense() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		let try_it = |key, capacity, kinds| Workers::register(signed(2), 7, key, capacity, kinds);
		assert_noop!(try_it(key(0), capacity(1), Kinds(1)), Error::<Test>::DegenerateKey);
		for slots in [0, MAX_SLOTS + 1, u16::MAX] {
			assert_noop!(try_it(key(1), capacity(slots), Kinds(1)), Error::<Test>::InvalidSlots);
		}
		let no_memory = Capacity { slots: 1, memory_mib: 0 };
		assert_noop!(try_it(key(1), no_memory, Kinds(1)), Error::<Test>::InvalidMemory);
		for kinds in [0, 8, 255] {
			assert_noop!(try_it(key(1), capacity(1), Kinds(kinds)), Error::<Test>::InvalidKinds);
		}
		assert_noop!(register(1, 1), Error::<Test>::AlreadyRegistered);
		assert_noop!(register(POOR, 1), TokenError::FundsUnavailable);
		assert_noop!(
			Workers::register(RuntimeOrigin::root(), 7, key(1), capacity(1), Kinds(1)),
			DispatchError::BadOrigin
		);
		assert_ok!(register(2, MAX_SLOTS));
	});
}

#[test]
fn calls_refuse_strangers() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(resize(1, 1), Error::<Test>::NotRegistered);
		assert_noop!(Workers::replenish(signed(1)), Error::<Test>::NotRegistered);
		assert_noop!(Workers::resume(signed(1)), Error::<Test>::NotRegistered);
		assert_noop!(Workers::leave(signed(1)), Error::<Test>::NotRegistered);
		assert_noop!(Workers::withdraw(signed(1), 1), Error::<Test>::NotRegistered);
	});
}

#[test]
fn update_to_more_slots_holds_more() {
	ExtBuilder::default().worker(1, 2).build_and_execute(|| {
		assert_ok!(Workers::update(signed(1), 8, key(9), capacity(5), Kinds(3)));
		let worker = record(1);
		assert_eq!((worker.operator, worker.key, worker.kinds), (8, key(9), Kinds(3)));
		assert_eq!((worker.capacity.slots, held(1)), (5, 5 * BOND));
		assert_eq!(
			events(),
			[Event::Updated {
				worker: 1,
				operator: 8,
				capacity: capacity(5),
				kinds: Kinds(3),
				bond: 5 * BOND
			}]
		);
		assert_noop!(resize(1, MAX_SLOTS + 1), Error::<Test>::InvalidSlots);
	});
}

#[test]
fn update_to_fewer_slots_releases_after_the_unbonding_period() {
	ExtBuilder::default().worker(1, 4).build_and_execute(|| {
		assert_ok!(resize(1, 1));
		assert_eq!((held(1), record(1).capacity.slots), (4 * BOND, 1));
		assert_eq!(record(1).former, Some(Former { slots: 4, until: 1 + UNBONDING }));
		advance(UNBONDING - 1);
		assert_noop!(Workers::withdraw(signed(2), 1), Error::<Test>::NotDue);
		advance(1);
		events();
		// Anyone may.
		assert_ok!(Workers::withdraw(signed(2), 1));
		assert_eq!((held(1), record(1).former), (BOND, None));
		assert_eq!(events(), [Event::Released { worker: 1, amount: 3 * BOND }]);
		assert_noop!(Workers::withdraw(signed(2), 1), Error::<Test>::NothingToWithdraw);
	});
}

/// The attack: commit wrong results on many slots, then shrink before the verdicts.
#[test]
fn shrinking_does_not_escape_slashes() {
	ExtBuilder::default().worker(1, 4).build_and_execute(|| {
		assert_ok!(resize(1, 1));
		rate(1, Conduct::Dissented);
		assert_eq!(held(1), 4 * BOND - 4 * BOND / 10);
		// Growing back and shrinking again begins the period anew.
		advance(UNBONDING - 1);
		assert_ok!(resize(1, 3));
		assert_ok!(resize(1, 2));
		let due = System::block_number() + UNBONDING;
		assert_eq!(record(1).former, Some(Former { slots: 4, until: due }));
		assert_ok!(resize(1, 4));
		assert_eq!((record(1).former, held(1)), (None, 4 * BOND));
	});
}

#[test]
fn update_refuses_fewer_slots_than_leases_need() {
	ExtBuilder::default().worker(1, 3).build_and_execute(|| {
		for _ in 0..=LEASES_PER_SLOT {
			assert_ok!(Workers::occupy(&1));
		}
		assert_noop!(resize(1, 1), Error::<Test>::Busy);
		assert_ok!(resize(1, 2));
	});
}

#[test]
fn replenish_refills_after_slashes() {
	ExtBuilder::default().worker(1, 2).build_and_execute(|| {
		assert_noop!(Workers::replenish(signed(1)), Error::<Test>::BondComplete);
		rate(1, Conduct::Dissented);
		let slashed = 2 * BOND / 10;
		events();
		assert_ok!(Workers::replenish(signed(1)));
		assert_eq!((held(1), record(1).bond), (2 * BOND, 2 * BOND));
		assert_eq!(events(), [Event::Replenished { worker: 1, amount: slashed }]);
	});
}

#[test]
fn resume_is_the_way_back_from_suspension() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		assert_noop!(Workers::resume(signed(1)), Error::<Test>::InGoodStanding);
		rate(1, Conduct::Dissented);
		let score = record(1).reputation.wrong;
		assert_noop!(Workers::resume(signed(1)), Error::<Test>::StillSuspended);
		advance(SUSPENSION);
		assert_noop!(Workers::resume(signed(1)), Error::<Test>::BondIncomplete);
		assert_ok!(Workers::replenish(signed(1)));
		events();
		assert_ok!(Workers::resume(signed(1)));
		assert_eq!(record(1).standing, Standing::Good);
		assert_eq!(events(), [Event::Resumed { worker: 1 }]);
		// The score is kept: the next failure blacklists.
		assert_eq!(record(1).reputation.wrong, score);
		rate(1, Conduct::Dissented);
		assert_eq!(record(1).standing, Standing::Blacklisted);
		assert_noop!(Workers::resume(signed(1)), Error::<Test>::Blacklisted);
	});
}

#[test]
fn leave_and_withdraw_give_the_bond_back() {
	ExtBuilder::default().worker(1, 2).build_and_execute(|| {
		assert_noop!(Workers::withdraw(signed(1), 1), Error::<Test>::NothingToWithdraw);
		assert_ok!(Workers::leave(signed(1)));
		let due = 1 + UNBONDING;
		assert_eq!(events(), [Event::Leaving { worker: 1, due }]);
		assert_noop!(Workers::leave(signed(1)), Error::<Test>::Leaving);
		assert_noop!(resize(1, 3), Error::<Test>::Leaving);
		advance(UNBONDING - 1);
		assert_noop!(Workers::withdraw(signed(1), 1), Error::<Test>::NotDue);
		advance(1);
		assert_ok!(Workers::withdraw(signed(2), 1));
		assert_eq!(events(), [Event::Left { worker: 1, released: 2 * BOND }]);
		assert_eq!((held(1), Workers::worker(1)), (0, None));
		assert_eq!(Balances::free_balance(1), RICHES);
		// And may come again, as a newcomer.
		assert_ok!(register(1, 1));
		assert_eq!(record(1).good_run, 0);
	});
}

/// The attack: leave with leases in hand, commit something wrong late, and be gone at once.
#[test]
fn the_bond_of_a_leaving_worker_outlasts_its_last_vote() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		assert_ok!(Workers::occupy(&1));
		assert_ok!(Workers::leave(signed(1)));
		advance(UNBONDING);
		assert_noop!(Workers::withdraw(signed(1), 1), Error::<Test>::Busy);
		events();
		Workers::vacate(&1);
		let due = System::block_number() + UNBONDING;
		assert_eq!(events(), [Event::Leaving { worker: 1, due }]);
		assert_noop!(Workers::withdraw(signed(1), 1), Error::<Test>::NotDue);
		rate(1, Conduct::Dissented);
		advance(UNBONDING);
		assert_ok!(Workers::withdraw(signed(1), 1));
		assert_eq!(Balances::free_balance(1), RICHES - BOND / 10);
	});
}

#[test]
fn resume_cancels_leaving() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		assert_ok!(Workers::leave(signed(1)));
		assert_ok!(Workers::resume(signed(1)));
		assert_eq!(record(1).leaving, None);
		assert_ok!(Workers::can_work(1));
		// But is no way round a suspension.
		rate(1, Conduct::Dissented);
		assert_ok!(Workers::leave(signed(1)));
		assert_noop!(Workers::resume(signed(1)), Error::<Test>::StillSuspended);
	});
}

#[test]
fn blacklisted_workers_get_the_rest_of_their_bond_and_never_return() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		rate(1, Conduct::Dissented);
		rate(1, Conduct::Dissented);
		assert_noop!(register(1, 1), Error::<Test>::Blacklisted);
		assert_noop!(resize(1, 2), Error::<Test>::Blacklisted);
		assert_noop!(Workers::replenish(signed(1)), Error::<Test>::Blacklisted);
		assert_ok!(Workers::leave(signed(1)));
		advance(UNBONDING);
		assert_ok!(Workers::withdraw(signed(2), 1));
		assert_eq!(Balances::free_balance(1), RICHES - 2 * BOND / 10);
		assert_noop!(register(1, 1), Error::<Test>::Blacklisted);
		assert_eq!(crate::Blacklist::<Test>::get(1), Some(1));
		// Another account may, and starts untrusted.
		assert_ok!(register(2, 1));
	});
}
