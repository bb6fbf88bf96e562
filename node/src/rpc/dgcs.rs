//! The `dgcs_*` methods: reading tasks, the queue, work chains, workers, masternodes and prices.
//!
//! Each reads at one block: the one given in `at`, or else the best. Nothing here changes anything;
//! what does is a transaction, sent by `author_submitExtrinsic` like any other.

use std::sync::Arc;

use dgcs_primitives::{
	api::{DgcsApi as DgcsRuntimeApi, EstimateError, TaskInfo, MAX_BLOCKS_PER_CALL},
	RangeIndex, TaskId, TaskSpec,
};
use dgcs_rpc::{optional, required, Param};
use dgcs_runtime::{AccountId, Balance};
use jsonrpsee::proc_macros::rpc;
use sp_api::{ApiError, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;

use super::{
	error::RpcError,
	refusal::refusal,
	views::{
		MasternodeJson, PriceJson, QueuePositionJson, RangeJson, TaskJson, WorkBlockJson,
		WorkChainJson, WorkerJson,
	},
};
use crate::service::{Block, BlockHash};

/// Reading what the chain knows about tasks and those who compute them.
///
/// Parameters may be sent by position or by name. All may be left out as far as the types go, so
/// that a missing one gets an error of ours (see [`RpcError`]) and not a parser's.
#[rpc(server, namespace = "dgcs")]
pub trait DgcsApi {
	/// The task, live or settled.
	#[method(name = "task", blocking)]
	fn task(
		&self,
		task: Option<Param<TaskId>>,
		at: Option<Param<BlockHash>>,
	) -> Result<TaskJson, RpcError>;

	/// Where the task waits. `null`: it is known, and not in the queue.
	#[method(name = "queuePosition", blocking)]
	fn queue_position(
		&self,
		task: Option<Param<TaskId>>,
		at: Option<Param<BlockHash>>,
	) -> Result<Option<QueuePositionJson>, RpcError>;

	/// Up to `limit` blocks of the task's work chain, from index `from` (0 if left out) on. Never
	/// more than 256, which is also what `limit` is if left out: `next` says where to go on.
	#[method(name = "workChain", blocking)]
	fn work_chain(
		&self,
		task: Option<Param<TaskId>>,
		from: Option<Param<u32>>,
		limit: Option<Param<u32>>,
		at: Option<Param<BlockHash>>,
	) -> Result<WorkChainJson, RpcError>;

	/// The worker with this account.
	#[method(name = "worker", blocking)]
	fn worker(
		&self,
		account: Option<Param<AccountId>>,
		at: Option<Param<BlockHash>>,
	) -> Result<WorkerJson, RpcError>;

	/// What a task would cost. Of its specification, `subtasks` and `reward` are enough.
	#[method(name = "estimate", blocking)]
	fn estimate(
		&self,
		spec: Option<Param<TaskSpec<Balance>>>,
		at: Option<Param<BlockHash>>,
	) -> Result<PriceJson, RpcError>;

	/// A range that is being computed or voted on: who has a seat, and how far everybody is. `null`:
	/// nobody has a seat on it yet, or all of it is decided.
	#[method(name = "range", blocking)]
	fn range(
		&self,
		task: Option<Param<TaskId>>,
		range: Option<Param<RangeIndex>>,
		at: Option<Param<BlockHash>>,
	) -> Result<Option<RangeJson>, RpcError>;

	/// All bonded masternodes, highest bond first.
	#[method(name = "masternodes", blocking)]
	fn masternodes(&self, at: Option<Param<BlockHash>>) -> Result<Vec<MasternodeJson>, RpcError>;
}

/// Answers from the state of this node's chain.
pub struct Dgcs<Client> {
	client: Arc<Client>,
}

impl<Client> Dgcs<Client> {
	/// Answers from the chain that `client` has.
	pub fn new(client: Arc<Client>) -> Self {
		Dgcs { client }
	}
}

impl<Client> Dgcs<Client>
where
	Client: ProvideRuntimeApi<Block> + HeaderBackend<Block>,
	Client::Api: DgcsRuntimeApi<Block, AccountId, Balance>,
{
	/// The block to read at.
	fn block(&self, at: Option<Param<BlockHash>>) -> Result<BlockHash, RpcError> {
		let Some(at) = optional("at", at)? else {
			return Ok(self.client.info().best_hash);
		};
		match self.client.number(at) {
			Ok(Some(_)) => Ok(at),
			_ => Err(RpcError::UnknownBlock { at }),
		}
	}

	/// The task, which must exist.
	fn known_task(
		&self,
		task: TaskId,
		at: BlockHash,
	) -> Result<TaskInfo<AccountId, Balance>, RpcError> {
		self.client
			.runtime_api()
			.task(at, task)
			.map_err(failed("task", at))?
			.ok_or(RpcError::UnknownTask { task, at })
	}
}

/// What a failed call into the runtime means to the one who asked.
fn failed(call: &'static str, at: BlockHash) -> impl FnOnce(ApiError) -> RpcError {
	move |error| RpcError::from_call(call, at, error)
}

impl<Client> DgcsApiServer for Dgcs<Client>
where
	Client: ProvideRuntimeApi<Block> + HeaderBackend<Block> + Send + Sync + 'static,
	Client::Api: DgcsRuntimeApi<Block, AccountId, Balance>,
{
	fn task(
		&self,
		task: Option<Param<TaskId>>,
		at: Option<Param<BlockHash>>,
	) -> Result<TaskJson, RpcError> {
		let task = required("task", task)?;
		let at = self.block(at)?;
		Ok(TaskJson::new(task, self.known_task(task, at)?))
	}

	fn queue_position(
		&self,
		task: Option<Param<TaskId>>,
		at: Option<Param<BlockHash>>,
	) -> Result<Option<QueuePositionJson>, RpcError> {
		let task = required("task", task)?;
		let at = self.block(at)?;
		let position = self
			.client
			.runtime_api()
			.queue_position(at, task)
			.map_err(failed("queue_position", at))?;
		if position.is_none() {
			// Nothing to wait for and nothing there are two different answers.
			self.known_task(task, at)?;
		}
		Ok(position.map(|position| QueuePositionJson::new(task, position)))
	}

	fn work_chain(
		&self,
		task: Option<Param<TaskId>>,
		from: Option<Param<u32>>,
		limit: Option<Param<u32>>,
		at: Option<Param<BlockHash>>,
	) -> Result<WorkChainJson, RpcError> {
		let task = required("task", task)?;
		let from = optional("from", from)?.unwrap_or_default();
		let limit =
			optional("limit", limit)?.unwrap_or(MAX_BLOCKS_PER_CALL).min(MAX_BLOCKS_PER_CALL);
		let at = self.block(at)?;
		let view = match self.known_task(task, at)? {
			TaskInfo::Live(view) => view,
			TaskInfo::Settled(settlement) => {
				return Err(RpcError::TaskEnded { task, ended_at: settlement.when });
			},
		};
		let height = view.height;
		if from > height {
			return Err(RpcError::BeyondTip { task, from, height });
		}
		let blocks = self
			.client
			.runtime_api()
			.work_chain(at, task, from, limit)
			.map_err(failed("work_chain", at))?
			.unwrap_or_default();
		let next = blocks.last().map_or(from, |block| block.index.saturating_add(1));
		Ok(WorkChainJson {
			task,
			height,
			blocks: blocks.iter().map(|block| WorkBlockJson::new(block, &view.spec)).collect(),
			next: (next < height).then_some(next),
		})
	}

	fn worker(
		&self,
		account: Option<Param<AccountId>>,
		at: Option<Param<BlockHash>>,
	) -> Result<WorkerJson, RpcError> {
		let account = required("account", account)?;
		let at = self.block(at)?;
		let view =
			self.client.runtime_api().worker(at, account.clone()).map_err(failed("worker", at))?;
		match view {
			Some(view) => Ok(WorkerJson::new(account, view)),
			None => Err(RpcError::UnknownWorker { account, at }),
		}
	}

	fn estimate(
		&self,
		spec: Option<Param<TaskSpec<Balance>>>,
		at: Option<Param<BlockHash>>,
	) -> Result<PriceJson, RpcError> {
		let spec = required("spec", spec)?;
		let at = self.block(at)?;
		let price =
			self.client.runtime_api().estimate(at, spec.clone()).map_err(failed("estimate", at))?;
		match price {
			Ok(price) => Ok(price.into()),
			Err(EstimateError::Invalid(error)) => Err(refusal(error, &spec)),
			Err(EstimateError::Overflow) => Err(RpcError::PriceTooHigh),
		}
	}

	fn range(
		&self,
		task: Option<Param<TaskId>>,
		range: Option<Param<RangeIndex>>,
		at: Option<Param<BlockHash>>,
	) -> Result<Option<RangeJson>, RpcError> {
		let task = required("task", task)?;
		let range = required("range", range)?;
		let at = self.block(at)?;
		let spec = match self.known_task(task, at)? {
			TaskInfo::Live(view) => view.spec,
			TaskInfo::Settled(settlement) => {
				return Err(RpcError::TaskEnded { task, ended_at: settlement.when });
			},
		};
		let ranges = spec.ranges();
		if range.0 >= ranges {
			return Err(RpcError::UnknownRange { task, range, ranges });
		}
		let view = self.client.runtime_api().range(at, task, range).map_err(failed("range", at))?;
		Ok(view.map(|view| RangeJson::new(task, range, view, &spec)))
	}

	fn masternodes(&self, at: Option<Param<BlockHash>>) -> Result<Vec<MasternodeJson>, RpcError> {
		let at = self.block(at)?;
		let masternodes =
			self.client.runtime_api().masternodes(at).map_err(failed("masternodes", at))?;
		Ok(masternodes.into_iter().map(Into::into).collect())
	}
}
