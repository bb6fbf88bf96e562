//! The store of a Kubo daemon, by its RPC (<https://docs.ipfs.tech/reference/kubo/rpc/>).
//!
//! Nothing that it says is trusted: answers are bounded, blocks are checked, and every call has a
//! deadline.

use std::{
	collections::HashMap,
	io,
	str::FromStr,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};

use dgcs_content::{
	content_id::{display, from_cid, verify},
	MAX_BLOCK,
};
use dgcs_primitives::{ContentCodec, ContentId};
use futures::{future::join_all, StreamExt};
use litep2p::{types::multiaddr::Multiaddr, PeerId};
use reqwest::{multipart, Client, Response, StatusCode};
use serde::Deserialize;
use tokio::{
	runtime::Handle,
	sync::Semaphore,
	task::AbortHandle,
	time::{interval, MissedTickBehavior},
};

use crate::{
	config::{Kubo as Config, Usage},
	dag,
	error::{Error, Result},
	network::{one_peer, peer_of, ADDRESSES, MOST_LASTING},
	walk::walk,
};

/// The most bytes of an answer that is not a block: a list of pins with a million entries.
const MAX_ANSWER: usize = 128 << 20;

/// How long the daemon may take for what it does by itself.
const LOCAL: Duration = Duration::from_secs(30);

/// How long it may look for a block.
const SEARCH: Duration = Duration::from_secs(60);

/// How long it may take to tell others who provides a block.
const PROVIDE: Duration = Duration::from_secs(120);

/// How long it may take to check that a tree is complete, and to pin it.
const PIN: Duration = Duration::from_secs(600);

/// How many blocks of a tree are in flight.
const WIDTH: usize = 32;

/// The most blocks that are fetched ahead for one call.
const AHEAD: usize = 256;

/// How often the daemon is asked whether it still knows with whom it is to stay connected.
const LOOK: Duration = Duration::from_secs(10);

/// With whom the daemon is to stay connected, and where each is reached.
type Lasting = Mutex<HashMap<PeerId, Vec<Multiaddr>>>;

/// The connection to a daemon.
#[derive(Debug)]
pub(crate) struct Kubo {
	rpc: Rpc,
	runtime: Handle,
	/// The daemon's own peer, if it says who that is.
	own: Option<PeerId>,
	lasting: Arc<Lasting>,
	/// Tells the daemon of lasting connections again.
	reminding: AbortHandle,
	/// How many blocks are fetched ahead at once.
	ahead: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
struct Rpc {
	client: Client,
	url: String,
}

#[derive(Deserialize)]
struct Id {
	#[serde(rename = "Addresses", default)]
	addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Stored {
	#[serde(rename = "Key")]
	key: String,
}

#[derive(Deserialize)]
struct Failure {
	#[serde(rename = "Message")]
	message: String,
}

#[derive(Deserialize)]
struct Peers {
	#[serde(rename = "Peers", default)]
	peers: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Peerings {
	#[serde(rename = "Peers", default)]
	peers: Option<Vec<Peering>>,
}

#[derive(Deserialize)]
struct Peering {
	#[serde(rename = "ID")]
	peer: String,
}

#[derive(Deserialize)]
struct Pins {
	#[serde(rename = "Keys", default)]
	keys: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Repository {
	#[serde(rename = "RepoSize")]
	size: u64,
	#[serde(rename = "StorageMax")]
	most: u64,
	#[serde(rename = "NumObjects", default)]
	objects: u64,
}

/// What the daemon answers.
enum Answer {
	Ok(Vec<u8>),
	/// Its own words for why not.
	Refused(String),
}

impl Kubo {
	/// Connects to the daemon, and checks that it is one.
	pub async fn open(config: &Config) -> Result<Self> {
		let url = config.url.trim_end_matches('/').to_owned();
		let client = Client::builder()
			.connect_timeout(Duration::from_secs(10))
			.redirect(reqwest::redirect::Policy::none())
			.build()
			.map_err(|error| Error::Kubo { url: url.clone(), reason: error.to_string() })?;
		let rpc = Rpc { client, url };
		let own = rpc.addresses().await?.first().and_then(|address| peer_of(address).ok());
		let lasting = Arc::new(Lasting::default());
		let reminding = tokio::spawn(remind(rpc.clone(), lasting.clone())).abort_handle();
		Ok(Kubo {
			rpc,
			runtime: Handle::current(),
			own,
			lasting,
			reminding,
			ahead: Arc::new(Semaphore::new(WIDTH)),
		})
	}

