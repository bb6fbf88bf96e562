//! What the task book writes down, and the pure arithmetic behind it.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use dgcs_primitives::{api::TaskState, RangeIndex, Refusal, TaskId, TaskSpec};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use sp_runtime::{
	traits::{AtLeast32BitUnsigned, UniqueSaturatedInto, Zero},
	PerThing, Perbill,
};

use crate::class::{Class, Classes, Lane, Lanes};

/// Priority buckets of the queue: one bit each in a `u32` of those that hold a task.
pub const BUCKETS: u8 = 32;
/// Ranges of a task that can be drawn at the same time.
pub const WINDOW: u32 = 16;
/// Ranges that one draw tries at the most: the window, and one that is exchanged.
pub const MAX_PROBES: u32 = WINDOW + 1;
/// Tasks that an ask looks at before the next one has its turn.
pub const TASKS_PER_WALK: u32 = 8;
/// Every so many draws the next bucket in rotation comes first, and not the highest.
pub const ROTATION: u32 = 4;
/// How often a walk begins a lane again because the task that it stood at has left it.
pub const MAX_RESTARTS: u8 = 4;
/// How often an ask may return to the end of the line.
pub const MAX_TURNS: u8 = 128;
/// Where the positions of a lane start: tasks may be put before the first as well.
pub const MIDDLE: u64 = u64::MAX / 2;
/// Blocks that the work chain of a finished task stays for. One is enough to read it: the state
/// after the last verdict has all of it.
pub const FINAL_BLOCKS: u32 = 1;
/// Blocks until a settlement that could not be made is tried again.
pub const RETRY_BLOCKS: u32 = 600;

/// A live task.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Task<AccountId, Balance> {
	/// Who submitted it.
	pub owner: AccountId,
	/// What was asked for.
	pub spec: TaskSpec<Balance>,
	/// Where it stands.
	pub state: TaskState,
	/// When that state ends by itself: the block of the task's entry in the agenda.
	pub due: u32,
	/// What one result earns now.
	pub reward: Balance,
	/// All that was paid in. Always enough for every result that the task may need at `reward`.
	pub deposited: Balance,
	/// Ranges that have been put into the window; the next fresh one is this.
	pub issued: u32,
	/// Ranges that were leased at least once.
	pub begun: u32,
	/// Ranges begun that have open seats and wait for room in the window.
	pub backlog: Span,
	/// Whether every subtask has its verdict.
	pub finished: bool,
}

/// A stretch of numbered entries: from `head`, up to and without `tail`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Span {
	/// The first entry.
	pub head: u32,
	/// One past the last.
	pub tail: u32,
}

impl Span {
	/// Whether there is no entry.
	pub fn is_empty(&self) -> bool {
		self.head >= self.tail
	}

	/// Takes the number of the first entry out. An empty span starts again at 0.
	pub fn pop(&mut self) -> Option<u32> {
		if self.is_empty() {
			return None;
		}
		let first = self.head;
		self.head = first.saturating_add(1);
		if self.is_empty() {
			*self = Span::default();
		}
		Some(first)
	}

	/// Adds an entry at the end and says its number.
	pub fn push(&mut self) -> u32 {
		let last = self.tail;
		self.tail = last.saturating_add(1);
		last
	}
}

/// The open seats of one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct OpenRange {
	/// The range.
	pub range: RangeIndex,
	/// How many seats are open. Never 0 in storage.
	pub seats: u8,
	/// Whether it was never leased.
	pub fresh: bool,
}

/// The ranges of a task that can be drawn.
pub type Window = BoundedVec<OpenRange, ConstU32<WINDOW>>;

/// Where a task waits: a link of its lane's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Place {
	/// The lane.
	pub lane: Lane,
	/// Grows along the lane; gaps are where tasks have left.
	pub position: u64,
	/// Who waits before it.
	pub prev: Option<TaskId>,
	/// Who waits after it.
	pub next: Option<TaskId>,
}

/// The ends of a lane's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Ends {
	/// Served first.
	pub first: TaskId,
	/// Served last.
	pub last: TaskId,
}

/// Whose turn it is when it is not the highest bucket's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Turn {
	/// Draws so far, modulo [`ROTATION`].
	pub draws: u32,
	/// The bucket that last came first by rotation.
	pub bucket: u8,
}

impl Turn {
	/// Counts one draw. `Some`: the bucket that comes first in it, out of those `waiting`.
	pub fn advance(&mut self, waiting: u32) -> Option<u8> {
		self.draws = self.draws.saturating_add(1) % ROTATION;
		if self.draws != 0 {
			return None;
		}
		let from = self.bucket;
		let next =
			(1..=BUCKETS).map(|steps| below(from, steps)).find(|bucket| holds(waiting, *bucket));
		self.bucket = next?;
		next
	}
}

/// Where an ask stands on its walk through the queue: from bucket `start` down, then from the
/// highest down to `start`, and in each bucket through the lanes that are open to the worker, so
/// that every task that it may have is met whatever the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Cursor {
	/// The bucket where the walk began.
	pub start: u8,
	/// Buckets done.
	pub steps: u8,
	/// Classes done in this bucket.
	pub done: Classes,
	/// The class in whose lane the walk stands.
	pub class: Class,
	/// The task to look at next; `None`: the first of the next lane.
	pub next: Option<TaskId>,
	/// Decides which lane of a bucket comes first, since none has a claim to.
	pub lot: u8,
	/// How often a lane was begun again.
	pub restarts: u8,
	/// Whether the walk for a slot is under way.
	pub walking: bool,
	/// Whether it began at a bucket by rotation.
	pub rotated: bool,
}

