//! The exchange: one task that knows all peers, and drives [`Wants`] with what it hears.
//!
//! It reads no message and no disk itself, so that no peer and no disk holds up the others: each stream
//! has a task, and blocks that come are stored by threads, of which a few run at once.

use std::{
	collections::{HashMap, HashSet},
	sync::{
		atomic::{AtomicUsize, Ordering::Relaxed},
		Arc,
	},
	time::{Duration, Instant},
};

use dgcs_content::MAX_BLOCK;
use dgcs_primitives::ContentId;
use futures::StreamExt;
use litep2p::{
	codec::ProtocolCodec,
	error::ImmediateDialError,
	protocol::{Direction, TransportEvent, TransportService, UserProtocol},
	substream::Substream,
	types::{multiaddr::Multiaddr, SubstreamId},
	PeerId, ProtocolName,
};
use tokio::{
	sync::{mpsc, oneshot, Mutex as AsyncMutex, Semaphore},
	task::{JoinError, JoinSet},
	time::{interval, MissedTickBehavior},
};

use super::{
	link::{read_all, write_all, Deadlines, Input, Outbox, Traffic},
	message::PROTOCOL,
	wants::{Action, Arrival, Failed, Limits, Offence, Wants},
};
use crate::{
	database::{Database, Keep},
	embedded::blocking,
	error::{Error, Result},
	network::{ADDRESSES, MOST_LASTING},
};

/// How many streams a peer may have to us. Kubo opens up to nine.
const STREAMS: usize = 16;

/// How many blocks are written to disk at once.
const STORING: usize = 16;

/// How many commands and messages wait to be dealt with.
const WAITING: usize = 256;
const MESSAGES: usize = 16;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(200);

/// When they were not looked at for so long, this machine was too busy to, or asleep.
const AWAY: Duration = Duration::from_secs(1);

/// The first and the longest pause before a lasting connection that was lost is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Timings of the exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
	pub limits: Limits,
	pub deadlines: Deadlines,
	/// For a connection to be made.
	pub dial: Duration,
}

impl Default for Timing {
	fn default() -> Self {
		Timing {
			limits: Limits::default(),
			deadlines: Deadlines {
				message: Duration::from_secs(60),
				idle: Duration::from_secs(120),
			},
			dial: Duration::from_secs(15),
		}
	}
}

/// What a search for a block came to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
	/// The block, and whether it could be stored.
	Block(Arc<Vec<u8>>, std::result::Result<(), Arc<Error>>),
	/// It is in the database by now.
	Here,
	/// It was not to be had.
	Failed(Failed),
}

/// What the exchange is asked for.
#[derive(Debug)]
pub(crate) enum Command {
	/// A block is needed.
	Want(ContentId, Keep, oneshot::Sender<Answer>),
	/// Blocks will be needed.
	Ahead(Vec<ContentId>),
	/// A connection that lasts.
	Connect(PeerId, Vec<Multiaddr>, oneshot::Sender<std::result::Result<(), String>>),
	/// These have the block, it is said.
	Providers(ContentId, Vec<(PeerId, Vec<Multiaddr>)>),
}

/// What the exchange has to do with the rest.
pub(crate) struct Exchange {
	database: Arc<Database>,
	timing: Timing,
	commands: mpsc::Receiver<Command>,
	/// Blocks that others are to be found for.
	lookups: mpsc::Sender<ContentId>,
	traffic: Arc<Traffic>,
	connected: Arc<AtomicUsize>,
}

/// The other side of an [`Exchange`].
#[derive(Clone, Debug)]
pub(crate) struct Handle {
	pub commands: mpsc::Sender<Command>,
	pub traffic: Arc<Traffic>,
	/// How many peers there are.
	pub connected: Arc<AtomicUsize>,
}

impl Exchange {
	/// An exchange of the blocks in `database`, and what it wants others to be found for.
	pub fn new(
		database: Arc<Database>,
		timing: Timing,
	) -> (Self, Handle, mpsc::Receiver<ContentId>) {
		let (commands, receiver) = mpsc::channel(WAITING);
		let (lookups, wanted) = mpsc::channel(WAITING);
		let handle = Handle { commands, traffic: Arc::default(), connected: Arc::default() };
		let exchange = Exchange {
			database,
			timing,
			commands: receiver,
			lookups,
			traffic: handle.traffic.clone(),
			connected: handle.connected.clone(),
		};
		(exchange, handle, wanted)
	}
}

#[async_trait::async_trait]
impl UserProtocol for Exchange {
	fn protocol(&self) -> ProtocolName {
		ProtocolName::from(PROTOCOL)
	}

