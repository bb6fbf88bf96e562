//! A task's work chain, with what makes it believable: its blocks are linked by hashes to a tip that
//! the top-level chain's state has, and give the same roots.

use codec::{Decode, Encode};
use dgcs_primitives::{
	merkle_root, ChainRecord, Head, Outcome, RangeIndex, Round, TaskId, TaskSpec, WorkBlock,
};
use sp_core::H256;

use crate::{AccountId, Balance, Error, Result};

/// What one worker did in one block of a work chain, and what it was paid.
pub type Receipt = dgcs_primitives::Receipt<AccountId, Balance>;

/// What became true of one subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
	/// The subtask, counted from the start of the task.
	pub subtask: u32,
	/// The digest that the majority found, or that there is none.
	pub outcome: Outcome,
	/// The range that the subtask belongs to.
	pub range: RangeIndex,
	/// The round that decided. It enters the key of the result.
	pub round: Round,
}

/// The blocks of a task's work chain so far. Whoever keeps them can prove every verdict against what
/// stays of the task (`solution_root`), so that they are worth keeping: they encode in SCALE.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WorkChain {
	task: TaskId,
	blocks: Vec<WorkBlock>,
}

impl WorkChain {
	/// That of a task without a verdict.
	pub fn new(task: TaskId) -> Self {
		WorkChain { task, blocks: Vec::new() }
	}

	/// The task.
	pub fn task(&self) -> TaskId {
		self.task
	}

	/// The blocks, first to last.
	pub fn blocks(&self) -> &[WorkBlock] {
		&self.blocks
	}

	/// How many blocks there are.
	pub fn height(&self) -> u32 {
		// At most one block for each of the task's 2^24 subtasks.
		self.blocks.len() as u32
	}

	/// Hash of the last block, all zeros while there is none.
	pub fn tip(&self) -> H256 {
		self.blocks.last().map(WorkBlock::hash).unwrap_or_default()
	}

	/// Appends the next block. Fails if it is not the next one, or of another task.
	pub fn push(&mut self, block: WorkBlock) -> Result<()> {
		let reason = if block.task != self.task {
			format!("a block is of task {}", block.task)
		} else if block.index != self.height() {
			format!("after block {} comes {}", self.height(), block.index)
		} else if block.parent != self.tip() {
			format!("block {} is not linked to the one before", block.index)
		} else {
			self.blocks.push(block);
			return Ok(());
		};
		Err(Error::FalseWorkChain { task: self.task, reason })
	}

	/// Goes back to the first `height` blocks: after a reorganisation of the top-level chain.
	pub fn truncate(&mut self, height: u32) {
		self.blocks.truncate(height as usize);
	}

	/// Checks the blocks against what the top-level chain has of them: while the task lives
	/// [`Head::record`], afterwards what its settlement keeps.
	pub fn verify(&self, record: &ChainRecord) -> Result<()> {
		let mut head = Head::default();
		self.blocks.iter().for_each(|block| head.push(block));
		let found = head.record();
		let checks = [
			("its height", found.height == record.height),
			("its tip", found.tip == record.tip),
			("its verdicts", found.solution_root == record.solution_root),
			("its receipts", found.receipts_root == record.receipts_root),
			("how many subtasks agreed", found.agreed == record.agreed),
			("how many subtasks failed", found.failed == record.failed),
		];
		match checks.iter().find(|(_, holds)| !holds) {
			None => Ok(()),
			Some((what, _)) => Err(Error::FalseWorkChain {
				task: self.task,
				reason: format!("{what} are not what the top-level chain says"),
			}),
		}
	}

	/// Of what somebody says are the receipts of the blocks from number `from` on, those that the blocks
	/// commit to: anything else is `None`.
	pub fn proven(
		&self,
		from: u32,
		said: impl IntoIterator<Item = Option<Vec<Receipt>>>,
	) -> Vec<Option<Vec<Receipt>>> {
		let blocks = self.blocks.iter().skip(from as usize);
		let check = |(block, receipts): (&WorkBlock, Option<Vec<Receipt>>)| {
			receipts.filter(|receipts| merkle_root(receipts) == block.receipts_root)
		};
		blocks.zip(said).map(check).collect()
	}

	/// All verdicts so far, in the order in which they fell. `spec` is the task's.
	pub fn verdicts<'a, Balance>(
		&'a self,
		spec: &'a TaskSpec<Balance>,
	) -> impl Iterator<Item = Verdict> + 'a {
		self.blocks.iter().flat_map(move |block| {
			let first = block.range.0.saturating_mul(spec.range_size);
			block.verdicts.iter().map(move |verdict| Verdict {
				subtask: first.saturating_add(verdict.subtask.into()),
				outcome: verdict.outcome,
				range: block.range,
				round: block.round,
			})
		})
	}
}

#[cfg(test)]
mod tests {
	use dgcs_primitives::ResultDigest;
	use proptest::prelude::*;

	use super::*;

	const TASK: TaskId = TaskId(7);

