//! What the load generator asks of a node.

use codec::Decode;
use dgcs_runtime::{AccountId, Hash, Nonce, RuntimeEvent};
use frame_support::{dispatch::PerDispatchClass, weights::Weight};
use frame_system::EventRecord;
use jsonrpsee::{
	async_client::{Client, ClientBuilder},
	client_transport::ws::{Url, WsTransportClientBuilder},
	core::client::{ClientT, Subscription, SubscriptionClientT},
	rpc_params,
};
use serde_json::Value;
use sp_core::{
	bytes::{from_hex, to_hex},
	storage::StorageKey,
};

/// Why a benchmark could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// The node does not answer, or refuses.
	#[error("the node: {0}")]
	Rpc(#[from] jsonrpsee::core::ClientError),
	/// No connection.
	#[error("no connection to {url}: {reason}. Is a node running there?")]
	Connect {
		/// Where.
		url: String,
		/// Why not.
		reason: String,
	},
	/// Something that the node sent.
	#[error("the node sent {0}")]
	Unexpected(String),
	/// The chain does not do what the benchmark needs.
	#[error("{0}")]
	Stuck(String),
}

/// A connection to a node.
pub struct Node(Client);

impl Node {
	/// Connects to `url`.
	pub async fn connect(url: &str) -> Result<Self, Error> {
		let error = |reason: String| Error::Connect { url: url.into(), reason };
		let parsed = Url::parse(url).map_err(|reason| error(reason.to_string()))?;
		let (sender, receiver) = WsTransportClientBuilder::default()
			.build(parsed)
			.await
			.map_err(|reason| error(reason.to_string()))?;
		let client = ClientBuilder::default()
			.max_concurrent_requests(4096)
			.max_buffer_capacity_per_subscription(4096)
			.build_with_tokio(sender, receiver);
		Ok(Self(client))
	}

	/// The hash of block `number`, or of the best one.
	pub async fn block_hash(&self, number: Option<u32>) -> Result<Hash, Error> {
		Ok(self.0.request("chain_getBlockHash", rpc_params![number]).await?)
	}

	/// The next nonce of an account.
	pub async fn nonce(&self, account: &AccountId) -> Result<Nonce, Error> {
		Ok(self.0.request("system_accountNextIndex", rpc_params![account]).await?)
	}

	/// Hands in a transaction.
	pub async fn submit(&self, extrinsic: &[u8]) -> Result<Hash, Error> {
		Ok(self.0.request("author_submitExtrinsic", rpc_params![to_hex(extrinsic, false)]).await?)
	}

	/// Numbers of new best blocks.
	pub async fn new_heads(&self) -> Result<Subscription<Value>, Error> {
		Ok(self
			.0
			.subscribe("chain_subscribeNewHeads", rpc_params![], "chain_unsubscribeNewHeads")
			.await?)
	}

	/// The number of the last finalised block.
	pub async fn finalised(&self) -> Result<u32, Error> {
		let hash: Hash = self.0.request("chain_getFinalizedHead", rpc_params![]).await?;
		let header: Value = self.0.request("chain_getHeader", rpc_params![hash]).await?;
		number(&header)
	}

	/// What happened in a block.
	pub async fn events(&self, block: Hash) -> Result<Vec<EventRecord<RuntimeEvent, Hash>>, Error> {
		let key = frame_support::storage::storage_prefix(b"System", b"Events");
		Ok(self.storage(&key, block).await?.unwrap_or_default())
	}

	/// What a block took by weight.
	pub async fn weight(&self, block: Hash) -> Result<PerDispatchClass<Weight>, Error> {
		let key = frame_support::storage::storage_prefix(b"System", b"BlockWeight");
		Ok(self.storage(&key, block).await?.unwrap_or_default())
	}

	/// The value under `key` at `block`.
	pub async fn storage<T: Decode>(&self, key: &[u8], block: Hash) -> Result<Option<T>, Error> {
		let key = StorageKey(key.to_vec());
		let value: Option<String> =
			self.0.request("state_getStorage", rpc_params![key, block]).await?;
		let Some(value) = value else { return Ok(None) };
		let unexpected = |what: String| Error::Unexpected(what);
		let bytes = from_hex(&value).map_err(|error| unexpected(error.to_string()))?;
		T::decode(&mut &bytes[..]).map(Some).map_err(|error| unexpected(error.to_string()))
	}
}

/// The number in a header.
pub fn number(header: &Value) -> Result<u32, Error> {
	header["number"]
		.as_str()
		.and_then(|number| u32::from_str_radix(number.trim_start_matches("0x"), 16).ok())
		.ok_or_else(|| Error::Unexpected(format!("a header without a number: {header}")))
}
