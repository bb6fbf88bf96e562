//! What a worker decides: a state machine without clock, chain or disk.
//!
//! Events go in, commands come out. After each event [`Machine::handle`] looks at every range that
//! it has to do with and says what is to be done now, so that an event that is lost, late or told
//! twice changes nothing but when it is done. The chain is the truth: whatever a view says of a
//! seat replaces what was thought of it before.
//!
//! ```text
//!            Compute             Save               Commit            Publish, Reveal
//!  (leased) ────────► computing ──────► vote on disk ─────► committed ─────────────► revealed ──► Forget
//!      ▲                  │
//!      └── Failed, Abandon┘        no seat any more: Abandon at once, Forget once that is final
//! ```
//!
//! What it keeps to, whatever happens (each a property test):
//!
//! - it reveals only what it has committed to, and only when the block in which the last seat
//!   committed is final, or [`DEEP`] blocks deep: a fork can't show a digest to somebody who has not
//!   voted;
//! - it commits only what is on disk, and to one set of digests a ballot;
//! - it computes nothing without a seat, and nothing whose lease is over;
//! - a slot is taken by a run that was started and has not ended, and by nothing else;
//! - a machine that begins anew with the votes on disk comes to the same.

mod pace;
mod status;
#[cfg(test)]
mod tests;
mod vote;

use std::collections::BTreeMap;

use dgcs_primitives::{
	api::{LEASES_PER_SLOT, MAX_SLOTS_PER_ASK},
	Ballot, Commitment, Digests, RangeIndex, Refusal, Round, TaskId,
};
use sp_core::H256;

pub use status::{Idle, Status};
pub use vote::{SaltKey, Vote};

use self::pace::Pace;
use crate::chain::{Phase, Place, Queue, Record, Seat, SeatState, View};

/// Most ranges that a worker has to do with at a time: those that wait for others' votes included, and
/// those whose results are kept. Of the latter the oldest give way to new work.
pub const MAX_TRACKS: usize = 1024;
/// Blocks under which a block counts as settled though finality stands still: to wait longer would be to
/// withhold, which costs as much as to be wrong.
pub const DEEP: u32 = 10;
/// Blocks for which results stay after a vote whatever else wants their room, and for which a worker
/// that is to end stays: masternodes fetch them as soon as there is a verdict.
pub const LINGER: u32 = 10;
/// Votes whose results are let go of each time that the store has no room for others.
const YIELD: usize = 64;
/// Blocks from asking for a range to computing it: until the ask is in a block, the range is drawn, that is
/// final, and its keys and its input are here.
const LEAD: u32 = 6;
/// Blocks after which a call that has not shown in the chain is sent again.
const RESEND: u32 = 8;
/// Most blocks between two tries at what failed.
const MAX_DELAY: u32 = 32;
/// Blocks for which the chain may count more leases than are known here before they are looked for.
const RESCAN_AFTER: u32 = 4;
/// The block before which a vote that is being saved is not saved again.
const SAVING: u32 = u32::MAX;
/// Ranges that only wait for others are looked at in every block of which this is a divisor.
const SLOW_WATCH: u32 = 4;

/// Who the worker is.
#[derive(Clone, Debug)]
pub struct Identity {
	/// Hash of the chain's first block.
	pub genesis: H256,
	/// The worker's account.
	pub worker: H256,
	/// What its salts derive from.
	pub salts: SaltKey,
}

/// What there is to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
	/// Numbers the run: what comes of it carries the same number.
	pub run: u64,
	/// The range.
	pub place: Place,
	/// The round of the vote.
	pub round: Round,
	/// The subtasks to compute, as bits.
	pub open: u64,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
	/// There is a new best block.
	Block(View),
	/// So many runs may go on from now on, or why none may.
	Slots(u16),
	/// A run has computed one more subtask.
	Progress {
		/// Which run.
		run: u64,
	},
	/// A run ended well: the results of all its subtasks are kept aside.
	Computed {
		/// Which run.
		run: u64,
		/// One digest for each subtask, in order.
		digests: Digests,
	},
	/// A run ended without results.
	Failed {
		/// Which run.
		run: u64,
		/// Whether another try makes sense.
		failure: Failure,
	},
	/// A vote is on disk.
	Saved(Place, Round),
	/// A vote can't be put on disk.
	NotSaved(Place, Round),
	/// The results of a vote can be fetched by others.
	Published(Place, Round),
	/// They can't.
	NotPublished(Place, Round),
	/// They can't, because the store has no room for them.
	NoRoom(Place, Round),
	/// A commitment was not sent, since the store could not show the results now.
	NotReady(Place, Round),
	/// A call was not included.
	NotSent(Sent),
	/// The worker is to end.
	Stop(Stop),
}

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
	/// [`Command::Take`].
	Take,
	/// [`Command::Commit`].
	Commit(Place, Round),
	/// [`Command::Reveal`].
	Reveal(Place, Round),
}

