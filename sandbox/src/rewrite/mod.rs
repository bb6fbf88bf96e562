//! Rewrites a program before it is compiled, so that it does the same on every processor: [`nan`] for
//! what its numbers are, [`depth`] for how deep its calls may go, [`fuel`] for how long it may run.

mod additions;
mod depth;
mod fuel;
mod nan;
mod scratch;
mod survey;

pub(crate) use additions::{DEPTH, FUEL, PREFIX, START, STOP, STOP_BYTES};
pub(crate) use depth::LIMIT;

use wasm_encoder::{CodeSection, Module, RawSection, Section};
use wasmparser::{
	FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, OperatorsReader, Parser,
	Payload, ValidPayload, Validator, ValidatorResources,
};

use crate::check::LANGUAGE;
use additions::{join, Additions};
use depth::Depth;
use fuel::Meter;
use nan::Nans;
use scratch::Scratch;
use survey::Survey;

/// Of what [`rewrite`] makes of a program. Another number leaves behind what is compiled already.
pub(crate) const VERSION: u32 = 2;

/// Rewrites a program that passed [`check`](crate::check). Custom sections, as names and debugging
/// information, are left out.
pub(crate) fn rewrite(program: &[u8]) -> wasmparser::Result<Vec<u8>> {
	let survey = Survey::of(program)?;
	let additions = Additions::to(&survey);
	let mut module = Module::new();
	let mut code = CodeSection::new();
	let mut functions = 0;
	let mut parser = Parser::new(0);
	parser.set_features(LANGUAGE);
	let mut validator = Validator::new_with_features(LANGUAGE);
	let mut allocations = FuncValidatorAllocations::default();
	for payload in parser.parse_all(program) {
		let payload = payload?;
		if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
			code.raw(&rewrite_function(
				code.len(),
				function,
				&body,
				&survey,
				&additions,
				&mut allocations,
			)?);
			if code.len() == functions {
				module.section(&code);
			}
			continue;
		}
		// A program that passed the check has one memory, and exports it.
		match &payload {
			Payload::CodeSectionStart { count, .. } => functions = *count,
			Payload::MemorySection(of) => {
				add(&mut module, of.count(), &program[of.range()], &additions.memories());
				if survey.globals.is_none() {
					module.section(&additions.globals());
				}
			},
			Payload::GlobalSection(of) => {
				add(&mut module, of.count(), &program[of.range()], &additions.globals());
			},
			Payload::ExportSection(of) => {
				let exports = additions.exports(survey.start);
				add(&mut module, of.count(), &program[of.range()], &exports);
			},
			// The sandbox calls it, once the program has its fuel.
			Payload::StartSection { .. } | Payload::CustomSection(_) => {},
			_ => copy(&mut module, &payload, program),
		}
	}
	Ok(module.finish())
}

/// A section of the program, as it is.
fn copy(module: &mut Module, payload: &Payload<'_>, program: &[u8]) {
	if let Some((id, range)) = payload.as_section() {
		module.section(&RawSection { id, data: &program[range] });
	}
}

/// A section of the program with more behind it.
fn add(module: &mut Module, count: u32, own: &[u8], more: &impl Section) {
	module.section(&RawSection { id: more.id(), data: &join(count, own, more) });
}

/// `index` counts the functions that the program defines.
fn rewrite_function(
	index: u32,
	function: FuncToValidate<ValidatorResources>,
	body: &FunctionBody<'_>,
	survey: &Survey,
	additions: &Additions,
	allocations: &mut FuncValidatorAllocations,
) -> wasmparser::Result<Vec<u8>> {
	let mut validator = function.into_validator(std::mem::take(allocations));
	let mut reader = body.get_binary_reader();
	validator.read_locals(&mut reader)?;
	let mut scratch = Scratch::new(validator.len_locals());
	let mut nans = Nans::default();
	let mut depth = Depth::new(additions.depth);
	let mut meter = Meter::new(additions, &mut scratch);
	let mut code = Vec::with_capacity(body.as_bytes().len() * 2);

	let mut operators = OperatorsReader::new(reader);
	while !operators.eof() {
		let start = operators.original_position();
		let (operator, offset) = operators.read_with_offset()?;
		let end = operators.original_position();
		let raw = &body.as_bytes()[start - body.range().start..end - body.range().start];

		// Behind a jump nothing runs, and the stack holds what nobody computed.
		if validator.get_control_frame(0).is_none_or(|frame| frame.unreachable) {
			validator.op(offset, &operator)?;
			code.extend_from_slice(raw);
			nans.skip(validator.operand_stack_height());
			continue;
		}

		depth.see(validator.operand_stack_height());
		let step = nans.before(&operator, &validator, &mut scratch, &mut code);
		let blocks = validator.control_stack_height();
		validator.op(offset, &operator)?;
		if matches!(operator, Operator::CallIndirect { .. }) {
			depth.before_indirect_call(&mut scratch, &mut code);
		} else if survey.calls_caller(&operator) {
			depth.before_call(&mut scratch, &mut code);
		}
		meter.before(&operator, blocks, &mut scratch, &mut code);
		code.extend_from_slice(raw);
		meter.after(&operator, &mut code);
		nans.after(step, validator.operand_stack_height(), &mut scratch, &mut code);
	}
	operators.finish()?;
	let mut entry = Vec::new();
	meter.enter(survey.calls(index), &mut entry);
	let arrival = depth.finish(validator.len_locals(), &mut code);
	if survey.calls(index) {
		entry.extend_from_slice(&arrival);
	}
	*allocations = validator.into_allocations();
	scratch.with_locals(body, &entry, &code)
}

#[cfg(test)]
mod tests {
	use super::*;
	use wasm_encoder as encoder;

	/// A section may be there and hold nothing, or not be there.
	#[test]
	fn works_with_empty_sections_and_without() {
		for empty in [false, true] {
			let mut types = encoder::TypeSection::new();
			types.ty().function([], []);
			let mut functions = encoder::FunctionSection::new();
			functions.function(0);
			let memory = encoder::MemoryType {
				minimum: 1,
				maximum: None,
				memory64: false,
				shared: false,
				page_size_log2: None,
			};
			let mut memories = encoder::MemorySection::new();
			memories.memory(memory);
			let mut exports = encoder::ExportSection::new();
			exports.export("memory", encoder::ExportKind::Memory, 0);
			exports.export("_start", encoder::ExportKind::Func, 0);
			let mut code = CodeSection::new();
			let mut function = encoder::Function::new([]);
			function.instructions().end();
			code.function(&function);

			let mut program = Module::new();
			program.section(&types).section(&functions);
			if empty {
				program.section(&encoder::TableSection::new());
			}
			program.section(&memories);
			if empty {
				program.section(&encoder::GlobalSection::new());
			}
			program.section(&exports).section(&code);
			let program = program.finish();
			crate::check(&program).expect("a program");
			let rewritten = rewrite(&program).expect("valid");
			wasmparser::validate(&rewritten).expect("valid as well");
		}
	}
}
