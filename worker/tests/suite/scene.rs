//! A task with its content in a folder, masternodes that hold its keys, and workers.

use std::{
	ops::ControlFlow,
	path::PathBuf,
	sync::{Arc, Mutex},
};

use dgcs_content::{
	get_blob,
	keys::{seal_release, HolderShares},
	prepare, put_blob, Cut, Directory, EncryptionSecret, Ending, Input, Join, Manifest, Masternode,
	Output, OwnerSecret, Plan, Prepared, Scope, TaskNonce, DEFAULT_SHARD_SIZE,
};
use dgcs_primitives::{
	EncryptionKey, Payout, RangeIndex, ResultDigest, Round, Selection, SubtaskLimits, TaskId,
	TaskKind, TaskSpec, Visibility,
};
use dgcs_sandbox::Sandbox;
use dgcs_worker::{
	chain::{Balance, Place},
	execute::{Executor, Given, KeyShares, Work},
};
use sp_core::H256;
use tempfile::TempDir;

pub const TASK: TaskId = TaskId(7);

/// A program by what it does with `$len` bytes of input at address 1024, of which `$first` is the
/// first. `$write` writes that many bytes from there.
pub fn program(then: &str) -> Vec<u8> {
	let text = format!(
		r#"(module
			(import "wasi_snapshot_preview1" "fd_read"
				(func $fd_read (param i32 i32 i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "fd_write"
				(func $fd_write (param i32 i32 i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "random_get"
				(func $random_get (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "environ_sizes_get"
				(func $environ_sizes_get (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "environ_get"
				(func $environ_get (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
			(memory (export "memory") 2)
			(func $write (param $from i32) (param $length i32)
				(i32.store (i32.const 0) (local.get $from))
				(i32.store (i32.const 4) (local.get $length))
				(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
			(func (export "_start") (local $len i32) (local $first i32)
				(i32.store (i32.const 0) (i32.const 1024))
				(i32.store (i32.const 4) (i32.const 60000))
				(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
				(local.set $len (i32.load (i32.const 8)))
				(local.set $first (i32.load8_u (i32.const 1024)))
				{then}))"#
	);
	wat::parse_str(text).unwrap()
}

/// Gives its input back, and 8 random bytes after it.
pub const ECHO: &str = "(call $write (i32.const 1024) (local.get $len))
	(drop (call $random_get (i32.const 16) (i32.const 8)))
	(call $write (i32.const 16) (i32.const 8))";

/// Writes its environment.
pub const ENVIRONMENT: &str = "
	(drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
	(drop (call $environ_get (i32.const 32) (i32.const 1024)))
	(call $write (i32.const 1024) (i32.load (i32.const 20)))";

pub struct Scene {
	pub folder: TempDir,
	pub content: Arc<Directory>,
	pub owner: OwnerSecret,
	pub nonce: TaskNonce,
	pub prepared: Prepared,
	pub spec: TaskSpec<Balance>,
	pub masternodes: Vec<EncryptionSecret>,
}

/// What a scene is made of.
pub struct Setting<'a> {
	pub program: Vec<u8>,
	pub input: Option<&'a [u8]>,
	pub cut: Cut,
	pub range_size: u32,
	pub masternodes: usize,
}

impl Scene {
	pub fn new(setting: Setting<'_>) -> Self {
		Scene::of(setting, TaskNonce([6; 32]))
	}

	/// A task of which there may be another like it, with another nonce.
	pub fn of(setting: Setting<'_>, nonce: TaskNonce) -> Self {
		let Setting { program, input, cut, range_size, masternodes } = setting;
		let folder = tempfile::tempdir().unwrap();
		let content = Arc::new(Directory::open(folder.path().join("content")).unwrap());
		let input = input.map_or(Input::Nothing, |bytes| {
			let path = folder.path().join("input");
			std::fs::write(&path, bytes).unwrap();
			Input::at(path).unwrap()
		});
		let masternodes: Vec<_> = (0..masternodes).map(|_| EncryptionSecret::random()).collect();
		let plan = Plan {
			cut,
			join: Join::Concatenate,
			merge: None,
			range_size,
			shard_size: DEFAULT_SHARD_SIZE,
			program: put_blob(&*content, &program).unwrap(),
			arguments: Vec::new(),
			environment: vec![("NAME".into(), "value".into())],
			masternodes: masternodes
				.iter()
				.zip(1..)
				.map(|(secret, number)| Masternode {
					account: H256::repeat_byte(number),
					key: secret.public(),
				})
				.collect(),
		};
		let owner = OwnerSecret::from_bytes([5; 32]);
		let prepared = prepare(&input, &plan, &owner, nonce, &*content, &mut |_| ()).unwrap();
		let spec = TaskSpec {
			kind: TaskKind::Compute,
			manifest: prepared.id,
			input_root: prepared.manifest.input_root(),
			subtasks: prepared.manifest.subtasks,
			range_size,
			replicas: 3,
			max_replicas: 5,
			reward: 1,
			limits: SubtaskLimits { time_ms: 3_600_000, memory_mib: 16, fuel: 1 << 30 },
			queue_timeout: 100,
			run_timeout: 100,
			selection: Selection::Any,
			payout: Payout::Pps,
			visibility: Visibility::Private,
			keep_solution: false,
		};
		Scene { folder, content, owner, nonce, prepared, spec, masternodes }
	}

	/// Masternodes that answer this worker, each as `manner` of its number says.
	pub fn shares(&self, to: EncryptionKey, manner: fn(u8) -> Manner) -> Arc<Masternodes> {
		let manifest = &self.prepared.manifest;
		let held = (0u8..).zip(&self.masternodes).map(|(number, secret)| {
			let holder = manifest.holder(number).unwrap();
			let blob = get_blob(&*self.content, &holder.shares.id, holder.shares.len).unwrap();
			let (nonce, count) = (&manifest.nonce, manifest.shared_keys());
			let root = &holder.shares_root;
			HolderShares::open(&blob, secret, nonce, number, count, root).unwrap()
		});
		let held = held.collect();
		Arc::new(Masternodes { held, nonce: self.nonce, to, manner, asked: Mutex::default() })
	}

	/// A worker of this task.
	pub fn worker(&self, manner: fn(u8) -> Manner) -> Executor {
		let secret = EncryptionSecret::random();
		let shares = self.shares(secret.public(), manner);
		self.worker_with(shares, secret, self.content.clone())
	}

	pub fn worker_with(
		&self,
		shares: Arc<dyn KeyShares>,
		secret: EncryptionSecret,
		content: Arc<Directory>,
	) -> Executor {
		let sandbox = Sandbox::new(None).unwrap();
		let scratch = self.folder.path().to_path_buf();
		Executor::new(content, shares, secret, sandbox, scratch, 160)
	}

	/// A worker whose slots have so much memory, in MiB, and the inputs of all so much disk, in bytes.
	pub fn lending(&self, slot_memory_mib: u64, inputs: u64) -> Executor {
		let secret = EncryptionSecret::random();
		let shares = self.shares(secret.public(), |_| Manner::Honest);
		let sandbox = Sandbox::new(None).unwrap();
		let (content, scratch) = (self.content.clone(), self.folder.path().to_path_buf());
		let worker = Executor::new(content, shares, secret, sandbox, scratch, slot_memory_mib);
		worker.lend_inputs(inputs)
	}

	/// A folder for results.
	pub fn results(&self, name: &str) -> Directory {
		Directory::open(self.folder.path().join(name)).unwrap()
	}

	/// All of a range in round 0.
	pub fn work(&self, range: u32) -> Work<'_> {
		let len = self.spec.range_len(RangeIndex(range));
		let open = u64::MAX >> (64 - len);
		let place = Place { task: TASK, range: RangeIndex(range) };
		Work { place, round: Round(0), open, spec: &self.spec }
	}

	/// What the owner reads of a result.
	pub fn open(
		&self,
		results: &Directory,
		digest: &ResultDigest,
		(range, round, subtask): (u32, u8, u32),
	) -> (Ending, Vec<u8>) {
		let key = self.owner.task(&self.nonce).scope(Scope::Range(RangeIndex(range)));
		let place = (RangeIndex(range), Round(round), subtask);
		let output = Output::open(results, digest, &key, place, 1 << 30).unwrap();
		let mut bytes = Vec::new();
		let ending = output
			.read(&mut |part| {
				bytes.extend_from_slice(part);
				Ok(())
			})
			.unwrap();
		(ending, bytes)
	}

	/// Its owner submits another manifest in place of its own.
	pub fn forge(&mut self, change: impl FnOnce(&mut Manifest)) {
		change(&mut self.prepared.manifest);
		self.spec.manifest = self.prepared.manifest.put(&*self.content).unwrap();
	}

	pub fn manifest(&self) -> &Manifest {
		&self.prepared.manifest
	}

	pub fn path(&self, name: &str) -> PathBuf {
		self.folder.path().join(name)
	}
}

/// How a masternode answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
	Honest,
	/// Gives the share of another range.
	Wrong,
	/// Gives bytes that are no share.
	Garbage,
	/// Says that it won't.
	Refuses,
}

/// The masternodes of a task, each with its own shares.
pub struct Masternodes {
	held: Vec<HolderShares>,
	nonce: TaskNonce,
	to: EncryptionKey,
	manner: fn(u8) -> Manner,
	/// Whose keys were asked for.
	pub asked: Mutex<Vec<Scope>>,
}

impl KeyShares for Masternodes {
	fn collect(
		&self,
		task: TaskId,
		scope: Scope,
		each: &mut dyn FnMut(Given) -> ControlFlow<()>,
	) -> Vec<String> {
		assert_eq!(task, TASK);
		self.asked.lock().unwrap().push(scope);
		let mut refusals = Vec::new();
		for (holder, shares) in (0u8..).zip(&self.held) {
			let from = format!("masternode {holder}");
			let seal = |scope| seal_release(shares, &self.nonce, holder, scope, &self.to).unwrap();
			let other =
				if scope == Scope::Task { Scope::Range(RangeIndex(0)) } else { Scope::Task };
			let sealed = match (self.manner)(holder) {
				Manner::Honest => seal(scope),
				Manner::Wrong => seal(other),
				Manner::Garbage => vec![9; 100],
				Manner::Refuses => {
					refusals.push(format!("{from}: no lease"));
					continue;
				},
			};
			if each(Given { from, holder, sealed }).is_break() {
				break;
			}
		}
		refusals
	}
}
