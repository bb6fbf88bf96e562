//! Requests to whichever of several nodes answers.
//!
//! One connection is open at a time. When it drops, when a request times out, or when the caller
//! finds the node behind, the next node is connected to and the request is sent again. Every request
//! here may be sent twice without harm: reads change nothing, and a signed transaction has a nonce,
//! by which the chain takes it once.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use sp_core::H256;
use subxt::rpcs::{
	client::{RpcParams, RpcSubscription},
	Error as RpcError, RpcClient,
};
use tokio::{
	sync::Mutex,
	time::{sleep, timeout, Instant},
};

use crate::{Error, Result};

/// How long to wait for what, and which chain to expect.
#[derive(Clone, Debug)]
pub struct Options {
	/// The chain's first block. `None`: that of the first node that answers.
	pub genesis: Option<H256>,
	/// For a connection to open, its checks included.
	pub connect: Duration,
	/// For a node's answer to one request.
	pub request: Duration,
	/// For any node at all: how long to go round before giving up.
	pub patience: Duration,
	/// For a new block: a node without one for so long is left for the next.
	pub stall: Duration,
	/// How many blocks a node may be behind its peers when it is connected to.
	pub most_behind: u32,
}

impl Default for Options {
	fn default() -> Self {
		Options {
			genesis: None,
			connect: Duration::from_secs(10),
			request: Duration::from_secs(30),
			patience: Duration::from_secs(60),
			stall: Duration::from_secs(30),
			most_behind: 10,
		}
	}
}

/// The first pause between two rounds over all nodes. Doubles with each round.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A stream of what a subscription brings. It ends, after an error, when the connection does.
pub(crate) type Subscription<T> = Pin<Box<dyn Stream<Item = Result<T>> + Send>>;

/// The nodes, one of which is connected to.
pub(crate) struct Transport {
	urls: Vec<String>,
	options: Options,
	state: Mutex<State>,
}

struct State {
	/// The chain's first block, once known.
	genesis: Option<H256>,
	/// The place in `urls` to try next, or of the open connection.
	place: usize,
	/// How many connections there were.
	count: u64,
	link: Option<Link>,
}

/// An open connection.
#[derive(Clone)]
pub(crate) struct Link {
	/// Which of all connections it is.
	number: u64,
	url: Arc<str>,
	client: RpcClient,
}

impl Link {
	/// Whether this is the same connection.
	pub fn is(&self, other: &Link) -> bool {
		self.number == other.number
	}
}

impl fmt::Debug for Transport {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Transport").field("urls", &self.urls).finish_non_exhaustive()
	}
}

impl Transport {
	/// Checks the URLs. Connects with the first request.
	pub fn new(urls: Vec<String>, options: Options) -> Result<Self> {
		if urls.is_empty() {
			return Err(Error::NoUrl);
		}
		if let Some(url) = urls.iter().find(|url| !is_web_socket(url)) {
			return Err(Error::BadUrl { url: url.clone() });
		}
		let state = State { genesis: options.genesis, place: 0, count: 0, link: None };
		Ok(Transport { urls, options, state: Mutex::new(state) })
	}

	/// How long to wait for what.
	pub fn options(&self) -> &Options {
		&self.options
	}

	/// The chain's first block. Connects if there was no connection yet.
	pub async fn genesis(&self) -> Result<H256> {
		self.link().await?;
		self.state.lock().await.genesis.ok_or(Error::Closed)
	}

	/// The node that is asked at the moment.
	pub async fn url(&self) -> Result<Arc<str>> {
		Ok(self.link().await?.url)
	}

	/// Asks a node, and another one if that fails. A refusal is an answer.
	pub async fn request<T: DeserializeOwned>(&self, method: &str, params: RpcParams) -> Result<T> {
		let deadline = Instant::now() + self.options.patience + self.options.request;
		let params = params.build();
		loop {
			let link = self.link().await?;
			let answer = link.client.request_raw(method, params.clone());
			let error = match within(self.options.request, method, answer).await {
				Ok(Ok(value)) => {
					return serde_json::from_str(value.get())
						.map_err(|error| Error::answer(method, error));
				},
				Ok(Err(RpcError::User(refusal))) => return Err(refused(method, refusal)),
				Ok(Err(error)) => Error::Unreachable {
					reason: format!("{}: {error}", link.url),
					tried: self.options.request,
				},
				Err(error) => error,
			};
			log::debug!(target: "client", "{method} failed at {}: {error}", link.url);
			self.leave(&link, &error).await;
			if Instant::now() >= deadline {
				return Err(error);
			}
		}
	}

