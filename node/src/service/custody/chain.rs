//! The chain as custody reads it: by the runtime API, at finalised blocks.

use std::sync::Arc;

use codec::{Decode, Encode};
use dgcs_custody::{Block as At, Chain, ChainError};
use dgcs_primitives::{
	api::{DgcsApi, MasternodeView, SeatStage, TaskInfo, MAX_BLOCKS_PER_CALL},
	EncryptionKey, RangeIndex, TaskId, WorkBlock,
};
use dgcs_runtime::{AccountId, Balance};
use sc_client_api::{HeaderBackend, StorageKey, StorageProvider};
use sp_api::ProvideRuntimeApi;
use sp_core::H256;
use sp_io::hashing::{twox_128, twox_64};

use crate::service::FullClient;

/// Ranges that are looked at for a worker that does not say on which it has its lease.
const MAX_RANGES: usize = 256;

/// This node's chain.
pub struct NodeChain(Arc<FullClient>);

impl NodeChain {
	/// The chain that `client` has.
	pub fn new(client: Arc<FullClient>) -> Self {
		NodeChain(client)
	}
}

impl NodeChain {
	/// Ranges of the task that are voted on, the first [`MAX_RANGES`] that are met.
	fn ranges(&self, at: H256, task: TaskId) -> Result<Vec<RangeIndex>, ChainError> {
		let task = task.encode();
		let prefix =
			[&twox_128(b"Verdicts")[..], &twox_128(b"Ranges"), &twox_64(&task), &task].concat();
		let mut ranges = self.ids(at, prefix)?;
		ranges.truncate(MAX_RANGES);
		Ok(ranges)
	}

	/// What the keys under `prefix` name: a number, and a hash of eight bytes before it.
	fn ids<T: Decode>(&self, at: H256, prefix: Vec<u8>) -> Result<Vec<T>, ChainError> {
		let id = prefix.len().saturating_add(8);
		let keys = self.0.storage_keys(at, Some(&StorageKey(prefix)), None).map_err(failed)?;
		keys.map(|key| T::decode(&mut key.0.get(id..).unwrap_or_default()).map_err(failed))
			.collect()
	}

	fn has_seat(
		&self,
		at: H256,
		task: TaskId,
		range: RangeIndex,
		worker: &AccountId,
	) -> Result<bool, ChainError> {
		let now = self.0.number(at).map_err(failed)?.unwrap_or_default();
		let Some(view) = self.0.runtime_api().range(at, task, range).map_err(failed)? else {
			return Ok(false);
		};
		Ok(view.seats.iter().any(|seat| {
			seat.worker == *worker
				&& match seat.stage {
					SeatStage::Leased { until } => until >= now,
					SeatStage::Committed => true,
					SeatStage::Revealed | SeatStage::Withheld => false,
				}
		}))
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
		let prefix = [twox_128(b"Tasks"), twox_128(b"Tasks")].concat();
		self.ids(at, prefix)
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
		let ranges = match range {
			Some(range) => vec![range],
			None => self.ranges(at, task)?,
		};
		for range in ranges {
			if self.has_seat(at, task, range, worker)? {
				return Ok(true);
			}
		}
		Ok(false)
	}

	fn masternodes(&self, at: H256) -> Result<Vec<MasternodeView<AccountId, Balance>>, ChainError> {
		self.0.runtime_api().masternodes(at).map_err(failed)
	}
}
