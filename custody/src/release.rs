//! Giving shares of keys to workers with a lease.
//!
//! A request is not signed, since its answer is of use to nobody but the worker: it is sealed to the
//! key that the worker registered. Until the finalised chain has confirmed the lease, a request costs
//! a few reads of its state; after that, every share is sealed once and the same answer given again,
//! so that who asks in a worker's name can't use up anything of its.

use dgcs_content::{keys::seal_release, Scope};
use dgcs_primitives::{api::TaskInfo, BlockNumber, EncryptionKey, RangeIndex, TaskId};
use schnellru::{ByLength, LruMap};
use sp_core::H256;

use crate::{
	book::Holding,
	custody::{lock, Custody},
	edges::{AccountId, Block, ChainError},
};

/// Answers that are remembered, of a kilobyte each.
const ANSWERS: u32 = 4096;
/// Workers whose use is counted.
const WORKERS: u32 = 4096;
/// Shares that are sealed for one worker within [`WINDOW`] blocks: twice what its slots can need.
const SEALINGS: u32 = 512;
const WINDOW: BlockNumber = 20;

/// A share, sealed to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
	/// The number of its holder in the manifest: the share's place on the curve.
	pub holder: u8,
	/// What [`open_release`](dgcs_content::keys::open_release) takes.
	pub sealed: Vec<u8>,
}

/// Why a worker gets no share.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
	/// The finalised chain does not know the task.
	#[error("the finalised chain has no task {task}: wait until its block is final, or check the number")]
	UnknownTask {
		/// The task.
		task: TaskId,
	},
	/// The task is over.
	#[error("task {task} has ended; drop all work on it")]
	TaskEnded {
		/// The task.
		task: TaskId,
	},
	/// The account is not registered.
	#[error("account {worker} is no registered worker in the finalised chain")]
	UnknownWorker {
		/// The account.
		worker: AccountId,
	},
	/// No lease, not yet final, or lapsed.
	#[error("the finalised chain has no live lease of {scope} of task {task} for {worker}: if it was drawn just now, ask again when its block is final; if it lapsed, drop the work")]
	NoLease {
		/// The task.
		task: TaskId,
		/// What was asked for.
		scope: Scope,
		/// For whom.
		worker: AccountId,
	},
	/// The manifest shares its keys among others.
	#[error("this masternode holds no share of the keys of task {task}; ask those that its manifest names, or their heirs")]
	NotHolder {
		/// The task.
		task: TaskId,
	},
	/// The share, or the manifest, was not fetched yet.
	#[error("this masternode does not have its share of the keys of task {task} yet ({reason}); ask the others, and this one again later")]
	NotYet {
		/// The task.
		task: TaskId,
		/// What is missing and why.
		reason: String,
	},
	/// What was sealed to this masternode is not what the manifest commits to.
	#[error("the share that masternode {holder} should have of the keys of task {task} is unusable: {reason}; ask the others")]
	Damaged {
		/// The task.
		task: TaskId,
		/// The holder's number in the manifest.
		holder: u8,
		/// What is wrong, and whose fault it is.
		reason: String,
	},
	/// More shares than a worker can need.
	#[error("{SEALINGS} shares were sealed for {worker} within {WINDOW} blocks; ask again in {WINDOW} blocks")]
	TooMany {
		/// The worker.
		worker: AccountId,
	},
	/// The key that the worker registered takes nothing.
	#[error("nothing can be sealed to the key that {worker} registered; register another")]
	WorkerKey {
		/// The worker.
		worker: AccountId,
	},
	/// This masternode's own trouble.
	#[error("this masternode can't read its share of the keys of task {task}: {reason}; ask the others, and this one again later")]
	Store {
		/// The task.
		task: TaskId,
		/// What failed.
		reason: String,
	},
	/// This masternode's own trouble.
	#[error(transparent)]
	Chain(#[from] ChainError),
}

struct Answer {
	key: EncryptionKey,
	shares: Vec<Released>,
}

/// What was given to whom lately.
pub(crate) struct Releases {
	answers: LruMap<(TaskId, u32, AccountId), Answer>,
	sealings: LruMap<AccountId, (BlockNumber, u32)>,
	/// Whether a worker has a lease on any range of a task, in which block.
	leases: LruMap<(TaskId, AccountId), (H256, bool)>,
}

impl Default for Releases {
	fn default() -> Self {
		Releases {
			answers: LruMap::new(ByLength::new(ANSWERS)),
			sealings: LruMap::new(ByLength::new(WORKERS)),
			leases: LruMap::new(ByLength::new(ANSWERS)),
		}
	}
}

impl Releases {
	/// The same answer as before, if the worker's key and this masternode's shares are the same.
	fn again(
		&mut self,
		place: &(TaskId, u32, AccountId),
		key: &EncryptionKey,
		holders: &[u8],
	) -> Option<Vec<Released>> {
		let answer = self.answers.get(place)?;
		let same = answer.key == *key
			&& answer.shares.iter().map(|share| share.holder).eq(holders.iter().copied());
		same.then(|| answer.shares.clone())
	}

