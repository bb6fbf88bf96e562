//! A task computed at home, before strangers are paid for it: with the content, the executor and the
//! joins of a real one, and one worker that gets its keys from one masternode, both in this process.

use std::{
	fs::File,
	io::{BufWriter, Write},
	ops::ControlFlow,
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicU32, Ordering},
		Arc, Mutex, PoisonError,
	},
	time::Duration,
};

use dgcs_content::{
	get_blob,
	keys::{seal_release, HolderShares},
	prepare, put_blob, Directory, EncryptionSecret, Join, Joined, Manifest, Masternode,
	OwnerSecret, Plan, Private, Results, Scope, TaskNonce, Verdict, DEFAULT_SHARD_SIZE,
};
use dgcs_primitives::{EncryptionKey, RangeIndex, ResultDigest, Round, TaskId};
use dgcs_sandbox::Sandbox;
use dgcs_worker::{
	chain::Place,
	execute::{Abandon, Done, Executor, Given, KeyShares, Work, MAX_OUTPUT, OVERHEAD_MIB},
};
use serde::Serialize;
use sp_core::H256;

use crate::{
	content::read_program,
	error::{at, Error, Result},
	fetch::SOLUTION,
	reason::Reason,
	survey::{self, Survey},
	wish::{JoinBy, Outline, Wish},
};

/// No chain gives it a number.
const TASK: TaskId = TaskId(0);
/// Nor has one a say in how many milliseconds a block takes.
const BLOCK_TIME: u64 = 1;

/// What came of a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
	/// Subtasks that were computed, the merge step not counted.
	pub subtasks: u32,
	/// The processor time of all of them, and of the merge step.
	pub cpu_time: Duration,
	/// The most that one of them took.
	pub most: Most,
	/// What the merge step took, if there was one.
	pub merge: Option<Most>,
	/// Bytes of the solution.
	pub bytes: u64,
	/// Subtasks that did not end well, and how they ended.
	pub gaps: Vec<(u32, Reason)>,
}

/// The most that any of some computations took, each by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
	/// Processor time.
	pub time: Duration,
	/// Fuel.
	pub fuel: u64,
}

impl Trial {
	fn count(&mut self, done: &Done) {
		self.cpu_time = self.cpu_time.saturating_add(done.cpu_time);
		self.most.time = self.most.time.max(done.cpu_time);
		self.most.fuel = self.most.fuel.max(done.fuel);
	}
}

/// What a computation is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
	/// A piece of the input.
	Subtask,
	/// All results.
	Merge,
}

/// How a trial is made.
#[derive(Debug)]
pub struct Attempt<'a> {
	/// What would be computed.
	pub wish: &'a Wish,
	/// The one subtask to compute. `None`: all of them, and the merge step.
	pub only: Option<u32>,
	/// Where the solution goes, an empty folder. `None`: nowhere.
	pub out: Option<&'a Path>,
	/// How many subtasks are computed at a time.
	pub threads: usize,
	/// Ends it from elsewhere.
	pub abandon: &'a Abandon,
}

impl Attempt<'_> {
	/// Computes, and tells `note` of each subtask. Takes as much room in a temporary folder as the
	/// encrypted input and the results have. Random numbers differ from those of the task that strangers
	/// compute, and so do results that follow from them.
	///
	/// # Errors
	///
	/// Those of an input that can't be read or cut, of a program that no sandbox starts, and of this machine.
	/// However a program ends is a result.
	pub fn run(&self, note: &(dyn Fn(Step, &Done) + Sync)) -> Result<Trial> {
		self.run_step(Step::Subtask, note)
	}

	fn run_step(&self, step: Step, note: &(dyn Fn(Step, &Done) + Sync)) -> Result<Trial> {
		let folder = tempfile::tempdir().map_err(at(&std::env::temp_dir()))?;
		let survey = survey::survey(self.wish)?;
		let stage = Stage::set(self.wish, &survey, folder.path())?;
		let mut trial = Trial::default();
		let verdicts = stage.compute(self, &|done| note(step, done), &mut trial)?;
		trial.subtasks = u32::try_from(verdicts.len()).unwrap_or(u32::MAX);

		let merges = self.wish.join == JoinBy::Merge && self.only.is_none();
		let target = match self.out {
			Some(out) if !merges => Some(out.to_owned()),
			_ if merges => Some(folder.path().join("results")),
			_ => None,
		};
		let joined = stage.join(&verdicts, target.as_deref())?;
		trial.take(joined);
		let Some(results) = target.filter(|_| merges && trial.gaps.is_empty()) else {
			return Ok(trial);
		};
		let merge = self.wish.merge(results.join(SOLUTION));
		let merged = Attempt { wish: &merge, only: None, ..*self }.run_step(Step::Merge, note)?;
		trial.cpu_time = trial.cpu_time.saturating_add(merged.cpu_time);
		trial.merge = Some(merged.most);
		(trial.bytes, trial.gaps) = (merged.bytes, merged.gaps);
		Ok(trial)
	}
}