/// Why a run has no results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
	/// Something that may pass: a store, a masternode, this machine.
	Passing,
	/// The task is such that nobody can have results, or not with what this machine lends.
	Unfit,
	/// It was abandoned.
	Abandoned,
}

/// How the worker is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
	/// It finishes what it has a lease for.
	Drain,
	/// It computes nothing more, and reveals what it has committed to.
	Abandon,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
	/// Join the line for so many ranges.
	Take(u16),
	/// Compute a range. Ends with [`Event::Computed`] or [`Event::Failed`], each run with one.
	Compute(Assignment),
	/// Stop a run. It still ends with its event.
	Abandon(u64),
	/// Put a vote on disk, for good.
	Save(Vote),
	/// Commit.
	Commit(Place, Round, Commitment),
	/// Let others fetch the results of a vote.
	Publish(Place, Round),
	/// Reveal.
	Reveal(Place, Round, Digests, H256),
	/// Let go of a vote and its results, as far as there are any.
	Forget(Place, Round),
	/// Look for seats that are not known here, with the next view.
	Rescan,
}

/// A range that the worker has, or had, a seat on.
#[derive(Clone, Debug)]
struct Track {
	/// The seat as it was last seen. `None`: known from the journal alone.
	seat: Option<Seat>,
	round: Round,
	open: u64,
	stage: Stage,
	/// The block since which the chain has no such seat.
	gone: Option<u32>,
	/// Why the store could not show its results when it last had to, or would have had to.
	unshown: Option<Unshown>,
}

/// Why a store does not show results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unshown {
	/// It fails, or is not there.
	Down,
	/// It has no room.
	NoRoom,
}

