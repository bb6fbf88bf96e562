//! The arithmetic of the tracks: tables of what the README claims, and properties.

use proptest::prelude::*;
use sp_runtime::{traits::Saturating, FixedPointNumber, FixedU64};

use crate::reputation::{Judgement, Judgement::*, Track, TrackRules, OFFLINE, SILENT, WRONG};

/// Rounding of FixedU64, added up over a long history.
const TOLERANCE: f64 = 1e-6;

/// A worker whose past successes weigh as much as they can.
fn established(rules: &TrackRules) -> Track {
	let mut track = Track::new(rules);
	(0..2_000).for_each(|_| track.succeed(rules));
	track
}

/// How many failures in a row it takes until `judgement`.
fn failures_until(mut track: Track, rules: &TrackRules, judgement: Judgement) -> Option<u32> {
	(1..=100).find(|_| track.fail(rules) == judgement)
}

#[test]
fn tracks_condemn_after_the_failures_that_the_readme_names() {
	for (rules, newcomer, old, judgement) in [
		(&WRONG, Some(1), Some(6), Suspend),
		(&WRONG, Some(2), Some(14), Blacklist),
		(&SILENT, Some(3), Some(10), Suspend),
		(&SILENT, None, None, Blacklist),
		(&OFFLINE, Some(7), Some(26), Suspend),
		(&OFFLINE, None, None, Blacklist),
	] {
		assert_eq!(failures_until(Track::new(rules), rules, judgement), newcomer);
		assert_eq!(failures_until(established(rules), rules, judgement), old);
	}
}

#[test]
fn newcomers_scores_are_as_computed_by_hand() {
	let mut track = Track::new(&WRONG);
	assert_eq!(track.score(), FixedU64::from_u32(1));
	assert_eq!(track.fail(&WRONG), Suspend);
	// 1.9 / 2.9, then 1.805 / 3.755.
	assert_eq!(track.score(), FixedU64::saturating_from_rational(19, 29));
	assert_eq!(track.fail(&WRONG), Blacklist);
	assert_eq!(track.score(), FixedU64::saturating_from_rational(1_805, 3_755));
}

#[test]
fn good_results_after_the_first_wrong_one_restore_trust() {
	// How many of them there must be before another failure no longer suspends a newcomer.
	let needed = (0..100).find(|successes| {
		let mut track = Track::new(&WRONG);
		track.fail(&WRONG);
		(0..*successes).for_each(|_| track.succeed(&WRONG));
		track.fail(&WRONG) == Tolerated
	});
	assert_eq!(needed, Some(5));
	// One is enough not to be blacklisted.
	let mut track = Track::new(&WRONG);
	track.fail(&WRONG);
	track.succeed(&WRONG);
	assert_eq!(track.fail(&WRONG), Suspend);
}

fn any_rules() -> impl Strategy<Value = TrackRules> {
	prop_oneof![Just(WRONG), Just(SILENT), Just(OFFLINE)]
}

fn play(history: &[bool], rules: &TrackRules) -> Track {
	let mut track = Track::new(rules);
	for good in history {
		if *good {
			track.succeed(rules);
		} else {
			track.fail(rules);
		}
	}
	track
}

proptest! {
	#[test]
	fn scores_are_shares_and_memory_is_bounded(
		rules in any_rules(),
		history in prop::collection::vec(any::<bool>(), 0..400),
	) {
		let track = play(&history, &rules);
		prop_assert!(track.score() <= FixedU64::from_u32(1));
		let most = 1.0 / (1.0 - rules.lambda.to_float());
		prop_assert!(track.weight().to_float() <= most + TOLERANCE);
	}

	#[test]
	fn a_success_never_lowers_and_a_failure_never_raises(
		rules in any_rules(),
		history in prop::collection::vec(any::<bool>(), 0..400),
	) {
		let rounding = FixedU64::from_inner(10);
		let track = play(&history, &rules);
		let (mut better, mut worse) = (track, track);
		better.succeed(&rules);
		worse.fail(&rules);
		prop_assert!(better.score().saturating_add(rounding) >= track.score());
		prop_assert!(worse.score() <= track.score().saturating_add(rounding));
	}

	/// One failure turned into a success, anywhere in a history, never makes it look worse.
	#[test]
	fn a_better_history_has_no_lower_score(
		rules in any_rules(),
		mut history in prop::collection::vec(any::<bool>(), 1..200),
		place in any::<prop::sample::Index>(),
	) {
		let place = place.index(history.len());
		history[place] = false;
		let worse = play(&history, &rules).score();
		history[place] = true;
		let better = play(&history, &rules).score();
		prop_assert!(better.saturating_add(FixedU64::from_inner(1_000)) >= worse);
	}

	/// `n` successes, then `m` failures, against the closed form.
	#[test]
	fn tracks_follow_the_closed_form(rules in any_rules(), n in 0i32..300, m in 0i32..300) {
		let mut history = vec![true; n as usize];
		history.resize((n + m) as usize, false);
		let lambda = rules.lambda.to_float();
		let limit = 1.0 / (1.0 - lambda);
		let (after_n, after_m) = (lambda.powi(n), lambda.powi(m));
		let alpha = after_m * (after_n * rules.start_alpha.to_float() + limit * (1.0 - after_n));
		let beta = limit * (1.0 - after_m);
		let score = play(&history, &rules).score().to_float();
		prop_assert!((score - alpha / (alpha + beta)).abs() < TOLERANCE);
	}
}
