//! How shares get from a masternode that leaves to its heir.
//!
//! One that is no longer bonded (it left, was outbid or taken out) opens the blobs it holds, seals
//! each to its heir's registered key, stores it, and offers it to the heir at its registered address.
//! The offer carries one share, chosen by the blob's name, as it would be released to a worker: only
//! who has the shares can make it, so that a stranger's offer costs the heir one look. The heir
//! then fetches the blob, checks all of it against the manifest's root, and from then on answers for
//! that holder as well. What was handed over already is accepted again.

use std::collections::BTreeMap;

use codec::{Decode, Encode};
use dgcs_content::{
	keys::{open_release, seal_release, HolderShares},
	put_blob, Blob, Manifest, Scope,
};
use dgcs_primitives::{
	api::{MasternodeView, TaskInfo},
	BlockNumber, ContentId, TaskId,
};
use sp_core::H256;

use crate::{
	book::Item,
	custody::{as_hash, lock, Custody},
	edges::{AccountId, Balance, Block, ChainError, PeerError},
	heirs, LOG_TARGET,
};

/// Blobs that are offered between two looks at the chain.
const OFFERS: usize = 16;
/// After so many offers without an answer the next heir is asked.
const PATIENCE: u32 = 3;
/// The most blocks between two offers of the same shares.
const LONGEST_DELAY: BlockNumber = 100;
/// The most bytes of a proof: a share and a tree's height of hashes take less than 1 KiB.
const MOST_PROOF: usize = 2048;

/// Shares on offer: what `dgcs_handOver` takes, in SCALE.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
	/// The task.
	pub task: TaskId,
	/// The number in the manifest of the holder who leaves.
	pub holder: u8,
	/// All of its shares, sealed to the heir.
	pub blob: Blob,
	/// The share at [`Offer::challenge`], released to the heir.
	pub proof: Vec<u8>,
}

impl Offer {
	/// Which of a holder's `keys` shares has to be shown with `blob`: nobody knows before it is
	/// sealed.
	pub fn challenge(blob: &ContentId, keys: u32) -> Scope {
		let number = blob.digest.to_low_u64_be() % u64::from(keys.max(1));
		Scope::at(number as u32)
	}
}

/// Why an offer is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
	/// Only active masternodes inherit.
	#[error("this masternode is not active; offer the shares to the next in line")]
	NotActive,
	/// The finalised chain has no such live task.
	#[error("the finalised chain has no live task {task}; its shares are of no use any more")]
	NoTask {
		/// The task.
		task: TaskId,
	},
	/// The manifest has fewer holders.
	#[error("the manifest of task {task} has no holder {holder}")]
	NoHolder {
		/// The task.
		task: TaskId,
		/// The number.
		holder: u8,
	},
	/// The holder can answer for itself.
	#[error("holder {holder} of task {task} is bonded, and answers for itself")]
	StillThere {
		/// The task.
		task: TaskId,
		/// The number.
		holder: u8,
	},
	/// One more share would be one too many.
	#[error("this masternode holds {have} shares of task {task} of {most} that it may hold; offer them to the next in line")]
	TooMany {
		/// The task.
		task: TaskId,
		/// How many it has.
		have: usize,
		/// How many it may have.
		most: usize,
	},
	/// Not what the manifest commits to.
	#[error("these are not the shares of holder {holder} of task {task}: {reason}")]
	Wrong {
		/// The task.
		task: TaskId,
		/// The number.
		holder: u8,
		/// What is wrong.
		reason: String,
	},
	/// It can't be examined now.
	#[error("not now: {0}; offer it again later")]
	NotReady(String),
	/// This masternode's own trouble.
	#[error(transparent)]
	Chain(#[from] ChainError),
}

impl OfferError {
	/// Whether the same offer may be taken later.
	pub fn is_temporary(&self) -> bool {
		matches!(self, OfferError::NotReady(_) | OfferError::Chain(_))
	}
}

/// How far a masternode is that leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandedOver {
	/// Blobs of shares whose heirs have them.
	pub done: usize,
	/// Blobs of shares that are still to be handed over. The masternode must keep running.
	pub left: usize,
}

/// How far one blob of shares is.
#[derive(Debug, Default)]
struct Progress {
	done: bool,
	/// Place in the order of heirs.
	heir: usize,
	tries: u32,
	next_try: BlockNumber,
	/// What was sealed for an heir with this key.
	sealed: Option<(H256, Offer)>,
}

/// What a masternode that leaves has handed over.
#[derive(Debug, Default)]
pub(crate) struct Leaving(BTreeMap<(TaskId, u8), Progress>);

type View = MasternodeView<AccountId, Balance>;