	/// Lets the daemon go its own way.
	pub fn shutdown(&self) {
		self.reminding.abort();
	}

	/// Whether the daemon answers.
	pub async fn check(&self) -> Result<()> {
		self.rpc.done("version", &[], LOCAL).await
	}

	/// Where the daemon's peer is reached.
	pub async fn addresses(&self) -> Result<Vec<Multiaddr>> {
		self.rpc.addresses().await
	}

	/// Connects to a peer, and stays connected.
	pub async fn connect(&self, addresses: &[Multiaddr]) -> Result<()> {
		let peer = one_peer(addresses)?;
		if Some(peer) == self.own {
			// Whoever connects to all of a list is connected to itself.
			return Ok(());
		}
		let addresses: Vec<_> = addresses.iter().take(ADDRESSES).cloned().collect();
		{
			let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
			if lasting.len() < MOST_LASTING || lasting.contains_key(&peer) {
				lasting.insert(peer, addresses.clone());
			} else {
				log::warn!("{MOST_LASTING} connections are to last already; a Kubo daemon that starts again is not told of that to {peer}");
			}
		}
		self.rpc.connect(&addresses).await
	}

	/// Tells others that a block is here.
	pub async fn provide(&self, id: &ContentId) -> Result<()> {
		let call = [("arg", &*display(id)), ("recursive", "false")];
		match self.rpc.call("routing/provide", &call, None, PROVIDE, MAX_ANSWER).await? {
			Answer::Ok(_) => Ok(()),
			Answer::Refused(reason) => {
				log::debug!("{reason}");
				Err(Error::NotProvided(*id))
			},
		}
	}

	/// Fetches what is missing of a tree, and keeps all of it.
	pub async fn pin(&self, root: &ContentId, len: u64) -> Result<()> {
		if self.is_pinned(root).await? {
			return Ok(());
		}
		if dag::is_empty(root) {
			self.put_block(root, Vec::new()).await?;
		}
		// The daemon would fetch a tree of any size: so it is told to fetch block by block.
		let visit = |id: ContentId| async move {
			let found = match id.codec {
				// Its bytes are not needed here.
				ContentCodec::Raw if self.has(&id).await? => return Ok(Vec::new()),
				_ => self.rpc.block(&id, MAX_BLOCK, SEARCH).await?,
			};
			let block = found.ok_or(Error::Missing(id))?;
			if block.len() > MAX_BLOCK {
				return Err(Error::BlockSize { found: block.len(), limit: MAX_BLOCK });
			}
			verify(&id, &block)?;
			dag::children(&id, &block)
		};
		walk(*root, dag::most_blocks(len), WIDTH, visit).await?;
		let call = [("arg", &*display(root)), ("recursive", "true")];
		self.rpc.done("pin/add", &call, PIN).await
	}

	/// Ends a pin. The daemon gives the room back when it collects its garbage.
	pub async fn unpin(&self, root: &ContentId) -> Result<bool> {
		let call = [("arg", &*display(root)), ("recursive", "true")];
		match self.rpc.call("pin/rm", &call, None, LOCAL, MAX_ANSWER).await? {
			Answer::Ok(_) => Ok(true),
			Answer::Refused(reason) if reason.contains("not pinned") => Ok(false),
			Answer::Refused(reason) => Err(self.rpc.refused(reason)),
		}
	}

	/// Whether all of a tree is here and kept.
	pub async fn is_pinned(&self, root: &ContentId) -> Result<bool> {
		let call = [("arg", &*display(root)), ("type", "recursive")];
		match self.rpc.call("pin/ls", &call, None, LOCAL, MAX_ANSWER).await? {
			Answer::Ok(_) => Ok(true),
			Answer::Refused(reason) if reason.contains("not pinned") => Ok(false),
			Answer::Refused(reason) => Err(self.rpc.refused(reason)),
		}
	}

	/// All pinned roots of the daemon whose CIDs are of this network's kind: its owner's own as well.
	pub async fn pinned(&self) -> Result<Vec<ContentId>> {
		let pins: Pins = self.rpc.json("pin/ls", &[("type", "recursive")], LOCAL).await?;
		let ids = pins.keys.keys().filter_map(|text| from_cid(&text.parse().ok()?).ok());
		Ok(ids.collect())
	}

