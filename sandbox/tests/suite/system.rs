//! The functions of the system: streams, clocks, random numbers, arguments, environment.

use std::io::{self, Read};

use dgcs_sandbox::{ArgumentError, Outcome, RunError, MAX_ARGUMENT_BYTES};

use crate::{numbers, program, run, subtask};

/// Copies standard input to standard output, 1000 bytes at a time.
pub(crate) const ECHO: &str = "
	(loop $again
		(i32.store (i32.const 0) (i32.const 1024))
		(i32.store (i32.const 4) (i32.const 1000))
		(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
		(if (i32.load (i32.const 4)) (then
			(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
			(br $again))))";

/// Gives one byte at a time, and is interrupted before each.
struct Dripping(Vec<u8>, bool);

impl Read for Dripping {
	fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		self.1 = !self.1;
		if self.1 {
			return Err(io::ErrorKind::Interrupted.into());
		}
		match (self.0.pop(), buffer.first_mut()) {
			(Some(byte), Some(first)) => {
				*first = byte;
				Ok(1)
			},
			_ => Ok(0),
		}
	}
}

/// How the input arrives can't be seen: same output, same fuel.
#[test]
fn input_is_read_to_the_last_byte() {
	let bytes: Vec<u8> = (0..5431u32).map(|i| ((i * i) >> 3) as u8).collect();
	let at_once = run(&program(ECHO), subtask(&bytes)).unwrap();
	assert_eq!(at_once.output, bytes);
	let mut dripping = subtask(b"");
	dripping.stdin = Box::new(Dripping(bytes.into_iter().rev().collect(), false));
	let dripping = run(&program(ECHO), dripping).unwrap();
	assert_eq!((dripping.output, dripping.fuel), (at_once.output, at_once.fuel));
}

/// An input that can't be read is the worker's trouble: there is no result to vote for.
#[test]
fn run_fails_when_the_input_can_not_be_read() {
	struct Broken;
	impl Read for Broken {
		fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
			Err(io::Error::other("the shard is gone"))
		}
	}
	let mut broken = subtask(b"");
	broken.stdin = Box::new(Broken);
	let error = run(&program(ECHO), broken).unwrap_err();
	assert!(matches!(error, RunError::Machine(_)));
	assert!(error.to_string().contains("the shard is gone"), "{error}");
}

#[test]
fn clocks_follow_the_fuel_and_sleep_takes_no_time() {
	// Time of day; time of day after 1000 s of sleep; the monotonic clock.
	let report = run(
		&program(
			"(drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 32)))
			(call $put64 (i64.load (i32.const 32)))
			(i64.store (i32.const 64) (i64.const 77))
			(i32.store (i32.const 80) (i32.const 1))
			(i64.store (i32.const 88) (i64.const 1000000000000))
			(drop (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 40)))
			(call $put64 (i64.load32_u (i32.const 40)))
			(call $put64 (i64.load (i32.const 128)))
			(drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 32)))
			(call $put64 (i64.load (i32.const 32)))
			(drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 32)))
			(call $put64 (i64.load (i32.const 32)))
			(call $put64 (i64.extend_i32_u
				(call $clock_time_get (i32.const 9) (i64.const 1) (i32.const 32))))",
		),
		subtask(b""),
	)
	.unwrap();
	let numbers = numbers(&report);
	let start = 1_767_225_600_000_000_000;
	assert!((start + 100..start + 1000).contains(&numbers[0]), "{numbers:?}");
	assert_eq!(numbers[1..3], [1, 77]);
	assert!((start + 1_000_000_000_100..start + 1_000_000_010_000).contains(&numbers[3]));
	assert!((1_000_000_000_100..1_000_000_010_000).contains(&numbers[4]));
	assert_eq!(numbers[5], 28);
}

#[test]
fn random_numbers_follow_from_the_seed() {
	let program = program(
		"(drop (call $random_get (i32.const 64) (i32.const 100))) (call $put (i32.const 64) (i32.const 100))",
	);
	let with = |seed| {
		let mut seeded = subtask(b"");
		seeded.seed = seed;
		run(&program, seeded).unwrap().output
	};
	assert_eq!(with([1; 32]), with([1; 32]));
	assert_ne!(with([1; 32]), with([2; 32]));
	// ChaCha20 with an all-zero key: the well-known first bytes (RFC 8439, A.1, vector 1).
	assert_eq!(hex::encode(&with([0; 32])[..16]), "76b8e0ada0f13d90405d6ae55386bd28");
}

#[test]
fn each_call_for_random_numbers_begins_at_a_multiple_of_four() {
	let whole = "(drop (call $random_get (i32.const 4096) (i32.const 1024)))
		(call $put (i32.const 4096) (i32.const 1024))";
	let stream = run(&program(whole), subtask(b"")).unwrap().output;
	// Across the borders of ChaCha20's blocks, of 64 bytes, and of the library's buffer, of four.
	let lengths = [5, 3, 0, 1, 45, 197, 2, 258, 6];
	let calls = lengths.map(|length| {
		format!(
			"(drop (call $random_get (i32.const 4096) (i32.const {length})))
			(call $put (i32.const 4096) (i32.const {length}))"
		)
	});
	let found = run(&program(&calls.concat()), subtask(b"")).unwrap().output;
	let mut at = 0;
	let expected = lengths.map(|length: usize| {
		let part = &stream[at..at + length];
		at = (at + length).next_multiple_of(4);
		part
	});
	assert_eq!(hex::encode(found), hex::encode(expected.concat()));
}