	fn codec(&self) -> ProtocolCodec {
		// Messages are framed here: with a deadline, and before memory is taken for them.
		ProtocolCodec::Unspecified
	}

	async fn run(self: Box<Self>, service: TransportService) -> litep2p::Result<()> {
		let Exchange { database, timing, mut commands, lookups, traffic, connected } = *self;
		let (inputs, mut received) = mpsc::channel(MESSAGES);
		let mut state = State {
			wants: Wants::new(timing.limits),
			database,
			timing,
			service,
			lookups,
			traffic,
			connected,
			inputs,
			links: HashMap::new(),
			opening: HashMap::new(),
			waiting: HashMap::new(),
			storing: JoinSet::new(),
			dialling: HashMap::new(),
			lookups_open: HashMap::new(),
			lasting: HashMap::new(),
			ticked: Instant::now(),
			tasks: JoinSet::new(),
		};
		let mut tick = interval(TICK);
		tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
		loop {
			tokio::select! {
				event = state.service.next() => match event {
					Some(event) => state.on_event(event),
					None => return Ok(()),
				},
				command = commands.recv() => match command {
					Some(command) => state.on_command(command),
					None => return Ok(()),
				},
				// While the disk is behind, peers wait.
				Some(input) = received.recv(), if state.storing.len() < STORING => state.on_input(input),
				Some(stored) = state.storing.join_next() => state.on_stored(stored),
				Some(_) = state.tasks.join_next() => {},
				_ = tick.tick() => state.on_tick(),
			}
			let actions = state.wants.act(Instant::now());
			state.perform(actions);
		}
	}
}

/// A connected peer.
struct Link {
	outbox: Arc<Outbox>,
	/// One message of this peer is read at a time.
	turn: Arc<AsyncMutex<()>>,
	streams: Arc<Semaphore>,
	/// A stream to it is there, or on the way.
	writing: bool,
}

/// Those who wait for a block.
struct Waiting {
	keep: Keep,
	/// It came, and is being stored.
	came: bool,
	senders: Vec<oneshot::Sender<Answer>>,
}

type Connected = oneshot::Sender<std::result::Result<(), String>>;

/// A connection that is being made.
struct Dial {
	until: Instant,
	senders: Vec<Connected>,
}

/// A connection that is to last.
struct Lasting {
	addresses: Vec<Multiaddr>,
	pause: Duration,
	next: Instant,
}

type Stored = (ContentId, Arc<Vec<u8>>, Result<()>);

/// Stores a block by `put`, on a thread that may wait. A panic there is an error: who waits for the block
/// would wait for ever.
async fn store(
	id: ContentId,
	block: Arc<Vec<u8>>,
	put: impl FnOnce(&[u8]) -> Result<()> + Send + 'static,
) -> Stored {
	let bytes = block.clone();
	let stored = blocking(move || put(&bytes)).await;
	(id, block, stored)
}

struct State {
	wants: Wants<PeerId>,
	database: Arc<Database>,
	timing: Timing,
	service: TransportService,
	lookups: mpsc::Sender<ContentId>,
	traffic: Arc<Traffic>,
	connected: Arc<AtomicUsize>,
	inputs: mpsc::Sender<Input>,
	links: HashMap<PeerId, Link>,
	opening: HashMap<SubstreamId, PeerId>,
	waiting: HashMap<ContentId, Waiting>,
	storing: JoinSet<Stored>,
	dialling: HashMap<PeerId, Dial>,
	/// Of each lookup, who is being dialled for it.
	lookups_open: HashMap<ContentId, HashSet<PeerId>>,
	lasting: HashMap<PeerId, Lasting>,
	/// When deadlines were looked at last.
	ticked: Instant,
	/// The tasks of the streams. They end with the exchange.
	tasks: JoinSet<()>,
}

impl State {
	fn on_event(&mut self, event: TransportEvent) {
		match event {
			TransportEvent::ConnectionEstablished { peer, .. } => self.on_connected(peer),
			TransportEvent::ConnectionClosed { peer } => self.on_disconnected(&peer),
			TransportEvent::DialFailure { peer, addresses } => {
				let tried: Vec<_> = addresses.iter().map(ToString::to_string).collect();
				let reason = format!("nobody by that name answers at {}", tried.join(", "));
				self.on_dialled(&peer, Err(reason));
			},
			TransportEvent::SubstreamOpened { peer, direction, substream, .. } => match direction {
				Direction::Inbound => self.on_inbound(peer, substream),
				Direction::Outbound(id) => self.on_outbound(&id, peer, substream),
			},
			TransportEvent::SubstreamOpenFailure { substream, error } => {
				let Some(peer) = self.opening.remove(&substream) else { return };
				log::debug!("{peer} takes no stream: {error}");
				// It does not speak Bitswap, or is about to go.
				if let Some(link) = self.links.get_mut(&peer) {
					link.writing = false;
				}
				self.wants.disconnected(&peer, Instant::now());
				if self.lasting.contains_key(&peer) {
					// So that it is tried again.
					let _ = self.service.force_close(peer);
				}
			},
		}
	}

