//! From answers to verdicts: pure, so that it can be tested against a plain reading of the rule.
//!
//! The rule (§4.2.1, §5.7.1.4), subtask by subtask: at least three revealed digests, and one of
//! them held by strictly more than half.

use alloc::vec::Vec;
use dgcs_primitives::{range::subtasks, Outcome, ResultDigest, Verdict, MIN_REPLICAS};

use crate::types::Answer;

/// The digest of every subtask of `open`, in order, or `None` where there is no majority yet.
/// Each answer comes with the number of workers that gave it.
pub(crate) fn tally(open: u64, answers: &[(&Answer, u32)]) -> Vec<(u8, Option<ResultDigest>)> {
	subtasks(open)
		.map(|subtask| {
			let votes = answers
				.iter()
				.filter_map(|(answer, votes)| Some((answer.digest(subtask)?, *votes)));
			(subtask, majority(votes))
		})
		.collect()
}

/// How many of the answer's digests agree with `verdicts`, and how many do not. A subtask that
/// failed counts on neither side.
pub(crate) fn score(answer: &Answer, verdicts: &[Verdict]) -> (u8, u8) {
	verdicts.iter().fold((0u8, 0u8), |(agreed, dissented), verdict| {
		match (verdict.outcome, answer.digest(verdict.subtask)) {
			(Outcome::Agreed(digest), Some(own)) if *own == digest => {
				(agreed.saturating_add(1), dissented)
			},
			(Outcome::Agreed(_), Some(_)) => (agreed, dissented.saturating_add(1)),
			_ => (agreed, dissented),
		}
	})
}