impl Trial {
	fn take(&mut self, joined: Joined) {
		self.bytes = joined.bytes;
		let reason = |(subtask, gap)| (subtask, Reason::from(gap));
		self.gaps = joined.gaps.into_iter().map(reason).collect();
	}
}

/// A task, with its content in a folder, and who computes it.
struct Stage {
	wish: Wish,
	content: Arc<Directory>,
	manifest: Manifest,
	spec: dgcs_primitives::TaskSpec<dgcs_client::Balance>,
	secret: OwnerSecret,
	executor: Executor,
}

impl Stage {
	fn set(wish: &Wish, survey: &Survey, folder: &Path) -> Result<Self> {
		let content = Arc::new(Directory::open(folder.join("content"))?);
		let (worker, masternode) = (EncryptionSecret::random(), EncryptionSecret::random());
		let plan = Plan {
			cut: survey.cut,
			join: wish.join.join(),
			merge: wish.merge_step(),
			range_size: wish.terms.range_size(survey.subtasks),
			shard_size: DEFAULT_SHARD_SIZE,
			program: put_blob(&*content, &read_program(&wish.program)?)?,
			arguments: wish.arguments.clone(),
			environment: wish.environment.clone(),
			masternodes: vec![Masternode { account: H256::zero(), key: masternode.public() }],
		};
		// As random as a nonce.
		let secret = OwnerSecret::from_bytes(TaskNonce::random().0);
		let nonce = TaskNonce::random();
		let input = survey::input(wish)?;
		let prepared = prepare(&input, &plan, &secret, nonce, &*content, &mut |_| ())?;
		let manifest = prepared.manifest;
		let shares = Shares::open(&content, &manifest, &masternode, worker.public())?;
		let outline = Outline {
			manifest: prepared.id,
			input_root: manifest.input_root(),
			subtasks: manifest.subtasks,
			range_size: manifest.range_size,
		};
		let spec = wish.terms.spec(&outline, BLOCK_TIME);
		let sandbox = Sandbox::new(None).map_err(machine)?;
		let slot = u64::from(spec.limits.memory_mib) + u64::from(OVERHEAD_MIB);
		let executor =
			Executor::new(content.clone(), Arc::new(shares), worker, sandbox, folder.into(), slot);
		Ok(Stage { wish: wish.clone(), content, manifest, spec, secret, executor })
	}

	/// Computes what is asked for, several subtasks at a time, and says what each came to.
	fn compute(
		&self,
		attempt: &Attempt<'_>,
		note: &(dyn Fn(&Done) + Sync),
		trial: &mut Trial,
	) -> Result<Vec<Verdict>> {
		let count = self.spec.subtasks;
		let subtasks = match attempt.only {
			None => 0..count,
			Some(only) if only < count => only..only + 1,
			Some(only) => {
				return Err(Error::Wish(format!(
					"there is no subtask {only}: the task has {count}, counted from 0"
				)))
			},
		};
		let next = AtomicU32::new(subtasks.start);
		let found = Mutex::new((Vec::new(), trial, Ok(())));
		let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
		let work = || loop {
			let subtask = next.fetch_add(1, Ordering::Relaxed);
			if subtask >= subtasks.end || lock().2.is_err() {
				return;
			}
			let told = |done: &Done| {
				lock().1.count(done);
				note(done);
			};
			match self.subtask(subtask, attempt.abandon, &told) {
				Ok(verdict) => lock().0.push(verdict),
				Err(error) => lock().2 = Err(error),
			}
		};
		std::thread::scope(|scope| {
			(0..attempt.threads.max(1)).for_each(|_| {
				scope.spawn(work);
			});
		});
		let (mut verdicts, _, ended) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
		ended?;
		verdicts.sort_by_key(|verdict| verdict.subtask);
		Ok(verdicts)
	}

	fn subtask(&self, subtask: u32, abandon: &Abandon, note: &dyn Fn(&Done)) -> Result<Verdict> {
		let range = RangeIndex(subtask / self.spec.range_size);
		let work = Work {
			place: Place { task: TASK, range },
			round: Round(0),
			open: 1 << (subtask % self.spec.range_size),
			spec: &self.spec,
		};
		let digests = self.executor.run(&work, &*self.content, abandon, note).map_err(machine)?;
		let result = digests.first().map(|digest: &ResultDigest| (*digest, Round(0)));
		Ok(Verdict { subtask, result })
	}

