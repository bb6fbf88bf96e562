//! The chain as custody reads it, at finalised blocks: by the runtime API, and who did what from events.

use std::sync::{Arc, Mutex, PoisonError};

use dgcs_client::{
	event::{Reader, METADATA_VERSION},
	Head,
};
use dgcs_custody::{Block as At, Chain, ChainError, Receipts};
use dgcs_primitives::{
	api::{DgcsApi, MasternodeView, TaskInfo, MAX_BLOCKS_PER_CALL, MAX_TASKS_PER_CALL},
	EncryptionKey, RangeIndex, TaskId, WorkBlock,
};
use dgcs_runtime::{AccountId, Balance};
use sc_client_api::{HeaderBackend, StorageKey, StorageProvider};
use sp_api::{Metadata, ProvideRuntimeApi};
use sp_core::{traits::CallContext, H256};
use sp_io::hashing::twox_128;

use crate::service::FullClient;

/// This node's chain.
pub struct NodeChain {
	client: Arc<FullClient>,
	/// Reads the events of the runtime that was met last.
	reader: Mutex<Option<Arc<Reader>>>,
}

impl NodeChain {
	/// The chain that `client` has.
	pub fn new(client: Arc<FullClient>) -> Self {
		NodeChain { client, reader: Mutex::default() }
	}

	/// What reads the events of a block. By the runtime's own metadata: this program's may be older, and one
	/// event that it does not know would hide those after it.
	fn reader(&self, at: H256) -> Result<Arc<Reader>, ChainError> {
		let version = self.client.runtime_version_at(at, CallContext::Offchain).map_err(failed)?;
		let version = version.spec_version;
		let mut known = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
		if let Some(reader) = known.as_ref().filter(|reader| reader.spec_version() == version) {
			return Ok(reader.clone());
		}
		let metadata = self.client.runtime_api().metadata_at_version(at, METADATA_VERSION);
		let metadata = metadata.map_err(failed)?.ok_or_else(|| {
			ChainError(format!("its runtime has no metadata of version {METADATA_VERSION}").into())
		})?;
		let reader = Arc::new(Reader::new(version, &metadata).map_err(failed)?);
		*known = Some(reader.clone());
		Ok(reader)
	}
}

fn failed<E: std::error::Error + Send + Sync + 'static>(error: E) -> ChainError {
	ChainError(Box::new(error))
}

impl Chain for NodeChain {
	fn finalised(&self) -> Result<At, ChainError> {
		let info = self.client.info();
		Ok(At { hash: info.finalized_hash, number: info.finalized_number })
	}

	fn block(&self, number: u32) -> Result<Option<At>, ChainError> {
		let hash = self.client.hash(number).map_err(failed)?;
		Ok(hash.map(|hash| At { hash, number }))
	}

	fn live_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		let mut tasks: Vec<TaskId> = Vec::new();
		loop {
			let after = tasks.last().copied();
			let page = self.client.runtime_api().live_tasks(at, after, MAX_TASKS_PER_CALL);
			let page = page.map_err(failed)?;
			let more = page.len() == MAX_TASKS_PER_CALL as usize;
			tasks.extend(page);
			if !more {
				return Ok(tasks);
			}
		}
	}

	fn changed_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		self.client.runtime_api().changed_tasks(at).map_err(failed)
	}

	fn task(
		&self,
		at: H256,
		task: TaskId,
	) -> Result<Option<TaskInfo<AccountId, Balance>>, ChainError> {
		self.client.runtime_api().task(at, task).map_err(failed)
	}

	fn work_chain(&self, at: H256, task: TaskId, from: u32) -> Result<Vec<WorkBlock>, ChainError> {
		let blocks = self.client.runtime_api().work_chain(at, task, from, MAX_BLOCKS_PER_CALL);
		Ok(blocks.map_err(failed)?.unwrap_or_default())
	}

	fn receipts(&self, at: H256) -> Result<Receipts, ChainError> {
		let number = self.client.number(at).map_err(failed)?.unwrap_or_default();
		let key = StorageKey([twox_128(b"System"), twox_128(b"Events")].concat());
		let events = self.client.storage(at, &key).map_err(failed)?;
		let events = events.map(|events| events.0).unwrap_or_default();
		self.reader(at)?.read(Head { number, hash: at }, events).receipts().map_err(failed)
	}

	fn worker_key(
		&self,
		at: H256,
		worker: &AccountId,
	) -> Result<Option<EncryptionKey>, ChainError> {
		let view = self.client.runtime_api().worker(at, worker.clone()).map_err(failed)?;
		Ok(view.map(|view| view.key))
	}

	fn has_lease(
		&self,
		at: H256,
		task: TaskId,
		range: Option<RangeIndex>,
		worker: &AccountId,
	) -> Result<bool, ChainError> {
		let Some(range) = range else {
			let leases = self.client.runtime_api().leases(at, task, worker.clone());
			return Ok(!leases.map_err(failed)?.is_empty());
		};
		let now = self.client.number(at).map_err(failed)?.unwrap_or_default();
		let view = self.client.runtime_api().range(at, task, range).map_err(failed)?;
		Ok(view.is_some_and(|view| view.has_lease(worker, now)))
	}

	fn masternodes(&self, at: H256) -> Result<Vec<MasternodeView<AccountId, Balance>>, ChainError> {
		self.client.runtime_api().masternodes(at).map_err(failed)
	}
}
