//! What can go wrong with a `dgcs_*` method, and how it is told.
//!
//! The message says what is wrong, with which value, and what to do; `data` holds the same details
//! for programs. **API boundary:** codes and the keys of `data` are stable; messages are not.
//! Both are listed in the README.

use dgcs_primitives::{RangeIndex, TaskId};
use dgcs_rpc::{shortened, ParamError};
use dgcs_runtime::AccountId;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde_json::{json, Value};
use sp_api::ApiError;

use crate::service::BlockHash;

/// Why a `dgcs_*` method has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
	/// A parameter is missing or wrong.
	#[error(transparent)]
	Param(#[from] ParamError),
	/// No task has this id.
	#[error(
		"there is no task {task} at block {at:?}: it was not submitted yet, or it has ended and \
		 its owner wanted nothing kept. Check the id, or give another block in `at`"
	)]
	UnknownTask {
		/// The id asked for.
		task: TaskId,
		/// The block that was looked at.
		at: BlockHash,
	},
	/// Work chains do not outlive their task.
	#[error(
		"task {task} ended in block #{ended_at}, and its work chain was destroyed with it. \
		 `dgcs_task` returns what is kept; at a block before the end, given in `at`, the chain is \
		 still there"
	)]
	TaskEnded {
		/// The task.
		task: TaskId,
		/// The number of the block in which it ended.
		ended_at: u32,
	},
	/// The work chain is shorter than that.
	#[error(
		"the work chain of task {task} has {height} blocks so far, so `from` can be {height} at \
		 the most, got {from}"
	)]
	BeyondTip {
		/// The task.
		task: TaskId,
		/// The index asked for.
		from: u32,
		/// How many blocks there are.
		height: u32,
	},
	/// The task has fewer ranges than that.
	#[error(
		"task {task} has {ranges} ranges, so `range` can be {} at the most, got {range}",
		.ranges.saturating_sub(1)
	)]
	UnknownRange {
		/// The task.
		task: TaskId,
		/// The range asked for.
		range: RangeIndex,
		/// How many ranges there are.
		ranges: u32,
	},
	/// The account is not registered as a worker.
	#[error(
		"account {account} is no registered worker at block {at:?}. Check that it is the worker's \
		 account and not its operator's"
	)]
	UnknownWorker {
		/// The account asked for.
		account: AccountId,
		/// The block that was looked at.
		at: BlockHash,
	},
	/// This node does not know the block.
	#[error(
		"this node knows no block {at:?}: it is of another chain or fork, or the node is still \
		 catching up (`system_health` tells)"
	)]
	UnknownBlock {
		/// The block asked for.
		at: BlockHash,
	},
	/// This node knows the block, but no longer what was true then.
	#[error(
		"this node no longer keeps the state at block {at:?}: leave `at` out, or ask a node that \
		 runs with `--state-pruning archive`"
	)]
	StatePruned {
		/// The block asked for.
		at: BlockHash,
	},
	/// A task like this would be refused.
	#[error("a task like this would be refused: `{field}` must be {rule}, got {}", shortened(.got))]
	InvalidSpec {
		/// The field of the specification.
		field: &'static str,
		/// What it must be.
		rule: String,
		/// What it is.
		got: Value,
	},
	/// More money than there can be.
	#[error(
		"the price is higher than the chain can count: lower `reward`, `subtasks` or `maxReplicas`"
	)]
	PriceTooHigh,
	/// The call into the runtime failed.
	#[error(
		"the runtime at block {at:?} could not answer `{call}`: it may be of another version than \
		 this node. Try a newer block, or a newer `dgcs`"
	)]
	Runtime {
		/// The runtime call.
		call: &'static str,
		/// The block at which it was made.
		at: BlockHash,
		/// What failed inside. For the log alone.
		#[source]
		source: ApiError,
	},
}

impl RpcError {
	/// What a failed call into the runtime means to the one who asked.
	pub fn from_call(call: &'static str, at: BlockHash, source: ApiError) -> Self {
		match source {
			// The block itself was looked up before: it is the state that is gone.
			ApiError::UnknownBlock(_) => RpcError::StatePruned { at },
			source => {
				log::warn!(target: "rpc", "Runtime call `{call}` failed at {at:?}: {source}");
				RpcError::Runtime { call, at, source }
			},
		}
	}

	/// The code, as the README lists it.
	pub fn code(&self) -> i32 {
		match self {
			RpcError::Param(_) => ParamError::CODE,
			RpcError::UnknownTask { .. } => -32901,
			RpcError::TaskEnded { .. } => -32902,
			RpcError::BeyondTip { .. } => -32903,
			RpcError::UnknownWorker { .. } => -32904,
			RpcError::UnknownBlock { .. } => -32905,
			RpcError::StatePruned { .. } => -32906,
			RpcError::InvalidSpec { .. } => -32907,
			RpcError::PriceTooHigh => -32908,
			RpcError::Runtime { .. } => -32909,
			RpcError::UnknownRange { .. } => -32921,
		}
	}

	/// The details, as the README lists it.
	fn data(&self) -> Option<Value> {
		Some(match self {
			RpcError::Param(error) => error.data(),
			RpcError::UnknownTask { task, at } => json!({ "task": task, "at": at }),
			RpcError::TaskEnded { task, ended_at } => json!({ "task": task, "endedAt": ended_at }),
			RpcError::BeyondTip { task, from, height } => {
				json!({ "task": task, "from": from, "height": height })
			},
			RpcError::UnknownRange { task, range, ranges } => {
				json!({ "task": task, "range": range, "ranges": ranges })
			},
			RpcError::UnknownWorker { account, at } => json!({ "account": account, "at": at }),
			RpcError::UnknownBlock { at } | RpcError::StatePruned { at } => json!({ "at": at }),
			RpcError::InvalidSpec { field, rule, got } => {
				json!({ "field": field, "rule": rule, "got": got })
			},
			RpcError::PriceTooHigh => return None,
			RpcError::Runtime { call, at, .. } => json!({ "call": call, "at": at }),
		})
	}
}

impl From<RpcError> for ErrorObjectOwned {
	fn from(error: RpcError) -> Self {
		ErrorObject::owned(error.code(), error.to_string(), error.data())
	}
}
