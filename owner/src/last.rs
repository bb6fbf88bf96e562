//! The verdicts of a task's last block, which no state of the chain ever shows.
//!
//! A task is settled in the block of its last verdict, and its work chain is gone when that block ends.
//! What is left there is the event with the hash of each last work-chain block. The rest follows from
//! the votes: those of the state one block before, and the reveals among the block's transactions. The
//! hash says whether it was put together rightly, so that nothing here needs to be trusted.

use codec::{Decode, Encode};
use dgcs_client::{api, call, event::verdicts::Decided, At, Chain, Head, RangeVote, SeatState};
use dgcs_primitives::{
	merkle_root, Digests, Outcome, RangeIndex, ResultDigest, TaskId, Verdict, WorkBlock,
	MAX_REPLICAS, MIN_REPLICAS,
};
use sp_core::H256;

use crate::ledger::{Entry, Receipt};

/// Why a last verdict could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LastError {
	/// The chain can't be read.
	#[error(transparent)]
	Chain(#[from] dgcs_client::Error),
	/// What is there does not give the block that the chain made.
	#[error("the votes on range {range} don't give the verdict with the hash {hash:?}")]
	Unclear {
		/// The range.
		range: RangeIndex,
		/// The hash of the block that was made.
		hash: H256,
	},
}

/// What somebody revealed: the subtasks that were open, as bits, and a digest for each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
	open: u64,
	digests: Vec<ResultDigest>,
}

impl Answer {
	fn digest(&self, subtask: u8) -> Option<ResultDigest> {
		let bit = 1u64.checked_shl(subtask.into())?;
		let place = (self.open & (bit - 1)).count_ones();
		(self.open & bit != 0).then(|| self.digests.get(place as usize).copied())?
	}
}

/// The receipts of a verdict.
pub(crate) fn receipts(decided: &Decided) -> Vec<Receipt> {
	decided.receipts.0.iter().map(|receipt| receipt.0.clone()).collect()
}

/// The work-chain block of `decided`, which is an event of the top-level block `block`. `before` is the
/// state one block before; `parent` and `open` the tip of the work chain and its open subtasks, without
/// those of this verdict; `withdrawn` the subtasks that a cancellation in this block took back, if any.
pub(crate) async fn last_block(
	chain: &Chain,
	before: &At,
	block: Head,
	decided: &Decided,
	(parent, open, withdrawn): (H256, u32, u32),
) -> Result<Entry, LastError> {
	let (task, range): (TaskId, RangeIndex) = (decided.task.0, decided.range.0);
	let unclear = || LastError::Unclear { range, hash: decided.hash };
	let vote = before.vote(task, range).await?.ok_or_else(unclear)?;
	let reveals = reveals(&transactions(chain, block).await?, task, range);
	let ballot = vote.ballot(chain.genesis(), task, range);
	let mut answers = Vec::new();
	for seat in &vote.seats {
		match &seat.state {
			SeatState::Revealed(key) => {
				let answers_of = api::storage().verdicts().answers();
				let found = before.fetch(answers_of, (task.into(), range.into(), *key)).await?;
				let found = found.ok_or_else(unclear)?;
				let digests = found.digests.0.iter().map(|digest| digest.0).collect();
				answers.push(Answer { open: found.open, digests });
			},
			SeatState::Committed(commitment) => {
				let theirs = reveals.iter().find(|(digests, salt)| {
					ballot.commitment(&seat.worker, digests, salt) == *commitment
				});
				answers.extend(
					theirs
						.map(|(digests, _)| Answer { open: vote.open, digests: digests.to_vec() }),
				);
			},
			SeatState::Leased { .. } | SeatState::Withheld => {},
		}
	}
	let receipts = receipts(decided);
	let verdicts = tally(&vote, &answers);
	let decided_here = verdicts.len() as u32;
	let verdicts = verdicts.try_into().map_err(|_| unclear())?;
	let mut made = WorkBlock {
		task,
		index: decided.index,
		parent,
		when: block.number,
		open_subtasks: open.saturating_sub(decided_here),
		range,
		round: decided.round.0,
		verdicts,
		receipts_root: merkle_root(&receipts),
	};
	if made.hash() != decided.hash {
		made.open_subtasks = made.open_subtasks.saturating_sub(withdrawn);
	}
	if made.hash() != decided.hash {
		return Err(unclear());
	}
	Ok(Entry { block: made, receipts: Some(receipts) })
}

/// What the answers decide: at least three, and one of them held by more than half (§4.2.1, §5.7.1.4).
/// When no further replica is allowed, the rest fails.
fn tally(vote: &RangeVote, answers: &[Answer]) -> Vec<Verdict> {
	let give_up = vote.seats.len() >= usize::from(vote.terms.max_replicas.min(MAX_REPLICAS));
	let decide = |subtask: u8| {
		let digests: Vec<_> = answers.iter().filter_map(|answer| answer.digest(subtask)).collect();
		let votes = |digest: &ResultDigest| digests.iter().filter(|other| *other == digest).count();
		let enough = digests.len() >= usize::from(MIN_REPLICAS);
		let winner = digests.iter().find(|digest| enough && 2 * votes(digest) > digests.len());
		let outcome = match winner {
			Some(digest) => Some(Outcome::Agreed(*digest)),
			None => give_up.then_some(Outcome::Failed),
		};
		outcome.map(|outcome| Verdict { subtask, outcome })
	};
	vote.open_subtasks().filter_map(decide).collect()
}

