//! Local variables that rewriting needs.

use wasm_encoder::Encode;
use wasmparser::{FunctionBody, ValType};

/// Local variables that a function gets on top of its own.
pub(super) struct Scratch {
	/// The first of them.
	first: u32,
	types: Vec<ValType>,
	uses: Vec<Use>,
}

/// What one of them is for.
#[derive(PartialEq, Eq)]
enum Use {
	Repair,
	/// A place among those put aside.
	Aside(usize),
	Depth,
	Fuel,
}

impl Scratch {
	pub(super) fn new(first: u32) -> Self {
		Self { first, types: Vec::new(), uses: Vec::new() }
	}

	/// One to repair a value of that type in, or to look at it twice.
	pub(super) fn repair(&mut self, of: ValType) -> u32 {
		self.local(Use::Repair, of)
	}

	/// One to put a value of that type aside in, of several.
	pub(super) fn aside(&mut self, place: usize, of: ValType) -> u32 {
		self.local(Use::Aside(place), of)
	}

	/// The one that keeps how deep the function's callers are.
	pub(super) fn depth(&mut self) -> u32 {
		self.local(Use::Depth, ValType::I32)
	}

	/// The one that keeps what is left of the fuel.
	pub(super) fn fuel(&mut self) -> u32 {
		self.local(Use::Fuel, ValType::I64)
	}

	fn local(&mut self, using: Use, of: ValType) -> u32 {
		let known = self.types.iter().zip(&self.uses).position(|known| known == (&of, &using));
		let index = known.unwrap_or_else(|| {
			self.types.push(of);
			self.uses.push(using);
			self.types.len() - 1
		});
		// Both are bounded by the number of local variables that a function may have.
		self.first + index as u32
	}

	/// The body of the function, its local variables before its code, and what it does first between.
	pub(super) fn with_locals(
		&self,
		body: &FunctionBody<'_>,
		entry: &[u8],
		code: &[u8],
	) -> wasmparser::Result<Vec<u8>> {
		let own = body.get_locals_reader()?;
		let mut bytes = Vec::with_capacity(entry.len() + code.len() + 64);
		(own.get_count() + self.types.len() as u32).encode(&mut bytes);
		for group in own {
			let (count, of) = group?;
			encode_local(count, of, &mut bytes);
		}
		for of in &self.types {
			encode_local(1, *of, &mut bytes);
		}
		bytes.extend_from_slice(entry);
		bytes.extend_from_slice(code);
		Ok(bytes)
	}
}

fn encode_local(count: u32, of: ValType, bytes: &mut Vec<u8>) {
	count.encode(bytes);
	let of = match of {
		ValType::I32 => wasm_encoder::ValType::I32,
		ValType::I64 => wasm_encoder::ValType::I64,
		ValType::F32 => wasm_encoder::ValType::F32,
		ValType::F64 => wasm_encoder::ValType::F64,
		ValType::V128 => wasm_encoder::ValType::V128,
		// The only one of the language.
		ValType::Ref(_) => wasm_encoder::ValType::FUNCREF,
	};
	of.encode(bytes);
}
