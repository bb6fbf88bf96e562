//! What is pinned, on disk: one file for each task, to which every change is appended. The chain says
//! what is owed; this says what was checked and pinned, so that a restart fetches nothing twice, and
//! keeps results whose task the chain has forgotten. Lost, it is made anew from the chain.

use std::{
	collections::BTreeMap,
	fs::{self, File},
	io::{self, Write},
	path::{Path, PathBuf},
};

use codec::{Decode, Encode};
use dgcs_content::Blob;
use dgcs_primitives::{BlockNumber, TaskId};

use crate::book::Item;

/// A line of a task's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
enum Record {
	/// The blob is pinned.
	Got(Item, Blob),
	/// It no longer is.
	Released(Item),
	/// The task ended in this block; whether the chain keeps its settlement.
	Ended(BlockNumber, bool),
	/// The task was live in this final block.
	Live(BlockNumber),
}

/// What a file says of its task.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kept {
	/// What is pinned.
	pub held: BTreeMap<Item, Blob>,
	/// When the task ended, and whether its solution is kept.
	pub ended: Option<(BlockNumber, bool)>,
	/// A block in which it was live: in the states before it may not be known yet.
	pub live: BlockNumber,
}

/// The folder with the files.
#[derive(Debug)]
pub struct Ledger(PathBuf);

/// The ledger cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}: {source}; check free space and permissions")]
pub struct LedgerError {
	/// The file or folder.
	pub path: PathBuf,
	/// What the system says.
	#[source]
	pub source: io::Error,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> LedgerError + '_ {
	move |source| LedgerError { path: path.to_owned(), source }
}

impl Ledger {
	/// The ledger in `folder`, which is made if it does not exist.
	pub fn open(folder: impl Into<PathBuf>) -> Result<Self, LedgerError> {
		let folder = folder.into();
		fs::create_dir_all(&folder).map_err(failed(&folder))?;
		Ok(Ledger(folder))
	}

	/// What was kept of all tasks. A record that was cut short by a crash is dropped, and with it
	/// what follows: it is fetched again.
	pub fn read(&self) -> Result<Vec<(TaskId, Kept)>, LedgerError> {
		let mut tasks = Vec::new();
		for entry in fs::read_dir(&self.0).map_err(failed(&self.0))? {
			let path = entry.map_err(failed(&self.0))?.path();
			let name = path.file_name().and_then(|name| name.to_str());
			let Some(id) = name.and_then(|name| name.parse().ok()) else { continue };
			let bytes = fs::read(&path).map_err(failed(&path))?;
			let (kept, good) = replay(&bytes);
			if good < bytes.len() {
				log::warn!(
					target: crate::LOG_TARGET,
					"{} ends in a damaged record; what it kept is fetched again",
					path.display()
				);
				let file = File::options().write(true).open(&path).map_err(failed(&path))?;
				file.set_len(good as u64).map_err(failed(&path))?;
			}
			tasks.push((TaskId(id), kept));
		}
		Ok(tasks)
	}

	/// Notes that a blob is pinned.
	pub fn got(&self, task: TaskId, item: Item, blob: Blob) -> Result<(), LedgerError> {
		self.append(task, &[Record::Got(item, blob)])
	}

	/// Notes that a task was live in a block.
	pub fn live(&self, task: TaskId, at: BlockNumber) -> Result<(), LedgerError> {
		self.append(task, &[Record::Live(at)])
	}

	/// Notes that a task ended.
	pub fn ended(&self, task: TaskId, at: BlockNumber, kept: bool) -> Result<(), LedgerError> {
		self.append(task, &[Record::Ended(at, kept)])
	}

	/// Notes that blobs are no longer pinned.
	pub fn released(&self, task: TaskId, items: &[Item]) -> Result<(), LedgerError> {
		let records: Vec<Record> = items.iter().copied().map(Record::Released).collect();
		self.append(task, &records)
	}

	/// Forgets a task.
	pub fn forget(&self, task: TaskId) -> Result<(), LedgerError> {
		let path = self.path(task);
		match fs::remove_file(&path) {
			Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path)(error)),
			_ => Ok(()),
		}
	}

	fn path(&self, task: TaskId) -> PathBuf {
		self.0.join(task.to_string())
	}

	fn append(&self, task: TaskId, records: &[Record]) -> Result<(), LedgerError> {
		let path = self.path(task);
		let mut bytes = Vec::new();
		records.iter().for_each(|record| record.encode_to(&mut bytes));
		let file = File::options().create(true).append(true).open(&path);
		file.and_then(|mut file| file.write_all(&bytes)).map_err(failed(&path))
	}
}

/// What the records in `bytes` come to, and how many bytes of them are whole.
fn replay(bytes: &[u8]) -> (Kept, usize) {
	let mut kept = Kept::default();
	let mut rest = bytes;
	let mut good = 0;
	while let Ok(record) = Record::decode(&mut rest) {
		good = bytes.len() - rest.len();
		match record {
			Record::Got(item, blob) => {
				kept.held.insert(item, blob);
			},
			Record::Released(item) => {
				kept.held.remove(&item);
			},
			Record::Ended(at, solution) => kept.ended = Some((at, solution)),
			Record::Live(at) => kept.live = at,
		}
	}
	(kept, good)
}

#[cfg(test)]
mod tests {
	use super::*;
	use dgcs_primitives::{ContentCodec, ContentId};
	use sp_core::H256;

	fn blob(byte: u8) -> Blob {
		let id = ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(byte) };
		Blob { id, len: byte.into() }
	}

	#[test]
	fn what_was_noted_comes_back() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let ledger = Ledger::open(folder.path().join("new")).expect("can be made");
		let (one, two) = (TaskId(1), TaskId(2));
		ledger.got(one, Item::Manifest, blob(1)).expect("room");
		ledger.got(one, Item::Shard(7), blob(2)).expect("room");
		ledger.got(two, Item::Program, blob(3)).expect("room");
		ledger.live(two, 8).expect("room");
		ledger.ended(one, 9, true).expect("room");
		ledger.released(one, &[Item::Shard(7)]).expect("room");
		let mut read = Ledger::open(&ledger.0).expect("exists").read().expect("readable");
		read.sort_by_key(|(id, _)| *id);
		let first =
			Kept { held: [(Item::Manifest, blob(1))].into(), ended: Some((9, true)), live: 0 };
		let second = Kept { held: [(Item::Program, blob(3))].into(), ended: None, live: 8 };
		assert_eq!(read, [(one, first), (two, second)]);
		ledger.forget(one).expect("exists");
		ledger.forget(one).expect("twice is once");
		assert_eq!(ledger.read().expect("readable").len(), 1);
	}

	#[test]
	fn a_record_cut_short_is_dropped() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let ledger = Ledger::open(folder.path()).expect("exists");
		let task = TaskId(5);
		ledger.got(task, Item::Manifest, blob(1)).expect("room");
		let whole = fs::read(ledger.path(task)).expect("written");
		ledger.got(task, Item::Shard(1), blob(2)).expect("room");
		let both = fs::read(ledger.path(task)).expect("written");
		for len in whole.len()..both.len() {
			fs::write(ledger.path(task), &both[..len]).expect("room");
			let read = ledger.read().expect("readable");
			assert_eq!(read[0].1.held, [(Item::Manifest, blob(1))].into());
			ledger.got(task, Item::Shard(2), blob(3)).expect("room");
			assert_eq!(ledger.read().expect("readable")[0].1.held.len(), 2, "cut at {len}");
		}
	}
}
