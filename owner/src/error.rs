//! What can go wrong for an owner, with the value that is wrong and what to do.

use std::{io, path::PathBuf};

use dgcs_client::Balance;
use dgcs_primitives::{SpecError, TaskId};
use dgcs_sandbox::ProgramError;
use sp_core::H256;

use crate::money::show;

/// The result of what an owner does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a step of a task was not done. What was done before it is kept, and the step can be repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// The chain, or the way to it.
	#[error(transparent)]
	Chain(#[from] dgcs_client::Error),
	/// The input, the task's content, or a result.
	#[error(transparent)]
	Content(#[from] dgcs_content::Error),
	/// The store of blocks.
	#[error(transparent)]
	Store(#[from] dgcs_store::Error),
	/// What is kept of tasks on this machine.
	#[error(transparent)]
	Record(#[from] crate::record::RecordError),

	/// A program that can't be run anywhere.
	#[error("{}: {source}", .path.display())]
	Program {
		/// The program.
		path: PathBuf,
		/// What is wrong with it.
		source: ProgramError,
	},
	/// Something else where the file of a program should be.
	#[error("{} is {what}: give the file of the program, a WASI module", .path.display())]
	NoFile {
		/// What was given.
		path: PathBuf,
		/// What it is.
		what: &'static str,
	},
	/// A file that can't be read or written.
	#[error("{}: {source}; {}", .path.display(), what_to_do(.source))]
	File {
		/// Which one.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// A file of somebody else's where a result should go.
	#[error(
		"{} is no result of this task, and has the name of one: move it away and fetch again",
		.path.display()
	)]
	Taken {
		/// Which one.
		path: PathBuf,
	},
	/// A program that can't be tried here.
	#[error("this machine can't compute it: {0}")]
	Trial(String),
	/// An argument with which no task can be made.
	#[error("{0}")]
	Wish(String),
	/// The chain would refuse the task.
	#[error("the chain would refuse the task: {}", advice(*.reason))]
	Refused {
		/// Which rule it breaks.
		reason: SpecError,
	},
	/// Masternodes would not share the keys of so many ranges.
	#[error(
		"{subtasks} subtasks, leased {range_size} at a time, are {ranges} ranges, and masternodes share the \
		 keys of at most {most} ranges of a task: lease {least} or more subtasks together (--range {least})"
	)]
	TooManyRanges {
		/// How many subtasks there are.
		subtasks: u32,
		/// How many of them were to be leased together.
		range_size: u32,
		/// How many ranges that makes.
		ranges: u32,
		/// How many there may be.
		most: u32,
		/// How many subtasks have to be leased together at the least.
		least: u32,
	},
	/// The price is beyond all money.
	#[error("the price of the task is beyond all money there could be: offer less for a result")]
	PriceOverflow,
	/// The account has too little money.
	#[error(
		"{account} can spend {}, and the task needs {} (its price, which is held, and the fee): {} are \
		 missing. Offer less (--reward), cut fewer subtasks, or send money to the account",
		show(*.available), show(*.needed), show(.needed.saturating_sub(*.available))
	)]
	NotEnough {
		/// The owner's address.
		account: String,
		/// Price and fee.
		needed: Balance,
		/// What can be spent.
		available: Balance,
	},
	/// Nobody could share the keys.
	#[error(
		"no active masternode of the chain has an encryption key, so that no worker could read the \
		 task. Wait until one has registered, or use another network"
	)]
	NoMasternode,
	/// None of the masternodes' stores is connected.
	#[error(
		"none of the {count} masternodes' stores can be reached ({reason}): nobody could fetch the \
		 task from here. Check the network, and go on later"
	)]
	NoStore {
		/// How many masternodes there are.
		count: usize,
		/// What the last one said.
		reason: String,
	},
	/// The task is unknown to the chain.
	#[error(
		"the chain knows no task {task}: it was never submitted there, or nothing of it was kept"
	)]
	UnknownTask {
		/// The task.
		task: TaskId,
	},
	/// The task has not been submitted.
	#[error("the task {name} is prepared and not submitted: go on with `dgcs task submit {name}`")]
	NotSubmitted {
		/// Its local name.
		name: String,
	},
	/// Something was submitted so long ago that its events are forgotten.
	#[error(
		"a transaction that submits this task is in block #{block}, and the node has forgotten what came of \
		 it: the task has ended, or was refused. Nothing is paid again. Look for its number in that block at \
		 a node that keeps old states (`--state-pruning archive`, as --chain), and fetch it with `dgcs task \
		 fetch NUMBER`; or forget it with `dgcs task cancel NAME`, and have it computed anew"
	)]
	Unclear {
		/// The block.
		block: u32,
	},
	/// The task is on the chain already.
	#[error("the task {name} is submitted already, as task {task}: see `dgcs task watch {task}`")]
	Submitted {
		/// Its local name.
		name: String,
		/// Its number.
		task: TaskId,
	},
	/// A task for the same wish is paid, or may be, and what it was made of is not what is there now.
	#[error("{}", paid_before(.name, *.task))]
	PaidBefore {
		/// Its local name.
		name: String,
		/// Its number. `None`: nobody knows yet whether it has one.
		task: Option<TaskId>,
	},
	/// The task's content is not complete.
	#[error(
		"the task {name} is not prepared to its end: go on with the same `dgcs task prepare` or `dgcs \
		 task run` as before"
	)]
	NotPrepared {
		/// Its local name.
		name: String,
	},
	/// The task has no result to fetch yet.
	#[error("task {task} has not ended: {open} subtasks are open. Watch it with `dgcs task watch {task}`")]
	NotEnded {
		/// The task.
		task: TaskId,
		/// Subtasks without a verdict.
		open: u32,
	},
	/// The task belongs to somebody else.
	#[error(
		"task {task} is of {owner}, and the account given is {account}: give --account its owner"
	)]
	OtherOwner {
		/// The task.
		task: TaskId,
		/// Its owner's address.
		owner: String,
		/// The address given.
		account: String,
	},
	/// The record is of another chain.
	#[error(
		"the task {name} is of the chain {expected:?}, and the node is of {found:?}: give --chain a node \
		 of the task's network"
	)]
	OtherChain {
		/// Its local name.
		name: String,
		/// The first block of the task's chain.
		expected: H256,
		/// The first block of the node's chain.
		found: H256,
	},
	/// Nobody has a single result.
	#[error(
		"none of the task's results can be found: {reason}. Check that this machine reaches the network, and \
		 fetch them again later"
	)]
	NoResults {
		/// Why the first of them can't.
		reason: String,
	},
	/// The work chain is gone before it was read.
	#[error(
		"the verdicts of task {task} can't be read any more: it ended in block #{block}, and {reason}. Try \
		 again later, or give --chain a node that keeps old states (`--state-pruning archive`)"
	)]
	VerdictsGone {
		/// The task.
		task: TaskId,
		/// When it ended.
		block: u32,
		/// What is missing.
		reason: String,
	},
	/// The input is not what the price was asked for.
	#[error(
		"the input made {expected} subtasks when the price was asked for, and makes {found} now: try again \
		 when nothing writes to it"
	)]
	Changed {
		/// Subtasks that were priced.
		expected: u32,
		/// Subtasks that there are.
		found: u32,
	},
	/// A thread panicked.
	#[error("work on another thread broke off: {0}. Go on with the same command; if it breaks off again, report it")]
	Broken(String),
}

