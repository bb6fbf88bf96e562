//! One masternode's custody: its edges, its book and its ledger, put together.

use std::{
	fmt, io,
	path::PathBuf,
	sync::{
		atomic::{AtomicU32, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
};

use dgcs_content::Manifest;
use dgcs_primitives::{BlockNumber, TaskId, TaskSpec};
use dgcs_rpc::masternode::Held;
use schnellru::{ByLength, LruMap};
use sp_core::H256;

use crate::{
	book::{Book, Limits},
	edges::{AccountId, Balance, Chain, Peers, Receipts, Store},
	hand_over::Leaving,
	ledger::{Ledger, LedgerError},
	open::OpenShares,
	release::Releases,
	secrets::Secrets,
	work::{KeptPage, WorkChains},
};

/// Manifests in memory, of up to 32 MiB each.
const MANIFESTS: u32 = 4;
/// Blocks whose receipts are in memory. In step with the chain it is one; after a pause the work chains of
/// many tasks have blocks of the same ones.
const RECEIPTS: u32 = 64;

/// What custody is made of.
pub struct Parts {
	/// The masternode's account: the holder that it is in manifests.
	pub account: AccountId,
	/// The chain.
	pub chain: Arc<dyn Chain>,
	/// Where blobs are kept.
	pub store: Arc<dyn Store>,
	/// The other masternodes.
	pub peers: Arc<dyn Peers>,
	/// What key shares are sealed to.
	pub secrets: Secrets,
	/// The folder of the ledger and of work chains, which is made if it does not exist.
	pub ledger: PathBuf,
	/// How much the masternode gives.
	pub limits: Limits,
}

impl fmt::Debug for Parts {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Parts(of {}, {:?})", self.account, self.limits)
	}
}

/// What one masternode keeps for tasks. All its methods may be called from several threads at once;
/// they block, for the store and the chain do.
pub struct Custody {
	pub(crate) account: AccountId,
	pub(crate) chain: Arc<dyn Chain>,
	pub(crate) store: Arc<dyn Store>,
	pub(crate) peers: Arc<dyn Peers>,
	pub(crate) secrets: Secrets,
	pub(crate) ledger: Ledger,
	pub(crate) work: WorkChains,
	pub(crate) limits: Limits,
	book: Mutex<Book>,
	now: AtomicU32,
	/// The last block up to which nothing was left out that happened to a task.
	pub(crate) followed: Mutex<Option<BlockNumber>>,
	manifests: Mutex<LruMap<TaskId, Arc<Manifest>>>,
	/// By the blocks of the top-level chain that brought them, those that nobody has asked for yet.
	pub(crate) receipts: Mutex<LruMap<BlockNumber, Receipts>>,
	pub(crate) open: Mutex<OpenShares>,
	pub(crate) releases: Mutex<Releases>,
	pub(crate) leaving: Mutex<Leaving>,
	/// Pinning and what the book says of it are one step.
	pub(crate) pinning: Mutex<()>,
	/// One offer is examined at a time.
	pub(crate) accepting: Mutex<()>,
}

impl fmt::Debug for Custody {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Custody(of {})", self.account)
	}
}

/// Locks what no panic can leave half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Custody {
	/// Takes up where the ledger ended. What it says is here and is not will be fetched again.
	pub fn open(parts: Parts) -> Result<Self, LedgerError> {
		let Parts { account, chain, store, peers, secrets, ledger, limits } = parts;
		let work = WorkChains::new(ledger.clone());
		let ledger = Ledger::open(ledger)?;
		let mut book = Book::new(limits.clone());
		for (task, mut kept) in ledger.read()? {
			kept.held.retain(|_, blob| store.has(&blob.id).unwrap_or(false));
			book.restore(task, kept);
		}
		Ok(Custody {
			account,
			chain,
			store,
			peers,
			secrets,
			ledger,
			work,
			limits,
			book: Mutex::new(book),
			now: AtomicU32::new(0),
			followed: Mutex::default(),
			manifests: Mutex::new(LruMap::new(ByLength::new(MANIFESTS))),
			receipts: Mutex::new(LruMap::new(ByLength::new(RECEIPTS))),
			open: Mutex::default(),
			releases: Mutex::default(),
			leaving: Mutex::default(),
			pinning: Mutex::default(),
			accepting: Mutex::default(),
		})
	}

	/// The masternode's account.
	pub fn account(&self) -> &AccountId {
		&self.account
	}

	/// What of a task is here. `None`: it is not known, or nothing of it is kept any more.
	pub fn held(&self, task: TaskId) -> Option<Held> {
		self.book().held(task)
	}

	/// The work chain of a task, live or ended, as far as it is kept, and who did what in its blocks: up to
	/// 256 of them from number `from` on. `None`: nothing is kept.
	pub fn work_chain(&self, task: TaskId, from: u32) -> io::Result<Option<KeptPage>> {
		self.work.read(task, from)
	}

	/// What a task is, live or ended. `None`: nothing is kept.
	pub fn spec(&self, task: TaskId) -> io::Result<Option<TaskSpec<Balance>>> {
		self.work.spec(task)
	}

	pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
		lock(&self.book)
	}

	/// The finalised block that was looked at last.
	pub(crate) fn now(&self) -> BlockNumber {
		self.now.load(Ordering::Relaxed)
	}

	pub(crate) fn set_now(&self, now: BlockNumber) {
		self.now.store(now, Ordering::Relaxed);
	}

	/// The account, as manifests name it.
	pub(crate) fn me(&self) -> H256 {
		as_hash(&self.account)
	}

	/// The manifest of a task, which is here.
	pub(crate) fn manifest(&self, task: TaskId) -> dgcs_content::Result<Option<Arc<Manifest>>> {
		if let Some(manifest) = lock(&self.manifests).get(&task) {
			return Ok(Some(manifest.clone()));
		}
		let Some(blob) = self.book().get(task, &crate::book::Item::Manifest) else {
			return Ok(None);
		};
		let manifest = Arc::new(Manifest::get(&*self.store, &blob.id)?);
		lock(&self.manifests).insert(task, manifest.clone());
		Ok(Some(manifest))
	}

	pub(crate) fn forget_manifest(&self, task: TaskId) {
		lock(&self.manifests).remove(&task);
	}
}

/// An account, as manifests name it.
pub(crate) fn as_hash(account: &AccountId) -> H256 {
	H256(*account.as_ref())
}
