//! What all workers must do alike around a program, or they don't agree: part of the protocol.

use std::time::Duration;

use codec::Encode;
use dgcs_content::{Ending, Job, TaskNonce};
use dgcs_primitives::SubtaskLimits;
use dgcs_sandbox::{Limits, Outcome};

use crate::hash::blake2_256;

const SEED_DOMAIN: &[u8; 16] = b"dgcs/seed/v1\0\0\0\0";

/// The most bytes that a program may write: as many as make a sealed result of no more than 64 MiB,
/// which is what masternodes keep.
pub const MAX_OUTPUT: u64 = (64 << 20) - (64 << 10);

/// The variable with the subtask's number, counted from 0.
pub const SUBTASK_VARIABLE: &str = "DGCS_SUBTASK";
/// The variable with the number of subtasks of the task.
pub const SUBTASKS_VARIABLE: &str = "DGCS_SUBTASKS";

/// What a subtask's random numbers come from: `blake2_256("dgcs/seed/v1" ‖ nonce ‖ subtask (u32))`.
/// The owner knows the nonce before it submits, so it can run the same at home.
pub fn seed(nonce: &TaskNonce, subtask: u32) -> [u8; 32] {
	blake2_256(&(SEED_DOMAIN, nonce, subtask).encode())
}

/// The bounds of a run.
pub fn limits(limits: &SubtaskLimits) -> Limits {
	Limits {
		fuel: limits.fuel,
		memory: u64::from(limits.memory_mib) << 20,
		output: MAX_OUTPUT,
		time: Duration::from_millis(limits.time_ms.into()),
	}
}

/// The environment of a subtask: the task's, and last its number and how many there are, which the
/// task's own can't replace.
pub fn environment(job: &Job, subtask: u32, subtasks: u32) -> Vec<(String, String)> {
	let ours = |name: &str| name == SUBTASK_VARIABLE || name == SUBTASKS_VARIABLE;
	let mut environment: Vec<(String, String)> =
		job.environment.iter().filter(|(name, _)| !ours(name)).cloned().collect();
	environment.push((SUBTASK_VARIABLE.into(), subtask.to_string()));
	environment.push((SUBTASKS_VARIABLE.into(), subtasks.to_string()));
	environment
}

/// The ending that a result has for how its program ended. `None`: an outcome of a later version.
pub fn ending(outcome: Outcome) -> Option<Ending> {
	Some(match outcome {
		Outcome::Ok => Ending::Ok,
		// The same 32 bits.
		Outcome::Exit(code) => Ending::Exit(i32::from_le_bytes(code.to_le_bytes())),
		Outcome::Trap(_) => Ending::Trap,
		Outcome::OutOfFuel => Ending::OutOfFuel,
		Outcome::OutOfMemory => Ending::OutOfMemory,
		Outcome::TooMuchOutput => Ending::TooMuchOutput,
		Outcome::TimedOut => Ending::TimedOut,
		_ => return None,
	})
}

/// Whether a run that had `time` on the clock was out of it for want of a processor: it had one for less
/// than nine tenths. That says nothing of the program, and a machine that has less to do finds something else.
pub(super) fn is_starved(outcome: Outcome, cpu_time: Duration, time: Duration) -> bool {
	outcome == Outcome::TimedOut && cpu_time.saturating_mul(10) < time.saturating_mul(9)
}

/// The ending of a subtask whose program can't be started at all, on any machine: it is no WASI
/// program, or its arguments can't be given to one. A result like any other, without output.
pub const UNSTARTABLE: Ending = Ending::Trap;

#[cfg(test)]
mod tests {
	use super::*;
	use dgcs_sandbox::TrapKind;

	#[test]
	fn seeds_differ_by_task_and_subtask() {
		let [one, two] = [TaskNonce([1; 32]), TaskNonce([2; 32])];
		assert_eq!(seed(&one, 0), seed(&one, 0));
		assert_ne!(seed(&one, 0), seed(&one, 1));
		assert_ne!(seed(&one, 0), seed(&two, 0));
	}

	#[test]
	fn a_task_cannot_lie_about_a_subtasks_number() {
		let variable = |name: &str, value: &str| (name.to_string(), value.to_string());
		let job = Job {
			environment: vec![variable("A", "1"), variable(SUBTASK_VARIABLE, "9")],
			..Job::default()
		};
		let expected =
			[variable("A", "1"), variable("DGCS_SUBTASK", "3"), variable("DGCS_SUBTASKS", "8")];
		assert_eq!(environment(&job, 3, 8), expected);
	}

	#[test]
	fn every_outcome_has_its_ending() {
		let cases = [
			(Outcome::Ok, Ending::Ok),
			(Outcome::Exit(7), Ending::Exit(7)),
			(Outcome::Exit(u32::MAX), Ending::Exit(-1)),
			(Outcome::Trap(TrapKind::Unreachable), Ending::Trap),
			(Outcome::Trap(TrapKind::StackOverflow), Ending::Trap),
			(Outcome::OutOfFuel, Ending::OutOfFuel),
			(Outcome::OutOfMemory, Ending::OutOfMemory),
			(Outcome::TooMuchOutput, Ending::TooMuchOutput),
			(Outcome::TimedOut, Ending::TimedOut),
		];
		for (outcome, expected) in cases {
			assert_eq!(ending(outcome), Some(expected));
		}
	}

	#[test]
	fn a_run_is_starved_by_the_clock_and_for_want_of_a_processor_alone() {
		let time = Duration::from_millis(1000);
		// How it ended, after how many milliseconds of a processor.
		let cases = [
			(Outcome::TimedOut, 0, true),
			(Outcome::TimedOut, 899, true),
			(Outcome::TimedOut, 900, false),
			(Outcome::TimedOut, 1000, false),
			(Outcome::TimedOut, 1001, false),
			(Outcome::Ok, 0, false),
			(Outcome::Exit(1), 0, false),
			(Outcome::OutOfFuel, 899, false),
			(Outcome::Trap(TrapKind::Unreachable), 0, false),
		];
		for (outcome, cpu_ms, expected) in cases {
			let starved = is_starved(outcome, Duration::from_millis(cpu_ms), time);
			assert_eq!(starved, expected, "{outcome} after {cpu_ms} ms");
		}
		assert!(is_starved(Outcome::TimedOut, Duration::ZERO, Duration::MAX));
		assert!(!is_starved(Outcome::TimedOut, Duration::MAX, Duration::MAX));
	}
}