	/// A chain of so many blocks, each with a verdict that is agreed or failed, and its record.
	fn chain(outcomes: &[bool]) -> (WorkChain, ChainRecord) {
		let mut chain = WorkChain::new(TASK);
		let mut head = Head::default();
		for (index, agreed) in outcomes.iter().enumerate() {
			let outcome = match agreed {
				true => Outcome::Agreed(ResultDigest(H256::repeat_byte(index as u8))),
				false => Outcome::Failed,
			};
			let verdict = dgcs_primitives::Verdict { subtask: 1, outcome };
			let block = WorkBlock {
				task: TASK,
				index: index as u32,
				parent: chain.tip(),
				when: 10,
				open_subtasks: 0,
				range: RangeIndex(index as u32),
				round: Round(0),
				verdicts: vec![verdict].try_into().expect("one is not too many"),
				receipts_root: H256::repeat_byte(0xee),
			};
			head.push(&block);
			chain.push(block).expect("it is the next");
		}
		let record = head.record();
		(chain, record)
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 32,
			failure_persistence: None,
			..ProptestConfig::default()
		})]

		#[test]
		fn only_the_whole_true_chain_verifies(
			outcomes in prop::collection::vec(any::<bool>(), 1..40),
			pick in any::<prop::sample::Index>(),
		) {
			let (chain, record) = chain(&outcomes);
			prop_assert!(chain.verify(&record).is_ok());
			let place = pick.index(outcomes.len());

			let mut shorter = chain.clone();
			shorter.truncate(place as u32);
			prop_assert!(shorter.verify(&record).is_err());

			// Another verdict: the links break after it, or the tip is another.
			let mut forged = WorkChain::new(TASK);
			let mut linked = true;
			for (index, block) in chain.blocks().iter().enumerate() {
				let mut block = block.clone();
				if index == place {
					block.verdicts[0].outcome = Outcome::Agreed(ResultDigest(H256::repeat_byte(0xff)));
				}
				linked &= forged.push(block).is_ok();
			}
			prop_assert!(!linked || forged.verify(&record).is_err());

			let decoded = WorkChain::decode(&mut &chain.encode()[..]).expect("its own encoding");
			prop_assert_eq!(decoded, chain);
		}
	}

	#[test]
	fn receipts_that_a_block_does_not_commit_to_are_left_out() {
		let receipt = |worker, paid| Receipt {
			worker: AccountId::new([worker; 32]),
			agreed: 1,
			dissented: 0,
			paid,
		};
		let of = |block: u8| vec![receipt(block, 5), receipt(block + 1, 5), receipt(block + 2, 5)];
		let mut whole = WorkChain::new(TASK);
		for (number, block) in (0..).zip(chain(&[true; 4]).0.blocks) {
			let (parent, receipts_root) = (whole.tip(), merkle_root(&of(number)));
			whole.push(WorkBlock { parent, receipts_root, ..block }).expect("it is the next");
		}
		let all: Vec<_> = (0..4).map(|block| Some(of(block))).collect();
		assert_eq!(whole.proven(0, all.clone()), all);
		assert_eq!(whole.proven(2, all[2..].to_vec()), all[2..]);
		assert_eq!(whole.proven(0, all[..1].to_vec()), all[..1], "no more than what is said");
		let beyond = [all.clone(), all.clone()].concat();
		assert_eq!(whole.proven(0, beyond), all, "nor than there are blocks");
		assert!(whole.proven(0, vec![None; 4]).iter().all(Option::is_none));
		assert!(whole.proven(1, all.clone()).iter().all(Option::is_none), "those of others");
		let wrong: [fn(&mut Vec<Receipt>); 6] = [
			|receipts| receipts[0].paid += 1,
			|receipts| receipts[1].dissented = 1,
			|receipts| receipts[2].worker = AccountId::new([9; 32]),
			|receipts| receipts.swap(0, 1),
			|receipts| receipts.truncate(2),
			|receipts| receipts.clear(),
		];
		for (number, change) in wrong.iter().enumerate() {
			let mut said = all.clone();
			change(said[1].as_mut().expect("all are there"));
			let left = [all[0].clone(), None, all[2].clone(), all[3].clone()];
			assert_eq!(whole.proven(0, said), left, "change {number}");
		}
	}

	#[test]
	fn every_part_of_the_record_counts() {
		let (chain, record) = chain(&[true, false, true]);
		let changes: [fn(&mut ChainRecord); 6] = [
			|record| record.height += 1,
			|record| record.tip = H256::zero(),
			|record| record.solution_root = H256::zero(),
			|record| record.receipts_root = H256::zero(),
			|record| record.agreed += 1,
			|record| record.failed -= 1,
		];
		for (number, change) in changes.iter().enumerate() {
			let mut record = record;
			change(&mut record);
			assert!(chain.verify(&record).is_err(), "change {number}");
		}
	}

	#[test]
	fn blocks_come_in_order_and_of_one_task() {
		let (good, _) = chain(&[true, true]);
		let [first, second] = [good.blocks()[0].clone(), good.blocks()[1].clone()];
		let mut chain = WorkChain::new(TASK);
		assert!(chain.push(second.clone()).is_err());
		chain.push(first.clone()).expect("it is the first");
		assert!(chain.push(first).is_err());
		assert!(chain.push(WorkBlock { task: TaskId(8), ..second.clone() }).is_err());
		assert!(chain.push(WorkBlock { parent: H256::zero(), ..second.clone() }).is_err());
		chain.push(second).expect("it is the next");
		assert_eq!(chain, good);
	}
}
