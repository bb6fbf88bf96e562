//! Shares of keys, from the masternodes at their registered addresses.

use std::{
	collections::HashMap,
	ops::ControlFlow,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};

use dgcs_client::{
	masternode::{Masternode, Patience},
	AccountId, Chain, Error, ReleasedShare,
};
use dgcs_content::Scope;
use dgcs_primitives::TaskId;
use futures::{stream, StreamExt};
use tokio::runtime::Handle;

use crate::execute::{Given, KeyShares};

/// Masternodes that are asked at a time.
const PARALLEL: usize = 16;
/// Masternodes that are asked at all: those with the highest bonds.
const MAX_ASKED: usize = 255;
/// How long it may take to ask for one key.
const COLLECT: Duration = Duration::from_secs(40);

/// All masternodes of a chain, asked at the same time.
#[derive(Debug)]
pub struct LiveShares {
	chain: Chain,
	worker: AccountId,
	runtime: Handle,
	/// Connections by URL.
	known: Mutex<HashMap<String, Arc<Masternode>>>,
}

impl LiveShares {
	/// The masternodes of `chain`, asked in the name of `worker`, with connections on `runtime`.
	pub fn new(chain: Chain, worker: AccountId, runtime: Handle) -> Self {
		LiveShares { chain, worker, runtime, known: Mutex::default() }
	}

	async fn masternodes(&self) -> Result<Vec<Arc<Masternode>>, Error> {
		let views = self.chain.at_finalized().await?.masternodes().await?;
		let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
		let mut current = HashMap::new();
		let mut masternodes = Vec::new();
		for view in views.iter().take(MAX_ASKED) {
			let Ok(masternode) = Masternode::at(&view.address, Patience::default()) else {
				// Its address is no URL: it can't be asked, and isn't counted as silent.
				continue;
			};
			let masternode = known.remove(masternode.url()).unwrap_or_else(|| Arc::new(masternode));
			current.insert(masternode.url().to_string(), masternode.clone());
			masternodes.push(masternode);
		}
		// Those that are gone are forgotten.
		*known = current;
		Ok(masternodes)
	}

	async fn ask(
		&self,
		(task, position): (TaskId, u32),
		each: &mut dyn FnMut(Given) -> ControlFlow<()>,
		silent: &mut Vec<String>,
	) {
		let masternodes = match self.masternodes().await {
			Ok(masternodes) => masternodes,
			Err(error) => return silent.push(error.to_string()),
		};
		if masternodes.is_empty() {
			silent.push("no masternode has a URL registered at which it can be asked".into());
		}
		let ask = |masternode: Arc<Masternode>| async move {
			let shares = masternode.key_shares(task, position, &self.worker).await;
			(masternode, shares)
		};
		let mut answers = stream::iter(masternodes).map(ask).buffer_unordered(PARALLEL);
		while let Some((masternode, shares)) = answers.next().await {
			let from = masternode.url().to_string();
			match shares {
				Ok(shares) => {
					for ReleasedShare { holder, sealed } in shares {
						if each(Given { from: from.clone(), holder, sealed }).is_break() {
							return;
						}
					}
				},
				Err(error) => silent.push(format!("{from}: {error}")),
			}
		}
	}
}

impl KeyShares for LiveShares {
	fn collect(
		&self,
		task: TaskId,
		scope: Scope,
		each: &mut dyn FnMut(Given) -> ControlFlow<()>,
	) -> Vec<String> {
		let mut silent = Vec::new();
		let Some(position) = scope.position() else {
			return vec![format!("nobody has shares of the key of {scope}")];
		};
		let asked = self.runtime.block_on(async {
			tokio::time::timeout(COLLECT, self.ask((task, position), each, &mut silent)).await
		});
		if asked.is_err() {
			silent.push(format!("the other masternodes did not answer within {COLLECT:?}"));
		}
		silent
	}
}
