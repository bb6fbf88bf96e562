//! The store with an IPFS peer in this process: the database of blocks, and the network behind it.

use std::{
	collections::HashMap,
	io,
	sync::{Arc, PoisonError, RwLock},
	time::Duration,
};

use dgcs_content::MAX_BLOCK;
use dgcs_primitives::{ContentCodec, ContentId};
use litep2p::{types::multiaddr::Multiaddr, PeerId};
use tokio::{
	sync::{mpsc, oneshot, Mutex},
	task::{spawn_blocking, JoinHandle},
	time::timeout,
};

use crate::{
	bitswap::{Answer, Command, Exchange, Failed, Handle, Timing},
	config::{Embedded as Config, Usage},
	dag,
	database::{Database, Digest, Keep, MAX_STORED},
	error::{Error, Result},
	network::{self, Network, Request},
	walk::walk,
};

/// How many blocks of a tree are in flight while it is fetched. With 256 KiB a block, 64 MiB.
const WIDTH: usize = 256;

/// The most blocks that are fetched ahead for one call.
const AHEAD: usize = 256;

/// How many trees are pinned in one step, which waits for the disk once.
const AT_ONCE: usize = 64;

/// How often a pin is tried anew when some of its blocks went between fetching and pinning.
const TRIES: usize = 3;

/// How long others may take to note who provides a block.
const PROVIDE: Duration = Duration::from_secs(30);

/// How long the parts of the store may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// The store.
#[derive(Debug)]
pub(crate) struct Embedded {
	/// None after the shutdown.
	parts: RwLock<Option<Parts>>,
	end: Mutex<Option<JoinHandle<()>>>,
	addresses: Vec<Multiaddr>,
	timing: Timing,
}

#[derive(Clone, Debug)]
struct Parts {
	database: Arc<Database>,
	exchange: Handle,
	requests: mpsc::Sender<Request>,
}

impl Embedded {
	/// Opens the store, and connects to its peers.
	pub async fn open(config: &Config) -> Result<Self> {
		Self::open_with(config, Timing::default()).await
	}

	pub(crate) async fn open_with(config: &Config, timing: Timing) -> Result<Self> {
		let mut peers: HashMap<PeerId, Vec<Multiaddr>> = HashMap::new();
		for address in &config.peers {
			peers.entry(network::peer_of(address)?).or_default().push(address.clone());
		}
		let (dir, capacity) = (config.dir.clone(), config.capacity);
		let database = blocking(move || Database::open(&dir, capacity)).await?;
		let database = Arc::new(database);
		let (protocol, exchange, lookups) = Exchange::new(database.clone(), timing);
		let Network { peer, addresses, requests, end } =
			network::start(config, protocol, exchange.commands.clone(), lookups)?;
		log::info!("the store is peer {peer}");
		let store = Embedded {
			parts: RwLock::new(Some(Parts { database, exchange, requests })),
			end: Mutex::new(Some(end)),
			addresses,
			timing,
		};
		for addresses in peers.values() {
			// Tried again and again: the store is of use without them.
			store.dial(addresses).await?;
		}
		Ok(store)
	}