#[test]
fn there_are_no_files_and_no_network() {
	let report = run(
		&program(
			"(call $put64 (i64.extend_i32_u (call $fd_prestat_get (i32.const 3) (i32.const 64))))
			(call $put64 (i64.extend_i32_u (call $path_open (i32.const 3) (i32.const 0) (i32.const 0)
				(i32.const 1) (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 64))))
			(call $put64 (i64.extend_i32_u (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 64))))
			(call $put64 (i64.extend_i32_u
				(call $fd_write (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 64))))",
		),
		subtask(b""),
	)
	.unwrap();
	assert_eq!(numbers(&report), [8, 8, 57, 8]);
}

#[test]
fn streams_can_be_closed_and_moved() {
	// Standard error takes the place of standard output, which takes what is written no more.
	let report = run(
		&program(
			"(call $put64 (i64.const 1))
			(if (call $fd_renumber (i32.const 2) (i32.const 1)) (then unreachable))
			(call $put64 (i64.const 2))
			(if (i32.ne (call $fd_close (i32.const 2)) (i32.const 8)) (then unreachable))
			(if (call $fd_close (i32.const 1)) (then unreachable))
			(if (i32.ne (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
				(i32.const 8)) (then unreachable))
			(if (i32.ne (call $fd_write (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
				(i32.const 76)) (then unreachable))",
		),
		subtask(b""),
	)
	.unwrap();
	assert_eq!(report.outcome, Outcome::Ok);
	assert_eq!(
		(report.output, report.stderr),
		(vec![1, 0, 0, 0, 0, 0, 0, 0], vec![2, 0, 0, 0, 0, 0, 0, 0])
	);
}

/// An address outside of memory is answered, not obeyed: by every function that takes one.
#[test]
fn addresses_out_of_memory_are_refused() {
	let calls = [
		"$fd_read (i32.const 0) (i32.const -8) (i32.const 1) (i32.const 64)",
		"$fd_write (i32.const 1) (i32.const -8) (i32.const 2) (i32.const 64)",
		"$fd_write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const -2)",
		"$random_get (i32.const 131000) (i32.const 1000)",
		"$clock_time_get (i32.const 0) (i64.const 0) (i32.const 131065)",
		"$poll_oneoff (i32.const 131070) (i32.const 0) (i32.const 1) (i32.const 0)",
	];
	for call in calls {
		let report = run(
			&program(&format!("(call $put64 (i64.extend_i32_u (call {call})))")),
			subtask(b"input"),
		)
		.unwrap();
		assert_eq!(numbers(&report), [21], "{call}");
	}
}

/// Writes its arguments and its environment as it gets them.
fn strings(args: &[&str], env: &[(&str, &str)]) -> Result<String, RunError> {
	let module = wat::parse_str(
		r#"(module
			(import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
			(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
			(memory (export "memory") 1)
			(func $put
				(i32.store (i32.const 0) (i32.const 1024))
				(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
			(func (export "_start")
				(drop (call $args_sizes (i32.const 8) (i32.const 4)))
				(drop (call $args (i32.const 64) (i32.const 1024)))
				(call $put)
				(drop (call $env_sizes (i32.const 8) (i32.const 4)))
				(drop (call $env (i32.const 64) (i32.const 1024)))
				(call $put)))"#,
	)
	.unwrap();
	let mut subtask = subtask(b"");
	subtask.args = args.iter().map(|arg| (*arg).to_owned()).collect();
	subtask.env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
	run(&module, subtask).map(|report| String::from_utf8(report.output).unwrap())
}

#[test]
fn arguments_and_environment_are_the_callers_alone() {
	assert_eq!(strings(&[], &[]).unwrap(), "program\0");
	assert_eq!(
		strings(&["-n", "two words", ""], &[("A", "1=2"), ("B", "")]).unwrap(),
		"program\0-n\0two words\0\0A=1=2\0B=\0"
	);
}

/// Nobody smuggles in an argument or a variable inside of another.
#[test]
fn run_fails_when_arguments_hide_others() {
	let refused = |args: &[&str], env: &[(&str, &str)]| match strings(args, env) {
		Err(RunError::Argument(error)) => error,
		other => panic!("{other:?}"),
	};
	assert_eq!(refused(&["a", "b\0c"], &[]), ArgumentError::ZeroInArgument { index: 1 });
	for name in ["", "A=B", "A\0B"] {
		let name_refused = ArgumentError::VariableName { name: name.into() };
		assert_eq!(refused(&[], &[(name, "1")]), name_refused);
	}
	assert_eq!(
		refused(&[], &[("A", "1\0B=2")]),
		ArgumentError::ZeroInVariable { name: "A".into() }
	);
	assert_eq!(
		refused(&[], &[("A", "1"), ("A", "2")]),
		ArgumentError::VariableTwice { name: "A".into() }
	);
	let long = "x".repeat(MAX_ARGUMENT_BYTES);
	assert!(matches!(refused(&[&long], &[]), ArgumentError::TooLong { .. }));
}
