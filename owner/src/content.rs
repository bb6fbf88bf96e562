//! The content of a task in its owner's store: made, kept, given out, let go.

use std::{
	fs::File,
	io::{self, Read},
	path::Path,
	sync::{
		atomic::{AtomicBool, Ordering::Relaxed},
		Arc,
	},
};

use dgcs_client::{Account, AccountId, Chain};
use dgcs_content::{
	prepare as write_content, put_blob, Blob, BlockSink, Manifest, Plan, TaskNonce,
	DEFAULT_SHARD_SIZE, MAX_MANIFEST,
};
use dgcs_primitives::ContentId;
use dgcs_sandbox::{check, ProgramError, MAX_PROGRAM_BYTES};
use dgcs_store::Store;

use crate::{
	error::{at, Error, Result},
	fetch::{is_used, misses},
	network::Network,
	progress::{Progress, Tell},
	record::{Content, Open, Record, Stamp, Submission, Tasks},
	survey::{self, Survey},
	wish::{Outline, Wish},
};

/// Reads a program, and checks that it runs in every sandbox.
pub fn read_program(path: &Path) -> Result<Vec<u8>> {
	// Before it is opened: a pipe would have to be waited for.
	let metadata = path.metadata().map_err(at(path))?;
	let kind = metadata.file_type();
	if !kind.is_file() {
		let what = if kind.is_dir() { "a folder" } else { "a device, pipe or socket" };
		return Err(Error::NoFile { path: path.into(), what });
	}
	if metadata.len() > MAX_PROGRAM_BYTES as u64 {
		let bytes = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
		let source = ProgramError::TooLarge { bytes };
		return Err(Error::Program { path: path.into(), source });
	}
	let mut program = Vec::new();
	// It may grow: one byte more than allowed is refused as well as a gigabyte.
	let limit = MAX_PROGRAM_BYTES as u64 + 1;
	File::open(path)
		.and_then(|file| file.take(limit).read_to_end(&mut program))
		.map_err(at(path))?;
	check(&program).map_err(|source| Error::Program { path: path.into(), source })?;
	Ok(program)
}

/// Runs what may take long and waits for files and the store.
pub(crate) async fn blocking<T: Send + 'static>(
	work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
	let work = tokio::task::spawn_blocking(work);
	work.await.unwrap_or_else(|error| Err(Error::Broken(error.to_string())))
}

/// A store for as long as somebody waits for what is put there: a command that was interrupted would not
/// end before all of its input was encrypted.
struct Wanted {
	store: Store,
	given_up: Arc<AtomicBool>,
}

impl BlockSink for Wanted {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		if self.given_up.load(Relaxed) {
			return Err(io::Error::other("nobody waits for it any more"));
		}
		self.store.put(id, bytes)
	}
}

/// Gives up when it is dropped, together with whoever waits.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
	fn drop(&mut self) {
		self.0.store(true, Relaxed);
	}
}

/// An earlier run's task for the same wish, if nothing about program and input has changed: one that is
/// not submitted for certain, or one whose solution was to go to `out`, and is there or on its way. One that
/// is paid needs neither of them any more, and goes on without what is gone.
///
/// # Errors
///
/// If such a task is paid, or may be, and program or input has changed since: nobody is to pay twice who
/// did not mean to.
pub fn resume(
	tasks: &Tasks,
	chain: &Chain,
	owner: &AccountId,
	wish: &Wish,
	out: Option<&Path>,
) -> Result<Option<Record>> {
	let same = |record: &Record| {
		record.genesis == chain.genesis()
			&& record.owner == *owner
			&& record.wish.as_ref().is_some_and(|asked| asked.is_alike(wish))
	};
	let mut wanted = tasks.list()?.0;
	wanted.retain(|record| same(record) && is_wanted(tasks, record, out));
	choose(wanted, stamps(wish))
}

