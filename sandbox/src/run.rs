//! Prepares programs and runs them.

use std::{
	fmt,
	future::Future,
	pin::pin,
	task::{Context, Poll, Waker},
	time::Duration,
};

use rustix::time::{clock_gettime, ClockId};
use thiserror::Error;
use wasmtime::{Engine, Global, InstancePre, Linker, Module, Store, Trap, Val};

use crate::{
	cache::Cache,
	check::{check, ProgramError},
	engine,
	outcome::{Outcome, TrapKind},
	rewrite::{self, rewrite},
	stop::{Cancel, Reason, Watch},
	subtask::{ArgumentError, Report, Subtask},
	tank::Tank,
	wasi::{self, Halt, Process},
};

/// Compiles programs and runs subtasks. One serves any number of threads.
pub struct Sandbox {
	engine: Engine,
	linker: Linker<Process>,
	cache: Option<Cache>,
	/// What of an entry's name in the cache is the same for all programs.
	compatibility: String,
}

/// A program that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Program {
	instance: InstancePre<Process>,
	from_cache: bool,
}

impl Sandbox {
	/// A sandbox that keeps what it compiles in `cache`, if it has one.
	///
	/// # Errors
	///
	/// When this machine can't run WebAssembly, as on a processor that the compiler doesn't know.
	pub fn new(cache: Option<Cache>) -> Result<Self, RunError> {
		let engine = engine::new().map_err(RunError::machine)?;
		let linker = wasi::linker(&engine).map_err(RunError::machine)?;
		let compatibility = engine::compatibility(&engine);
		Ok(Self { engine, linker, cache, compatibility })
	}

	/// Makes a program ready to run: checks and compiles it, or takes it from the cache.
	///
	/// # Errors
	///
	/// When the program does not pass [`check`], or can't be compiled on this machine.
	pub fn prepare(&self, program: &[u8]) -> Result<Program, PrepareError> {
		let digest = blake2b_simd::Params::new().hash_length(32).hash(program);
		let name = format!("{}-{}", digest.to_hex(), self.compatibility);
		if let Some(module) = self.cached(&name) {
			return self.link(&module, true);
		}
		check(program)?;
		let rewritten = rewrite(program).map_err(ProgramError::from)?;
		let module =
			Module::from_binary(&self.engine, &rewritten).map_err(PrepareError::compile)?;
		if let Some(cache) = &self.cache {
			cache.put(&name, &module.serialize().map_err(PrepareError::compile)?);
		}
		self.link(&module, false)
	}

	fn cached(&self, name: &str) -> Option<Module> {
		let cache = self.cache.as_ref()?;
		let code = cache.get(name)?;
		// SAFETY: the engine must be given nothing but what `Module::serialize` returned. The seal
		// shows that these bytes are what `Cache::put` was given under this name, by a process of
		// this user; that is called in `prepare` alone, with just that. The bytes are in memory, so
		// that nobody changes them after the seal was compared. That they were made by this version
		// of the engine, with its settings, is part of the name, and checked by the engine as well.
		match unsafe { Module::deserialize(&self.engine, code) } {
			Ok(module) => Some(module),
			Err(error) => {
				log::warn!("a compiled program can't be loaded ({error:#}): it is compiled anew");
				cache.remove(name);
				None
			},
		}
	}

	fn link(&self, module: &Module, from_cache: bool) -> Result<Program, PrepareError> {
		let instance = self.linker.instantiate_pre(module).map_err(PrepareError::compile)?;
		Ok(Program { instance, from_cache })
	}

	/// Runs a subtask to its end. Blocks until then.
	///
	/// # Errors
	///
	/// When there is no result: the subtask can't be given to a program, the run was cancelled, or
	/// this machine failed. Whatever the program does, is a result.
	pub fn run(
		&self,
		program: &Program,
		subtask: Subtask,
		cancel: &Cancel,
	) -> Result<Report, RunError> {
		let began = cpu_time();
		let watch = Watch::new(cancel.clone(), subtask.limits.time);
		let process = Process::new(subtask)?;
		if cancel.is_cancelled() {
			return Err(RunError::Cancelled);
		}
		let mut store = Store::new(&self.engine, process);
		store.limiter(|process| process.memory());

		let mut tank = None;
		let ended = execute(&program.instance, &mut store, &watch, &mut tank);
		let outcome = match ended {
			Ok(()) => Outcome::Ok,
			Err(error) => outcome_of(error)?,
		};

		// One that could not even be instantiated used none.
		let left = tank.map(|tank: Tank| tank.left(&mut store));
		let fuel = left.map_or(0, |left| store.data().fuel().saturating_sub(left));
		let peak_memory = store.data_mut().memory().peak();
		let (mut output, stderr) = store.into_data().into_output();
		if !outcome.has_output() {
			output.clear();
		}
		let cpu_time = cpu_time().saturating_sub(began);
		Ok(Report { outcome, output, stderr, fuel, peak_memory, cpu_time })
	}
}

