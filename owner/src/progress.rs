//! What a step says while it is under way. Nothing here is printed: whoever calls decides how.

use std::{fmt, sync::Arc};

use dgcs_client::{AccountId, Balance, Held};
use dgcs_primitives::{api::QueuePosition, Price, Settlement, TaskId};

/// One thing that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Progress {
	/// Something is not as one would wish, and the step goes on.
	Warning(String),
	/// The input has so many bytes, and reading begins.
	Reading {
		/// Bytes in all. 0: unknown.
		bytes: u64,
	},
	/// So many more bytes of the input are encrypted and stored.
	Read {
		/// Bytes since the last time.
		bytes: u64,
	},
	/// All content is in the store.
	Prepared {
		/// The task's local name.
		name: String,
		/// How many subtasks it has.
		subtasks: u32,
		/// How many shards.
		shards: u32,
	},
	/// The transaction is sent.
	Sent,
	/// The task is in the finalised chain.
	Submitted {
		/// Its number.
		task: TaskId,
		/// What is held.
		price: Option<Price<Balance>>,
		/// The block.
		block: u32,
	},
	/// What the masternodes hold by now.
	Holding {
		/// Each masternode, with what it has or why it does not say.
		masternodes: Vec<(AccountId, Result<Held, String>)>,
		/// How many of them must have everything before the owner may go offline.
		needed: usize,
	},
	/// Enough masternodes hold everything.
	Held,
	/// The task waits for its first lease.
	Queued {
		/// Its place.
		position: Option<QueuePosition>,
		/// The block in which it is given up.
		due: u32,
	},
	/// Where the task is.
	Running {
		/// Subtasks without a verdict.
		open: u32,
		/// Subtasks with a digest.
		agreed: u32,
		/// Subtasks without a majority.
		failed: u32,
		/// Ranges that were leased at least once.
		begun: u32,
		/// Money still held.
		held: Balance,
	},
	/// The task has ended.
	Ended {
		/// How.
		settlement: Settlement<AccountId, Balance>,
	},
	/// So many results are to be fetched.
	Fetching {
		/// Subtasks in all.
		subtasks: u32,
		/// Subtasks that are there already.
		done: u32,
	},
	/// Results are in their place.
	Fetched {
		/// Subtasks that are there.
		done: u32,
		/// Bytes of output so far.
		bytes: u64,
	},
}

/// Who is told.
#[derive(Clone)]
pub struct Tell(Arc<dyn Fn(Progress) + Send + Sync>);

impl Tell {
	/// Tells `listener`, which should return soon: the step waits for it.
	pub fn to(listener: impl Fn(Progress) + Send + Sync + 'static) -> Self {
		Tell(Arc::new(listener))
	}

	/// Tells nobody.
	pub fn nobody() -> Self {
		Tell::to(|_| ())
	}

	/// Says what happened.
	pub fn say(&self, progress: Progress) {
		(self.0)(progress);
	}
}

impl fmt::Debug for Tell {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Tell(…)")
	}
}
