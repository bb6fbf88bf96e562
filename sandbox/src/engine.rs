//! How programs are compiled: the same semantics on every machine, at the least cost.

use std::hash::{Hash, Hasher};

use blake2b_simd::Params;
use wasmtime::{Config, Engine, OptLevel, Strategy};

use crate::rewrite;

/// Native stack of a run: 64 bytes for each unit that `rewrite` lets a program's calls have, eight times
/// what a value takes, and more than any function that calls nobody can need. Only what is used of it takes memory.
const STACK_BYTES: usize = 64 * rewrite::LIMIT as usize + 8 * 1024 * 1024;

/// Stack that the functions of the system have on top of it.
const HOST_STACK_BYTES: usize = 1024 * 1024;

/// The engine that all runs of a sandbox share.
pub(crate) fn new() -> wasmtime::Result<Engine> {
	let mut config = Config::new();
	config
		.strategy(Strategy::Cranelift)
		.cranelift_opt_level(OptLevel::Speed)
		// `rewrite` has seen to it already, at a fraction of the price.
		.cranelift_nan_canonicalization(false)
		// Which proposals a program may use is decided by `check`, before the engine sees it, so
		// that it doesn't depend on how this library was built. This one has no default that holds
		// everywhere.
		.relaxed_simd_deterministic(true)
		// The same: fuel. The compiler's way leaves too few registers to loops.
		.consume_fuel(false)
		// So that a run has a stack of its own, of fixed size.
		.async_support(true)
		.max_wasm_stack(STACK_BYTES)
		.async_stack_size(STACK_BYTES + HOST_STACK_BYTES)
		// A 32-bit memory has all its addresses reserved, with guard pages behind: no bounds checks.
		.memory_reservation(1 << 32)
		.memory_guard_size(32 << 20)
		// A slot of a worker is one core, while it compiles as well.
		.parallel_compilation(false)
		// Only backtraces would need these, and a result has none.
		.wasm_backtrace(false)
		.native_unwind_info(false)
		.generate_address_map(false);
	Engine::new(&config)
}

/// Names all that compiled code depends on but the program: how it is rewritten, this machine's
/// processor, the version of wasmtime, the settings above. In hexadecimal digits.
pub(crate) fn compatibility(engine: &Engine) -> String {
	struct Blake2(blake2b_simd::State);
	impl Hasher for Blake2 {
		fn write(&mut self, bytes: &[u8]) {
			self.0.update(bytes);
		}
		fn finish(&self) -> u64 {
			0 // Not read: the whole hash is.
		}
	}
	let mut hasher = Blake2(Params::new().hash_length(16).to_state());
	rewrite::VERSION.hash(&mut hasher);
	engine.precompile_compatibility_hash().hash(&mut hasher);
	hasher.0.finalize().to_hex().to_string()
}