	/// Whether a block is here.
	pub async fn has(&self, id: &ContentId) -> Result<bool> {
		let call = [("arg", &*display(id)), ("offline", "true")];
		match self.rpc.call("block/stat", &call, None, LOCAL, MAX_ANSWER).await? {
			Answer::Ok(_) => Ok(true),
			Answer::Refused(reason) if reason.contains("not found") => Ok(false),
			Answer::Refused(reason) => Err(self.rpc.refused(reason)),
		}
	}

	/// How much there is.
	pub async fn usage(&self) -> Result<Usage> {
		let repository: Repository = self.rpc.json("repo/stat", &[], LOCAL).await?;
		let peers: Peers = self.rpc.json("swarm/peers", &[], LOCAL).await?;
		Ok(Usage {
			used: repository.size,
			capacity: repository.most,
			blocks: repository.objects,
			pins: self.pinned().await?.len() as u64,
			peers: peers.peers.unwrap_or_default().len() as u64,
			..Usage::default()
		})
	}

	/// Stores a block.
	pub fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		self.runtime.block_on(self.put_block(id, bytes.to_vec())).map_err(Error::into_io)
	}

	async fn put_block(&self, id: &ContentId, bytes: Vec<u8>) -> Result<()> {
		let codec = match id.codec {
			ContentCodec::Raw => "raw",
			ContentCodec::DagPb => "dag-pb",
		};
		let call = [("cid-codec", codec), ("mhtype", "blake3"), ("mhlen", "32"), ("pin", "false")];
		let form =
			multipart::Form::new().part("data", multipart::Part::bytes(bytes).file_name("block"));
		match self.rpc.call("block/put", &call, Some(form), LOCAL, MAX_ANSWER).await? {
			Answer::Refused(reason) => Err(self.rpc.refused(reason)),
			Answer::Ok(body) => {
				let stored: Stored = self.rpc.parse(&body)?;
				if stored.key == display(id) {
					return Ok(());
				}
				Err(self.rpc.error(format!(
					"it stored {} where {} was put",
					stored.key,
					display(id)
				)))
			},
		}
	}

	/// Gets a block, from the daemon or from others.
	pub fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		if dag::is_empty(id) {
			return Ok(Some(Vec::new()));
		}
		self.runtime.block_on(self.rpc.block(id, limit, SEARCH)).map_err(Error::into_io)
	}

	/// Fetches ahead.
	pub fn want(&self, ids: &[ContentId]) {
		for id in ids.iter().take(AHEAD) {
			let Ok(permit) = self.ahead.clone().try_acquire_owned() else { return };
			let (rpc, id) = (self.rpc.clone(), *id);
			self.runtime.spawn(async move {
				// The daemon keeps what it fetched. If that fails, whoever gets the block sees why.
				let _ = rpc.block(&id, MAX_BLOCK, SEARCH).await;
				drop(permit);
			});
		}
	}
}

impl Drop for Kubo {
	fn drop(&mut self) {
		self.reminding.abort();
	}
}

/// Tells the daemon again of connections that it does not know of: it forgets them when it ends.
async fn remind(rpc: Rpc, lasting: Arc<Lasting>) {
	let mut ticks = interval(LOOK);
	ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
	loop {
		ticks.tick().await;
		let mut missing = lasting.lock().unwrap_or_else(PoisonError::into_inner).clone();
		if missing.is_empty() {
			continue;
		}
		let known = match rpc.json::<Peerings>("swarm/peering/ls", &[], LOCAL).await {
			Ok(known) => known.peers.unwrap_or_default(),
			Err(error) => {
				log::debug!("{error}");
				continue;
			},
		};
		for peer in known.iter().filter_map(|known| known.peer.parse::<PeerId>().ok()) {
			missing.remove(&peer);
		}
		let again = missing.values().map(|addresses| rpc.connect(addresses));
		for error in join_all(again).await.into_iter().filter_map(Result::err) {
			log::debug!("{error}");
		}
	}
}

impl Rpc {
	async fn addresses(&self) -> Result<Vec<Multiaddr>> {
		let id: Id = self.json("id", &[], LOCAL).await?;
		let addresses = id.addresses.unwrap_or_default();
		Ok(addresses.iter().filter_map(|address| Multiaddr::from_str(address).ok()).collect())
	}