	/// Whether one more answer may be sealed for `worker`.
	fn may_seal(&mut self, worker: &AccountId, now: BlockNumber) -> bool {
		let Some((since, count)) = self.sealings.get_or_insert(worker.clone(), || (now, 0)) else {
			return false;
		};
		if now.saturating_sub(*since) >= WINDOW {
			(*since, *count) = (now, 0);
		}
		*count += 1;
		*count <= SEALINGS
	}
}

impl Custody {
	/// The shares that this masternode holds of the key at `position` of `task` (0: the task's,
	/// `r + 1`: that of range `r`), sealed to the registered key of `worker`, if it has a live lease
	/// of that range in the finalised chain, or for position 0 of any range of the task. `range`
	/// says which, and makes the look-up short; it means nothing for another position.
	pub fn key_share(
		&self,
		task: TaskId,
		position: u32,
		worker: &AccountId,
		range: Option<RangeIndex>,
	) -> Result<Vec<Released>, Refusal> {
		let at = self.chain.finalised()?;
		let scope = Scope::at(position);
		let key = self
			.chain
			.worker_key(at.hash, worker)?
			.ok_or_else(|| Refusal::UnknownWorker { worker: worker.clone() })?;
		let leased = match scope {
			Scope::Range(range) => Some(range),
			_ => range,
		};
		if !self.has_lease(&at, task, leased, worker)? {
			return Err(self.no_lease(at.hash, task, scope, worker)?);
		}
		let held = self.book().holdings(task);
		if held.is_empty() {
			return Err(self.no_share(task));
		}
		let holders: Vec<u8> = held.iter().map(|holding| holding.holder).collect();
		let place = (task, position, worker.clone());
		if let Some(shares) = lock(&self.releases).again(&place, &key, &holders) {
			return Ok(shares);
		}
		if !lock(&self.releases).may_seal(worker, at.number) {
			return Err(Refusal::TooMany { worker: worker.clone() });
		}
		let shares = self.seal(task, scope, (worker, &key), &held)?;
		lock(&self.releases).answers.insert(place, Answer { key, shares: shares.clone() });
		Ok(shares)
	}

	/// Whether the worker has the lease. Any range at all is looked for once a block, however often
	/// somebody asks.
	fn has_lease(
		&self,
		at: &Block,
		task: TaskId,
		range: Option<RangeIndex>,
		worker: &AccountId,
	) -> Result<bool, ChainError> {
		if range.is_some() {
			return self.chain.has_lease(at.hash, task, range, worker);
		}
		let place = (task, worker.clone());
		if let Some((block, found)) = lock(&self.releases).leases.get(&place).copied() {
			if block == at.hash {
				return Ok(found);
			}
		}
		let found = self.chain.has_lease(at.hash, task, None, worker)?;
		lock(&self.releases).leases.insert(place, (at.hash, found));
		Ok(found)
	}

	fn seal(
		&self,
		task: TaskId,
		scope: Scope,
		(worker, key): (&AccountId, &EncryptionKey),
		held: &[Holding],
	) -> Result<Vec<Released>, Refusal> {
		let store = |reason: String| Refusal::Store { task, reason };
		let manifest = self
			.manifest(task)
			.map_err(|error| store(error.to_string()))?
			.ok_or_else(|| store("its manifest is missing".into()))?;
		let seal = |holding: &Holding| {
			let holder = holding.holder;
			// It opened when it came, so that what fails now is no fault of the owner's.
			let shares =
				self.shares(task, &manifest, holding).map_err(|error| store(error.to_string()))?;
			seal_release(&shares, &manifest.nonce, holder, scope, key)
				.map(|sealed| Released { holder, sealed })
				.map_err(|_| Refusal::WorkerKey { worker: worker.clone() })
		};
		held.iter().map(seal).collect()
	}

	/// Why there is no lease, as exactly as the chain says.
	fn no_lease(
		&self,
		at: H256,
		task: TaskId,
		scope: Scope,
		worker: &AccountId,
	) -> Result<Refusal, ChainError> {
		let worker = worker.clone();
		Ok(match self.chain.task(at, task)? {
			None => Refusal::UnknownTask { task },
			Some(TaskInfo::Settled(_)) => Refusal::TaskEnded { task },
			Some(TaskInfo::Live(_)) => Refusal::NoLease { task, scope, worker },
		})
	}

	/// Why there is no share of a task that the worker has a lease on.
	fn no_share(&self, task: TaskId) -> Refusal {
		let book = self.book();
		let reason = || book.reason(task).unwrap_or_else(|| "it is on its way".into());
		match book.own(task) {
			None => Refusal::NotYet { task, reason: reason() },
			Some((mine, _)) if mine.is_empty() => Refusal::NotHolder { task },
			Some((_, damaged)) => match damaged.into_iter().next() {
				Some((holder, reason)) => Refusal::Damaged { task, holder, reason },
				None => Refusal::NotYet { task, reason: reason() },
			},
		}
	}
}
