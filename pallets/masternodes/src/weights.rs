//! Weights of `pallet_masternodes`, measured by `scripts/bench-weights.sh`.
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

/// Weight functions needed for `pallet_masternodes`.
pub trait WeightInfo {
	fn join() -> Weight;
	fn bond_more() -> Weight;
	fn update() -> Weight;
	fn leave() -> Weight;
	fn withdraw() -> Weight;
	fn set_active_count() -> Weight;
	fn note_author() -> Weight;
	fn new_session(c: u32, ) -> Weight;
	fn start_session(o: u32, ) -> Weight;
	fn end_session(a: u32, ) -> Weight;
	fn punish() -> Weight;
}

/// The measured weights, with the runtime's cost of storage.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn join() -> Weight {
		// Minimum execution time: 122_742_000 picoseconds.
		Weight::from_parts(142_311_000, 0)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	fn bond_more() -> Weight {
		// Minimum execution time: 111_786_000 picoseconds.
		Weight::from_parts(138_636_000, 0)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	fn update() -> Weight {
		// Minimum execution time: 15_282_000 picoseconds.
		Weight::from_parts(17_105_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn leave() -> Weight {
		// Minimum execution time: 66_398_000 picoseconds.
		Weight::from_parts(80_670_000, 0)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn withdraw() -> Weight {
		// Minimum execution time: 57_175_000 picoseconds.
		Weight::from_parts(60_660_000, 0)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn set_active_count() -> Weight {
		// Minimum execution time: 5_489_000 picoseconds.
		Weight::from_parts(6_189_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn note_author() -> Weight {
		// Minimum execution time: 5_748_000 picoseconds.
		Weight::from_parts(6_450_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// The range of component `c` is `[0, 256]`.
	fn new_session(c: u32, ) -> Weight {
		// Minimum execution time: 5_749_000 picoseconds.
		Weight::from_parts(11_619_771, 0)
			// Standard Error: 12_589
			.saturating_add(Weight::from_parts(2_383_800, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
	}
	/// The range of component `o` is `[1, 64]`.
	fn start_session(o: u32, ) -> Weight {
		// Minimum execution time: 17_647_000 picoseconds.
		Weight::from_parts(18_521_307, 0)
			// Standard Error: 621
			.saturating_add(Weight::from_parts(1_231_719, 0).saturating_mul(o.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// The range of component `a` is `[0, 64]`.
	fn end_session(a: u32, ) -> Weight {
		// Minimum execution time: 85_677_000 picoseconds.
		Weight::from_parts(78_733_341, 0)
			// Standard Error: 200_906
			.saturating_add(Weight::from_parts(51_929_731, 0).saturating_mul(a.into()))
			.saturating_add(T::DbWeight::get().reads(67_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(a.into())))
			.saturating_add(T::DbWeight::get().writes(67_u64))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(a.into())))
	}
	fn punish() -> Weight {
		// Minimum execution time: 138_026_000 picoseconds.
		Weight::from_parts(170_824_000, 0)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
}

/// The same with ParityDB's cost of storage, for tests.
impl WeightInfo for () {
	fn join() -> Weight {
		Weight::from_parts(142_311_000, 0)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(6_u64))
	}
	fn bond_more() -> Weight {
		Weight::from_parts(138_636_000, 0)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn update() -> Weight {
		Weight::from_parts(17_105_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn leave() -> Weight {
		Weight::from_parts(80_670_000, 0)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(60_660_000, 0)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn set_active_count() -> Weight {
		Weight::from_parts(6_189_000, 0)
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn note_author() -> Weight {
		Weight::from_parts(6_450_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn new_session(c: u32, ) -> Weight {
		Weight::from_parts(11_619_771, 0)
			.saturating_add(Weight::from_parts(2_383_800, 0).saturating_mul(c.into()))
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
	}
	fn start_session(o: u32, ) -> Weight {
		Weight::from_parts(18_521_307, 0)
			.saturating_add(Weight::from_parts(1_231_719, 0).saturating_mul(o.into()))
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
	fn end_session(a: u32, ) -> Weight {
		Weight::from_parts(78_733_341, 0)
			.saturating_add(Weight::from_parts(51_929_731, 0).saturating_mul(a.into()))
			.saturating_add(ParityDbWeight::get().reads(67_u64))
			.saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(a.into())))
			.saturating_add(ParityDbWeight::get().writes(67_u64))
			.saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(a.into())))
	}
	fn punish() -> Weight {
		Weight::from_parts(170_824_000, 0)
			.saturating_add(ParityDbWeight::get().reads(9_u64))
			.saturating_add(ParityDbWeight::get().writes(8_u64))
	}
}
