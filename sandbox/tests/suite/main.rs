//! What the sandbox promises, shown with real programs.

#![allow(clippy::unwrap_used)] // A test that panics is a test that fails.

mod attacks;
mod cache;
mod determinism;
mod outcomes;
mod real_programs;
mod refusals;
mod system;
mod vectors;

use std::{io::Cursor, time::Duration};

use dgcs_sandbox::{Cancel, Limits, Report, RunError, Sandbox, Subtask};

/// Bounds that no well-behaved program of the tests comes near. Time is no bound of theirs.
const LIMITS: Limits =
	Limits { fuel: 1 << 28, memory: 64 << 20, output: 1 << 20, time: Duration::from_secs(3600) };

/// A subtask with that input, and nothing else.
fn subtask(stdin: &[u8]) -> Subtask {
	Subtask {
		stdin: Box::new(Cursor::new(stdin.to_vec())),
		args: Vec::new(),
		env: Vec::new(),
		seed: [7; 32],
		limits: LIMITS,
	}
}

/// Runs a program in a sandbox of its own.
fn run(program: &[u8], subtask: Subtask) -> Result<Report, RunError> {
	let sandbox = Sandbox::new(None).unwrap();
	let program = sandbox.prepare(program).unwrap();
	sandbox.run(&program, subtask, &Cancel::new())
}

/// A program that does this, with the functions of the system that tests use.
fn program(main: &str) -> Vec<u8> {
	program_with("", main)
}

/// The same, with other definitions beside it. `$put` writes so many bytes from there to standard
/// output, `$put64` a number of 64 bits.
fn program_with(definitions: &str, main: &str) -> Vec<u8> {
	let text = format!(
		r#"(module
			(import "wasi_snapshot_preview1" "fd_read"
				(func $fd_read (param i32 i32 i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "fd_write"
				(func $fd_write (param i32 i32 i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
			(import "wasi_snapshot_preview1" "fd_renumber"
				(func $fd_renumber (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "clock_time_get"
				(func $clock_time_get (param i32 i64 i32) (result i32)))
			(import "wasi_snapshot_preview1" "poll_oneoff"
				(func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "random_get"
				(func $random_get (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "path_open"
				(func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "sock_accept"
				(func $sock_accept (param i32 i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "fd_prestat_get"
				(func $fd_prestat_get (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
			(memory (export "memory") 2)
			(func $put (param $from i32) (param $length i32)
				(i32.store (i32.const 0) (local.get $from))
				(i32.store (i32.const 4) (local.get $length))
				(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
			(func $put64 (param $number i64)
				(i64.store (i32.const 16) (local.get $number))
				(call $put (i32.const 16) (i32.const 8)))
			{definitions}
			(func (export "_start") {main}))"#
	);
	wat::parse_str(text).unwrap()
}

/// The numbers of 64 bits that a program wrote.
fn numbers(report: &Report) -> Vec<u64> {
	assert!(report.outcome.is_ok(), "{}", report.outcome);
	report.output.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
}