	fn on_connected(&mut self, peer: PeerId) {
		if !self.wants.connected(peer, Instant::now()) {
			let _ = self.service.force_close(peer);
			return self.on_dialled(&peer, Err("it misbehaved a short while ago".into()));
		}
		let lasting = self.lasting.contains_key(&peer);
		self.links.entry(peer).or_insert_with(|| Link {
			outbox: Outbox::new(lasting),
			turn: Arc::default(),
			streams: Arc::new(Semaphore::new(STREAMS)),
			writing: false,
		});
		self.connected.store(self.links.len(), Relaxed);
		self.on_dialled(&peer, Ok(()));
		if lasting {
			self.open(peer);
		}
	}

	fn on_disconnected(&mut self, peer: &PeerId) {
		self.links.remove(peer);
		self.connected.store(self.links.len(), Relaxed);
		self.opening.retain(|_, opening| opening != peer);
		self.wants.disconnected(peer, Instant::now());
		if let Some(lasting) = self.lasting.get_mut(peer) {
			lasting.next = Instant::now() + lasting.pause;
		}
	}

	/// A connection was made, or could not be.
	fn on_dialled(&mut self, peer: &PeerId, result: std::result::Result<(), String>) {
		if let Some(lasting) = self.lasting.get_mut(peer) {
			lasting.pause = match &result {
				Ok(()) => RETRY.0,
				Err(_) => (2 * lasting.pause).min(RETRY.1),
			};
			lasting.next = Instant::now() + lasting.pause;
		}
		if result.is_err() {
			self.wants.unreachable(peer);
		}
		for sender in self.dialling.remove(peer).into_iter().flat_map(|dial| dial.senders) {
			let _ = sender.send(result.clone());
		}
		let wants = &mut self.wants;
		self.lookups_open.retain(|id, dialled| {
			dialled.remove(peer);
			if dialled.is_empty() {
				wants.looked_up(id);
			}
			!dialled.is_empty()
		});
	}

	fn on_inbound(&mut self, peer: PeerId, stream: Substream) {
		let Some(link) = self.links.get(&peer) else { return };
		let Ok(permit) = link.streams.clone().try_acquire_owned() else {
			log::debug!("{peer} has {STREAMS} streams to here already; another is refused");
			return;
		};
		let (outbox, turn) = (link.outbox.clone(), link.turn.clone());
		let (inputs, deadlines) = (self.inputs.clone(), self.timing.deadlines);
		self.tasks.spawn(async move {
			read_all(peer, stream, outbox, turn, inputs, deadlines).await;
			drop(permit);
		});
	}

	fn on_outbound(&mut self, id: &SubstreamId, peer: PeerId, stream: Substream) {
		self.opening.remove(id);
		let Some(link) = self.links.get(&peer) else { return };
		self.tasks.spawn(write_all(
			peer,
			stream,
			link.outbox.clone(),
			self.database.clone(),
			self.traffic.clone(),
			self.inputs.clone(),
			self.timing.deadlines,
		));
	}

	/// Opens a stream to `peer`, if there is none.
	fn open(&mut self, peer: PeerId) {
		let Some(link) = self.links.get_mut(&peer) else { return };
		if link.writing {
			return;
		}
		match self.service.open_substream(peer) {
			Ok(id) => {
				link.writing = true;
				self.opening.insert(id, peer);
			},
			Err(error) => {
				log::debug!("no stream to {peer}: {error:?}");
				self.wants.disconnected(&peer, Instant::now());
			},
		}
	}

