//! Computes a range: from a lease to the digests of its results.
//!
//! ```text
//! manifest ─check─► key shares ─► keys ─► job, program, index ─► input ─► sandbox ─► sealed results, digests
//! ```
//!
//! Nothing here knows of the chain's clock, and nothing is written but to a folder of the worker's
//! own: who calls decides when results are shown.

mod rules;
mod source;
mod spool;

use std::{
	collections::BTreeMap,
	io::{self, Write},
	ops::ControlFlow,
	path::PathBuf,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::Duration,
};

use dgcs_content::{
	keys::KeyRing, read_shared, seal_result, BlockSink, BlockSource, EachPart, EncryptionSecret,
	Ending, Error as ContentError, Job, Manifest, RangeInput, Scope, ScopeKey, MAX_BLOCK,
};
use dgcs_primitives::{ContentId, Digests, ResultDigest, Round, TaskId, TaskSpec};
use dgcs_sandbox::{Cancel, PrepareError, Program, RunError, Sandbox, Subtask, MAX_PROGRAM_BYTES};

use rules::is_starved;
pub use rules::{
	ending, environment, limits, seed, MAX_OUTPUT, SUBTASKS_VARIABLE, SUBTASK_VARIABLE, UNSTARTABLE,
};
use source::RunSource;
use spool::{Input, NoRoom, Room, Scratch, Spool};

use crate::{
	chain::{Balance, Place},
	lend::Disk,
};

/// What a slot needs beside its program's memory, in MiB: for its input and output, on their way.
pub const OVERHEAD_MIB: u32 = 128;
/// Tasks whose manifest and program are kept ready.
const MAX_TASKS: usize = 16;
/// Ranges whose finished subtasks are remembered after their run was abandoned.
const MAX_PROGRESS: usize = 256;
/// Complaints about masternodes that an error carries.
const MAX_COMPLAINTS: usize = 8;

/// Where blocks come from, for the executor's threads.
pub trait Source: BlockSource + Send {}
impl<S: BlockSource + Send> Source for S {}

/// A share of a key, as a masternode gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
	/// Who gave it: an address or a name, for messages.
	pub from: String,
	/// The number of its holder in the manifest.
	pub holder: u8,
	/// The share, sealed to this worker's encryption key.
	pub sealed: Vec<u8>,
}

/// Where shares of keys come from: the masternodes.
pub trait KeyShares: Send + Sync {
	/// Asks for shares of the key of `scope` and hands them to `each` as they come, until it has
	/// had enough or all that can be asked were. Says what went wrong with those that gave none.
	/// Blocks, for a bounded time.
	fn collect(
		&self,
		task: TaskId,
		scope: Scope,
		each: &mut dyn FnMut(Given) -> ControlFlow<()>,
	) -> Vec<String>;
}

/// What is to be computed.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
	/// The range.
	pub place: Place,
	/// The round of the vote: results of each are sealed in their own way.
	pub round: Round,
	/// The subtasks to compute, as bits.
	pub open: u64,
	/// The task's specification, from the chain.
	pub spec: &'a TaskSpec<Balance>,
}

/// How one subtask went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
	/// The subtask's number within its task.
	pub subtask: u32,
	/// How its program ended.
	pub ending: Ending,
	/// The same in words.
	pub outcome: String,
	/// Fuel that it used.
	pub fuel: u64,
	/// Processor time that it took here.
	pub cpu_time: Duration,
	/// How what it wrote to standard error begins. Not part of the result.
	pub stderr: Vec<u8>,
	/// The digest of its result.
	pub digest: ResultDigest,
}

