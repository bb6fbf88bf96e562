//! Ratings, slashes and standing.

use dgcs_primitives::{api::Standing, Conduct, Refusal, Workers as _};
use frame_support::assert_ok;
use sp_runtime::Permill;

use crate::{mock::*, Event, Fault, Reason};

fn agree(worker: AccountId, times: u32) {
	(0..times).for_each(|_| rate(worker, Conduct::Agreed));
}

#[test]
fn agreement_counts_on_every_track() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		let before = record(1).reputation;
		agree(1, 3);
		let after = record(1).reputation;
		assert_eq!(record(1).good_run, 3);
		assert!(after.wrong.weight() > before.wrong.weight());
		assert!(after.silent.weight() > before.silent.weight());
		assert!(after.offline.weight() > before.offline.weight());
		assert!(events().is_empty());
	});
}

#[test]
fn newcomers_are_suspended_at_the_first_wrong_range_and_blacklisted_at_the_second() {
	for conduct in [Conduct::Dissented, Conduct::Withheld] {
		ExtBuilder::default().worker(1, 2).build_and_execute(|| {
			rate(1, conduct);
			let fault = record(1).fault(conduct).unwrap();
			let until = 1 + SUSPENSION;
			assert_eq!(record(1).standing, Standing::Suspended { until });
			let amount = 2 * BOND / 10;
			assert_eq!(
				events(),
				[
					Event::Faulted { worker: 1, fault, score: Permill::from_parts(655_172) },
					Event::Slashed { worker: 1, amount, fault },
					Event::Suspended { worker: 1, until, reason: Reason::Score(fault) },
				]
			);
			rate(1, conduct);
			assert_eq!(record(1).standing, Standing::Blacklisted);
			assert_eq!(held(1), 2 * BOND - 2 * amount);
			assert_eq!(
				events(),
				[
					Event::Faulted { worker: 1, fault, score: Permill::from_parts(480_692) },
					Event::Slashed { worker: 1, amount, fault },
					Event::Blacklisted { worker: 1 },
				]
			);
		});
	}
}

#[test]
fn blacklisted_workers_are_slashed_for_what_they_did_before() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		// All of it, and not a unit more.
		(0..20).for_each(|_| rate(1, Conduct::Dissented));
		assert_eq!((held(1), record(1).bond), (0, 0));
		assert_eq!(SlashedTotal::get(), BOND);
		assert_eq!(events().iter().filter(|e| matches!(e, Event::Blacklisted { .. })).count(), 1);
		assert_eq!(record(1).standing, Standing::Blacklisted);
	});
}

#[test]
fn slashing_works_while_leaving() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		assert_ok!(Workers::leave(RuntimeOrigin::signed(1)));
		rate(1, Conduct::Withheld);
		assert_eq!(held(1), BOND - BOND / 10);
	});
}

#[test]
fn a_long_record_bears_some_wrong_results() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		agree(1, 300);
		for _ in 0..5 {
			rate(1, Conduct::Dissented);
			assert_eq!((record(1).standing, record(1).good_run), (Standing::Good, 0));
		}
		rate(1, Conduct::Dissented);
		assert!(matches!(record(1).standing, Standing::Suspended { .. }));
	});
}

#[test]
fn too_small_a_bond_suspends_until_it_is_replenished() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		agree(1, 300);
		// Good results in between keep the score up; the bond shrinks all the same.
		for _ in 0..5 {
			rate(1, Conduct::Dissented);
			agree(1, 40);
		}
		assert_eq!((held(1), record(1).standing), (BOND / 2, Standing::Good));
		events();
		rate(1, Conduct::Dissented);
		let now = System::block_number();
		assert_eq!(record(1).standing, Standing::Suspended { until: now });
		assert_eq!(
			events().last(),
			Some(&Event::Suspended { worker: 1, until: now, reason: Reason::Bond })
		);
		assert_ok!(Workers::replenish(RuntimeOrigin::signed(1)));
		assert_ok!(Workers::resume(RuntimeOrigin::signed(1)));
		assert_eq!(record(1).standing, Standing::Good);
	});
}

#[test]
fn lapses_are_silent_if_the_worker_was_seen_since() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		agree(1, 1);
		advance(9);
		Workers::seen(&1);
		rate(1, Conduct::Lapsed { since: 10 });
		assert_eq!(record(1).good_run, 0);
		assert_eq!(held(1), BOND - BOND / 100);
		assert!(matches!(
			events()[..],
			[
				Event::Faulted { fault: Fault::Silent, .. },
				Event::Slashed { amount: 10, fault: Fault::Silent, .. }
			]
		));
	});
}

#[test]
fn lapses_are_offline_if_it_was_not() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		agree(1, 1);
		rate(1, Conduct::Lapsed { since: 2 });
		// It says nothing about its results.
		assert_eq!(record(1).good_run, 1);
		assert_eq!(held(1), BOND - BOND / 200);
		assert!(matches!(
			events()[..],
			[
				Event::Faulted { fault: Fault::Offline, .. },
				Event::Slashed { amount: 5, fault: Fault::Offline, .. }
			]
		));
	});
}

/// A machine with many slots that loses power is one machine that lost power once.
#[test]
fn one_outage_is_one_failure_however_many_leases_it_cost() {
	ExtBuilder::default().worker(1, 8).build_and_execute(|| {
		rate(1, Conduct::Lapsed { since: 2 });
		let score = record(1).reputation.offline;
		(0..7).for_each(|_| rate(1, Conduct::Lapsed { since: 2 }));
		assert_eq!(record(1).reputation.offline, score);
		assert_eq!(record(1).standing, Standing::Good);
		// Every lease costs, by the bond of its slot.
		assert_eq!(held(1), 8 * BOND - 8 * BOND / 200);
		// Back, and away again: that is another.
		Workers::seen(&1);
		rate(1, Conduct::Lapsed { since: 2 });
		assert!(record(1).reputation.offline.score() < score.score());
	});
}

#[test]
fn silent_and_offline_suspend_and_never_blacklist() {
	for (since, first) in [(1, 3), (2, 7)] {
		ExtBuilder::default().worker(1, 1).build_and_execute(|| {
			for failure in 1..=60 {
				rate(1, Conduct::Lapsed { since });
				Workers::seen(&1);
				let suspended = matches!(record(1).standing, Standing::Suspended { .. });
				assert_eq!(suspended, failure >= first);
			}
		});
	}
}

#[test]
fn a_failure_during_a_suspension_prolongs_it() {
	ExtBuilder::default().worker(1, 1).build_and_execute(|| {
		(0..3).for_each(|_| rate(1, Conduct::Lapsed { since: 0 }));
		assert_eq!(record(1).standing, Standing::Suspended { until: 1 + SUSPENSION });
		advance(10);
		events();
		rate(1, Conduct::Lapsed { since: 0 });
		let until = 11 + SUSPENSION;
		assert_eq!(record(1).standing, Standing::Suspended { until });
		let reason = Reason::Score(Fault::Silent);
		assert_eq!(events().last(), Some(&Event::Suspended { worker: 1, until, reason }));
	});
}

#[test]
fn strangers_are_not_rated() {
	ExtBuilder::default().build_and_execute(|| {
		rate(1, Conduct::Agreed);
		rate(1, Conduct::Dissented);
		assert_eq!(crate::Workers::<Test>::iter().count(), 0);
		assert!(events().is_empty());
		assert_eq!(Workers::can_work(1), Err(Refusal::NotRegistered));
	});
}
