//! What a worker is doing, and why it has no work.

use dgcs_primitives::{api::Standing, BlockNumber, Refusal};
use serde::Serialize;

use super::{Machine, Stage, Stop, Unshown, LINGER, MAX_TRACKS};

/// Why a worker does not ask for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "why")]
#[non_exhaustive]
pub enum Idle {
	/// Its owner wants it to end.
	#[error("the worker is ending")]
	Stopping,
	/// The account is no registered worker.
	#[error("the account is not registered as a worker; start with --register")]
	NotRegistered,
	/// It leaves.
	#[error("the worker is leaving; send workers.resume to stay")]
	Leaving,
	/// It is suspended.
	#[error("the worker is suspended until block {until}; complete its bond (workers.replenish) and send workers.resume then")]
	Suspended {
		/// The first block in which it may resume.
		until: BlockNumber,
	},
	/// It is blacklisted.
	#[error("the worker is blacklisted for wrong results and never gets work again")]
	Blacklisted,
	/// Nothing may run on this machine now.
	#[error("this machine lends nothing now")]
	NothingLent,
	/// All slots have work.
	#[error("all slots that may run now have work")]
	AllBusy,
	/// What it has leases for can't be computed here.
	#[error("what the worker has leases for can't be computed on this machine; they keep its slots until they lapse, the first after block {until}")]
	Hopeless {
		/// The last block of the lease that lapses first.
		until: BlockNumber,
	},
	/// The store has no room for results that are to be revealed.
	#[error("the store is full: there is no room for results that are to be revealed, and none is let go of that others may still fetch; raise disk_gib, or lend fewer slots, and start again")]
	StoreFull,
	/// The store fails.
	#[error("the store does not show results: what it says is above; with --kubo, see that the daemon runs. No commitment is sent until it does, and leases lapse meanwhile")]
	StoreDown,
	/// Too many votes are open.
	#[error("{MAX_TRACKS} ranges wait for the votes of others or for their results to be fetched")]
	TooManyVotes,
	/// It waits in the line.
	#[error(
		"the worker waits in the line; work is drawn two blocks after it asked, at the earliest"
	)]
	InLine,
	/// No task waits for workers.
	#[error("no task waits for workers")]
	NoTasks,
	/// Tasks wait, and ask for other workers.
	#[error("there are tasks, and none for this worker: {}", refusal(.reason))]
	Unsuited {
		/// Why.
		reason: Refusal,
	},
	/// It asked, and there was nothing for it.
	#[error("there are tasks, and none for this worker: {}; asks again in block {next} or when the queue changes", refusal(.reason))]
	Refused {
		/// Why.
		reason: Refusal,
		/// The block in which it asks again.
		next: BlockNumber,
	},
	/// It could not ask.
	#[error("the call for work was not included; tried again in block {next}")]
	NotSent {
		/// The block in which it asks again.
		next: BlockNumber,
	},
}

/// A refusal in words.
fn refusal(reason: &Refusal) -> &'static str {
	match reason {
		Refusal::QueueEmpty => "no open seat was left",
		Refusal::AlreadySeated => "its operator has a seat on every open range already",
		Refusal::DeadlineTooClose => "their deadlines are too close",
		Refusal::KindNotOffered => "they are of kinds that it does not offer",
		Refusal::NotEnoughMemory => "they need more memory than a slot offers; lend more",
		Refusal::NotProven => "their owners want a longer run of good results",
		Refusal::NoFreeSlot => "all its slots are taken",
		Refusal::NotRegistered => "it is not registered",
		Refusal::Suspended => "it is suspended",
		Refusal::Blacklisted => "it is blacklisted",
		Refusal::Leaving => "it is leaving",
	}
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
	/// The best block.
	pub block: BlockNumber,
	/// The last final block.
	pub finalised: BlockNumber,
	/// Runs that may go on.
	pub slots: u16,
	/// Runs under way.
	pub running: usize,
	/// Ranges with a lease that wait for a slot or for another try.
	pub waiting: usize,
	/// Votes on the way to their reveal.
	pub voting: usize,
	/// Votes that are over, whose results are kept for others to fetch.
	pub kept: usize,
	/// Why it does not ask for more work, if it doesn't.
	pub idle: Option<Idle>,
}

