//! Counts what a program does, and stops it when its fuel is used up, or from outside.
//!
//! Each function counts in a variable of its own what is left. Where it calls or returns, it hands that
//! over in a global. Whether something is left is looked at where a function begins that calls others,
//! and at each turn of a loop: nothing runs for long without either.
//!
//! The compiler could count as well. But its way is a call in every loop, for the case that nothing is
//! left, and a call leaves few registers to what is around it: programs take up to a third longer. Here
//! the program ends, which costs a loop no register. So that it can be stopped from outside without a
//! pause, what is left is compared with words of a memory that only the sandbox knows: they are zero,
//! until the run is to stop.

use wasm_encoder::{BlockType, InstructionSink, MemArg};
use wasmparser::{Operator, ValType};

use super::{additions::Additions, scratch::Scratch};

/// Bytes, or entries of a table, for a unit of what instructions take that work on many, as a power of
/// two.
const MANY_SHIFT: i64 = 5;

/// There are two such words, and the count says which of them is looked at. Were there one, the compiler
/// could take it for known in a loop that stores nothing.
const WORDS: MemArg = MemArg { offset: 0, align: 3, memory_index: 1 };
const WORD_BYTES: i32 = 8;

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

/// Meters one function.
pub(super) struct Meter<'a> {
	additions: &'a Additions,
	/// The variable for what is left.
	left: u32,
	/// What the instructions since it was last brought up to date take.
	pending: i64,
}

impl<'a> Meter<'a> {
	pub(super) fn new(additions: &'a Additions, scratch: &mut Scratch) -> Self {
		// Even an empty function takes something.
		Self { additions, left: scratch.fuel(), pending: 1 }
	}

	/// What comes first in a function.
	pub(super) fn enter(&self, calls: bool, code: &mut Vec<u8>) {
		self.take_over(code);
		if calls {
			self.look(code);
		}
	}

	/// What comes before an instruction, in so many blocks and the function's own.
	pub(super) fn before(
		&mut self,
		operator: &Operator<'_>,
		blocks: u32,
		scratch: &mut Scratch,
		code: &mut Vec<u8>,
	) {
		use Operator as O;
		self.pending += cost(operator);
		if works_on_many(operator) {
			self.pay_for_many(scratch, code);
		}
		let outermost = |relative_depth: u32| relative_depth + 1 == blocks;
		let leaves = match operator {
			O::Call { .. } | O::CallIndirect { .. } | O::Return | O::Unreachable => true,
			O::End => blocks == 1,
			O::Br { relative_depth } | O::BrIf { relative_depth } => outermost(*relative_depth),
			O::BrTable { targets } => {
				outermost(targets.default()) || targets.targets().flatten().any(outermost)
			},
			O::Loop { .. } | O::If { .. } | O::Else => false,
			_ => return,
		};
		self.pay(code);
		if leaves {
			InstructionSink::new(code).local_get(self.left).global_set(self.additions.fuel);
		}
	}

	/// What comes behind it.
	pub(super) fn after(&self, operator: &Operator<'_>, code: &mut Vec<u8>) {
		match operator {
			Operator::Loop { .. } => self.look(code),
			Operator::Call { .. } | Operator::CallIndirect { .. } => self.take_over(code),
			_ => {},
		}
	}

	fn take_over(&self, code: &mut Vec<u8>) {
		InstructionSink::new(code).global_get(self.additions.fuel).local_set(self.left);
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

	/// Pays for as much as the topmost value says, before it is done.
	fn pay_for_many(&mut self, scratch: &mut Scratch, code: &mut Vec<u8>) {
		let many = scratch.repair(ValType::I32);
		self.pay(code);
		InstructionSink::new(code)
			.local_tee(many)
			.local_get(self.left)
			.local_get(many)
			.i64_extend_i32_u()
			.i64_const(MANY_SHIFT)
			.i64_shr_u()
			.i64_sub()
			.local_set(self.left);
		self.look(code);
	}

	/// Ends the program if nothing is left, or it is to stop.
	fn look(&self, code: &mut Vec<u8>) {
		InstructionSink::new(code)
			.local_get(self.left)
			.local_get(self.left)
			.i32_wrap_i64()
			.i32_const(WORD_BYTES)
			.i32_and()
			.i64_load(WORDS)
			.i64_lt_s()
			.if_(BlockType::Empty)
			.local_get(self.left)
			.global_set(self.additions.fuel)
			.unreachable()
			.end();
	}
}

#[cfg(test)]
mod tests {
	use crate::rewrite::{rewrite, FUEL};
	use wasmtime::{Config, Engine, Instance, Module, Store, Val};

