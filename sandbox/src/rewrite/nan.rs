//! Gives every NaN that a program can see one bit pattern.
//!
//! Arithmetic that has no result yields a NaN, and processors differ in which: x86-64 sets its sign,
//! arm64 does not, and where operands are NaN already, each has its own rule whose bits survive. A
//! program that looks at those bits would give other results on other workers.
//!
//! The compiler can repair each result of each floating-point instruction, at the price of most of a
//! program's speed (measured: a path tracer takes 2.4 times as long). But a NaN's bits matter only
//! where something looks at them, and arithmetic and comparisons don't. So the program is rewritten
//! before it is compiled: a result of arithmetic is repaired when it leaves the expression that it is
//! part of, into a variable, to memory, to another function or block, or to an integer.
//!
//! Values that are moved and not computed keep their bits, as WebAssembly says.

use wasm_encoder::{Ieee32, Ieee64, InstructionSink};
use wasmparser::{FuncValidator, Operator, ValType, WasmModuleResources};

use super::scratch::Scratch;

/// The pattern: positive, quiet, without a payload.
const NAN_32: u32 = 0x7fc0_0000;
const NAN_64: u64 = 0x7ff8_0000_0000_0000;

/// What an instruction does to the bits of NaNs.
enum Effect {
	/// Looks at no operand's bits; its result may be a new NaN.
	Computes,
	/// The same, in each lane of a vector of 32-bit or 64-bit floats.
	ComputesLanes32,
	ComputesLanes64,
	/// Looks at no operand's bits; its result is no float.
	Compares,
	/// The bits of its result follow from those of its operand.
	Passes,
	/// Its result has the bits of one of its two operands.
	Selects,
	/// The same, and the sign of its last operand.
	CopiesSign,
	/// May look at all of them.
	Observes,
}

fn effect_of(operator: &Operator<'_>) -> Effect {
	use Operator as O;
	match operator {
		O::F32Add
		| O::F32Sub
		| O::F32Mul
		| O::F32Div
		| O::F32Sqrt
		| O::F32Min
		| O::F32Max
		| O::F32Ceil
		| O::F32Floor
		| O::F32Trunc
		| O::F32Nearest
		| O::F32DemoteF64
		| O::F64Add
		| O::F64Sub
		| O::F64Mul
		| O::F64Div
		| O::F64Sqrt
		| O::F64Min
		| O::F64Max
		| O::F64Ceil
		| O::F64Floor
		| O::F64Trunc
		| O::F64Nearest
		| O::F64PromoteF32 => Effect::Computes,
		O::F32x4Add
		| O::F32x4Sub
		| O::F32x4Mul
		| O::F32x4Div
		| O::F32x4Sqrt
		| O::F32x4Min
		| O::F32x4Max
		| O::F32x4Ceil
		| O::F32x4Floor
		| O::F32x4Trunc
		| O::F32x4Nearest
		| O::F32x4DemoteF64x2Zero => Effect::ComputesLanes32,
		O::F64x2Add
		| O::F64x2Sub
		| O::F64x2Mul
		| O::F64x2Div
		| O::F64x2Sqrt
		| O::F64x2Min
		| O::F64x2Max
		| O::F64x2Ceil
		| O::F64x2Floor
		| O::F64x2Trunc
		| O::F64x2Nearest
		| O::F64x2PromoteLowF32x4 => Effect::ComputesLanes64,
		O::F32Eq
		| O::F32Ne
		| O::F32Lt
		| O::F32Gt
		| O::F32Le
		| O::F32Ge
		| O::F64Eq
		| O::F64Ne
		| O::F64Lt
		| O::F64Gt
		| O::F64Le
		| O::F64Ge
		| O::I32TruncF32S
		| O::I32TruncF32U
		| O::I32TruncF64S
		| O::I32TruncF64U
		| O::I64TruncF32S
		| O::I64TruncF32U
		| O::I64TruncF64S
		| O::I64TruncF64U
		| O::I32TruncSatF32S
		| O::I32TruncSatF32U
		| O::I32TruncSatF64S
		| O::I32TruncSatF64U
		| O::I64TruncSatF32S
		| O::I64TruncSatF32U
		| O::I64TruncSatF64S
		| O::I64TruncSatF64U
		| O::Drop => Effect::Compares,
		O::F32Abs | O::F32Neg | O::F64Abs | O::F64Neg => Effect::Passes,
		O::Select | O::TypedSelect { .. } => Effect::Selects,
		O::F32Copysign | O::F64Copysign => Effect::CopiesSign,
		_ => Effect::Observes,
	}
}

/// Follows one function, and repairs NaNs in its code.
#[derive(Default)]
pub(super) struct Nans {
	/// Whether each value on the stack may be a NaN of unknown bits.
	unknown: Vec<bool>,
}

/// What [`Nans`] knows of an instruction between its operands and its results.
pub(super) struct Step {
	effect: Effect,
	gives: u32,
	/// Whether any of its operands was unknown.
	passed: bool,
}