impl Custody {
	/// If this masternode is no longer bonded at `at`, offers its shares of live tasks to their
	/// heirs, a few at a time. To be called for every finalised block.
	pub fn hand_over(&self, at: &Block) -> Result<HandedOver, ChainError> {
		let masternodes = self.chain.masternodes(at.hash)?;
		if masternodes.iter().any(|masternode| masternode.account == self.account) {
			lock(&self.leaving).0.clear();
			return Ok(HandedOver::default());
		}
		let active: Vec<View> = masternodes.into_iter().filter(|other| other.active).collect();
		let mut report = HandedOver::default();
		let mut offers = 0;
		let tasks = self.book().live_tasks();
		for task in tasks {
			let shares = self.book().shares(task);
			for (holder, item, blob) in shares {
				let mut progress =
					lock(&self.leaving).0.remove(&(task, holder)).unwrap_or_default();
				if !progress.done && progress.next_try <= at.number && offers < OFFERS {
					offers += 1;
					self.offer((task, holder, item, blob), &active, &mut progress, at.number);
				}
				report.done += usize::from(progress.done);
				report.left += usize::from(!progress.done);
				lock(&self.leaving).0.insert((task, holder), progress);
			}
		}
		Ok(report)
	}

	/// Makes one offer, and notes what came of it.
	fn offer(
		&self,
		(task, holder, item, blob): (TaskId, u8, Item, Blob),
		active: &[View],
		progress: &mut Progress,
		now: BlockNumber,
	) {
		let delay = 1u32.checked_shl(progress.tries).unwrap_or(u32::MAX).min(LONGEST_DELAY);
		progress.next_try = now.saturating_add(delay);
		progress.tries = progress.tries.saturating_add(1);
		let manifest = match self.manifest(task) {
			Ok(Some(manifest)) => manifest,
			_ => return,
		};
		let Some(heir) = heir(&manifest, holder, active, progress.heir) else {
			log::warn!(
				target: LOG_TARGET,
				"No active masternode may take the shares of task {task}; they stay here"
			);
			(progress.heir, progress.tries) = (0, 0);
			progress.next_try = now.saturating_add(LONGEST_DELAY);
			return;
		};
		let address = String::from_utf8_lossy(&heir.address).into_owned();
		let offered =
			self.sealed((task, holder, item, blob), &manifest, heir, progress).and_then(|offer| {
				self.peers
					.hand_over(&address, &offer)
					.map_err(|e| (e.to_string(), matches!(e, PeerError::Refused { .. })))
			});
		match offered {
			Ok(()) => {
				log::info!(target: LOG_TARGET, "{} has the shares of task {task}", heir.account);
				progress.done = true;
				self.drop_sealed(progress);
			},
			Err((reason, refused)) => {
				log::debug!(target: LOG_TARGET, "Shares of task {task}: {reason}");
				if refused || progress.tries.is_multiple_of(PATIENCE) {
					progress.heir += 1;
					progress.next_try = now.saturating_add(1);
					self.drop_sealed(progress);
				}
			},
		}
	}

	/// The offer for `heir`: the one that was made before, or a new one.
	fn sealed(
		&self,
		(task, holder, item, blob): (TaskId, u8, Item, Blob),
		manifest: &Manifest,
		heir: &View,
		progress: &mut Progress,
	) -> Result<Offer, (String, bool)> {
		if let Some((key, offer)) = &progress.sealed {
			if *key == heir.key.0 {
				return Ok(offer.clone());
			}
		}
		let failed = |error: dgcs_content::Error| (error.to_string(), false);
		let shares = self
			.shares((task, manifest), (holder, item, blob), &*self.store)
			.map_err(|error| (format!("{error:?}"), false))?;
		let sealed = shares
			.reseal(&heir.key, &manifest.nonce, holder)
			// Nothing can be sealed to its key.
			.map_err(|error| (error.to_string(), true))?;
		let blob = put_blob(&*self.store, &sealed).map_err(failed)?;
		let kept = self.store.pin(&blob.id).and_then(|()| self.store.provide(&blob.id));
		kept.map_err(|error| (error.to_string(), false))?;
		let scope = Offer::challenge(&blob.id, manifest.shared_keys());
		let proof = seal_release(&shares, &manifest.nonce, holder, scope, &heir.key);
		let offer = Offer { task, holder, blob, proof: proof.map_err(failed)? };
		self.drop_sealed(progress);
		progress.sealed = Some((heir.key.0, offer.clone()));
		Ok(offer)
	}

	fn drop_sealed(&self, progress: &mut Progress) {
		if let Some((_, offer)) = progress.sealed.take() {
			self.unpin(&offer.blob.id);
		}
	}

