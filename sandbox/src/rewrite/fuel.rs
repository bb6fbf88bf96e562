//! Counts what a program does, and stops it when its fuel is used up.
//!
//! Each function counts in a variable of its own what is left of a slice of fuel. Where it calls or
//! returns, it hands that over in a global. Whether something is left is looked at where a function
//! begins that calls others, and at each turn of a loop: nothing can run for long without either. If
//! nothing is, [`refill`] takes the next slice, and the run looks whether it is to stop.
//!
//! The compiler could count as well. But its way is a call in every loop, and a call leaves so few
//! registers to the loop that most programs take a fifth longer. So a loop within which nothing is
//! called becomes two, one in the other: the inner one turns, and only when the slice is used up it is
//! left for the outer one, which has the call, and enters it again.

use std::collections::HashSet;

use wasm_encoder::{BlockType, Function, InstructionSink};
use wasmparser::{BlockType as Of, FunctionBody, Operator, ValType};

use super::{additions::Additions, scratch::Scratch};

/// Fuel after which a run looks whether it is to stop: less than a millisecond.
const SLICE: i64 = 1_000_000;

/// What is left, in slices to come, of a program that wanted more than that.
pub(crate) const USED_UP: i64 = i64::MIN;

/// What an instruction takes.
fn cost(operator: &Operator<'_>) -> i64 {
	use Operator as O;
	match operator {
		O::Nop
		| O::Drop
		| O::Block { .. }
		| O::Loop { .. }
		| O::Else
		| O::End
		| O::Return
		| O::Unreachable => 0,
		_ => 1,
	}
}

/// Bytes, or entries of a table, for a unit of what instructions take that work on many, as a power of
/// two.
const BYTES_SHIFT: i64 = 5;

/// Whether the instruction works on as many bytes or entries as the topmost value says.
fn works_on_many(operator: &Operator<'_>) -> bool {
	use Operator as O;
	matches!(
		operator,
		O::MemoryFill { .. }
			| O::MemoryCopy { .. }
			| O::MemoryInit { .. }
			| O::TableFill { .. }
			| O::TableCopy { .. }
			| O::TableInit { .. }
			| O::TableGrow { .. }
	)
}

/// Where jumps to a block of the program go.
#[derive(Clone, Copy)]
enum Label {
	/// To the block that is so deep, counted from the function's own.
	Block(u32),
	/// To a loop that was made two: the outer is so deep, the inner one more.
	Loops(u32),
}

/// Meters one function.
pub(super) struct Meter<'a> {
	additions: &'a Additions,
	/// The variable for what is left of the slice.
	left: u32,
	/// What the instructions since it was last brought up to date take.
	pending: i64,
	labels: Vec<Label>,
	/// Blocks that are open.
	depth: u32,
	/// For each loop to come, whether it can be made two, the last one first.
	loops: Vec<bool>,
}

impl<'a> Meter<'a> {
	pub(super) fn new(
		body: &FunctionBody<'_>,
		additions: &'a Additions,
		scratch: &mut Scratch,
	) -> wasmparser::Result<Self> {
		let mut loops = loops_without_calls(body)?;
		loops.reverse();
		Ok(Self {
			additions,
			left: scratch.fuel(),
			// Even an empty function takes something.
			pending: 1,
			labels: vec![Label::Block(0)],
			depth: 1,
			loops,
		})
	}

	/// What comes first in a function.
	pub(super) fn enter(&self, calls: bool, code: &mut Vec<u8>) {
		InstructionSink::new(code).global_get(self.additions.slice).local_set(self.left);
		if calls {
			self.look(code);
		}
	}

	/// Puts an instruction of the program in the code, and around it what it takes.
	pub(super) fn instruction(
		&mut self,
		operator: &Operator<'_>,
		raw: &[u8],
		scratch: &mut Scratch,
		code: &mut Vec<u8>,
	) {
		use Operator as O;
		self.pending += cost(operator);
		if works_on_many(operator) {
			self.pay_for_many(scratch, code);
		}
		match operator {
			O::Call { .. } | O::CallIndirect { .. } => {
				self.pay(code);
				self.hand_over(code);
				code.extend_from_slice(raw);
				InstructionSink::new(code).global_get(self.additions.slice).local_set(self.left);
				return;
			},
			O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::Return | O::End => {
				self.pay(code);
				if self.may_leave(operator) {
					self.hand_over(code);
				}
			},
			O::Loop { .. } | O::If { .. } | O::Else | O::Unreachable => self.pay(code),
			_ => {},
		}
		self.structure(operator, raw, true, code);
	}

