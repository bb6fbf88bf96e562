//! What the calls and hooks of the pallet cost.
//!
//! Conservative figures in the shape of `frame-omni-bencher`, to be replaced by its output.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(unused_parens)]
#![allow(unused_imports)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::{constants::RocksDbWeight, Weight}};

/// Weight functions of `pallet_masternodes`.
pub trait WeightInfo {
	/// `join`, into a full ranking.
	fn join() -> Weight;
	/// `bond_more`, from the last place to the first.
	fn bond_more() -> Weight;
	/// `update`.
	fn update() -> Weight;
	/// `leave`, from the last place.
	fn leave() -> Weight;
	/// `withdraw`.
	fn withdraw() -> Weight;
	/// `set_active_count`.
	fn set_active_count() -> Weight;
	/// Counting the block of an author.
	fn note_author() -> Weight;
	/// Planning a session with `c` candidates.
	fn new_session(c: u32) -> Weight;
	/// Disabling `o` offenders of the session before.
	fn start_session(o: u32) -> Weight;
	/// Dividing the pot between `a` authors, and forgetting a session.
	fn end_session(a: u32) -> Weight;
	/// Slashing and chilling one offender.
	fn punish() -> Weight;
}

/// Weights for `pallet_masternodes`, with the database weights of the runtime.
#[derive(Debug)]
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Storage: `Masternodes::Candidates` (r:1 w:2)
	/// Storage: `Masternodes::Unbonding` (r:1 w:1)
	/// Storage: `Session::NextKeys` (r:1 w:0)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	fn join() -> Weight {
		Weight::from_parts(95_000_000, 16000)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(6_u64))
	}
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	fn bond_more() -> Weight {
		Weight::from_parts(80_000_000, 16000)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	fn update() -> Weight {
		Weight::from_parts(25_000_000, 3700)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	/// Storage: `Masternodes::Unbonding` (r:0 w:1)
	fn leave() -> Weight {
		Weight::from_parts(45_000_000, 16000)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Masternodes::Unbonding` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	fn withdraw() -> Weight {
		Weight::from_parts(60_000_000, 3800)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Masternodes::ActiveCount` (r:0 w:1)
	fn set_active_count() -> Weight {
		Weight::from_parts(10_000_000, 0)
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Masternodes::Authored` (r:1 w:1)
	fn note_author() -> Weight {
		Weight::from_parts(10_000_000, 3600)
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Masternodes::Ranking` (r:1 w:0)
	/// Storage: `Masternodes::ActiveCount` (r:1 w:0)
	/// Storage: `Session::NextKeys` (r:256 w:0)
	/// The range of component `c` is `[0, 256]`.
	fn new_session(c: u32) -> Weight {
		Weight::from_parts(20_000_000, 16000)
			.saturating_add(Weight::from_parts(3_000_000, 2600).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
	}
	/// Storage: `Masternodes::Offenders` (r:1 w:1)
	/// Storage: `Session::DisabledValidators` (r:1 w:1)
	/// Storage: `Session::Validators` (r:1 w:0)
	/// The range of component `o` is `[0, 64]`.
	fn start_session(o: u32) -> Weight {
		Weight::from_parts(25_000_000, 6000)
			.saturating_add(Weight::from_parts(12_000_000, 0).saturating_mul(o.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Masternodes::Authored` (r:65 w:64)
	/// Storage: `System::Account` (r:65 w:65)
	/// Storage: `Masternodes::Slashed` (r:0 w:64)
	/// Storage: `Historical::StoredRange` (r:1 w:1)
	/// Storage: `Historical::HistoricalSessions` (r:0 w:1)
	/// The range of component `a` is `[0, 64]`.
	fn end_session(a: u32) -> Weight {
		Weight::from_parts(60_000_000, 6000)
			.saturating_add(Weight::from_parts(70_000_000, 2600).saturating_mul(a.into()))
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(a.into())))
			.saturating_add(T::DbWeight::get().writes(4_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(a.into())))
	}
	/// Storage: `Session::CurrentIndex` (r:1 w:0)
	/// Storage: `Session::DisabledValidators` (r:1 w:1)
	/// Storage: `Session::Validators` (r:1 w:0)
	/// Storage: `Masternodes::Offenders` (r:1 w:1)
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	/// Storage: `Masternodes::Unbonding` (r:1 w:1)
	/// Storage: `Masternodes::Slashed` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:2 w:2)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	fn punish() -> Weight {
		Weight::from_parts(160_000_000, 16000)
			.saturating_add(T::DbWeight::get().reads(11_u64))
			.saturating_add(T::DbWeight::get().writes(10_u64))
	}
}

// For tests.
impl WeightInfo for () {
	/// Storage: `Masternodes::Candidates` (r:1 w:2)
	/// Storage: `Masternodes::Unbonding` (r:1 w:1)
	/// Storage: `Session::NextKeys` (r:1 w:0)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	fn join() -> Weight {
		Weight::from_parts(95_000_000, 16000)
			.saturating_add(RocksDbWeight::get().reads(6_u64))
			.saturating_add(RocksDbWeight::get().writes(6_u64))
	}
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	fn bond_more() -> Weight {
		Weight::from_parts(80_000_000, 16000)
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
	}
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	fn update() -> Weight {
		Weight::from_parts(25_000_000, 3700)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	/// Storage: `Masternodes::Unbonding` (r:0 w:1)
	fn leave() -> Weight {
		Weight::from_parts(45_000_000, 16000)
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	/// Storage: `Masternodes::Unbonding` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:1 w:1)
	fn withdraw() -> Weight {
		Weight::from_parts(60_000_000, 3800)
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(3_u64))
	}
	/// Storage: `Masternodes::ActiveCount` (r:0 w:1)
	fn set_active_count() -> Weight {
		Weight::from_parts(10_000_000, 0)
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	/// Storage: `Masternodes::Authored` (r:1 w:1)
	fn note_author() -> Weight {
		Weight::from_parts(10_000_000, 3600)
			.saturating_add(RocksDbWeight::get().reads(1_u64))
			.saturating_add(RocksDbWeight::get().writes(1_u64))
	}
	/// Storage: `Masternodes::Ranking` (r:1 w:0)
	/// Storage: `Masternodes::ActiveCount` (r:1 w:0)
	/// Storage: `Session::NextKeys` (r:256 w:0)
	/// The range of component `c` is `[0, 256]`.
	fn new_session(c: u32) -> Weight {
		Weight::from_parts(20_000_000, 16000)
			.saturating_add(Weight::from_parts(3_000_000, 2600).saturating_mul(c.into()))
			.saturating_add(RocksDbWeight::get().reads(2_u64))
			.saturating_add(RocksDbWeight::get().reads((1_u64).saturating_mul(c.into())))
	}
	/// Storage: `Masternodes::Offenders` (r:1 w:1)
	/// Storage: `Session::DisabledValidators` (r:1 w:1)
	/// Storage: `Session::Validators` (r:1 w:0)
	/// The range of component `o` is `[0, 64]`.
	fn start_session(o: u32) -> Weight {
		Weight::from_parts(25_000_000, 6000)
			.saturating_add(Weight::from_parts(12_000_000, 0).saturating_mul(o.into()))
			.saturating_add(RocksDbWeight::get().reads(3_u64))
			.saturating_add(RocksDbWeight::get().writes(2_u64))
	}
	/// Storage: `Masternodes::Authored` (r:65 w:64)
	/// Storage: `System::Account` (r:65 w:65)
	/// Storage: `Masternodes::Slashed` (r:0 w:64)
	/// Storage: `Historical::StoredRange` (r:1 w:1)
	/// Storage: `Historical::HistoricalSessions` (r:0 w:1)
	/// The range of component `a` is `[0, 64]`.
	fn end_session(a: u32) -> Weight {
		Weight::from_parts(60_000_000, 6000)
			.saturating_add(Weight::from_parts(70_000_000, 2600).saturating_mul(a.into()))
			.saturating_add(RocksDbWeight::get().reads(4_u64))
			.saturating_add(RocksDbWeight::get().reads((3_u64).saturating_mul(a.into())))
			.saturating_add(RocksDbWeight::get().writes(4_u64))
			.saturating_add(RocksDbWeight::get().writes((3_u64).saturating_mul(a.into())))
	}
	/// Storage: `Session::CurrentIndex` (r:1 w:0)
	/// Storage: `Session::DisabledValidators` (r:1 w:1)
	/// Storage: `Session::Validators` (r:1 w:0)
	/// Storage: `Masternodes::Offenders` (r:1 w:1)
	/// Storage: `Masternodes::Candidates` (r:1 w:1)
	/// Storage: `Masternodes::Unbonding` (r:1 w:1)
	/// Storage: `Masternodes::Slashed` (r:1 w:1)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Storage: `System::Account` (r:2 w:2)
	/// Storage: `Masternodes::Ranking` (r:1 w:1)
	fn punish() -> Weight {
		Weight::from_parts(160_000_000, 16000)
			.saturating_add(RocksDbWeight::get().reads(11_u64))
			.saturating_add(RocksDbWeight::get().writes(10_u64))
	}
}
