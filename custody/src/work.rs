//! Work chains of the tasks whose results are kept: an owner that was away reads off them which
//! results are true. The top-level chain destroys a work chain with its task, and keeps a hash and two
//! roots, which prove what is kept here.
//!
//! Of a task that has ended the chain does not say either what it was, with which the owner finds its
//! manifest from a machine that knows nothing of it.
//!
//! Who did what is in events of the top-level chain, which nodes forget within minutes. It is kept with the
//! blocks, whose roots prove it.
//!
//! Three files for each task: the blocks one after the other in SCALE, each with its receipts where they
//! could be read; where each of them ends; and the task's specification.

use std::{
	fs::{self, File},
	io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write},
	path::PathBuf,
};

use codec::{Decode, DecodeAll, Encode};
use dgcs_primitives::{api::MAX_BLOCKS_PER_CALL, TaskId, TaskSpec, WorkBlock};

use crate::{
	edges::{Balance, Receipt},
	file::write_whole,
};

/// Bytes of an entry of the index: where a block ends.
const ENTRY: u64 = 8;

/// What is kept of a block of a work chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBlock {
	/// The block.
	pub block: WorkBlock,
	/// Who did what in it. `None`: it could not be read when the block came.
	pub receipts: Option<Vec<Receipt>>,
}

impl KeptBlock {
	fn encode_to(&self, bytes: &mut Vec<u8>) {
		self.block.encode_to(bytes);
		if let Some(receipts) = &self.receipts {
			receipts.encode_to(bytes);
		}
	}

	/// From all of its bytes. Receipts that are damaged are none: the block counts without them.
	fn decode(mut bytes: &[u8]) -> Result<Self, codec::Error> {
		let block = WorkBlock::decode(&mut bytes)?;
		Ok(KeptBlock { block, receipts: Vec::decode_all(&mut bytes).ok() })
	}
}

/// A part of what is kept of a work chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPage {
	/// How many blocks there are in all.
	pub height: u32,
	/// Some of them, in order.
	pub blocks: Vec<KeptBlock>,
}

/// The folder with the files.
#[derive(Debug)]
pub(crate) struct WorkChains(PathBuf);

impl WorkChains {
	/// Those in `folder`, which exists.
	pub(crate) fn new(folder: PathBuf) -> Self {
		WorkChains(folder)
	}

	/// Adds blocks, with what `receipts` knows of each. What is there already is left out, and so is what
	/// does not follow on it.
	pub(crate) fn append(
		&self,
		task: TaskId,
		blocks: &[WorkBlock],
		receipts: impl Fn(&WorkBlock) -> Option<Vec<Receipt>>,
	) -> io::Result<()> {
		let mut index = open(self.index(task))?;
		// An entry that was cut short by a crash is written over, and so are blocks without one.
		let mut height = index.metadata()?.len() / ENTRY;
		let mut end = entry(&mut index, height)?;
		let (mut bytes, mut ends) = (Vec::new(), Vec::new());
		let start = (height, end);
		for block in blocks {
			if u64::from(block.index) == height {
				let kept = KeptBlock { block: block.clone(), receipts: receipts(block) };
				kept.encode_to(&mut bytes);
				end = start.1 + bytes.len() as u64;
				ends.extend(end.to_le_bytes());
				height += 1;
			}
		}
		let mut data = open(self.data(task))?;
		data.seek(SeekFrom::Start(start.1))?;
		data.write_all(&bytes)?;
		// Last: what the index names is there.
		index.seek(SeekFrom::Start(start.0 * ENTRY))?;
		index.write_all(&ends)
	}

	/// Up to 256 blocks of the task's work chain, from number `from` on. `None`: nothing is kept of the
	/// task.
	pub(crate) fn read(&self, task: TaskId, from: u32) -> io::Result<Option<KeptPage>> {
		let mut index = match File::open(self.index(task)) {
			Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
			index => index?,
		};
		let height = u32::try_from(index.metadata()?.len() / ENTRY).unwrap_or(u32::MAX);
		let from = from.min(height);
		let to = from.saturating_add(MAX_BLOCKS_PER_CALL).min(height);
		let mut start = entry(&mut index, from.into())?;
		let mut data = File::open(self.data(task))?;
		data.seek(SeekFrom::Start(start))?;
		index.seek(SeekFrom::Start(u64::from(from) * ENTRY))?;
		let (mut ends, mut data) = (BufReader::new(index), BufReader::new(data));
		let mut blocks = Vec::new();
		for _ in from..to {
			let mut end = [0; ENTRY as usize];
			ends.read_exact(&mut end)?;
			let end = u64::from_le_bytes(end);
			let mut bytes = Vec::new();
			data.by_ref().take(end.saturating_sub(start)).read_to_end(&mut bytes)?;
			blocks.push(KeptBlock::decode(&bytes).map_err(|_| damaged())?);
			start = end;
		}
		Ok(Some(KeptPage { height, blocks }))
	}

	/// Keeps what the task is.
	pub(crate) fn keep_spec(&self, task: TaskId, spec: &TaskSpec<Balance>) -> io::Result<()> {
		write_whole(&self.spec_file(task), &spec.encode())
	}

	/// What the task is. `None`: nothing is kept of it.
	pub(crate) fn spec(&self, task: TaskId) -> io::Result<Option<TaskSpec<Balance>>> {
		let bytes = match fs::read(self.spec_file(task)) {
			Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
			bytes => bytes?,
		};
		// One that is damaged is of no use, and no reason to refuse anything else.
		Ok(TaskSpec::decode_all(&mut &bytes[..]).ok())
	}

	/// Forgets a task.
	pub(crate) fn forget(&self, task: TaskId) -> io::Result<()> {
		for path in [self.index(task), self.data(task), self.spec_file(task)] {
			match fs::remove_file(path) {
				Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
				_ => {},
			}
		}
		Ok(())
	}

