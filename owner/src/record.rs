//! What is kept of each task on its owner's machine, so that every step can be taken up again.
//!
//! ```text
//! FOLDER/NAME/record.json   what was asked for, and how far it is: replaced as a whole
//!             work-chain    verdicts and receipts as they fall: see `ledger`
//!             program.wasm  of a task that was found on the chain: what merges its results
//!             lock          held by the process that works on the task
//! ```
//!
//! Nothing here is needed to read a task's data: its owner's secret and the chain are. What is only
//! here is what the chain destroys when a task ends.

use std::{
	fs::{self, File, Metadata, TryLockError},
	io::{self, Read, Write},
	path::{Path, PathBuf},
	time::UNIX_EPOCH,
};

use codec::Encode;
use dgcs_client::{AccountId, Balance};
use dgcs_content::TaskNonce;
use dgcs_primitives::{ContentId, Settlement, TaskId, TaskSpec};
use serde::{Deserialize, Serialize};
use sp_core::{Blake2Hasher, Hasher, H256};
use walkdir::WalkDir;

use crate::{
	error,
	reason::Reason,
	wish::{JoinBy, Wish},
};

/// The version of the format. Earlier records are read as well: those of version 1 lack what is optional
/// here, and up to version 2 the reasons of gaps are words.
const VERSION: u32 = 3;
/// The largest file that is read. Arguments and environment are at most 64 KiB, and there is little else.
const MAX_FILE: u64 = 4 << 20;
/// The most tasks that are listed.
const MAX_TASKS: usize = 100_000;

const RECORD: &str = "record.json";
const WORK_CHAIN: &str = "work-chain";
const LOCK: &str = "lock";
const MARK: &str = "dgcs-task";

/// Why a task's record can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
	/// A file can't be read or written.
	#[error("{}: {source}; check the disk, and that the folder belongs to this user", .path.display())]
	Io {
		/// The file.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// The file is none of ours.
	#[error("{} is no record of a task: {reason}; move it away", .path.display())]
	Foreign {
		/// The file.
		path: PathBuf,
		/// What is wrong with it.
		reason: String,
	},
	/// The file was written by a later version.
	#[error(
		"{} is of version {version}, and this dgcs knows up to {VERSION}: update dgcs", .path.display()
	)]
	Future {
		/// The file.
		path: PathBuf,
		/// Its version.
		version: u32,
	},
	/// There is no such task here.
	#[error(
		"there is no task `{name}` in {}. See `dgcs task list`; a task of another machine is named by its \
		 number on the chain", .folder.display()
	)]
	Unknown {
		/// What was asked for.
		name: String,
		/// Where it was looked for.
		folder: PathBuf,
	},
	/// Another process works on it.
	#[error("another dgcs works on the task {name}: wait until it is done, or stop it")]
	Busy {
		/// The task's local name.
		name: String,
	},
}

type Result<T> = std::result::Result<T, RecordError>;

fn at(path: &Path) -> impl FnOnce(io::Error) -> RecordError + '_ {
	move |source| RecordError::Io { path: path.into(), source }
}

/// What a file or folder looked like: if it looks the same, what was made of it is still right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stamp {
	/// How many bytes it has. Of a folder: all files in it.
	pub len: u64,
	/// When it was changed last, in nanoseconds since 1970. Of a folder: the newest file in it.
	pub modified: u64,
	/// Of a folder: the names of all that is in it, and the lengths and times of its files, as one hash.
	/// Records of version 1 have none, so that their folders look like no folder of today.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub entries: Option<H256>,
}

impl Stamp {
	/// That of the file or folder at `path`. Of a folder it looks at every file, and opens none.
	pub fn of(path: &Path) -> error::Result<Self> {
		let metadata = path.metadata().map_err(error::at(path))?;
		if !metadata.is_dir() {
			let modified = changed(path, &metadata)?;
			return Ok(Stamp { len: metadata.len(), modified, entries: None });
		}
		let (mut len, mut modified, mut entries) = (0u64, 0u64, H256::zero());
		for entry in WalkDir::new(path).min_depth(1) {
			let entry = entry.map_err(unlisted)?;
			let (found, metadata) = (entry.path(), entry.metadata().map_err(unlisted)?);
			let name = found.strip_prefix(path).unwrap_or(found).as_os_str().as_encoded_bytes();
			// Of a folder its name alone: its time says that something was put there or removed, which is
			// seen anyway, and what was there for a moment changes nothing.
			let file = match metadata.is_dir() {
				true => None,
				false => Some((metadata.len(), changed(found, &metadata)?)),
			};
			let (bytes, time) = file.unwrap_or_default();
			len = len.saturating_add(bytes);
			modified = modified.max(time);
			// In whatever order they come, so that no list of them has to be kept and sorted. No two have the
			// same name, so that none takes another one away.
			entries ^= Blake2Hasher::hash(&(name, file).encode());
		}
		Ok(Stamp { len, modified, entries: Some(entries) })
	}
}

