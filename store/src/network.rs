//! The peer on the network: its connections, its name, and who provides what.
//!
//! [`Exchange`](crate::bitswap::Exchange) asks for blocks; here is what it needs to find others.

use std::{
	collections::HashMap,
	future::Future,
	path::Path,
	pin::Pin,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant},
};

use dgcs_content::content_id::to_cid;
use dgcs_primitives::ContentId;
use futures::StreamExt;
use litep2p::{
	config::ConfigBuilder,
	crypto::ed25519::{Keypair, SecretKey},
	executor::Executor,
	protocol::libp2p::{
		identify::{self, IdentifyEvent},
		kademlia::{
			self, IncomingRecordValidationMode, KademliaEvent, KademliaHandle, QueryId, Quorum,
			RecordKey,
		},
		ping,
	},
	transport::{tcp, ConnectionLimitsConfig},
	types::multiaddr::{Multiaddr, Protocol},
	Litep2p, PeerId, ProtocolName,
};
use tokio::{
	sync::{mpsc, oneshot},
	task::{JoinHandle, JoinSet},
};

use crate::{
	bitswap::{Command, Exchange},
	config::Embedded,
	error::{at, Error, Result},
};

/// The names under which peers find blocks' providers: our own network, and the private network that
/// Kubos in one place make up. Not the public one, whose members would be served by whoever has a
/// public address.
const KADEMLIA: [&str; 2] = ["/dgcs/kad/1.0.0", "/ipfs/lan/kad/1.0.0"];

/// The most connections that others made, and that this peer made.
const CONNECTIONS: (usize, usize) = (512, 256);

/// The most streams of a connection, and bytes that it buffers: 256 KiB for each stream.
const STREAMS: usize = 64;

/// How long a connection without streams stays.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The most blocks that providers are known of, for others. One has up to 20 providers.
const MOST_PROVIDED: usize = 32_768;

/// How many lookups run at once.
const LOOKUPS: usize = 16;

/// How long a lookup may take.
const LOOKUP: Duration = Duration::from_secs(20);

/// How many addresses are kept of a peer.
pub(crate) const ADDRESSES: usize = 16;

/// How many connections are to last, at most.
pub(crate) const MOST_LASTING: usize = 256;

/// What the network is asked for.
#[derive(Debug)]
pub(crate) enum Request {
	/// Tells others that a block is here.
	Provide(ContentId, oneshot::Sender<bool>),
}

/// The running peer.
#[derive(Debug)]
pub(crate) struct Network {
	pub peer: PeerId,
	/// Where it is reached, with its name.
	pub addresses: Vec<Multiaddr>,
	pub requests: mpsc::Sender<Request>,
	/// Ends when all tasks of the peer have ended, after `requests` was closed.
	pub end: JoinHandle<()>,
}

/// Starts the peer.
pub(crate) fn start(
	config: &Embedded,
	exchange: Exchange,
	commands: mpsc::Sender<Command>,
	lookups: mpsc::Receiver<ContentId>,
) -> Result<Network> {
	let keypair = identity(&config.dir.join("identity"))?;
	let tasks = Tasks::default();
	let agent = concat!("dgcs/", env!("CARGO_PKG_VERSION"));
	let (identify, identified) = identify::Config::new("dgcs/1".into(), Some(agent.into()));
	let (ping, pings) = ping::Config::default();
	let (kademlia, providers) = kademlia::ConfigBuilder::new()
		.with_protocol_names(KADEMLIA.map(ProtocolName::from).into())
		// Records of values are of no use here, so that nobody can leave any.
		.with_incoming_records_validation_mode(IncomingRecordValidationMode::Manual)
		.with_max_provider_keys(MOST_PROVIDED)
		.build();
	let mut yamux = litep2p::yamux::Config::default();
	yamux.set_max_num_streams(STREAMS).set_max_connection_receive_window(Some(STREAMS << 18));
	let limits = ConnectionLimitsConfig::default()
		.max_incoming_connections(Some(CONNECTIONS.0))
		.max_outgoing_connections(Some(CONNECTIONS.1));
	let mut builder = ConfigBuilder::new()
		.with_keypair(keypair)
		.with_executor(Arc::new(tasks.clone()))
		.with_tcp(tcp::config::Config {
			listen_addresses: config.listen.clone(),
			nodelay: true,
			yamux_config: yamux,
			..Default::default()
		})
		.with_connection_limits(limits)
		.with_keep_alive_timeout(KEEP_ALIVE)
		.with_libp2p_identify(identify)
		.with_libp2p_ping(ping)
		.with_libp2p_kademlia(kademlia)
		.with_user_protocol(Box::new(exchange));
	if Path::new("/etc/resolv.conf").exists() {
		builder = builder.with_system_resolver();
	}
	let litep2p =
		Litep2p::new(builder.build()).map_err(|error| Error::Network(error.to_string()))?;

	let peer = *litep2p.local_peer_id();
	let listening = litep2p.listen_addresses().cloned();
	let external = config.external.iter().map(|address| named(address.clone(), peer));
	let addresses: Vec<_> = external.chain(listening).collect();
	for address in &addresses {
		if let Err(error) = litep2p.public_addresses().add_address(address.clone()) {
			log::debug!("{address} is not told others: {error:?}");
		}
	}
	let (requests, receiver) = mpsc::channel(64);
	let peer_task = Peer {
		litep2p,
		providers,
		identified: Box::new(identified),
		pings,
		commands,
		lookups,
		requests: receiver,
		queries: HashMap::new(),
	};
	let end = tokio::spawn(async move {
		peer_task.run().await;
		tasks.end().await;
	});
	Ok(Network { peer, addresses, requests, end })
}

