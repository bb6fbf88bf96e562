//! What can go wrong between a program and a chain.

use std::time::Duration;

use sp_core::H256;

/// The result of what talks to a chain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something that a chain was asked for is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// There is no URL to connect to.
	#[error("no URL of a node was given: name at least one, such as ws://127.0.0.1:9944")]
	NoUrl,
	/// The URL is not one of a node.
	#[error("`{url}` is no URL of a node: it must begin with ws:// or wss://")]
	BadUrl {
		/// What was given.
		url: String,
	},
	/// No node answers.
	#[error(
		"no node answers ({reason}), tried for {tried:?}. Check that one of them runs and that its \
		 RPC is reachable from here"
	)]
	Unreachable {
		/// What each of the nodes said last.
		reason: String,
		/// For how long.
		tried: Duration,
	},
	/// A node did not answer in time.
	#[error("{what} took longer than {limit:?}: the node is overloaded or the connection is slow")]
	TimedOut {
		/// What was waited for.
		what: String,
		/// How long.
		limit: Duration,
	},
	/// The node is one of another chain.
	#[error(
		"{url} is a node of another chain: its genesis is {found:?}, expected {expected:?}. Give \
		 the URL of a node of the right network, or the genesis hash of this one"
	)]
	OtherChain {
		/// The node.
		url: String,
		/// The first block that was expected.
		expected: H256,
		/// The first block that the node has.
		found: H256,
	},
	/// The node is behind the network.
	#[error(
		"{url} is {blocks} blocks behind its peers: wait until it has caught up, or use another \
		 node"
	)]
	Lagging {
		/// The node.
		url: String,
		/// By how much.
		blocks: u32,
	},
	/// The chain's runtime is not the one that this program was made for.
	#[error(
		"the chain runs runtime {chain} and this program was made for runtime {ours}; they differ \
		 in {differences}. {}",
		advice(*.ours, *.chain)
	)]
	Runtime {
		/// The version of the runtime that this program was made for.
		ours: u32,
		/// The version of the chain's.
		chain: u32,
		/// What this program uses and is missing there or another.
		differences: String,
	},
	/// The node refused a request.
	#[error("the node refused `{method}`: {message} ({code})")]
	Refused {
		/// The method of its RPC.
		method: String,
		/// JSON-RPC's code.
		code: i32,
		/// What the node says.
		message: String,
	},
	/// The node knows no such block.
	#[error(
		"the node does not know the block ({block}): it is of another fork, or the node is still \
		 catching up"
	)]
	UnknownBlock {
		/// Its hash or number.
		block: String,
	},
	/// The node has the block, and no longer what was true then.
	#[error(
		"the node no longer keeps what was true then ({message}): read at a newer block, or ask a node \
		 that runs with --state-pruning archive"
	)]
	StateDiscarded {
		/// What the node says.
		message: String,
	},
	/// The node sent something else than was asked for.
	#[error("the answer to {what} can't be read ({reason}): the node may be of another version")]
	Answer {
		/// What was asked for.
		what: String,
		/// What is wrong with the answer.
		reason: String,
	},
	/// A part of what the node says contradicts another.
	#[error(
		"what the node says of the work chain of task {task} is false: {reason}. Use another node"
	)]
	FalseWorkChain {
		/// The task.
		task: dgcs_primitives::TaskId,
		/// What does not agree.
		reason: String,
	},
	/// The transaction was not accepted.
	#[error("the transaction `{call}` is not valid: {reason}")]
	InvalidTransaction {
		/// The call.
		call: String,
		/// Why, and what to do.
		reason: String,
	},
	/// The transaction is in a block, and failed there.
	#[error("`{call}` failed: {failure}")]
	Failed {
		/// The call.
		call: String,
		/// Why.
		failure: Failure,
	},
	/// The transaction never came into a block, and never will.
	#[error(
		"the transaction `{call}` got into no block until its time was over at block #{until}: \
		 nothing has happened, and it may be sent anew"
	)]
	Expired {
		/// The call.
		call: String,
		/// The last block in which it was valid.
		until: u32,
	},
	/// Another transaction of the account took the transaction's place.
	#[error(
		"another transaction of {account} took the place (nonce {nonce}) of `{call}`: the account \
		 is in use elsewhere. Nothing has happened, and it may be sent anew"
	)]
	Usurped {
		/// The call.
		call: String,
		/// Whose transaction it is.
		account: String,
		/// Its number.
		nonce: u64,
	},
	/// The connection was closed by this side.
	#[error("the connection to the chain was closed")]
	Closed,
}

fn advice(ours: u32, chain: u32) -> &'static str {
	match ours.cmp(&chain) {
		std::cmp::Ordering::Less => "Update dgcs: the chain is newer",
		std::cmp::Ordering::Greater => "The chain is older: use the dgcs of its runtime's release",
		std::cmp::Ordering::Equal => {
			"One of the two is no release: build both from the same source"
		},
	}
}

/// Why a transaction failed in its block, as the chain says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Failure {
	/// The pallet that refused, such as `Tasks`. `None`: the runtime itself.
	pub pallet: Option<String>,
	/// The name of the error, such as `RewardTooLow`.
	pub name: String,
	/// What its documentation says, on one line. May be empty.
	pub docs: String,
}

impl Failure {
	/// Whether this is the error `name` of `pallet`.
	pub fn is(&self, pallet: &str, name: &str) -> bool {
		self.pallet.as_deref() == Some(pallet) && self.name == name
	}

	fn text(&self) -> String {
		let name = match &self.pallet {
			Some(pallet) => format!("{pallet}.{}", self.name),
			None => self.name.clone(),
		};
		match self.docs.as_str() {
			"" => name,
			docs => format!("{name}: {docs}"),
		}
	}
}

impl Error {
	/// Whether asking again later may help: nothing is wrong with the question.
	pub fn is_temporary(&self) -> bool {
		self.is_of_connection() || matches!(self, Error::Expired { .. } | Error::Usurped { .. })
	}

	/// Whether it is about the way to the chain, and says nothing about the chain.
	pub(crate) fn is_of_connection(&self) -> bool {
		matches!(
			self,
			Error::Unreachable { .. }
				| Error::TimedOut { .. }
				| Error::Lagging { .. }
				| Error::UnknownBlock { .. }
		)
	}

	/// Whether a transaction failed in its block with the error `name` of `pallet`.
	pub fn is_failure(&self, pallet: &str, name: &str) -> bool {
		matches!(self, Error::Failed { failure, .. } if failure.is(pallet, name))
	}

	/// An answer that makes no sense.
	pub(crate) fn answer(what: impl Into<String>, reason: impl ToString) -> Self {
		Error::Answer { what: what.into(), reason: reason.to_string() }
	}
}