impl Error {
	/// Whether it is about the network or a machine of it, so that trying later may help.
	pub fn is_network(&self) -> bool {
		match self {
			Error::Chain(error) => {
				error.is_temporary()
					|| matches!(
						error,
						dgcs_client::Error::Unreachable { .. }
							| dgcs_client::Error::Closed
							| dgcs_client::Error::OtherChain { .. }
							| dgcs_client::Error::BadUrl { .. }
					)
			},
			Error::NoStore { .. } | Error::NoMasternode | Error::NoResults { .. } => true,
			Error::Content(dgcs_content::Error::Missing(_)) => true,
			// A full disk is no matter of the network, though the store says so on the same way.
			Error::Content(dgcs_content::Error::Store { source, .. }) => source
				.get_ref()
				.and_then(|error| error.downcast_ref::<dgcs_store::Error>())
				.is_none_or(is_network_of_store),
			Error::Store(error) => is_network_of_store(error),
			_ => false,
		}
	}
}

fn is_network_of_store(error: &dgcs_store::Error) -> bool {
	matches!(
		error,
		dgcs_store::Error::Missing(_)
			| dgcs_store::Error::Unreachable { .. }
			| dgcs_store::Error::Timeout { .. }
			| dgcs_store::Error::Kubo { .. }
	)
}