/// The peer at the end of an address.
pub(crate) fn peer_of(address: &Multiaddr) -> Result<PeerId> {
	let name = address.iter().last().and_then(|last| match last {
		Protocol::P2p(name) => PeerId::from_bytes(&name.to_bytes()).ok(),
		_ => None,
	});
	name.ok_or_else(|| Error::Address {
		address: address.to_string(),
		reason: "it does not end with /p2p/ and the name of a peer".into(),
	})
}

/// The peer that all of `addresses` lead to.
pub(crate) fn one_peer(addresses: &[Multiaddr]) -> Result<PeerId> {
	let mut last = None;
	for address in addresses {
		let peer = peer_of(address)?;
		if last.is_some_and(|last| last != peer) {
			return Err(Error::Address {
				address: address.to_string(),
				reason: "it names another peer than the address before".into(),
			});
		}
		last = Some(peer);
	}
	last.ok_or_else(|| Error::Address {
		address: "nowhere".into(),
		reason: "a peer has one address at least".into(),
	})
}

fn named(address: Multiaddr, peer: PeerId) -> Multiaddr {
	match address.iter().last() {
		Some(Protocol::P2p(_)) => address,
		_ => address.with(Protocol::P2p(peer.into())),
	}
}

/// The key of this peer, by which others know it: made at the first start.
fn identity(path: &Path) -> Result<Keypair> {
	let secret = match std::fs::read(path) {
		Ok(bytes) => {
			let damaged = || Error::Identity { path: path.into() };
			let bytes: [u8; 32] = bytes.try_into().map_err(|_| damaged())?;
			SecretKey::try_from_bytes(bytes).map_err(|_| damaged())?
		},
		Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
			let secret = SecretKey::generate();
			let mut file = tempfile::Builder::new()
				.tempfile_in(path.parent().unwrap_or(path))
				.map_err(at(path))?;
			// Only its owner may read it: so is every temporary file made.
			std::io::Write::write_all(&mut file, &secret.to_bytes()).map_err(at(path))?;
			file.as_file().sync_all().map_err(at(path))?;
			file.persist(path).map_err(|error| at(path)(error.error))?;
			secret
		},
		Err(error) => return Err(at(path)(error)),
	};
	Ok(Keypair::from(secret))
}

/// The tasks of the peer, so that they can be ended.
#[derive(Clone, Debug, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
	async fn end(&self) {
		let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
		tasks.shutdown().await;
	}
}

impl Executor for Tasks {
	fn run(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
		let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		while tasks.try_join_next().is_some() {}
		tasks.spawn(future);
	}

	fn run_with_name(&self, _: &'static str, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
		self.run(future);
	}
}

/// What waits for a query.
enum Query {
	Lookup(ContentId),
	Provide(oneshot::Sender<bool>),
}

struct Peer {
	litep2p: Litep2p,
	providers: KademliaHandle,
	identified: Box<dyn futures::Stream<Item = IdentifyEvent> + Send + Unpin>,
	pings: Box<dyn futures::Stream<Item = ping::PingEvent> + Send + Unpin>,
	commands: mpsc::Sender<Command>,
	lookups: mpsc::Receiver<ContentId>,
	requests: mpsc::Receiver<Request>,
	queries: HashMap<QueryId, (Query, Instant)>,
}