/// Why a range has no results.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
	/// Content can't be had, now.
	#[error("the content of task {task} can't be had: {source}")]
	Content {
		/// The task.
		task: TaskId,
		/// What and why.
		source: ContentError,
	},
	/// Content is not what the chain says, or does not open: its owner's fault.
	#[error("task {task} can't be computed by anybody: {source}; its owner must submit it anew")]
	Unfit {
		/// The task.
		task: TaskId,
		/// What and why.
		source: ContentError,
	},
	/// Not enough masternodes gave a right share.
	#[error("no key for {scope} of task {task}: {source}{}", list(.complaints))]
	Key {
		/// The task.
		task: TaskId,
		/// Whose key.
		scope: Scope,
		/// How many shares are there, and how many are needed.
		source: ContentError,
		/// Who gave none or a wrong one, and why.
		complaints: Vec<String>,
	},
	/// The task needs more than a slot has.
	#[error("task {task} needs {needed} MiB for a program with its input and output, and a slot has {slot}; lend more memory")]
	Memory {
		/// The task.
		task: TaskId,
		/// What it needs, in MiB.
		needed: u64,
		/// What a slot has, in MiB.
		slot: u64,
	},
	/// The input of a subtask needs more disk than is lent to all inputs.
	#[error("task {task} needs {} MiB of disk for the input of a subtask, and {} MiB are lent to inputs; it is left to others. To compute such tasks, set disk_gib to {} or more", mib_at_least(*.needed), mib_at_most(*.lent), Disk::gib_for_inputs(*.needed))]
	Disk {
		/// The task.
		task: TaskId,
		/// What it needs, in bytes.
		needed: u64,
		/// What is lent, in bytes.
		lent: u64,
	},
	/// The inputs of other runs have the disk that it needs.
	#[error("task {task} needs {} MiB of disk for the input of a subtask, and other runs leave {} of {} MiB; it is tried again. To compute more of such tasks at a time, raise disk_gib", mib_at_least(*.needed), mib_at_most(*.free), mib_at_most(*.lent))]
	DiskBusy {
		/// The task.
		task: TaskId,
		/// What it needs, in bytes.
		needed: u64,
		/// What others leave, in bytes.
		free: u64,
		/// What is lent to all inputs, in bytes.
		lent: u64,
	},
	/// The program's time was over, and it had not had a processor for most of it.
	#[error("subtask {subtask} ran out of time with {cpu:?} of processor time in {limit:?}: this machine was too busy; nothing is voted, and it is tried again")]
	Starved {
		/// The subtask.
		subtask: u32,
		/// The processor time that it had.
		cpu: Duration,
		/// The time that it may take.
		limit: Duration,
	},
	/// This machine failed.
	#[error("this machine failed: {0}; nothing is voted, and it is tried again")]
	Machine(String),
	/// Nobody wants the results any more, or its slot is needed.
	#[error("abandoned")]
	Abandoned,
}

fn list(complaints: &[String]) -> String {
	complaints.iter().map(|complaint| format!("; {complaint}")).collect()
}

/// The result can't be written: the room for results is used up, or the disk fails.
fn unkept(task: TaskId, subtask: u32, error: ContentError) -> ExecuteError {
	let why = match error {
		ContentError::Store { source, .. } => source.to_string(),
		error => error.to_string(),
	};
	ExecuteError::Machine(format!(
		"the result of subtask {subtask} of task {task} can't be kept: {why}; free disk space, or \
		 raise disk_gib"
	))
}

fn mib_at_least(bytes: u64) -> u64 {
	bytes.div_ceil(1 << 20)
}

fn mib_at_most(bytes: u64) -> u64 {
	bytes >> 20
}

impl ExecuteError {
	fn content(task: TaskId, source: ContentError) -> Self {
		if is_owners_fault(&source) {
			ExecuteError::Unfit { task, source }
		} else {
			ExecuteError::Content { task, source }
		}
	}

	fn machine(error: impl std::fmt::Display) -> Self {
		ExecuteError::Machine(error.to_string())
	}
}

/// Whether everybody meets the same error, since the bytes are those that their names promise.
fn is_owners_fault(error: &ContentError) -> bool {
	// A block that is too large may be another's than its name's: nobody has read it to its end.
	if let ContentError::TooLarge { limit, .. } = error {
		return *limit != MAX_BLOCK as u64;
	}
	matches!(
		error,
		ContentError::Tree { .. }
			| ContentError::Length { .. }
			| ContentError::Cid(_)
			| ContentError::Sealed { .. }
			| ContentError::Manifest(_)
			| ContentError::Index { .. }
			| ContentError::OutOfRange { .. }
			| ContentError::Decode { .. }
			| ContentError::Holders(_)
	)
}

