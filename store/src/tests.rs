//! Peers on the loopback interface, exchanging real blobs.

use std::{collections::HashMap, future::Future, io, path::Path, sync::Mutex, time::Duration};

use dgcs_content::{
	content_id::raw, fetch, get_blob, put_blob, read_blob, Blob, BlockSink, BlockSource,
	BLOCK_SIZE, MAX_BLOCK,
};
use dgcs_primitives::ContentId;
use futures::StreamExt;
use litep2p::{
	codec::ProtocolCodec,
	config::ConfigBuilder,
	protocol::{Direction, TransportEvent, TransportService, UserProtocol},
	transport::tcp,
	types::multiaddr::Protocol,
	Litep2p, ProtocolName,
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{
		tcp::{OwnedReadHalf, OwnedWriteHalf},
		TcpListener, TcpStream,
	},
	sync::watch,
	task::spawn_blocking,
};

use crate::{
	bitswap::{Ask, Deadlines, Limits, Message, Timing, Want, PROTOCOL},
	config::Embedded as EmbeddedConfig,
	database::{Database, Keep},
	embedded::Embedded,
	Config, Error, Multiaddr, Store,
};

const MIB: u64 = 1 << 20;

/// Long enough for any machine: a test that takes so long has failed.
const GENEROUS: Duration = Duration::from_secs(120);

fn config(dir: &Path) -> EmbeddedConfig {
	let listen = "/ip4/127.0.0.1/tcp/0".parse().expect("an address");
	EmbeddedConfig { listen: vec![listen], capacity: 256 * MIB, ..EmbeddedConfig::new(dir) }
}

/// Settings under which stalling is noticed soon.
fn hasty() -> Timing {
	Timing {
		limits: Limits { stall: Duration::from_secs(4), ..Limits::default() },
		deadlines: Deadlines { message: Duration::from_secs(10), ..Timing::default().deadlines },
		..Timing::default()
	}
}

/// A store and its directory.
struct Peer {
	store: Store,
	dir: tempfile::TempDir,
}

impl Peer {
	async fn new() -> Self {
		Self::with(Timing::default()).await
	}

	async fn with(timing: Timing) -> Self {
		let dir = tempfile::tempdir().expect("a temporary folder");
		let store = Embedded::open_with(&config(dir.path()), timing).await.expect("starts");
		Peer { store: Store::embedded(store), dir }
	}

	async fn address(&self) -> Multiaddr {
		self.store.addresses().await.expect("it listens").remove(0)
	}

	async fn knows(&self, other: &Peer) {
		self.store.connect(&[other.address().await]).await.expect("it is there");
	}

	async fn received(&self) -> u64 {
		self.store.usage().await.expect("can be read").received
	}
}