impl Cursor {
	/// A walk that begins at `bucket` by rotation, or at the highest.
	pub fn begin(rotated: Option<u8>, lot: u8) -> Self {
		Cursor {
			start: rotated.unwrap_or(BUCKETS.saturating_sub(1)),
			steps: 0,
			done: Classes::default(),
			class: Class::default(),
			next: None,
			lot,
			restarts: 0,
			walking: true,
			rotated: rotated.is_some(),
		}
	}

	/// The lane where the walk stands.
	pub fn lane(&self) -> Lane {
		Lane { bucket: below(self.start, self.steps), class: self.class }
	}

	/// Goes on to `next`, or to the next lane.
	pub fn pass(&mut self, next: Option<TaskId>) {
		if next.is_none() {
			self.done.insert(self.class);
			self.restarts = 0;
		}
		self.next = next;
	}

	/// Notes that the task it stood at has left the lane: the lane begins again, or is done if that
	/// has happened too often.
	pub fn lose(&mut self) {
		self.restarts = self.restarts.saturating_add(1);
		self.next = None;
		if self.restarts > MAX_RESTARTS {
			self.pass(None);
		}
	}

	/// Goes to the next lane in which tasks are `waiting`, out of the classes that are `open`.
	/// `None`: the walk is over.
	pub fn seek(&mut self, waiting: &Lanes, open: Classes) -> Option<Lane> {
		while self.steps < BUCKETS {
			let lanes = waiting.classes(self.lane().bucket).and(open).without(self.done);
			if let Some(class) = lanes.draw(self.lot) {
				self.class = class;
				return Some(self.lane());
			}
			self.steps = self.steps.saturating_add(1);
			self.done = Classes::default();
		}
		None
	}
}

/// A worker's request for work.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Ask<AccountId> {
	/// Who asks.
	pub worker: AccountId,
	/// For how many ranges.
	pub slots: u16,
	/// How many it has got.
	pub got: u16,
	/// The block in which it asked.
	pub asked: u32,
	/// How often it went back to the end of the line.
	pub turns: u8,
	/// The most telling reason met so far why it got nothing.
	pub reason: Refusal,
	/// Where it stands in the queue.
	pub cursor: Option<Cursor>,
}

/// The line of asks: from `head`, up to and without `tail`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct LineEnds {
	/// The first ask.
	pub head: u64,
	/// One past the last.
	pub tail: u64,
}

impl LineEnds {
	/// How many asks wait.
	pub fn len(&self) -> u64 {
		self.tail.saturating_sub(self.head)
	}

	/// Whether nobody waits.
	pub fn is_empty(&self) -> bool {
		self.len() == 0
	}
}

/// How long the line of asks is.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct LineView {
	/// Asks in the line.
	pub waiting: u64,
	/// Most asks that the line takes.
	pub room: u32,
}

/// The bucket `steps` below `bucket`, where the highest follows the lowest.
fn below(bucket: u8, steps: u8) -> u8 {
	bucket.saturating_add(BUCKETS).saturating_sub(steps % BUCKETS) % BUCKETS
}

/// The bit that stands for `bucket`.
pub fn bit(bucket: u8) -> u32 {
	1u32.checked_shl(u32::from(bucket)).unwrap_or(0)
}

fn holds(waiting: u32, bucket: u8) -> bool {
	waiting & bit(bucket) != 0
}

/// The bucket of a task whose results earn `reward`: `floor(log2(reward / least))`, so that 32
/// buckets span from the least reward of the chain to four thousand million times as much. All
/// above share the highest.
pub fn bucket_of<Balance: AtLeast32BitUnsigned + Copy>(reward: Balance, least: Balance) -> u8 {
	let ratio = reward.checked_div(&least).unwrap_or(reward);
	let ratio: u128 = ratio.unique_saturated_into();
	let log = ratio.checked_ilog2().unwrap_or(0);
	log.min(u32::from(BUCKETS.saturating_sub(1))) as u8
}

/// The highest reward at which `deposited` covers every result that the task may need,
/// with the masternodes' `share` on top of each.
pub fn affordable_reward<Balance: AtLeast32BitUnsigned + Copy>(
	deposited: Balance,
	spec: &TaskSpec<Balance>,
	share: Perbill,
) -> Balance {
	// Rewards of `w` cost `w + ceil(w * share)`, so `w = floor(deposited / (1 + share))`, taken
	// in parts so that nothing overflows.
	let whole = Balance::from(Perbill::ACCURACY);
	let both = Perbill::ACCURACY.saturating_add(share.deconstruct());
	let quotient = deposited.checked_div(&both.into()).unwrap_or_else(Zero::zero);
	let rest = deposited.saturating_sub(quotient.saturating_mul(both.into()));
	let rest: u64 = rest.unique_saturated_into();
	let rest = rest.saturating_mul(u64::from(Perbill::ACCURACY)).checked_div(u64::from(both));
	let rewards =
		quotient.saturating_mul(whole).saturating_add(rest.unwrap_or(0).unique_saturated_into());
	let results = spec.subtasks.saturating_mul(u32::from(spec.max_replicas));
	rewards.checked_div(&results.into()).unwrap_or_else(Zero::zero)
}
