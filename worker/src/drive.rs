//! Carries out what the machine decides, and tells it what came of it.
//!
//! One loop owns the machine. Whatever takes time happens beside it: calls to the chain as tasks,
//! runs on threads of their own, the disk and the store on threads that may wait. Each answers with
//! one event, so that what is on its way is bounded by what the machine has asked for.

use std::{sync::Arc, time::Duration};

use dgcs_primitives::Round;
use serde::Serialize;
use tokio::{
	runtime::Handle,
	sync::{
		mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender},
		watch,
	},
};

use crate::{
	chain::{Call, Chain, ChainError, Dgc, Fault, News, Place, View},
	execute::{Abandon, Done, ExecuteError, Executor, Work},
	forget::Forgetter,
	journal::Journal,
	lend::{Allowance, Reason},
	machine::{Assignment, Command, Event, Failure, Idle, Machine, Sent, Status, Stop, Vote},
	show::{show, Store},
	slots::Slots,
};

/// How long to wait before a chain that can't be reached is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// What a worker has around it.
#[derive(Clone)]
pub struct Edges {
	/// The chain.
	pub chain: Arc<dyn Chain>,
	/// Where results are shown.
	pub store: Arc<dyn Store>,
	/// What computes.
	pub executor: Arc<Executor>,
	/// What survives.
	pub journal: Arc<Journal>,
	/// Where it runs.
	pub slots: Slots,
	/// Who is told what happens.
	pub notes: Arc<dyn Fn(&Note) + Send + Sync>,
}

impl std::fmt::Debug for Edges {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Edges").field("executor", &self.executor).finish_non_exhaustive()
	}
}

/// What there is to tell a worker's owner.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
#[non_exhaustive]
pub enum Note {
	/// What the worker is doing, whenever that has changed.
	Status {
		/// All of it.
		#[serde(flatten)]
		status: Status,
		/// Why no more is lent.
		lent: Option<Reason>,
		/// Why it does not ask for work, in words.
		message: Option<String>,
	},
	/// A run began.
	Started {
		/// The task.
		task: u64,
		/// The range.
		range: u32,
		/// The round of the vote.
		round: u8,
		/// How many subtasks there are to compute.
		subtasks: u32,
	},
	/// A subtask was computed.
	Computed {
		/// The task.
		task: u64,
		/// The subtask within it.
		subtask: u32,
		/// How its program ended.
		outcome: String,
		/// Fuel that it used.
		fuel: u64,
		/// Processor time that it took, in milliseconds.
		cpu_ms: u64,
	},
	/// A commitment is in a block.
	Committed {
		/// The task.
		task: u64,
		/// The range.
		range: u32,
		/// The round of the vote.
		round: u8,
	},
	/// Results were shown.
	Revealed {
		/// The task.
		task: u64,
		/// The range.
		range: u32,
		/// The round of the vote.
		round: u8,
	},
	/// Subtasks of a range that it has revealed results for have their verdicts.
	Decided {
		/// The task.
		task: u64,
		/// The range.
		range: u32,
		/// The round that decided.
		round: u8,
		/// How many of its results are the majority's.
		agreed: u32,
		/// How many are not.
		dissented: u32,
		/// What was paid, which may be for earlier results.
		paid: Dgc,
	},
	/// A lease was over before there was a commitment.
	Lapsed {
		/// The task.
		task: u64,
		/// The range.
		range: u32,
		/// The round of the vote.
		round: u8,
	},
	/// A part of the bond is lost.
	Slashed {
		/// How much.
		amount: Dgc,
		/// What for.
		fault: Fault,
	},
	/// Something went wrong that is dealt with.
	Trouble {
		/// What, and what becomes of it.
		message: String,
	},
}

impl From<&News> for Note {
	fn from(news: &News) -> Self {
		match *news {
			News::Decided { place: Place { task, range }, round, agreed, dissented, paid } => {
				let (task, range, round) = (task.0, range.0, round.0);
				Note::Decided { task, range, round, agreed, dissented, paid: Dgc(paid) }
			},
			News::Lapsed { place: Place { task, range }, round } => {
				Note::Lapsed { task: task.0, range: range.0, round: round.0 }
			},
			News::Slashed { amount, fault } => Note::Slashed { amount: Dgc(amount), fault },
		}
	}
}

/// A worker at work.
#[derive(Debug)]
pub struct Worker {
	machine: Machine,
	edges: Edges,
	forgetter: Arc<Forgetter>,
	events: (UnboundedSender<Event>, UnboundedReceiver<Event>),
	lent: watch::Receiver<Allowance>,
	reported: Option<(Option<Idle>, Option<Reason>, [usize; 5])>,
	/// Whether the next view is to be of all seats.
	rescan: bool,
}

impl Worker {
	/// A worker by `machine`, which lends what `lent` says at the time.
	pub fn new(machine: Machine, edges: Edges, lent: watch::Receiver<Allowance>) -> Self {
		let forgetter = Arc::new(Forgetter::new(edges.journal.clone(), edges.store.clone()));
		let (events, reported, rescan) = (unbounded_channel(), None, false);
		Worker { machine, edges, forgetter, events, lent, reported, rescan }
	}

