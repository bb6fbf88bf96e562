//! Weights for `pallet_workers`: conservative figures in the shape of the benchmark command, until
//! they are measured.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]
#![allow(missing_docs)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::RocksDbWeight, Weight}};

/// Weight functions needed for `pallet_workers`.
pub trait WeightInfo {
	fn register() -> Weight;
	fn update() -> Weight;
	fn replenish() -> Weight;
	fn resume() -> Weight;
	fn leave() -> Weight;
	fn withdraw() -> Weight;
}

/// Weights for `pallet_workers` using the Substrate node and recommended hardware.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Workers::Blacklist` (r:1 w:0)
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn register() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(62_000_000, 4764)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn update() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(60_000_000, 4764)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn replenish() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(56_000_000, 4764)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	fn resume() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `3734`
		Weight::from_parts(22_000_000, 3734)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	fn leave() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `3734`
		Weight::from_parts(22_000_000, 3734)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn withdraw() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(66_000_000, 4764)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
}

// For backwards compatibility and tests.
impl WeightInfo for () {
	/// Storage: `Workers::Blacklist` (r:1 w:0)
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn register() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(62_000_000, 4764)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn update() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(60_000_000, 4764)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn replenish() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(56_000_000, 4764)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	fn resume() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `3734`
		Weight::from_parts(22_000_000, 3734)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	fn leave() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `3734`
		Weight::from_parts(22_000_000, 3734)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	/// Storage: `Workers::Workers` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	fn withdraw() -> Weight {
		// Proof Size summary in bytes:
		//  Estimated: `4764`
		Weight::from_parts(66_000_000, 4764)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
}
