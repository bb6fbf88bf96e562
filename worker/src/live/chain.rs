//! The chain, through any of several nodes.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use dgcs_client::{
	api::{self, runtime_types::pallet_workers::types::Fault as ChainFault},
	call, event, AccountId, At, Error, Events, Heads, Receipt, Sender,
};
use dgcs_primitives::{
	api::{TaskInfo, WorkerView},
	Refusal, TaskId, TaskSpec,
};
use futures::{stream, Stream, StreamExt, TryStreamExt};
use sp_core::H256;
use tokio::sync::Mutex;

use crate::chain::{
	Balance, Call, Chain, ChainError, Fault, News, Phase, Place, Queue, Record, Seat, SeatState,
	View,
};

/// Most blocks whose events are read one by one. After a longer absence all votes are looked at.
const MAX_GAP: u32 = 64;
/// Requests at a time.
const PARALLEL: usize = 16;
/// How long to wait for a new block before somebody is told.
const STALL: Duration = Duration::from_secs(60);
/// How long a view may take to read once there is a new block.
const READ: Duration = Duration::from_secs(30);
/// How long to wait until a call is in a block. What comes later is found in the state.
const SEND: Duration = Duration::from_secs(45);

/// A chain, read and spoken to in the name of one worker.
#[derive(Debug)]
pub struct LiveChain {
	sender: Sender,
	worker: AccountId,
	followed: Mutex<Followed>,
}

type FinalEvents = Box<dyn Stream<Item = Result<Events, Error>> + Send + Unpin>;

/// How far the chain was followed.
#[derive(Default)]
struct Followed {
	heads: Option<Heads>,
	/// The events of final blocks, none left out, and the last block whose were read.
	events: Option<(FinalEvents, u32)>,
	/// What was found and not told yet, since the reading after it failed.
	leased: BTreeSet<Place>,
	refused: Option<Refusal>,
	news: Vec<News>,
	/// All seats are to be looked for.
	missed: bool,
}

impl std::fmt::Debug for Followed {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Followed").field("heads", &self.heads).finish_non_exhaustive()
	}
}

impl LiveChain {
	/// The chain that `sender` sends to, for its account.
	pub fn new(sender: Sender) -> Self {
		let worker = sender.account().id();
		LiveChain { sender, worker, followed: Mutex::default() }
	}

	/// What the events say about this worker.
	fn note(&self, events: &Events, followed: &mut Followed) -> Result<(), Error> {
		for event in events.find::<event::tasks::Leased>()? {
			if event.worker.0 == self.worker {
				let (task, range) = (event.task.0, event.range.0);
				followed.leased.insert(Place { task, range });
				followed.refused = None;
			}
		}
		for event in events.find::<event::tasks::NothingFound>()? {
			if event.worker.0 == self.worker {
				followed.refused = Some(event.reason.0);
			}
		}
		Ok(())
	}

	/// What the events of a final block did to this worker.
	fn news(&self, events: &Events) -> Result<Vec<News>, Error> {
		let mut news = Vec::new();
		for event in events.find::<event::verdicts::Decided>()? {
			let place = Place { task: event.task.0, range: event.range.0 };
			let receipts = event.receipts.0.into_iter().map(|receipt| receipt.0);
			news.extend(receipts.filter(|receipt| receipt.worker == self.worker).map(|receipt| {
				let Receipt { agreed, dissented, paid, .. } = receipt;
				News::Decided { place, round: event.round.0, agreed, dissented, paid }
			}));
		}
		for event in events.find::<event::verdicts::Lapsed>()? {
			if event.worker.0 == self.worker {
				let place = Place { task: event.task.0, range: event.range.0 };
				news.push(News::Lapsed { place, round: event.round.0 });
			}
		}
		for event in events.find::<event::workers::Slashed>()? {
			if event.worker.0 == self.worker {
				news.push(News::Slashed { amount: event.amount, fault: fault(&event.fault) });
			}
		}
		Ok(news)
	}

