//! Weights of `pallet-verdicts`: its calls, and the steps that tallies and `on_idle` are made of.
//!
//! Set conservatively by hand in the shape that frame-omni-bencher writes, until measured.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]

use frame_support::{traits::Get, weights::{Weight, constants::RocksDbWeight}};
use core::marker::PhantomData;

/// Weight functions needed for `pallet-verdicts`.
pub trait WeightInfo {
	/// A commitment that starts the reveal of a range with 15 seats.
	fn commit() -> Weight;
	/// A reveal that does not end its round.
	fn reveal(d: u32, ) -> Weight;
	/// The end of a round in which all gave the same answer.
	fn tally_unanimous(s: u32, d: u32, ) -> Weight;
	/// The end of a round in which all gave different answers to 64 subtasks.
	fn tally_split(s: u32, ) -> Weight;
	/// The end of leases.
	fn lapse(s: u32, ) -> Weight;
	/// An entry of the agenda that was early.
	fn agenda_entry() -> Weight;
	/// A block of the agenda that has no entries.
	fn agenda_block() -> Weight;
	/// What `on_idle` does in every block.
	fn on_idle_base() -> Weight;
	/// The entry of an ended task that has nothing left.
	fn close_task() -> Weight;
	/// The end of a range without a verdict.
	fn close_range() -> Weight;
	/// The end of a block of a work chain.
	fn remove_block() -> Weight;
}

/// Weights for `pallet-verdicts` using the Substrate node and recommended hardware.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	fn commit() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `14000`
		// Minimum execution time: 60_000_000 picoseconds.
		Weight::from_parts(60_000_000, 14000)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// The range of component `d` is `[1, 64]`.
	fn reveal(d: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `14000`
		// Minimum execution time: 45_000_000 picoseconds.
		Weight::from_parts(45_000_000, 14000)
			.saturating_add(Weight::from_parts(90_000, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// The range of component `s` is `[3, 15]`.
	/// The range of component `d` is `[1, 64]`.
	fn tally_unanimous(s: u32, d: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `24000`
		// Minimum execution time: 90_000_000 picoseconds.
		Weight::from_parts(90_000_000, 24000)
			.saturating_add(Weight::from_parts(22_000_000, 10000).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(900_000, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(8_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
	}
	/// The range of component `s` is `[3, 15]`.
	fn tally_split(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `24000`
		// Minimum execution time: 160_000_000 picoseconds.
		Weight::from_parts(160_000_000, 24000)
			.saturating_add(Weight::from_parts(35_000_000, 12500).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(8_u64))
			.saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(s.into())))
	}
	/// The range of component `s` is `[1, 15]`.
	fn lapse(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `9000`
		// Minimum execution time: 25_000_000 picoseconds.
		Weight::from_parts(25_000_000, 9000)
			.saturating_add(Weight::from_parts(18_000_000, 7500).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
	}
	fn agenda_entry() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `11500`
		// Minimum execution time: 25_000_000 picoseconds.
		Weight::from_parts(25_000_000, 11500)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	fn agenda_block() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `6500`
		// Minimum execution time: 5_000_000 picoseconds.
		Weight::from_parts(5_000_000, 6500)
			.saturating_add(T::DbWeight::get().reads(1_u64))
	}
	fn on_idle_base() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `11500`
		// Minimum execution time: 8_000_000 picoseconds.
		Weight::from_parts(8_000_000, 11500)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn close_task() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `11500`
		// Minimum execution time: 8_000_000 picoseconds.
		Weight::from_parts(8_000_000, 11500)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	fn close_range() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `84000`
		// Minimum execution time: 200_000_000 picoseconds.
		Weight::from_parts(200_000_000, 84000)
			.saturating_add(T::DbWeight::get().reads(32_u64))
			.saturating_add(T::DbWeight::get().writes(48_u64))
	}
	fn remove_block() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `6500`
		// Minimum execution time: 6_000_000 picoseconds.
		Weight::from_parts(6_000_000, 6500)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
}

// For backwards compatibility and tests.
impl WeightInfo for () {
	fn commit() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `14000`
		// Minimum execution time: 60_000_000 picoseconds.
		Weight::from_parts(60_000_000, 14000)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	/// The range of component `d` is `[1, 64]`.
	fn reveal(d: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `14000`
		// Minimum execution time: 45_000_000 picoseconds.
		Weight::from_parts(45_000_000, 14000)
			.saturating_add(Weight::from_parts(90_000, 0).saturating_mul(d.into()))
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	/// The range of component `s` is `[3, 15]`.
	/// The range of component `d` is `[1, 64]`.
	fn tally_unanimous(s: u32, d: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `24000`
		// Minimum execution time: 90_000_000 picoseconds.
		Weight::from_parts(90_000_000, 24000)
			.saturating_add(Weight::from_parts(22_000_000, 10000).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(900_000, 0).saturating_mul(d.into()))
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().reads((4_u64).saturating_mul(s.into())))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
			.saturating_add(RocksDbWeight::get().writes((3_u64).saturating_mul(s.into())))
	}
	/// The range of component `s` is `[3, 15]`.
	fn tally_split(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `24000`
		// Minimum execution time: 160_000_000 picoseconds.
		Weight::from_parts(160_000_000, 24000)
			.saturating_add(Weight::from_parts(35_000_000, 12500).saturating_mul(s.into()))
			.saturating_add(RocksDbWeight::get().reads(8_u64))
			.saturating_add(RocksDbWeight::get().reads((5_u64).saturating_mul(s.into())))
			.saturating_add(RocksDbWeight::get().writes(8_u64))
			.saturating_add(RocksDbWeight::get().writes((4_u64).saturating_mul(s.into())))
	}
	/// The range of component `s` is `[1, 15]`.
	fn lapse(s: u32, ) -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `9000`
		// Minimum execution time: 25_000_000 picoseconds.
		Weight::from_parts(25_000_000, 9000)
			.saturating_add(Weight::from_parts(18_000_000, 7500).saturating_mul(s.into()))
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
			.saturating_add(RocksDbWeight::get().writes((3_u64).saturating_mul(s.into())))
	}
	fn agenda_entry() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `11500`
		// Minimum execution time: 25_000_000 picoseconds.
		Weight::from_parts(25_000_000, 11500)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	fn agenda_block() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `6500`
		// Minimum execution time: 5_000_000 picoseconds.
		Weight::from_parts(5_000_000, 6500)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
	}
	fn on_idle_base() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `11500`
		// Minimum execution time: 8_000_000 picoseconds.
		Weight::from_parts(8_000_000, 11500)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn close_task() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `11500`
		// Minimum execution time: 8_000_000 picoseconds.
		Weight::from_parts(8_000_000, 11500)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	fn close_range() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `84000`
		// Minimum execution time: 200_000_000 picoseconds.
		Weight::from_parts(200_000_000, 84000)
			.saturating_add(RocksDbWeight::get().reads(32_u64))
			.saturating_add(RocksDbWeight::get().writes(48_u64))
	}
	fn remove_block() -> Weight {
		// Proof Size summary in bytes:
		//  Measured:  `0`
		//  Estimated: `6500`
		// Minimum execution time: 6_000_000 picoseconds.
		Weight::from_parts(6_000_000, 6500)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
}
