//! Programs written to harm the machine that runs them.

use std::io::{self, Read};

use dgcs_sandbox::{check, Outcome, ProgramError, TrapKind, MAX_FUNCTIONS, MAX_PROGRAM_BYTES};

use crate::{program, program_with, run, subtask, LIMITS};

#[test]
fn growing_memory_without_end_is_stopped() {
	let greedy = program("(loop $again (drop (memory.grow (i32.const 1))) (br $again))");
	let report = run(&greedy, subtask(b"")).unwrap();
	assert_eq!((report.outcome, report.peak_memory), (Outcome::OutOfMemory, LIMITS.memory));

	let greedy = program_with(
		"(table $t 1 funcref)",
		"(loop $again (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $again))",
	);
	let report = run(&greedy, subtask(b"")).unwrap();
	assert_eq!(report.outcome, Outcome::OutOfMemory);
	assert!(report.peak_memory <= LIMITS.memory);
}

/// The nearest thing to a fork bomb: calls that call twice.
#[test]
fn recursion_without_end_is_stopped() {
	let bomb = program_with(
		"(func $fork (param i64) (call $put64 (local.get 0))
			(call $fork (i64.add (local.get 0) (i64.const 1)))
			(call $fork (i64.add (local.get 0) (i64.const 1))))",
		"(call $fork (i64.const 0))",
	);
	let mut roomy = subtask(b"");
	roomy.limits.output = 1 << 30;
	let report = run(&bomb, roomy).unwrap();
	assert_eq!(report.outcome, Outcome::Trap(TrapKind::StackOverflow));
	assert!(report.output.is_empty());
}

/// Work that the system does is paid for in fuel as well.
#[test]
fn work_of_the_system_takes_fuel() {
	let bombs = [
		// All of memory, again and again, of a list of buffers that are all the same.
		"(local $i i32)
		(loop $fill
			(i32.store (i32.add (i32.const 1024) (local.get $i)) (i32.const 0))
			(i32.store (i32.add (i32.const 1028) (local.get $i)) (i32.const 131072))
			(br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8)))
				(i32.const 65536))))
		(loop $again
			(drop (call $fd_write (i32.const 2) (i32.const 1024) (i32.const 8192) (i32.const 8)))
			(br $again))",
		"(loop $again (drop (call $random_get (i32.const 0) (i32.const 131072))) (br $again))",
		"(loop $again
			(drop (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 2700) (i32.const 0)))
			(br $again))",
		"(loop $again
			(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 8)))
			(br $again))",
	];
	for bomb in bombs {
		let report = run(&program(bomb), subtask(b"")).unwrap();
		assert_eq!(report.outcome, Outcome::OutOfFuel, "{bomb}");
	}
}

/// So is work on much memory by one instruction.
#[test]
fn work_on_much_memory_takes_fuel() {
	let fuel =
		|main: &str| run(&program_with("(table 1000 funcref)", main), subtask(b"")).unwrap().fuel;
	let copies = [
		("(memory.fill (i32.const 0) (i32.const 0) (i32.const {}))", 131_072),
		("(memory.copy (i32.const 0) (i32.const 0) (i32.const {}))", 131_072),
		("(table.fill (i32.const 0) (ref.null func) (i32.const {}))", 1_000),
		("(drop (table.grow (ref.null func) (i32.const {})))", 1_000),
	];
	for (work, much) in copies {
		let with = |amount: u32| fuel(&work.replace("{}", &amount.to_string()));
		assert_eq!(with(much), with(0) + u64::from(much / 32), "{work}");
		assert_eq!(with(0), with(31), "{work}");
	}
	let bomb = "(loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 131072)) (br 0))";
	assert_eq!(run(&program(bomb), subtask(b"")).unwrap().outcome, Outcome::OutOfFuel);
}