	/// Reads what happened since the last time, and takes note if some of it was missed.
	async fn follow(&self, heads: Heads, followed: &mut Followed) -> Result<(), Error> {
		let chain = self.sender.chain();
		// Of the best block, so that a refusal is known at once; of final ones, so that no lease is
		// missed through a fork or a short absence.
		if followed.heads.is_none_or(|last| last.best != heads.best) {
			let events = chain.events(heads.best).await?;
			self.note(&events, followed)?;
		}
		let last = heads.finalized.number;
		let gap = followed.events.as_ref().is_none_or(|(_, read)| last - read.min(&last) > MAX_GAP);
		if gap {
			followed.missed = true;
			let events = chain.finalized_events(Some(last));
			followed.events = Some((Box::new(events), last.saturating_sub(1)));
		}
		// Refusals of final blocks are known from when they were best ones.
		let refused = followed.refused;
		while let Some((mut events, read)) = followed.events.take() {
			if read >= last {
				followed.events = Some((events, read));
				break;
			}
			let Some(block) = events.next().await else { break };
			match block {
				Ok(block) => {
					let read = block.block().number;
					followed.events = Some((events, read));
					self.note(&block, followed)?;
					followed.news.append(&mut self.news(&block)?);
				},
				Err(error) => {
					followed.events = Some((events, read));
					return Err(error);
				},
			}
		}
		followed.refused = refused;
		Ok(())
	}

	/// Where the chain is, once that is not where it was.
	async fn moved(&self, last: Heads) -> Result<Heads, ChainError> {
		let still = |_| ChainError::Unreachable(format!("there is no new block for {STALL:?}"));
		let moved = tokio::time::timeout(STALL, self.sender.chain().moved(last));
		moved.await.map_err(still)?.map_err(unreachable)
	}

	/// Reads the chain as of `heads`, or fails in time.
	async fn view(
		&self,
		heads: Heads,
		watch: &[Place],
		all: bool,
		followed: &mut Followed,
	) -> Result<View, Error> {
		let late = |_| Error::TimedOut { what: "reading a block".into(), limit: READ };
		tokio::time::timeout(READ, self.read(heads, watch, all, followed)).await.map_err(late)?
	}

	async fn read(
		&self,
		heads: Heads,
		watch: &[Place],
		all: bool,
		followed: &mut Followed,
	) -> Result<View, Error> {
		followed.missed |= all;
		self.follow(heads, followed).await?;
		let at = self.sender.chain().at(heads.best).await?;
		let reveal_period = at.constant(api::constants().verdicts().reveal_period())?;
		let places: BTreeSet<Place> =
			watch.iter().copied().chain(followed.leased.iter().copied()).collect();
		let read = |place: Place| {
			let at = at.clone();
			async move {
				let vote = at.vote(place.task, place.range).await?;
				Ok::<_, Error>((place, vote))
			}
		};
		let mut votes: Vec<_> =
			stream::iter(places).map(read).buffer_unordered(PARALLEL).try_collect().await?;
		if followed.missed {
			let found = at.votes_of_worker(&self.worker).await?;
			votes.extend(
				found.into_iter().map(|(task, range, vote)| (Place { task, range }, Some(vote))),
			);
		}
		let seat = |vote: dgcs_client::RangeVote| self.seat(&vote, reveal_period);
		let seats = votes.into_iter().map(|(place, vote)| (place, vote.and_then(seat))).collect();
		let worker = at.worker(&self.worker).await?.map(record);
		let asking = at.is_asking(&self.worker).await?;
		let queue = queue(&at).await?;
		// To look costs nothing, to be refused costs a fee.
		let unsuited = match queue.waiting {
			0 => None,
			_ => at.prospects(&self.worker).await?.err(),
		};
		let view = View {
			block: heads.best.number,
			finalised: heads.finalized.number,
			worker,
			asking,
			refused: followed.refused.take().filter(|_| !asking),
			queue,
			unsuited,
			seats,
			news: std::mem::take(&mut followed.news),
		};
		followed.leased.clear();
		followed.missed = false;
		followed.heads = Some(heads);
		Ok(view)
	}