	/// Puts an instruction there that is never reached.
	pub(super) fn unreached(&mut self, operator: &Operator<'_>, raw: &[u8], code: &mut Vec<u8>) {
		self.structure(operator, raw, false, code);
	}

	/// Follows blocks, and points jumps at them.
	fn structure(
		&mut self,
		operator: &Operator<'_>,
		raw: &[u8],
		reached: bool,
		code: &mut Vec<u8>,
	) {
		use Operator as O;
		match *operator {
			O::Loop { .. } => {
				let doubled = self.loops.pop().unwrap_or(false) && reached;
				code.extend_from_slice(raw);
				if reached {
					self.look(code);
				}
				if doubled {
					code.extend_from_slice(raw);
				}
				self.labels.push(match doubled {
					true => Label::Loops(self.depth),
					false => Label::Block(self.depth),
				});
				self.depth += if doubled { 2 } else { 1 };
			},
			O::Block { .. } | O::If { .. } => {
				code.extend_from_slice(raw);
				self.labels.push(Label::Block(self.depth));
				self.depth += 1;
			},
			O::End => {
				code.extend_from_slice(raw);
				self.depth -= 1;
				if let Some(Label::Loops(_)) = self.labels.pop() {
					code.extend_from_slice(raw);
					self.depth -= 1;
				}
			},
			O::Br { relative_depth } => match self.label(relative_depth) {
				Label::Block(at) => {
					InstructionSink::new(code).br(self.from_here(at));
				},
				Label::Loops(at) => self.turn(at, 0, code),
			},
			O::BrIf { relative_depth } => match self.label(relative_depth) {
				Label::Block(at) => {
					InstructionSink::new(code).br_if(self.from_here(at));
				},
				Label::Loops(at) => {
					InstructionSink::new(code).if_(BlockType::Empty);
					self.turn(at, 1, code);
					InstructionSink::new(code).end();
				},
			},
			O::BrTable { ref targets } => {
				// None of them is a loop that was made two.
				let at = |label| match self.label(label) {
					Label::Block(at) | Label::Loops(at) => self.from_here(at),
				};
				let all: Vec<u32> = targets.targets().flatten().map(at).collect();
				let otherwise = at(targets.default());
				InstructionSink::new(code).br_table(all, otherwise);
			},
			_ => code.extend_from_slice(raw),
		}
	}

	fn label(&self, relative_depth: u32) -> Label {
		let at = self.labels.len().checked_sub(relative_depth as usize + 1);
		// Programs that passed the check jump to blocks that there are.
		at.map_or(Label::Block(0), |at| self.labels[at])
	}

	fn from_here(&self, at: u32) -> u32 {
		self.depth - 1 - at
	}

	/// The next turn of a loop that was made two, from within so many blocks of this module's own.
	fn turn(&self, at: u32, within: u32, code: &mut Vec<u8>) {
		InstructionSink::new(code)
			.local_get(self.left)
			.i64_const(0)
			.i64_ge_s()
			.br_if(self.from_here(at + 1) + within)
			.br(self.from_here(at) + within);
	}

