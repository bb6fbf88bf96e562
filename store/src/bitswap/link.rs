//! What goes over the streams of one peer: messages with their length before them.
//!
//! A peer has one stream from us, which carries our wishes and the blocks that it asked for, and a few to
//! us: some implementations open one for each answer. Whatever is read has a bound and a deadline.

use std::{
	collections::{HashSet, VecDeque},
	io,
	sync::{
		atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::{Duration, Instant},
};

use litep2p::{substream::Substream, PeerId};
use tokio::{
	io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
	sync::{mpsc, Mutex as AsyncMutex, Notify},
	time::timeout,
};

use super::{
	message::{Ask, Message, Want, SEND},
	wants::Offence,
};
use crate::database::{Database, MAX_STORED};

/// The most bytes of a message from a peer that was asked for blocks: one block of any size.
const MAX_ANSWER: usize = MAX_STORED + (64 << 10);

/// The most bytes of a message from any other peer: a list of wants.
const MAX_ASKED: usize = 512 << 10;

/// The most blocks that a peer may ask for before it got them.
const MOST_SERVED: usize = 4096;

/// The most wishes of ours that a peer may leave unread.
const MOST_ASKS: usize = 1 << 16;

/// How many wishes a peer may send at once, and how many more each millisecond. More than any disk
/// or network would answer.
const BURST: u64 = 16_384;
const PER_MILLISECOND: u64 = 8;

/// How many blocks and answers go into one message, at most.
const BATCH: usize = 256;

/// What is to be sent to a peer.
#[derive(Debug)]
pub(crate) struct Outbox {
	queue: Mutex<Queue>,
	wake: Notify,
	/// Its connection is to last.
	pub lasting: AtomicBool,
	/// It was asked for something.
	asked: AtomicBool,
}

#[derive(Debug)]
struct Queue {
	asks: Vec<Ask>,
	serve: VecDeque<Ask>,
	allowance: u64,
	since: Instant,
}

impl Outbox {
	pub fn new(lasting: bool) -> Arc<Self> {
		Arc::new(Outbox {
			queue: Mutex::new(Queue {
				asks: Vec::new(),
				serve: VecDeque::new(),
				allowance: BURST,
				since: Instant::now(),
			}),
			wake: Notify::new(),
			lasting: AtomicBool::new(lasting),
			asked: AtomicBool::new(false),
		})
	}

	fn queue(&self) -> MutexGuard<'_, Queue> {
		self.queue.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Whether there is anything to send.
	pub fn is_empty(&self) -> bool {
		let queue = self.queue();
		queue.asks.is_empty() && queue.serve.is_empty()
	}

	/// Sends our wishes.
	pub fn ask(&self, asks: Vec<Ask>) -> Result<(), Offence> {
		let mut queue = self.queue();
		if queue.asks.len() + asks.len() > MOST_ASKS {
			return Err(Offence::NotReading);
		}
		queue.asks.extend(asks);
		self.asked.store(true, Relaxed);
		self.wake.notify_one();
		Ok(())
	}

	/// Takes the wishes of the peer.
	pub fn serve(&self, asks: Vec<Ask>, now: Instant) -> Result<(), Offence> {
		let mut queue = self.queue();
		let passed = now.saturating_duration_since(queue.since).as_millis() as u64;
		if passed > 0 {
			queue.since = now;
			queue.allowance =
				queue.allowance.saturating_add(passed.saturating_mul(PER_MILLISECOND)).min(BURST);
		}
		let left = queue.allowance.checked_sub(asks.len() as u64);
		queue.allowance = left.ok_or(Offence::Flood)?;
		let (cancelled, wanted): (Vec<_>, Vec<_>) =
			asks.into_iter().partition(|ask| ask.want == Want::Cancel);
		if !cancelled.is_empty() {
			let cancelled: HashSet<_> = cancelled.into_iter().map(|ask| ask.id).collect();
			queue.serve.retain(|ask| !cancelled.contains(&ask.id));
		}
		// What does not fit is not answered: whoever wants so much asks again.
		let room = MOST_SERVED.saturating_sub(queue.serve.len());
		queue.serve.extend(wanted.into_iter().take(room));
		self.wake.notify_one();
		Ok(())
	}

	fn take(&self) -> (Vec<Ask>, Vec<Ask>) {
		let mut queue = self.queue();
		let batch = queue.serve.len().min(BATCH);
		let asks = queue.asks.len().min(MOST_SERVED);
		(queue.asks.drain(..asks).collect(), queue.serve.drain(..batch).collect())
	}

	/// Puts back what did not fit a message.
	fn put_back(&self, asks: Vec<Ask>) {
		let mut queue = self.queue();
		asks.into_iter().rev().for_each(|ask| queue.serve.push_front(ask));
	}
}

/// What the tasks of a peer report.
#[derive(Debug)]
pub(crate) enum Input {
	/// It sent something.
	Message(PeerId, Message),
	/// It did what none may.
	Offence(PeerId, Offence),
	/// The stream to it ended.
	Closed(PeerId),
}

/// Deadlines of streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
	/// For a message to be read or written.
	pub message: Duration,
	/// After which a stream that nothing was sent over is closed.
	pub idle: Duration,
}