#[derive(Clone, Debug)]
enum Stage {
	/// Nothing is known of the results.
	Open { not_before: u32, failures: u32 },
	/// A run is under way.
	Computing { run: u64, failures: u32 },
	/// The results are there, and the vote is on its way to the disk.
	Saving { vote: Vote, since: Option<u32> },
	/// The vote is on disk. `again`: when the call that was last sent is to be sent again.
	Voted { vote: Vote, publication: Publication, again: Option<u32> },
	/// There will be no results.
	Hopeless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Publication {
	/// Not begun, and not before this block.
	No {
		not_before: u32,
	},
	Underway,
	Done,
}

#[derive(Clone, Copy, Debug)]
struct Run {
	place: Place,
	abandoned: bool,
	/// The block in which it was started.
	begun: u32,
	/// Subtasks that it is to compute.
	subtasks: u32,
	/// Those that it has computed.
	done: u32,
}

impl Run {
	/// How fast it is, as of block `block`. That in which it was started counts as a whole one.
	fn pace(&self, block: u32) -> Option<Pace> {
		Pace::new(self.done, block.saturating_sub(self.begun).saturating_add(1))
	}
}

/// The state machine.
#[derive(Debug)]
pub struct Machine {
	identity: Identity,
	/// Blocks for which results are kept after the vote on them is over.
	retention: u32,
	slots: u16,
	stop: Option<Stop>,
	block: u32,
	finalised: u32,
	worker: Option<Record>,
	asking: bool,
	queue: Queue,
	/// Why none of the tasks that wait is for this worker.
	unsuited: Option<Refusal>,
	tracks: BTreeMap<Place, Track>,
	/// Votes on disk that no track is of, and since which block: they go once that is final.
	stray: BTreeMap<(Place, Round), Option<u32>>,
	runs: BTreeMap<u64, Run>,
	next_run: u64,
	/// How fast each task is computed here, by what was computed last.
	paces: BTreeMap<TaskId, Pace>,
	ask: Ask,
	/// Since when the chain counts more leases than are known here.
	unknown_leases: Option<u32>,
}

/// What came of asking for work.
#[derive(Clone, Copy, Debug, Default)]
struct Ask {
	/// The block in which a call was sent that has not shown yet.
	sent: Option<u32>,
	/// Not before this block again, unless the queue changes.
	not_before: u32,
	/// Refusals in a row.
	refusals: u32,
	/// Why, the last time.
	refusal: Option<Refusal>,
	/// The queue at that time.
	queue: Queue,
	/// Whether the last call was not even included.
	failed: bool,
}

impl Machine {
	/// A machine that remembers `votes`, those of the journal. `retention`: for how many blocks
	/// results are kept once the vote on them is over, so that masternodes can fetch them.
	pub fn new(identity: Identity, retention: u32, votes: Vec<Vote>) -> Self {
		let track = |vote: Vote| {
			let (place, round, open) = (vote.place(), vote.ballot.round, vote.open);
			let publication = Publication::No { not_before: 0 };
			let stage = Stage::Voted { vote, publication, again: None };
			(place, Track { seat: None, round, open, stage, gone: None, unshown: None })
		};
		let mut tracks: BTreeMap<Place, Track> = BTreeMap::new();
		let mut stray = BTreeMap::new();
		for (place, track) in votes.into_iter().map(track) {
			// An older round's vote on the same range can't count any more.
			let over = match tracks.get(&place) {
				Some(known) if known.round >= track.round => Some(track.round),
				_ => tracks.insert(place, track).map(|known| known.round),
			};
			stray.extend(over.map(|round| ((place, round), None)));
		}
		Machine {
			identity,
			retention,
			slots: 0,
			stop: None,
			block: 0,
			finalised: 0,
			worker: None,
			asking: false,
			queue: Queue::default(),
			unsuited: None,
			tracks,
			stray,
			runs: BTreeMap::new(),
			next_run: 0,
			paces: BTreeMap::new(),
			ask: Ask::default(),
			unknown_leases: None,
		}
	}

	/// The places that the next view must speak about.
	pub fn watch(&self) -> Vec<Place> {
		let slow = (self.block + 1).is_multiple_of(SLOW_WATCH);
		let quiet = |track: &Track| {
			track.gone.is_none() && track.seat.is_some_and(|seat| seat.state == SeatState::Revealed)
		};
		let over = |track: &Track| track.gone.is_some_and(|since| self.finalised >= since);
		let wanted = |track: &Track| !over(track) && (slow || !quiet(track));
		self.tracks.iter().filter(|(_, track)| wanted(track)).map(|(place, _)| *place).collect()
	}

	/// Takes note of `event` and says what is to be done now.
	pub fn handle(&mut self, event: Event) -> Vec<Command> {
		let mut commands = Vec::new();
		match event {
			Event::Block(view) => self.on_view(view, &mut commands),
			Event::Slots(slots) => self.slots = slots,
			Event::Progress { run } => self.on_progress(run),
			Event::Computed { run, digests } => self.on_computed(run, digests),
			Event::Failed { run, failure } => self.on_failed(run, failure),
			Event::Saved(place, round) => self.on_saved(place, round),
			Event::NotSaved(place, round) => self.on_not_saved(place, round),
			Event::Published(place, round) => self.on_published(place, round, Publication::Done),
			Event::NotPublished(place, round) => self.on_unshown(place, round, Unshown::Down),
			Event::NoRoom(place, round) => {
				self.on_unshown(place, round, Unshown::NoRoom);
				self.give_way(YIELD, &mut commands);
			},
			Event::NotReady(place, round) => {
				self.on_unshown(place, round, Unshown::Down);
				self.on_not_sent(Sent::Commit(place, round));
			},
			Event::NotSent(sent) => self.on_not_sent(sent),
			Event::Stop(stop) => self.stop = self.stop.max(Some(stop)),
		}
		self.decide(&mut commands);
		commands
	}

