//! Whether a program can run at all: asked by its owner before it pays, and by every worker.
//!
//! The answer follows from the bytes alone. It does not depend on the machine, nor on how the engine
//! was built: what the language is, is said here.

use thiserror::Error;
use wasmparser::{
	Encoding, ExternalKind, FuncToValidate, FuncType, FuncValidatorAllocations, FunctionBody,
	Operator, Parser, Payload, TypeRef, ValType, ValidPayload, Validator, ValidatorResources,
	WasmFeatures,
};

use crate::{rewrite, wasi};

/// Most bytes of a program.
pub const MAX_PROGRAM_BYTES: usize = 32 * 1024 * 1024;
/// Most functions of a program.
pub const MAX_FUNCTIONS: u32 = 100_000;
/// Most that one function may cost to compile: one unit for each instruction, each value that it
/// takes or gives, each label of a jump table, and each local variable; and one more for each
/// [`BRANCHES_PER_UNIT`] conditional branches that come before a conditional branch in the function.
pub const MAX_FUNCTION_COST: u64 = 1_000_000;
/// How many conditional branches cost each one after them a unit. The compiler's time grows with the
/// square of their number: with this, a function has some 11,000 at the most, and takes a few seconds.
pub const BRANCHES_PER_UNIT: u64 = 64;
/// Most that all functions together may cost to compile.
pub const MAX_COST: u64 = 50_000_000;

/// Most local variables of a function. The engine's own bound leaves room for those that a rewritten
/// function has more.
const MAX_LOCALS: u32 = 40_000;

/// WebAssembly 2.0 without references to things outside: neither threads nor relaxed SIMD, whose
/// results differ between machines.
pub(crate) const LANGUAGE: WasmFeatures = WasmFeatures::WASM2.difference(WasmFeatures::GC_TYPES);

/// What is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProgramError {
	/// More than [`MAX_PROGRAM_BYTES`].
	#[error(
		"the program has {bytes} bytes, and may have {MAX_PROGRAM_BYTES}; strip it of debugging \
		 information (wasm-strip, -s), and hand data over as input"
	)]
	TooLarge {
		/// How many it has.
		bytes: usize,
	},
	/// Some other file.
	#[error("this is no WebAssembly: {found}; compile the program for wasm32-wasip1")]
	NotWasm {
		/// What it looks like.
		found: &'static str,
	},
	/// A component of the component model.
	#[error(
		"the program is a WebAssembly component (WASI preview 2); compile it for wasm32-wasip1, which \
		 gives a plain module"
	)]
	Component,
	/// Not WebAssembly 2.0.
	#[error(
		"the program is not valid WebAssembly 2.0 at byte {offset}: {message}; compile it for \
		 wasm32-wasip1, without threads, relaxed SIMD, exceptions or 64-bit memory"
	)]
	Invalid {
		/// Where.
		offset: usize,
		/// What is wrong there.
		message: String,
	},
	/// Imports what there is not.
	#[error(
		"the program needs {module}.{name}, and a sandbox has nothing but the functions of WASI \
		 preview 1 (wasi_snapshot_preview1); compile it for wasm32-wasip1"
	)]
	UnknownImport {
		/// From which module.
		module: String,
		/// What.
		name: String,
	},
	/// Imports something as what it is not.
	#[error(
		"the program imports wasi_snapshot_preview1.{name} with another type than it has; compile it \
		 for wasm32-wasip1 with an unchanged library"
	)]
	ImportType {
		/// What.
		name: String,
	},
	/// A library, perhaps.
	#[error(
		"the program has no function _start without parameters and results; compile it as a command \
		 with a main function, not as a library or reactor"
	)]
	NoStart,
	/// Under a name that is the sandbox's own.
	#[error(
		"the program exports {name:?}, and names that begin with {:?} are the sandbox's; give it another",
		rewrite::PREFIX
	)]
	ReservedExport {
		/// Which one.
		name: String,
	},
	/// The functions of WASI can't answer it.
	#[error("the program does not export its memory as \"memory\"; compile it for wasm32-wasip1")]
	NoMemory,
	/// More than [`MAX_FUNCTIONS`].
	#[error("the program has {functions} functions, and may have {MAX_FUNCTIONS}")]
	TooManyFunctions {
		/// How many it has.
		functions: u32,
	},
	/// More than [`MAX_FUNCTION_COST`].
	#[error(
		"function {index} of the program is too complex: compiling it costs over {MAX_FUNCTION_COST}; \
		 split it up, or inline less"
	)]
	FunctionTooComplex {
		/// Which one, counted with those imported.
		index: u32,
	},
	/// More than [`MAX_COST`].
	#[error(
		"the program is too complex: compiling it costs over {MAX_COST}; leave out what it \
		 does not use (-Wl,--gc-sections, opt-level = \"s\")"
	)]
	TooComplex,
}

impl From<wasmparser::BinaryReaderError> for ProgramError {
	fn from(error: wasmparser::BinaryReaderError) -> Self {
		Self::Invalid { offset: error.offset(), message: error.message().to_owned() }
	}
}

