//! Waiting for the chain without leaving its owner in the dark: when nothing comes for a while it is asked
//! why.

use std::{future::Future, time::Duration};

use dgcs_client::Chain;
use tokio::time::timeout;

use crate::{
	error::{Error, Result},
	progress::{Progress, Tell},
};

/// How long the chain may be without a new block before somebody is told: ten blocks.
const QUIET: Duration = Duration::from_secs(30);

/// Does `work`, which waits for the chain. Says so when the chain stands still, and fails when no node
/// answers any more, for as long as a connection looks for one.
pub(crate) async fn attended<T>(
	chain: &Chain,
	tell: &Tell,
	work: impl Future<Output = Result<T>>,
) -> Result<T> {
	tokio::select! {
		done = work => done,
		lost = attend(chain, tell, QUIET) => Err(lost),
	}
}

/// Ends when no node answers.
async fn attend(chain: &Chain, tell: &Tell, quiet: Duration) -> Error {
	let mut heads = chain.heads();
	let mut told = false;
	loop {
		match timeout(quiet, chain.moved(heads)).await {
			Ok(Ok(now)) => (heads, told) = (now, false),
			Ok(Err(closed)) => return closed.into(),
			Err(_) => {
				let block = heads.best.number;
				if !told {
					tell.say(Progress::Warning(format!(
						"no new block came for {quiet:?} after #{block}. Waiting goes on; to end it loses \
						 nothing"
					)));
					told = true;
				}
				// Nodes that answer may have lost their peers: that is for them to say, and for us to wait.
				let health =
					chain.request::<serde_json::Value>("system_health", Default::default());
				if let Err(lost) = health.await {
					return lost.into();
				}
			},
		}
	}
}
