//! What a rewritten program has on top of its own, each behind what it has of the kind, so that nothing
//! of its own gets another number.

use wasm_encoder::{
	ConstExpr, Encode, ExportKind, ExportSection, GlobalSection, GlobalType, MemorySection,
	MemoryType, Section, ValType,
};

use super::survey::Survey;

/// How names begin that are the sandbox's own. No program may export one.
pub(crate) const PREFIX: &str = "dgcs:";

/// The counter of depth.
pub(crate) const DEPTH: &str = "dgcs:depth";
/// What is left of the fuel, while nothing of the program runs but a function of the system.
pub(crate) const FUEL: &str = "dgcs:fuel";
/// The memory in which a program is told to stop.
pub(crate) const STOP: &str = "dgcs:stop";
/// The function that the program wants to run before all others, if there is one.
pub(crate) const START: &str = "dgcs:start";

/// How much that memory has.
pub(crate) const STOP_BYTES: u64 = 65_536;

/// Their numbers.
pub(super) struct Additions {
	pub(super) depth: u32,
	pub(super) fuel: u32,
}

impl Additions {
	pub(super) fn to(survey: &Survey) -> Self {
		let globals = survey.globals.unwrap_or_default();
		Self { depth: globals, fuel: globals + 1 }
	}

	/// Behind the one memory that a program has.
	pub(super) fn memories(&self) -> MemorySection {
		let mut section = MemorySection::new();
		section.memory(MemoryType {
			minimum: 1,
			maximum: Some(1),
			memory64: false,
			shared: false,
			page_size_log2: None,
		});
		section
	}

	pub(super) fn globals(&self) -> GlobalSection {
		let mut section = GlobalSection::new();
		let mutable = |val_type| GlobalType { val_type, mutable: true, shared: false };
		section.global(mutable(ValType::I32), &ConstExpr::i32_const(0));
		section.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
		section
	}

	pub(super) fn exports(&self, start: Option<u32>) -> ExportSection {
		let mut section = ExportSection::new();
		section.export(DEPTH, ExportKind::Global, self.depth);
		section.export(FUEL, ExportKind::Global, self.fuel);
		section.export(STOP, ExportKind::Memory, 1);
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