/// That a folder can't be listed, or something in it not be looked at.
fn unlisted(error: walkdir::Error) -> error::Error {
	let path = error.path().unwrap_or(Path::new("")).to_owned();
	error::at(&path)(error.into())
}

/// When a file was changed last, in nanoseconds since 1970.
fn changed(path: &Path, metadata: &Metadata) -> error::Result<u64> {
	let time = metadata.modified().map_err(error::at(path))?;
	let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
	Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// A task whose content is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Content {
	/// The specification, ready to be submitted.
	pub spec: TaskSpec<Balance>,
	/// The program. Another task may have the same.
	pub program: ContentId,
	/// How many bytes the input has.
	pub input_len: u64,
	/// How many shards there are.
	pub shards: u32,
}

/// How far the submission is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Submission {
	/// Nothing was sent.
	#[default]
	None,
	/// A transaction was sent, or was about to be.
	Sent {
		/// The last finalised block before that.
		since: u32,
	},
	/// The task is in the finalised chain.
	Done {
		/// Its number.
		task: TaskId,
		/// The block that it was submitted in.
		block: u32,
	},
}

/// How far the results are fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fetched {
	/// Where to.
	pub folder: PathBuf,
	/// The first subtask whose output is not there yet.
	pub next: u32,
	/// How many bytes of output are there.
	pub bytes: u64,
	/// Subtasks that add nothing, or not what they should, and why.
	pub gaps: Vec<(u32, Reason)>,
	/// Whether all of it is in its place.
	pub done: bool,
}

impl Fetched {
	/// Nothing yet.
	pub(crate) fn begun(folder: PathBuf) -> Self {
		Fetched { folder, next: 0, bytes: 0, gaps: Vec::new(), done: false }
	}

	/// Whether all that there is was fetched, and it is not what was asked for.
	pub fn lacks(&self) -> bool {
		self.done && !self.gaps.is_empty()
	}
}

/// What is kept of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
	/// Names the kind of file.
	format: String,
	/// The version of the format.
	version: u32,
	/// The task's name on this machine.
	pub name: String,
	/// The first block of its chain.
	pub genesis: H256,
	/// Who owns it.
	pub owner: AccountId,
	/// What makes its keys its own.
	pub nonce: H256,
	/// What was asked for. `None`: the task was found on the chain, and its results are not merged, or
	/// nobody has looked.
	pub wish: Option<Wish>,
	/// What the input looked like when it was read first.
	pub input: Option<Stamp>,
	/// What the program looked like. `None`: the task was found on the chain.
	pub program: Option<Stamp>,
	/// What was made of it. `None`: not prepared to the end.
	pub content: Option<Content>,
	/// How far the submission is.
	pub submission: Submission,
	/// Whether enough masternodes hold all of it.
	pub held: bool,
	/// Where its results are to be put.
	pub out: Option<PathBuf>,
	/// How far they are.
	pub fetched: Option<Fetched>,
	/// How it ended.
	pub settlement: Option<Settlement<AccountId, Balance>>,
	/// The local name of the task that merges its results: the last one, if there were several.
	pub merge: Option<String>,
}

impl Record {
	/// A task that is to be made, with a name from its nonce.
	pub fn new(genesis: H256, owner: AccountId, nonce: TaskNonce) -> Self {
		let name = nonce.0[..4].iter().map(|byte| format!("{byte:02x}")).collect();
		Record {
			format: MARK.into(),
			version: VERSION,
			name,
			genesis,
			owner,
			nonce: H256(nonce.0),
			wish: None,
			input: None,
			program: None,
			content: None,
			submission: Submission::None,
			held: false,
			out: None,
			fetched: None,
			settlement: None,
			merge: None,
		}
	}

	/// The task's number on the chain, once it has one.
	pub fn task(&self) -> Option<TaskId> {
		match self.submission {
			Submission::Done { task, .. } => Some(task),
			_ => None,
		}
	}

