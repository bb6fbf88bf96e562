//! What a masternode answers beside the chain: the methods of its JSON-RPC for owners and workers.
//!
//! A masternode's registered address is the WebSocket URL of its RPC. It is a stranger: what it says
//! is bounded here and proven elsewhere (shares by the manifest, contents by their CIDs).

use std::time::Duration;

use codec::DecodeAll;
use dgcs_primitives::{
	api::{ServiceAddress, MAX_BLOCKS_PER_CALL},
	ChainRecord, TaskId, TaskSpec, WorkBlock,
};
use dgcs_rpc::masternode::{
	Held, KeptSpec, ReceiptsPage, ReleasedShare, WorkChainPage, HELD, KEPT_RECEIPTS, KEPT_SPEC,
	KEPT_WORK_CHAIN, KEY_SHARE, STORE_ADDRESSES,
};
use serde::de::DeserializeOwned;
use sp_core::{bounded::BoundedVec, ConstU32};
use subxt::rpcs::{client::RpcParams, rpc_params, RpcClient};
use tokio::sync::Mutex;

use crate::{
	transport::{ask, connect, is_web_socket, within},
	AccountId, Balance, Error, Receipt, Result, WorkChain,
};

/// Most addresses that are taken from one masternode.
pub const MAX_ADDRESSES: usize = 32;
/// Most shares that one masternode may have of one key: its own and those of all others that left.
pub const MAX_SHARES: usize = 255;
/// Most bytes of a sealed share: key, tag, share, and a proof of 32 hashes, with room to spare.
pub const MAX_SEALED: usize = 2048;

/// How long to wait for a masternode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
	/// For the connection.
	pub connect: Duration,
	/// For each answer.
	pub request: Duration,
}

impl Default for Patience {
	fn default() -> Self {
		Patience { connect: Duration::from_secs(5), request: Duration::from_secs(15) }
	}
}

/// A masternode's RPC. Connects when it is first asked, and anew after an error.
#[derive(Debug)]
pub struct Masternode {
	url: String,
	patience: Patience,
	client: Mutex<Option<RpcClient>>,
}

impl Masternode {
	/// The masternode whose RPC is at `url`.
	pub fn new(url: impl Into<String>, patience: Patience) -> Result<Self> {
		let url = url.into();
		if !is_web_socket(&url) {
			return Err(Error::BadUrl { url });
		}
		Ok(Masternode { url, patience, client: Mutex::new(None) })
	}

	/// The masternode with this address on the chain.
	pub fn at(address: &ServiceAddress, patience: Patience) -> Result<Self> {
		Self::new(String::from_utf8_lossy(address), patience)
	}

	/// Where it answers.
	pub fn url(&self) -> &str {
		&self.url
	}

	/// Where its store can be reached, as multiaddresses.
	pub async fn store_addresses(&self) -> Result<Vec<String>> {
		let mut addresses: Vec<String> = self.request(STORE_ADDRESSES, RpcParams::new()).await?;
		addresses.truncate(MAX_ADDRESSES);
		Ok(addresses)
	}

	/// Its shares of the key at `position` of a task's lists, sealed to the worker. It checks that the
	/// worker has a lease in its finalised chain.
	pub async fn key_shares(
		&self,
		task: TaskId,
		position: u32,
		worker: &AccountId,
	) -> Result<Vec<ReleasedShare>> {
		let shares: Vec<ReleasedShare> =
			self.request(KEY_SHARE, rpc_params![task, position, worker]).await?;
		if shares.len() > MAX_SHARES || shares.iter().any(|share| share.sealed.len() > MAX_SEALED) {
			return Err(Error::answer(KEY_SHARE, format!("{} sends too much", self.url)));
		}
		Ok(shares)
	}

	/// What it keeps of a task.
	pub async fn held(&self, task: TaskId) -> Result<Held> {
		self.request(HELD, rpc_params![task]).await
	}