/// Ends runs from another thread.
#[derive(Clone, Debug, Default)]
pub struct Abandon {
	abandoned: Arc<AtomicBool>,
	cancel: Cancel,
}

impl Abandon {
	/// Ends every run that it was handed to within a fraction of a second, if it is in its program,
	/// or else before the next block of its content or its next subtask.
	pub fn abandon(&self) {
		self.abandoned.store(true, Ordering::Relaxed);
		self.cancel.cancel();
	}

	fn check(&self) -> Result<(), ExecuteError> {
		if self.abandoned.load(Ordering::Relaxed) {
			return Err(ExecuteError::Abandoned);
		}
		Ok(())
	}
}

/// Computes ranges, several at a time.
pub struct Executor {
	source: Arc<dyn Source>,
	shares: Arc<dyn KeyShares>,
	secret: EncryptionSecret,
	sandbox: Sandbox,
	scratch: Scratch,
	slot_memory_mib: u64,
	/// Tasks by manifest, used last at the end.
	tasks: Mutex<Vec<(TaskId, ContentId, Arc<Ready>)>>,
	progress: Mutex<BTreeMap<(Place, Round), BTreeMap<u32, ResultDigest>>>,
}

impl std::fmt::Debug for Executor {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Executor")
			.field("sandbox", &self.sandbox)
			.field("scratch", &self.scratch)
			.field("slot_memory_mib", &self.slot_memory_mib)
			.finish_non_exhaustive()
	}
}

/// What all ranges of a task have in common.
struct Ready {
	manifest: Manifest,
	job: Job,
	key: ScopeKey,
	/// `None`: no machine can start it.
	program: Option<Program>,
}

impl Executor {
	/// An executor that gets blocks from `source` and shares from `shares`, opens those with
	/// `secret`, puts large inputs in files without names in the folder `scratch`, and runs nothing
	/// that needs more than `slot_memory_mib`, [`OVERHEAD_MIB`] included.
	pub fn new(
		source: Arc<dyn Source>,
		shares: Arc<dyn KeyShares>,
		secret: EncryptionSecret,
		sandbox: Sandbox,
		scratch: PathBuf,
		slot_memory_mib: u64,
	) -> Self {
		Executor {
			source,
			shares,
			secret,
			sandbox,
			scratch: Scratch::new(scratch, u64::MAX),
			slot_memory_mib,
			tasks: Mutex::default(),
			progress: Mutex::default(),
		}
	}

	/// Lends `bytes` of disk to large inputs, those of all runs together. Without this they may take
	/// all that there is.
	#[must_use]
	pub fn lend_inputs(self, bytes: u64) -> Self {
		let scratch = Scratch::new(self.scratch.folder().into(), bytes);
		Executor { scratch, ..self }
	}

	/// Computes the open subtasks of a range one after the other, puts their sealed results to
	/// `results`, and gives their digests in order. `note` is told of each.
	///
	/// What was finished before a run was abandoned is not computed again by the next one.
	///
	/// All of it is done on this thread if that is the only one of its pool of rayon's; outside of any pool,
	/// blocks are opened on all cores.
	///
	/// # Errors
	///
	/// When there is nothing to vote for. However a program ends is a result.
	pub fn run(
		&self,
		work: &Work<'_>,
		results: &dyn BlockSink,
		abandon: &Abandon,
		note: &dyn Fn(&Done),
	) -> Result<Digests, ExecuteError> {
		let ended = self.compute(work, results, abandon, note);
		// Whatever an abandoned run failed at on its way out.
		ended.map_err(|error| abandon.check().err().unwrap_or(error))
	}