	fn on_input(&mut self, input: Input) {
		let now = Instant::now();
		match input {
			Input::Closed(peer) => {
				let Some(link) = self.links.get_mut(&peer) else { return };
				link.writing = false;
				if !link.outbox.is_empty() || link.outbox.lasting.load(Relaxed) {
					self.open(peer);
				}
			},
			Input::Offence(peer, offence) => {
				let action = self.wants.offend(peer, offence, now);
				self.perform(vec![action]);
			},
			Input::Message(peer, message) => {
				let Some(link) = self.links.get(&peer) else { return };
				if !message.asks.is_empty() {
					match link.outbox.serve(message.asks, now) {
						Ok(()) => self.open(peer),
						Err(offence) => {
							let action = self.wants.offend(peer, offence, now);
							return self.perform(vec![action]);
						},
					}
				}
				for (id, has) in message.presences {
					self.wants.presence(peer, &id, has, now);
				}
				for (id, block) in message.blocks {
					let (arrival, actions) = self.wants.block(peer, &id, now);
					if arrival == Arrival::Wanted {
						self.on_block(id, block);
					}
					self.perform(actions);
				}
			},
		}
	}

	/// Stores a block that was waited for.
	fn on_block(&mut self, id: ContentId, block: Vec<u8>) {
		self.traffic.received.fetch_add(1, Relaxed);
		let waiting = self.waiting.entry(id).or_insert_with(Waiting::ahead);
		waiting.came = true;
		let (database, keep, block) = (self.database.clone(), waiting.keep, Arc::new(block));
		self.storing.spawn(store(id, block, move |block| {
			// Whoever waits for it sees that it is too large; nobody else needs it.
			if block.len() > MAX_BLOCK {
				return Err(Error::BlockSize { found: block.len(), limit: MAX_BLOCK });
			}
			database.put(id.digest.as_fixed_bytes(), block, keep)
		}));
	}

	fn on_stored(&mut self, stored: std::result::Result<Stored, JoinError>) {
		// It does not panic, and is cancelled with the exchange alone.
		let Ok((id, block, stored)) = stored else { return };
		let Some(waiting) = self.waiting.remove(&id) else { return };
		let stored = stored.map_err(Arc::new);
		if let (Err(error), true) = (&stored, waiting.senders.is_empty()) {
			log::debug!("a block that was fetched ahead: {error}");
		}
		for sender in waiting.senders {
			let _ = sender.send(Answer::Block(block.clone(), stored.clone()));
		}
	}

	fn on_command(&mut self, command: Command) {
		match command {
			Command::Want(id, keep, sender) => self.on_want(id, keep, sender),
			Command::Ahead(ids) => {
				for id in ids {
					// One that is being stored is as good as here.
					if self.waiting.contains_key(&id) {
						continue;
					}
					if self.wants.want(id, true) {
						self.waiting.insert(id, Waiting::ahead());
					}
				}
			},
			Command::Connect(peer, addresses, sender) => {
				self.on_connect(peer, addresses, sender);
			},
			Command::Providers(id, providers) => self.on_providers(id, providers),
		}
	}

	fn on_want(&mut self, id: ContentId, keep: Keep, sender: oneshot::Sender<Answer>) {
		if !self.waiting.contains_key(&id) {
			// It may have come since the caller looked. Should the index be damaged, the search
			// shows it.
			if self.database.has(id.digest.as_fixed_bytes()).unwrap_or(false) {
				let _ = sender.send(Answer::Here);
				return;
			}
			self.wants.want(id, false);
		}
		let waiting = self.waiting.entry(id).or_insert_with(Waiting::ahead);
		waiting.senders.push(sender);
		if keep == Keep::Session {
			waiting.keep = keep;
		}
	}

	fn on_connect(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, sender: Connected) {
		let now = Instant::now();
		if peer == self.service.local_peer_id() {
			// Whoever connects to all of a list is connected to itself.
			let _ = sender.send(Ok(()));
			return;
		}
		if self.lasting.len() < MOST_LASTING || self.lasting.contains_key(&peer) {
			let lasting = self.lasting.entry(peer).or_insert_with(|| Lasting {
				addresses: Vec::new(),
				pause: RETRY.0,
				next: now,
			});
			// Those that were named last come first.
			let old = std::mem::replace(&mut lasting.addresses, addresses.clone());
			let old = old.into_iter().filter(|address| !addresses.contains(address));
			lasting.addresses.extend(old);
			lasting.addresses.truncate(ADDRESSES);
			self.wants.lasts(peer);
		} else {
			log::warn!("{MOST_LASTING} connections are to last already; that to {peer} is not tried again when it is lost");
		}
		if let Some(link) = self.links.get(&peer) {
			link.outbox.lasting.store(true, Relaxed);
			let _ = sender.send(Ok(()));
			return self.open(peer);
		}
		self.dial(peer, addresses, Some(sender));
	}

