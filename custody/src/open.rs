//! Opened blobs of key shares, a bounded number of them.

use std::{collections::VecDeque, sync::Arc};

use dgcs_content::{get_blob, keys::HolderShares, BlockSource, EncryptionSecret, Error, Manifest};
use dgcs_primitives::{EncryptionKey, TaskId};

use crate::{
	book::Holding,
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
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
	/// This masternode has lost the key.
	#[error(
		"they are sealed to the encryption key {:?}, whose secret is not in this masternode's \
		 keystore: its operator must restore it", .0 .0
	)]
	NoSecret(EncryptionKey),
	/// The content says so.
	#[error(transparent)]
	Content(#[from] Error),
}

impl Custody {
	/// The shares of `holding`: from memory, or opened and checked against the manifest.
	pub(crate) fn shares(
		&self,
		task: TaskId,
		manifest: &Manifest,
		holding: &Holding,
	) -> Result<Arc<HolderShares>, OpenError> {
		// Locked while it is opened: a blob is opened once, however many ask for it.
		let mut open = lock(&self.open);
		if let Some(shares) = open.get(task, holding.holder) {
			return Ok(shares);
		}
		let shares = Arc::new(self.open_shares(manifest, holding, &*self.store)?);
		open.insert(task, holding.holder, manifest.shared_keys(), shares.clone());
		Ok(shares)
	}

	/// Gets, opens and checks the shares of `holding`, without remembering them. What the owner
	/// sealed is for the key in the manifest, what was handed over for any key that this masternode
	/// had registered.
	pub(crate) fn open_shares(
		&self,
		manifest: &Manifest,
		holding: &Holding,
		source: &dyn BlockSource,
	) -> Result<HolderShares, OpenError> {
		let Holding { holder: number, inherited, blob } = *holding;
		let holder = manifest.holder(number)?;
		let secrets: Vec<&EncryptionSecret> = if inherited {
			self.secrets.all().collect()
		} else {
			vec![self.secrets.of(&holder.key).ok_or(OpenError::NoSecret(holder.key))?]
		};
		let count = manifest.shared_keys();
		let sealed = get_blob(source, &blob.id, blob.len.min(HolderShares::sealed_size(count)))?;
		let mut opened = Err(Error::Unsealable { what: "the blob of key shares" });
		for secret in secrets {
			let (nonce, root) = (&manifest.nonce, &holder.shares_root);
			opened = HolderShares::open(&sealed, secret, nonce, number, count, root);
			if !matches!(opened, Err(Error::Unsealable { .. })) {
				break;
			}
		}
		Ok(opened?)
	}
}