	/// Subscribes at a node. The stream ends with an error when that node is lost; the link says
	/// which it was, so that it can be left.
	pub async fn subscribe<T: DeserializeOwned + Send + 'static>(
		&self,
		method: &str,
		unsubscribe: &str,
	) -> Result<(Link, Subscription<T>)> {
		loop {
			let link = self.link().await?;
			let opening = link.client.subscribe::<T>(method, RpcParams::new(), unsubscribe);
			match within(self.options.request, method, opening).await {
				Ok(Ok(stream)) => {
					let stream = items(method.into(), link.url.clone(), stream);
					return Ok((link, stream));
				},
				Ok(Err(RpcError::User(refusal))) => {
					// Another node may allow it.
					let error = refused(method, refusal);
					self.leave(&link, &error).await;
					return Err(error);
				},
				Ok(Err(error)) => self.leave(&link, &error).await,
				Err(error) => self.leave(&link, &error).await,
			}
		}
	}

	/// Closes this connection, if it is still the one in use, so that the next request goes to the
	/// next node.
	pub async fn leave(&self, link: &Link, why: &impl fmt::Display) {
		let mut state = self.state.lock().await;
		if state.link.as_ref().is_some_and(|current| current.number == link.number) {
			log::warn!(target: "client", "Leaving {}: {why}", link.url);
			state.link = None;
			state.place = (state.place + 1) % self.urls.len();
		}
	}

	/// The open connection, or a new one to the next node that answers and is fit.
	async fn link(&self) -> Result<Link> {
		// Held while connecting: everybody waits for the same connection.
		let mut state = self.state.lock().await;
		if let Some(link) = &state.link {
			return Ok(link.clone());
		}
		let start = Instant::now();
		let mut pause = FIRST_PAUSE;
		loop {
			let mut errors = Vec::new();
			for step in 0..self.urls.len() {
				let place = (state.place + step) % self.urls.len();
				let Some(url) = self.urls.get(place) else { continue };
				match self.open(url, state.genesis).await {
					Ok((client, genesis)) => {
						log::debug!(target: "client", "Connected to {url}");
						state.genesis = Some(genesis);
						state.place = place;
						state.count += 1;
						let link = Link { number: state.count, url: url.as_str().into(), client };
						state.link = Some(link.clone());
						return Ok(link);
					},
					Err(error) => errors.push(error),
				}
			}
			// A node of another chain stays one.
			let hopeless = errors.iter().all(|error| matches!(error, Error::OtherChain { .. }));
			if hopeless || start.elapsed() + pause > self.options.patience {
				return Err(summary(errors, start.elapsed()));
			}
			sleep(pause).await;
			pause = (pause * 2).min(LONGEST_PAUSE);
		}
	}

	/// Connects to a node, and checks that it is of the right chain and not behind.
	async fn open(&self, url: &str, expected: Option<H256>) -> Result<(RpcClient, H256)> {
		let opening = async {
			let client = connect(url).await?;
			let genesis = ask(&client, "chain_getBlockHash", subxt::rpcs::rpc_params![0u32]);
			let found: H256 = genesis.await?;
			if let Some(expected) = expected.filter(|expected| *expected != found) {
				return Err(Error::OtherChain { url: url.into(), expected, found });
			}
			let sync: SyncState = ask(&client, "system_syncState", RpcParams::new()).await?;
			let blocks = sync.highest_block.saturating_sub(sync.current_block);
			if blocks > self.options.most_behind {
				return Err(Error::Lagging { url: url.into(), blocks });
			}
			Ok((client, found))
		};
		within(self.options.connect, url, opening).await?
	}
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct SyncState {
	current_block: u32,
	#[serde(default)]
	highest_block: u32,
}

/// Whether a URL is one that a node's RPC can be reached at.
pub(crate) fn is_web_socket(url: &str) -> bool {
	["ws://", "wss://"]
		.iter()
		.any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

/// Opens a connection, and checks nothing.
pub(crate) async fn connect(url: &str) -> Result<RpcClient> {
	// The network is not trusted with anything that TLS would protect: what is secret is sealed, and
	// what is true is signed. Most nodes listen on loopback.
	RpcClient::from_insecure_url(url).await.map_err(|error| Error::Unreachable {
		reason: format!("{url}: {error}"),
		tried: Duration::ZERO,
	})
}

/// Asks one node, once.
pub(crate) async fn ask<T: DeserializeOwned>(
	client: &RpcClient,
	method: &str,
	params: RpcParams,
) -> Result<T> {
	client.request(method, params).await.map_err(|error| match error {
		RpcError::User(refusal) => refused(method, refusal),
		RpcError::Deserialization(error) => Error::answer(method, error),
		error => Error::Unreachable { reason: error.to_string(), tried: Duration::ZERO },
	})
}

/// Waits for `future`, but no longer than `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, what: &str, future: F) -> Result<F::Output> {
	timeout(limit, future).await.map_err(|_| Error::TimedOut { what: what.into(), limit })
}

/// A node's refusal. What it adds in `data`, if that is text, is the more telling half.
fn refused(method: &str, refusal: subxt::rpcs::UserError) -> Error {
	let detail: Option<String> =
		refusal.data.and_then(|data| serde_json::from_str(data.get()).ok());
	let message = match detail {
		Some(detail) => format!("{}: {detail}", refusal.message),
		None => refusal.message,
	};
	Error::Refused { method: method.into(), code: refusal.code, message }
}

/// The items of a subscription, and an error at its end: nobody here unsubscribes but by dropping.
fn items<T: DeserializeOwned + Send + 'static>(
	method: String,
	url: Arc<str>,
	stream: RpcSubscription<T>,
) -> Subscription<T> {
	let lost = Error::Unreachable { reason: format!("{url} is gone"), tried: Duration::ZERO };
	let items = stream.map(move |item| item.map_err(|error| Error::answer(&method, error)));
	Box::pin(items.chain(futures::stream::once(async { Err(lost) })))
}

/// One error for those of a whole round: the telling one if there is but one, or all in a row.
fn summary(mut errors: Vec<Error>, tried: Duration) -> Error {
	let first_telling = errors.iter().position(|error| !matches!(error, Error::Unreachable { .. }));
	match (first_telling, errors.len()) {
		(Some(_), 1) => errors.remove(0),
		(Some(place), _)
			if errors.iter().all(|error| matches!(error, Error::OtherChain { .. })) =>
		{
			errors.remove(place)
		},
		_ => {
			let reasons: Vec<String> = errors.iter().map(reason).collect();
			Error::Unreachable { reason: reasons.join("; "), tried }
		},
	}
}

fn reason(error: &Error) -> String {
	match error {
		Error::Unreachable { reason, .. } => reason.clone(),
		other => other.to_string(),
	}
}
