//! A task's work chain and receipts, as its owner keeps them: the chain destroys both when the task has
//! ended, and whoever has them can prove every verdict and payment for ever.
//!
//! A file that only grows: a mark and the task, then entries of `length (u32) ‖ block ‖ receipts`. The
//! blocks are linked by their hashes, so that what a crash has torn at the end is seen, and cut off.

use std::{
	fs::File,
	io::{self, Read, Seek, SeekFrom, Write},
	path::{Path, PathBuf},
};

use codec::{Decode, DecodeAll, Encode};
use dgcs_client::{AccountId, Balance, WorkChain};
use dgcs_primitives::{merkle_root, TaskId, WorkBlock};

use crate::record::RecordError;

/// Who did what in one block of the work chain.
pub type Receipt = dgcs_primitives::Receipt<AccountId, Balance>;

const MARK: &[u8; 16] = b"dgcs/verdicts/1\0";
/// The mark without its version.
const KIND: &[u8] = b"dgcs/verdicts/";
/// The most bytes of an entry: 64 verdicts, and receipts of 15 seats and 32 others, take less than 5 KiB.
const MAX_ENTRY: usize = 64 << 10;

/// One block, with the receipts that its root is over. `None`: they could not be read any more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
	/// The block.
	pub block: WorkBlock,
	/// Who did what in it.
	pub receipts: Option<Vec<Receipt>>,
}

impl Entry {
	/// Whether the receipts are those that the block commits to.
	pub fn is_sound(&self) -> bool {
		self.receipts
			.as_ref()
			.is_none_or(|receipts| merkle_root(receipts) == self.block.receipts_root)
	}
}

/// The verdicts of one task so far.
#[derive(Debug)]
pub struct Ledger {
	path: PathBuf,
	chain: WorkChain,
	receipts: Vec<Option<Vec<Receipt>>>,
}

impl Ledger {
	/// Reads what is kept of the task at `path`. Nothing at all is a task without a verdict.
	pub fn read(path: &Path, task: TaskId) -> Result<Self, RecordError> {
		let (ledger, _) = Self::load(path, task)?;
		Ok(ledger)
	}

	/// The ledger, and how many bytes of the file are right.
	fn load(path: &Path, task: TaskId) -> Result<(Self, u64), RecordError> {
		let failed = |source| RecordError::Io { path: path.into(), source };
		let foreign =
			|reason: &str| RecordError::Foreign { path: path.into(), reason: reason.into() };
		let mut ledger =
			Ledger { path: path.into(), chain: WorkChain::new(task), receipts: Vec::new() };
		let mut file = match File::open(path) {
			Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((ledger, 0)),
			file => io::BufReader::new(file.map_err(failed)?),
		};
		let mut header = [0; 24];
		if !full(file.read_exact(&mut header)).map_err(failed)? {
			// Torn before the first entry.
			return Ok((ledger, 0));
		}
		if header[..16] != MARK[..] {
			if let Some(version) = header[..16].strip_prefix(KIND) {
				let digits = version.iter().take_while(|byte| byte.is_ascii_digit());
				let version = digits.fold(0u32, |sum, byte| sum * 10 + u32::from(byte - b'0'));
				if version > 1 {
					return Err(RecordError::Future { path: path.into(), version });
				}
			}
			return Err(foreign("it does not start as verdicts do"));
		}
		if header[16..] != task.encode()[..] {
			return Err(foreign("it has the verdicts of another task"));
		}
		let mut right = header.len() as u64;
		let mut entry = Vec::new();
		loop {
			let mut length = [0; 4];
			if !full(file.read_exact(&mut length)).map_err(failed)? {
				break;
			}
			let length = u32::from_le_bytes(length) as usize;
			if length > MAX_ENTRY {
				break;
			}
			entry.resize(length, 0);
			if !full(file.read_exact(&mut entry)).map_err(failed)? {
				break;
			}
			let Ok(entry) = Entry::decode_all(&mut &entry[..]) else { break };
			if !entry.is_sound() || ledger.chain.push(entry.block).is_err() {
				break;
			}
			ledger.receipts.push(entry.receipts);
			right += 4 + length as u64;
		}
		Ok((ledger, right))
	}

