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
	BlockNumber, ContentId, EncryptionKey, TaskId,
};
use sp_core::H256;

use crate::{
	book::{Book, Failure, Holding, Item},
	custody::{as_hash, lock, Custody},
	edges::{AccountId, Balance, Block, ChainError, PeerError},
	heirs,
	keeper::failure,
	open::OpenError,
	LOG_TARGET,
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
	/// Blobs of shares that are still to be handed over, or fetched before. The masternode must keep
	/// running.
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
pub(crate) struct Leaving {
	blobs: BTreeMap<(TaskId, u8), Progress>,
	/// Whether the log says that another masternode is bonded with one of this one's keys.
	told: bool,
}

type View = MasternodeView<AccountId, Balance>;

/// A task whose shares are handed over.
struct Legacy<'a> {
	task: TaskId,
	manifest: &'a Manifest,
	holding: Holding,
}

/// Why an offer came to nothing.
struct Failed {
	reason: String,
	/// Whether the next heir is to be asked.
	for_good: bool,
}

impl Failed {
	fn later(reason: impl ToString) -> Self {
		Failed { reason: reason.to_string(), for_good: false }
	}

	fn for_good(reason: impl ToString) -> Self {
		Failed { reason: reason.to_string(), for_good: true }
	}
}

impl Custody {
	/// If this masternode is no longer bonded at `at`, offers its shares of live tasks to their
	/// heirs, a few at a time. To be called for every finalised block, one call after the other.
	/// `None`: it is bonded.
	pub fn hand_over(&self, at: &Block) -> Result<Option<HandedOver>, ChainError> {
		let masternodes = self.chain.masternodes(at.hash)?;
		let Leaving { blobs: mut leaving, told } = std::mem::take(&mut *lock(&self.leaving));
		if masternodes.iter().any(|masternode| masternode.account == self.account) {
			leaving.values_mut().for_each(|progress| self.drop_sealed(progress));
			return Ok(None);
		}
		let other = masternodes.iter().find(|other| self.secrets.of(&other.key).is_some());
		if let Some(other) = other.filter(|_| !told) {
			log::warn!(
				target: LOG_TARGET,
				"Masternode {} is bonded with an encryption key of this node, which still answers for {} alone until it is restarted: if both are yours, do that when all is handed over",
				other.account,
				self.account
			);
		}
		let mut still = Leaving { told: told || other.is_some(), ..Leaving::default() };
		let active: Vec<View> = masternodes.into_iter().filter(|other| other.active).collect();
		let mut report = HandedOver::default();
		let mut offers = 0;
		let tasks = self.book().live_tasks();
		for task in tasks {
			let holdings = self.book().holdings(task);
			report.left += self.book().missing_shares(task);
			for holding in holdings {
				let place = (task, holding.holder);
				let mut progress = leaving.remove(&place).unwrap_or_default();
				if !progress.done && progress.next_try <= at.number && offers < OFFERS {
					offers += 1;
					self.try_heir(task, holding, &active, &mut progress, at.number);
				}
				report.done += usize::from(progress.done);
				report.left += usize::from(!progress.done);
				still.blobs.insert(place, progress);
			}
		}
		// What is left is of tasks that have ended.
		leaving.values_mut().for_each(|progress| self.drop_sealed(progress));
		*lock(&self.leaving) = still;
		Ok(Some(report))
	}

	/// Makes one offer, and notes what came of it.
	fn try_heir(
		&self,
		task: TaskId,
		holding: Holding,
		active: &[View],
		progress: &mut Progress,
		now: BlockNumber,
	) {
		let delay = 1u32.checked_shl(progress.tries).unwrap_or(u32::MAX).min(LONGEST_DELAY);
		progress.next_try = now.saturating_add(delay);
		progress.tries = progress.tries.saturating_add(1);
		let Ok(Some(manifest)) = self.manifest(task) else { return };
		let Some(heir) = heir(&manifest, holding.holder, active, progress.heir) else {
			log::warn!(
				target: LOG_TARGET,
				"No active masternode takes the shares of task {task}; they stay here, and are \
				 offered again in {LONGEST_DELAY} blocks"
			);
			(progress.heir, progress.tries) = (0, 0);
			progress.next_try = now.saturating_add(LONGEST_DELAY);
			return;
		};
		match self.offer(&Legacy { task, manifest: &manifest, holding }, heir, progress) {
			Ok(()) => {
				log::info!(target: LOG_TARGET, "{} has the shares of task {task}", heir.account);
				progress.done = true;
				self.drop_sealed(progress);
			},
			Err(Failed { reason, for_good }) => {
				log::debug!(target: LOG_TARGET, "Shares of task {task}: {reason}");
				if for_good || progress.tries.is_multiple_of(PATIENCE) {
					progress.heir += 1;
					progress.next_try = now.saturating_add(1);
					self.drop_sealed(progress);
				}
			},
		}
	}

