//! How much a masternode gives.

use std::time::Duration;

use dgcs_primitives::BlockNumber;

/// How much a masternode gives.
#[derive(Clone, Debug)]
pub struct Limits {
	/// Bytes of disk for all tasks. A blob counts 4 KiB at the least.
	pub budget: u64,
	/// Blobs in all.
	pub blobs: usize,
	/// Bytes of one result.
	pub result: u64,
	/// Blobs that are fetched at the same time, at most half of them (and at least one) for tasks
	/// of the same owner.
	pub fetches: usize,
	/// How long one blob may take.
	pub deadline: Duration,
	/// After how many blocks in which nothing came a lane is given up.
	pub patience: BlockNumber,
	/// For how many blocks results are kept after the end of their task.
	pub retention: BlockNumber,
}

impl Default for Limits {
	/// 64 GiB, a million blobs, results of 64 MiB, 4 fetches of 5 minutes each, patience of a day,
	/// retention of a week.
	fn default() -> Self {
		Limits {
			budget: 64 << 30,
			blobs: 1 << 20,
			result: 64 << 20,
			fetches: 4,
			deadline: Duration::from_secs(300),
			patience: 28_800,
			retention: 201_600,
		}
	}
}