	/// The runs that go on.
	pub fn running(&self) -> Vec<u64> {
		self.runs.keys().copied().collect()
	}

	fn on_view(&mut self, view: View, commands: &mut Vec<Command>) {
		let final_before = self.finalised;
		self.block = view.block;
		self.finalised = self.finalised.max(view.finalised);
		self.worker = view.worker;
		if view.asking || view.refused.is_some() {
			self.ask.sent = None;
		}
		if view.asking {
			self.ask.failed = false;
		}
		if let Some(refusal) = view.refused {
			self.ask.refusal = Some(refusal);
			self.ask.refusals = self.ask.refusals.saturating_add(1);
			self.ask.not_before = self.block.saturating_add(delay(self.ask.refusals));
			self.ask.queue = view.queue;
		}
		self.asking = view.asking;
		self.queue = view.queue;
		self.unsuited = view.unsuited;
		for (place, seat) in view.seats {
			match seat {
				Some(seat) => self.on_seat(place, seat, final_before, commands),
				None => {
					if let Some(track) = self.tracks.get_mut(&place) {
						track.gone.get_or_insert(view.block);
					}
				},
			}
		}
		self.stray.retain(|(place, round), since| {
			if self.finalised < *since.get_or_insert(view.block) {
				return true;
			}
			// The seat may have come back with a fork: then the vote goes with it.
			if self.tracks.get(place).is_none_or(|track| track.round != *round) {
				commands.push(Command::Forget(*place, *round));
			}
			false
		});
	}

	/// `final_before`: the last block that was final in the view before.
	fn on_seat(
		&mut self,
		place: Place,
		seat: Seat,
		final_before: u32,
		commands: &mut Vec<Command>,
	) {
		let new = || Track {
			seat: Some(seat),
			round: seat.round,
			open: seat.open,
			stage: Stage::Open { not_before: 0, failures: 0 },
			gone: None,
			unshown: None,
		};
		let leased = matches!(seat.state, SeatState::Leased { .. });
		let Some(track) = self.tracks.get_mut(&place) else {
			// What is over is none of our business any more.
			if matches!(seat.state, SeatState::Leased { .. } | SeatState::Committed(_)) {
				self.tracks.insert(place, new());
			}
			if leased {
				self.ask = Ask::default();
			}
			return;
		};
		// Over for good, so this is another lease: on a development chain that has begun anew, even another
		// task's range. What is under way would end as if it were of this one.
		let over = track.gone.is_some_and(|since| since <= final_before) && !track.is_underway();
		if track.round != seat.round || over {
			// Another seat than before. What was voted before is over.
			commands.push(Command::Forget(place, track.round));
			*track = new();
			return;
		}
		let back = track.gone.take().is_some();
		let moved = track.seat.is_none_or(|old| {
			std::mem::discriminant(&old.state) != std::mem::discriminant(&seat.state)
		});
		if moved {
			track.unshown = None;
		}
		match &mut track.stage {
			// What was sent before was for another state, or may be lost with a fork.
			Stage::Voted { again, .. } if back || moved => *again = None,
			Stage::Hopeless if leased && (back || moved) => {
				track.stage = Stage::Open { not_before: 0, failures: 0 };
			},
			_ => {},
		}
		// In a vote that goes on the mask is that of a later round; ours is the one we voted on.
		if matches!(seat.state, SeatState::Leased { .. } | SeatState::Committed(_)) {
			track.open = seat.open;
		}
		track.seat = Some(seat);
	}

	fn on_progress(&mut self, run: u64) {
		let Some(run) = self.runs.get_mut(&run) else { return };
		run.done = run.done.saturating_add(1).min(run.subtasks);
		self.paces.extend(run.pace(self.block).map(|pace| (run.place.task, pace)));
	}

	fn on_computed(&mut self, run: u64, digests: Digests) {
		let Some(Run { place, .. }) = self.runs.remove(&run) else { return };
		let Some(track) = self.tracks.get_mut(&place) else { return };
		if !matches!(track.stage, Stage::Computing { run: current, .. } if current == run) {
			return;
		}
		if digests.len() != track.open.count_ones() as usize {
			track.stage = Stage::Hopeless;
			return;
		}
		let ballot = Ballot {
			genesis: self.identity.genesis,
			task: place.task,
			range: place.range,
			round: track.round,
		};
		let salt = self.identity.salts.salt(&ballot);
		let vote = Vote { ballot, open: track.open, digests, salt };
		track.stage = Stage::Saving { vote, since: None };
	}