/// The task that goes on, of those that a run may go on with: the last one is the one changed last. `stamps`
/// are those of program and input now.
fn choose(
	mut wanted: Vec<Record>,
	stamps: Result<(Stamp, Option<Stamp>)>,
) -> Result<Option<Record>> {
	if let Ok((program, input)) = &stamps {
		let same = |record: &Record| (record.program, record.input) == (Some(*program), *input);
		if let Some(place) = wanted.iter().rposition(same) {
			return Ok(Some(wanted.swap_remove(place)));
		}
	}
	let paid = wanted.into_iter().rfind(|record| record.submission != Submission::None);
	match (stamps, paid) {
		(Ok(_), None) => Ok(None),
		(Ok(_), Some(paid)) => {
			let (task, name) = (paid.task(), paid.name);
			Err(Error::PaidBefore { name, task })
		},
		// What can't be looked at can't have been meant to be computed anew.
		(Err(_), Some(paid)) => Ok(Some(paid)),
		(Err(error), None) => Err(error),
	}
}

/// Whether a run whose solution is to go to `out` goes on with this task, which is for the same wish.
fn is_wanted(tasks: &Tasks, record: &Record, out: Option<&Path>) -> bool {
	match (record.submission, out) {
		(Submission::None | Submission::Sent { .. }, _) => true,
		(Submission::Done { .. }, None) => false,
		(Submission::Done { .. }, Some(out)) => {
			let solved = is_solved(tasks, record);
			record.out.as_deref() == Some(out)
				&& (!solved || (!is_in_vain(record) && is_used(out).unwrap_or(false)))
		},
	}
}

/// Whether a task has ended without any result: it won't have one.
fn is_in_vain(record: &Record) -> bool {
	record.settlement.as_ref().is_some_and(|end| end.chain.agreed == 0)
}

/// Whether there is nothing left to do for a task that was submitted.
pub(crate) fn is_solved(tasks: &Tasks, record: &Record) -> bool {
	if is_in_vain(record) {
		return true;
	}
	if !record.merges() {
		return record.fetched.as_ref().is_some_and(|fetched| fetched.done && !misses(fetched));
	}
	// A merge step that failed can be done again: what it merges is there, and paid.
	let step = record.merge.as_ref().and_then(|name| tasks.get(name).ok());
	let fetched = step.and_then(|step| step.fetched);
	fetched.is_some_and(|fetched| fetched.done && !fetched.lacks())
}

fn stamps(wish: &Wish) -> Result<(Stamp, Option<Stamp>)> {
	let input = wish.input.as_deref().map(Stamp::of).transpose()?;
	Ok((Stamp::of(&wish.program)?, input))
}

/// The task that `wish` asks for: that of an earlier run ([`resume`]), or else a new one.
pub fn begin(
	tasks: &Tasks,
	chain: &Chain,
	owner: &AccountId,
	wish: &Wish,
	out: Option<&Path>,
) -> Result<Open> {
	if let Some(record) = resume(tasks, chain, owner, wish, out)? {
		let mut open = tasks.open(&record.name)?;
		// As long as nothing is paid, what is asked for is what was asked for last.
		let changed = open.record.wish.as_ref() != Some(wish);
		if changed && open.record.submission == Submission::None {
			open.update(|record| record.wish = Some(wish.clone()))?;
		}
		return Ok(open);
	}
	let mut record = Record::new(chain.genesis(), owner.clone(), TaskNonce::random());
	record.wish = Some(wish.clone());
	let (program, input) = stamps(wish)?;
	(record.program, record.input) = (Some(program), input);
	record.out = out.map(Path::to_owned);
	Ok(tasks.create(record)?)
}

