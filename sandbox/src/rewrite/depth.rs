//! Bounds how deep calls may go, the same on every processor.
//!
//! What a call takes of the native stack follows from the processor, and so would the depth at which a
//! program overflows it. So each call counts what its caller's frame may take, by a measure of
//! WebAssembly's own: its local variables and the most values that it has at hand. The native stack
//! is so large that this bound is always met first.
//!
//! Calls of functions that call nobody are not counted: there is room for one more frame.
//!
//! The counter holds what all callers of a function have together only at the moment that it is
//! called. The function keeps that in a variable of its own, and sets the counter from it before each
//! of its calls, so that nothing has to be done when they return. Who looks at the counter is the
//! function that is called: once, where it may call several others.

use wasm_encoder::{BlockType, InstructionSink};

use super::scratch::Scratch;

/// How many units all frames may have together.
pub(crate) const LIMIT: u32 = 1 << 20;

/// Units of a frame beside its values: what every call takes.
const FRAME: u32 = 8;

/// Bytes of a number that is only known later: of LEB128, padded to the longest of 32 bits.
const PADDED: usize = 5;

/// Counts the calls of one function.
pub(super) struct Depth {
	global: u32,
	most_values: u32,
	/// The variable for what its callers have. There is one only if it has calls that count.
	above: Option<u32>,
	/// Where in the code its units are to be put in.
	places: Vec<usize>,
}

impl Depth {
	/// For a function of a module whose counter is that global.
	pub(super) fn new(global: u32) -> Self {
		Self { global, most_values: 0, above: None, places: Vec::new() }
	}

	/// Notes how many values the function has at hand.
	pub(super) fn see(&mut self, values: u32) {
		self.most_values = self.most_values.max(values);
	}

	/// Counts the function's frame.
	pub(super) fn before_call(&mut self, scratch: &mut Scratch, code: &mut Vec<u8>) {
		let above = *self.above.get_or_insert_with(|| scratch.depth());
		InstructionSink::new(code).local_get(above);
		self.units(code);
		InstructionSink::new(code).i32_add().global_set(self.global);
	}

	/// The same where nobody knows who is called: it may be a function that does not look.
	pub(super) fn before_indirect_call(&mut self, scratch: &mut Scratch, code: &mut Vec<u8>) {
		self.before_call(scratch, code);
		InstructionSink::new(code).global_get(self.global);
		stop_if_too_deep(code);
	}

	fn units(&mut self, code: &mut Vec<u8>) {
		const I32_CONST: u8 = 0x41;
		code.push(I32_CONST);
		self.places.push(code.len());
		code.extend([0; PADDED]);
	}

	/// Puts in what the frame takes, which is known now, and says what comes before the code.
	pub(super) fn finish(self, locals: u32, code: &mut [u8]) -> Vec<u8> {
		// Both are bounded by what a function may cost to compile.
		let units = FRAME + locals + self.most_values;
		let padded: [u8; PADDED] = std::array::from_fn(|i| {
			let more = if i + 1 < PADDED { 0x80 } else { 0 };
			(units >> (7 * i)) as u8 & 0x7f | more
		});
		for place in self.places {
			code[place..place + PADDED].copy_from_slice(&padded);
		}
		let mut entry = Vec::new();
		let mut sink = InstructionSink::new(&mut entry);
		sink.global_get(self.global);
		if let Some(above) = self.above {
			sink.local_tee(above);
		}
		stop_if_too_deep(&mut entry);
		entry
	}
}

/// Stops when the value at hand is more than all frames may have.
fn stop_if_too_deep(code: &mut Vec<u8>) {
	InstructionSink::new(code)
		.i32_const(LIMIT as i32)
		.i32_gt_u()
		.if_(BlockType::Empty)
		.unreachable()
		.end();
}