	fn compute(
		&self,
		work: &Work<'_>,
		results: &dyn BlockSink,
		abandon: &Abandon,
		note: &dyn Fn(&Done),
	) -> Result<Digests, ExecuteError> {
		let Work { place: Place { task, range }, round, open, spec } = *work;
		let needed = u64::from(spec.limits.memory_mib) + u64::from(OVERHEAD_MIB);
		if needed > self.slot_memory_mib {
			return Err(ExecuteError::Memory { task, needed, slot: self.slot_memory_mib });
		}
		let source = RunSource::new(&*self.source, abandon);
		let ready = self.ready(task, spec, &source)?;
		abandon.check()?;
		let key = self.key(task, &ready.manifest, Scope::Range(range))?;
		let inputs = Inputs::open(self, &source, &ready, work, &key)?;
		let first = range.0.saturating_mul(spec.range_size);
		let mut digests = Digests::default();
		for bit in (0..spec.range_len(range)).filter(|bit| open >> bit & 1 == 1) {
			abandon.check()?;
			let subtask = first + bit;
			let known = self.finished(work).get(&subtask).copied();
			let digest = match known {
				Some(digest) => digest,
				None => {
					let (report, output) = self.subtask(&ready, spec, subtask, &inputs, abandon)?;
					let ending = report.ending;
					let digest =
						seal_result(results, &key, round, subtask, ending, &mut &output[..])
							.map_err(|error| unkept(task, subtask, error))?;
					note(&Done { digest, ..report });
					self.remember(work, subtask, digest);
					digest
				},
			};
			digests.try_push(digest).map_err(|_| {
				ExecuteError::Machine("a range has more subtasks than there can be".into())
			})?;
		}
		self.forget(work.place, round);
		Ok(digests)
	}

	/// Forgets what was finished of a range: its results are gone, or voted on.
	pub fn forget(&self, place: Place, round: Round) {
		lock(&self.progress).remove(&(place, round));
	}

	fn finished(&self, work: &Work<'_>) -> BTreeMap<u32, ResultDigest> {
		lock(&self.progress).get(&(work.place, work.round)).cloned().unwrap_or_default()
	}

	fn remember(&self, work: &Work<'_>, subtask: u32, digest: ResultDigest) {
		let mut progress = lock(&self.progress);
		if progress.len() < MAX_PROGRESS || progress.contains_key(&(work.place, work.round)) {
			progress.entry((work.place, work.round)).or_default().insert(subtask, digest);
		}
	}

	/// Manifest, job and program of a task, from memory or from its content.
	fn ready(
		&self,
		task: TaskId,
		spec: &TaskSpec<Balance>,
		source: &RunSource<'_>,
	) -> Result<Arc<Ready>, ExecuteError> {
		let known = {
			let mut tasks = lock(&self.tasks);
			let found =
				tasks.iter().position(|(id, name, _)| *id == task && *name == spec.manifest);
			found.map(|at| {
				let entry = tasks.remove(at);
				let ready = entry.2.clone();
				tasks.push(entry);
				ready
			})
		};
		if let Some(ready) = known {
			return Ok(ready);
		}
		let failed = |source| ExecuteError::content(task, source);
		let manifest = Manifest::get(source, &spec.manifest).map_err(failed)?;
		manifest.check(spec).map_err(failed)?;
		let key = self.key(task, &manifest, Scope::Task)?;
		let job = manifest.open_job(&key).map_err(failed)?;
		let program = self.program(task, &manifest, source)?;
		let ready = Arc::new(Ready { manifest, job, key, program });
		let mut tasks = lock(&self.tasks);
		if tasks.len() >= MAX_TASKS {
			tasks.remove(0);
		}
		tasks.push((task, spec.manifest, ready.clone()));
		Ok(ready)
	}

	/// The program. `None`: there is none that any machine could start.
	fn program(
		&self,
		task: TaskId,
		manifest: &Manifest,
		source: &RunSource<'_>,
	) -> Result<Option<Program>, ExecuteError> {
		let limit = MAX_PROGRAM_BYTES as u64;
		if manifest.program.len > limit {
			log::info!("task {task}: its program has {} bytes", manifest.program.len);
			return Ok(None);
		}
		let bytes = match manifest.get_program(source, limit) {
			Ok(bytes) => bytes,
			Err(error) if is_owners_fault(&error) => {
				log::info!("task {task}: its program is none: {error}");
				return Ok(None);
			},
			Err(source) => return Err(ExecuteError::Content { task, source }),
		};
		match self.sandbox.prepare(&bytes) {
			Ok(program) => Ok(Some(program)),
			Err(PrepareError::Program(error)) => {
				log::info!("task {task}: its program can't be started: {error}");
				Ok(None)
			},
			Err(error) => Err(ExecuteError::machine(error)),
		}
	}

