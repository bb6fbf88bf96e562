//! What a rewritten program has on top of its own, each behind what it has of the kind, so that nothing
//! of its own gets another number.

use wasm_encoder::{
	ConstExpr, Encode, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType,
	RefType, Section, TableSection, TableType, TypeSection, ValType,
};

use super::survey::Survey;

/// How names begin that are the sandbox's own. No program may export one.
pub(crate) const PREFIX: &str = "dgcs:";

/// The counter of depth.
pub(crate) const DEPTH: &str = "dgcs:depth";
/// What is left of a slice of fuel, when nothing of the program runs but a function of the system.
pub(crate) const SLICE: &str = "dgcs:slice";
/// What is left of the fuel beside that.
pub(crate) const REST: &str = "dgcs:rest";
/// The function that the program wants to run before all others, if there is one.
pub(crate) const START: &str = "dgcs:start";

/// Their numbers.
pub(super) struct Additions {
	pub(super) depth: u32,
	pub(super) slice: u32,
	pub(super) rest: u32,
	pub(super) table: u32,
	/// The function that takes the next slice.
	pub(super) refill: u32,
	refill_type: u32,
}

impl Additions {
	pub(super) fn to(survey: &Survey) -> Self {
		let globals = survey.globals.unwrap_or_default();
		Self {
			depth: globals,
			slice: globals + 1,
			rest: globals + 2,
			table: survey.tables.unwrap_or_default(),
			refill: survey.imported + survey.callers.len() as u32,
			refill_type: survey.types,
		}
	}

	pub(super) fn types(&self) -> TypeSection {
		let mut section = TypeSection::new();
		section.ty().function([ValType::I64], [ValType::I64]);
		section
	}

	pub(super) fn functions(&self) -> FunctionSection {
		let mut section = FunctionSection::new();
		section.function(self.refill_type);
		section
	}

	pub(super) fn tables(&self) -> TableSection {
		let mut section = TableSection::new();
		section.table(TableType {
			element_type: RefType::FUNCREF,
			table64: false,
			minimum: 0,
			maximum: Some(0),
			shared: false,
		});
		section
	}

	pub(super) fn globals(&self) -> GlobalSection {
		let mut section = GlobalSection::new();
		let mutable = |val_type| GlobalType { val_type, mutable: true, shared: false };
		section.global(mutable(ValType::I32), &ConstExpr::i32_const(0));
		section.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
		section.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
		section
	}

	pub(super) fn exports(&self, start: Option<u32>) -> ExportSection {
		let mut section = ExportSection::new();
		section.export(DEPTH, ExportKind::Global, self.depth);
		section.export(SLICE, ExportKind::Global, self.slice);
		section.export(REST, ExportKind::Global, self.rest);
		if let Some(start) = start {
			section.export(START, ExportKind::Func, start);
		}
		section
	}
}

/// The content of a section, of so many items and `own` bytes, with those of another behind it.
pub(super) fn join(count: u32, own: &[u8], other: &impl Section) -> Vec<u8> {
	let mut encoded = Vec::new();
	other.encode(&mut encoded);
	let more = &encoded[number_length(&encoded)..];
	let mut joined = Vec::with_capacity(own.len() + more.len() + 5);
	// Additions are so few that their number is a byte.
	(count + u32::from(more[0])).encode(&mut joined);
	joined.extend_from_slice(&own[number_length(own)..]);
	joined.extend_from_slice(&more[1..]);
	joined
}

/// How many bytes the number at the start takes: all but its last have their highest bit set.
fn number_length(bytes: &[u8]) -> usize {
	bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1
}