	fn offer(
		&self,
		legacy: &Legacy<'_>,
		heir: &View,
		progress: &mut Progress,
	) -> Result<(), Failed> {
		let sealed = match progress.sealed.take() {
			Some((key, offer)) if key == heir.key.0 => offer,
			_ => self.seal_offer(legacy, heir)?,
		};
		let (_, offer) = progress.sealed.insert((heir.key.0, sealed));
		let address = String::from_utf8_lossy(&heir.address);
		self.peers.hand_over(&address, offer).map_err(|error| match error {
			PeerError::Refused { .. } => Failed::for_good(error),
			_ => Failed::later(error),
		})
	}

	/// Seals the shares to `heir`, and stores them where it can fetch them.
	fn seal_offer(&self, legacy: &Legacy<'_>, heir: &View) -> Result<Offer, Failed> {
		let Legacy { task, manifest, ref holding } = *legacy;
		let (nonce, holder) = (&manifest.nonce, holding.holder);
		let shares = self.shares(task, manifest, holding).map_err(Failed::later)?;
		// What fails is the heir's key: nothing can be sealed to it.
		let sealed = shares.reseal(&heir.key, nonce, holder).map_err(Failed::for_good)?;
		let blob = put_blob(&*self.store, &sealed).map_err(Failed::later)?;
		let scope = Offer::challenge(&blob.id, manifest.shared_keys());
		let proof = seal_release(&shares, nonce, holder, scope, &heir.key);
		let proof = proof.map_err(Failed::for_good)?;
		let kept = self.store.pin(&blob).and_then(|()| self.store.provide(&blob.id));
		kept.map_err(Failed::later)?;
		Ok(Offer { task, holder, blob, proof })
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
		let no_holder = |_| OfferError::NoHolder { task, holder };
		let account = manifest.holder(holder).map_err(no_holder)?.account;
		if masternodes.iter().any(|other| as_hash(&other.account) == account) {
			return Err(OfferError::StillThere { task, holder });
		}
		let Ok(_turn) = self.accepting.try_lock() else {
			return Err(not_ready("another offer is being examined"));
		};
		let held = self.book().holdings(task);
		if held.iter().any(|holding| holding.holder == holder) {
			return Ok(());
		}
		let active = masternodes.iter().filter(|other| other.active).count();
		let most = heirs::most_shares(&manifest.sharing().map_err(no_holder)?, active);
		if held.len() >= most {
			return Err(OfferError::TooMany { task, have: held.len(), most });
		}
		self.examine(offer, &manifest, &me.key)?;
		self.inherit(offer)
	}

	/// Whether the offer is what it says: first the one share that it shows, then all of them.
	fn examine(
		&self,
		offer: &Offer,
		manifest: &Manifest,
		key: &EncryptionKey,
	) -> Result<(), OfferError> {
		let Offer { task, holder, blob, ref proof } = *offer;
		let wrong = |reason: String| OfferError::Wrong { task, holder, reason };
		let size = HolderShares::sealed_size(manifest.shared_keys());
		if blob.len != size {
			return Err(wrong(format!("they have {} bytes in place of {size}", blob.len)));
		}
		if proof.len() > MOST_PROOF {
			return Err(wrong(format!("their proof has {} bytes", proof.len())));
		}
		let secret = self
			.secrets
			.of(key)
			.ok_or_else(|| OfferError::NotReady(OpenError::NoSecret(*key).to_string()))?;
		let scope = Offer::challenge(&blob.id, manifest.shared_keys());
		open_release(proof, secret, manifest, holder, scope)
			.map_err(|error| wrong(error.to_string()))?;
		let holding = Holding { holder, inherited: true, blob };
		match self.open_shares(manifest, &holding, &self.timed()) {
			Ok(_) => Ok(()),
			Err(OpenError::Content(error)) => Err(match failure(error) {
				Failure::Later(reason) => OfferError::NotReady(reason),
				Failure::Never(reason) => wrong(reason),
			}),
			Err(error) => Err(OfferError::NotReady(error.to_string())),
		}
	}

	fn inherit(&self, offer: &Offer) -> Result<(), OfferError> {
		let Offer { task, holder, blob, .. } = *offer;
		let keep = |book: &mut Book| book.inherit(task, holder, blob);
		match self.pin(task, Item::Inherited(holder), blob, keep) {
			Ok(true) => {
				log::info!(target: LOG_TARGET, "Answers for holder {holder} of task {task} now");
				Ok(())
			},
			Ok(false) => Err(OfferError::NoTask { task }),
			Err(error) => Err(OfferError::NotReady(format!("the store can't keep it: {error}"))),
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
