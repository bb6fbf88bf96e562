//! The edges: a chain, a block store and other masternodes, as this crate sees them. All calls
//! block; they are made from threads that may wait.

use std::{collections::BTreeMap, error::Error, io};

use dgcs_content::{Blob, BlockSink, BlockSource};
use dgcs_primitives::{
	api::{MasternodeView, TaskInfo},
	BlockNumber, ContentId, EncryptionKey, RangeIndex, TaskId, WorkBlock,
};
use sp_core::{crypto::AccountId32, H256};

use crate::hand_over::Offer;

/// An account on the top-level chain.
pub type AccountId = AccountId32;
/// Money on the top-level chain, in its smallest unit.
pub type Balance = u128;

/// What one worker did in one block of a work chain, and what it was paid.
pub type Receipt = dgcs_primitives::Receipt<AccountId, Balance>;
/// Who did what in blocks of work chains, by task and by the index of the block.
pub type Receipts = BTreeMap<(TaskId, u32), Vec<Receipt>>;

/// A block of the top-level chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
	/// Its hash.
	pub hash: H256,
	/// Its number.
	pub number: BlockNumber,
}

/// The chain could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the chain cannot be read: {0}; the node may be catching up, so try again")]
pub struct ChainError(#[source] pub Box<dyn Error + Send + Sync>);

/// What is read of the top-level chain. `at` is always the hash of a block that
/// [`Chain::finalised`] or [`Chain::block`] gave: nothing is decided by what may yet be undone.
pub trait Chain: Send + Sync {
	/// The last finalised block.
	fn finalised(&self) -> Result<Block, ChainError>;

	/// The finalised block with this number. `None`: there is none yet.
	fn block(&self, number: BlockNumber) -> Result<Option<Block>, ChainError>;

	/// All live tasks. The list is as long as the network is busy: it is asked for at a start, and after
	/// blocks were missed.
	fn live_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError>;

	/// The tasks whose state, money or work chain changed in the block, those that ended among them.
	fn changed_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError>;

	/// The task, live or settled. `None`: not submitted yet, or ended with nothing kept.
	fn task(
		&self,
		at: H256,
		task: TaskId,
	) -> Result<Option<TaskInfo<AccountId, Balance>>, ChainError>;

	/// Blocks of the work chain of a live task from index `from` on, in order, as many as one call
	/// gives. Empty: there are no more, or the task is not live.
	fn work_chain(&self, at: H256, task: TaskId, from: u32) -> Result<Vec<WorkBlock>, ChainError>;

	/// Who did what in the blocks of work chains that this block brought: its events say so, which are gone
	/// with its state.
	fn receipts(&self, at: H256) -> Result<Receipts, ChainError>;

	/// The encryption key of a registered worker. `None`: it is not registered.
	fn worker_key(&self, at: H256, worker: &AccountId)
		-> Result<Option<EncryptionKey>, ChainError>;

	/// Whether `worker` has a live lease on `range` of a live task, or on any of its ranges if none
	/// is named, which may take longer: it is asked once a block for each task and worker. A lease is live from the draw of the seat until it lapses, or until the reveal if
	/// the worker has committed: one that has lost its results may compute them again.
	fn has_lease(
		&self,
		at: H256,
		task: TaskId,
		range: Option<RangeIndex>,
		worker: &AccountId,
	) -> Result<bool, ChainError>;

	/// All bonded masternodes.
	fn masternodes(&self, at: H256) -> Result<Vec<MasternodeView<AccountId, Balance>>, ChainError>;
}

/// Where blobs are kept. As a source it looks at what is here first and asks the network for what
/// is not, within its own deadlines; what came from there stays at least until [`Store::pin`] had
/// its chance.
pub trait Store: BlockSource + BlockSink + Send + Sync {
	/// Whether the block `id` is here, without asking anybody.
	fn has(&self, id: &ContentId) -> io::Result<bool>;

	/// Keeps the tree of `blob`, which has been read whole just before. Pinning what is pinned
	/// succeeds.
	fn pin(&self, blob: &Blob) -> io::Result<()>;

	/// Ends that. Unpinning what is not pinned succeeds.
	fn unpin(&self, id: &ContentId) -> io::Result<()>;

	/// Tells the network that the tree under `id` is here. Does not wait for the network.
	fn provide(&self, id: &ContentId) -> io::Result<()>;

	/// Where other stores reach this one: multiaddresses, each ending in `/p2p/` and the peer's id.
	fn addresses(&self) -> Vec<String>;
}

/// Why another masternode did not take what it was offered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
	/// It did not answer, or with something else than an answer.
	#[error("{address} did not answer: {reason}; it is asked again")]
	Unreachable {
		/// Its registered address.
		address: String,
		/// What happened.
		reason: String,
	},
	/// It is not ready, and says so.
	#[error("{address} is not ready: {reason}; it is asked again")]
	NotReady {
		/// Its registered address.
		address: String,
		/// What it said.
		reason: String,
	},
	/// It will never take it.
	#[error("{address} refused: {reason}; the next in line is asked")]
	Refused {
		/// Its registered address.
		address: String,
		/// What it said.
		reason: String,
	},
}

/// Other masternodes, at their registered addresses.
pub trait Peers: Send + Sync {
	/// Offers shares to the masternode at `address`. `Ok`: it holds them now.
	fn hand_over(&self, address: &str, offer: &Offer) -> Result<(), PeerError>;
}