/// Checks that `program` is a WASI command that a sandbox can run, and can compile in bounded time.
///
/// # Errors
///
/// What is wrong, and what its author can do about it.
pub fn check(program: &[u8]) -> Result<(), ProgramError> {
	if program.len() > MAX_PROGRAM_BYTES {
		return Err(ProgramError::TooLarge { bytes: program.len() });
	}
	check_header(program)?;

	let mut parser = Parser::new(0);
	parser.set_features(LANGUAGE);
	let mut validator = Validator::new_with_features(LANGUAGE);
	let mut allocations = FuncValidatorAllocations::default();
	let mut imports = Vec::new();
	let (mut start, mut memory) = (None, false);
	let mut total = 0;
	for payload in parser.parse_all(program) {
		let payload = payload?;
		match &payload {
			Payload::CodeSectionStart { count, .. } if *count > MAX_FUNCTIONS => {
				return Err(ProgramError::TooManyFunctions { functions: *count });
			},
			Payload::ImportSection(section) => {
				for import in section.clone() {
					imports.push(import?);
				}
			},
			Payload::ExportSection(section) => {
				for export in section.clone() {
					let export = export?;
					match (export.name, export.kind) {
						("_start", ExternalKind::Func) => start = Some(export.index),
						("memory", ExternalKind::Memory) => memory = true,
						(name, _) if name.starts_with(rewrite::PREFIX) => {
							return Err(ProgramError::ReservedExport { name: name.into() });
						},
						_ => {},
					}
				}
			},
			_ => {},
		}
		match validator.payload(&payload)? {
			ValidPayload::Func(function, body) => {
				total += check_function(function, &body, &mut allocations)?;
				if total > MAX_COST {
					return Err(ProgramError::TooComplex);
				}
			},
			ValidPayload::End(types) => {
				let types = types.as_ref();
				let type_at = |index| types[types.core_type_at_in_module(index)].unwrap_func();
				for import in &imports {
					check_import(import, type_at)?;
				}
				let start = start.map(|start| types[types.core_function_at(start)].unwrap_func());
				if !start.is_some_and(|of| of.params().is_empty() && of.results().is_empty()) {
					return Err(ProgramError::NoStart);
				}
			},
			_ => {},
		}
	}
	if !memory {
		return Err(ProgramError::NoMemory);
	}
	Ok(())
}

/// Tells what else the program may be, before the parser calls it bad WebAssembly.
fn check_header(program: &[u8]) -> Result<(), ProgramError> {
	let found = match program {
		[b'\0', b'a', b's', b'm', ..] => {
			return match Parser::new(0).parse_all(program).next() {
				Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => {
					Err(ProgramError::Component)
				},
				Some(Err(error)) => Err(error.into()),
				_ => Ok(()),
			}
		},
		[] => "the file is empty",
		[b'\x7f', b'E', b'L', b'F', ..] => "it is a program for Linux",
		[b'M', b'Z', ..] => "it is a program for Windows",
		[b'#', b'!', ..] => "it is a script",
		_ if program.trim_ascii_start().starts_with(b"(module") => {
			"it is the text form, which wat2wasm assembles"
		},
		_ => "it does not begin with \\0asm",
	};
	Err(ProgramError::NotWasm { found })
}

/// Validates one function, and says what compiling it costs.
fn check_function(
	function: FuncToValidate<ValidatorResources>,
	body: &FunctionBody<'_>,
	allocations: &mut FuncValidatorAllocations,
) -> Result<u64, ProgramError> {
	let mut validator = function.into_validator(std::mem::take(allocations));
	let index = validator.index();
	let mut reader = body.get_binary_reader();
	validator.read_locals(&mut reader)?;
	if validator.len_locals() > MAX_LOCALS {
		return Err(ProgramError::FunctionTooComplex { index });
	}
	let mut cost = u64::from(validator.len_locals());
	let mut branches = 0;
	let mut operators = wasmparser::OperatorsReader::new(reader);
	while !operators.eof() {
		let (operator, offset) = operators.read_with_offset()?;
		// Its operands belong to the state before it.
		let (takes, gives) = operator.operator_arity(&validator).unwrap_or_default();
		let labels = match &operator {
			Operator::BrTable { targets } => targets.len(),
			_ => 0,
		};
		if matches!(
			operator,
			Operator::If { .. } | Operator::BrIf { .. } | Operator::BrTable { .. }
		) {
			cost += branches / BRANCHES_PER_UNIT;
			branches += 1;
		}
		validator.op(offset, &operator)?;
		cost += 1 + u64::from(takes) + u64::from(gives) + u64::from(labels);
		if cost > MAX_FUNCTION_COST {
			return Err(ProgramError::FunctionTooComplex { index });
		}
	}
	operators.finish()?;
	*allocations = validator.into_allocations();
	Ok(cost)
}

fn check_import<'a>(
	import: &wasmparser::Import<'_>,
	type_at: impl Fn(u32) -> &'a FuncType,
) -> Result<(), ProgramError> {
	let signature = wasi::signature_of(import.name).filter(|_| import.module == wasi::MODULE);
	let Some(signature) = signature else {
		return Err(ProgramError::UnknownImport {
			module: import.module.to_owned(),
			name: import.name.to_owned(),
		});
	};
	let params = signature.map(|letter| match letter {
		'I' => ValType::I64,
		_ => ValType::I32,
	});
	let results: &[ValType] = if wasi::result_of(import.name) { &[ValType::I32] } else { &[] };
	match import.ty {
		TypeRef::Func(of)
			if type_at(of).params().iter().copied().eq(params)
				&& type_at(of).results() == results =>
		{
			Ok(())
		},
		_ => Err(ProgramError::ImportType { name: import.name.to_owned() }),
	}
}
