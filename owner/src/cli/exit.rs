//! What a command's end means to a script.

use dgcs_client::{AccountError, KeystoreError};

use crate::Error;

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
	/// Done.
	Done = 0,
	/// Failed, for a reason that has no code of its own.
	Failed = 1,
	/// Used wrongly. The parser of the command line ends with it as well.
	Usage = 2,
	/// The task ended, and some subtasks have no result or one of a program that ended with an error.
	InPart = 3,
	/// The account has not enough money.
	NoMoney = 4,
	/// The chain, the masternodes or the results can't be reached at the moment.
	Network = 5,
	/// Interrupted by Ctrl-C. Everything goes on where it was.
	Interrupted = 130,
}

/// The codes, for `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    used wrongly
  3    the task ended, and some of its subtasks have no result, or one of a program that failed
  4    the account has not enough money
  5    the chain, the masternodes or the results can't be reached at the moment
  130  interrupted; what was begun goes on with the command that is shown";

impl From<Exit> for std::process::ExitCode {
	fn from(exit: Exit) -> Self {
		std::process::ExitCode::from(exit as u8)
	}
}

/// Why a command ended.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
	/// A step of the task.
	#[error(transparent)]
	Owner(#[from] Error),
	/// The account's file.
	#[error(transparent)]
	Keystore(#[from] KeystoreError),
	/// The account's secret.
	#[error(transparent)]
	Account(#[from] AccountError),
	/// The command line asks for what can't be.
	#[error("{0}")]
	Usage(String),
	/// The owner said no.
	#[error("nothing was signed")]
	Declined,
	/// Ctrl-C.
	#[error("interrupted")]
	Interrupted,
}

/// The result of a command.
pub type Result<T, E = CommandError> = std::result::Result<T, E>;

impl CommandError {
	/// The code that it ends with.
	pub fn exit(&self) -> Exit {
		match self {
			CommandError::Owner(Error::NotEnough { .. }) => Exit::NoMoney,
			CommandError::Owner(Error::Wish(_)) | CommandError::Usage(_) => Exit::Usage,
			CommandError::Owner(error) if error.is_network() => Exit::Network,
			CommandError::Interrupted => Exit::Interrupted,
			_ => Exit::Failed,
		}
	}
}

/// Errors that a step passes through.
macro_rules! through_owner {
	($($error:ty),*) => {
		$(impl From<$error> for CommandError {
			fn from(error: $error) -> Self {
				CommandError::Owner(error.into())
			}
		})*
	};
}

through_owner!(
	dgcs_client::Error,
	dgcs_content::Error,
	dgcs_store::Error,
	crate::record::RecordError
);

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn scripts_can_tell_the_ends_apart() {
		let money = Error::NotEnough { account: "5G".into(), needed: 2, available: 1 };
		let reason = "refused".into();
		let tried = std::time::Duration::from_secs(1);
		let gone = dgcs_client::Error::Unreachable { reason, tried };
		let id = dgcs_content::content_id::raw(b"");
		for (error, exit) in [
			(money.into(), Exit::NoMoney),
			(CommandError::from(gone), Exit::Network),
			(dgcs_content::Error::Missing(id).into(), Exit::Network),
			(dgcs_store::Error::Closed.into(), Exit::Failed),
			(CommandError::Usage("no".into()), Exit::Usage),
			(CommandError::Interrupted, Exit::Interrupted),
			(CommandError::Declined, Exit::Failed),
		] {
			assert_eq!(error.exit(), exit, "{error}");
		}
		assert_eq!(Exit::Interrupted as u8, 130);
	}
}