/// Makes the task's content of its input and puts all of it into `store`, where it is kept. Does nothing
/// if that was done before.
pub async fn prepare(
	chain: &Chain,
	account: &Account,
	store: &Store,
	survey: &Survey,
	task: &mut Open,
	tell: &Tell,
) -> Result<()> {
	if task.record.content.is_some() {
		return Ok(());
	}
	let Some(wish) = task.record.wish.clone() else {
		return Err(Error::NotPrepared { name: task.record.name.clone() });
	};
	let at = chain.at_finalized().await?;
	let masternodes = Network::at(&at).await?.holders()?;
	let (secret, nonce) = (account.owner_secret(), task.record.nonce());
	let (cut, range_size) = (survey.cut, wish.terms.range_size(survey.subtasks));
	let wanted = GiveUp(Arc::default());
	let sink = Wanted { store: store.clone(), given_up: wanted.0.clone() };
	tell.say(Progress::Reading { bytes: survey.bytes });
	let (said, asked) = (tell.clone(), wish.clone());
	let prepared = blocking(move || {
		let program = put_blob(&sink, &read_program(&asked.program)?)?;
		let plan = Plan {
			cut,
			join: asked.join.join(),
			merge: asked.merge_step(),
			range_size,
			shard_size: DEFAULT_SHARD_SIZE,
			program,
			arguments: asked.arguments.clone(),
			environment: asked.environment.clone(),
			masternodes,
		};
		let input = survey::input(&asked)?;
		let mut progress = |bytes| said.say(Progress::Read { bytes });
		Ok(write_content(&input, &plan, &secret, nonce, &sink, &mut progress)?)
	})
	.await?;
	drop(wanted);
	let (expected, found) = (survey.subtasks, prepared.manifest.subtasks);
	if expected != found {
		return Err(Error::Changed { expected, found });
	}
	keep(store, &prepared.id, &prepared.manifest).await?;
	let outline = Outline {
		manifest: prepared.id,
		input_root: prepared.manifest.input_root(),
		subtasks: prepared.manifest.subtasks,
		range_size: prepared.manifest.range_size,
	};
	let spec = wish.terms.spec(&outline, at.block_time()?);
	// At most half a million: a manifest has no room for more.
	let shards = prepared.manifest.shards.len() as u32;
	let subtasks = spec.subtasks;
	let (program, input_len) = (prepared.manifest.program.id, prepared.input_len);
	task.update(|record| {
		record.content = Some(Content { spec, program, input_len, shards });
	})?;
	tell.say(Progress::Prepared { name: task.record.name.clone(), subtasks, shards });
	Ok(())
}

/// All trees that a task's content consists of, each with its length.
pub fn roots(id: &ContentId, manifest: &Manifest) -> Vec<(ContentId, u64)> {
	let blob = |Blob { id, len }: Blob| (id, len);
	let mut roots = vec![(*id, MAX_MANIFEST), blob(manifest.program), blob(manifest.private)];
	roots.extend(manifest.index.map(blob));
	roots.extend(manifest.holders.iter().map(|holder| blob(holder.shares)));
	roots.extend(manifest.shards.iter().map(|shard| (shard.id(), manifest.shard_size.into())));
	roots
}

/// Keeps all content of a task in `store`.
async fn keep(store: &Store, id: &ContentId, manifest: &Manifest) -> Result<()> {
	Ok(store.pin_all(&roots(id, manifest)).await?)
}

/// Lets go of the content of a task that has ended. `tasks` says who else needs its program.
pub async fn release(
	store: &Store,
	tasks: &Tasks,
	task: &Record,
	manifest: &Manifest,
) -> Result<()> {
	let Some(content) = &task.content else { return Ok(()) };
	let needs = |other: &Record| {
		other.name != task.name
			&& other.settlement.is_none()
			&& other.content.as_ref().is_some_and(|other| other.program == content.program)
	};
	let shared = tasks.list()?.0.iter().any(needs);
	for (root, _) in roots(&content.spec.manifest, manifest) {
		if !(shared && root == content.program) {
			store.unpin(&root).await?;
		}
	}
	Ok(())
}

/// The manifest of a prepared task, from the store or from whoever has it.
pub async fn manifest(store: &Store, task: &Record) -> Result<Manifest> {
	let name = task.name.clone();
	let content = task.content.clone().ok_or(Error::NotPrepared { name })?;
	let source = store.clone();
	blocking(move || {
		let manifest = Manifest::get(&source, &content.spec.manifest)?;
		manifest.check(&content.spec)?;
		Ok(manifest)
	})
	.await
}

#[cfg(test)]
mod tests {
	use std::fs;

	use dgcs_primitives::{ChainRecord, Settlement, Sums, TaskEnd, TaskId};
	use sp_core::H256;

	use super::*;
	use crate::{
		record::Fetched,
		wish::{JoinBy, Split, Terms},
	};

	/// A task that was submitted, of which nothing more is known.
	fn submitted(byte: u8, join: JoinBy) -> Record {
		let owner = AccountId::new([2; 32]);
		let mut record = Record::new(H256::repeat_byte(1), owner, TaskNonce([byte; 32]));
		record.wish = Some(Wish {
			program: "p.wasm".into(),
			input: None,
			split: Split::Index(3),
			join,
			arguments: vec![],
			environment: vec![],
			merge_arguments: vec![],
			terms: Terms::usual(),
		});
		record.submission = Submission::Done { task: TaskId(byte.into()), block: 1 };
		record
	}