	/// Rebuilds a key from shares. Each share is checked; who gave a wrong one is named.
	fn key(
		&self,
		task: TaskId,
		manifest: &Manifest,
		scope: Scope,
	) -> Result<ScopeKey, ExecuteError> {
		let mut ring = KeyRing::new(manifest, scope);
		let mut wrong = Vec::new();
		let mut key = None;
		let mut silent = self.shares.collect(task, scope, &mut |Given { from, holder, sealed }| {
			match ring.add(holder, &sealed, &self.secret) {
				Ok(()) => {},
				Err(error) => {
					log::warn!("task {task}: {from}: {error}");
					if wrong.len() < MAX_COMPLAINTS {
						wrong.push(format!("{from}: {error}"));
					}
				},
			}
			match ring.key() {
				Ok(found) => {
					key = Some(found);
					ControlFlow::Break(())
				},
				Err(_) => ControlFlow::Continue(()),
			}
		});
		let missing = match key {
			Some(key) => return Ok(key),
			None => ring.key(),
		};
		match missing {
			Ok(key) => Ok(key),
			Err(source) if is_owners_fault(&source) => Err(ExecuteError::Unfit { task, source }),
			Err(source) => {
				wrong.append(&mut silent);
				wrong.truncate(MAX_COMPLAINTS);
				Err(ExecuteError::Key { task, scope, source, complaints: wrong })
			},
		}
	}

	/// Room for inputs of at most `needed` bytes each, one at a time.
	fn reserve(&self, task: TaskId, needed: u64) -> Result<Arc<Room>, ExecuteError> {
		let lent = self.scratch.lent();
		self.scratch.reserve(needed).map_err(|why| match why {
			NoRoom::Ever => ExecuteError::Disk { task, needed, lent },
			NoRoom::Now { free } => ExecuteError::DiskBusy { task, needed, free, lent },
		})
	}

