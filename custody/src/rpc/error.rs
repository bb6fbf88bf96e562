//! What can go wrong, and how it is told.
//!
//! The message says what is wrong, with which value, and what to do; `data` holds the same details for
//! programs. **API boundary:** codes and the keys of `data` are stable; messages are not. Both are
//! listed in the README.

use dgcs_primitives::TaskId;
use dgcs_rpc::ParamError;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use serde_json::{json, Value};

use crate::{hand_over::OfferError, release::Refusal};

/// The code of an offer that may be taken later.
pub(crate) const OFFER_NOT_NOW: i32 = -32917;

/// Why a method has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
	/// A parameter is missing or wrong.
	#[error(transparent)]
	Param(#[from] ParamError),
	/// Bytes that are no offer.
	#[error("parameter `offer` is wrong: expected a hand-over of protocol version 1 in SCALE")]
	NoOffer,
	/// The masternode knows nothing of the task.
	#[error(
		"this masternode keeps nothing of task {task}: it is not final yet, or it ended and its \
		 results were kept for long enough. Check the id, and ask again in a few blocks"
	)]
	NothingHeld {
		/// The task.
		task: TaskId,
	},
	/// The node is none that keeps anything.
	#[error(
		"no masternode with an encryption key of this node's is bonded in the finalised chain: ask \
		 another, or again when its registration is final"
	)]
	NoMasternode,
	/// The masternode's own trouble.
	#[error("this masternode can't read what it keeps: {0}; ask another")]
	Disk(#[source] std::io::Error),
	/// No share for this worker.
	#[error(transparent)]
	KeyShare(#[from] Refusal),
	/// The offer is not taken.
	#[error(transparent)]
	HandOver(#[from] OfferError),
}

impl RpcError {
	/// The code, as the README lists it.
	pub fn code(&self) -> i32 {
		match self {
			RpcError::Param(_) | RpcError::NoOffer => ParamError::CODE,
			RpcError::NothingHeld { .. } => -32901,
			RpcError::NoMasternode => -32919,
			RpcError::Disk(_) => -32918,
			RpcError::KeyShare(refusal) => match refusal {
				Refusal::UnknownTask { .. } => -32901,
				Refusal::TaskEnded { .. } => -32902,
				Refusal::UnknownWorker { .. } => -32904,
				Refusal::NoLease { .. } => -32910,
				Refusal::NotHolder { .. } => -32911,
				Refusal::NotYet { .. } => -32912,
				Refusal::Damaged { .. } => -32913,
				Refusal::TooMany { .. } => -32914,
				Refusal::WorkerKey { .. } => -32915,
				Refusal::Store { .. } | Refusal::Chain(_) => -32918,
			},
			RpcError::HandOver(error) if error.is_temporary() => OFFER_NOT_NOW,
			RpcError::HandOver(_) => -32916,
		}
	}

	/// The details, as the README lists them.
	fn data(&self) -> Option<Value> {
		Some(match self {
			RpcError::Param(error) => error.data(),
			RpcError::NoOffer => json!({ "parameter": "offer", "expected": "an offer" }),
			RpcError::NothingHeld { task } => json!({ "task": task }),
			RpcError::KeyShare(refusal) => match refusal {
				Refusal::UnknownTask { task }
				| Refusal::TaskEnded { task }
				| Refusal::NotHolder { task } => json!({ "task": task }),
				Refusal::NotYet { task, reason } | Refusal::Store { task, reason } => {
					json!({ "task": task, "reason": reason })
				},
				Refusal::NoLease { task, worker, .. } => {
					json!({ "task": task, "worker": worker.to_string() })
				},
				Refusal::Damaged { task, holder, reason } => {
					json!({ "task": task, "holder": holder, "reason": reason })
				},
				Refusal::UnknownWorker { worker }
				| Refusal::TooMany { worker }
				| Refusal::WorkerKey { worker } => json!({ "worker": worker.to_string() }),
				Refusal::Chain(_) => return None,
			},
			RpcError::NoMasternode | RpcError::Disk(_) | RpcError::HandOver(_) => return None,
		})
	}
}

impl From<RpcError> for ErrorObjectOwned {
	fn from(error: RpcError) -> Self {
		ErrorObject::owned(error.code(), error.to_string(), error.data())
	}
}