impl Nans {
	/// Repairs what the instruction that comes next looks at.
	pub(super) fn before<R: WasmModuleResources>(
		&mut self,
		operator: &Operator<'_>,
		validator: &FuncValidator<R>,
		scratch: &mut Scratch,
		code: &mut Vec<u8>,
	) -> Step {
		let (takes, gives) = operator.operator_arity(validator).unwrap_or_default();
		let unknown = &mut self.unknown;
		let effect = effect_of(operator);
		let observed = match effect {
			Effect::Observes => takes as usize,
			Effect::CopiesSign => 1,
			// The one that was only moved must keep its bits: the other is repaired here.
			Effect::Selects => match unknown[..] {
				[.., a, b, _] if a != b => takes as usize,
				_ => 0,
			},
			_ => 0,
		};
		let first_observed = unknown.len().saturating_sub(observed);
		repair(validator, &mut unknown[first_observed..], scratch, code);
		let first = unknown.len().saturating_sub(takes as usize);
		let passed = unknown.drain(first..).fold(false, |any, unknown| any | unknown);
		Step { effect, gives, passed }
	}

	/// Notes what the instruction left on the stack, which is so high now.
	pub(super) fn after(
		&mut self,
		step: Step,
		height: u32,
		scratch: &mut Scratch,
		code: &mut Vec<u8>,
	) {
		let given = match step.effect {
			Effect::Computes => true,
			Effect::Passes | Effect::Selects | Effect::CopiesSign => step.passed,
			Effect::Compares | Effect::Observes => false,
			// Any instruction may look at any bits of a vector.
			Effect::ComputesLanes32 | Effect::ComputesLanes64 => {
				let wide = matches!(step.effect, Effect::ComputesLanes64);
				repair_lanes(wide, scratch.repair(ValType::V128), code);
				false
			},
		};
		self.unknown.extend((0..step.gives).map(|_| given));
		self.skip(height);
	}

	/// Notes how high the stack is behind an instruction that is never reached.
	pub(super) fn skip(&mut self, height: u32) {
		self.unknown.resize(height as usize, false);
	}
}

/// Repairs those of the topmost values that are unknown.
fn repair<R: WasmModuleResources>(
	validator: &FuncValidator<R>,
	unknown: &mut [bool],
	scratch: &mut Scratch,
	code: &mut Vec<u8>,
) {
	let Some(deepest) = unknown.iter().position(|unknown| *unknown) else { return };
	let mut aside = Vec::new();
	for (depth, unknown) in unknown[deepest..].iter_mut().rev().enumerate() {
		// What is above it is put aside for a moment.
		if let Some(of) = depth.checked_sub(1).map(|above| operand_type(validator, above)) {
			let local = scratch.aside(aside.len(), of);
			InstructionSink::new(code).local_set(local);
			aside.push(local);
		}
		if std::mem::take(unknown) {
			let of = operand_type(validator, depth);
			repair_scalar(of, scratch.repair(of), code);
		}
	}
	for local in aside.into_iter().rev() {
		InstructionSink::new(code).local_get(local);
	}
}

/// The type of a value on the stack, where code is reached.
fn operand_type<R: WasmModuleResources>(validator: &FuncValidator<R>, depth: usize) -> ValType {
	let of = validator.get_operand_type(depth).flatten();
	of.expect("the stack is as high as the instruction takes, and reached code has types; qed")
}

/// A number is greater than or equal to itself; a NaN is not. Processors have one jump for that.
fn repair_scalar(of: ValType, local: u32, code: &mut Vec<u8>) {
	let mut code = InstructionSink::new(code);
	code.local_tee(local);
	match of {
		ValType::F32 => code.f32_const(Ieee32::new(NAN_32)),
		_ => code.f64_const(Ieee64::new(NAN_64)),
	};
	code.local_get(local).local_get(local);
	match of {
		ValType::F32 => code.f32_ge(),
		_ => code.f64_ge(),
	};
	code.select();
}

fn repair_lanes(wide: bool, local: u32, code: &mut Vec<u8>) {
	let mut code = InstructionSink::new(code);
	code.local_tee(local);
	let lane = if wide { NAN_64 } else { u64::from(NAN_32) << 32 | u64::from(NAN_32) };
	code.v128_const((u128::from(lane) << 64 | u128::from(lane)) as i128);
	code.local_get(local).local_get(local);
	if wide {
		code.f64x2_eq();
	} else {
		code.f32x4_eq();
	}
	code.v128_bitselect();
}

#[cfg(test)]
mod tests {
	use crate::rewrite::rewrite;
	use proptest::prelude::*;
	use wasmtime::{Config, Engine, Instance, Module, Store};

	/// Numbers and all kinds of NaNs, by their bits.
	const BITS: [u64; 8] = [
		0,
		0x8000_0000_0000_0000,
		0x3ff0_0000_0000_0000,
		0x7ff0_0000_0000_0000,
		0xfff0_0000_0000_0000,
		0x7ff8_0000_0000_0000,
		0xfff8_0000_0000_1234,
		0x7ff4_0000_0000_0001,
	];

