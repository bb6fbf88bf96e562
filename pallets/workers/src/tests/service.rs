//! What the other pallets and the views see.

use dgcs_primitives::{
	api::{Standing, WorkerView},
	Conduct, Kinds, Offer, Refusal, Workers as _,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::Permill;

use crate::mock::*;

#[test]
fn offer_says_what_is_free() {
	ExtBuilder::default().worker(1, 3).build_and_execute(|| {
		assert_ok!(Workers::occupy(&1));
		let mut offer =
			Offer { operator: 101, kinds: Kinds(1), memory_mib: 512, room: 5, proven: false };
		assert_eq!(Workers::offer(&1), Ok(offer.clone()));
		(0..PROVEN).for_each(|_| rate(1, Conduct::Agreed));
		offer.proven = true;
		assert_eq!(Workers::offer(&1), Ok(offer));
	});
}

#[test]
fn proven_ends_with_the_first_bad_result() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		(0..300).for_each(|_| rate(1, Conduct::Agreed));
		rate(1, Conduct::Dissented);
		assert!(!Workers::offer(&1).unwrap().proven);
	});
}

#[test]
fn offer_and_occupy_refuse_with_the_reason() {
	ExtBuilder::default().worker(1, 1).worker(2, 1).build_and_execute(|| {
		let refused = |worker, refusal| {
			assert_eq!(Workers::offer(&worker), Err(refusal));
			assert_noop!(Workers::occupy(&worker), refusal);
			assert_eq!(Workers::can_work(worker), Err(refusal));
		};
		refused(3, Refusal::NotRegistered);
		rate(1, Conduct::Dissented);
		refused(1, Refusal::Suspended);
		assert_ok!(Workers::leave(RuntimeOrigin::signed(2)));
		refused(2, Refusal::Leaving);
		rate(1, Conduct::Dissented);
		refused(1, Refusal::Blacklisted);
		// Also when nothing but the tombstone is left.
		assert_ok!(Workers::leave(RuntimeOrigin::signed(1)));
		advance(UNBONDING);
		assert_ok!(Workers::withdraw(RuntimeOrigin::signed(1), 1));
		refused(1, Refusal::Blacklisted);
	});
}

#[test]
fn slots_have_leases_to_compute_and_to_go_on_with() {
	ExtBuilder::default().worker(1, 2).build_and_execute(|| {
		for _ in 0..2 * LEASES_PER_SLOT {
			assert_ok!(Workers::can_work(1));
			assert_ok!(Workers::occupy(&1));
		}
		assert_noop!(Workers::occupy(&1), Refusal::NoFreeSlot);
		assert_eq!(Workers::can_work(1), Err(Refusal::NoFreeSlot));
		Workers::vacate(&1);
		assert_ok!(Workers::can_work(1));
		// One too many changes nothing.
		(0..5).for_each(|_| Workers::vacate(&1));
		assert_eq!(record(1).busy, 0);
		// Nor does anything that names a stranger.
		Workers::vacate(&4);
		Workers::seen(&4);
		assert_eq!(Workers::worker(4), None);
	});
}

#[test]
fn rewards_go_to_the_operator() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		assert_eq!(Workers::payee(&1), 101);
		// Whoever is gone still gets what it has earned.
		assert_eq!(Workers::payee(&4), 4);
	});
}

#[test]
fn views_show_it_all() {
	ExtBuilder::default().worker(1, 2).build_and_execute(|| {
		advance(6);
		Workers::seen(&1);
		assert_eq!(
			Workers::worker(1),
			Some(WorkerView {
				operator: 101,
				bond: 2 * BOND,
				key: key(1),
				capacity: capacity(2),
				kinds: Kinds(1),
				busy: 0,
				standing: Standing::Good,
				good_run: 0,
				wrong: Permill::one(),
				silent: Permill::one(),
				offline: Permill::one(),
				last_seen: 7,
				leaving: None,
			})
		);
		assert_eq!(Workers::bond_required(capacity(3)), 3 * BOND);
	});
}