	/// Whether the function may end with this instruction.
	fn may_leave(&self, operator: &Operator<'_>) -> bool {
		let outermost = |relative_depth: u32| relative_depth as usize + 1 == self.labels.len();
		match operator {
			Operator::Return => true,
			Operator::End => self.labels.len() == 1,
			Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
				outermost(*relative_depth)
			},
			Operator::BrTable { targets } => {
				outermost(targets.default()) || targets.targets().flatten().any(outermost)
			},
			_ => false,
		}
	}

	/// Brings the variable up to date.
	fn pay(&mut self, code: &mut Vec<u8>) {
		let pending = std::mem::take(&mut self.pending);
		if pending > 0 {
			InstructionSink::new(code)
				.local_get(self.left)
				.i64_const(pending)
				.i64_sub()
				.local_set(self.left);
		}
	}

	fn hand_over(&self, code: &mut Vec<u8>) {
		InstructionSink::new(code).local_get(self.left).global_set(self.additions.slice);
	}

	/// Pays for as much as the topmost value says, before it is done.
	fn pay_for_many(&mut self, scratch: &mut Scratch, code: &mut Vec<u8>) {
		let many = scratch.repair(ValType::I32);
		self.pay(code);
		InstructionSink::new(code)
			.local_tee(many)
			.local_get(self.left)
			.local_get(many)
			.i64_extend_i32_u()
			.i64_const(BYTES_SHIFT)
			.i64_shr_u()
			.i64_sub()
			.local_set(self.left);
		self.look(code);
	}

	/// Takes another slice if this one is used up.
	fn look(&self, code: &mut Vec<u8>) {
		InstructionSink::new(code)
			.local_get(self.left)
			.i64_const(0)
			.i64_lt_s()
			.if_(BlockType::Empty)
			.local_get(self.left)
			.call(self.additions.refill)
			.local_set(self.left)
			.end();
	}
}

/// For each loop of a function, whether it can be made two: nothing is called in it, it takes no values,
/// and it is no target of a table of jumps.
fn loops_without_calls(body: &FunctionBody<'_>) -> wasmparser::Result<Vec<bool>> {
	use Operator as O;
	let mut without = Vec::new();
	// The blocks that are open, and which loop each of them is.
	let mut open: Vec<Option<usize>> = vec![None];
	let mut targets_of_tables = HashSet::new();
	for operator in body.get_operators_reader()? {
		let operator = operator?;
		match &operator {
			O::Loop { blockty } => {
				// A loop around it has calls, as the outer of two.
				open.iter().flatten().for_each(|outer| without[*outer] = false);
				open.push(Some(without.len()));
				without.push(!matches!(blockty, Of::FuncType(_)));
			},
			O::Block { .. } | O::If { .. } => open.push(None),
			O::End => {
				open.pop();
			},
			O::BrTable { targets } => {
				for target in targets.targets().chain([Ok(targets.default())]) {
					let at = open.len().checked_sub(target? as usize + 1);
					targets_of_tables.extend(at.and_then(|at| open[at]));
				}
			},
			O::Call { .. } | O::CallIndirect { .. } | O::MemoryGrow { .. } => {
				open.iter().flatten().for_each(|around| without[*around] = false);
			},
			_ if works_on_many(&operator) => {
				open.iter().flatten().for_each(|around| without[*around] = false);
			},
			_ => {},
		}
	}
	for target in targets_of_tables {
		without[target] = false;
	}
	Ok(without)
}

/// The function that takes the next slice. It is given what is left of the last one, which is less than
/// nothing, and gives what is left of the next.
pub(super) fn refill(additions: &Additions) -> Function {
	const REST: u32 = 0;
	const NEXT: u32 = 1;
	let mut function = Function::new([(1, wasm_encoder::ValType::I64)]);
	function
		.instructions()
		.global_get(additions.rest)
		.local_get(REST)
		.i64_add()
		.local_tee(REST)
		.i64_const(0)
		.i64_lt_s()
		.if_(BlockType::Empty)
		.i64_const(USED_UP)
		.global_set(additions.rest)
		.unreachable()
		.end()
		.i64_const(SLICE)
		.local_get(REST)
		.local_get(REST)
		.i64_const(SLICE)
		.i64_gt_s()
		.select()
		.local_set(NEXT)
		.local_get(REST)
		.local_get(NEXT)
		.i64_sub()
		.global_set(additions.rest)
		.local_get(NEXT)
		.global_set(additions.slice)
		// A table that can't grow: all that comes of it is that the run is asked.
		.ref_null(wasm_encoder::HeapType::FUNC)
		.i32_const(1)
		.table_grow(additions.table)
		.drop()
		.local_get(NEXT)
		.end();
	function
}