	fn parts(&self) -> Result<Parts> {
		self.parts.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Closed)
	}

	/// Where others reach it.
	pub fn addresses(&self) -> Vec<Multiaddr> {
		self.addresses.clone()
	}

	async fn dial(
		&self,
		addresses: &[Multiaddr],
	) -> Result<oneshot::Receiver<std::result::Result<(), String>>> {
		let peer = network::one_peer(addresses)?;
		let (sender, receiver) = oneshot::channel();
		let addresses = addresses.iter().take(network::ADDRESSES).cloned().collect();
		let command = Command::Connect(peer, addresses, sender);
		self.parts()?.exchange.commands.send(command).await.map_err(|_| Error::Closed)?;
		Ok(receiver)
	}

	/// Connects to a peer, and stays connected.
	pub async fn connect(&self, addresses: &[Multiaddr]) -> Result<()> {
		let done = self.dial(addresses).await?;
		let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
		let unreachable = |reason| Error::Unreachable { address: all.join(", "), reason };
		// The exchange has the deadline; this one is for an exchange that is too busy to keep it.
		let deadline = self.timing.dial * 2;
		match timeout(deadline, done).await {
			Ok(Ok(result)) => result.map_err(unreachable),
			Ok(Err(_)) => Err(Error::Closed),
			Err(_) => Err(unreachable(format!("nobody answers within {deadline:?}"))),
		}
	}

	/// Tells others that a block is here.
	pub async fn provide(&self, id: &ContentId) -> Result<()> {
		let (sender, receiver) = oneshot::channel();
		let request = Request::Provide(*id, sender);
		self.parts()?.requests.send(request).await.map_err(|_| Error::Closed)?;
		match timeout(PROVIDE, receiver).await {
			Ok(Ok(true)) => Ok(()),
			Ok(Err(_)) => Err(Error::Closed),
			Ok(Ok(false)) | Err(_) => Err(Error::NotProvided(*id)),
		}
	}

	/// Fetches what is missing of each tree, and keeps all of them.
	pub async fn pin(&self, trees: &[(ContentId, u64)]) -> Result<()> {
		let Parts { database, exchange, .. } = self.parts()?;
		for trees in trees.chunks(AT_ONCE) {
			for attempt in 1.. {
				let mut found = Vec::new();
				for (root, len) in trees.iter().copied() {
					if on(&database, move |database| database.is_pinned(&root)).await? {
						continue;
					}
					let most = dag::most_blocks(len);
					let visit = |id| visit(database.clone(), exchange.clone(), id);
					let ids = walk(root, most, WIDTH, visit).await?;
					let mut digests: Vec<Digest> = ids.iter().map(|id| id.digest.0).collect();
					// One block can have two names.
					digests.sort_unstable();
					digests.dedup();
					found.push((root, digests));
				}
				if found.is_empty() {
					break;
				}
				match on(&database, move |database| database.pin(&found)).await {
					Err(Error::Missing(_)) if attempt < TRIES => {},
					result => {
						result?;
						break;
					},
				}
			}
		}
		Ok(())
	}

	/// Ends a pin, and gives the room back.
	pub async fn unpin(&self, root: &ContentId) -> Result<bool> {
		let (database, root) = (self.parts()?.database, *root);
		on(&database, move |database| database.unpin(&root)).await
	}

	/// Whether all of a tree is here and kept.
	pub async fn is_pinned(&self, root: &ContentId) -> Result<bool> {
		let (database, root) = (self.parts()?.database, *root);
		on(&database, move |database| database.is_pinned(&root)).await
	}

	/// All pinned roots.
	pub async fn pinned(&self) -> Result<Vec<ContentId>> {
		on(&self.parts()?.database, |database| database.pinned()).await
	}

	/// Whether a block is here.
	pub async fn has(&self, id: &ContentId) -> Result<bool> {
		let (database, digest) = (self.parts()?.database, id.digest.0);
		on(&database, move |database| database.has(&digest)).await
	}

	/// Whether blocks are taken: not after a write has failed.
	pub async fn check(&self) -> Result<()> {
		self.parts()?.database.check()
	}

	/// How much there is.
	pub async fn usage(&self) -> Result<Usage> {
		use std::sync::atomic::Ordering::Relaxed;
		let Parts { database, exchange, .. } = self.parts()?;
		let usage = on(&database, |database| database.usage()).await?;
		Ok(Usage {
			peers: exchange.connected.load(Relaxed) as u64,
			received: exchange.traffic.received.load(Relaxed),
			sent: exchange.traffic.sent.load(Relaxed),
			..usage
		})
	}

	/// Stops the peer, brings everything to disk, and lets go of the directory.
	pub async fn shutdown(&self) -> Result<()> {
		let parts = self.parts.write().unwrap_or_else(PoisonError::into_inner).take();
		let Some(Parts { mut database, exchange, requests }) = parts else { return Ok(()) };
		drop((exchange, requests));
		let stopping = async {
			if let Some(end) = self.end.lock().await.take() {
				// A panic there was reported when it happened.
				let _ = end.await;
			}
			// Threads that read or write blocks for others end by themselves.
			loop {
				match Arc::try_unwrap(database) {
					Ok(database) => {
						return blocking(move || {
							drop(database);
							Ok(())
						})
						.await
					},
					Err(shared) => database = shared,
				}
				tokio::time::sleep(Duration::from_millis(5)).await;
			}
		};
		timeout(STOP, stopping).await.unwrap_or_else(|_| {
			Err(Error::Timeout { what: "to stop the store".into(), limit: STOP })
		})
	}

	/// Stores a block.
	pub fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		let put = || self.parts()?.database.put(id.digest.as_fixed_bytes(), bytes, Keep::Session);
		put().map_err(Error::into_io)
	}

	/// Gets a block, from here or from others.
	pub fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		self.get_block(id, limit).map_err(Error::into_io)
	}

	fn get_block(&self, id: &ContentId, limit: usize) -> Result<Option<Vec<u8>>> {
		if dag::is_empty(id) {
			return Ok(Some(Vec::new()));
		}
		let Parts { database, exchange, .. } = self.parts()?;
		loop {
			if let Some(mut block) = database.get(id.digest.as_fixed_bytes())? {
				block.truncate(limit.saturating_add(1));
				return Ok(Some(block));
			}
			let (sender, receiver) = oneshot::channel();
			let command = Command::Want(*id, Keep::Cache, sender);
			exchange.commands.blocking_send(command).map_err(|_| Error::Closed)?;
			match receiver.blocking_recv().map_err(|_| Error::Closed)? {
				Answer::Block(block, stored) => {
					if let Err(error) = stored {
						log::debug!("a fetched block is not kept: {error}");
					}
					let mut block = Arc::unwrap_or_clone(block);
					block.truncate(limit.saturating_add(1));
					return Ok(Some(block));
				},
				Answer::Here => {},
				Answer::Failed(Failed::Missing) => return Ok(None),
				Answer::Failed(Failed::TimedOut) => {
					let limit = self.timing.limits.deadline;
					return Err(Error::Timeout { what: "to get a block".into(), limit });
				},
			}
		}
	}

	/// Fetches ahead.
	pub fn want(&self, ids: &[ContentId]) {
		let Ok(Parts { database, exchange, .. }) = self.parts() else { return };
		let missing = ids.iter().take(AHEAD).filter(|id| {
			// If this can't be read, whoever gets the block sees why.
			!database.has(id.digest.as_fixed_bytes()).unwrap_or(true)
		});
		let missing: Vec<_> = missing.copied().collect();
		if !missing.is_empty() {
			// Fetching ahead is a service: while the exchange is busy it can be left out.
			let _ = exchange.commands.try_send(Command::Ahead(missing));
		}
	}
}