	/// What it says that a task is, live or ended. Nothing proves it but what comes of it: results that the
	/// task's owner can open.
	pub async fn spec(&self, task: TaskId) -> Result<TaskSpec<Balance>> {
		let KeptSpec { spec } = self.request(KEPT_SPEC, rpc_params![task]).await?;
		TaskSpec::decode_all(&mut &spec[..]).map_err(|error| Error::answer(KEPT_SPEC, error))
	}

	/// The work chain of a task that has ended, proven by what its settlement keeps of it.
	pub async fn work_chain(&self, task: TaskId, record: &ChainRecord) -> Result<WorkChain> {
		let mut chain = WorkChain::new(task);
		while chain.height() < record.height {
			let params = rpc_params![task, chain.height()];
			let page: WorkChainPage = self.request(KEPT_WORK_CHAIN, params).await?;
			let blocks = Vec::<WorkBlock>::decode_all(&mut &page.blocks[..])
				.map_err(|error| Error::answer(KEPT_WORK_CHAIN, error))?;
			if blocks.is_empty() {
				let reason = format!("{} has {} of its blocks", self.url, chain.height());
				return Err(Error::FalseWorkChain { task, reason });
			}
			for block in blocks {
				chain.push(block)?;
			}
		}
		chain.verify(record)?;
		Ok(chain)
	}

	/// Who did what in the blocks of a work chain from number `from` on, up to 256 of them and as far as it
	/// keeps that. What the blocks do not commit to is left out.
	pub async fn receipts(
		&self,
		chain: &WorkChain,
		from: u32,
	) -> Result<Vec<Option<Vec<Receipt>>>> {
		let params = rpc_params![chain.task(), from];
		let page: ReceiptsPage = self.request(KEPT_RECEIPTS, params).await?;
		let said = said(&page).map_err(|error| Error::answer(KEPT_RECEIPTS, error))?;
		Ok(chain.proven(from, said))
	}

	/// Calls any method of its RPC.
	pub async fn request<T: DeserializeOwned>(&self, method: &str, params: RpcParams) -> Result<T> {
		// Held while connecting and not longer, so that requests go side by side.
		let client = {
			let mut client = self.client.lock().await;
			match client.as_ref() {
				Some(client) => client.clone(),
				None => {
					let opened =
						within(self.patience.connect, &self.url, connect(&self.url)).await??;
					client.insert(opened).clone()
				},
			}
		};
		let answer = within(self.patience.request, method, ask(&client, method, params)).await;
		let answer = answer.and_then(|answer| answer);
		if matches!(answer, Err(Error::Unreachable { .. } | Error::TimedOut { .. })) {
			*self.client.lock().await = None;
		}
		answer
	}
}

/// What a page says, which has no more than it may.
fn said(page: &ReceiptsPage) -> std::result::Result<Vec<Option<Vec<Receipt>>>, codec::Error> {
	type Said = BoundedVec<Option<Vec<Receipt>>, ConstU32<MAX_BLOCKS_PER_CALL>>;
	Said::decode_all(&mut &page.receipts[..]).map(BoundedVec::into_inner)
}

#[cfg(test)]
mod tests {
	use codec::Encode;

	use super::*;

	#[test]
	fn pages_of_receipts_are_bounded() {
		let page = |count: usize| {
			let receipts: Vec<Option<Vec<Receipt>>> = vec![Some(Vec::new()); count];
			ReceiptsPage { height: 1, receipts: receipts.encode() }
		};
		assert_eq!(said(&page(0)), Ok(Vec::new()));
		assert_eq!(said(&page(256)).map(|said| said.len()), Ok(256));
		assert!(said(&page(257)).is_err());
		let longer = [page(1).receipts, vec![0]].concat();
		assert!(said(&ReceiptsPage { height: 1, receipts: longer }).is_err());
	}

	#[test]
	fn an_address_that_is_no_url_is_refused() {
		for address in ["", "ws://", "http://127.0.0.1:1", "/ip4/127.0.0.1/tcp/1"] {
			let refused = Masternode::new(address, Patience::default());
			assert!(matches!(refused, Err(Error::BadUrl { .. })), "{address}");
		}
	}
}
