//! What has to be known of a program before its first function is rewritten.

use wasmparser::{Operator, Parser, Payload, TypeRef};

/// What it has, and who calls whom.
#[derive(Default)]
pub(super) struct Survey {
	/// Functions of the system.
	imported: u32,
	/// Whether each function of the program calls another: only then it can be part of a recursion.
	callers: Vec<bool>,
	/// `None`: not even an empty section of them.
	pub(super) globals: Option<u32>,
	pub(super) start: Option<u32>,
}

impl Survey {
	pub(super) fn of(program: &[u8]) -> wasmparser::Result<Self> {
		let mut found = Self::default();
		for payload in Parser::new(0).parse_all(program) {
			match payload? {
				Payload::ImportSection(section) => {
					for import in section {
						found.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
					}
				},
				Payload::GlobalSection(section) => found.globals = Some(section.count()),
				Payload::StartSection { func, .. } => found.start = Some(func),
				Payload::CodeSectionEntry(body) => {
					let mut calls = false;
					for operator in body.get_operators_reader()? {
						calls |= matches!(
							operator?,
							Operator::Call { .. } | Operator::CallIndirect { .. }
						);
					}
					found.callers.push(calls);
				},
				_ => {},
			}
		}
		Ok(found)
	}

	/// Whether a function calls others, by its place among those that the program defines.
	pub(super) fn calls(&self, index: u32) -> bool {
		self.callers.get(index as usize).copied().unwrap_or(false)
	}

	/// Whether this instruction calls such a function by its name.
	pub(super) fn calls_caller(&self, operator: &Operator<'_>) -> bool {
		match operator {
			Operator::Call { function_index } => {
				function_index.checked_sub(self.imported).is_some_and(|index| self.calls(index))
			},
			_ => false,
		}
	}
}