impl Peer {
	/// Runs until nobody can request anything any more.
	async fn run(mut self) {
		let mut tick = tokio::time::interval(Duration::from_secs(1));
		loop {
			tokio::select! {
				request = self.requests.recv() => match request {
					Some(request) => self.on_request(request).await,
					None => return,
				},
				event = self.litep2p.next_event() => match event {
					Some(event) => log::trace!("{event:?}"),
					None => return,
				},
				Some(id) = self.lookups.recv(), if self.queries.len() < LOOKUPS => {
					let query = self.providers.get_providers(key(&id)).await;
					self.queries.insert(query, (Query::Lookup(id), Instant::now()));
				},
				Some(event) = self.providers.next() => self.on_kademlia(event).await,
				Some(event) = self.identified.next() => self.on_identified(event).await,
				Some(_) = self.pings.next() => {},
				_ = tick.tick() => {
					let late: Vec<_> = self.queries.iter()
						.filter(|(_, (_, since))| since.elapsed() >= LOOKUP)
						.map(|(query, _)| *query)
						.collect();
					for query in late {
						self.on_failed(&query).await;
					}
				},
			}
		}
	}

	async fn on_request(&mut self, request: Request) {
		match request {
			Request::Provide(id, sender) => {
				let query = self.providers.start_providing(key(&id), Quorum::One).await;
				self.queries.insert(query, (Query::Provide(sender), Instant::now()));
			},
		}
	}

	async fn on_kademlia(&mut self, event: KademliaEvent) {
		match event {
			KademliaEvent::GetProvidersSuccess { query_id, providers, .. } => {
				let Some((Query::Lookup(id), _)) = self.queries.remove(&query_id) else { return };
				let found = providers.into_iter().map(|found| {
					(found.peer, found.addresses.into_iter().take(ADDRESSES).collect())
				});
				let found = found.collect();
				let _ = self.commands.send(Command::Providers(id, found)).await;
			},
			KademliaEvent::AddProviderSuccess { query_id, .. } => {
				if let Some((Query::Provide(sender), _)) = self.queries.remove(&query_id) {
					let _ = sender.send(true);
				}
			},
			KademliaEvent::QueryFailed { query_id } => self.on_failed(&query_id).await,
			_ => {},
		}
	}

	async fn on_failed(&mut self, query: &QueryId) {
		match self.queries.remove(query) {
			Some((Query::Lookup(id), _)) => {
				let _ = self.commands.send(Command::Providers(id, Vec::new())).await;
			},
			Some((Query::Provide(sender), _)) => drop(sender.send(false)),
			None => {},
		}
	}

	async fn on_identified(&mut self, event: IdentifyEvent) {
		let IdentifyEvent::PeerIdentified { peer, supported_protocols, listen_addresses, .. } =
			event;
		let serves = |name| supported_protocols.contains(&ProtocolName::from(name));
		if KADEMLIA.into_iter().any(serves) {
			let addresses =
				listen_addresses.into_iter().take(ADDRESSES).map(|address| named(address, peer));
			self.providers.add_known_peer(peer, addresses.collect()).await;
		}
	}
}

/// The name of a block among providers: its multihash, as Kubo has it.
fn key(id: &ContentId) -> RecordKey {
	RecordKey::new(&to_cid(id).hash().to_bytes())
}

#[cfg(test)]
mod tests {
	use std::os::unix::fs::PermissionsExt;

	use super::*;

	#[test]
	fn a_peer_keeps_its_name() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let path = folder.path().join("identity");
		let name = |path: &Path| identity(path).expect("is made or read").public().to_peer_id();
		let first = name(&path);
		assert_eq!(name(&path), first);
		let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
		assert_eq!(mode & 0o777, 0o600);
		std::fs::write(&path, b"short").expect("can be written");
		let Err(Error::Identity { path: damaged }) = identity(&path) else { panic!() };
		assert_eq!(damaged, path);
	}

	#[test]
	fn addresses_name_their_peer() {
		let peer = Keypair::generate().public().to_peer_id();
		let plain: Multiaddr = "/ip4/127.0.0.1/tcp/4001".parse().expect("an address");
		assert!(matches!(peer_of(&plain), Err(Error::Address { .. })));
		assert!(matches!(one_peer(&[]), Err(Error::Address { .. })));
		let full = named(plain.clone(), peer);
		assert_eq!(one_peer(&[full.clone(), full.clone()]).expect("the same"), peer);
		let other = named(plain, PeerId::random());
		assert!(matches!(one_peer(&[full.clone(), other]), Err(Error::Address { .. })));
		assert_eq!(peer_of(&full).expect("is named"), peer);
		assert_eq!(named(full.clone(), PeerId::random()), full);
	}
}