	/// Gets an input of `len` bytes, all of it. The inner error is the owner's fault.
	fn spool(
		&self,
		task: TaskId,
		len: u64,
		room: &Arc<Room>,
		source: &RunSource<'_>,
		read: impl FnOnce(&mut EachPart<'_>) -> Result<(), ContentError>,
	) -> Result<Result<Input, String>, ExecuteError> {
		let folder = self.scratch.folder().display();
		let full = |error: io::Error| {
			ExecuteError::Machine(format!("an input can't be written to {folder}: {error}"))
		};
		let mut spool = Spool::new(len, room).map_err(&full)?;
		let mut ended = None;
		let read = read(&mut |_, part| {
			let kept = source.check().and_then(|()| spool.write_all(part).map_err(&full));
			kept.map_err(|error| {
				ended = Some(error);
				ContentError::Stream(io::Error::other("nothing more of it is taken"))
			})
		});
		match (read, ended) {
			(Ok(()), _) => Ok(Ok(spool.finish())),
			(Err(_), Some(error)) => Err(error),
			(Err(error), None) if is_owners_fault(&error) => Ok(Err(error.to_string())),
			(Err(source), None) => Err(ExecuteError::Content { task, source }),
		}
	}

	/// Runs one subtask. The digest in the report is still to be filled in.
	fn subtask(
		&self,
		ready: &Ready,
		spec: &TaskSpec<Balance>,
		subtask: u32,
		inputs: &Inputs<'_>,
		abandon: &Abandon,
	) -> Result<(Done, Vec<u8>), ExecuteError> {
		let unstartable = |why: String| {
			let done = Done {
				subtask,
				ending: UNSTARTABLE,
				outcome: why,
				fuel: 0,
				cpu_time: Duration::ZERO,
				stderr: Vec::new(),
				digest: ResultDigest::default(),
			};
			Ok((done, Vec::new()))
		};
		let Some(program) = &ready.program else {
			return unstartable("the program can't be started".into());
		};
		let input = match inputs.of(subtask)? {
			Ok(input) => input,
			// The keys are right, or job and index would not have opened: all see the same.
			Err(error) => return unstartable(error),
		};
		let limits = limits(&spec.limits);
		let run = Subtask {
			stdin: input.reader().map_err(ExecuteError::machine)?,
			args: ready.job.arguments.clone(),
			env: environment(&ready.job, subtask, spec.subtasks),
			seed: seed(&ready.manifest.nonce, subtask),
			limits,
		};
		let report = match self.sandbox.run(program, run, &abandon.cancel) {
			Ok(report) => report,
			Err(RunError::Cancelled) => return Err(ExecuteError::Abandoned),
			Err(RunError::Argument(error)) => return unstartable(error.to_string()),
			Err(error) => return Err(ExecuteError::machine(error)),
		};
		if is_starved(report.outcome, report.cpu_time, limits.time) {
			let (cpu, limit) = (report.cpu_time, limits.time);
			return Err(ExecuteError::Starved { subtask, cpu, limit });
		}
		let ending = ending(report.outcome).ok_or_else(|| {
			ExecuteError::Machine(format!("the outcome {} has no ending", report.outcome))
		})?;
		let done = Done {
			subtask,
			ending,
			outcome: report.outcome.to_string(),
			fuel: report.fuel,
			cpu_time: report.cpu_time,
			stderr: report.stderr,
			digest: ResultDigest::default(),
		};
		Ok((done, report.output))
	}
}

/// The inputs of a range's subtasks, with the room that they need.
enum Inputs<'a> {
	/// All see the same, or the same that is wrong with it.
	Shared(Result<Input, String>),
	/// Each has a piece.
	Pieces {
		executor: &'a Executor,
		source: &'a RunSource<'a>,
		ready: &'a Ready,
		task: TaskId,
		/// The first subtask of the range.
		first: u32,
		pieces: RangeInput,
		room: Arc<Room>,
	},
}

impl<'a> Inputs<'a> {
	/// Reserves the room for the largest one before anything of them is fetched.
	fn open(
		executor: &'a Executor,
		source: &'a RunSource<'a>,
		ready: &'a Ready,
		work: &Work<'_>,
		key: &ScopeKey,
	) -> Result<Self, ExecuteError> {
		let Place { task, range } = work.place;
		let Ready { manifest, job, .. } = ready;
		if manifest.index.is_some() {
			let pieces = RangeInput::open(source, manifest, range, key)
				.map_err(|source| ExecuteError::content(task, source))?;
			let lens = (0u32..).zip(pieces.lens());
			let open = lens.filter(|(bit, _)| work.open >> bit & 1 == 1);
			let most = open.map(|(_, len)| *len).max().unwrap_or_default();
			let room = executor.reserve(task, most)?;
			let first = range.0.saturating_mul(manifest.range_size);
			return Ok(Inputs::Pieces { executor, source, ready, task, first, pieces, room });
		}
		let len = job.shared_input.unwrap_or_default();
		// More than there is of the stream is never read: it is refused, and that is the result.
		let kept = if len <= manifest.stream_len() { len } else { 0 };
		let room = executor.reserve(task, kept)?;
		let input = executor.spool(task, kept, &room, source, |each| {
			read_shared(source, manifest, &ready.key, len, each)
		});
		Ok(Inputs::Shared(input?))
	}

	/// The input of one subtask. The inner error is the owner's fault.
	fn of(&self, subtask: u32) -> Result<Result<Input, String>, ExecuteError> {
		match self {
			Inputs::Shared(input) => Ok(input.clone()),
			Inputs::Pieces { executor, source, ready, task, first, pieces, room } => {
				let number = subtask.saturating_sub(*first) as usize;
				// To read one that there isn't is an error.
				let len = pieces.lens().get(number).copied().unwrap_or_default();
				executor.spool(*task, len, room, source, |each| {
					pieces.read(*source, &ready.manifest, subtask, each)
				})
			},
		}
	}
}

/// What is locked is replaced as a whole or not at all, so a panic elsewhere does no harm to it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