	fn on_failed(&mut self, run: u64, failure: Failure) {
		let Some(Run { place, .. }) = self.runs.remove(&run) else { return };
		let Some(track) = self.tracks.get_mut(&place) else { return };
		let Stage::Computing { run: current, failures } = track.stage else { return };
		if current != run {
			return;
		}
		track.stage = match failure {
			Failure::Unfit => Stage::Hopeless,
			Failure::Abandoned => Stage::Open { not_before: self.block, failures },
			Failure::Passing => {
				let failures = failures.saturating_add(1);
				let not_before = self.block.saturating_add(delay(failures));
				Stage::Open { not_before, failures }
			},
		};
	}

	fn track(&mut self, place: Place, round: Round) -> Option<&mut Track> {
		self.tracks.get_mut(&place).filter(|track| track.round == round)
	}

	fn on_saved(&mut self, place: Place, round: Round) {
		let Some(track) = self.track(place, round) else {
			// It was let go of before it was there.
			self.stray.insert((place, round), None);
			return;
		};
		if let Stage::Saving { vote, .. } = &track.stage {
			let (vote, publication) = (vote.clone(), Publication::No { not_before: 0 });
			track.stage = Stage::Voted { vote, publication, again: None };
		}
	}

	fn on_not_saved(&mut self, place: Place, round: Round) {
		let later = self.block.saturating_add(1);
		let Some(track) = self.track(place, round) else { return };
		if let Stage::Saving { since, .. } = &mut track.stage {
			*since = Some(later);
		}
	}

	fn on_published(&mut self, place: Place, round: Round, now: Publication) {
		let Some(track) = self.track(place, round) else { return };
		track.unshown = None;
		if let Stage::Voted { publication, .. } = &mut track.stage {
			*publication = now;
		}
	}

	fn on_unshown(&mut self, place: Place, round: Round, why: Unshown) {
		let later = Publication::No { not_before: self.block.saturating_add(1) };
		self.on_published(place, round, later);
		if let Some(track) = self.track(place, round) {
			track.unshown = Some(why);
		}
	}

	fn on_not_sent(&mut self, what: Sent) {
		let block = self.block;
		match what {
			Sent::Take => {
				self.ask.sent = None;
				self.ask.failed = true;
				self.ask.refusals = self.ask.refusals.saturating_add(1);
				self.ask.not_before = block.saturating_add(delay(self.ask.refusals));
				self.ask.queue = self.queue;
			},
			Sent::Commit(place, round) | Sent::Reveal(place, round) => {
				let Some(track) = self.track(place, round) else { return };
				if let Stage::Voted { again, .. } = &mut track.stage {
					*again = Some(block.saturating_add(1));
				}
			},
		}
	}

	/// What is to be done in the state that everything is in now.
	fn decide(&mut self, commands: &mut Vec<Command>) {
		self.settle(commands);
		self.abandon(commands);
		self.start(commands);
		self.vote(commands);
		self.take(commands);
		self.rescan(commands);
	}

	/// Lets go of what is over.
	fn settle(&mut self, commands: &mut Vec<Command>) {
		let (block, finalised, retention) = (self.block, self.finalised, self.retention);
		self.tracks.retain(|place, track| {
			let Some(since) = track.gone else { return true };
			if finalised < since || track.is_underway() {
				return true;
			}
			let voted = matches!(track.stage, Stage::Voted { .. });
			// What was published may be a verdict. What never was can't be.
			let counted = !matches!(
				track.seat,
				Some(Seat { state: SeatState::Leased { .. } | SeatState::Withheld, .. })
			);
			if voted && counted && block < since.saturating_add(retention) {
				return true;
			}
			commands.push(Command::Forget(*place, track.round));
			false
		});
		self.give_way(self.tracks.len().saturating_sub(MAX_TRACKS), commands);
		let tracks = &self.tracks;
		self.paces.retain(|task, _| {
			let first = Place { task: *task, range: RangeIndex(0) };
			tracks.range(first..).next().is_some_and(|(place, _)| place.task == *task)
		});
	}