	/// Expressions that yield an `f64`, in the text form. Signs of results of arithmetic are not
	/// changed: there the compiler and this module may differ, and each be right.
	fn expressions() -> impl Strategy<Value = String> {
		let leaf = prop_oneof![
			(0u32..8).prop_map(|at| format!("(f64.load (i32.const {}))", at * 8)),
			(0u32..3).prop_map(|local| format!("(local.get {local})")),
			Just("(global.get 0)".to_owned()),
		];
		leaf.prop_recursive(6, 40, 3, |inner| {
			let two = (inner.clone(), inner.clone());
			prop_oneof![
				(prop::sample::select(vec!["add", "sub", "mul", "div", "min", "max"]), two.clone())
					.prop_map(|(op, (a, b))| format!("(f64.{op} {a} {b})")),
				(
					prop::sample::select(vec!["sqrt", "ceil", "floor", "trunc", "nearest"]),
					inner.clone()
				)
					.prop_map(|(op, a)| format!("(f64.{op} {a})")),
				inner.clone().prop_map(|a| format!("(f64.promote_f32 (f32.demote_f64 {a}))")),
				(two.clone(), inner.clone())
					.prop_map(|((a, b), c)| format!("(select {a} {b} (f64.lt {c} (f64.const 1)))")),
				(two.clone(), inner.clone()).prop_map(|((a, b), c)| format!(
					"(if (result f64) (f64.lt {c} (f64.const 1)) (then {a}) (else {b}))"
				)),
				(two.clone(), inner.clone())
					.prop_map(|((a, b), c)| format!("(call $middle {a} {b} (i32.const 1) {c})")),
				(0u32..3, inner.clone()).prop_map(|(local, a)| format!("(local.tee {local} {a})")),
				two.clone().prop_map(|(a, b)| format!(
					"(block (result f64) (br_if 0 {a} (f64.lt {b} (f64.const 0))) (drop) {b} (br 0))"
				)),
				(prop::sample::select(vec!["add", "mul", "div"]), two.clone()).prop_map(
					|(op, (a, b))| format!(
						"(f64x2.extract_lane 1 (f64x2.{op} (f64x2.splat {a}) (f64x2.splat {b})))"
					)
				),
				two.prop_map(|(a, b)| format!(
					"(f64.copysign (f64.load (i32.const 16)) {a}) (drop) {b}"
				)),
			]
		})
	}

	/// What a program leaves in its memory.
	fn memory(engine: &Engine, program: &[u8]) -> Vec<u8> {
		let module = Module::new(engine, program).expect("valid");
		let mut store = Store::new(engine, ());
		let instance = Instance::new(&mut store, &module, &[]).expect("imports nothing");
		let main = instance.get_typed_func::<(), ()>(&mut store, "main").expect("exported");
		main.call(&mut store, ()).expect("does not trap");
		instance.get_memory(&mut store, "memory").expect("exported").data(&store)[64..224].to_vec()
	}

	proptest! {
		#![proptest_config(ProptestConfig {
			cases: 128, failure_persistence: None, ..ProptestConfig::default()
		})]

		/// The compiler repairs every result of every instruction; to the program it looks the same.
		#[test]
		fn looks_like_what_the_compiler_repairs(
			expressions in prop::collection::vec((0u32..3, expressions()), 1..6)
		) {
			let data: String = BITS
				.iter()
				.flat_map(|bits| bits.to_le_bytes())
				.map(|byte| format!("\\{byte:02x}"))
				.collect();
			let main: String = expressions
				.iter()
				.zip(8..)
				.map(|((into, expression), at)| match into {
					0 => format!("(f64.store (i32.const {}) {expression})", at * 8),
					1 => format!("(i64.store (i32.const {}) (i64.reinterpret_f64 {expression}))", at * 8),
					_ => format!("{expression} (global.set 0)"),
				})
				.collect();
			let text = format!(
				r#"(module (memory (export "memory") 1) (data (i32.const 0) "{data}")
					(global (mut f64) (f64.const 0))
					(func $middle (param f64 f64 i32 f64) (result f64) local.get 1)
					(func (export "main") (local f64 f64 f64) {main}
						(f64.store (i32.const 200) (global.get 0))
						(f64.store (i32.const 208) (local.get 0))))"#
			);
			// A block takes no values from around it, so an expression may be a sequence.
			let Ok(program) = wat::parse_str(&text) else { return Err(TestCaseError::reject("text")) };
			if wasmparser::validate(&program).is_err() {
				return Err(TestCaseError::reject("operands"));
			}

			let mut repairing = Config::new();
			repairing.cranelift_nan_canonicalization(true);
			let expected = memory(&Engine::new(&repairing).expect("this machine's"), &program);
			let rewritten = rewrite(&program).expect("valid");
			prop_assert_eq!(memory(&Engine::default(), &rewritten), expected);
		}
	}
}