	/// Works until it is told to stop by `stop` and owes nothing more, or `stop` is closed: then what
	/// goes on is left as it is, for another start to take up.
	pub async fn run(mut self, mut stop: UnboundedReceiver<Stop>) {
		let mut allowance = *self.lent.borrow_and_update();
		self.handle(Event::Slots(allowance.slots));
		let mut next = Box::pin(self.next_view());
		while !self.machine.is_done() {
			let event = tokio::select! {
				biased;
				stop = stop.recv() => match stop {
					Some(stop) => Event::Stop(stop),
					None => break,
				},
				Some(event) = self.events.1.recv() => event,
				Ok(()) = self.lent.changed() => {
					allowance = *self.lent.borrow_and_update();
					Event::Slots(allowance.slots)
				},
				view = &mut next => {
					next = Box::pin(self.next_view());
					match view {
						Ok(view) => {
							view.news.iter().for_each(|news| self.note(&news.into()));
							Event::Block(view)
						},
						Err(error) => {
							self.trouble(error.to_string());
							continue;
						},
					}
				},
			};
			self.handle(event);
			self.report(allowance.reason);
		}
		for run in self.machine.running() {
			self.edges.slots.abandon(run);
		}
	}

	/// The next view. After an error, there is a pause before it.
	fn next_view(&mut self) -> impl std::future::Future<Output = Result<View, ChainError>> + Send {
		let (chain, watch) = (self.edges.chain.clone(), self.machine.watch());
		let all = std::mem::take(&mut self.rescan);
		async move {
			let view = chain.next(&watch, all).await;
			if view.is_err() {
				tokio::time::sleep(RETRY).await;
			}
			view
		}
	}

	fn handle(&mut self, event: Event) {
		// What could not be let go of is tried again in each block.
		let mut let_go = matches!(event, Event::Block(_));
		for command in self.machine.handle(event) {
			let_go |= matches!(command, Command::Forget(..));
			self.carry_out(command);
		}
		if let_go {
			self.let_go();
		}
	}

	fn carry_out(&mut self, command: Command) {
		match command {
			Command::Take(slots) => self.send(Call::Take(slots), Sent::Take, None),
			Command::Compute(assignment) => self.compute(assignment),
			Command::Abandon(run) => self.edges.slots.abandon(run),
			Command::Save(vote) => self.save(vote),
			Command::Commit(place, round, commitment) => {
				let Place { task, range } = place;
				let note = Note::Committed { task: task.0, range: range.0, round: round.0 };
				self.commit(Call::Commit(place, commitment), (place, round), note);
			},
			Command::Publish(place, round) => self.publish(place, round),
			Command::Reveal(place, round, digests, salt) => {
				let Place { task, range } = place;
				let note = Note::Revealed { task: task.0, range: range.0, round: round.0 };
				let sent = Sent::Reveal(place, round);
				self.send(Call::Reveal(place, digests, salt), sent, Some(note));
			},
			Command::Forget(place, round) => self.forget(place, round),
			Command::Rescan => self.rescan = true,
		}
	}

	fn send(&self, call: Call, sent: Sent, note: Option<Note>) {
		let (edges, events) = (self.edges.clone(), self.events.0.clone());
		tokio::spawn(async move { send(&edges, &events, call, sent, note).await });
	}

	/// Sends a commitment, if what is committed to could be shown now.
	fn commit(&self, call: Call, (place, round): (Place, Round), note: Note) {
		let (edges, events) = (self.edges.clone(), self.events.0.clone());
		tokio::spawn(async move {
			let store = edges.store.clone();
			match tokio::task::spawn_blocking(move || store.check()).await {
				Ok(Ok(())) => {
					send(&edges, &events, call, Sent::Commit(place, round), Some(note)).await;
				},
				failed => {
					let why = match failed {
						Ok(Err(error)) => error.to_string(),
						_ => "its check broke off".into(),
					};
					let message = format!(
						"{place}: the results could not be shown now, so nothing is committed: {why}"
					);
					(edges.notes)(&Note::Trouble { message });
					tell(&events, Event::NotReady(place, round));
				},
			}
		});
	}

	fn compute(&self, assignment: Assignment) {
		let Assignment { run, place, round, open } = assignment;
		let Place { task, range } = place;
		let subtasks = open.count_ones();
		if let Err(error) = self.forgetter.clear(place, round) {
			self.trouble(error.to_string());
		}
		self.note(&Note::Started { task: task.0, range: range.0, round: round.0, subtasks });
		let (edges, events) = (self.edges.clone(), self.events.0.clone());
		let (notes, handle) = (self.edges.notes.clone(), Handle::current());
		let progress = self.events.0.clone();
		let work = move |abandon: &Abandon| {
			execute(&edges, &assignment, abandon, &handle, &|| {
				tell(&progress, Event::Progress { run });
			})
		};
		self.edges.slots.start(run, work, move |result| {
			let event = match result {
				Some(Ok(digests)) => Event::Computed { run, digests },
				Some(Err(error)) => {
					let failure = match error {
						ExecuteError::Abandoned => Failure::Abandoned,
						ExecuteError::Unfit { .. }
						| ExecuteError::Memory { .. }
						| ExecuteError::Disk { .. } => Failure::Unfit,
						_ => Failure::Passing,
					};
					if failure != Failure::Abandoned {
						notes(&Note::Trouble { message: format!("{place}: {error}") });
					}
					Event::Failed { run, failure }
				},
				None => {
					let message = format!("{place}: its run broke off; it is tried again");
					notes(&Note::Trouble { message });
					Event::Failed { run, failure: Failure::Passing }
				},
			};
			tell(&events, event);
		});
	}

