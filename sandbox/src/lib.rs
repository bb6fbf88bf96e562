#![doc = include_str!("../README.md")]

mod cache;
mod check;
mod engine;
mod limiter;
mod outcome;
mod rewrite;
mod run;
mod stop;
mod subtask;
mod tank;
mod wasi;

pub use cache::{Cache, CacheError};
pub use check::{
	check, ProgramError, BRANCHES_PER_UNIT, MAX_COST, MAX_FUNCTIONS, MAX_FUNCTION_COST,
	MAX_PROGRAM_BYTES,
};
pub use outcome::{Outcome, ResultError, SubtaskResult, TrapKind, RESULT_VERSION};
pub use run::{PrepareError, Program, RunError, Sandbox};
pub use stop::Cancel;
pub use subtask::{ArgumentError, Limits, Report, Subtask, MAX_ARGUMENT_BYTES, MAX_STDERR_BYTES};
