//! What can't run is refused before it runs, with a reason.

use dgcs_sandbox::{check, PrepareError, ProgramError, Sandbox};

use crate::program;

fn refused(text: &str) -> ProgramError {
	let bytes = wat::parse_str(text).unwrap();
	let error = check(&bytes).unwrap_err();
	// Workers refuse for the same reason as the owner's client.
	match Sandbox::new(None).unwrap().prepare(&bytes) {
		Err(PrepareError::Program(same)) => assert_eq!(same, error),
		other => panic!("{other:?}"),
	}
	error
}

#[test]
fn check_works() {
	assert_eq!(check(&program("")), Ok(()));
}

#[test]
fn check_fails_when_it_is_no_wasm() {
	let found = |bytes: &[u8]| match check(bytes) {
		Err(ProgramError::NotWasm { found }) => found,
		other => panic!("{other:?}"),
	};
	assert_eq!(found(b""), "the file is empty");
	assert_eq!(found(b"\x7fELF\x02\x01"), "it is a program for Linux");
	assert_eq!(found(b"MZ\x90"), "it is a program for Windows");
	assert_eq!(found(b"#!/bin/sh\n"), "it is a script");
	assert_eq!(found(b"\n (module)"), "it is the text form, which wat2wasm assembles");
	assert_eq!(found(b"hello"), "it does not begin with \\0asm");
}

#[test]
fn check_fails_when_it_is_a_component() {
	assert_eq!(check(b"\0asm\x0d\0\x01\0"), Err(ProgramError::Component));
	assert!(matches!(check(b"\0asm\x02\0\0\0"), Err(ProgramError::Invalid { .. })));
}

/// Cut anywhere, or with any byte changed, a program is refused or still one; it never does harm.
#[test]
fn check_fails_when_cut_short() {
	let whole = program("(call $put64 (i64.const 1))");
	// Names, which are last, may be missing.
	let accepted = (1..whole.len()).filter(|length| check(&whole[..*length]).is_ok());
	assert_eq!(accepted.count(), 1);
	for at in 0..whole.len() {
		let mut changed = whole.clone();
		changed[at] ^= 0x55;
		let _ = check(&changed);
	}
}

#[test]
fn check_fails_when_it_imports_what_there_is_not() {
	let unknown = |module: &str, name: &str| {
		let text = format!(
			r#"(module (import "{module}" "{name}" (func (param i32))) (memory (export "memory") 1)
				(func (export "_start")))"#
		);
		assert_eq!(
			refused(&text),
			ProgramError::UnknownImport { module: module.into(), name: name.into() }
		);
	};
	unknown("env", "system");
	unknown("wasi_unstable", "proc_exit");
	unknown("wasi_snapshot_preview1", "thread_spawn");

	for import in ["(func (param i64))", "(func (param i32) (result i32))", "(memory 1)"] {
		let text = format!(
			r#"(module (import "wasi_snapshot_preview1" "proc_exit" {import})
				(memory {} 1) (func (export "_start")))"#,
			if import == "(memory 1)" { "" } else { r#"(export "memory")"# }
		);
		if import != "(memory 1)" {
			assert_eq!(refused(&text), ProgramError::ImportType { name: "proc_exit".into() });
		} else {
			// Two memories are not of the language, before anything else.
			assert!(matches!(refused(&text), ProgramError::Invalid { .. }));
		}
	}
}

#[test]
fn check_fails_when_there_is_no_start() {
	for start in ["", r#"(func (export "_start") (param i32))"#, r#"(func (export "_initialize"))"#]
	{
		let text = format!(r#"(module (memory (export "memory") 1) {start})"#);
		assert_eq!(refused(&text), ProgramError::NoStart);
	}
}

#[test]
fn check_fails_when_there_is_no_memory() {
	assert_eq!(refused(r#"(module (func (export "_start")))"#), ProgramError::NoMemory);
}

#[test]
fn check_fails_when_it_exports_the_sandboxs_own_name() {
	let text = r#"(module (memory (export "memory") 1) (global (export "dgcs:depth") i32 (i32.const 0))
		(func (export "_start")))"#;
	assert_eq!(refused(text), ProgramError::ReservedExport { name: "dgcs:depth".into() });
}

/// What would make results differ, or is no part of the language.
#[test]
fn check_fails_when_machines_may_differ() {
	let bodies = [
		("(memory (export \"memory\") 1 1 shared)", ""),
		("(memory (export \"memory\") i64 1)", ""),
		(
			"(memory (export \"memory\") 1)",
			"(drop (f32x4.relaxed_min (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
		),
		("(memory (export \"memory\") 1)", "(drop (i32.atomic.load (i32.const 0)))"),
		("(memory (export \"memory\") 1) (table 1 externref)", ""),
		("(memory (export \"memory\") 1)", "(return_call 0)"),
	];
	for (memory, body) in bodies {
		let text = format!(r#"(module {memory} (func (export "_start") {body}))"#);
		assert!(matches!(refused(&text), ProgramError::Invalid { .. }), "{text}");
	}
}