/// How much was exchanged.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
	pub received: AtomicU64,
	pub sent: AtomicU64,
}

/// Writes to a peer what is in its outbox, until the stream ends or is idle.
pub(crate) async fn write_all(
	peer: PeerId,
	mut stream: Substream,
	outbox: Arc<Outbox>,
	database: Arc<Database>,
	traffic: Arc<Traffic>,
	inputs: mpsc::Sender<Input>,
	deadlines: Deadlines,
) {
	let end = loop {
		let (asks, serve) = outbox.take();
		if asks.is_empty() && serve.is_empty() {
			let idle = timeout(deadlines.idle, outbox.wake.notified()).await.is_err();
			if idle && !outbox.lasting.load(Relaxed) {
				break Input::Closed(peer);
			}
			continue;
		}
		let mut message = if serve.is_empty() {
			Message::default()
		} else {
			let database = database.clone();
			let answered = tokio::task::spawn_blocking(move || answer(&database, serve)).await;
			let Ok((message, rest)) = answered else { break Input::Closed(peer) };
			outbox.put_back(rest);
			message
		};
		message.asks = asks;
		let blocks = message.blocks.len() as u64;
		match timeout(deadlines.message, write(&mut stream, message)).await {
			Ok(Ok(())) => drop(traffic.sent.fetch_add(blocks, Relaxed)),
			Ok(Err(_)) => break Input::Closed(peer),
			Err(_) => break Input::Offence(peer, Offence::NotReading),
		}
	};
	// Ends it properly, so that the last message arrives; a peer that does not care is not waited for.
	let _ = timeout(deadlines.message, stream.close()).await;
	let _ = inputs.send(end).await;
}

async fn write(stream: &mut Substream, message: Message) -> io::Result<()> {
	stream.write_all(&message.frame()).await?;
	stream.flush().await
}

/// Answers as many wishes as fit a message, and gives those that do not.
fn answer(database: &Database, asks: Vec<Ask>) -> (Message, Vec<Ask>) {
	let mut message = Message::default();
	let mut bytes = 0;
	let mut asks = asks.into_iter();
	for ask in asks.by_ref() {
		let digest = ask.id.digest.as_fixed_bytes();
		let here = match ask.want {
			Want::Cancel => continue,
			Want::Have => database.has(digest).inspect(|has| {
				if *has {
					message.presences.push((ask.id, true));
				}
			}),
			Want::Block => database.get(digest).map(|block| {
				let Some(block) = block else { return false };
				bytes += block.len();
				message.blocks.push((ask.id, block));
				true
			}),
		};
		let here = here.unwrap_or_else(|error| {
			log::warn!("a block that was asked for: {error}");
			false
		});
		if !here && ask.answer {
			message.presences.push((ask.id, false));
		}
		if bytes >= SEND {
			break;
		}
	}
	(message, asks.collect())
}

/// Reads messages from a stream of a peer until it ends. `turn` lets one message of a peer be in
/// memory at a time.
pub(crate) async fn read_all(
	peer: PeerId,
	mut stream: Substream,
	outbox: Arc<Outbox>,
	turn: Arc<AsyncMutex<()>>,
	inputs: mpsc::Sender<Input>,
	deadlines: Deadlines,
) {
	loop {
		let limit = || if outbox.asked.load(Relaxed) { MAX_ANSWER } else { MAX_ASKED };
		let input = match read(&mut stream, &turn, limit, deadlines.message).await {
			Ok(Some(message)) => Input::Message(peer, message),
			Ok(None) => return,
			Err(offence) => Input::Offence(peer, offence),
		};
		let over = matches!(input, Input::Offence(..));
		if inputs.send(input).await.is_err() || over {
			return;
		}
	}
}

/// Reads one message of at most `limit` bytes. `None` if the stream ends, wherever.
async fn read(
	stream: &mut (impl AsyncRead + Unpin),
	turn: &AsyncMutex<()>,
	limit: impl Fn() -> usize,
	deadline: Duration,
) -> Result<Option<Message>, Offence> {
	// Between messages a stream may rest.
	let Ok(first) = stream.read_u8().await else { return Ok(None) };
	let _turn = turn.lock().await;
	let rest = async {
		let mut len = u64::from(first & 0x7f);
		let mut byte = first;
		let mut shift = 7;
		while byte & 0x80 != 0 {
			let Ok(next) = stream.read_u8().await else { return Ok(None) };
			byte = next;
			if shift > 28 {
				return Err(Offence::Malformed);
			}
			len |= u64::from(byte & 0x7f) << shift;
			shift += 7;
		}
		let len = usize::try_from(len).unwrap_or(usize::MAX);
		if len > limit() {
			return Err(Offence::Malformed);
		}
		// Not zeroed before, as the database does not.
		let mut bytes = Vec::with_capacity(len);
		match stream.take(len as u64).read_to_end(&mut bytes).await {
			Ok(read) if read == len => {},
			_ => return Ok(None),
		}
		Message::decode(&bytes).map(Some).map_err(|_| Offence::Malformed)
	};
	timeout(deadline, rest).await.unwrap_or(Err(Offence::Stalled))
}

