//! A task's work chain, with what makes it believable: its blocks are linked by hashes to a tip that
//! the top-level chain's state has, and give the same roots.

use codec::{Decode, Encode};
use dgcs_primitives::{
	Accumulator, ChainRecord, Outcome, RangeIndex, Round, TaskId, TaskSpec, WorkBlock,
};
use sp_core::H256;

use crate::{Error, Result};

/// The end of a live task's work chain, as the top-level chain stores it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Head {
	/// How many blocks there are.
	pub height: u32,
	/// Hash of the last one, all zeros while there is none.
	pub tip: H256,
	/// Subtasks without a verdict.
	pub open_subtasks: u32,
	/// Over every block's verdicts root.
	pub solution: Accumulator,
	/// Over every block's receipts root.
	pub receipts: Accumulator,
	/// Subtasks with a digest.
	pub agreed: u32,
	/// Subtasks without a majority.
	pub failed: u32,
}

impl Head {
	/// What the work chain would leave behind if it ended here.
	pub fn record(&self) -> ChainRecord {
		ChainRecord {
			height: self.height,
			tip: self.tip,
			solution_root: self.solution.root(),
			receipts_root: self.receipts.root(),
			agreed: self.agreed,
			failed: self.failed,
		}
	}
}

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
		let (mut solution, mut receipts) = (Accumulator::default(), Accumulator::default());
		let (mut agreed, mut failed) = (0u32, 0u32);
		for block in &self.blocks {
			solution.push(block.verdicts_root());
			receipts.push(block.receipts_root);
			for verdict in &block.verdicts {
				match verdict.outcome {
					Outcome::Agreed(_) => agreed += 1,
					Outcome::Failed => failed += 1,
				}
			}
		}
		let checks = [
			("its height", self.height() == record.height),
			("its tip", self.tip() == record.tip),
			("its verdicts", solution.root() == record.solution_root),
			("its receipts", receipts.root() == record.receipts_root),
			("how many subtasks agreed", agreed == record.agreed),
			("how many subtasks failed", failed == record.failed),
		];
		match checks.iter().find(|(_, holds)| !holds) {
			None => Ok(()),
			Some((what, _)) => Err(Error::FalseWorkChain {
				task: self.task,
				reason: format!("{what} are not what the top-level chain says"),
			}),
		}
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