	/// The task as its owner names it: by its number, or by its local name until it has one.
	pub fn label(&self) -> String {
		self.task().map_or_else(|| self.name.clone(), |task| task.to_string())
	}

	/// Whether its results are merged by a second task.
	pub fn merges(&self) -> bool {
		self.wish.as_ref().is_some_and(|wish| wish.join == JoinBy::Merge)
	}

	/// What makes its keys its own.
	pub fn nonce(&self) -> TaskNonce {
		TaskNonce(self.nonce.0)
	}

	fn parse(path: &Path, text: &str) -> Result<Self> {
		#[derive(Deserialize)]
		struct Start {
			format: String,
			version: u32,
		}
		let foreign = |reason: String| RecordError::Foreign { path: path.into(), reason };
		let start: Start =
			serde_json::from_str(text).map_err(|error| foreign(error.to_string()))?;
		if start.format != MARK {
			return Err(foreign("it has another format".into()));
		}
		if start.version > VERSION {
			return Err(RecordError::Future { path: path.into(), version: start.version });
		}
		let mut record: Self =
			serde_json::from_str(text).map_err(|error| foreign(error.to_string()))?;
		if start.version < 3 {
			for (_, reason) in record.fetched.iter_mut().flat_map(|fetched| &mut fetched.gaps) {
				*reason = Reason::from(reason.to_string().as_str());
			}
		}
		// What is written again may have what an earlier version did not know.
		Ok(Record { version: VERSION, ..record })
	}
}

/// The folder with all tasks of one user.
#[derive(Clone, Debug)]
pub struct Tasks {
	folder: PathBuf,
}

impl Tasks {
	/// The tasks in `folder`, which need not exist yet.
	pub fn new(folder: impl Into<PathBuf>) -> Self {
		Tasks { folder: folder.into() }
	}

	/// Makes room for a task, and takes it.
	pub fn create(&self, record: Record) -> Result<Open> {
		let path = self.folder.join(&record.name);
		fs::create_dir_all(&path).map_err(at(&path))?;
		let open = self.lock(path, record)?;
		open.save()?;
		Ok(open)
	}

	/// Takes the task with this local name for this process.
	pub fn open(&self, name: &str) -> Result<Open> {
		let record = self.get(name)?;
		let open = self.lock(self.folder.join(&record.name), record)?;
		// What another process wrote before it let go.
		let record = self.get(&open.record.name)?;
		Ok(Open { record, ..open })
	}

	fn lock(&self, folder: PathBuf, record: Record) -> Result<Open> {
		let path = folder.join(LOCK);
		let lock = File::options().create(true).truncate(false).write(true).open(&path);
		let lock = lock.map_err(at(&path))?;
		match lock.try_lock() {
			Ok(()) => Ok(Open { folder, record, lock }),
			Err(TryLockError::WouldBlock) => Err(RecordError::Busy { name: record.name }),
			Err(TryLockError::Error(source)) => Err(RecordError::Io { path, source }),
		}
	}

	/// Reads the record with this local name.
	pub fn get(&self, name: &str) -> Result<Record> {
		let unknown = || RecordError::Unknown { name: name.into(), folder: self.folder.clone() };
		// Names are made here: eight hexadecimal digits, and never a path.
		if name.len() != 8 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
			return Err(unknown());
		}
		let path = self.folder.join(name).join(RECORD);
		let mut text = String::new();
		match File::open(&path) {
			Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(unknown()),
			Err(error) => return Err(at(&path)(error)),
			Ok(file) => {
				file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(at(&path))?;
			},
		}
		if text.len() as u64 > MAX_FILE {
			let reason = format!("it is longer than {MAX_FILE} bytes");
			return Err(RecordError::Foreign { path, reason });
		}
		let record = Record::parse(&path, &text)?;
		if record.name != name {
			let reason = format!("it is that of the task {}", record.name);
			return Err(RecordError::Foreign { path, reason });
		}
		Ok(record)
	}

	/// The record of a task on the chain with this first block.
	pub fn find(&self, genesis: H256, task: TaskId) -> Result<Option<Record>> {
		let mut all = self.list()?.0;
		all.retain(|record| record.genesis == genesis && record.task() == Some(task));
		Ok(all.pop())
	}

	/// All records, those that were changed last at the end, and what is wrong with the rest.
	pub fn list(&self) -> Result<(Vec<Record>, Vec<RecordError>)> {
		let entries = match fs::read_dir(&self.folder) {
			Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
			entries => entries.map_err(at(&self.folder))?,
		};
		let (mut found, mut wrong) = (Vec::new(), Vec::new());
		for entry in entries.take(MAX_TASKS) {
			let entry = entry.map_err(at(&self.folder))?;
			let name = entry.file_name();
			let Some(name) = name.to_str() else { continue };
			let changed = entry.path().join(RECORD).metadata().and_then(|file| file.modified());
			match self.get(name) {
				Ok(record) => found.push((changed.ok(), record)),
				Err(RecordError::Unknown { .. }) => {},
				Err(error) => wrong.push(error),
			}
		}
		found.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
		Ok((found.into_iter().map(|(_, record)| record).collect(), wrong))
	}

	/// Where the verdicts of a task are kept.
	pub fn work_chain(&self, name: &str) -> PathBuf {
		self.folder.join(name).join(WORK_CHAIN)
	}
}