/// The transactions of a block, in SCALE.
async fn transactions(chain: &Chain, block: Head) -> Result<Vec<Vec<u8>>, dgcs_client::Error> {
	#[derive(serde::Deserialize)]
	struct Signed {
		block: Body,
	}
	#[derive(serde::Deserialize)]
	struct Body {
		extrinsics: Vec<String>,
	}
	let params = subxt::rpcs::rpc_params![block.hash];
	let signed: Option<Signed> = chain.request("chain_getBlock", params).await?;
	let texts = signed.map(|signed| signed.block.extrinsics).unwrap_or_default();
	// What is no hexadecimal is no reveal.
	let bytes = |text: &String| hex::decode(text.trim_start_matches("0x")).ok();
	Ok(texts.iter().filter_map(bytes).collect())
}

/// All that look like reveals for a range. The commitment says which are.
fn reveals(transactions: &[Vec<u8>], task: TaskId, range: RangeIndex) -> Vec<(Digests, H256)> {
	let call = call::verdicts::reveal(task, range, &Digests::default(), H256::zero());
	// Pallet and call, and the two arguments that are known.
	let known = 2 + (task, range).encoded_size();
	let Some(start) = call.data().get(..known) else { return Vec::new() };
	let mut found = Vec::new();
	for transaction in transactions {
		for (place, window) in transaction.windows(known).enumerate() {
			if window == start {
				found.extend(<(Digests, H256)>::decode(&mut &transaction[place + known..]));
			}
		}
	}
	found
}

#[cfg(test)]
mod tests {
	use dgcs_client::{AccountId, Phase, Seat};
	use dgcs_primitives::{Ballot, RangeTerms, Round};
	use proptest::prelude::*;

	use super::*;

	fn digest(n: u8) -> ResultDigest {
		ResultDigest(H256::repeat_byte(n))
	}

	fn vote(open: u64, seats: usize, max_replicas: u8) -> RangeVote {
		let seat = |n| Seat {
			worker: AccountId::new([n; 32]),
			operator: AccountId::new([n; 32]),
			round: Round(0),
			state: SeatState::Withheld,
			agreed: 0,
			dissented: 0,
		};
		RangeVote {
			terms: RangeTerms { len: 64, replicas: 3, max_replicas },
			round: Round(0),
			open,
			phase: Phase::Reveal { until: 9 },
			due: 9,
			seats: (0..seats as u8).map(seat).collect(),
		}
	}

	fn tallied(open: u64, seats: usize, answers: &[(u64, &[u8])]) -> Vec<(u8, Option<u8>)> {
		let answer = |(open, digests): &(u64, &[u8])| Answer {
			open: *open,
			digests: digests.iter().copied().map(digest).collect(),
		};
		let answers: Vec<_> = answers.iter().map(answer).collect();
		let shown = |verdict: Verdict| match verdict.outcome {
			Outcome::Agreed(digest) => (verdict.subtask, Some(digest.0 .0[0])),
			Outcome::Failed => (verdict.subtask, None),
		};
		tally(&vote(open, seats, 5), &answers).into_iter().map(shown).collect()
	}

	#[test]
	fn verdicts_follow_the_rule() {
		let three: &[(u64, &[u8])] = &[(0b11, &[1, 2]), (0b11, &[1, 3]), (0b11, &[1, 4])];
		assert_eq!(tallied(0b11, 3, three), [(0, Some(1))], "the second one waits for a replica");
		assert_eq!(
			tallied(0b11, 5, three),
			[(0, Some(1)), (1, None)],
			"and fails if there is none"
		);
		assert_eq!(tallied(0b11, 3, &three[..2]), [], "two are too few");
		// A later round speaks about what was open by then.
		let mut four = three.to_vec();
		four.push((0b10, &[3]));
		assert_eq!(tallied(0b10, 4, &four), [], "half is not more than half");
		four.push((0b10, &[3]));
		assert_eq!(tallied(0b10, 5, &four), [(1, Some(3))]);
		let high: &[(u64, &[u8])] = &[(1 << 63, &[7u8][..]); 3];
		assert_eq!(tallied(1 << 63, 3, high), [(63, Some(7))]);
	}

	#[test]
	fn reveals_are_found_wherever_they_are() {
		let (task, range, salt) = (TaskId(9), RangeIndex(4), H256::repeat_byte(8));
		let digests: Digests = vec![digest(1), digest(2)].try_into().expect("two");
		let reveal = call::verdicts::reveal(task, range, &digests, salt);
		let other = call::verdicts::reveal(task, RangeIndex(5), &digests, salt);
		let signed = [&[7; 100][..], reveal.data()].concat();
		// As part of a batch, with another call after it.
		let batch = [&[7; 100][..], other.data(), reveal.data(), other.data()].concat();
		let torn = reveal.data()[..reveal.data().len() - 1].to_vec();
		let expected = (digests.clone(), salt);
		for (transaction, count) in [(signed, 1), (batch, 1), (torn, 0), (vec![], 0)] {
			assert_eq!(reveals(&[transaction], task, range), vec![expected.clone(); count]);
		}
		let ballot = Ballot { genesis: H256::zero(), task, range, round: Round(0) };
		let worker = AccountId::new([3; 32]);
		let commitment = ballot.commitment(&worker, &digests, &salt);
		assert_ne!(ballot.commitment(&AccountId::new([4; 32]), &digests, &salt), commitment);
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 256,
			failure_persistence: None,
			..ProptestConfig::default()
		})]

		#[test]
		fn transactions_are_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
			prop_assert!(reveals(&[bytes], TaskId(1), RangeIndex(0)).is_empty());
		}
	}
}
