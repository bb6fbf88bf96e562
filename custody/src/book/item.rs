//! The blobs of a task: which there are, what its manifest promises of them, and what each costs.

use codec::{Decode, Encode};
use dgcs_content::{keys::HolderShares, Blob, Manifest, MAX_SHARED_KEYS};
use dgcs_primitives::{ResultDigest, TaskId};

/// The most bytes of a program: what the sandbox takes.
pub const MAX_PROGRAM: u64 = 32 << 20;
/// The most bytes of the owner's private part.
pub const MAX_PRIVATE: u64 = 64 << 20;
/// What a blob is charged at the least, for its entry in the store.
pub(super) const LEAST_CHARGE: u64 = 4096;

/// A blob of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Item {
	/// The manifest.
	Manifest,
	/// The shares of the keys for the holder with this number, as the owner sealed them.
	Shares(u8),
	/// The shares of the holder with this number, who has left, sealed to this masternode.
	Inherited(u8),
	/// The program.
	Program,
	/// Where the pieces of each range are.
	Index,
	/// The shard with this number.
	Shard(u32),
	/// The owner's private part.
	Private,
	/// A result.
	Result(ResultDigest),
}

impl Item {
	pub(super) fn lane(&self, mine: &[u8]) -> Lane {
		match self {
			Item::Manifest | Item::Inherited(_) => Lane::Essential,
			Item::Shares(holder) if mine.contains(holder) => Lane::Essential,
			Item::Result(_) => Lane::Results,
			_ => Lane::Content,
		}
	}

	/// Whether it is kept after the end of the task: what an owner needs to read its solution.
	pub(super) fn outlives_task(&self) -> bool {
		matches!(self, Item::Manifest | Item::Private | Item::Result(_))
	}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
	Essential,
	Results,
	Content,
}

/// What a manifest promises, as far as it matters for keeping it.
#[derive(Clone, Debug)]
pub struct Promise {
	pub(super) program: Blob,
	pub(super) index: Option<Blob>,
	pub(super) private: Blob,
	pub(super) shares: Vec<Blob>,
	pub(super) shards: u32,
	pub(super) shard_size: u32,
	pub(super) mine: Vec<u8>,
	/// What all of it is charged.
	pub(super) bytes: u64,
}

impl Promise {
	/// Of `manifest`, to the masternode that is the holders `mine` in it. Refuses a manifest with
	/// blobs that no task has.
	pub fn new(manifest: &Manifest, mine: Vec<u8>) -> Result<Self, String> {
		let Manifest { program, index, private, shard_size, .. } = *manifest;
		let rule = |what: &str, found: u64, limit: u64| {
			if found <= limit {
				Ok(())
			} else {
				Err(format!("the manifest promises {what} of {found}, at most {limit} are allowed"))
			}
		};
		rule("a program of bytes", program.len, MAX_PROGRAM)?;
		rule("a private part of bytes", private.len, MAX_PRIVATE)?;
		let keys = manifest.shared_keys();
		if !manifest.holders.is_empty() {
			rule("shares of keys", keys.into(), MAX_SHARED_KEYS.into())?;
		}
		let size = HolderShares::sealed_size(keys);
		for holder in &manifest.holders {
			if holder.shares.len != size {
				return Err(format!(
					"the manifest promises {} bytes of key shares for {:?}, its ranges need {size}",
					holder.shares.len, holder.account
				));
			}
		}
		let shares = manifest.holders.iter().map(|holder| holder.shares).collect();
		let shards = manifest.shards.len() as u32;
		let mut all =
			Promise { program, index, private, shares, shards, shard_size, mine, bytes: 0 };
		all.bytes = all.items().map(|item| charge(all.len(&item))).sum();
		Ok(all)
	}

	/// The blob behind `item`. `None`: it is none of this manifest.
	pub fn blob(&self, manifest: &Manifest, item: &Item) -> Option<Blob> {
		match *item {
			Item::Program => Some(self.program),
			Item::Index => self.index,
			Item::Private => Some(self.private),
			Item::Shares(holder) => self.shares.get(usize::from(holder)).copied(),
			Item::Shard(number) => manifest
				.shards
				.get(number as usize)
				.map(|shard| Blob { id: shard.id(), len: self.shard_size.into() }),
			Item::Manifest | Item::Inherited(_) | Item::Result(_) => None,
		}
	}

	/// All items but the manifest, in the order in which they are fetched.
	pub(super) fn items(&self) -> impl Iterator<Item = Item> + '_ {
		let holders = 0..self.shares.len() as u8;
		[Item::Program]
			.into_iter()
			.chain(self.index.map(|_| Item::Index))
			.chain(holders.map(Item::Shares))
			.chain((0..self.shards).map(Item::Shard))
			.chain([Item::Private])
	}

	/// How many items there are.
	pub(super) fn count(&self) -> u32 {
		2 + u32::from(self.index.is_some()) + self.shares.len() as u32 + self.shards
	}

	pub(super) fn len(&self, item: &Item) -> u64 {
		match item {
			Item::Program => self.program.len,
			Item::Index => self.index.map_or(0, |index| index.len),
			Item::Private => self.private.len,
			Item::Shares(holder) => self.shares.get(usize::from(*holder)).map_or(0, |b| b.len),
			Item::Shard(_) => self.shard_size.into(),
			Item::Manifest | Item::Inherited(_) | Item::Result(_) => 0,
		}
	}
}

/// Key shares that are sealed to this masternode, and opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
	/// The number of their holder in the manifest.
	pub holder: u8,
	/// Whether they were handed over by who has left.
	pub inherited: bool,
	/// Where they are.
	pub blob: Blob,
}

/// Something to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
	/// Whose.
	pub task: TaskId,
	/// What.
	pub item: Item,
}

/// What a blob of so many bytes is charged.
pub(super) fn charge(len: u64) -> u64 {
	len.max(LEAST_CHARGE)
}