/// A task that this process alone works on, until it is dropped.
#[derive(Debug)]
pub struct Open {
	folder: PathBuf,
	/// What is kept. [`Open::save`] writes it down.
	pub record: Record,
	#[allow(dead_code)] // Held for its lock.
	lock: File,
}

impl Open {
	/// Writes the record: all of it or nothing, and on the disk when this returns.
	pub fn save(&self) -> Result<()> {
		let path = self.folder.join(RECORD);
		let text = serde_json::to_vec_pretty(&self.record).map_err(|error| RecordError::Io {
			path: path.clone(),
			source: io::Error::other(error),
		})?;
		let write = || {
			let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
			file.write_all(&text)?;
			file.as_file().sync_all()?;
			file.persist(&path)?;
			#[cfg(unix)]
			File::open(&self.folder)?.sync_all()?;
			Ok(())
		};
		write().map_err(at(&path))
	}

	/// Changes the record, and writes it.
	pub fn update(&mut self, change: impl FnOnce(&mut Record)) -> Result<()> {
		change(&mut self.record);
		self.save()
	}

	/// Forgets the task: what is kept of it is gone.
	pub fn remove(self) -> Result<()> {
		fs::remove_dir_all(&self.folder).map_err(at(&self.folder))
	}

	/// Where its verdicts are kept.
	pub fn work_chain(&self) -> PathBuf {
		self.folder.join(WORK_CHAIN)
	}