/// Boyer and Moore's majority vote: whoever has more than half of all votes is the candidate
/// that is left over, and a second pass says whether it really has.
fn majority<'a>(
	votes: impl Iterator<Item = (&'a ResultDigest, u32)> + Clone,
) -> Option<ResultDigest> {
	let mut candidate = None;
	let (mut lead, mut total) = (0u32, 0u32);
	for (digest, count) in votes.clone() {
		total = total.saturating_add(count);
		if candidate == Some(digest) {
			lead = lead.saturating_add(count);
		} else if count > lead {
			candidate = Some(digest);
			lead = count.saturating_sub(lead);
		} else {
			lead = lead.saturating_sub(count);
		}
	}
	let held = votes
		.filter(|(digest, _)| candidate == Some(*digest))
		.fold(0u32, |held, (_, count)| held.saturating_add(count));
	let decided = total >= u32::from(MIN_REPLICAS) && held > total / 2;
	candidate.copied().filter(|_| decided)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;
	use proptest::prelude::*;
	use sp_core::H256;
	use std::collections::BTreeMap;

	fn digest(n: u8) -> ResultDigest {
		ResultDigest(H256::repeat_byte(n))
	}

	fn answer(open: u64, digests: &[u8]) -> Answer {
		let digests: Vec<_> = digests.iter().copied().map(digest).collect();
		Answer { open, digests: digests.try_into().unwrap() }
	}

	/// The rule, word by word.
	fn reference(open: u64, answers: &[Answer]) -> Vec<(u8, Option<ResultDigest>)> {
		let mut verdicts = Vec::new();
		for subtask in 0..64u8 {
			if (open >> subtask) & 1 == 0 {
				continue;
			}
			let mut counts = BTreeMap::<ResultDigest, usize>::new();
			for answer in answers {
				let mut place = 0;
				for other in 0..subtask {
					place += ((answer.open >> other) & 1) as usize;
				}
				*counts.entry(answer.digests[place]).or_default() += 1;
			}
			let total: usize = counts.values().sum();
			let winner = counts.iter().find(|(_, count)| total >= 3 && 2 * **count > total);
			verdicts.push((subtask, winner.map(|(digest, _)| *digest)));
		}
		verdicts
	}

	#[test]
	fn a_digest_is_found_by_its_place_among_the_open() {
		let answer = answer(1 << 63 | 0b101, &[7, 8, 9]);
		assert_eq!(answer.digest(0), Some(&digest(7)));
		assert_eq!(answer.digest(1), None);
		assert_eq!(answer.digest(2), Some(&digest(8)));
		assert_eq!(answer.digest(63), Some(&digest(9)));
		assert_eq!(answer.digest(64), None);
		assert_eq!(answer.digest(255), None);
	}

	#[test]
	fn half_is_no_majority_and_two_are_no_quorum() {
		let (one, two) = (answer(1, &[1]), answer(1, &[2]));
		assert_eq!(tally(1, &[(&one, 2)]), [(0, None)]);
		assert_eq!(tally(1, &[(&one, 3)]), [(0, Some(digest(1)))]);
		assert_eq!(tally(1, &[(&one, 2), (&two, 2)]), [(0, None)]);
		assert_eq!(tally(1, &[(&one, 2), (&two, 3)]), [(0, Some(digest(2)))]);
		assert_eq!(tally(1, &[]), [(0, None)]);
	}

	#[test]
	fn scores_leave_out_what_failed() {
		let verdicts = [
			Verdict { subtask: 0, outcome: Outcome::Agreed(digest(1)) },
			Verdict { subtask: 1, outcome: Outcome::Failed },
			Verdict { subtask: 2, outcome: Outcome::Agreed(digest(3)) },
		];
		assert_eq!(score(&answer(0b111, &[1, 2, 4]), &verdicts), (1, 1));
		assert_eq!(score(&answer(0b100, &[3]), &verdicts), (1, 0));
	}

	prop_compose! {
		/// What is open now, and up to 15 answers to at least that, from few digests, so that
		/// majorities, ties and splits all happen.
		fn votes()(
			open in any::<u64>(),
			votes in prop::collection::vec(
				(any::<u64>(), prop::collection::vec(0u8..3, 64)),
				0..=15,
			),
		) -> (u64, Vec<Answer>) {
			let answers = votes
				.into_iter()
				.map(|(more, digests)| {
					let mask = open | more;
					answer(mask, &digests[..mask.count_ones() as usize])
				})
				.collect();
			(open, answers)
		}
	}

	proptest! {
		#[test]
		fn equals_the_plain_reading((open, answers) in votes()) {
			let each: Vec<_> = answers.iter().map(|answer| (answer, 1)).collect();
			prop_assert_eq!(tally(open, &each), reference(open, &answers));
		}

		#[test]
		fn neither_order_nor_grouping_matters(
			(open, answers) in votes(),
			turn in 0usize..15,
		) {
			let each: Vec<_> = answers.iter().map(|answer| (answer, 1)).collect();
			let verdicts = tally(open, &each);
			let mut other = each.clone();
			other.reverse();
			prop_assert_eq!(&tally(open, &other), &verdicts);
			other.rotate_left(turn.checked_rem(each.len()).unwrap_or(0));
			prop_assert_eq!(&tally(open, &other), &verdicts);
			let mut grouped: Vec<(&Answer, u32)> = Vec::new();
			for answer in &answers {
				match grouped.iter_mut().find(|(known, _)| *known == answer) {
					Some((_, count)) => *count += 1,
					None => grouped.push((answer, 1)),
				}
			}
			prop_assert_eq!(&tally(open, &grouped), &verdicts);
		}

		#[test]
		fn never_against_a_majority_never_without_a_quorum((open, answers) in votes()) {
			let each: Vec<_> = answers.iter().map(|answer| (answer, 1)).collect();
			for (subtask, winner) in tally(open, &each) {
				let held = |wanted: ResultDigest| {
					answers.iter().filter(|answer| answer.digest(subtask) == Some(&wanted)).count()
				};
				match winner {
					Some(winner) => {
						prop_assert!(answers.len() >= 3);
						prop_assert!(2 * held(winner) > answers.len());
					},
					None => prop_assert!(
						answers.len() < 3 || (0..3).all(|n| 2 * held(digest(n)) <= answers.len())
					),
				}
			}
		}
	}
}