	/// Nobody took it.
	fn expire(task: &mut Record) {
		task.settlement = Some(Settlement {
			owner: task.owner.clone(),
			when: 9,
			end: TaskEnd::Expired,
			chain: ChainRecord::default(),
			sums: Sums { paid: 0, masternodes: 0, refunded: 5 },
		});
	}

	fn fetched(gaps: &[&str]) -> Fetched {
		let gaps = gaps.iter().map(|reason| (0, (*reason).into())).collect();
		Fetched { next: 1, gaps, done: true, ..Fetched::begun("out".into()) }
	}

	#[test]
	fn a_merge_step_that_failed_is_no_solution() {
		let folder = tempfile::tempdir().expect("a folder");
		let tasks = Tasks::new(folder.path());
		let mut step = tasks.create(submitted(8, JoinBy::Concat)).expect("there is room");
		let mut task = submitted(7, JoinBy::Merge);
		task.fetched = Some(fetched(&[]));
		assert!(!is_solved(&tasks, &task), "its results are not merged");
		task.merge = Some(step.record.name.clone());
		assert!(!is_solved(&tasks, &task), "they are being merged");
		for failed in ["out of memory", "out of fuel", "timed out", "no verdict", "exit code 1"] {
			step.update(|step| step.fetched = Some(fetched(&[failed]))).expect("there is room");
			assert!(!is_solved(&tasks, &task), "{failed}");
		}
		step.update(|step| step.fetched = Some(fetched(&[]))).expect("there is room");
		assert!(is_solved(&tasks, &task));
		step.remove().expect("it is there");
		assert!(!is_solved(&tasks, &task), "nobody knows that step any more");
	}

	#[test]
	fn any_other_task_is_solved_when_it_is_fetched() {
		let tasks = Tasks::new("nowhere");
		let mut task = submitted(7, JoinBy::Concat);
		assert!(!is_solved(&tasks, &task));
		task.fetched = Some(Fetched { done: false, ..fetched(&[]) });
		assert!(!is_solved(&tasks, &task));
		task.fetched = Some(fetched(&["trap"]));
		assert!(is_solved(&tasks, &task), "computed again, it would trap again");
		task.fetched = Some(fetched(&["trap", "nobody has its result (block b)"]));
		assert!(!is_solved(&tasks, &task), "somebody may have it later");
		task.fetched = None;
		expire(&mut task);
		assert!(is_solved(&tasks, &task), "nobody took it");
	}

	#[test]
	fn a_run_goes_on_or_is_done_where_its_solution_is() {
		let folder = tempfile::tempdir().expect("a folder");
		let tasks = Tasks::new("nowhere");
		let out = folder.path().join("out");
		let mut task = submitted(7, JoinBy::Concat);
		task.out = Some(out.clone());
		let wanted = |task: &Record, out: &Path| is_wanted(&tasks, task, Some(out));
		assert!(wanted(&task, &out), "it is being computed");
		assert!(!wanted(&task, folder.path()), "its solution goes elsewhere");
		assert!(!is_wanted(&tasks, &task, None));
		task.fetched = Some(fetched(&[]));
		assert!(!wanted(&task, &out), "its solution was removed");
		fs::create_dir(&out).expect("can be made");
		assert!(!wanted(&task, &out), "its solution was removed");
		fs::write(out.join("result"), "").expect("writable");
		assert!(wanted(&task, &out), "it is done");
		assert!(!wanted(&task, folder.path()), "it is wanted elsewhere");
		expire(&mut task);
		assert!(!wanted(&task, &out), "what is there is no solution");
		task.submission = Submission::Sent { since: 1 };
		assert!(is_wanted(&tasks, &task, None), "it may be paid");
	}

