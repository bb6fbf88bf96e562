//! Weights of `pallet_tasks`, measured by `scripts/bench-weights.sh`.
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

/// Weight functions needed for `pallet_tasks`.
pub trait WeightInfo {
	fn submit() -> Weight;
	fn fund() -> Weight;
	fn cancel_queued() -> Weight;
	fn cancel_running() -> Weight;
	fn take() -> Weight;
	fn settle() -> Weight;
	fn draw_base() -> Weight;
	fn draw_ask() -> Weight;
	fn draw_end() -> Weight;
	fn draw_late() -> Weight;
	fn draw_visit(p: u32, ) -> Weight;
	fn idle_base() -> Weight;
	fn agenda_block() -> Weight;
	fn agenda_settle() -> Weight;
	fn drop_leftover() -> Weight;
}

/// The measured weights, with the runtime's cost of storage.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn submit() -> Weight {
		// Minimum execution time: 106_438_000 picoseconds.
		Weight::from_parts(114_651_000, 0)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(11_u64))
	}
	fn fund() -> Weight {
		// Minimum execution time: 120_339_000 picoseconds.
		Weight::from_parts(128_271_000, 0)
			.saturating_add(T::DbWeight::get().reads(11_u64))
			.saturating_add(T::DbWeight::get().writes(11_u64))
	}
	fn cancel_queued() -> Weight {
		// Minimum execution time: 115_372_000 picoseconds.
		Weight::from_parts(127_129_000, 0)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(13_u64))
	}
	fn cancel_running() -> Weight {
		// Minimum execution time: 96_384_000 picoseconds.
		Weight::from_parts(103_904_000, 0)
			.saturating_add(T::DbWeight::get().reads(19_u64))
			.saturating_add(T::DbWeight::get().writes(19_u64))
	}
	fn take() -> Weight {
		// Minimum execution time: 19_869_000 picoseconds.
		Weight::from_parts(22_503_000, 0)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn settle() -> Weight {
		// Minimum execution time: 117_515_000 picoseconds.
		Weight::from_parts(127_119_000, 0)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(14_u64))
	}
	fn draw_base() -> Weight {
		// Minimum execution time: 8_663_000 picoseconds.
		Weight::from_parts(10_075_000, 0)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	fn draw_ask() -> Weight {
		// Minimum execution time: 20_861_000 picoseconds.
		Weight::from_parts(23_424_000, 0)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn draw_end() -> Weight {
		// Minimum execution time: 5_608_000 picoseconds.
		Weight::from_parts(6_650_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
	}
	fn draw_late() -> Weight {
		// Minimum execution time: 31_136_000 picoseconds.
		Weight::from_parts(33_920_000, 0)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// The range of component `p` is `[1, 17]`.
	fn draw_visit(p: u32, ) -> Weight {
		// Minimum execution time: 61_291_000 picoseconds.
		Weight::from_parts(60_136_470, 0)
			// Standard Error: 19_826
			.saturating_add(Weight::from_parts(5_717_322, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	fn idle_base() -> Weight {
		// Minimum execution time: 3_735_000 picoseconds.
		Weight::from_parts(4_256_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
	}
	fn agenda_block() -> Weight {
		// Minimum execution time: 12_739_000 picoseconds.
		Weight::from_parts(14_682_000, 0)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn agenda_settle() -> Weight {
		// Minimum execution time: 116_854_000 picoseconds.
		Weight::from_parts(126_407_000, 0)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(14_u64))
	}
	fn drop_leftover() -> Weight {
		// Minimum execution time: 9_885_000 picoseconds.
		Weight::from_parts(11_207_000, 0)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
}

/// The same with ParityDB's cost of storage, for tests.
impl WeightInfo for () {
	fn submit() -> Weight {
		Weight::from_parts(114_651_000, 0)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(11_u64))
	}
	fn fund() -> Weight {
		Weight::from_parts(128_271_000, 0)
			.saturating_add(ParityDbWeight::get().reads(11_u64))
			.saturating_add(ParityDbWeight::get().writes(11_u64))
	}
	fn cancel_queued() -> Weight {
		Weight::from_parts(127_129_000, 0)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(13_u64))
	}
	fn cancel_running() -> Weight {
		Weight::from_parts(103_904_000, 0)
			.saturating_add(ParityDbWeight::get().reads(19_u64))
			.saturating_add(ParityDbWeight::get().writes(19_u64))
	}
	fn take() -> Weight {
		Weight::from_parts(22_503_000, 0)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn settle() -> Weight {
		Weight::from_parts(127_119_000, 0)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(14_u64))
	}
	fn draw_base() -> Weight {
		Weight::from_parts(10_075_000, 0)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
	}
	fn draw_ask() -> Weight {
		Weight::from_parts(23_424_000, 0)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn draw_end() -> Weight {
		Weight::from_parts(6_650_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
	}
	fn draw_late() -> Weight {
		Weight::from_parts(33_920_000, 0)
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn draw_visit(p: u32, ) -> Weight {
		Weight::from_parts(60_136_470, 0)
			.saturating_add(Weight::from_parts(5_717_322, 0).saturating_mul(p.into()))
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(p.into())))
			.saturating_add(ParityDbWeight::get().writes(6_u64))
	}
	fn idle_base() -> Weight {
		Weight::from_parts(4_256_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
	}
	fn agenda_block() -> Weight {
		Weight::from_parts(14_682_000, 0)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn agenda_settle() -> Weight {
		Weight::from_parts(126_407_000, 0)
			.saturating_add(ParityDbWeight::get().reads(8_u64))
			.saturating_add(ParityDbWeight::get().writes(14_u64))
	}
	fn drop_leftover() -> Weight {
		Weight::from_parts(11_207_000, 0)
			.saturating_add(ParityDbWeight::get().reads(2_u64))
			.saturating_add(ParityDbWeight::get().writes(2_u64))
	}
}
