//! The same bytes and the same fuel, in every run, compiled or cached.

use dgcs_sandbox::{Cache, Cancel, Outcome, Sandbox, TrapKind};

use crate::{numbers, program, program_with, run, subtask};

#[test]
fn runs_repeat_to_the_byte_and_unit() {
	let busy = program_with(
		"(func $mix (param i64) (result i64)
			(i64.mul (i64.xor (local.get 0) (i64.shr_u (local.get 0) (i64.const 29)))
				(i64.const 0x94d049bb133111eb)))",
		"(local $i i32)
		(drop (call $random_get (i32.const 512) (i32.const 64)))
		(loop $again
			(drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 32)))
			(i64.store (i32.const 512) (call $mix
				(i64.add (i64.load (i32.const 32)) (i64.load (i32.const 512)))))
			(call $put64 (i64.load (i32.const 512)))
			(br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
				(i32.const 1000))))",
	);
	let dir = tempfile::tempdir().unwrap();
	let mut reports = Vec::new();
	for _ in 0..3 {
		let cache = Cache::open(dir.path(), 1 << 30).unwrap();
		let sandbox = Sandbox::new(Some(cache)).unwrap();
		let program = sandbox.prepare(&busy).unwrap();
		for _ in 0..2 {
			let report = sandbox.run(&program, subtask(b""), &Cancel::new()).unwrap();
			reports.push((report.outcome, report.output, report.fuel, report.peak_memory));
		}
	}
	assert!(reports.windows(2).all(|two| two[0] == two[1]));
}

/// What a worker on another machine has to find as well. A change of these numbers is a change of the
/// protocol: with it, workers of two versions don't agree any more.
#[test]
fn fuel_is_what_it_was() {
	let count = program(
		"(local $i i32)
		(loop $again
			(br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
				(i32.const 1000))))",
	);
	assert_eq!(run(&count, subtask(b"")).unwrap().fuel, 7001);
	let write = program("(call $put64 (i64.const 0))");
	assert_eq!(run(&write, subtask(b"")).unwrap().fuel, 224);
}

/// NaNs as processors make them: of a division, of infinities, of a root, with payloads, as floats of
/// both lengths, in vectors, behind calls, jumps, selections and variables.
#[test]
fn nans_have_one_pattern() {
	let zero = "(f64.load (i32.const 256))";
	let cases = [
		format!("(i64.reinterpret_f64 (f64.div {zero} {zero}))"),
		format!("(i64.reinterpret_f64 (f64.sqrt (f64.sub {zero} (f64.const 1))))"),
		format!("(i64.reinterpret_f64 (f64.sub (f64.div (f64.const 1) {zero}) (f64.div (f64.const 1) {zero})))"),
		format!("(i64.reinterpret_f64 (f64.add (f64.const -nan:0x123) {zero}))"),
		format!("(i64.reinterpret_f64 (call $id (i32.const 1) (f64.div {zero} {zero}) (i32.const 2)))"),
		format!("(i64.reinterpret_f64 (local.tee $f (f64.mul (f64.const -nan) {zero})))"),
		format!("(i64.reinterpret_f64 (select (f64.div {zero} {zero}) (f64.const 1) (i32.const 1)))"),
		format!("(i64.reinterpret_f64 (block (result f64) (br 0 (f64.div {zero} {zero}))))"),
		format!("(i64.reinterpret_f64 (if (result f64) (i32.const 1) (then (f64.div {zero} {zero})) (else (f64.const 1))))"),
		format!("(i64.reinterpret_f64 (global.set $g (f64.div {zero} {zero})) (global.get $g))"),
		format!("(i64x2.extract_lane 1 (f64x2.div (f64x2.splat {zero}) (f64x2.splat {zero})))"),
		format!("(i64x2.extract_lane 0 (f64x2.splat (f64.div {zero} {zero})))"),
		format!("(i64.reinterpret_f64 (f64.promote_f32 (f32.demote_f64 (f64.div {zero} {zero}))))"),
	];
	for case in cases {
		let report = run(
			&program_with(
				"(global $g (mut f64) (f64.const 0))
				(func $id (param i32 f64 i32) (result f64) (local.get 1))",
				&format!("(local $f f64) (call $put64 {case})"),
			),
			subtask(b""),
		)
		.unwrap();
		assert_eq!(numbers(&report), [0x7ff8_0000_0000_0000], "{case}");
	}
	for (case, bits) in [
		(format!("(i32.reinterpret_f32 (f32.demote_f64 (f64.div {zero} {zero})))"), 0x7fc0_0000),
		("(i32x4.extract_lane 3 (f32x4.div (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0)))".into(), 0x7fc0_0000),
		// The sign of a NaN, by the one other instruction that sees it.
		(format!("(i32.trunc_f64_s (f64.copysign (f64.const 2) (f64.div {zero} {zero})))"), 2),
	] {
		let report =
			run(&program(&format!("(call $put64 (i64.extend_i32_u {case}))")), subtask(b"")).unwrap();
		assert_eq!(numbers(&report), [bits], "{case}");
	}
}