	/// Puts the results together in `folder`, or only looks how they ended.
	fn join(&self, verdicts: &[Verdict], folder: Option<&Path>) -> Result<Joined> {
		let keys = self.secret.task(&self.manifest.nonce);
		let results = Results::new(&*self.content, &self.manifest, &keys, MAX_OUTPUT);
		let verdicts = verdicts.iter().copied();
		let Some(folder) = folder else {
			return Ok(results.concatenate(verdicts, &mut std::io::sink())?);
		};
		if self.wish.join.join() == Join::Files {
			let private = Private::get(&*self.content, &self.manifest, &keys)?;
			return Ok(results.to_files(verdicts, &private, folder)?);
		}
		std::fs::create_dir_all(folder).map_err(at(folder))?;
		let path: PathBuf = folder.join(SOLUTION);
		let mut file = BufWriter::new(File::create_new(&path).map_err(at(&path))?);
		let joined = results.concatenate(verdicts, &mut file)?;
		file.flush().map_err(at(&path))?;
		Ok(joined)
	}
}

/// The shares of the one masternode that there is, for the one worker.
struct Shares {
	shares: HolderShares,
	nonce: TaskNonce,
	worker: EncryptionKey,
}

impl Shares {
	fn open(
		content: &Directory,
		manifest: &Manifest,
		masternode: &EncryptionSecret,
		worker: EncryptionKey,
	) -> Result<Self> {
		let (holder, nonce) = (manifest.holder(0)?, manifest.nonce);
		let blob = get_blob(content, &holder.shares.id, holder.shares.len)?;
		let (count, root) = (manifest.shared_keys(), &holder.shares_root);
		let shares = HolderShares::open(&blob, masternode, &nonce, 0, count, root)?;
		Ok(Shares { shares, nonce, worker })
	}
}

impl KeyShares for Shares {
	fn collect(
		&self,
		_: TaskId,
		scope: Scope,
		each: &mut dyn FnMut(Given) -> ControlFlow<()>,
	) -> Vec<String> {
		match seal_release(&self.shares, &self.nonce, 0, scope, &self.worker) {
			Ok(sealed) => {
				let _ = each(Given { from: "this machine".into(), holder: 0, sealed });
				Vec::new()
			},
			Err(error) => vec![error.to_string()],
		}
	}
}

fn machine(error: impl std::fmt::Display) -> Error {
	Error::Trial(error.to_string())
}

#[cfg(test)]
mod tests {
	use std::fs;

	use super::*;
	use crate::wish::{Split, Terms, MERGE};