	#[test]
	fn what_is_paid_goes_on_or_is_named_and_is_never_paid_twice() {
		let stamp = |len| Stamp { len, modified: 1, entries: None };
		let made = |byte, submission| {
			let mut record = submitted(byte, JoinBy::Concat);
			(record.program, record.input) = (Some(stamp(1)), Some(stamp(2)));
			record.submission = submission;
			record
		};
		let task = |byte| Submission::Done { task: TaskId(byte), block: 1 };
		let chosen = |wanted: &[Record], stamps| {
			choose(wanted.to_vec(), stamps).map(|found| found.map(|record| record.label()))
		};
		let (same, changed) =
			(|| Ok((stamp(1), Some(stamp(2)))), || Ok((stamp(1), Some(stamp(3)))));
		let gone = || Err(at("the/input")(io::ErrorKind::NotFound.into()));
		let label = |found: Result<Option<String>>| found.expect("it goes on");

		let paid = [made(5, task(5)), made(7, task(7))];
		assert_eq!(label(chosen(&paid, same())), Some("7".into()), "the last one");
		assert_eq!(label(chosen(&paid, gone())), Some("7".into()), "it needs no input any more");
		let error = chosen(&paid, changed()).expect_err("it would be paid twice").to_string();
		assert!(error.contains("task 7 of this command is paid already"), "{error}");
		assert!(error.contains("`dgcs task watch 7`") && error.contains("--out"), "{error}");

		let sent = [made(8, Submission::Sent { since: 1 })];
		let error = chosen(&sent, changed()).expect_err("it may be paid twice").to_string();
		assert!(error.contains("`dgcs task submit 08080808`"), "{error}");
		assert_eq!(label(chosen(&sent, gone())), Some("08080808".into()));

		let unpaid = [made(9, Submission::None)];
		assert_eq!(label(chosen(&unpaid, same())), Some("09090909".into()));
		assert_eq!(label(chosen(&unpaid, changed())), None, "it is made anew");
		let error = chosen(&unpaid, gone()).expect_err("there is no input").to_string();
		assert!(error.contains("the/input"), "{error}");
		// One that is paid is not in the way of one that is the same.
		let mut both = [made(7, task(7)), made(6, task(6))];
		both[1].input = Some(stamp(3));
		assert_eq!(label(chosen(&both, same())), Some("7".into()));
		assert_eq!(label(chosen(&both, changed())), Some("6".into()));
	}

	#[tokio::test(flavor = "multi_thread")]
	async fn nothing_is_put_once_nobody_waits() {
		let folder = tempfile::tempdir().expect("a folder");
		let embedded =
			dgcs_store::Embedded { listen: vec![], ..dgcs_store::Embedded::new(folder.path()) };
		let config = dgcs_store::Config::Embedded(embedded);
		let store = Store::open(&config).await.expect("a new store");
		let wanted = GiveUp(Arc::default());
		let sink = Wanted { store: store.clone(), given_up: wanted.0.clone() };
		let work = tokio::task::spawn_blocking(move || {
			let before = put_blob(&sink, b"waited for");
			drop(wanted);
			(before, put_blob(&sink, b"not any more"))
		});
		let (before, after) = work.await.expect("no panic");
		before.expect("there is room");
		let error = after.expect_err("given up").to_string();
		assert!(error.contains("nobody waits"), "{error}");
		store.shutdown().await.expect("it is open");
	}

	#[test]
	fn programs_are_checked_before_anything_is_paid() {
		let folder = tempfile::tempdir().expect("a folder");
		let path = folder.path().join("program");
		let refused = |bytes: &[u8]| {
			fs::write(&path, bytes).expect("can be written");
			read_program(&path).expect_err("no program").to_string()
		};
		assert!(refused(b"").contains("no WebAssembly"));
		assert!(refused(b"#!/bin/sh\n").contains("wasm32-wasip1"));
		// (module (import "env" "f" (func)))
		let foreign = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x09\x01\x03env\x01f\0\0";
		assert!(refused(foreign).contains("env.f"), "{}", refused(foreign));
		let large = MAX_PROGRAM_BYTES as u64 * 10;
		File::create(&path).and_then(|file| file.set_len(large)).expect("can be written");
		let error = read_program(&path).expect_err("ten times too large").to_string();
		assert!(error.contains("335544320 bytes, and may have 33554432"), "{error}");
		let missing = read_program(&folder.path().join("none")).expect_err("no file");
		assert!(missing.to_string().contains("none"));
		let wrong = read_program(folder.path()).expect_err("no file").to_string();
		assert!(wrong.contains("is a folder: give the file"), "{wrong}");
		#[cfg(unix)]
		{
			let socket = folder.path().join("socket");
			let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("possible");
			let wrong = read_program(&socket).expect_err("no file").to_string();
			assert!(wrong.contains("pipe or socket"), "{wrong}");
		}
	}
}