	fn index(&self, task: TaskId) -> PathBuf {
		self.0.join(format!("{task}.index"))
	}

	fn data(&self, task: TaskId) -> PathBuf {
		self.0.join(format!("{task}.work"))
	}

	fn spec_file(&self, task: TaskId) -> PathBuf {
		self.0.join(format!("{task}.spec"))
	}
}

fn damaged() -> io::Error {
	io::Error::new(ErrorKind::InvalidData, "a work chain on disk is damaged")
}

fn open(path: PathBuf) -> io::Result<File> {
	File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Where the first `count` blocks end.
fn entry(index: &mut File, count: u64) -> io::Result<u64> {
	let Some(last) = count.checked_sub(1) else { return Ok(0) };
	let mut bytes = [0; ENTRY as usize];
	index.seek(SeekFrom::Start(last * ENTRY))?;
	index.read_exact(&mut bytes)?;
	Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::edges::AccountId;
	use dgcs_primitives::{Outcome, RangeIndex, ResultDigest, Round, Verdict};
	use sp_core::H256;

	fn block(index: u32) -> WorkBlock {
		let digest = |n| ResultDigest(H256::from_low_u64_be(u64::from(index) << 8 | n));
		let verdict = |n| Verdict { subtask: n as u8, outcome: Outcome::Agreed(digest(n)) };
		let verdicts: Vec<Verdict> = (0..u64::from(index % 64) + 1).map(verdict).collect();
		WorkBlock {
			task: TaskId(1),
			index,
			parent: H256::zero(),
			when: 1,
			open_subtasks: 0,
			range: RangeIndex(index),
			round: Round(0),
			verdicts: verdicts.try_into().expect("at most 64"),
			receipts_root: H256::zero(),
		}
	}

	/// Those of every block but each fifth, which could not be read.
	fn receipts(block: &WorkBlock) -> Option<Vec<Receipt>> {
		let receipt = |worker| Receipt {
			worker: AccountId::new([worker; 32]),
			agreed: block.index,
			dissented: 1,
			paid: 7,
		};
		(block.index % 5 != 4).then(|| (0..3).map(receipt).collect())
	}

	fn kept(blocks: &[WorkBlock]) -> Vec<KeptBlock> {
		let kept =
			|block: &WorkBlock| KeptBlock { block: block.clone(), receipts: receipts(block) };
		blocks.iter().map(kept).collect()
	}

	/// What is read of a task, from its first block on.
	fn read(chains: &WorkChains, task: TaskId) -> Option<KeptPage> {
		chains.read(task, 0).expect("readable")
	}

	#[test]
	fn blocks_come_back_in_pages() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (chains, task) = (WorkChains::new(folder.path().into()), TaskId(1));
		assert_eq!(read(&chains, task), None);
		let blocks: Vec<WorkBlock> = (0..600).map(block).collect();
		for part in blocks.chunks(7) {
			chains.append(task, part, receipts).expect("room");
		}
		let unasked = |_: &WorkBlock| panic!("only for what is new");
		chains.append(task, &blocks[590..], unasked).expect("twice is once");
		chains.append(task, &[block(700)], unasked).expect("left out");
		for (from, expected) in [
			(0, &blocks[..256]),
			(1, &blocks[1..257]),
			(500, &blocks[500..]),
			(600, &[]),
			(900, &[]),
		] {
			let page = chains.read(task, from).expect("readable").expect("kept");
			assert_eq!(page.height, 600);
			assert!(page.blocks == kept(expected), "from {from}");
		}
		chains.forget(task).expect("ours");
		chains.forget(task).expect("twice is once");
		assert_eq!(read(&chains, task), None);
	}

	#[test]
	fn a_crash_while_writing_loses_nothing_that_was_there() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (chains, task) = (WorkChains::new(folder.path().into()), TaskId(1));
		let blocks: Vec<WorkBlock> = (0..3).map(block).collect();
		chains.append(task, &blocks[..2], receipts).expect("room");
		let cut = |path: PathBuf, more: &[u8]| {
			File::options().append(true).open(path).expect("ours").write_all(more).expect("room");
		};
		cut(chains.data(task), b"half a block");
		cut(chains.index(task), b"half");
		let page = KeptPage { height: 2, blocks: kept(&blocks[..2]) };
		assert_eq!(read(&chains, task), Some(page));
		chains.append(task, &blocks[2..], receipts).expect("room");
		assert_eq!(read(&chains, task), Some(KeptPage { height: 3, blocks: kept(&blocks) }));
	}

	#[test]
	fn blocks_count_without_receipts_and_with_damaged_ones() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (chains, task) = (WorkChains::new(folder.path().into()), TaskId(1));
		// As they were written when receipts were not kept, and with something else behind them.
		let blocks: Vec<WorkBlock> = (0..3).map(block).collect();
		let (mut bytes, mut ends) = (Vec::new(), Vec::new());
		for (block, more) in blocks.iter().zip([&b""[..], b"", b"no receipts"]) {
			block.encode_to(&mut bytes);
			bytes.extend(more);
			ends.extend((bytes.len() as u64).to_le_bytes());
		}
		fs::write(chains.data(task), bytes).expect("room");
		fs::write(chains.index(task), ends).expect("room");
		let without = |block: &WorkBlock| KeptBlock { block: block.clone(), receipts: None };
		let mut page = KeptPage { height: 3, blocks: blocks.iter().map(without).collect() };
		assert_eq!(read(&chains, task), Some(page.clone()));
		chains.append(task, &[block(3)], receipts).expect("room");
		page.height = 4;
		page.blocks.extend(kept(&[block(3)]));
		assert_eq!(read(&chains, task), Some(page));
	}
}