/// Bytes like no others: of any length, and no two blocks the same.
fn bytes(seed: u8, len: usize) -> Vec<u8> {
	let mut bytes: Vec<u8> = (0..len.div_ceil(8) as u64)
		.flat_map(|n| (n ^ u64::from(seed) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
		.collect();
	bytes.truncate(len);
	bytes
}

async fn put(store: &Store, bytes: Vec<u8>) -> Blob {
	let store = store.clone();
	spawn_blocking(move || put_blob(&store, &bytes)).await.expect("no panic").expect("is stored")
}

async fn get(store: &Store, blob: &Blob) -> dgcs_content::Result<Vec<u8>> {
	let (store, blob) = (store.clone(), *blob);
	let work = spawn_blocking(move || get_blob(&store, &blob.id, blob.len));
	tokio::time::timeout(GENEROUS, work).await.expect("ends").expect("no panic")
}

async fn get_one(store: &Store, id: ContentId) -> io::Result<Option<Vec<u8>>> {
	let store = store.clone();
	let work = spawn_blocking(move || store.get(&id, MAX_BLOCK));
	tokio::time::timeout(GENEROUS, work).await.expect("ends").expect("no panic")
}

/// Waits for something that happens by itself.
async fn until<F: Future<Output = bool>>(mut ready: impl FnMut() -> F) {
	let waiting = async {
		while !ready().await {
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
	};
	tokio::time::timeout(GENEROUS, waiting).await.expect("it happens");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_exchange_blobs_both_ways() {
	let (one, two) = (Peer::new().await, Peer::new().await);
	one.knows(&two).await;
	for (from, to, seed) in [(&one, &two, 1), (&two, &one, 2)] {
		for len in [0, 1, BLOCK_SIZE, 5_000_000] {
			let content = bytes(seed, len);
			let blob = put(&from.store, content.clone()).await;
			assert_eq!(get(&to.store, &blob).await.expect("the other has it"), content);
		}
	}
	// What is here is not fetched again.
	let blob = put(&one.store, bytes(1, 5_000_000)).await;
	let before = two.received().await;
	get(&two.store, &blob).await.expect("it is here");
	assert_eq!(two.received().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_is_missing() {
	let alone = Peer::new().await;
	let nothing = raw(b"nothing");
	assert_eq!(get_one(&alone.store, nothing).await.expect("a clear answer"), None);
	let (one, two) = (Peer::new().await, Peer::new().await);
	one.knows(&two).await;
	assert_eq!(get_one(&one.store, nothing).await.expect("a clear answer"), None);
	let Err(Error::Missing(id)) = one.store.pin(&nothing, 100).await else { panic!() };
	assert_eq!(id, nothing);
	// It can come later.
	put(&two.store, b"nothing".to_vec()).await;
	assert_eq!(get_one(&one.store, nothing).await.expect("is there"), Some(b"nothing".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_fetches_a_tree_and_unpin_gives_its_room_back() {
	let (one, two) = (Peer::new().await, Peer::new().await);
	one.knows(&two).await;
	let content = bytes(3, 20_000_000);
	let blob = put(&two.store, content.clone()).await;
	let Err(Error::TreeSize { .. }) = one.store.pin(&blob.id, blob.len / 10).await else {
		panic!()
	};
	one.store.pin(&blob.id, blob.len).await.expect("the other has it");
	assert!(one.store.is_pinned(&blob.id).await.expect("can be read"));
	assert_eq!(one.store.pinned().await.expect("can be read"), [blob.id]);
	two.store.shutdown().await.expect("stops");
	assert_eq!(get(&one.store, &blob).await.expect("all is here"), content);
	let usage = one.store.usage().await.expect("can be read");
	assert_eq!((usage.pins, usage.blocks), (1, 78));
	assert!(one.store.unpin(&blob.id).await.expect("is pinned"));
	assert!(!one.store.unpin(&blob.id).await.expect("is not"));
	assert_eq!(one.store.usage().await.expect("can be read").used, 0);
	assert!(!one.store.has(&blob.id).await.expect("can be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_trees_are_pinned_as_one_by_one() {
	let (one, two) = (Peer::new().await, Peer::new().await);
	one.knows(&two).await;
	let mut trees = Vec::new();
	// More than are pinned in one step.
	for seed in 0..100 {
		let blob = put(&two.store, bytes(seed, 300_000)).await;
		trees.push((blob.id, blob.len));
	}
	let missing = (raw(b"nothing"), 100);
	let some = [&trees[..70], &[missing], &trees[70..]].concat();
	let Err(Error::Missing(id)) = one.store.pin_all(&some).await else { panic!() };
	assert_eq!(id, missing.0);
	one.store.pin_all(&trees).await.expect("the other has them");
	assert_eq!(one.store.usage().await.expect("can be read").pins, 100);
	for (root, _) in trees {
		assert!(one.store.unpin(&root).await.expect("is pinned"));
	}
	assert_eq!(one.store.usage().await.expect("can be read").used, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
	let (one, two) = (Peer::new().await, Peer::new().await);
	let content = bytes(4, 3_000_000);
	let blob = put(&one.store, content.clone()).await;
	one.store.pin(&blob.id, blob.len).await.expect("is here");
	let name = one.address().await.iter().last().map(|last| last.to_string());
	let Peer { store, dir } = one;
	let second = Store::open(&Config::Embedded(config(dir.path()))).await;
	assert!(matches!(second, Err(Error::Locked { .. })));
	store.shutdown().await.expect("stops");
	store.shutdown().await.expect("twice is once");
	assert!(matches!(store.has(&blob.id).await, Err(Error::Closed)));

	let store = Store::open(&Config::Embedded(config(dir.path()))).await.expect("starts again");
	let one = Peer { store, dir };
	assert_eq!(one.address().await.iter().last().map(|last| last.to_string()), name);
	assert!(one.store.is_pinned(&blob.id).await.expect("can be read"));
	assert_eq!(get(&one.store, &blob).await.expect("is here"), content);
	two.knows(&one).await;
	assert_eq!(get(&two.store, &blob).await.expect("the other has it"), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_found_through_a_third_peer() {
	let (hub, one, two) = (Peer::new().await, Peer::new().await, Peer::new().await);
	one.knows(&hub).await;
	let content = bytes(5, 1_000_000);
	let blob = put(&one.store, content.clone()).await;
	// The hub is in the routing table once it has said what it speaks.
	until(|| async { one.store.provide(&blob.id).await.is_ok() }).await;
	two.knows(&hub).await;
	until(|| async { get(&two.store, &blob).await.is_ok() }).await;
	assert_eq!(get(&two.store, &blob).await.expect("is here"), content);
	assert_eq!(hub.received().await, 0, "it came from the provider itself");
	assert!(matches!(Peer::new().await.store.provide(&blob.id).await, Err(Error::NotProvided(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_when_a_peer_vanishes() {
	let (one, two, reader) = (Peer::new().await, Peer::new().await, Peer::new().await);
	let content = bytes(6, 30_000_000);
	let blob = put(&one.store, content.clone()).await;
	put(&two.store, content.clone()).await;
	reader.knows(&one).await;
	reader.knows(&two).await;
	let (store, first) = (reader.store.clone(), one.store.clone());
	let runtime = tokio::runtime::Handle::current();
	let read = spawn_blocking(move || {
		let mut found = Vec::new();
		let mut stop = Some(first);
		read_blob(&store, &blob.id, blob.len, &mut |leaf| {
			found.extend_from_slice(leaf);
			if found.len() > 3_000_000 {
				if let Some(first) = stop.take() {
					runtime.spawn(async move { first.shutdown().await });
				}
			}
			Ok(())
		})
		.map(|_| found)
	});
	let found = tokio::time::timeout(GENEROUS, read).await.expect("ends").expect("no panic");
	assert_eq!(found.expect("the other has it"), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_connection_is_made_again() {
	let (one, two) = (Peer::new().await, Peer::new().await);
	let mut settings = config(two.dir.path());
	settings.listen = vec![two.address().await.into_iter().take(2).collect()];
	one.knows(&two).await;
	two.store.shutdown().await.expect("stops");
	let two = Store::open(&Config::Embedded(settings)).await.expect("starts again");
	let blob = put(&two, bytes(7, 1000)).await;
	until(|| async { get(&one.store, &blob).await.is_ok() }).await;
}

/// A line to a peer, on which nothing moves as long as it is not open.
struct Line {
	/// Where it begins: another address of the peer.
	address: Multiaddr,
	open: watch::Sender<bool>,
	/// Whether either end has hung up.
	ended: watch::Receiver<bool>,
}

impl Line {
	async fn to(address: &Multiaddr) -> Self {
		let mut parts = address.iter().skip(1);
		let Some(Protocol::Tcp(port)) = parts.next() else { panic!("it listens on TCP") };
		let name = parts.next().expect("ends with its name");
		let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
		let near = listener.local_addr().expect("is bound").port();
		let (open, opened) = watch::channel(true);
		let (hung_up, ended) = watch::channel(false);
		tokio::spawn(async move {
			while let Ok((near, _)) = listener.accept().await {
				let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
				let (near, far) = (near.into_split(), far.into_split());
				tokio::spawn(carry(near.0, far.1, opened.clone(), hung_up.clone()));
				tokio::spawn(carry(far.0, near.1, opened.clone(), hung_up.clone()));
			}
		});
		let address = format!("/ip4/127.0.0.1/tcp/{near}{name}").parse().expect("an address");
		Line { address, open, ended }
	}
}

async fn carry(
	mut from: OwnedReadHalf,
	mut to: OwnedWriteHalf,
	mut open: watch::Receiver<bool>,
	hung_up: watch::Sender<bool>,
) {
	let (mut bytes, mut waiting) = (vec![0; 1 << 16], Vec::new());
	loop {
		tokio::select! {
			read = from.read(&mut bytes) => match read {
				Ok(len @ 1..) => waiting.extend_from_slice(&bytes[..len]),
				_ => break,
			},
			true = async { open.wait_for(|open| *open).await.is_ok() }, if !waiting.is_empty() => {
				if to.write_all(&waiting).await.is_err() {
					break;
				}
				waiting.clear();
			},
		}
	}
	hung_up.send_replace(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_peer_is_waited_for_when_it_falls_silent() {
	let (far, reader) = (Peer::new().await, Peer::with(hasty()).await);
	let mut line = Line::to(&far.address().await).await;
	reader.store.connect(std::slice::from_ref(&line.address)).await.expect("it is there");
	let first = put(&far.store, bytes(14, 1000)).await;
	get(&reader.store, &first).await.expect("the other has it");
	let content = bytes(15, 5_000_000);
	let blob = put(&far.store, content.clone()).await;
	line.open.send_replace(false);
	let store = reader.store.clone();
	let fetch = tokio::spawn(async move { get(&store, &blob).await });
	// It is dropped, since it owes blocks and sends nothing.
	let dropped = line.ended.wait_for(|ended| *ended);
	tokio::time::timeout(GENEROUS, dropped).await.expect("is dropped").expect("the line is there");
	line.open.send_replace(true);
	assert_eq!(fetch.await.expect("no panic").expect("it is there again"), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_an_address_is_a_clear_error() {
	let (one, two) = (Peer::new().await, Peer::new().await);
	let address = two.address().await;
	let plain: Multiaddr = address.iter().take(2).collect();
	assert!(matches!(one.store.connect(&[plain]).await, Err(Error::Address { .. })));
	two.store.shutdown().await.expect("stops");
	let Err(Error::Unreachable { address: named, .. }) =
		one.store.connect(std::slice::from_ref(&address)).await
	else {
		panic!()
	};
	assert_eq!(named, address.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_lies_is_passed_over() {
	// A peer whose database has other bytes under these names, and sends them.
	let liar = tempfile::tempdir().expect("a temporary folder");
	let honest = Peer::new().await;
	let content = bytes(8, 5_000_000);
	let blob = put(&honest.store, content.clone()).await;
	struct Lies(Mutex<HashMap<ContentId, usize>>);
	impl BlockSink for Lies {
		fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
			self.0.lock().expect("no panic").insert(*id, bytes.len());
			Ok(())
		}
	}
	let names = Lies(Mutex::default());
	put_blob(&names, &content).expect("is named");
	let database = Database::open(liar.path(), 256 * MIB).expect("opens");
	for (n, (id, len)) in names.0.into_inner().expect("no panic").into_iter().enumerate() {
		let lie = bytes(100 + n as u8, len);
		database.put(&id.digest.0, &lie, Keep::Session).expect("there is room");
	}
	drop(database);
	let liar = Store::open(&Config::Embedded(config(liar.path()))).await.expect("starts");

	let reader = Peer::with(hasty()).await;
	reader.store.connect(&liar.addresses().await.expect("it listens")).await.expect("it is there");
	assert!(get(&reader.store, &blob).await.is_err(), "lies are no blocks");
	reader.knows(&honest).await;
	assert_eq!(get(&reader.store, &blob).await.expect("the other has it"), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_too_large_is_told_from_a_good_one_and_not_kept() {
	let (one, two) = (Peer::new().await, Peer::new().await);
	one.knows(&two).await;
	let huge = bytes(9, 2 << 20);
	let id = raw(&huge);
	assert!(matches!(put_raw(&two.store, [&huge[..], &huge[..]].concat()).await, Err(error)
		if error.to_string().contains("4194304")));
	put_raw(&two.store, huge).await.expect("two MiB are carried");
	let store = one.store.clone();
	let refused = spawn_blocking(move || fetch(&store, &id)).await.expect("no panic");
	let Err(dgcs_content::Error::TooLarge { found, limit, .. }) = refused else { panic!() };
	assert_eq!((found, limit), (MAX_BLOCK as u64 + 1, MAX_BLOCK as u64));
	assert!(!one.store.has(&id).await.expect("can be read"));
	let Err(Error::BlockSize { found, .. }) = one.store.pin(&id, 1000).await else { panic!() };
	assert_eq!(found, 2 << 20);
}

async fn put_raw(store: &Store, bytes: Vec<u8>) -> io::Result<()> {
	let store = store.clone();
	spawn_blocking(move || store.put(&raw(&bytes), &bytes)).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_still_reads_and_says_that_it_is_full() {
	let source = Peer::new().await;
	let dir = tempfile::tempdir().expect("a temporary folder");
	let small = EmbeddedConfig { capacity: 4 * MIB, ..config(dir.path()) };
	let store = Store::open(&Config::Embedded(small)).await.expect("starts");
	store.connect(&[source.address().await]).await.expect("it is there");
	let kept = put(&store, bytes(10, 3_800_000)).await;
	let content = bytes(11, 5_000_000);
	let blob = put(&source.store, content.clone()).await;
	assert_eq!(get(&store, &blob).await.expect("need not be kept"), content);
	let Err(Error::Full { capacity, .. }) = store.pin(&blob.id, blob.len).await else { panic!() };
	assert_eq!(capacity, 4 * MIB);
	let refused = put_raw(&store, bytes(12, 600_000)).await.expect_err("is full");
	assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
	store.pin(&kept.id, kept.len).await.expect("is here");
	store.unpin(&kept.id).await.expect("is pinned");
	put_raw(&store, bytes(12, 600_000)).await.expect("there is room again");
}

/// A peer that does as told with whoever asks it for blocks.
struct Rogue(Conduct);

/// What it answers wishes with, each message with its length before it.
type Conduct = fn(Vec<Ask>) -> Vec<Vec<u8>>;

#[async_trait::async_trait]
impl UserProtocol for Rogue {
	fn protocol(&self) -> ProtocolName {
		ProtocolName::from(PROTOCOL)
	}

	fn codec(&self) -> ProtocolCodec {
		ProtocolCodec::UnsignedVarint(None)
	}

	async fn run(self: Box<Self>, mut service: TransportService) -> litep2p::Result<()> {
		let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
		let mut out: Option<litep2p::substream::Substream> = None;
		loop {
			tokio::select! {
				event = service.next() => match event {
					Some(TransportEvent::ConnectionEstablished { peer, .. }) => {
						service.open_substream(peer).expect("is connected");
					},
					Some(TransportEvent::SubstreamOpened { direction: Direction::Outbound(_), substream, .. }) => {
						out = Some(substream);
					},
					Some(TransportEvent::SubstreamOpened { mut substream, .. }) => {
						let sender = sender.clone();
						tokio::spawn(async move {
							while let Some(Ok(frame)) = substream.next().await {
								let message = Message::decode(&frame).expect("ours are well-formed");
								let _ = sender.send(message.asks);
							}
						});
					},
					Some(_) => {},
					None => return Ok(()),
				},
				Some(asks) = asked.recv(), if out.is_some() => {
					let stream = out.as_mut().expect("checked");
					for bytes in (self.0)(asks) {
						let _ = stream.write_all(&bytes).await;
						let _ = stream.flush().await;
					}
				},
			}
		}
	}
}

/// Starts a rogue, and says where.
fn rogue(answer: Conduct) -> Multiaddr {
	let listen = "/ip4/127.0.0.1/tcp/0".parse().expect("an address");
	let builder = ConfigBuilder::new()
		.with_tcp(tcp::config::Config { listen_addresses: vec![listen], ..Default::default() })
		.with_user_protocol(Box::new(Rogue(answer)));
	let mut litep2p = Litep2p::new(builder.build()).expect("starts");
	let address = litep2p.listen_addresses().next().expect("it listens").clone();
	tokio::spawn(async move { while litep2p.next_event().await.is_some() {} });
	address
}

/// Says that it has all that is asked for.
fn promise(asks: &[Ask]) -> Vec<u8> {
	let asked = asks.iter().filter(|ask| ask.want == Want::Have);
	let presences = asked.map(|ask| (ask.id, true)).collect();
	Message { presences, ..Message::default() }.frame()
}

#[tokio::test(flavor = "multi_thread")]
async fn rogues_are_dropped() {
	let rogues: [Conduct; 5] = [
		// Promises, and sends nothing.
		|asks| vec![promise(&asks)],
		// Sends what is no message.
		|asks| vec![promise(&asks), vec![0x7f; 128]],
		// Sends a message of ten times the size of any.
		|asks| {
			let mut huge = Vec::new();
			prost::encoding::encode_varint(20 << 20, &mut huge);
			huge.resize(20 << 20, 0);
			vec![promise(&asks), huge]
		},
		// Sends blocks that nobody asked for.
		|asks| {
			let blocks = (0..100).map(|n| (raw(&[n]), vec![n])).collect();
			vec![promise(&asks), Message { blocks, ..Message::default() }.frame()]
		},
		// Asks for more than anybody could want.
		|asks| {
			let asks = vec![Ask { id: asks[0].id, want: Want::Have, answer: true }; 5000];
			vec![Message { asks, ..Message::default() }.frame(); 20]
		},
	];
	let honest = Peer::new().await;
	let content = bytes(13, 2_000_000);
	let blob = put(&honest.store, content.clone()).await;
	for answer in rogues {
		let reader = Peer::with(hasty()).await;
		let address = rogue(answer);
		reader.store.connect(std::slice::from_ref(&address)).await.expect("it is there");
		assert!(get(&reader.store, &blob).await.is_err(), "it has no blocks");
		// It is dropped, and not let in again for a while.
		let refused = || async {
			let again = reader.store.connect(std::slice::from_ref(&address)).await;
			matches!(again, Err(Error::Unreachable { .. }))
		};
		until(refused).await;
		reader.knows(&honest).await;
		assert_eq!(get(&reader.store, &blob).await.expect("the other has it"), content);
	}
}

mod kubo;
