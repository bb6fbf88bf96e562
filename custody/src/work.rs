//! Work chains of the tasks whose results are kept: an owner that was away reads off them which
//! results are true. The top-level chain destroys a work chain with its task, and keeps a hash and two
//! roots, which prove what is kept here.
//!
//! Of a task that has ended the chain does not say either what it was, with which the owner finds its
//! manifest from a machine that knows nothing of it.
//!
//! Three files for each task: the blocks one after the other in SCALE, where each of them ends, and the
//! task's specification.

use std::{
	fs::{self, File},
	io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
	path::PathBuf,
};

use codec::{Decode, DecodeAll, Encode};
use dgcs_primitives::{api::MAX_BLOCKS_PER_CALL, TaskId, TaskSpec, WorkBlock};

use crate::{edges::Balance, file::write_whole};

/// Bytes of an entry of the index: where a block ends.
const ENTRY: u64 = 8;

/// The folder with the files.
#[derive(Debug)]
pub(crate) struct WorkChains(PathBuf);

impl WorkChains {
	/// Those in `folder`, which exists.
	pub(crate) fn new(folder: PathBuf) -> Self {
		WorkChains(folder)
	}

	/// Adds blocks. What is there already is left out, and so is what does not follow on it.
	pub(crate) fn append(&self, task: TaskId, blocks: &[WorkBlock]) -> io::Result<()> {
		let mut index = open(self.index(task))?;
		// An entry that was cut short by a crash is written over, and so are blocks without one.
		let mut height = index.metadata()?.len() / ENTRY;
		let mut end = entry(&mut index, height)?;
		let (mut bytes, mut ends) = (Vec::new(), Vec::new());
		let start = (height, end);
		for block in blocks {
			if u64::from(block.index) == height {
				block.encode_to(&mut bytes);
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

	/// How many blocks of the task's work chain are kept, and up to 256 of them from number `from` on.
	/// `None`: nothing is kept of the task.
	pub(crate) fn read(
		&self,
		task: TaskId,
		from: u32,
	) -> io::Result<Option<(u32, Vec<WorkBlock>)>> {
		let mut index = match File::open(self.index(task)) {
			Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
			index => index?,
		};
		let height = u32::try_from(index.metadata()?.len() / ENTRY).unwrap_or(u32::MAX);
		let from = from.min(height);
		let to = from.saturating_add(MAX_BLOCKS_PER_CALL).min(height);
		let (start, end) = (entry(&mut index, from.into())?, entry(&mut index, to.into())?);
		let mut data = File::open(self.data(task))?;
		data.seek(SeekFrom::Start(start))?;
		let mut bytes = Vec::new();
		data.take(end.saturating_sub(start)).read_to_end(&mut bytes)?;
		let damaged = |_| io::Error::new(ErrorKind::InvalidData, "a work chain on disk is damaged");
		let mut rest = &bytes[..];
		let blocks = (from..to).map(|_| WorkBlock::decode(&mut rest).map_err(damaged));
		Ok(Some((height, blocks.collect::<io::Result<_>>()?)))
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

	#[test]
	fn blocks_come_back_in_pages() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (chains, task) = (WorkChains::new(folder.path().into()), TaskId(1));
		assert_eq!(chains.read(task, 0).expect("readable"), None);
		let blocks: Vec<WorkBlock> = (0..600).map(block).collect();
		for part in blocks.chunks(7) {
			chains.append(task, part).expect("room");
		}
		chains.append(task, &blocks[590..]).expect("twice is once");
		chains.append(task, &[block(700)]).expect("left out");
		for (from, expected) in [
			(0, &blocks[..256]),
			(1, &blocks[1..257]),
			(500, &blocks[500..]),
			(600, &[]),
			(900, &[]),
		] {
			let (height, found) = chains.read(task, from).expect("readable").expect("kept");
			assert_eq!(height, 600);
			assert!(found == expected, "from {from}");
		}
		chains.forget(task).expect("ours");
		chains.forget(task).expect("twice is once");
		assert_eq!(chains.read(task, 0).expect("readable"), None);
	}

	#[test]
	fn a_crash_while_writing_loses_nothing_that_was_there() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (chains, task) = (WorkChains::new(folder.path().into()), TaskId(1));
		let blocks: Vec<WorkBlock> = (0..3).map(block).collect();
		chains.append(task, &blocks[..2]).expect("room");
		let cut = |path: PathBuf, more: &[u8]| {
			File::options().append(true).open(path).expect("ours").write_all(more).expect("room");
		};
		cut(chains.data(task), b"half a block");
		cut(chains.index(task), b"half");
		assert_eq!(chains.read(task, 0).expect("readable"), Some((2, blocks[..2].to_vec())));
		chains.append(task, &blocks[2..]).expect("room");
		assert_eq!(chains.read(task, 0).expect("readable"), Some((3, blocks)));
	}
}