/// Input is read as the program asks for it, and never held.
#[test]
fn an_endless_input_is_no_trouble() {
	let mut endless = subtask(b"");
	endless.stdin = Box::new(io::repeat(b'x'));
	let report = run(&program(crate::system::ECHO), endless).unwrap();
	assert_eq!(report.outcome, Outcome::TooMuchOutput);

	let mut endless = subtask(b"");
	endless.stdin = Box::new(io::repeat(b'x').take(1 << 40));
	let drain = program(
		"(i32.store (i32.const 0) (i32.const 1024))
		(i32.store (i32.const 4) (i32.const 100000))
		(loop $again
			(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
			(br $again))",
	);
	let report = run(&drain, endless).unwrap();
	assert_eq!(report.outcome, Outcome::OutOfFuel);
}

#[test]
fn huge_programs_are_refused() {
	let mut huge = program("");
	huge.resize(MAX_PROGRAM_BYTES + 1, 0);
	assert_eq!(check(&huge), Err(ProgramError::TooLarge { bytes: MAX_PROGRAM_BYTES + 1 }));
}

/// A module of so many functions, each with so many local variables and that body.
fn module(functions: u32, locals: u32, body: &[u8]) -> Vec<u8> {
	let leb = |mut n: u32| {
		let mut bytes = Vec::new();
		while n >= 128 {
			bytes.push(n as u8 | 128);
			n >>= 7;
		}
		bytes.push(n as u8);
		bytes
	};
	let section =
		|id: u8, content: &[u8]| [&[id][..], &leb(content.len() as u32), content].concat();
	let function = [&[1][..], &leb(locals), &[0x7f], body, &[0x0b]].concat();
	let function = [&leb(function.len() as u32)[..], &function].concat();
	let list = |item: &[u8]| [&leb(functions)[..], &item.repeat(functions as usize)].concat();
	[
		&b"\0asm\x01\0\0\0"[..],
		&section(1, b"\x01\x60\0\0"),
		&section(3, &list(&[0])),
		&section(5, b"\x01\0\x01"),
		&section(7, b"\x02\x06_start\0\0\x06memory\x02\0"),
		&section(10, &list(&function)),
	]
	.concat()
}

/// Little code that takes long to compile: as many functions, variables, labels or values as fit.
#[test]
fn compile_bombs_are_refused() {
	assert_eq!(check(&module(1, 1, b"")), Ok(()));
	assert_eq!(
		check(&module(MAX_FUNCTIONS + 1, 0, b"")),
		Err(ProgramError::TooManyFunctions { functions: MAX_FUNCTIONS + 1 })
	);
	assert_eq!(check(&module(50_000, 5_000, b"")), Err(ProgramError::TooComplex));
	let too_complex = Err(ProgramError::FunctionTooComplex { index: 0 });
	assert_eq!(check(&module(1, 45_000, b"")), too_complex);
	// i32.const 0; br_if 0
	let branches = |count| b"\x41\0\x0d\0".repeat(count);
	assert_eq!(check(&module(1, 1, &branches(11_000))), Ok(()));
	assert_eq!(check(&module(1, 1, &branches(12_000))), too_complex);
	assert_eq!(check(&module(51, 1, &branches(11_000))), Err(ProgramError::TooComplex));
	// loop; i32.const 0; br_if 0; end
	assert_eq!(check(&module(1, 0, &b"\x03\x40\x41\0\x0d\0\x0b".repeat(300_000))), too_complex);

	// A call that takes and gives a thousand values, in two bytes.
	let many = "i32 ".repeat(1000);
	let bomb = format!(
		"(func $many (param {many}) (result {many}) {})",
		(0..1000).map(|i| format!("(local.get {i})")).collect::<String>()
	);
	let calls = format!(
		"{} {} {}",
		"(i32.const 0)".repeat(1000),
		"(call $many)".repeat(600),
		"drop ".repeat(1000)
	);
	let index = 14;
	assert_eq!(
		check(&program_with(&bomb, &calls)),
		Err(ProgramError::FunctionTooComplex { index })
	);
}

/// What is just allowed compiles, and runs.
#[test]
fn the_largest_functions_compile() {
	let sums = "(local.set $i (i32.add (local.get $i) (i32.const 3)))".repeat(50_000);
	let report = run(&program(&format!("(local $i i32) {sums}")), subtask(b"")).unwrap();
	assert_eq!(report.outcome, Outcome::Ok);

	let nested = 20_000;
	// The text parser recurses; the binary form does not.
	let deep = module(1, 0, &[&b"\x02\x40".repeat(nested)[..], &b"\x0b".repeat(nested)].concat());
	assert_eq!(run(&deep, subtask(b"")).unwrap().outcome, Outcome::Ok);
}
