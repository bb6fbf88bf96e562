//! The `dgcs_*` methods that a masternode adds to a node's JSON-RPC.
//!
//! None needs a signature: what `dgcs_keyShare` gives is sealed to who may read it, what
//! `dgcs_handOver` takes proves itself, and the others tell no secret. All block, since chain and
//! store do: they run on threads that may wait.

mod error;

use std::{
	fmt,
	sync::{Arc, OnceLock},
};

use codec::{DecodeAll, Encode};
use dgcs_primitives::{RangeIndex, TaskId, WorkBlock};
use dgcs_rpc::{
	masternode::{Held, KeptSpec, ReceiptsPage, ReleasedShare, WorkChainPage},
	optional, required, Param,
};
use jsonrpsee::proc_macros::rpc;
use sp_core::Bytes;

pub use error::RpcError;
pub(crate) use error::OFFER_NOT_NOW;

use crate::{
	custody::Custody,
	edges::{AccountId, Receipt, Store},
	hand_over::Offer,
	work::KeptPage,
};

/// What masternodes keep for owners and workers.
///
/// Parameters may be sent by position or by name. All may be left out as far as the types go, so
/// that a missing one gets an error of ours (see [`RpcError`]) and not a parser's.
#[rpc(server, namespace = "dgcs")]
pub trait CustodyApi {
	/// Where other stores reach this masternode's: multiaddresses with the peer's id.
	#[method(name = "storeAddresses", blocking)]
	fn store_addresses(&self) -> Result<Vec<String>, RpcError>;

	/// The shares that this masternode holds of the key at `position` of the task (0: the task's own,
	/// `r + 1`: that of range `r`), sealed to the worker's registered key, if the finalised chain has
	/// a live lease of the range for it. For position 0, `range` names a range on which the worker
	/// has its lease; left out, any will do.
	#[method(name = "keyShare", blocking)]
	fn key_share(
		&self,
		task: Option<Param<TaskId>>,
		position: Option<Param<u32>>,
		worker: Option<Param<AccountId>>,
		range: Option<Param<RangeIndex>>,
	) -> Result<Vec<ReleasedShare>, RpcError>;

	/// What of the task is here, and whether that is all.
	#[method(name = "held", blocking)]
	fn held(&self, task: Option<Param<TaskId>>) -> Result<Held, RpcError>;

	/// The task's work chain as far as it is kept, also after the task has ended: up to 256 blocks from
	/// number `from` (0 if left out) on.
	#[method(name = "keptWorkChain", blocking)]
	fn kept_work_chain(
		&self,
		task: Option<Param<TaskId>>,
		from: Option<Param<u32>>,
	) -> Result<WorkChainPage, RpcError>;

	/// Who did what in the blocks of the task's work chain, also after the task has ended: of up to 256
	/// blocks from number `from` (0 if left out) on.
	#[method(name = "keptReceipts", blocking)]
	fn kept_receipts(
		&self,
		task: Option<Param<TaskId>>,
		from: Option<Param<u32>>,
	) -> Result<ReceiptsPage, RpcError>;

	/// What the task is, also after it has ended: its specification as it was submitted.
	#[method(name = "keptSpec", blocking)]
	fn kept_spec(&self, task: Option<Param<TaskId>>) -> Result<KeptSpec, RpcError>;

	/// Takes the shares of a masternode that has left. `offer` is an [`Offer`] in SCALE, hexadecimal
	/// after `0x`. `true`: they are held, now or since before.
	#[method(name = "handOver", blocking)]
	fn hand_over(&self, offer: Option<Param<Bytes>>) -> Result<bool, RpcError>;
}

/// Answers from one masternode's custody.
#[derive(Clone)]
pub struct CustodyRpc {
	custody: Arc<OnceLock<Arc<Custody>>>,
	store: Arc<dyn Store>,
}

impl fmt::Debug for CustodyRpc {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "CustodyRpc({:?})", self.custody)
	}
}

impl CustodyRpc {
	/// Answers from `custody`, which is set once the node knows its account. Its `store` is reached
	/// before. `into_rpc()` makes it a module to merge with the node's.
	pub fn new(custody: Arc<OnceLock<Arc<Custody>>>, store: Arc<dyn Store>) -> Self {
		CustodyRpc { custody, store }
	}

	fn custody(&self) -> Result<&Custody, RpcError> {
		self.custody.get().map(|custody| &**custody).ok_or(RpcError::NoMasternode)
	}

	/// What is kept of the blocks of the task's work chain from number `from` on.
	fn kept_page(
		&self,
		task: Option<Param<TaskId>>,
		from: Option<Param<u32>>,
	) -> Result<KeptPage, RpcError> {
		let task = required("task", task)?;
		let from = optional("from", from)?.unwrap_or_default();
		let page = self.custody()?.work_chain(task, from).map_err(RpcError::Disk)?;
		page.ok_or(RpcError::NothingHeld { task })
	}
}

impl CustodyApiServer for CustodyRpc {
	fn store_addresses(&self) -> Result<Vec<String>, RpcError> {
		Ok(self.store.addresses())
	}

	fn key_share(
		&self,
		task: Option<Param<TaskId>>,
		position: Option<Param<u32>>,
		worker: Option<Param<AccountId>>,
		range: Option<Param<RangeIndex>>,
	) -> Result<Vec<ReleasedShare>, RpcError> {
		let task = required("task", task)?;
		let position = required("position", position)?;
		let worker = required("worker", worker)?;
		let range = optional("range", range)?;
		let shares = self.custody()?.key_share(task, position, &worker, range)?;
		let shares = shares
			.into_iter()
			.map(|share| ReleasedShare { holder: share.holder, sealed: share.sealed });
		Ok(shares.collect())
	}

	fn held(&self, task: Option<Param<TaskId>>) -> Result<Held, RpcError> {
		let task = required("task", task)?;
		self.custody()?.held(task).ok_or(RpcError::NothingHeld { task })
	}

	fn kept_work_chain(
		&self,
		task: Option<Param<TaskId>>,
		from: Option<Param<u32>>,
	) -> Result<WorkChainPage, RpcError> {
		let KeptPage { height, blocks } = self.kept_page(task, from)?;
		let blocks: Vec<WorkBlock> = blocks.into_iter().map(|kept| kept.block).collect();
		Ok(WorkChainPage { height, blocks: blocks.encode() })
	}

	fn kept_receipts(
		&self,
		task: Option<Param<TaskId>>,
		from: Option<Param<u32>>,
	) -> Result<ReceiptsPage, RpcError> {
		let KeptPage { height, blocks } = self.kept_page(task, from)?;
		let receipts: Vec<Option<Vec<Receipt>>> =
			blocks.into_iter().map(|kept| kept.receipts).collect();
		Ok(ReceiptsPage { height, receipts: receipts.encode() })
	}

	fn kept_spec(&self, task: Option<Param<TaskId>>) -> Result<KeptSpec, RpcError> {
		let task = required("task", task)?;
		let spec = self.custody()?.spec(task).map_err(RpcError::Disk)?;
		Ok(KeptSpec { spec: spec.ok_or(RpcError::NothingHeld { task })?.encode() })
	}

	fn hand_over(&self, offer: Option<Param<Bytes>>) -> Result<bool, RpcError> {
		let offer = required("offer", offer)?;
		let offer = Offer::decode_all(&mut &offer[..]).map_err(|_| RpcError::NoOffer)?;
		self.custody()?.accept(&offer)?;
		Ok(true)
	}
}