	/// Programs of blocks, loops, jumps and calls of all kinds. Each gets a number, and ends.
	const PROGRAMS: [&str; 7] = [
		"(func (export \"main\") (param i32))",
		// Loops in loops, and a jump out of both.
		"(func (export \"main\") (param i32) (local i32 i32)
			(block (loop (local.set 2 (i32.const 0)) (loop
				(br_if 2 (i32.gt_u (i32.add (local.get 1) (local.get 2)) (i32.const 90)))
				(br_if 0 (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (local.get 0))))
				(br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))))",
		// Ends by a jump, a return, or at its end.
		"(func $f (param i32) (result i32)
			(drop (br_if 0 (i32.const 1) (i32.eq (local.get 0) (i32.const 3))))
			(if (i32.eq (local.get 0) (i32.const 5)) (then (return (i32.const 2))))
			(if (result i32) (i32.and (local.get 0) (i32.const 1))
				(then (i32.const 3)) (else (nop) (i32.const 4) (drop) (i32.const 5))))
		(func (export \"main\") (param i32) (local i32)
			(loop (drop (call $f (local.get 1)))
				(br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0)))))",
		// A table of jumps, to a loop as well, and what is never reached.
		"(func (export \"main\") (param i32) (local i32)
			(loop (block (block
				(local.set 1 (i32.add (local.get 1) (i32.const 1)))
				(br_table 0 1 2 3 (i32.and (i32.add (local.get 1) (local.get 0)) (i32.const 3)))
				(drop (i32.const 1)) (loop (br 0)))
				(br_if 1 (i32.lt_u (local.get 1) (i32.const 50)))
				(br 1) (if (i32.const 1) (then (br 3)) (else (br 0))))
				(br_if 0 (i32.lt_u (local.get 1) (local.get 0)))))",
		// Recursion, twice, and calls through a table.
		"(type $t (func (param i32) (result i32))) (table funcref (elem $fib $leaf))
		(func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
		(func $fib (param i32) (result i32)
			(if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
				(then (call_indirect (type $t) (local.get 0) (i32.const 1)))
				(else (i32.add
					(call $fib (i32.sub (local.get 0) (i32.const 1)))
					(call_indirect (type $t) (i32.sub (local.get 0) (i32.const 2)) (i32.const 0))))))
		(func (export \"main\") (param i32)
			(drop (call $fib (i32.rem_u (local.get 0) (i32.const 12)))))",
		// A loop that takes and gives values.
		"(func (export \"main\") (param i32) (local i32)
			(i32.const 0) (loop (param i32) (result i32)
				(local.tee 1 (i32.add (i32.const 1)))
				(br_if 0 (i32.lt_u (local.get 1) (local.get 0)))) (drop))",
		// Floats, which are repaired: that is not the program's.
		"(global $g (mut f64) (f64.const 0)) (func (export \"main\") (param i32) (local f64)
			(loop
				(local.set 1 (f64.add (f64.sqrt (local.get 1)) (f64.const 0.5)))
				(global.set $g (f64.mul (local.get 1) (f64.convert_i32_u (local.get 0))))
				(br_if 0 (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1))))))",
	];

	/// The compiler can count as well, and means the same by it, in the program as it is.
	#[test]
	fn counts_what_the_compiler_counts() {
		const FULL: u64 = 1 << 40;
		let counting = Engine::new(Config::new().consume_fuel(true)).expect("this machine's");
		let plain = Engine::default();
		for program in PROGRAMS {
			let text = format!("(module (memory (export \"memory\") 1) {program})");
			let original = wat::parse_str(&text).expect("text");
			let rewritten = rewrite(&original).expect("valid");
			for input in [0, 1, 2, 5, 17, 60, 1000] {
				let mut store = Store::new(&counting, ());
				store.set_fuel(FULL).expect("counts");
				call(&counting, &original, &mut store, input);
				let expected = FULL - store.get_fuel().expect("counts");

				let mut store = Store::new(&plain, ());
				let instance = call(&plain, &rewritten, &mut store, input);
				let fuel = instance.get_global(&mut store, FUEL).expect("is there");
				let found = FULL as i64 - fuel.get(&mut store).i64().expect("a number");
				assert_eq!(found, expected as i64, "{program} of {input}");
			}
		}

		/// Calls `main` with all that fuel, if the program has a place for it.
		fn call(engine: &Engine, code: &[u8], store: &mut Store<()>, input: i32) -> Instance {
			let module = Module::new(engine, code).expect("valid");
			let instance = Instance::new(&mut *store, &module, &[]).expect("imports nothing");
			if let Some(fuel) = instance.get_global(&mut *store, FUEL) {
				fuel.set(&mut *store, Val::I64(FULL as i64)).expect("a number");
			}
			let main = instance.get_typed_func::<i32, ()>(&mut *store, "main").expect("exported");
			main.call(store, input).expect("ends");
			instance
		}
	}
}