	/// Appends entries that follow, and brings them to the disk. Those that don't follow are refused,
	/// together with all after them.
	pub fn append(&mut self, entries: Vec<Entry>) -> Result<(), RecordError> {
		if entries.is_empty() {
			return Ok(());
		}
		let path = self.path.clone();
		let failed = |source| RecordError::Io { path: path.clone(), source };
		let (_, right) = Self::load(&self.path, self.chain.task())?;
		let mut bytes = Vec::new();
		if right == 0 {
			bytes.extend_from_slice(MARK);
			self.chain.task().encode_to(&mut bytes);
		}
		for entry in entries {
			let encoded = entry.encode();
			let reason = "a verdict does not follow from those before";
			if !entry.is_sound() || self.chain.push(entry.block).is_err() {
				return Err(RecordError::Foreign {
					path: self.path.clone(),
					reason: reason.into(),
				});
			}
			self.receipts.push(entry.receipts);
			bytes.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
			bytes.extend_from_slice(&encoded);
		}
		let write = || {
			let mut file =
				File::options().create(true).truncate(false).write(true).open(&self.path)?;
			file.set_len(right)?;
			file.seek(SeekFrom::Start(right))?;
			file.write_all(&bytes)?;
			file.sync_all()
		};
		write().map_err(failed)
	}

	/// Forgets everything: what is kept is not what the chain says.
	pub fn reset(&mut self) -> Result<(), RecordError> {
		let failed = |source| RecordError::Io { path: self.path.clone(), source };
		match std::fs::remove_file(&self.path) {
			Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
			_ => {},
		}
		self.chain = WorkChain::new(self.chain.task());
		self.receipts.clear();
		Ok(())
	}

	/// The work chain.
	pub fn chain(&self) -> &WorkChain {
		&self.chain
	}

	/// The blocks with their receipts, first to last.
	pub fn entries(&self) -> impl Iterator<Item = (&WorkBlock, Option<&[Receipt]>)> {
		self.chain.blocks().iter().zip(self.receipts.iter().map(Option::as_deref))
	}
}