/// Sees to it that a block is here and stays for this session, and says which blocks it names.
async fn visit(database: Arc<Database>, exchange: Handle, id: ContentId) -> Result<Vec<ContentId>> {
	loop {
		let here = on(&database, move |database| {
			let digest = id.digest.as_fixed_bytes();
			if dag::is_empty(&id) {
				database.put(digest, &[], Keep::Session)?;
			}
			if !database.keep(digest)? {
				return Ok(None);
			}
			if id.codec == ContentCodec::Raw {
				return Ok(Some(Vec::new()));
			}
			database.get(digest)?.map(|block| dag::children(&id, &block)).transpose()
		});
		if let Some(children) = here.await? {
			return Ok(children);
		}
		let (sender, receiver) = oneshot::channel();
		let command = Command::Want(id, Keep::Session, sender);
		exchange.commands.send(command).await.map_err(|_| Error::Closed)?;
		match receiver.await.map_err(|_| Error::Closed)? {
			Answer::Block(block, Ok(())) => return dag::children(&id, &block),
			Answer::Block(block, Err(_)) if block.len() > MAX_BLOCK => {
				return Err(Error::BlockSize { found: block.len(), limit: MAX_BLOCK });
			},
			Answer::Block(_, Err(error)) => {
				return Err(match &*error {
					Error::Full { used, capacity, needed } => {
						Error::Full { used: *used, capacity: *capacity, needed: *needed }
					},
					other => Error::Broken(other.to_string()),
				});
			},
			Answer::Here => {},
			Answer::Failed(_) => return Err(Error::Missing(id)),
		}
	}
}

/// Does `work` with the database on a thread that may wait.
async fn on<R: Send + 'static>(
	database: &Arc<Database>,
	work: impl FnOnce(&Database) -> Result<R> + Send + 'static,
) -> Result<R> {
	let database = database.clone();
	blocking(move || work(&database)).await
}

/// Does `work` on a thread that may wait. A panic in it is an error.
pub(crate) async fn blocking<R: Send + 'static>(
	work: impl FnOnce() -> Result<R> + Send + 'static,
) -> Result<R> {
	spawn_blocking(work).await.map_err(|error| Error::Broken(error.to_string()))?
}

const _: () = assert!(MAX_BLOCK <= MAX_STORED);
