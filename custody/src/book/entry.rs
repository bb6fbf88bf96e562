//! What the book has on one task.

use std::collections::{BTreeMap, BTreeSet};

use dgcs_content::Blob;
use dgcs_primitives::BlockNumber;

use super::{
	item::{charge, Item, Lane, Promise, LEAST_CHARGE},
	queue::Queue,
};
use crate::edges::{AccountId, Balance};

/// How much of a task is here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
	pub(super) bytes: u64,
	/// What the manifest promises, that is all but the manifest itself, results and heirlooms.
	pub(super) promised: u32,
	pub(super) shards: u32,
	pub(super) shares: u32,
	pub(super) results: u32,
}

impl Counts {
	pub(super) fn of<'a>(held: impl Iterator<Item = (&'a Item, &'a Blob)>) -> Self {
		let mut counts = Counts::default();
		for (item, blob) in held {
			counts.add(item, blob);
		}
		counts
	}

	pub(super) fn add(&mut self, item: &Item, blob: &Blob) {
		self.bytes = self.bytes.saturating_add(blob.len);
		match item {
			Item::Manifest | Item::Inherited(_) => {},
			Item::Result(_) => self.results += 1,
			_ => self.promised += 1,
		}
		match item {
			Item::Shard(_) => self.shards += 1,
			Item::Shares(_) => self.shares += 1,
			_ => {},
		}
	}
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
	pub(super) at: BlockNumber,
	pub(super) kept: bool,
}

/// One task.
#[derive(Debug, Default)]
pub(super) struct Entry {
	pub(super) owner: Option<AccountId>,
	/// Money that is held for it: what its bytes are worth to this masternode.
	pub(super) paid: Balance,
	pub(super) promise: Option<Promise>,
	/// Whether room is reserved for its content.
	pub(super) admitted: bool,
	/// What its content will take, known when its manifest is.
	pub(super) claim: u64,
	/// Bytes reserved for content that is not here yet.
	pub(super) reserved: u64,
	pub(super) held: BTreeMap<Item, Blob>,
	pub(super) counts: Counts,
	/// Shares that were here and did not open.
	pub(super) damaged: BTreeMap<u8, String>,
	pub(super) flying: BTreeSet<Item>,
	/// Results that verdicts have named.
	pub(super) results: u32,
	/// Blocks of its work chain that were read.
	pub(super) height: u32,
	pub(super) queues: [Queue; 3],
	pub(super) ended: Option<Ended>,
	/// A block in which it was live before the start.
	pub(super) live: BlockNumber,
}

impl Entry {
	pub(super) fn queue(&mut self, lane: Lane) -> &mut Queue {
		&mut self.queues[lane as usize]
	}

	pub(super) fn mine(&self) -> &[u8] {
		self.promise.as_ref().map_or(&[], |promise| &promise.mine)
	}

	pub(super) fn lane(&self, item: &Item) -> Lane {
		item.lane(self.mine())
	}

	/// Holders whose key shares are here: as the owner sealed them, or handed over by who has left.
	pub(super) fn key_shares(&self) -> u32 {
		// Of who has left both may be here.
		let alone = |holder: &u8| {
			self.held.contains_key(&Item::Inherited(*holder))
				&& !self.held.contains_key(&Item::Shares(*holder))
		};
		self.counts.shares + (0..=u8::MAX).filter(alone).count() as u32
	}

	/// What all of its content takes that is not here.
	pub(super) fn missing(&self) -> u64 {
		let Some(promise) = &self.promise else { return 0 };
		promise
			.items()
			.filter(|item| !self.held.contains_key(item) && self.lane(item) == Lane::Content)
			.map(|item| charge(promise.len(&item)))
			.fold(0, u64::saturating_add)
	}

	/// Content that is asked for and not here.
	pub(super) fn is_waiting(&self) -> bool {
		self.ended.is_none()
			&& !self.admitted
			&& self.promise.is_some()
			&& !self.queues[Lane::Content as usize].items.is_empty()
	}

	/// What is held for each byte that the task takes: what comes first when room is scarce. A task
	/// whose size is not known yet counts as small, since its manifest is.
	pub(super) fn worth(&self) -> Balance {
		let bytes = self.promise.as_ref().map_or(LEAST_CHARGE, |promise| promise.bytes);
		self.paid / Balance::from(bytes.max(1))
	}
}