#[cfg(test)]
mod tests {
	use dgcs_content::content_id::raw;

	use super::*;

	const HOUR: Duration = Duration::from_secs(3600);

	fn ask(number: u32, want: Want) -> Ask {
		Ask { id: raw(&number.to_le_bytes()), want, answer: true }
	}

	async fn read_bytes(mut bytes: &[u8], limit: usize) -> Result<Option<Message>, Offence> {
		read(&mut bytes, &AsyncMutex::new(()), || limit, HOUR).await
	}

	#[tokio::test]
	async fn messages_are_bounded() {
		let message = Message { asks: vec![ask(1, Want::Block); 10], ..Message::default() };
		let framed = message.clone().frame();
		let len = framed.len() - 2;
		assert_eq!(read_bytes(&framed, len).await, Ok(Some(message)));
		assert_eq!(read_bytes(&framed, len - 1).await, Err(Offence::Malformed));
		assert_eq!(read_bytes(&framed[..framed.len() - 1], len).await, Ok(None));
		assert_eq!(read_bytes(&[], 10).await, Ok(None));
		assert_eq!(read_bytes(&[0xff; 12], usize::MAX).await, Err(Offence::Malformed));
		assert_eq!(read_bytes(&[2, 0xff, 0xff], 10).await, Err(Offence::Malformed));
		assert_eq!(read_bytes(&[0], 10).await, Ok(Some(Message::default())));
	}

	#[tokio::test]
	async fn a_message_has_a_deadline_and_silence_between_messages_has_none() {
		let (mut near, mut far) = tokio::io::duplex(16);
		let turn = AsyncMutex::new(());
		let silent = timeout(Duration::ZERO, read(&mut far, &turn, || 100, HOUR)).await;
		assert!(silent.is_err(), "it is waited for");
		near.write_all(&[9, 1, 2]).await.expect("fits");
		let cut = read(&mut far, &turn, || 100, Duration::ZERO).await;
		assert_eq!(cut, Err(Offence::Stalled));
	}

	#[test]
	fn wishes_are_bounded_and_can_be_taken_back() {
		let now = Instant::now();
		let outbox = Outbox::new(false);
		assert!(outbox.is_empty());
		outbox.serve((0..5000).map(|n| ask(n, Want::Block)).collect(), now).expect("allowed");
		outbox.serve((0..10).map(|n| ask(n, Want::Cancel)).collect(), now).expect("allowed");
		let (asks, serve) = outbox.take();
		assert!(asks.is_empty());
		assert_eq!(serve.first(), Some(&ask(10, Want::Block)));
		assert_eq!(serve.len() + outbox.queue().serve.len(), MOST_SERVED - 10);
		outbox.put_back(serve.clone());
		assert_eq!(outbox.take().1, serve);

		let flood = (0..BURST as u32).map(|n| ask(n, Want::Have)).collect::<Vec<_>>();
		assert_eq!(outbox.serve(flood.clone(), now), Err(Offence::Flood));
		let later = now + Duration::from_millis(BURST / PER_MILLISECOND);
		assert_eq!(outbox.serve(flood, later), Ok(()));

		outbox.ask(vec![ask(0, Want::Have); MOST_ASKS]).expect("just so many");
		assert_eq!(outbox.ask(vec![ask(0, Want::Have)]), Err(Offence::NotReading));
	}

	#[test]
	fn wishes_are_answered_as_far_as_a_message_goes() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let database = Database::open(folder.path(), 64 << 20).expect("opens");
		let blocks: Vec<_> = (0..4u8).map(|n| vec![n; SEND / 2]).collect();
		for block in &blocks {
			let keep = crate::database::Keep::Session;
			database.put(&raw(block).digest.0, block, keep).expect("there is room");
		}
		let want = |bytes: &[u8], want| Ask { id: raw(bytes), want, answer: true };
		let asks = vec![
			want(&blocks[0], Want::Block),
			want(b"missing", Want::Block),
			Ask { answer: false, ..want(b"missing", Want::Have) },
			want(&blocks[1], Want::Have),
			want(&blocks[2], Want::Block),
			want(&blocks[3], Want::Block),
		];
		let (message, rest) = answer(&database, asks.clone());
		let sent: Vec<_> = message.blocks.iter().map(|(id, _)| *id).collect();
		assert_eq!(sent, [raw(&blocks[0]), raw(&blocks[2])]);
		assert_eq!(message.presences, [(raw(b"missing"), false), (raw(&blocks[1]), true)]);
		assert_eq!(rest, [asks[5]]);
	}
}
