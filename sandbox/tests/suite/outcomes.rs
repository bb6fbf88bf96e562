//! Every end of a program has a name.

use std::{thread, time::Duration};

use dgcs_sandbox::{Cancel, Limits, Outcome, RunError, Sandbox, TrapKind};

use crate::{program, program_with, run, subtask, LIMITS};

const FOREVER: &str = "(loop $again (br $again))";

fn outcome_of(program: &[u8]) -> Outcome {
	run(program, subtask(b"")).unwrap().outcome
}

#[test]
fn returning_is_ok() {
	assert_eq!(outcome_of(&program("")), Outcome::Ok);
}

#[test]
fn exit_codes_are_told() {
	let exit = |code: &str| outcome_of(&program(&format!("(call $proc_exit (i32.const {code}))")));
	assert_eq!(exit("0"), Outcome::Ok);
	assert_eq!(exit("1"), Outcome::Exit(1));
	assert_eq!(exit("300"), Outcome::Exit(300));
	assert_eq!(exit("-1"), Outcome::Exit(u32::MAX));
}

#[test]
fn output_before_an_error_is_kept() {
	let report =
		run(&program("(call $put64 (i64.const 5)) (call $proc_exit (i32.const 3))"), subtask(b""))
			.unwrap();
	assert_eq!(report.outcome, Outcome::Exit(3));
	assert_eq!(report.output, 5u64.to_le_bytes());
}

#[test]
fn every_trap_has_its_name() {
	let table = "(table 4 funcref) (elem (i32.const 0) $other) (func $other (param i64))";
	let cases = [
		("unreachable", TrapKind::Unreachable),
		("(drop (i32.load (i32.const 0x7fffffff)))", TrapKind::MemoryOutOfBounds),
		("(memory.fill (i32.const 0) (i32.const 0) (i32.const -1))", TrapKind::MemoryOutOfBounds),
		("(call_indirect (i32.const 9))", TrapKind::TableOutOfBounds),
		("(call_indirect (i32.const 1))", TrapKind::IndirectCallToNull),
		("(call_indirect (i32.const 0))", TrapKind::BadSignature),
		("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", TrapKind::IntegerOverflow),
		("(drop (i32.rem_u (i32.const 1) (i32.const 0)))", TrapKind::IntegerDivisionByZero),
		("(drop (i32.trunc_f64_s (f64.const nan)))", TrapKind::BadConversionToInteger),
		("(drop (i32.trunc_f64_s (f64.const 1e30)))", TrapKind::IntegerOverflow),
		("(call $deep)", TrapKind::StackOverflow),
	];
	for (main, kind) in cases {
		let definitions = format!("{table} (func $deep (call $deep))");
		let program = program_with(&definitions, main);
		assert_eq!(outcome_of(&program), Outcome::Trap(kind), "{main}");
	}
}

#[test]
fn fuel_runs_out() {
	let report = run(&program(FOREVER), subtask(b"")).unwrap();
	assert_eq!(report.outcome, Outcome::OutOfFuel);
	assert_eq!(report.fuel, LIMITS.fuel);
}

/// Wherever a program may be for long.
#[test]
fn fuel_runs_out_everywhere() {
	let endless = [
		("", "(loop (loop (br 1)))"),
		(
			"(func $twice (call $one) (call $one)) (func $one (call $two) (call $two))
			(func $two (call $three) (call $three)) (func $three (loop (br 0)))",
			"(call $twice)",
		),
		(
			"(func $down (param i32) (if (local.get 0) (then
			(call $down (i32.sub (local.get 0) (i32.const 1)))
			(call $down (i32.sub (local.get 0) (i32.const 1))))))",
			"(call $down (i32.const 60))",
		),
		("(func $before (loop (br 0))) (start $before)", ""),
		("", "(loop (br_table 0 0 0 (i32.const 7)))"),
		("", "(block (loop (br_if 0 (i32.eqz (i32.load (i32.const 64)))) (br 1)))"),
	];
	for (definitions, main) in endless {
		let program = program_with(definitions, main);
		let report = run(&program, subtask(b"")).unwrap();
		assert_eq!((report.outcome, report.fuel), (Outcome::OutOfFuel, LIMITS.fuel), "{main}");

		let mut late = subtask(b"");
		late.limits = Limits { fuel: u64::MAX, time: Duration::from_millis(1), ..LIMITS };
		assert_eq!(run(&program, late).unwrap().outcome, Outcome::TimedOut, "{main}");
	}
}

/// A program that gives up has not used up its fuel, unless it has.
#[test]
fn giving_up_is_not_running_out() {
	let mut little = subtask(b"");
	little.limits.fuel = 8;
	let gives_up = program("(drop (i32.add (i32.const 1) (i32.const 2))) unreachable");
	let report = run(&gives_up, little).unwrap();
	assert_eq!((report.outcome, report.fuel), (Outcome::Trap(TrapKind::Unreachable), 4));
	let mut less = subtask(b"");
	less.limits.fuel = 3;
	assert_eq!(run(&gives_up, less).unwrap().outcome, Outcome::OutOfFuel);
}

#[test]
fn fuel_runs_out_in_the_system() {
	let mut flood = subtask(b"");
	flood.limits.fuel = 10_000;
	let program = program("(drop (call $random_get (i32.const 0) (i32.const 65536)))");
	assert_eq!(run(&program, flood).unwrap().outcome, Outcome::OutOfFuel);
}