/// Runs a program, and leaves its tank behind.
fn execute(
	program: &InstancePre<Process>,
	store: &mut Store<Process>,
	watch: &Watch,
	tank: &mut Option<Tank>,
) -> wasmtime::Result<()> {
	let instance = without_waiting(program.instantiate_async(&mut *store))?;
	let missing = || wasmtime::Error::msg("a program was rewritten without what the sandbox needs");
	let depth = instance.get_global(&mut *store, rewrite::DEPTH).ok_or_else(missing)?;
	let fuel = instance.get_global(&mut *store, rewrite::FUEL).map(Tank).ok_or_else(missing)?;
	let stop = instance.get_memory(&mut *store, rewrite::STOP).ok_or_else(missing)?;
	let limit = store.data().fuel();
	fuel.fill(&mut *store, limit)?;
	*tank = Some(fuel);
	let ended = watch.over(&stop, store, |store| {
		for name in [rewrite::START, "_start"] {
			let Some(function) = instance.get_func(&mut *store, name) else { continue };
			// What a function before it called has returned.
			depth.set(&mut *store, Val::I32(0))?;
			without_waiting(function.typed::<(), ()>(&*store)?.call_async(&mut *store, ()))?;
		}
		Ok(())
	});
	ended.map_err(|error| match error.downcast_ref() {
		Some(Trap::UnreachableCodeReached) => trap_of(fuel, depth, watch, store).unwrap_or(error),
		_ => error,
	})
}

/// What stopped a program that reached an instruction which is not to be reached, if it was not one of
/// its own.
fn trap_of(
	fuel: Tank,
	depth: Global,
	watch: &Watch,
	store: &mut Store<Process>,
) -> Option<wasmtime::Error> {
	if depth.get(&mut *store).i32()? as u32 > rewrite::LIMIT {
		Some(Trap::StackOverflow.into())
	} else if fuel.is_overdrawn(store) {
		Some(Trap::OutOfFuel.into())
	} else {
		watch.reason().map(|reason| Halt::Stopped(reason).into())
	}
}

/// Runs to the end what has nothing to wait for, and is asynchronous for its stack alone.
fn without_waiting<T>(run: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
	match pin!(run).poll(&mut Context::from_waker(Waker::noop())) {
		Poll::Ready(ended) => ended,
		Poll::Pending => Err(wasmtime::Error::msg("a run waits, and there is nothing to wait for")),
	}
}

/// What a run's error says about the program, if it is about the program.
fn outcome_of(error: wasmtime::Error) -> Result<Outcome, RunError> {
	if let Some(halt) = error.downcast_ref::<Halt>() {
		return Ok(match halt {
			Halt::Exit(0) => Outcome::Ok,
			Halt::Exit(code) => Outcome::Exit(*code),
			Halt::OutOfFuel => Outcome::OutOfFuel,
			Halt::OutOfMemory => Outcome::OutOfMemory,
			Halt::TooMuchOutput => Outcome::TooMuchOutput,
			Halt::Stopped(Reason::TimedOut) => Outcome::TimedOut,
			Halt::Stopped(Reason::Cancelled) => return Err(RunError::Cancelled),
			Halt::Host(cause) => return Err(RunError::Machine(cause.clone())),
		});
	}
	match error.downcast_ref::<Trap>() {
		Some(Trap::OutOfFuel) => Ok(Outcome::OutOfFuel),
		Some(trap) => {
			TrapKind::of(*trap).map(Outcome::Trap).ok_or_else(|| RunError::machine(error))
		},
		None => Err(RunError::machine(error)),
	}
}

/// Processor time of this thread.
fn cpu_time() -> Duration {
	Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

impl Program {
	/// Whether it was compiled before.
	pub fn from_cache(&self) -> bool {
		self.from_cache
	}
}

impl fmt::Debug for Program {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Program").field("from_cache", &self.from_cache).finish_non_exhaustive()
	}
}

impl fmt::Debug for Sandbox {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Sandbox").field("cache", &self.cache).finish_non_exhaustive()
	}
}

/// Why a program is not ready to run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrepareError {
	/// No worker can run it.
	#[error(transparent)]
	Program(#[from] ProgramError),
	/// This worker can't.
	#[error("the program can't be compiled on this machine: {0}")]
	Compile(String),
}

impl PrepareError {
	fn compile(error: wasmtime::Error) -> Self {
		Self::Compile(format!("{error:#}"))
	}
}

/// Why a run has no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
	/// The subtask's arguments or environment.
	#[error(transparent)]
	Argument(#[from] ArgumentError),
	/// By [`Cancel::cancel`].
	#[error("the run was cancelled")]
	Cancelled,
	/// This machine, not the program: another may well have a result.
	#[error("this machine failed to run the program: {0}")]
	Machine(String),
}

impl RunError {
	fn machine(error: wasmtime::Error) -> Self {
		Self::Machine(format!("{error:#}"))
	}
}