	/// Lets go of results that are kept as a courtesy alone, of `most` votes: the oldest first.
	fn give_way(&mut self, most: usize, commands: &mut Vec<Command>) {
		if most == 0 {
			return;
		}
		let spare = self.tracks.iter().filter(|(_, track)| self.is_spare(track));
		let mut spare: Vec<_> = spare.map(|(place, track)| (track.gone, *place)).collect();
		spare.sort();
		for (_, place) in spare.into_iter().take(most) {
			if let Some(track) = self.tracks.remove(&place) {
				commands.push(Command::Forget(place, track.round));
			}
		}
	}

	/// Whether results are kept as a courtesy alone: the vote on them is over for good, and whoever
	/// fetches them as soon as there is a verdict has had the time.
	fn is_spare(&self, track: &Track) -> bool {
		let past =
			|since: u32| self.finalised >= since && self.block >= since.saturating_add(LINGER);
		matches!(track.stage, Stage::Voted { .. })
			&& track.gone.is_some_and(past)
			&& !track.is_underway()
	}

	/// Why results that are to be revealed are not shown. `None`: they are, or there are none.
	fn unshown(&self) -> Option<Unshown> {
		let due = self.tracks.values().filter(|track| track.is_to_be_shown(self.block));
		due.filter_map(|track| track.unshown).max()
	}

	/// Whether a commitment was held back since the store could not show its results.
	fn holds_back(&self) -> bool {
		self.tracks.values().any(|track| {
			track.unshown.is_some() && track.is_leased() && self.block < track.deadline()
		})
	}

	/// Stops runs that nobody wants any more, and those that there is no slot for.
	fn abandon(&mut self, commands: &mut Vec<Command>) {
		for (number, run) in &mut self.runs {
			let wanted = self.tracks.get(&run.place).is_some_and(|track| {
				matches!(track.stage, Stage::Computing { run, .. } if run == *number)
					&& track.wants_results(self.block, self.stop)
			});
			if !wanted && !run.abandoned {
				run.abandoned = true;
				commands.push(Command::Abandon(*number));
			}
		}
		let going = self.runs.values().filter(|run| !run.abandoned).count();
		let excess = going.saturating_sub(self.slots.into());
		// The youngest first: it loses least.
		let runs = self.runs.iter_mut().rev().filter(|(_, run)| !run.abandoned);
		for (number, run) in runs.take(excess) {
			run.abandoned = true;
			commands.push(Command::Abandon(*number));
		}
	}

	/// Starts runs: what has to be revealed first, then by the end of the lease.
	fn start(&mut self, commands: &mut Vec<Command>) {
		let (block, finalised, stop) = (self.block, self.finalised, self.stop);
		let mut ready: Vec<(u32, Place)> = self
			.tracks
			.iter()
			.filter(|(_, track)| {
				track.wants_results(block, stop)
					// Masternodes give keys for leases that are final.
					&& track.since() <= finalised
					&& matches!(track.stage, Stage::Open { not_before, .. } if not_before <= block)
			})
			.map(|(place, track)| (track.deadline(), *place))
			.collect();
		ready.sort();
		for (_, place) in ready {
			if self.runs.len() >= self.slots.into() {
				return;
			}
			let Some(track) = self.tracks.get_mut(&place) else { continue };
			let Stage::Open { failures, .. } = track.stage else { continue };
			let run = self.next_run;
			self.next_run += 1;
			let (round, open) = (track.round, track.open);
			let subtasks = open.count_ones();
			self.runs.insert(run, Run { place, abandoned: false, begun: block, subtasks, done: 0 });
			track.stage = Stage::Computing { run, failures };
			commands.push(Command::Compute(Assignment { run, place, round, open }));
		}
	}

