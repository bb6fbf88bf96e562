//! Opened blobs of key shares, a bounded number of them.

use std::{collections::VecDeque, sync::Arc};

use dgcs_content::{get_blob, keys::HolderShares, Blob, BlockSource, Error, Manifest};
use dgcs_primitives::TaskId;

use crate::{
	book::Item,
	custody::{lock, Custody},
};

/// The most shares that are in memory at a time: about 100 bytes each with their proofs.
const MOST: u32 = 1 << 21;
/// What a blob counts at the least, so that there are at most 512 of them.
const LEAST: u32 = 4096;

/// Opened blobs, the least recently used first.
#[derive(Debug, Default)]
pub(crate) struct OpenShares(VecDeque<(TaskId, u8, u32, Arc<HolderShares>)>);

impl OpenShares {
	fn get(&mut self, task: TaskId, holder: u8) -> Option<Arc<HolderShares>> {
		let place = self.0.iter().position(|(t, h, ..)| (*t, *h) == (task, holder))?;
		let found = self.0.remove(place)?;
		let shares = found.3.clone();
		self.0.push_back(found);
		Some(shares)
	}

	fn insert(&mut self, task: TaskId, holder: u8, keys: u32, shares: Arc<HolderShares>) {
		self.0.push_back((task, holder, keys.max(LEAST), shares));
		while self.0.iter().map(|(_, _, weight, _)| weight).sum::<u32>() > MOST && self.0.len() > 1
		{
			self.0.pop_front();
		}
	}

	pub(crate) fn forget(&mut self, task: TaskId) {
		self.0.retain(|(other, ..)| *other != task);
	}
}

/// Why shares could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
	/// The masternode has no secret for the key that they are sealed to.
	NoSecret(dgcs_primitives::EncryptionKey),
	/// The content says so.
	Content(Error),
}

impl Custody {
	/// The shares of `holder`, which are in `blob`: from memory, or opened and checked against the
	/// manifest.
	pub(crate) fn shares(
		&self,
		(task, manifest): (TaskId, &Manifest),
		(holder, item, blob): (u8, Item, Blob),
		source: &dyn BlockSource,
	) -> Result<Arc<HolderShares>, OpenError> {
		// Held while it is opened: a blob is opened once, however many ask for it.
		let mut open = lock(&self.open);
		if let Some(shares) = open.get(task, holder) {
			return Ok(shares);
		}
		let shares = Arc::new(self.open_shares(manifest, (holder, item, blob), source)?);
		open.insert(task, holder, manifest.shared_keys(), shares.clone());
		Ok(shares)
	}

	/// Gets, opens and checks the shares of `holder`, without remembering them. What the owner
	/// sealed is for the key in the manifest, what was handed over for any key of this masternode's.
	pub(crate) fn open_shares(
		&self,
		manifest: &Manifest,
		(number, item, blob): (u8, Item, Blob),
		source: &dyn BlockSource,
	) -> Result<HolderShares, OpenError> {
		let holder = manifest.holder(number).map_err(OpenError::Content)?;
		let count = manifest.shared_keys();
		let limit = blob.len.min(HolderShares::sealed_size(count));
		let own = match item {
			Item::Inherited(_) => None,
			_ => Some(self.secrets.of(&holder.key).ok_or(OpenError::NoSecret(holder.key))?),
		};
		let sealed = get_blob(source, &blob.id, limit).map_err(OpenError::Content)?;
		let mut found = Err(Error::Unsealable { what: "the blob of key shares" });
		for secret in own.into_iter().chain(self.secrets.all().filter(|_| own.is_none())) {
			let root = &holder.shares_root;
			found = HolderShares::open(&sealed, secret, &manifest.nonce, number, count, root);
			if !matches!(found, Err(Error::Unsealable { .. })) {
				break;
			}
		}
		found.map_err(OpenError::Content)
	}
}
