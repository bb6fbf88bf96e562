//! What a masternode answers beside the chain: the methods of its JSON-RPC for owners and workers,
//! with the types that both sides use.
//!
//! A masternode's registered address is the WebSocket URL of its RPC. It is a stranger: what it says
//! is bounded here and proven elsewhere (shares by the manifest, contents by their CIDs).

use std::time::Duration;

use codec::DecodeAll;
use dgcs_primitives::{api::ServiceAddress, ChainRecord, TaskId, WorkBlock};
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use subxt::rpcs::{client::RpcParams, rpc_params, RpcClient};
use tokio::sync::Mutex;

use crate::{
	transport::{ask, connect, is_web_socket, within},
	AccountId, Error, Result, WorkChain,
};

/// The method by which stores find peers. No parameters; returns `Vec<String>` of multiaddresses.
pub const STORE_ADDRESSES: &str = "dgcs_storeAddresses";
/// The method by which a worker collects key shares. Parameters `task`, `position` (of the scope in
/// the manifest's lists: 0 the task's, r + 1 that of range r) and `worker` (SS58); returns
/// `Vec<`[`ReleasedShare`]`>`.
pub const KEY_SHARE: &str = "dgcs_keyShare";
/// The method by which an owner sees what of its task is kept. Parameter `task`; returns [`Held`].
pub const HELD: &str = "dgcs_held";

/// The method by which an owner who was away gets the work chain of a task that has ended, of which the
/// top-level chain keeps nothing but a hash and two roots. Parameters `task` and `from`, a block's
/// index; returns a [`WorkChainPage`] of at most 256 blocks.
pub const KEPT_WORK_CHAIN: &str = "dgcs_keptWorkChain";

/// Most addresses that are taken from one masternode.
pub const MAX_ADDRESSES: usize = 32;
/// Most shares that one masternode may have of one key: its own and those of all others that left.
pub const MAX_SHARES: usize = 255;
/// Most bytes of a sealed share: key, tag, share, and a proof of 32 hashes, with room to spare.
pub const MAX_SEALED: usize = 2048;

/// A share of a key, sealed to the worker that asked for it (`docs/protocol.md`, "Key shares").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleasedShare {
	/// The place of the share's holder in the manifest.
	pub holder: u8,
	/// What [`KeyRing::add`](dgcs_content::keys::KeyRing::add) takes. `0x` and hexadecimal digits.
	#[serde(with = "hexadecimal")]
	pub sealed: Vec<u8>,
}

/// What a masternode keeps of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
	/// Whether it has all of the task's content and its key shares: it needs nothing of the owner any
	/// more.
	pub complete: bool,
	/// Whether it has the manifest.
	pub manifest: bool,
	/// How many of the shards it has.
	pub shards_held: u32,
	/// How many shards the task has. 0 while the manifest is not there.
	pub shards: u32,
	/// Whether it fetches no more of something that is missing.
	#[serde(default)]
	pub given_up: bool,
	/// Why something is missing, in its own words. `None`: nothing failed.
	#[serde(default)]
	pub reason: Option<String>,
}

/// A part of a work chain that a masternode keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkChainPage {
	/// How many blocks there are in all.
	pub height: u32,
	/// Some of them, in order: `Vec<WorkBlock>` in SCALE, as `0x` and hexadecimal digits.
	#[serde(with = "hexadecimal")]
	pub blocks: Vec<u8>,
}

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

/// Bytes as `0x` and hexadecimal digits.
mod hexadecimal {
	use serde::{de::Error as _, Deserialize, Deserializer, Serializer};

	pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
		serializer.serialize_str(&format!("0x{}", hex::encode(bytes)))
	}

	pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
		let text = String::deserialize(deserializer)?;
		let digits =
			text.strip_prefix("0x").ok_or_else(|| D::Error::custom("no 0x before digits"))?;
		hex::decode(digits).map_err(D::Error::custom)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_goes_over_the_wire() {
		let share = ReleasedShare { holder: 3, sealed: vec![0, 255] };
		let json = serde_json::to_string(&share).expect("plain data");
		assert_eq!(json, r#"{"holder":3,"sealed":"0x00ff"}"#);
		assert_eq!(serde_json::from_str::<ReleasedShare>(&json).expect("its own"), share);
		for wrong in [
			r#"{"holder":3,"sealed":"00ff"}"#,
			r#"{"holder":3,"sealed":"0x0f0"}"#,
			r#"{"holder":256,"sealed":"0x"}"#,
			r#"{"holder":-1,"sealed":"0x"}"#,
			r#"{"sealed":"0x"}"#,
		] {
			assert!(serde_json::from_str::<ReleasedShare>(wrong).is_err(), "{wrong}");
		}
		let held = Held { manifest: true, shards_held: 1, shards: 2, ..Held::default() };
		let json = r#"{"complete":false,"manifest":true,"shardsHeld":1,"shards":2}"#;
		assert_eq!(serde_json::from_str::<Held>(json).expect("one that says no more"), held);
		let held = Held { given_up: true, reason: Some("no room".into()), ..held };
		let json = json.replace('}', r#","givenUp":true,"reason":"no room","task":7}"#);
		assert_eq!(serde_json::from_str::<Held>(&json).expect("one that says more"), held);
	}

	#[test]
	fn an_address_that_is_no_url_is_refused() {
		for address in ["", "ws://", "http://127.0.0.1:1", "/ip4/127.0.0.1/tcp/1"] {
			let refused = Masternode::new(address, Patience::default());
			assert!(matches!(refused, Err(Error::BadUrl { .. })), "{address}");
		}
	}
}