	fn dial(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, sender: Option<Connected>) {
		let until = Instant::now() + self.timing.dial;
		let dial = self.dialling.entry(peer).or_insert(Dial { until, senders: Vec::new() });
		dial.senders.extend(sender);
		self.service.add_known_address(&peer, addresses.into_iter());
		match self.service.dial(&peer) {
			// If it is connected already, the event is on its way.
			Ok(()) | Err(ImmediateDialError::AlreadyConnected) => {},
			Err(error) => self.on_dialled(&peer, Err(error.to_string())),
		}
	}

	/// Connects to those who are said to have a block.
	fn on_providers(&mut self, id: ContentId, providers: Vec<(PeerId, Vec<Multiaddr>)>) {
		let now = Instant::now();
		let new: Vec<_> = providers
			.into_iter()
			.filter(|(peer, _)| {
				!self.links.contains_key(peer)
					&& !self.wants.is_banned(peer, now)
					&& *peer != self.service.local_peer_id()
			})
			.collect();
		if new.is_empty() {
			return self.wants.looked_up(&id);
		}
		self.lookups_open.insert(id, new.iter().map(|(peer, _)| *peer).collect());
		new.into_iter().for_each(|(peer, addresses)| self.dial(peer, addresses, None));
	}

	fn on_tick(&mut self) {
		let now = Instant::now();
		let late: Vec<_> = self
			.dialling
			.iter()
			.filter(|(_, dial)| now >= dial.until)
			.map(|(peer, _)| *peer)
			.collect();
		for peer in late {
			let limit = self.timing.dial;
			self.on_dialled(&peer, Err(format!("nobody answers within {limit:?}")));
		}
		let again: Vec<_> = self
			.lasting
			.iter()
			.filter(|(peer, lasting)| {
				now >= lasting.next
					&& !self.links.contains_key(peer)
					&& !self.dialling.contains_key(peer)
					&& !self.wants.is_banned(peer, now)
			})
			.map(|(peer, lasting)| (*peer, lasting.addresses.clone()))
			.collect();
		for (peer, addresses) in again {
			self.dial(peer, addresses, None);
		}
		// Messages wait while the disk is behind.
		let passed = now.saturating_duration_since(self.ticked);
		if passed > AWAY || self.storing.len() >= STORING {
			self.wants.deaf(passed);
		}
		self.ticked = now;
		let actions = self.wants.tick(now);
		self.perform(actions);
	}

	fn perform(&mut self, actions: Vec<Action<PeerId>>) {
		for action in actions {
			match action {
				Action::Send(peer, asks) => {
					let Some(link) = self.links.get(&peer) else { continue };
					match link.outbox.ask(asks) {
						Ok(()) => self.open(peer),
						Err(offence) => {
							let drop = self.wants.offend(peer, offence, Instant::now());
							self.perform(vec![drop]);
						},
					}
				},
				Action::Drop(peer, offence) => self.drop_peer(&peer, offence),
				Action::Lookup(id) => {
					if self.lookups.try_send(id).is_err() {
						self.wants.looked_up(&id);
					}
				},
				Action::Fail(id, failed) => {
					let came = self.waiting.get(&id).is_some_and(|waiting| waiting.came);
					if came {
						continue;
					}
					let waiting = self.waiting.remove(&id);
					for sender in waiting.into_iter().flat_map(|waiting| waiting.senders) {
						let _ = sender.send(Answer::Failed(failed));
					}
				},
			}
		}
	}

	fn drop_peer(&mut self, peer: &PeerId, offence: Offence) {
		log::info!("{peer} is dropped: {offence:?}");
		let _ = self.service.force_close(*peer);
		self.on_disconnected(peer);
	}
}

impl Waiting {
	/// Nobody waits yet.
	fn ahead() -> Self {
		Waiting { keep: Keep::Cache, came: false, senders: Vec::new() }
	}
}

#[cfg(test)]
mod tests {
	use dgcs_content::content_id::raw;

	use super::*;

	#[tokio::test]
	async fn who_waits_for_a_block_is_told_that_storing_it_panicked() {
		let block = Arc::new(b"block".to_vec());
		let stored = |put: fn(&[u8]) -> Result<()>| store(raw(&block), block.clone(), put);
		let (id, bytes, result) = stored(|_| panic!("the disk is on fire")).await;
		assert_eq!((id, bytes.as_slice()), (raw(&block), b"block".as_slice()));
		assert!(matches!(&result, Err(Error::Broken(_))), "{result:?}");
		let (_, _, result) = stored(|bytes| {
			assert_eq!(bytes, b"block");
			Ok(())
		})
		.await;
		assert!(result.is_ok(), "{result:?}");
	}
}