/// What is moved and not computed keeps its bits, as WebAssembly says: programs put other things than
/// numbers into NaNs.
#[test]
fn bits_that_are_only_moved_stay() {
	let bits = 0xfff4_dead_beef_0001u64;
	let report = run(
		&program_with(
			"(func $id (param f64) (result f64) (local.get 0))",
			&format!(
				"(local $f f64)
				(i64.store (i32.const 256) (i64.const {bits}))
				(local.set $f (f64.load (i32.const 256)))
				(f64.store (i32.const 264) (call $id (select (local.get $f) (f64.const 1) (i32.const 1))))
				(call $put64 (i64.load (i32.const 264)))
				(call $put64 (i64.reinterpret_f64 (f64.neg (local.get $f))))"
			),
		),
		subtask(b""),
	)
	.unwrap();
	assert_eq!(numbers(&report), [bits, bits ^ 1 << 63]);
}

/// Units of depth that all frames may have together.
const LIMIT: u32 = 1 << 20;

/// The deepest that these calls may go, found by trying.
fn deepest(definitions: &str) -> u32 {
	let program = program_with(
		definitions,
		"(i32.store (i32.const 0) (i32.const 64))
		(i32.store (i32.const 4) (i32.const 4))
		(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
		(call $deep (i32.load (i32.const 64)))",
	);
	let sandbox = Sandbox::new(None).unwrap();
	let program = sandbox.prepare(&program).unwrap();
	let (mut returns, mut overflows) = (0, 1 << 20);
	while overflows - returns > 1 {
		let middle = (returns + overflows) / 2;
		let subtask = subtask(&u32::to_le_bytes(middle));
		match sandbox.run(&program, subtask, &Cancel::new()).unwrap().outcome {
			Outcome::Ok => returns = middle,
			Outcome::Trap(TrapKind::StackOverflow) => overflows = middle,
			other => panic!("{other}"),
		}
	}
	returns
}

/// How deep calls may go follows from the program: from what each function has at hand, not from what a
/// processor puts on its stack. Were the native stack too small for any of these, it would be less.
#[test]
fn stacks_end_at_the_same_depth() {
	const MAIN: u32 = 8 + 4;
	let call = "(if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))))";
	let deepest_of = |units: u32| (LIMIT - MAIN) / units;

	// One parameter, and two values at most.
	let small = deepest(&format!("(func $deep (param i32) {call})"));
	assert_eq!(small, deepest_of(8 + 1 + 2));

	let indirect = deepest(
		"(type $deep (func (param i32))) (table funcref (elem $deep))
		(func $deep (param i32) (if (local.get 0) (then
			(call_indirect (type $deep) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))",
	);
	assert_eq!(indirect, deepest_of(8 + 1 + 2));

	// Many variables and values, all needed behind the call: as much as a frame can be made to hold.
	for (of, zero) in [("i64", "(i64.const 1)"), ("v128", "(v128.const i64x2 1 2)")] {
		let set: String = (1..=300)
			.map(|i| format!("(local.set {i} (call $one (local.get 0) {zero}))"))
			.collect();
		let push: String = (0..300).map(|_| format!("(call $one (local.get 0) {zero})")).collect();
		let use_all: String = (1..=300).map(|i| format!("(call $use (local.get {i}))")).collect();
		let pop = "(call $use)".repeat(300);
		let locals = format!("{of} ").repeat(300);
		let store = if of == "i64" { "i64.store" } else { "v128.store" };
		let large = deepest(&format!(
			"(func $one (param i32 {of}) (result {of}) ({store} (i32.const 96) (local.get 1))
				(local.get 1))
			(func $use (param {of}) ({store} (i32.const 96) (local.get 0)))
			(func $deep (param i32) (local {locals}) {set} {push} {call} {use_all} {pop})"
		));
		assert_eq!(large, deepest_of(8 + 301 + 302), "{of}");
	}
}

/// What a program calls before its start has returned by then, and so have the calls of each other function.
#[test]
fn the_start_does_not_count_what_was_before() {
	let half = |name: &str, start: &str| {
		let calls = (LIMIT / 2 / 11).to_string();
		program_with(
			&format!(
				"(func ${name} (param i32) (if (local.get 0) (then
					(call ${name} (i32.sub (local.get 0) (i32.const 1))))))
				(func $before (call ${name} (i32.const {calls}))) {start}"
			),
			&format!("(call ${name} (i32.const {calls})) (call ${name} (i32.const {calls}))"),
		)
	};
	let alone = run(&half("down", ""), subtask(b"")).unwrap();
	let after = run(&half("down", "(start $before)"), subtask(b"")).unwrap();
	assert_eq!((alone.outcome, after.outcome), (Outcome::Ok, Outcome::Ok));
	assert!(after.fuel > alone.fuel * 4 / 3, "{} {}", alone.fuel, after.fuel);
}

/// A call that has returned counts no more.
#[test]
fn calls_that_return_are_not_counted() {
	let many = program_with(
		"(func $leaf (param i32) (result i32) (local.get 0))
		(func $caller (param i32) (result i32) (call $leaf (local.get 0)))",
		"(local $i i32)
		(loop $again
			(br_if $again (i32.lt_u (local.tee $i (i32.add (i32.const 1) (call $caller (local.get $i))))
				(i32.const 1000000))))",
	);
	assert_eq!(run(&many, subtask(b"")).unwrap().outcome, Outcome::Ok);
}