	/// Takes an offer: checks that this masternode may inherit, fetches the blob and checks all of
	/// it. `Ok`: it is held, now or since before.
	pub fn accept(&self, offer: &Offer) -> Result<(), OfferError> {
		let Offer { task, holder, .. } = *offer;
		let at = self.chain.finalised()?;
		let masternodes = self.chain.masternodes(at.hash)?;
		let me = masternodes.iter().find(|other| other.account == self.account && other.active);
		let me = me.ok_or(OfferError::NotActive)?;
		if !matches!(self.chain.task(at.hash, task)?, Some(TaskInfo::Live(_))) {
			return Err(OfferError::NoTask { task });
		}
		let not_ready = |reason: &str| OfferError::NotReady(reason.to_owned());
		let manifest = match self.manifest(task) {
			Ok(Some(manifest)) if self.book().promise(task).is_some() => manifest,
			_ => return Err(not_ready("the manifest is not here yet")),
		};
		let account = match manifest.holder(holder) {
			Ok(holder) => holder.account,
			Err(_) => return Err(OfferError::NoHolder { task, holder }),
		};
		if masternodes.iter().any(|other| as_hash(&other.account) == account) {
			return Err(OfferError::StillThere { task, holder });
		}
		let Ok(_turn) = self.accepting.try_lock() else {
			return Err(not_ready("another offer is being examined"));
		};
		let held = self.book().shares(task);
		if held.iter().any(|(other, ..)| *other == holder) {
			return Ok(());
		}
		let active = masternodes.iter().filter(|other| other.active).count();
		let sharing = manifest.sharing().map_err(|_| OfferError::NoHolder { task, holder })?;
		let most = heirs::most_shares(&sharing, active);
		if held.len() >= most {
			return Err(OfferError::TooMany { task, have: held.len(), most });
		}
		self.examine(offer, &manifest, &me.key)?;
		self.keep_inherited(offer)
	}

	/// Whether the offer is what it says: first the one share that it shows, then all of them.
	fn examine(
		&self,
		offer: &Offer,
		manifest: &Manifest,
		key: &dgcs_primitives::EncryptionKey,
	) -> Result<(), OfferError> {
		let Offer { task, holder, ref blob, ref proof } = *offer;
		let wrong = |reason: String| OfferError::Wrong { task, holder, reason };
		let size = HolderShares::sealed_size(manifest.shared_keys());
		if blob.len != size {
			return Err(wrong(format!("they have {} bytes in place of {size}", blob.len)));
		}
		if proof.len() > MOST_PROOF {
			return Err(wrong(format!("their proof has {} bytes", proof.len())));
		}
		let secret = self.secrets.of(key).ok_or_else(|| {
			OfferError::NotReady("the secret of its registered key is not in its keystore".into())
		})?;
		let scope = Offer::challenge(&blob.id, manifest.shared_keys());
		open_release(proof, secret, manifest, holder, scope)
			.map_err(|error| wrong(error.to_string()))?;
		let source = self.timed();
		let item = Item::Inherited(holder);
		self.open_shares(manifest, (holder, item, *blob), &source).map(drop).map_err(|error| {
			match error {
				crate::open::OpenError::Content(error) => match crate::keeper::failure(error) {
					crate::book::Failure::Later(reason) => OfferError::NotReady(reason),
					crate::book::Failure::Never(reason) => wrong(reason),
				},
				error => wrong(format!("{error:?}")),
			}
		})
	}

	fn keep_inherited(&self, offer: &Offer) -> Result<(), OfferError> {
		let Offer { task, holder, blob, .. } = *offer;
		let kept = self.store.pin(&blob.id).and_then(|()| self.store.provide(&blob.id));
		kept.map_err(|error| OfferError::NotReady(format!("the store can't keep it: {error}")))?;
		self.noted(self.ledger.got(task, Item::Inherited(holder), blob));
		if self.book().inherit(task, holder, blob) {
			log::info!(target: LOG_TARGET, "Holds the shares of holder {holder} of task {task} now");
			Ok(())
		} else {
			self.unpin(&blob.id);
			Err(OfferError::NoTask { task })
		}
	}
}

/// The heir at `place` in the order for this holder. `None`: there are no so many.
fn heir<'a>(manifest: &Manifest, holder: u8, active: &'a [View], place: usize) -> Option<&'a View> {
	let accounts: Vec<H256> = active.iter().map(|other| as_hash(&other.account)).collect();
	let holders: Vec<H256> = manifest.holders.iter().map(|holder| holder.account).collect();
	let leaver = holders.get(usize::from(holder))?;
	let order = heirs::order(&manifest.nonce, leaver, &holders, &accounts);
	let heir = order.get(place)?;
	active.iter().find(|other| as_hash(&other.account) == *heir)
}