	/// The task's own folder, for what it needs in between.
	pub fn folder(&self) -> &Path {
		&self.folder
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn tasks() -> (tempfile::TempDir, Tasks) {
		let folder = tempfile::tempdir().expect("a folder");
		let tasks = Tasks::new(folder.path().join("tasks"));
		(folder, tasks)
	}

	fn record(byte: u8) -> Record {
		Record::new(H256::repeat_byte(1), AccountId::new([2; 32]), TaskNonce([byte; 32]))
	}

	#[test]
	fn records_come_back_as_they_were() {
		let (_folder, tasks) = tasks();
		assert!(tasks.list().expect("nothing there").0.is_empty());
		let mut open = tasks.create(record(7)).expect("there is room");
		assert_eq!(open.record.name, "07070707");
		let done = Submission::Done { task: TaskId(u64::MAX), block: 3 };
		let settlement = Settlement {
			owner: AccountId::new([2; 32]),
			when: 9,
			end: dgcs_primitives::TaskEnd::Completed,
			chain: Default::default(),
			sums: dgcs_primitives::Sums { paid: u128::MAX, masternodes: 1, refunded: 2 },
		};
		open.update(|record| {
			record.submission = done;
			record.settlement = Some(settlement);
			record.wish = Some(Wish {
				program: "p.wasm".into(),
				input: None,
				split: crate::wish::Split::Index(3),
				join: crate::wish::JoinBy::Files,
				arguments: vec!["\"\n".into()],
				environment: vec![("A".into(), "1".into())],
				merge_arguments: vec!["join".into()],
				terms: crate::wish::Terms { reward: u128::MAX, ..crate::wish::Terms::usual() },
			});
		})
		.expect("there is room");
		let written = open.record.clone();
		drop(open);
		assert_eq!(tasks.get("07070707").expect("just written"), written);
		assert_eq!(tasks.open("07070707").expect("free").record, written);
		let genesis = H256::repeat_byte(1);
		let found = |genesis, task| tasks.find(genesis, TaskId(task)).expect("readable");
		assert_eq!(found(genesis, u64::MAX), Some(written));
		assert_eq!(found(genesis, 1), None);
		assert_eq!(found(H256::zero(), u64::MAX), None, "the same number on another chain");
	}

	#[test]
	fn one_process_at_a_time_has_a_task() {
		let (_folder, tasks) = tasks();
		let open = tasks.create(record(7)).expect("there is room");
		assert!(matches!(tasks.open("07070707"), Err(RecordError::Busy { .. })));
		tasks.get("07070707").expect("reading is free");
		drop(open);
		let open = tasks.open("07070707").expect("free again");
		open.remove().expect("it is there");
		assert!(matches!(tasks.get("07070707"), Err(RecordError::Unknown { .. })));
		assert!(tasks.list().expect("readable").0.is_empty());
	}

	#[test]
	fn torn_foreign_and_future_records_are_told_apart() {
		let (folder, tasks) = tasks();
		drop(tasks.create(record(7)).expect("there is room"));
		let path = folder.path().join("tasks/07070707/record.json");
		let text = fs::read_to_string(&path).expect("just written");
		let with = |text: &str| {
			fs::write(&path, text).expect("can be written");
			tasks.get("07070707")
		};
		for torn in ["", "{", &text[..text.len() / 2], "[]", "null", "{\"format\":\"dgcs-task\"}"] {
			assert!(matches!(with(torn), Err(RecordError::Foreign { .. })), "{torn}");
		}
		let other = text.replace("dgcs-task", "else");
		assert!(matches!(with(&other), Err(RecordError::Foreign { .. })));
		let more = text.replacen('{', "{\"unknown\": 1,", 1);
		assert!(matches!(with(&more), Err(RecordError::Foreign { .. })));
		let name = text.replace("07070707\"", "08080808\"");
		assert!(matches!(with(&name), Err(RecordError::Foreign { .. })));
		// A later version may have any fields.
		let future = "{\"format\": \"dgcs-task\", \"version\": 4, \"name\": []}";
		assert!(matches!(with(future), Err(RecordError::Future { version: 4, .. })));
		let (records, wrong) = tasks.list().expect("the folder is readable");
		assert!(records.is_empty());
		assert_eq!(wrong.len(), 1, "it is said, and does not hide the rest");
		with(&text).expect("as it was");
		fs::write(&path, " ".repeat(MAX_FILE as usize + 1)).expect("can be written");
		assert!(matches!(tasks.get("07070707"), Err(RecordError::Foreign { .. })));
	}

	#[test]
	fn records_of_version_1_are_read() {
		let (folder, tasks) = tasks();
		let mut open = tasks.create(record(7)).expect("there is room");
		open.update(|record| record.input = Some(Stamp { len: 0, modified: 5, entries: None }))
			.expect("there is room");
		let path = folder.path().join("tasks/07070707/record.json");
		let text = fs::read_to_string(&path).expect("just written");
		assert!(!text.contains("entries"), "a stamp as version 1 has it: {text}");
		let first = text.replace("\"version\": 3", "\"version\": 1");
		assert_ne!(first, text);
		fs::write(&path, first).expect("writable");
		let written = open.record.clone();
		drop(open);
		let open = tasks.open("07070707").expect("readable");
		assert_eq!(open.record, written);
		open.save().expect("there is room");
		assert_eq!(fs::read_to_string(&path).expect("just written"), text, "of today's version");
	}

	#[test]
	fn a_fetch_that_version_2_has_interrupted_goes_on() {
		let (folder, tasks) = tasks();
		let mut open = tasks.create(record(7)).expect("there is room");
		let reasons: [(Reason, &str); 4] = [
			(Reason::Undecided, "no verdict"),
			(Reason::Missing("b".into()), "nobody has its result (block b)"),
			(Reason::Unreadable("w".into()), "what its workers agreed on is no result (w)"),
			(Reason::Ended("trap".into()), "trap"),
		];
		let gaps: Vec<_> = (0..).zip(reasons.iter().map(|(reason, _)| reason.clone())).collect();
		open.update(|record| {
			record.fetched = Some(Fetched { next: 9, gaps, ..Fetched::begun("out".into()) });
		})
		.expect("there is room");
		let path = folder.path().join("tasks/07070707/record.json");
		let text = fs::read_to_string(&path).expect("just written");
		let mut second: serde_json::Value = serde_json::from_str(&text).expect("just written");
		second["version"] = 2.into();
		for (gap, (_, words)) in reasons.iter().enumerate() {
			second["fetched"]["gaps"][gap][1] = (*words).into();
		}
		fs::write(&path, second.to_string()).expect("writable");
		assert_eq!(tasks.get("07070707").expect("readable"), open.record);
		open.save().expect("there is room");
		assert_eq!(fs::read_to_string(&path).expect("just written"), text, "of today's version");
	}

	/// Makes a file, and leaves it another time than it had: the system's clock of files may not have
	/// ticked since.
	fn write(path: &Path, text: &str, seconds: u64) {
		fs::write(path, text).expect("writable");
		let file = File::options().write(true).open(path).expect("just written");
		let time = UNIX_EPOCH + std::time::Duration::from_secs(seconds);
		file.set_modified(time).expect("mine");
	}

	#[test]
	fn whatever_happens_to_a_file_in_a_folder_shows_in_its_stamp() {
		let folder = tempfile::tempdir().expect("a folder");
		let at = |name: &str| folder.path().join(name);
		let stamp = || Stamp::of(folder.path()).expect("readable");
		fs::create_dir_all(at("below/deep")).expect("possible");
		write(&at("one"), "1", 10);
		write(&at("below/deep/two"), "22", 20);
		let first = stamp();
		assert_eq!((first.len, first.modified), (3, 20_000_000_000));
		assert!(first.entries.is_some());
		assert_eq!(stamp(), first);

		// What was there for a moment is no change, and what is as it was is none either.
		write(&at("moment"), "x", 5);
		assert_ne!(stamp(), first, "a file is added");
		fs::remove_file(at("moment")).expect("there");
		assert_eq!(stamp(), first);

		write(&at("below/deep/two"), "23", 21);
		assert_ne!(stamp(), first, "a file is edited in place, and as long as before");
		write(&at("below/deep/two"), "22", 20);
		assert_eq!(stamp(), first);
		write(&at("one"), "1", 11);
		assert_ne!(stamp().entries, first.entries, "one that is not the newest");
		write(&at("one"), "1", 10);

		fs::rename(at("one"), at("uno")).expect("possible");
		assert_ne!(stamp(), first, "a file is renamed");
		fs::rename(at("uno"), at("below/one")).expect("possible");
		assert_ne!(stamp(), first, "a file is moved");
		fs::rename(at("below/one"), at("one")).expect("possible");
		assert_eq!(stamp(), first);
		fs::create_dir(at("empty")).expect("possible");
		assert_ne!(stamp(), first, "a folder is added");
		fs::remove_dir(at("empty")).expect("there");

		fs::remove_file(at("below/deep/two")).expect("there");
		assert_ne!(stamp(), first, "a file is removed");
		fs::remove_file(at("one")).expect("there");
		assert_eq!((stamp().len, stamp().modified), (0, 0));
	}

	#[test]
	fn a_folders_stamp_of_before_does_not_match() {
		let folder = tempfile::tempdir().expect("a folder");
		let now = Stamp::of(folder.path()).expect("readable");
		let before: Stamp = serde_json::from_str(r#"{"len":0,"modified":0}"#).expect("an old one");
		assert_eq!((before.len, before.modified), (now.len, now.modified));
		assert_ne!(before, now);
		// That of a file is what it was.
		write(&folder.path().join("file"), "text", 7);
		let file = Stamp::of(&folder.path().join("file")).expect("readable");
		assert_eq!(
			serde_json::to_string(&file).expect("plain"),
			r#"{"len":4,"modified":7000000000}"#
		);
		let missing = Stamp::of(&folder.path().join("none")).expect_err("there is none");
		assert!(missing.to_string().contains("none"), "{missing}");
	}

	#[test]
	fn names_are_no_paths() {
		let (folder, tasks) = tasks();
		fs::create_dir_all(folder.path().join("elsewhere")).expect("can be made");
		for name in ["", "..", "../elsewhere", "/etc", "7", "0707070g", "070707077"] {
			assert!(matches!(tasks.get(name), Err(RecordError::Unknown { .. })), "{name}");
		}
	}

	#[test]
	fn a_crash_while_writing_leaves_the_record_before() {
		let (folder, tasks) = tasks();
		drop(tasks.create(record(7)).expect("there is room"));
		// What a crash leaves of a file that was not yet in its place.
		fs::write(folder.path().join("tasks/07070707/.tmpAbCdEf"), "{\"form").expect("writable");
		assert_eq!(tasks.get("07070707").expect("untouched"), record(7));
		assert_eq!(tasks.list().expect("readable").0, [record(7)]);
	}
}
