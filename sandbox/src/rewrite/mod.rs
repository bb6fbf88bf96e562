//! Rewrites a program before it is compiled, so that it does the same on every processor: [`nan`] for
//! what its numbers are, [`depth`] for how deep its calls may go, [`bulk`] for what it pays for.

mod bulk;
mod depth;
mod nan;
mod scratch;

pub(crate) use depth::{EXPORT, LIMIT};

use wasm_encoder::{CodeSection, Module, RawSection};
use wasmparser::{
	FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, OperatorsReader, Parser,
	Payload, TypeRef, ValidPayload, Validator, ValidatorResources,
};

use crate::check::LANGUAGE;
use depth::Depth;
use nan::Nans;
use scratch::Scratch;

/// `SectionId` of globals and exports, as the binary format numbers them.
const GLOBAL_SECTION: u8 = 6;
const EXPORT_SECTION: u8 = 7;

/// Rewrites a program that passed [`check`](crate::check). Custom sections, as names and debugging
/// information, are left out.
pub(crate) fn rewrite(program: &[u8]) -> wasmparser::Result<Vec<u8>> {
	let callers = Callers::find(program)?;
	let mut module = Module::new();
	let mut code = CodeSection::new();
	let mut functions = 0;
	// Of the counter of depth: behind the program's own.
	let mut global = None;
	let mut parser = Parser::new(0);
	parser.set_features(LANGUAGE);
	let mut validator = Validator::new_with_features(LANGUAGE);
	let mut allocations = FuncValidatorAllocations::default();
	for payload in parser.parse_all(program) {
		let payload = payload?;
		if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
			// A program that passed the check exports something, so the counter is there.
			let depth = Depth::new(global.unwrap_or_default());
			code.raw(&rewrite_function(code.len(), function, &body, depth, &callers, &mut allocations)?);
			if code.len() == functions {
				module.section(&code);
			}
			continue;
		}
		match &payload {
			Payload::CodeSectionStart { count, .. } => functions = *count,
			Payload::CustomSection(_) => {},
			Payload::GlobalSection(section) => {
				global = Some(section.count());
				let data = depth::add_global(section, &program[section.range()]);
				module.section(&RawSection { id: GLOBAL_SECTION, data: &data });
			},
			Payload::ExportSection(section) => {
				let global = *global.get_or_insert_with(|| {
					let data = depth::first_global();
					module.section(&RawSection { id: GLOBAL_SECTION, data: &data });
					0
				});
				let data = depth::add_export(section, &program[section.range()], global);
				module.section(&RawSection { id: EXPORT_SECTION, data: &data });
			},
			_ => {
				if let Some((id, range)) = payload.as_section() {
					module.section(&RawSection { id, data: &program[range] });
				}
			},
		}
	}
	Ok(module.finish())
}

/// Which functions call others: those that can be part of a recursion.
struct Callers {
	imported: u32,
	defined: Vec<bool>,
}

impl Callers {
	fn find(program: &[u8]) -> wasmparser::Result<Self> {
		let mut found = Self { imported: 0, defined: Vec::new() };
		for payload in Parser::new(0).parse_all(program) {
			match payload? {
				Payload::ImportSection(section) => {
					for import in section {
						found.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
					}
				},
				Payload::CodeSectionEntry(body) => {
					let mut calls = false;
					for operator in body.get_operators_reader()? {
						calls |= matches!(
							operator?,
							Operator::Call { .. } | Operator::CallIndirect { .. }
						);
					}
					found.defined.push(calls);
				},
				_ => {},
			}
		}
		Ok(found)
	}

	/// Whether a function is one of them, by its place among those that the program defines.
	fn has(&self, index: u32) -> bool {
		self.defined.get(index as usize).copied().unwrap_or(false)
	}

	/// Whether this instruction calls one of them by its name.
	fn are_called_by(&self, operator: &Operator<'_>) -> bool {
		match operator {
			Operator::Call { function_index } => function_index
				.checked_sub(self.imported)
				.is_some_and(|index| self.has(index)),
			_ => false,
		}
	}
}

/// `index` counts the functions that the program defines.
fn rewrite_function(
	index: u32,
	function: FuncToValidate<ValidatorResources>,
	body: &FunctionBody<'_>,
	mut depth: Depth,
	callers: &Callers,
	allocations: &mut FuncValidatorAllocations,
) -> wasmparser::Result<Vec<u8>> {
	let mut validator = function.into_validator(std::mem::take(allocations));
	let mut reader = body.get_binary_reader();
	validator.read_locals(&mut reader)?;
	let mut scratch = Scratch::new(validator.len_locals());
	let mut nans = Nans::default();
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
		bulk::pay(&operator, &mut scratch, &mut code);
		let step = nans.before(&operator, &validator, &mut scratch, &mut code);
		validator.op(offset, &operator)?;
		if matches!(operator, Operator::CallIndirect { .. }) {
			depth.before_indirect_call(&mut scratch, &mut code);
		} else if callers.are_called_by(&operator) {
			depth.before_call(&mut scratch, &mut code);
		}
		code.extend_from_slice(raw);
		nans.after(step, validator.operand_stack_height(), &mut scratch, &mut code);
	}
	operators.finish()?;
	let mut entry = depth.finish(validator.len_locals(), &mut code);
	if !callers.has(index) {
		entry.clear();
	}
	*allocations = validator.into_allocations();
	scratch.with_locals(body, &entry, &code)
}
