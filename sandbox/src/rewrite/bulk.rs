//! Makes instructions that work on many bytes cost as much.
//!
//! Filling four gigabytes takes one unit of fuel, as adding two numbers does. So before each such
//! instruction the program counts down its length in a loop, whose turns take fuel as all others do.

use wasm_encoder::{BlockType, InstructionSink};
use wasmparser::{Operator, ValType};

use super::scratch::Scratch;

/// Bytes, or entries of a table, for one turn of the loop. A turn takes as much time as a few percent
/// of the work that it stands for.
const TURN: i32 = 256;

/// Counts down the length on top of the stack, if that is what the instruction takes there.
pub(super) fn pay(operator: &Operator<'_>, scratch: &mut Scratch, code: &mut Vec<u8>) {
	use Operator as O;
	match operator {
		O::MemoryFill { .. }
		| O::MemoryCopy { .. }
		| O::MemoryInit { .. }
		| O::TableFill { .. }
		| O::TableCopy { .. }
		| O::TableInit { .. }
		| O::TableGrow { .. } => {},
		_ => return,
	}
	let left = scratch.repair(ValType::I32);
	InstructionSink::new(code)
		.local_tee(left)
		.loop_(BlockType::Empty)
		.local_get(left)
		.i32_const(TURN)
		.i32_ge_u()
		.if_(BlockType::Empty)
		.local_get(left)
		.i32_const(TURN)
		.i32_sub()
		.local_set(left)
		.br(1)
		.end()
		.end();
}