	/// This worker's seat in a vote.
	fn seat(&self, vote: &dgcs_client::RangeVote, reveal_period: u32) -> Option<Seat> {
		use dgcs_client::{Phase as ChainPhase, SeatState as ChainState};
		let seat = vote.seat(&self.worker)?;
		Some(Seat {
			round: seat.round,
			open: vote.open,
			phase: match vote.phase {
				ChainPhase::Commit => Phase::Commit,
				ChainPhase::Reveal { until } => {
					Phase::Reveal { begun: until.saturating_sub(reveal_period), until }
				},
			},
			state: match seat.state {
				ChainState::Leased { since, until } => SeatState::Leased { since, until },
				ChainState::Committed(commitment) => SeatState::Committed(commitment),
				ChainState::Revealed(_) => SeatState::Revealed,
				ChainState::Withheld => SeatState::Withheld,
			},
		})
	}
}

async fn queue(at: &At) -> Result<Queue, Error> {
	let tasks = api::storage().tasks();
	let lanes = at.fetch(tasks.waiting(), ()).await?;
	let classes = lanes.iter().flat_map(|lanes| &lanes.0);
	Ok(Queue {
		next_task: at.fetch(tasks.next_task_id(), ()).await?.unwrap_or_default(),
		waiting: classes.fold(0, |all, classes| all | classes.0),
	})
}

fn fault(fault: &ChainFault) -> Fault {
	match fault {
		ChainFault::Dissented => Fault::Dissented,
		ChainFault::Withheld => Fault::Withheld,
		ChainFault::Silent => Fault::Silent,
		ChainFault::Offline => Fault::Offline,
	}
}

fn record(view: WorkerView<AccountId, Balance>) -> Record {
	Record {
		capacity: view.capacity,
		key: view.key,
		kinds: view.kinds,
		busy: view.busy,
		standing: view.standing,
		leaving: view.leaving.is_some(),
	}
}

fn unreachable(error: Error) -> ChainError {
	ChainError::Unreachable(error.to_string())
}

fn late(_: tokio::time::error::Elapsed) -> ChainError {
	ChainError::Unreachable("it took too long to answer".into())
}

#[async_trait]
impl Chain for LiveChain {
	async fn next(&self, watch: &[Place], all: bool) -> Result<View, ChainError> {
		let mut followed = self.followed.lock().await;
		let heads = match followed.heads {
			Some(last) => self.moved(last).await?,
			None => self.sender.chain().heads(),
		};
		let mut view = self.view(heads, watch, all, &mut followed).await;
		// Another block has taken this one's place. To come back to it later would cost the other.
		if let Err(Error::UnknownBlock { .. } | Error::StateDiscarded { .. }) = view {
			let heads = self.moved(heads).await?;
			view = self.view(heads, watch, all, &mut followed).await;
		}
		view.map_err(unreachable)
	}

	async fn task(&self, task: TaskId) -> Result<Option<TaskSpec<Balance>>, ChainError> {
		let read = async { self.sender.chain().at_best().await?.task(task).await };
		let info = tokio::time::timeout(READ, read).await.map_err(late)?.map_err(unreachable)?;
		Ok(match info {
			Some(TaskInfo::Live(view)) => Some(view.spec),
			_ => None,
		})
	}

	async fn send(&self, call: Call) -> Result<(), ChainError> {
		let name = call.name();
		let account = |account: H256| AccountId::new(account.0);
		let call = match call {
			Call::Take(slots) => call::tasks::take(slots),
			Call::Commit(place, commitment) => {
				call::verdicts::commit(place.task, place.range, commitment)
			},
			Call::Reveal(place, digests, salt) => {
				call::verdicts::reveal(place.task, place.range, &digests, salt)
			},
			Call::Register { operator, key, capacity, kinds } => {
				let operator = account(operator);
				let terms = call::workers::Terms { operator, key, capacity, kinds };
				call::workers::register(&terms)
			},
			Call::Update { operator, key, capacity, kinds } => {
				let operator = account(operator);
				let terms = call::workers::Terms { operator, key, capacity, kinds };
				call::workers::update(&terms)
			},
		};
		let sent = tokio::time::timeout(SEND, self.sender.send_and_include(&call)).await;
		match sent {
			Ok(Ok(_)) => Ok(()),
			Ok(Err(error @ (Error::Failed { .. } | Error::InvalidTransaction { .. }))) => {
				Err(ChainError::Refused { call: name, reason: error.to_string() })
			},
			Ok(Err(error)) => Err(unreachable(error)),
			Err(_) => Err(ChainError::Unreachable(format!("{name} got into no block yet"))),
		}
	}
}
