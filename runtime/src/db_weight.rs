//! What reading and writing one entry of the state costs, measured by `scripts/bench-weights.sh`.
//!
//! ParityDb, 2026-11-22 (Y/M/D), CPU `AMD EPYC`, a state of 1,000,000 entries, all in memory. State version 1, 2000 entries
//! at a time, trie cache false. Nanoseconds:
//!
//! | | average | median | 95th | 99th |
//! | --- | --- | --- | --- | --- |
//! | read | 7_117 | 6_900 | 8_723 | 10_295 |
//! | write | 21_693 | 20_818 | 28_075 | 52_046 |

use frame_support::{
	parameter_types,
	weights::{constants::WEIGHT_REF_TIME_PER_NANOS, RuntimeDbWeight},
};

parameter_types! {
	/// The cost of a read and of a write: their average.
	pub const DbWeight: RuntimeDbWeight = RuntimeDbWeight {
		read: 7_117 * WEIGHT_REF_TIME_PER_NANOS,
		write: 21_693 * WEIGHT_REF_TIME_PER_NANOS,
	};
}
