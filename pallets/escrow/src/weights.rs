//! Weights of `pallet_escrow`, measured by `scripts/bench-weights.sh`.
//!
//! Version 64.0.0, 2026-11-22, 50 steps, 20 repeats, CPU `AMD EPYC`.
//! Storage proofs don't count on a chain of its own and are left out.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]
#![allow(missing_debug_implementations)]
#![allow(dead_code)]

use frame_support::{traits::Get, weights::{Weight, constants::ParityDbWeight}};
use core::marker::PhantomData;

/// Weight functions needed for `pallet_escrow`.
pub trait WeightInfo {
	fn refund() -> Weight;
	fn drain_base() -> Weight;
	fn drain_step() -> Weight;
}

/// The measured weights, with the runtime's cost of storage.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn refund() -> Weight {
		// Minimum execution time: 120_249_000 picoseconds.
		Weight::from_parts(127_550_000, 0)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	fn drain_base() -> Weight {
		// Minimum execution time: 2_164_000 picoseconds.
		Weight::from_parts(2_463_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
	}
	fn drain_step() -> Weight {
		// Minimum execution time: 94_761_000 picoseconds.
		Weight::from_parts(100_119_000, 0)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
}

/// The same with ParityDB's cost of storage, for tests.
impl WeightInfo for () {
	fn refund() -> Weight {
		Weight::from_parts(127_550_000, 0)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(5_u64))
	}
	fn drain_base() -> Weight {
		Weight::from_parts(2_463_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
	}
	fn drain_step() -> Weight {
		Weight::from_parts(100_119_000, 0)
			.saturating_add(ParityDbWeight::get().reads(9_u64))
			.saturating_add(ParityDbWeight::get().writes(7_u64))
	}
}