	/// Saves, commits, publishes and reveals.
	fn vote(&mut self, commands: &mut Vec<Command>) {
		let (block, finalised) = (self.block, self.finalised);
		let shows = self.unshown().is_none();
		for (place, track) in &mut self.tracks {
			let (round, seat) = (track.round, track.seat.filter(|_| track.gone.is_none()));
			match (&mut track.stage, seat) {
				(Stage::Saving { vote, since }, _) if since.is_none_or(|at| at <= block) => {
					// Told again only after it failed.
					*since = Some(SAVING);
					commands.push(Command::Save(vote.clone()));
				},
				(
					Stage::Voted { vote, again, .. },
					Some(Seat { state: SeatState::Leased { until, .. }, open, .. }),
				) if block <= until && open == vote.open && due(*again, block) && shows => {
					// Not while the store shows nothing: to commit and not to show costs as much as to be
					// wrong, and a lease that lapses far less.
					*again = Some(block.saturating_add(RESEND));
					let commitment = vote.commitment(&self.identity.worker);
					commands.push(Command::Commit(*place, round, commitment));
				},
				(
					Stage::Voted { vote, publication, again },
					Some(Seat {
						state: SeatState::Committed(commitment),
						phase: Phase::Reveal { begun, until },
						..
					}),
				) => {
					let ours = vote.commitment(&self.identity.worker) == commitment;
					let settled = finalised >= begun || block >= begun.saturating_add(DEEP);
					if !ours || block > until || !settled {
						continue;
					}
					match publication {
						Publication::No { not_before } if *not_before <= block => {
							*publication = Publication::Underway;
							commands.push(Command::Publish(*place, round));
						},
						Publication::Done if due(*again, block) => {
							*again = Some(block.saturating_add(RESEND));
							let (digests, salt) = (vote.digests.clone(), vote.salt);
							commands.push(Command::Reveal(*place, round, digests, salt));
						},
						_ => {},
					}
				},
				_ => {},
			}
		}
	}

	/// Asks for work, if there may be some and there is room for it.
	fn take(&mut self, commands: &mut Vec<Command>) {
		let wanted = self.room();
		if wanted == 0 || self.idle().is_some() {
			return;
		}
		self.ask.sent = Some(self.block);
		commands.push(Command::Take(wanted));
	}

	/// For how many more ranges there is room, here and by the chain's count.
	fn room(&self) -> u16 {
		let kept = MAX_TRACKS.saturating_sub(self.open_votes());
		let most = |worker: Record| worker.capacity.leases(LEASES_PER_SLOT);
		let free = self.worker.map_or(0, |worker| most(worker).saturating_sub(worker.busy));
		let room = self.free_here().min(kept).min(free.into()).min(MAX_SLOTS_PER_ASK.into());
		room as u16 // At most 64.
	}

	/// Ranges that can't give way to others.
	fn open_votes(&self) -> usize {
		self.tracks.values().filter(|track| !self.is_spare(track)).count()
	}

	/// How many ranges more it takes for this machine's slots to have something to do until a range could be
	/// computed that is asked for then. More than that is for others, who may be free sooner.
	fn free_here(&self) -> usize {
		let registered = self.worker.map_or(0, |worker| worker.capacity.slots);
		let wanted = u32::from(self.slots.min(registered)) * LEAD;
		let pending = || self.tracks.iter().filter(|(_, track)| track.is_pending());
		// What was leased and is not known of here yet will need a slot as well, and so does a run until it
		// has ended.
		let known = self.tracks.values().filter(|track| track.is_leased()).count();
		let unknown = self.worker.map_or(0, |w| usize::from(w.busy)).saturating_sub(known);
		let abandoned = self.runs.values().filter(|run| run.abandoned).count();
		let others = u32::try_from(unknown + abandoned).unwrap_or(u32::MAX).saturating_mul(LEAD);
		let rest = |(place, track): (&Place, &Track)| self.work(*place, track).0;
		let there: u32 = pending().map(rest).fold(others, u32::saturating_add);
		let whole = |(place, track): (&Place, &Track)| self.work(*place, track).1;
		let longest = pending().map(whole).max().unwrap_or(LEAD).max(1);
		wanted.saturating_sub(there).div_ceil(longest) as usize
	}