/// What to do about a file that can't be used.
fn what_to_do(error: &io::Error) -> &'static str {
	match error.kind() {
		io::ErrorKind::NotFound => "check its path, and that no link on the way leads to nothing",
		io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
			"make room on that disk, and go on"
		},
		io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
			"check that you may use it"
		},
		_ => "check that it exists, and that you may use it",
	}
}

/// How to go on with a task that must not be paid twice, or without it.
fn paid_before(name: &str, task: Option<TaskId>) -> String {
	const CHANGED: &str = "and its program or input has changed since";
	match task {
		Some(task) => format!(
			"task {task} of this command is paid already, {CHANGED}: `dgcs task watch {task}` and `dgcs task \
			 fetch {task}` go on with it. To pay for what is there now as well, name another folder (--out)"
		),
		None => format!(
			"the task {name} of this command may be paid already, {CHANGED}: `dgcs task submit {name}` finds \
			 that out, and goes on with it. To pay for what is there now instead, forget it before with `dgcs \
			 task cancel {name}`"
		),
	}
}

/// What to change about a specification.
fn advice(error: SpecError) -> &'static str {
	match error {
		SpecError::Subtasks => {
			"too many subtasks for the time it may run, or for any task. Cut larger pieces (--split), or \
			 give it longer (--deadline)"
		},
		SpecError::RangeSize => "a range has 1 to 64 subtasks (--range)",
		SpecError::Replicas => {
			"replicas must be odd, at least 3, and no more than --max-replicas, which is at most 15"
		},
		SpecError::Reward => "the reward is below the chain's least. Offer more (--reward)",
		SpecError::Limits => {
			"time, fuel and memory must be above 0, and memory at most 4096 MiB (--time, --fuel, --memory, \
			 and for a merge step --merge-time, --merge-fuel, --merge-memory)"
		},
		SpecError::Timeout => {
			"a lease on one range and the vote on it don't fit in the time it may run, or that is above the \
			 chain's limit. Change --deadline, --wait, --time, --merge-time or --range"
		},
		SpecError::Window => "the window of PPLNS is from --max-replicas to 32 (--payout)",
		SpecError::Kind => "it has no rules for compute tasks",
	}
}

/// Names the file that an error is about.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
	move |source| Error::File { path: path.into(), source }
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_full_disk_is_no_matter_of_the_network() {
		let id = dgcs_content::content_id::raw(b"");
		let stored = |error: dgcs_store::Error| {
			let source = io::Error::other(error);
			Error::from(dgcs_content::Error::Store { id, source })
		};
		let full = || dgcs_store::Error::Full { used: 1, capacity: 1, needed: 1 };
		let down =
			|| dgcs_store::Error::Kubo { url: "http://host".into(), reason: "refused".into() };
		assert!(!Error::from(full()).is_network() && Error::from(down()).is_network());
		assert!(!stored(full()).is_network() && stored(down()).is_network());
	}

	#[test]
	fn files_are_named_with_what_to_do() {
		for (kind, advice) in [
			(io::ErrorKind::NotFound, "its path"),
			(io::ErrorKind::StorageFull, "make room"),
			(io::ErrorKind::PermissionDenied, "you may use it"),
			(io::ErrorKind::IsADirectory, "it exists"),
		] {
			let text = at("some/file")(kind.into()).to_string();
			assert!(text.contains("some/file") && text.contains(advice), "{text}");
		}
	}
}
