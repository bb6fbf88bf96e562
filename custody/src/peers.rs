//! Other masternodes, over their JSON-RPC.

use std::time::Duration;

use codec::Encode;
use dgcs_rpc::masternode::HAND_OVER;
use jsonrpsee::{
	client_transport::ws::{Url, WsTransportClientBuilder},
	core::client::{ClientBuilder, ClientT, Error as ClientError},
	rpc_params,
};
use sp_core::Bytes;
use tokio::{runtime::Handle, time::timeout};

use crate::{
	edges::{PeerError, Peers},
	hand_over::Offer,
	rpc::OFFER_NOT_NOW,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take: the other fetches a blob of up to 32 MiB before.
const ANSWER: Duration = Duration::from_secs(360);
/// The most bytes of an answer.
const MOST: u32 = 64 << 10;

/// Masternodes at `ws://host:port`, one connection for each offer.
#[derive(Clone, Debug)]
pub struct WebSockets(Handle);

impl WebSockets {
	/// Connections are driven by the runtime behind `handle`; offers are made from threads that may
	/// wait, never from its own.
	pub fn new(handle: Handle) -> Self {
		WebSockets(handle)
	}
}

impl Peers for WebSockets {
	fn hand_over(&self, address: &str, offer: &Offer) -> Result<(), PeerError> {
		self.0.block_on(hand_over(address, offer))
	}
}

async fn hand_over(address: &str, offer: &Offer) -> Result<(), PeerError> {
	let unreachable = |reason: String| PeerError::Unreachable { address: address.into(), reason };
	// Whoever registers such an address can't be reached by workers either.
	let refused = |reason: String| PeerError::Refused { address: address.into(), reason };
	let url = Url::parse(address).map_err(|error| refused(error.to_string()))?;
	let connect = WsTransportClientBuilder { max_response_size: MOST, ..Default::default() };
	let (sender, receiver) = timeout(CONNECT, connect.build(url))
		.await
		.map_err(|_| unreachable(format!("no connection within {} s", CONNECT.as_secs())))?
		.map_err(|error| unreachable(error.to_string()))?;
	let client =
		ClientBuilder::default().request_timeout(ANSWER).build_with_tokio(sender, receiver);
	let params = rpc_params![Bytes(offer.encode())];
	match client.request::<bool, _>(HAND_OVER, params).await {
		Ok(true) => Ok(()),
		Ok(false) => Err(refused("it did not say why".into())),
		Err(ClientError::Call(error)) if error.code() == OFFER_NOT_NOW => {
			Err(PeerError::NotReady { address: address.into(), reason: error.message().to_owned() })
		},
		Err(ClientError::Call(error)) => Err(refused(error.message().to_owned())),
		Err(error) => Err(unreachable(error.to_string())),
	}
}
