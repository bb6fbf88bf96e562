//! Weights of `pallet_verdicts`, measured by `scripts/bench-weights.sh`.
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

/// Weight functions needed for `pallet_verdicts`.
pub trait WeightInfo {
	fn commit() -> Weight;
	fn reveal(d: u32, ) -> Weight;
	fn tally_unanimous(s: u32, d: u32, ) -> Weight;
	fn tally_split(s: u32, ) -> Weight;
	fn lapse(s: u32, ) -> Weight;
	fn agenda_entry() -> Weight;
	fn agenda_block() -> Weight;
	fn on_idle_base() -> Weight;
	fn close_task() -> Weight;
	fn close_range() -> Weight;
	fn remove_block() -> Weight;
}

/// The measured weights, with the runtime's cost of storage.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn commit() -> Weight {
		// Minimum execution time: 49_954_000 picoseconds.
		Weight::from_parts(60_901_000, 0)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// The range of component `d` is `[1, 64]`.
	fn reveal(d: u32, ) -> Weight {
		// Minimum execution time: 52_097_000 picoseconds.
		Weight::from_parts(61_093_497, 0)
			// Standard Error: 10_022
			.saturating_add(Weight::from_parts(510_758, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// The range of component `s` is `[3, 15]`.
	/// The range of component `d` is `[1, 64]`.
	fn tally_unanimous(s: u32, _d: u32, ) -> Weight {
		// Minimum execution time: 346_175_000 picoseconds.
		Weight::from_parts(333_164_292, 0)
			// Standard Error: 1_608_347
			.saturating_add(Weight::from_parts(60_753_516, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(9_u64))
			.saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(s.into())))
	}
	/// The range of component `s` is `[3, 15]`.
	fn tally_split(s: u32, ) -> Weight {
		// Minimum execution time: 537_980_000 picoseconds.
		Weight::from_parts(176_341_095, 0)
			// Standard Error: 206_290
			.saturating_add(Weight::from_parts(123_217_310, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(7_u64))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(9_u64))
			.saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(s.into())))
	}
	/// The range of component `s` is `[1, 15]`.
	fn lapse(s: u32, ) -> Weight {
		// Minimum execution time: 97_305_000 picoseconds.
		Weight::from_parts(37_570_444, 0)
			// Standard Error: 83_219
			.saturating_add(Weight::from_parts(65_942_814, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(4_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
	}
	fn agenda_entry() -> Weight {
		// Minimum execution time: 29_173_000 picoseconds.
		Weight::from_parts(34_692_000, 0)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn agenda_block() -> Weight {
		// Minimum execution time: 3_495_000 picoseconds.
		Weight::from_parts(3_926_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
	}
	fn on_idle_base() -> Weight {
		// Minimum execution time: 9_755_000 picoseconds.
		Weight::from_parts(10_525_000, 0)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn close_task() -> Weight {
		// Minimum execution time: 12_839_000 picoseconds.
		Weight::from_parts(13_901_000, 0)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn close_range() -> Weight {
		// Minimum execution time: 860_920_000 picoseconds.
		Weight::from_parts(911_205_000, 0)
			.saturating_add(T::DbWeight::get().reads(46_u64))
			.saturating_add(T::DbWeight::get().writes(63_u64))
	}
	fn remove_block() -> Weight {
		// Minimum execution time: 8_402_000 picoseconds.
		Weight::from_parts(9_454_000, 0)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
}

/// The same with ParityDB's cost of storage, for tests.
impl WeightInfo for () {
	fn commit() -> Weight {
		Weight::from_parts(60_901_000, 0)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
	}
	fn reveal(d: u32, ) -> Weight {
		Weight::from_parts(61_093_497, 0)
			.saturating_add(Weight::from_parts(510_758, 0).saturating_mul(d.into()))
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn tally_unanimous(s: u32, _d: u32, ) -> Weight {
		Weight::from_parts(333_164_292, 0)
			.saturating_add(Weight::from_parts(60_753_516, 0).saturating_mul(s.into()))
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(s.into())))
			.saturating_add(ParityDbWeight::get().writes(9_u64))
			.saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(s.into())))
	}
	fn tally_split(s: u32, ) -> Weight {
		Weight::from_parts(176_341_095, 0)
			.saturating_add(Weight::from_parts(123_217_310, 0).saturating_mul(s.into()))
			.saturating_add(ParityDbWeight::get().reads(7_u64))
			.saturating_add(ParityDbWeight::get().reads((5_u64).saturating_mul(s.into())))
			.saturating_add(ParityDbWeight::get().writes(9_u64))
			.saturating_add(ParityDbWeight::get().writes((5_u64).saturating_mul(s.into())))
	}
	fn lapse(s: u32, ) -> Weight {
		Weight::from_parts(37_570_444, 0)
			.saturating_add(Weight::from_parts(65_942_814, 0).saturating_mul(s.into()))
			.saturating_add(ParityDbWeight::get().reads(6_u64))
			.saturating_add(ParityDbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(ParityDbWeight::get().writes(4_u64))
			.saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(s.into())))
	}
	fn agenda_entry() -> Weight {
		Weight::from_parts(34_692_000, 0)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(3_u64))
	}
	fn agenda_block() -> Weight {
		Weight::from_parts(3_926_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
	}
	fn on_idle_base() -> Weight {
		Weight::from_parts(10_525_000, 0)
			.saturating_add(ParityDbWeight::get().reads(3_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn close_task() -> Weight {
		Weight::from_parts(13_901_000, 0)
			.saturating_add(ParityDbWeight::get().reads(4_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
	fn close_range() -> Weight {
		Weight::from_parts(911_205_000, 0)
			.saturating_add(ParityDbWeight::get().reads(46_u64))
			.saturating_add(ParityDbWeight::get().writes(63_u64))
	}
	fn remove_block() -> Weight {
		Weight::from_parts(9_454_000, 0)
			.saturating_add(ParityDbWeight::get().reads(1_u64))
			.saturating_add(ParityDbWeight::get().writes(1_u64))
	}
}
