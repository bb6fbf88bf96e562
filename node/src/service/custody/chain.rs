//! The chain as custody reads it: by the runtime API, at finalised blocks.

use std::sync::Arc;

use dgcs_custody::{Block as At, Chain, ChainError};
use dgcs_primitives::{
	api::{DgcsApi, MasternodeView, TaskInfo, MAX_BLOCKS_PER_CALL, MAX_TASKS_PER_CALL},
	EncryptionKey, RangeIndex, TaskId, WorkBlock,
};
use dgcs_runtime::{AccountId, Balance};
use sc_client_api::HeaderBackend;
use sp_api::ProvideRuntimeApi;
use sp_core::H256;

use crate::service::FullClient;

/// This node's chain.
pub struct NodeChain(Arc<FullClient>);

impl NodeChain {
	/// The chain that `client` has.
	pub fn new(client: Arc<FullClient>) -> Self {
		NodeChain(client)
	}
}

fn failed<E: std::error::Error + Send + Sync + 'static>(error: E) -> ChainError {
	ChainError(Box::new(error))
}

impl Chain for NodeChain {
	fn finalised(&self) -> Result<At, ChainError> {
		let info = self.0.info();
		Ok(At { hash: info.finalized_hash, number: info.finalized_number })
	}

	fn block(&self, number: u32) -> Result<Option<At>, ChainError> {
		let hash = self.0.hash(number).map_err(failed)?;
		Ok(hash.map(|hash| At { hash, number }))
	}

	fn live_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		let mut tasks: Vec<TaskId> = Vec::new();
		loop {
			let after = tasks.last().copied();
			let page = self.0.runtime_api().live_tasks(at, after, MAX_TASKS_PER_CALL);
			let page = page.map_err(failed)?;
			let more = page.len() == MAX_TASKS_PER_CALL as usize;
			tasks.extend(page);
			if !more {
				return Ok(tasks);
			}
		}
	}

	fn changed_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		self.0.runtime_api().changed_tasks(at).map_err(failed)
	}

	fn task(
		&self,
		at: H256,
		task: TaskId,
	) -> Result<Option<TaskInfo<AccountId, Balance>>, ChainError> {
		self.0.runtime_api().task(at, task).map_err(failed)
	}

	fn work_chain(&self, at: H256, task: TaskId, from: u32) -> Result<Vec<WorkBlock>, ChainError> {
		let blocks = self.0.runtime_api().work_chain(at, task, from, MAX_BLOCKS_PER_CALL);
		Ok(blocks.map_err(failed)?.unwrap_or_default())
	}

	fn worker_key(
		&self,
		at: H256,
		worker: &AccountId,
	) -> Result<Option<EncryptionKey>, ChainError> {
		let view = self.0.runtime_api().worker(at, worker.clone()).map_err(failed)?;
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
			let leases = self.0.runtime_api().leases(at, task, worker.clone());
			return Ok(!leases.map_err(failed)?.is_empty());
		};
		let now = self.0.number(at).map_err(failed)?.unwrap_or_default();
		let view = self.0.runtime_api().range(at, task, range).map_err(failed)?;
		Ok(view.is_some_and(|view| view.has_lease(worker, now)))
	}

	fn masternodes(&self, at: H256) -> Result<Vec<MasternodeView<AccountId, Balance>>, ChainError> {
		self.0.runtime_api().masternodes(at).map_err(failed)
	}
}
