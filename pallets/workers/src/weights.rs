//! Weights of `pallet_workers`, measured by `scripts/bench-weights.sh`.
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

/// Weight functions needed for `pallet_workers`.
pub trait WeightInfo {
	fn register() -> Weight;
	fn update() -> Weight;
	fn replenish() -> Weight;
	fn resume() -> Weight;
	fn leave() -> Weight;
	fn withdraw() -> Weight;
}

/// The measured weights, with the runtime's cost of storage.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn register() -> Weight {
		// Minimum execution time: 61_421_000 picoseconds.
		Weight::from_parts(64_175_000, 0)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn update() -> Weight {
		// Minimum execution time: 63_214_000 picoseconds.
		Weight::from_parts(66_509_000, 0)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn replenish() -> Weight {
		// Minimum execution time: 60_780_000 picoseconds.
		Weight::from_parts(64_055_000, 0)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn resume() -> Weight {
		// Minimum execution time: 14_401_000 picoseconds.
		Weight::from_parts(15_673_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn leave() -> Weight {
		// Minimum execution time: 14_561_000 picoseconds.
		Weight::from_parts(15_803_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn withdraw() -> Weight {
		// Minimum execution time: 53_149_000 picoseconds.
		Weight::from_parts(56_083_000, 0)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
}

/// The same with ParityDB's cost of storage, for tests.
impl WeightInfo for () {
	fn register() -> Weight {
		Weight::from_parts(64_175_000, 0)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn update() -> Weight {
		Weight::from_parts(66_509_000, 0)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn replenish() -> Weight {
		Weight::from_parts(64_055_000, 0)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn resume() -> Weight {
		Weight::from_parts(15_673_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn leave() -> Weight {
		Weight::from_parts(15_803_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(56_083_000, 0)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
}