/// Whether a read was complete: the end of the file in its middle is no error.
fn full(read: io::Result<()>) -> io::Result<bool> {
	match read {
		Ok(()) => Ok(true),
		Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
		Err(error) => Err(error),
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use dgcs_primitives::{Outcome, RangeIndex, ResultDigest, Round, Verdict};
	use proptest::prelude::*;
	use sp_core::H256;

	use super::*;

	pub(crate) const TASK: TaskId = TaskId(5);

	pub(crate) fn receipt(worker: u8, agreed: u32, dissented: u32, paid: Balance) -> Receipt {
		Receipt { worker: AccountId::new([worker; 32]), agreed, dissented, paid }
	}

	/// A chain of `count` ranges with one subtask each, every third of which fails.
	pub(crate) fn entries(count: u32) -> Vec<Entry> {
		let mut chain = WorkChain::new(TASK);
		let make = |index: u32| {
			let receipts = vec![receipt(1, 1, 0, 100), receipt(2, 1, 0, 100), receipt(3, 0, 1, 0)];
			let outcome = match index % 3 {
				2 => Outcome::Failed,
				_ => Outcome::Agreed(ResultDigest(H256::repeat_byte(index as u8))),
			};
			let block = WorkBlock {
				task: TASK,
				index,
				parent: chain.tip(),
				when: 100 + index,
				open_subtasks: count - index - 1,
				range: RangeIndex(index),
				round: Round(0),
				verdicts: vec![Verdict { subtask: 0, outcome }].try_into().expect("one"),
				receipts_root: merkle_root(&receipts),
			};
			chain.push(block.clone()).expect("linked just so");
			Entry { block, receipts: (index % 4 != 3).then_some(receipts) }
		};
		(0..count).map(make).collect()
	}

	fn new() -> (tempfile::TempDir, PathBuf) {
		let folder = tempfile::tempdir().expect("a folder");
		let path = folder.path().join("work-chain");
		(folder, path)
	}

	fn read(path: &Path) -> Vec<Entry> {
		let ledger = Ledger::read(path, TASK).expect("readable");
		let entry = |(block, receipts): (&WorkBlock, Option<&[Receipt]>)| Entry {
			block: block.clone(),
			receipts: receipts.map(<[_]>::to_vec),
		};
		ledger.entries().map(entry).collect()
	}

	#[test]
	fn verdicts_are_kept_in_parts() {
		let (_folder, path) = new();
		let all = entries(9);
		assert!(read(&path).is_empty());
		for part in all.chunks(4) {
			Ledger::read(&path, TASK).expect("readable").append(part.to_vec()).expect("linked");
		}
		assert_eq!(read(&path), all);
		let mut ledger = Ledger::read(&path, TASK).expect("readable");
		ledger.reset().expect("removable");
		assert!(read(&path).is_empty() && ledger.chain().height() == 0);
		ledger.append(all.clone()).expect("from the start");
		assert_eq!(read(&path), all);
	}

	#[test]
	fn what_does_not_follow_is_refused() {
		let (_folder, path) = new();
		let all = entries(4);
		let mut ledger = Ledger::read(&path, TASK).expect("nothing there");
		assert!(ledger.append(all[1..].to_vec()).is_err(), "the first one is missing");
		let mut forged = all.clone();
		forged[0].receipts = Some(vec![receipt(9, 1, 0, 1_000_000)]);
		assert!(ledger.append(forged).is_err(), "other receipts than the block commits to");
		assert!(read(&path).is_empty());
	}

	#[test]
	fn foreign_and_future_files_are_refused() {
		let (_folder, path) = new();
		let mut ledger = Ledger::read(&path, TASK).expect("nothing there");
		ledger.append(entries(2)).expect("linked");
		let other = Ledger::read(&path, TaskId(6));
		assert!(matches!(other, Err(RecordError::Foreign { .. })), "another task's");
		let with = |bytes: &[u8]| {
			std::fs::write(&path, bytes).expect("writable");
			Ledger::read(&path, TASK)
		};
		let future = with(b"dgcs/verdicts/12\0........");
		assert!(matches!(future, Err(RecordError::Future { version: 12, .. })));
		assert!(matches!(with(&[7; 100]), Err(RecordError::Foreign { .. })));
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 128,
			failure_persistence: None,
			..ProptestConfig::default()
		})]

		/// Wherever a crash tears the file, what was whole before is kept, and it goes on from there.
		#[test]
		fn torn_files_go_on(cut in 0usize..2000, garbage in proptest::collection::vec(any::<u8>(), 0..40)) {
			let (_folder, path) = new();
			let all = entries(6);
			Ledger::read(&path, TASK).expect("nothing there").append(all.clone()).expect("linked");
			let mut bytes = std::fs::read(&path).expect("just written");
			let cut = cut.min(bytes.len());
			// Garbage in the mark is another file, not a torn one.
			prop_assume!(cut >= 24 || garbage.is_empty());
			bytes.truncate(cut);
			bytes.extend_from_slice(&garbage);
			std::fs::write(&path, &bytes).expect("writable");
			let kept = read(&path);
			prop_assert!(kept == all[..kept.len()]);
			let mut ledger = Ledger::read(&path, TASK).expect("readable");
			ledger.append(all[kept.len()..].to_vec()).expect("what follows");
			prop_assert_eq!(read(&path), all);
		}
	}
}