	fn save(&self, vote: Vote) {
		let (edges, events) = (self.edges.clone(), self.events.0.clone());
		tokio::task::spawn_blocking(move || {
			let (place, round) = (vote.place(), vote.ballot.round);
			let event = match edges.journal.save(&vote) {
				Ok(()) => Event::Saved(place, round),
				Err(error) => {
					(edges.notes)(&Note::Trouble { message: error.to_string() });
					Event::NotSaved(place, round)
				},
			};
			tell(&events, event);
		});
	}

	fn publish(&self, place: Place, round: Round) {
		let (edges, events) = (self.edges.clone(), self.events.0.clone());
		tokio::task::spawn_blocking(move || {
			let failed = |message, event| {
				(edges.notes)(&Note::Trouble { message });
				event
			};
			let event = match edges.journal.vote(place, round) {
				Some(vote) => match show(&edges.journal, &*edges.store, &vote) {
					Ok(()) => Event::Published(place, round),
					Err(error) if error.is_full() => {
						failed(error.to_string(), Event::NoRoom(place, round))
					},
					Err(error) => failed(error.to_string(), Event::NotPublished(place, round)),
				},
				None => failed(
					format!("{place}: its vote is not on disk any more"),
					Event::NotPublished(place, round),
				),
			};
			tell(&events, event);
		});
	}

	/// Lets go of everything of a vote, soon.
	fn forget(&self, place: Place, round: Round) {
		self.edges.executor.forget(place, round);
		self.forgetter.add(place, round);
	}

	/// Has the votes that are to be let go of, let go of.
	fn let_go(&self) {
		let (forgetter, notes) = (self.forgetter.clone(), self.edges.notes.clone());
		tokio::task::spawn_blocking(move || {
			if let Err(message) = forgetter.work() {
				notes(&Note::Trouble { message });
			}
		});
	}

	fn note(&self, note: &Note) {
		(self.edges.notes)(note);
	}

	fn trouble(&self, message: String) {
		self.note(&Note::Trouble { message });
	}

	/// Tells the status, if it is another than before but for the blocks.
	fn report(&mut self, reason: Reason) {
		let status = self.machine.status();
		let lent = (reason != Reason::Idle).then_some(reason);
		let numbers =
			[status.slots.into(), status.running, status.waiting, status.voting, status.kept];
		let now = (status.idle, lent, numbers);
		if self.reported != Some(now) {
			self.reported = Some(now);
			let message = status.idle.map(|idle| match (idle, lent) {
				(Idle::NothingLent, Some(reason)) => format!("{idle}: {reason}"),
				_ => idle.to_string(),
			});
			self.note(&Note::Status { status, lent, message });
		}
	}
}

/// Computes a range on the thread of its slot. `progress` is called after each subtask.
fn execute(
	edges: &Edges,
	assignment: &Assignment,
	abandon: &Abandon,
	handle: &Handle,
	progress: &(dyn Fn() + Sync),
) -> Result<dgcs_primitives::Digests, ExecuteError> {
	let Assignment { place, round, open, .. } = *assignment;
	let spec = handle.block_on(edges.chain.task(place.task));
	let spec = spec
		.map_err(|error| ExecuteError::Machine(error.to_string()))?
		.ok_or_else(|| ExecuteError::Machine(format!("task {} has ended", place.task)))?;
	let blocks = edges
		.journal
		.blocks(place, round)
		.map_err(|error| ExecuteError::Machine(error.to_string()))?;
	let work = Work { place, round, open, spec: &spec };
	edges.executor.run(&work, &blocks, abandon, &|done: &Done| {
		progress();
		(edges.notes)(&Note::Computed {
			task: place.task.0,
			subtask: done.subtask,
			outcome: done.outcome.clone(),
			fuel: done.fuel,
			cpu_ms: u64::try_from(done.cpu_time.as_millis()).unwrap_or(u64::MAX),
		});
	})
}

/// Sends a call, and says what comes of it.
async fn send(
	edges: &Edges,
	events: &UnboundedSender<Event>,
	call: Call,
	sent: Sent,
	note: Option<Note>,
) {
	match edges.chain.send(call).await {
		Ok(()) => note.iter().for_each(|note| (edges.notes)(note)),
		Err(error) => {
			(edges.notes)(&Note::Trouble { message: error.to_string() });
			tell(events, Event::NotSent(sent));
		},
	}
}

/// A worker that has ended needs no news.
fn tell(events: &UnboundedSender<Event>, event: Event) {
	let _ = events.send(event);
}
