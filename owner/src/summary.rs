//! Who computed what, who agreed, who was paid.

use std::collections::BTreeMap;

use dgcs_client::{AccountId, Balance};
use dgcs_primitives::{Outcome, RangeIndex, Round, TaskSpec};

use crate::ledger::Ledger;

/// What a worker did for a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerSummary {
	/// Ranges in whose verdicts it has a receipt.
	pub ranges: u32,
	/// Results that agree with a verdict.
	pub agreed: u32,
	/// Results that don't.
	pub dissented: u32,
	/// What it was paid.
	pub paid: Balance,
}

/// What became of a range in one vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteSummary {
	/// The range.
	pub range: RangeIndex,
	/// Its first subtask.
	pub first: u32,
	/// How many subtasks it has.
	pub subtasks: u32,
	/// The round that decided.
	pub round: Round,
	/// The block of the chain.
	pub when: u32,
	/// Subtasks that got a digest.
	pub agreed: u32,
	/// Subtasks that got none.
	pub failed: u32,
	/// Who did what. `None`: neither the node nor a masternode knew it when it was asked.
	pub workers: Option<Vec<(AccountId, u32, u32, Balance)>>,
}

/// What a task's verdicts come to so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
	/// Each worker that has a receipt.
	pub workers: BTreeMap<AccountId, WorkerSummary>,
	/// Each vote that decided something, in order.
	pub votes: Vec<VoteSummary>,
	/// Subtasks with a digest.
	pub agreed: u32,
	/// Subtasks without a majority.
	pub failed: u32,
	/// Votes whose receipts could not be read any more: what the workers got is more than it says here.
	pub unknown: u32,
}

/// Sums up what is kept of a task.
pub fn summarize<B>(ledger: &Ledger, spec: &TaskSpec<B>) -> Summary {
	let mut summary = Summary::default();
	for (block, receipts) in ledger.entries() {
		let agreed = block.verdicts.iter();
		let agreed = agreed.filter(|verdict| matches!(verdict.outcome, Outcome::Agreed(_))).count();
		// At most 64 of them.
		let (agreed, all) = (agreed as u32, block.verdicts.len() as u32);
		summary.agreed += agreed;
		summary.failed += all - agreed;
		summary.unknown += u32::from(receipts.is_none());
		for receipt in receipts.unwrap_or_default() {
			let worker = summary.workers.entry(receipt.worker.clone()).or_default();
			// Under PPLNS somebody may be paid for earlier votes alone.
			worker.ranges += u32::from(receipt.agreed + receipt.dissented > 0);
			worker.agreed = worker.agreed.saturating_add(receipt.agreed);
			worker.dissented = worker.dissented.saturating_add(receipt.dissented);
			worker.paid = worker.paid.saturating_add(receipt.paid);
		}
		summary.votes.push(VoteSummary {
			range: block.range,
			first: spec.range_start(block.range),
			subtasks: spec.range_len(block.range),
			round: block.round,
			when: block.when,
			agreed,
			failed: all - agreed,
			workers: receipts.map(|receipts| {
				let row = |one: &crate::ledger::Receipt| {
					(one.worker.clone(), one.agreed, one.dissented, one.paid)
				};
				receipts.iter().map(row).collect()
			}),
		});
	}
	summary
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		ledger::tests::{entries, TASK},
		survey::Survey,
		wish::{Outline, Terms},
	};

	#[test]
	fn sums_are_those_of_the_receipts() {
		let folder = tempfile::tempdir().expect("a folder");
		let mut ledger = Ledger::read(&folder.path().join("ledger"), TASK).expect("nothing there");
		ledger.append(entries(8)).expect("linked");
		let terms = Terms { range_size: Some(1), ..Terms::usual() };
		let survey = Survey { cut: dgcs_content::Cut::Files, subtasks: 9, bytes: 0 };
		let summary = summarize(&ledger, &terms.spec(&Outline::of(&survey, &terms), 3000));
		assert_eq!((summary.agreed, summary.failed, summary.unknown), (6, 2, 2));
		let worker = |n: u8| summary.workers[&AccountId::new([n; 32])].clone();
		assert_eq!(worker(1), WorkerSummary { ranges: 6, agreed: 6, dissented: 0, paid: 600 });
		assert_eq!(worker(3), WorkerSummary { ranges: 6, agreed: 0, dissented: 6, paid: 0 });
		assert_eq!(summary.votes.len(), 8);
		assert_eq!((summary.votes[2].failed, summary.votes[3].workers.is_none()), (1, true));
	}
}
