//! Who gets the shares of a masternode that leaves: an order that everybody reads off the chain,
//! and how many shares of one task a single masternode may come to hold.

use codec::Encode;
use dgcs_content::{keys::Sharing, TaskNonce};
use sp_core::{Blake2Hasher, Hasher, H256};

const HEIR_DOMAIN: &[u8; 16] = b"dgcs/heir/v1\0\0\0\0";

/// The heirs of `holder` for the task with `nonce`, first choice first: rendezvous hashing over
/// the `active` masternodes, those that hold no share of the task by its manifest (`holders`)
/// before those that do. Every task has another order, so that what one leaves is spread, and who
/// comes or goes changes nothing between the others.
pub fn order(nonce: &TaskNonce, holder: &H256, holders: &[H256], active: &[H256]) -> Vec<H256> {
	let mut heirs: Vec<(bool, H256, H256)> = active
		.iter()
		.filter(|heir| *heir != holder)
		.map(|heir| {
			let score = Blake2Hasher::hash(&(HEIR_DOMAIN, nonce, holder, heir).encode());
			(holders.contains(heir), score, *heir)
		})
		.collect();
	heirs.sort();
	heirs.dedup();
	heirs.into_iter().map(|(_, _, heir)| heir).collect()
}

/// How many shares of one task a masternode may hold at the most, so that the masternodes of which
/// the chain bears that they are dishonest (fewer than a third of `active`, and always one) hold
/// fewer together than `sharing` needs for a key. Its own share is always allowed.
pub fn most_shares(sharing: &Sharing, active: usize) -> usize {
	let dishonest = (active.saturating_sub(1) / 3).max(1);
	(usize::from(sharing.threshold() - 1) / dishonest).max(1)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn accounts(count: u8) -> Vec<H256> {
		(0..count).map(H256::repeat_byte).collect()
	}

	#[test]
	fn bounds_are_those_of_the_table() {
		// Masternodes in the manifest, active ones now, shares that one may hold.
		for (holders, active, most) in [
			(1, 1, 1),
			(2, 2, 1),
			(3, 2, 1),
			(4, 4, 2),
			(4, 3, 2),
			(4, 1, 2),
			(7, 6, 3),
			(7, 7, 1),
			(10, 9, 2),
			(100, 99, 1),
			(100, 4, 50),
		] {
			let sharing = Sharing::over_half_of(holders).expect("1 to 255");
			assert_eq!(most_shares(&sharing, active), most, "{holders} holders, {active} active");
		}
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn those_without_a_share_come_first_and_the_holder_never(
			nonce: [u8; 32], holders in 1u8..20, active in 1u8..40,
		) {
			let (holders, active) = (accounts(holders), accounts(active));
			let heirs = order(&TaskNonce(nonce), &holders[0], &holders, &active);
			prop_assert_eq!(heirs.len(), active.len() - 1);
			prop_assert!(!heirs.contains(&holders[0]));
			prop_assert!(heirs.is_sorted_by_key(|heir| holders.contains(heir)));
		}

		#[test]
		fn others_keep_their_places_when_one_comes_or_goes(nonce: [u8; 32], gone in 1usize..20) {
			let (holders, active) = (accounts(4), accounts(20));
			let before = order(&TaskNonce(nonce), &holders[0], &holders, &active);
			let fewer: Vec<H256> = active.iter().copied().filter(|a| *a != active[gone]).collect();
			let after = order(&TaskNonce(nonce), &holders[0], &holders, &fewer);
			let expected: Vec<H256> = before.into_iter().filter(|a| *a != active[gone]).collect();
			prop_assert_eq!(after, expected);
		}

		#[test]
		fn the_dishonest_never_hold_a_key(holders in 2usize..=255, active in 1usize..=255) {
			let sharing = Sharing::over_half_of(holders).expect("1 to 255");
			let dishonest = ((active - 1) / 3).max(1);
			let most = most_shares(&sharing, active);
			let threshold = usize::from(sharing.threshold());
			// Where one share each is already too much, nobody may have more than its own.
			prop_assert!(dishonest * most < threshold || most == 1);
		}
	}

	#[test]
	fn every_task_has_another_heir() {
		let (holders, active) = (accounts(4), accounts(20));
		let first: std::collections::BTreeSet<H256> = (0..100)
			.map(|n| order(&TaskNonce([n; 32]), &holders[0], &holders, &active)[0])
			.collect();
		assert!(first.len() > 10, "16 may be first, {} are", first.len());
	}
}