	/// Has the daemon connect to a peer, now and whenever it is lost.
	async fn connect(&self, addresses: &[Multiaddr]) -> Result<()> {
		let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
		let call: Vec<_> = texts.iter().map(|text| ("arg", &**text)).collect();
		// First, so that the daemon also tries again if nobody answers now.
		self.done("swarm/peering/add", &call, LOCAL).await?;
		match self.call("swarm/connect", &call, None, LOCAL, MAX_ANSWER).await? {
			Answer::Ok(_) => Ok(()),
			Answer::Refused(reason) => {
				Err(Error::Unreachable { address: texts.join(", "), reason })
			},
		}
	}

	fn error(&self, reason: impl Into<String>) -> Error {
		Error::Kubo { url: self.url.clone(), reason: reason.into() }
	}

	fn refused(&self, reason: String) -> Error {
		Error::Refused { url: self.url.clone(), reason }
	}

	fn parse<T: for<'a> Deserialize<'a>>(&self, body: &[u8]) -> Result<T> {
		serde_json::from_slice(body)
			.map_err(|error| self.error(format!("its answer is not understood ({error})")))
	}

	/// Calls a command, and reads no more than `limit` bytes and one of its answer.
	async fn call(
		&self,
		command: &str,
		query: &[(&str, &str)],
		form: Option<multipart::Form>,
		deadline: Duration,
		limit: usize,
	) -> Result<Answer> {
		let seconds = format!("{}s", deadline.as_secs());
		let mut request = self
			.client
			.post(format!("{}/api/v0/{command}", self.url))
			// The daemon's own deadline, and ours, should it hang.
			.query(&[("timeout", seconds.as_str())])
			.query(query)
			.timeout(deadline + Duration::from_secs(5));
		if let Some(form) = form {
			request = request.multipart(form);
		}
		let failed = |error: reqwest::Error| {
			if error.is_timeout() {
				return Error::Timeout { what: format!("Kubo's {command}"), limit: deadline };
			}
			let source = std::error::Error::source(&error);
			self.error(
				source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
			)
		};
		let response = request.send().await.map_err(failed)?;
		let status = response.status();
		let body = read(response, limit).await.map_err(failed)?;
		match status {
			StatusCode::OK => Ok(Answer::Ok(body)),
			StatusCode::INTERNAL_SERVER_ERROR => {
				let failure: Failure = self.parse(&body)?;
				Ok(Answer::Refused(failure.message))
			},
			other => {
				let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
				Err(self.error(format!("it answers {command} with {other}: {text}")))
			},
		}
	}

	async fn json<T: for<'a> Deserialize<'a>>(
		&self,
		command: &str,
		query: &[(&str, &str)],
		deadline: Duration,
	) -> Result<T> {
		match self.call(command, query, None, deadline, MAX_ANSWER).await? {
			Answer::Ok(body) => self.parse(&body),
			Answer::Refused(reason) => Err(self.refused(reason)),
		}
	}

	async fn done(&self, command: &str, query: &[(&str, &str)], deadline: Duration) -> Result<()> {
		match self.call(command, query, None, deadline, MAX_ANSWER).await? {
			Answer::Ok(_) => Ok(()),
			Answer::Refused(reason) => Err(self.refused(reason)),
		}
	}

	/// A block, or `None` if it is not found within `deadline`.
	async fn block(
		&self,
		id: &ContentId,
		limit: usize,
		deadline: Duration,
	) -> Result<Option<Vec<u8>>> {
		let text = display(id);
		match self.call("block/get", &[("arg", &*text)], None, deadline, limit).await? {
			Answer::Ok(block) => Ok(Some(block)),
			Answer::Refused(reason)
				if reason.contains("not found") || reason.contains("deadline exceeded") =>
			{
				Ok(None)
			},
			Answer::Refused(reason) => Err(self.refused(reason)),
		}
	}
}

/// Reads no more than `limit` bytes and one.
async fn read(response: Response, limit: usize) -> std::result::Result<Vec<u8>, reqwest::Error> {
	let mut body = Vec::new();
	let mut chunks = response.bytes_stream();
	while let Some(chunk) = chunks.next().await {
		let chunk = chunk?;
		let room = limit.saturating_add(1) - body.len();
		body.extend_from_slice(&chunk[..chunk.len().min(room)]);
		if body.len() > limit {
			break;
		}
	}
	Ok(body)
}