	/// For how many blocks a range keeps a slot busy from now on, and did or will do in all; not more than
	/// [`LEAD`], and so many where nothing is known.
	fn work(&self, place: Place, track: &Track) -> (u32, u32) {
		let subtasks = track.open.count_ones();
		let run = match track.stage {
			Stage::Computing { run, .. } => self.runs.get(&run),
			Stage::Open { .. } => None,
			_ => return (LEAD, LEAD),
		};
		let done = run.map_or(0, |run| run.done);
		let pace = run.and_then(|run| run.pace(self.block));
		let blocks = |subtasks| match pace.or_else(|| self.paces.get(&place.task).copied()) {
			Some(pace) => pace.blocks(subtasks).min(LEAD),
			None => LEAD,
		};
		(blocks(subtasks.saturating_sub(done)), blocks(subtasks))
	}

	fn rescan(&mut self, commands: &mut Vec<Command>) {
		let known = self.tracks.values().filter(|track| track.is_leased()).count();
		let counted = self.worker.map_or(0, |worker| worker.busy);
		if usize::from(counted) <= known {
			self.unknown_leases = None;
			return;
		}
		let since = *self.unknown_leases.get_or_insert(self.block);
		if self.block >= since.saturating_add(RESCAN_AFTER) {
			// If it finds nothing, it is for a later try to find.
			self.unknown_leases = Some(self.block.saturating_add(8 * RESCAN_AFTER));
			commands.push(Command::Rescan);
		}
	}
}

impl Track {
	/// Whether the chain has its seat, with a lease and no commitment.
	fn is_leased(&self) -> bool {
		self.gone.is_none()
			&& self.seat.is_some_and(|seat| matches!(seat.state, SeatState::Leased { .. }))
	}

	/// Whether something of it is on its way that ends with an event.
	fn is_underway(&self) -> bool {
		match self.stage {
			Stage::Computing { .. } => true,
			Stage::Saving { since, .. } => since == Some(SAVING),
			Stage::Voted { publication, .. } => publication == Publication::Underway,
			Stage::Open { .. } | Stage::Hopeless => false,
		}
	}

	/// Whether its results are to be revealed, in block `block` or later.
	fn is_to_be_shown(&self, block: u32) -> bool {
		self.gone.is_none()
			&& self.seat.is_some_and(|seat| {
				matches!(seat.state, SeatState::Committed(_))
					&& matches!(seat.phase, Phase::Reveal { until, .. } if block <= until)
			})
	}

	/// Whether it takes, or will take, one of this machine's slots; or keeps one from getting other work,
	/// as a lease does for which there will be no results: to lose more of them would cost more.
	fn is_pending(&self) -> bool {
		self.gone.is_none()
			&& match self.stage {
				Stage::Open { .. } | Stage::Hopeless => self.is_leased(),
				Stage::Computing { .. } => true,
				_ => false,
			}
	}

	/// Whether results would still be of use in block `block`.
	fn wants_results(&self, block: u32, stop: Option<Stop>) -> bool {
		let Some(seat) = self.seat.filter(|_| self.gone.is_none()) else { return false };
		match (seat.state, seat.phase) {
			// What is in this block is decided; a commitment can be in the next one at the earliest.
			(SeatState::Leased { until, .. }, _) => block < until && stop < Some(Stop::Abandon),
			// The journal was lost: what was committed to has to be found again.
			(SeatState::Committed(_), Phase::Reveal { until, .. }) => block < until,
			(SeatState::Committed(_), Phase::Commit) => true,
			(SeatState::Revealed | SeatState::Withheld, _) => false,
		}
	}

	/// The block since which it has its lease.
	fn since(&self) -> u32 {
		match self.seat {
			Some(Seat { state: SeatState::Leased { since, .. }, .. }) => since,
			_ => 0,
		}
	}

	/// The block by which there must be results.
	fn deadline(&self) -> u32 {
		match self.seat {
			Some(Seat { phase: Phase::Reveal { until, .. }, .. }) => until,
			Some(Seat { state: SeatState::Leased { until, .. }, .. }) => until,
			_ => 0,
		}
	}
}

/// How many blocks to wait after so many failures in a row.
fn delay(failures: u32) -> u32 {
	1u32.checked_shl(failures).map_or(MAX_DELAY, |delay| delay.min(MAX_DELAY))
}

/// Whether a call that is not to be sent before block `again` is to be sent now.
fn due(again: Option<u32>, block: u32) -> bool {
	again.is_none_or(|again| block >= again)
}