impl Machine {
	/// Why the worker does not ask for work now. `None`: it does.
	pub fn idle(&self) -> Option<Idle> {
		let Some(worker) = self.worker else { return Some(Idle::NotRegistered) };
		let next = self.ask.not_before;
		if self.stop.is_some() {
			return Some(Idle::Stopping);
		}
		match worker.standing {
			Standing::Blacklisted => return Some(Idle::Blacklisted),
			Standing::Suspended { until } => return Some(Idle::Suspended { until }),
			Standing::Good if worker.leaving => return Some(Idle::Leaving),
			Standing::Good => {},
		}
		if self.slots == 0 {
			Some(Idle::NothingLent)
		} else if let Some(why) = self.unshown() {
			Some(match why {
				Unshown::NoRoom => Idle::StoreFull,
				Unshown::Down => Idle::StoreDown,
			})
		} else if self.holds_back() {
			Some(Idle::StoreDown)
		} else if self.asking || self.ask.sent.is_some_and(|at| self.block < at + super::RESEND) {
			Some(Idle::InLine)
		} else if self.open_votes() >= MAX_TRACKS {
			Some(Idle::TooManyVotes)
		} else if self.room() == 0 {
			Some(match self.first_lapse().filter(|_| self.runs.len() < self.slots.into()) {
				Some(until) => Idle::Hopeless { until },
				None => Idle::AllBusy,
			})
		} else if self.queue.waiting == 0 {
			Some(Idle::NoTasks)
		} else if let Some(reason) = self.unsuited {
			Some(Idle::Unsuited { reason })
		} else if self.block < next && self.ask.queue == self.queue {
			Some(match self.ask.refusal {
				Some(reason) if !self.ask.failed => Idle::Refused { reason, next },
				_ => Idle::NotSent { next },
			})
		} else {
			None
		}
	}

	/// The last block of the lease that lapses first of those for which there will be no results.
	fn first_lapse(&self) -> Option<BlockNumber> {
		let hopeless = |track: &&super::Track| matches!(track.stage, Stage::Hopeless);
		let leases = self.tracks.values().filter(hopeless).filter(|track| track.is_leased());
		leases.map(super::Track::deadline).min()
	}

	/// What the worker is doing.
	pub fn status(&self) -> Status {
		let count = |wanted: &dyn Fn(&super::Track) -> bool| {
			self.tracks.values().filter(|track| wanted(track)).count()
		};
		let voted = |track: &super::Track| {
			matches!(track.stage, Stage::Voted { .. } | Stage::Saving { .. })
		};
		Status {
			block: self.block,
			finalised: self.finalised,
			slots: self.slots,
			running: self.runs.len(),
			waiting: count(&|track| {
				matches!(track.stage, Stage::Open { .. })
					&& track.wants_results(self.block, self.stop)
			}),
			voting: count(&|track| voted(track) && track.gone.is_none()),
			kept: count(&|track| voted(track) && track.gone.is_some()),
			idle: self.idle(),
		}
	}

	/// Whether a worker that is to end has nothing more to do: every run has ended, and nothing that
	/// it committed to is left to reveal. One that drains stays for [`LINGER`] blocks after its last
	/// vote was decided, so that its results can be fetched.
	pub fn is_done(&self) -> bool {
		let Some(stop) = self.stop else { return false };
		self.runs.is_empty()
			&& self.tracks.values().all(|track| {
				if stop == Stop::Drain && track.is_owed_to_fetchers(self.block) {
					return false;
				}
				let seat = track.seat.filter(|_| track.gone.is_none());
				match seat.map(|seat| seat.state) {
					Some(super::SeatState::Committed(_)) => {
						matches!(track.stage, Stage::Hopeless) || track.is_late(self.block)
					},
					Some(super::SeatState::Leased { until, .. }) => {
						stop == Stop::Abandon && !voted_and_sent(track)
							|| until <= self.block
							|| matches!(track.stage, Stage::Hopeless)
					},
					_ => true,
				}
			})
	}
}

fn voted_and_sent(track: &super::Track) -> bool {
	matches!(track.stage, Stage::Voted { again: Some(_), .. })
}

impl super::Track {
	/// Whether somebody may still want to fetch its results.
	fn is_owed_to_fetchers(&self, block: u32) -> bool {
		matches!(self.stage, Stage::Voted { .. })
			&& self.seat.is_some_and(|seat| seat.state == super::SeatState::Revealed)
			&& self.gone.is_none_or(|since| block < since.saturating_add(LINGER))
	}

	/// Whether the time to reveal is over.
	fn is_late(&self, block: u32) -> bool {
		matches!(self.seat.map(|seat| seat.phase), Some(super::Phase::Reveal { until, .. }) if block > until)
	}
}