	/// Copies its input; with an argument, writes how many bytes it has instead; and traps where the input
	/// begins with `!`.
	const PROGRAM: &str = r#"(module
		(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
		(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
		(import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
		(memory (export "memory") 1)
		(func (export "_start")
			(i32.store (i32.const 0) (i32.const 1024))
			(i32.store (i32.const 4) (i32.const 60000))
			(drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
			(if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 33)) (then unreachable))
			(drop (call $args (i32.const 16) (i32.const 20)))
			(if (i32.gt_u (i32.load (i32.const 16)) (i32.const 1))
				(then
					(i32.store8 (i32.const 1024) (i32.add (i32.const 48) (i32.load (i32.const 4))))
					(i32.store (i32.const 4) (i32.const 1))))
			(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

	fn attempt(input: &str, join: JoinBy, only: Option<u32>) -> Result<(Trial, Vec<String>)> {
		let folder = tempfile::tempdir().expect("a folder");
		let at = |name: &str| folder.path().join(name);
		fs::write(at("program"), wat::parse_str(PROGRAM).expect("sound")).expect("writable");
		fs::write(at("input"), input).expect("writable");
		let wish = Wish {
			program: at("program"),
			input: Some(at("input")),
			split: Split::Lines(Some(1)),
			join,
			arguments: Vec::new(),
			environment: Vec::new(),
			merge_arguments: vec![MERGE.into()],
			terms: Terms::usual(),
		};
		let out = at("out");
		let abandon = Abandon::default();
		let attempt = Attempt { wish: &wish, only, out: Some(&out), threads: 2, abandon: &abandon };
		let told = Mutex::new(Vec::new());
		let trial = attempt.run(&|step, _| told.lock().expect("not poisoned").push(step))?;
		let mut steps = vec![Step::Subtask; trial.subtasks as usize];
		if join == JoinBy::Merge && only.is_none() {
			steps.push(Step::Merge);
		}
		assert_eq!(told.into_inner().expect("not poisoned"), steps, "each is told once");
		let mut files: Vec<_> = fs::read_dir(&out)
			.expect("there is a solution")
			.map(|entry| fs::read_to_string(entry.expect("readable").path()).expect("text"))
			.collect();
		files.sort();
		Ok((trial, files))
	}

	#[test]
	fn a_task_is_computed_cut_and_joined() {
		let (trial, files) = attempt("a\nbc\ndef\n", JoinBy::Concat, None).expect("it works");
		assert_eq!(files, ["a\nbc\ndef\n"]);
		assert_eq!((trial.subtasks, trial.bytes, trial.gaps.len()), (3, 9, 0));
		assert!(trial.most.fuel > 0 && trial.merge.is_none());
		let (_, files) = attempt("a\nbc\n", JoinBy::Files, None).expect("it works");
		assert_eq!(files, ["a\n", "bc\n"]);
		let (trial, files) = attempt("a\nbc\n", JoinBy::Merge, None).expect("it works");
		assert_eq!((files, trial.bytes), (vec!["5".into()], 1));
		assert!(trial.merge.is_some_and(|most| most.fuel > 0 && most.fuel != trial.most.fuel));
	}

	#[test]
	fn one_subtask_is_computed_alone() {
		let (trial, files) = attempt("a\nbc\n", JoinBy::Merge, Some(1)).expect("it works");
		assert_eq!((trial.subtasks, files), (1, vec!["bc\n".into()]));
		let error = attempt("a\n", JoinBy::Concat, Some(1)).expect_err("there is none");
		assert!(error.to_string().contains("no subtask 1: the task has 1"), "{error}");
	}

	/// Tries a task of two subtasks without input.
	fn try_program(program: &[u8]) -> Result<Trial> {
		let folder = tempfile::tempdir().expect("a folder");
		let path = folder.path().join("program");
		fs::write(&path, program).expect("writable");
		let mut terms = Terms::usual();
		(terms.limits.memory_mib, terms.limits.fuel) = (16, 50_000_000);
		let wish = Wish {
			program: path,
			input: None,
			split: Split::Index(2),
			join: JoinBy::Concat,
			arguments: Vec::new(),
			environment: Vec::new(),
			merge_arguments: Vec::new(),
			terms,
		};
		let abandon = Abandon::default();
		let attempt = Attempt { wish: &wish, only: None, out: None, threads: 2, abandon: &abandon };
		attempt.run(&|_, _| ())
	}

	/// A command that does `body`, and writes 64 KiB with each `(call $flood)`.
	fn command(body: &str) -> Vec<u8> {
		let text = format!(
			r#"(module
				(import "wasi_snapshot_preview1" "fd_write"
					(func $write (param i32 i32 i32 i32) (result i32)))
				(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
				(memory (export "memory") 2)
				(func $flood
					(i32.store (i32.const 0) (i32.const 64))
					(i32.store (i32.const 4) (i32.const 65536))
					(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
				(func (export "_start") {body}))"#
		);
		wat::parse_str(text).expect("sound")
	}

	#[test]
	fn however_a_program_ends_is_a_result() {
		let cases = [
			("nop", None, 0),
			("(call $flood)", None, 65_536),
			("(drop (memory.grow (i32.const 100)))", None, 0),
			("(drop (memory.grow (i32.const 1000)))", Some("out of memory"), 0),
			("(loop $again (br $again))", Some("out of fuel"), 0),
			("(loop $again (call $flood) (br $again))", Some("too much output"), MAX_OUTPUT),
			("unreachable", Some("trap"), 0),
			("(call $flood) (call $exit (i32.const 3))", Some("exit code 3"), 65_536),
			("(call $exit (i32.const 0))", None, 0),
		];
		for (body, ending, each) in cases {
			let trial = try_program(&command(body)).expect(body);
			let gaps: Vec<(u32, Reason)> =
				ending.iter().flat_map(|it| [(0, (*it).into()), (1, (*it).into())]).collect();
			assert_eq!((trial.subtasks, &trial.gaps), (2, &gaps), "{body}");
			assert_eq!(trial.bytes, 2 * each, "what it wrote before is there: {body}");
		}
	}

	#[test]
	fn what_no_sandbox_starts_is_refused_with_its_reason() {
		let foreign = r#"(module (import "env" "time" (func)) (memory (export "memory") 1)
			(func (export "_start")))"#;
		let library = r#"(module (memory (export "memory") 1))"#;
		let assembled = |text: &str| wat::parse_str(text).expect("sound");
		for (program, expected) in [
			(b"#!/bin/sh\n".to_vec(), "wasm32-wasip1"),
			(Vec::new(), "no WebAssembly"),
			(assembled(foreign), "env.time"),
			(assembled(library), "_start"),
		] {
			let error = try_program(&program).expect_err(expected);
			assert!(matches!(error, Error::Program { .. }), "{error}");
			assert!(error.to_string().contains(expected), "{error}");
		}
	}

	#[test]
	fn how_a_program_fails_is_told() {
		let (trial, files) = attempt("a\n!\n", JoinBy::Concat, None).expect("it works");
		assert_eq!((trial.gaps, files), (vec![(1, "trap".into())], vec!["a\n".into()]));
	}
}