#[test]
fn memory_runs_out() {
	let grow = "(drop (memory.grow (i32.const 1023)))";
	let report = run(&program(grow), subtask(b"")).unwrap();
	assert_eq!(report.outcome, Outcome::OutOfMemory);
	assert_eq!(report.peak_memory, 2 * 65536);

	let grow = "(drop (memory.grow (i32.const 1022)))";
	let report = run(&program(grow), subtask(b"")).unwrap();
	assert_eq!((report.outcome, report.peak_memory), (Outcome::Ok, LIMITS.memory));
}

/// Memory that a program has from its start counts as well, and so do tables.
#[test]
fn memory_runs_out_at_the_start() {
	let mut small = subtask(b"");
	small.limits.memory = 65536;
	assert_eq!(run(&program(""), small).unwrap().outcome, Outcome::OutOfMemory);

	let table = program_with("(table 10000000 funcref)", "");
	assert_eq!(outcome_of(&table), Outcome::OutOfMemory);
}

/// A program's own bound is no error of it.
#[test]
fn growing_beyond_the_declared_maximum_is_answered() {
	let module = wat::parse_str(
		r#"(module (memory (export "memory") 1 2)
			(func (export "_start")
				(if (i32.ne (memory.grow (i32.const 5)) (i32.const -1)) (then unreachable))))"#,
	)
	.unwrap();
	assert_eq!(outcome_of(&module), Outcome::Ok);
}

#[test]
fn too_much_output_is_cut_at_the_bound() {
	let flood = program("(loop $again (call $put (i32.const 0) (i32.const 1000)) (br $again))");
	let report = run(&flood, subtask(b"")).unwrap();
	assert_eq!(report.outcome, Outcome::TooMuchOutput);
	assert_eq!(report.output.len() as u64, LIMITS.output);
}

/// Exactly as much as it may.
#[test]
fn the_last_byte_of_output_fits() {
	let mut exact = subtask(b"");
	exact.limits.output = 8;
	let report = run(&program("(call $put64 (i64.const 1))"), exact).unwrap();
	assert_eq!((report.outcome, report.output.len()), (Outcome::Ok, 8));
}

#[test]
fn standard_error_is_cut_and_changes_nothing() {
	let flood = program(
		"(local $i i32)
		(i32.store (i32.const 4) (i32.const 1000))
		(loop $again
			(drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
			(br_if $again (i32.ne (i32.const 100)
				(local.tee $i (i32.add (local.get $i) (i32.const 1))))))",
	);
	let report = run(&flood, subtask(b"")).unwrap();
	assert_eq!(report.outcome, Outcome::Ok);
	assert_eq!(report.stderr.len(), dgcs_sandbox::MAX_STDERR_BYTES);
	assert_eq!(report.into_result().encode(), [1, 0]);
}

/// Time that is over before the program begins: no machine is fast enough, so no clock is needed.
#[test]
fn time_runs_out() {
	let mut late = subtask(b"");
	late.limits = Limits { fuel: u64::MAX, time: Duration::ZERO, ..LIMITS };
	let wordy = program(&format!("(call $put64 (i64.const 1)) {FOREVER}"));
	let report = run(&wordy, late).unwrap();
	assert_eq!(report.outcome, Outcome::TimedOut);
	assert!(!report.outcome.is_deterministic());
	assert!(report.output.is_empty());
}

#[test]
fn a_run_can_be_cancelled() {
	let sandbox = Sandbox::new(None).unwrap();
	let program = sandbox.prepare(&program(FOREVER)).unwrap();
	let cancel = Cancel::new();
	let endless = || {
		let mut endless = subtask(b"");
		endless.limits.fuel = u64::MAX;
		sandbox.run(&program, endless, &cancel)
	};
	thread::scope(|scope| {
		let runs = [scope.spawn(endless), scope.spawn(endless)];
		cancel.cancel();
		for run in runs {
			assert!(matches!(run.join().unwrap(), Err(RunError::Cancelled)));
		}
	});
	assert!(matches!(endless(), Err(RunError::Cancelled)));
}

/// Stopping one run leaves the others alone.
#[test]
fn parallel_runs_are_independent() {
	let sandbox = Sandbox::new(None).unwrap();
	let forever = sandbox.prepare(&program(FOREVER)).unwrap();
	let echo = sandbox.prepare(&program(crate::system::ECHO)).unwrap();
	thread::scope(|scope| {
		let cancel = Cancel::new();
		let stopped = {
			let mut endless = subtask(b"");
			endless.limits.fuel = u64::MAX;
			let (sandbox, forever, cancel) = (&sandbox, &forever, cancel.clone());
			scope.spawn(move || sandbox.run(forever, endless, &cancel))
		};
		let others: Vec<_> = (0u8..8)
			.map(|i| {
				let (sandbox, echo) = (&sandbox, &echo);
				scope.spawn(move || sandbox.run(echo, subtask(&vec![i; 5000]), &Cancel::new()))
			})
			.collect();
		cancel.cancel();
		assert!(matches!(stopped.join().unwrap(), Err(RunError::Cancelled)));
		for (i, other) in (0u8..).zip(others) {
			let report = other.join().unwrap().unwrap();
			assert_eq!((report.outcome, report.output), (Outcome::Ok, vec![i; 5000]));
		}
	});
}
