//! What an owner asks for: the task specification and the rules that it must keep.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;

use crate::{ContentId, RangeIndex};

/// Most subtasks in a range: one bit each in a `u64` of what is still open.
pub const MAX_RANGE_SIZE: u32 = 64;
/// Fewest replicas (§5.7.1.4: at least three workers compute every piece).
pub const MIN_REPLICAS: u8 = 3;
/// Most replicas that a range may ever have, extra ones included.
pub const MAX_REPLICAS: u8 = 15;
/// Most subtasks of one task.
pub const MAX_SUBTASKS: u32 = 1 << 24;
/// Most memory a subtask may ask for, in MiB: what 32-bit WebAssembly can address.
pub const MAX_MEMORY_MIB: u32 = 4096;
/// Most credits that a PPLNS window may remember.
pub const MAX_PPLNS_WINDOW: u32 = 32;

/// What kind of work a task is.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum TaskKind {
	/// Run a WASI program on every subtask's input.
	Compute,
	/// Keep shards and prove it.
	Store,
	/// Keep a service reachable.
	Host,
}

impl TaskKind {
	/// The bit that stands for this kind in a worker's [`Kinds`].
	pub const fn bit(self) -> u8 {
		match self {
			TaskKind::Compute => 1,
			TaskKind::Store => 2,
			TaskKind::Host => 4,
		}
	}
}

/// A set of task kinds, as bits: 1 compute, 2 store, 4 host.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(transparent)]
pub struct Kinds(pub u8);

impl Kinds {
	/// Whether the set holds `kind`.
	pub fn contains(self, kind: TaskKind) -> bool {
		self.0 & kind.bit() != 0
	}

	/// Whether the set is neither empty nor holds bits that name no kind.
	pub fn is_valid(self) -> bool {
		self.0 != 0 && self.0 <= 7
	}
}

impl From<TaskKind> for Kinds {
	fn from(kind: TaskKind) -> Self {
		Kinds(kind.bit())
	}
}

/// What one subtask may use at the most.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct SubtaskLimits {
	/// Wall-clock time, in milliseconds. A lease is long enough for all subtasks of its range.
	pub time_ms: u32,
	/// Memory, in MiB. At most [`MAX_MEMORY_MIB`].
	pub memory_mib: u32,
	/// Instructions, in the units of `docs/protocol.md`, "Fuel".
	pub fuel: u64,
}

/// Which workers may be drawn for a task.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Selection {
	/// Any worker in good standing.
	Any,
	/// Workers in good standing with a long enough run of good results.
	Proven,
}

/// How the reward of a verdict is shared (§3.4.1.4).
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Payout {
	/// Pay per share: a winner gets the reward of each of its results at the verdict.
	Pps,
	/// Pay per last N shares: each verdict's reward is shared over the last `window` credits
	/// (one credit is one worker's results in one verdict). At least the task's most replicas, so
	/// that a verdict never forgets one of its own winners, and at most [`MAX_PPLNS_WINDOW`].
	Pplns {
		/// How many credits are remembered.
		window: u32,
	},
}

/// Who may add money to a task (§6.2).
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Visibility {
	/// The owner alone.
	Private,
	/// Anyone.
	Public,
}

/// A task as its owner submits it.
#[derive(
	Clone,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub struct TaskSpec<Balance> {
	/// What kind of work it is.
	pub kind: TaskKind,
	/// Where the manifest is: program, shards and sealed key shares.
	pub manifest: ContentId,
	/// Merkle root over the subtasks' shards.
	pub input_root: H256,
	/// How many subtasks there are. 1 to [`MAX_SUBTASKS`].
	pub subtasks: u32,
	/// How many subtasks are leased together. 1 to [`MAX_RANGE_SIZE`].
	pub range_size: u32,
	/// How many workers compute each range. Odd, at least [`MIN_REPLICAS`].
	pub replicas: u8,
	/// How many workers may compute a range before its open subtasks fail. At least `replicas`,
	/// at most [`MAX_REPLICAS`].
	pub max_replicas: u8,
	/// What one result that agrees with the verdict earns, in the smallest unit.
	pub reward: Balance,
	/// What one subtask may use.
	pub limits: SubtaskLimits,
	/// How many blocks the task may wait for its first lease.
	pub queue_timeout: u32,
	/// How many blocks it may take from its first lease on.
	pub run_timeout: u32,
	/// Which workers may be drawn.
	pub selection: Selection,
	/// How rewards are shared.
	pub payout: Payout,
	/// Who may add money.
	pub visibility: Visibility,
	/// Whether the settlement record stays on the chain afterwards.
	pub keep_solution: bool,
}

/// Why a specification is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SpecError {
	/// `subtasks` is 0 or above [`MAX_SUBTASKS`].
	Subtasks,
	/// `range_size` is 0 or above [`MAX_RANGE_SIZE`].
	RangeSize,
	/// `replicas` is even or below [`MIN_REPLICAS`], or the two limits contradict each other.
	Replicas,
	/// `reward` is 0.
	Reward,
	/// A limit is 0, or memory is above [`MAX_MEMORY_MIB`].
	Limits,
	/// A timeout is 0.
	Timeout,
	/// The PPLNS window is below `max_replicas` or above [`MAX_PPLNS_WINDOW`].
	Window,
	/// The chain has no rules for tasks of this kind.
	Kind,
}

impl<Balance: PartialEq + Default> TaskSpec<Balance> {
	/// Checks every rule that needs nothing but the specification itself.
	pub fn validate(&self) -> Result<(), SpecError> {
		use SpecError::*;
		let rule = |kept: bool, error| if kept { Ok(()) } else { Err(error) };
		rule((1..=MAX_SUBTASKS).contains(&self.subtasks), Subtasks)?;
		rule((1..=MAX_RANGE_SIZE).contains(&self.range_size), RangeSize)?;
		rule(
			self.replicas >= MIN_REPLICAS
				&& self.replicas % 2 == 1
				&& self.replicas <= self.max_replicas
				&& self.max_replicas <= MAX_REPLICAS,
			Replicas,
		)?;
		rule(self.reward != Balance::default(), Reward)?;
		let SubtaskLimits { time_ms, memory_mib, fuel } = self.limits;
		rule(time_ms > 0 && fuel > 0 && (1..=MAX_MEMORY_MIB).contains(&memory_mib), Limits)?;
		rule(self.queue_timeout > 0 && self.run_timeout > 0, Timeout)?;
		if let Payout::Pplns { window } = self.payout {
			let winners = u32::from(self.max_replicas);
			rule((winners..=MAX_PPLNS_WINDOW).contains(&window), Window)?;
		}
		Ok(())
	}
}

impl<Balance> TaskSpec<Balance> {
	/// How many ranges the subtasks make.
	pub fn ranges(&self) -> u32 {
		self.subtasks.div_ceil(self.range_size.max(1))
	}

	/// The first subtask of range `range`.
	pub fn range_start(&self, range: RangeIndex) -> u32 {
		range.0.saturating_mul(self.range_size)
	}

	/// How many subtasks range `range` holds: `range_size`, or what is left for the last one, or
	/// 0 for a range that the task does not have.
	pub fn range_len(&self, range: RangeIndex) -> u32 {
		self.subtasks.saturating_sub(self.range_start(range)).min(self.range_size)
	}

	/// How long a lease on `len` subtasks lasts, in milliseconds, before any slack.
	pub fn range_time_ms(&self, len: u32) -> u64 {
		u64::from(self.limits.time_ms).saturating_mul(u64::from(len))
	}

	/// What a worker must offer to be drawn for this task.
	pub fn requirements(&self) -> Requirements {
		Requirements {
			kind: self.kind,
			memory_mib: self.limits.memory_mib,
			selection: self.selection,
		}
	}
}

/// What a worker must offer to be drawn for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirements {
	/// The task's kind.
	pub kind: TaskKind,
	/// Memory of one subtask, in MiB.
	pub memory_mib: u32,
	/// Which workers the owner takes.
	pub selection: Selection,
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{doubles::task_spec, ContentCodec};

	fn spec() -> TaskSpec<u128> {
		let manifest = ContentId { codec: ContentCodec::Raw, digest: H256::zero() };
		task_spec(manifest, H256::zero(), 130, 64)
	}

	#[test]
	fn limits_of_every_field() {
		use SpecError::*;
		type Change = fn(&mut TaskSpec<u128>);
		let cases: &[(Change, Result<(), SpecError>)] = &[
			(|_| {}, Ok(())),
			(|s| s.subtasks = 0, Err(Subtasks)),
			(|s| s.subtasks = MAX_SUBTASKS, Ok(())),
			(|s| s.subtasks = MAX_SUBTASKS + 1, Err(Subtasks)),
			(|s| s.range_size = 0, Err(RangeSize)),
			(|s| s.range_size = 65, Err(RangeSize)),
			(|s| s.replicas = 1, Err(Replicas)),
			(|s| s.replicas = 4, Err(Replicas)),
			(|s| s.replicas = 7, Err(Replicas)),
			(|s| s.max_replicas = 2, Err(Replicas)),
			(|s| s.max_replicas = MAX_REPLICAS, Ok(())),
			(|s| s.max_replicas = MAX_REPLICAS + 1, Err(Replicas)),
			(|s| s.reward = 0, Err(Reward)),
			(|s| s.limits.time_ms = 0, Err(Limits)),
			(|s| s.limits.fuel = 0, Err(Limits)),
			(|s| s.limits.memory_mib = 0, Err(Limits)),
			(|s| s.limits.memory_mib = 4096, Ok(())),
			(|s| s.limits.memory_mib = 4097, Err(Limits)),
			(|s| s.queue_timeout = 0, Err(Timeout)),
			(|s| s.run_timeout = 0, Err(Timeout)),
			(|s| s.payout = Payout::Pplns { window: 0 }, Err(Window)),
			(|s| s.payout = Payout::Pplns { window: 4 }, Err(Window)),
			(|s| s.payout = Payout::Pplns { window: 5 }, Ok(())),
			(|s| s.payout = Payout::Pplns { window: 32 }, Ok(())),
			(|s| s.payout = Payout::Pplns { window: 33 }, Err(Window)),
		];
		for (number, (change, expected)) in cases.iter().enumerate() {
			let mut spec = spec();
			change(&mut spec);
			assert_eq!(spec.validate(), *expected, "case {number}: {spec:?}");
		}
	}

	#[test]
	fn ranges_cover_every_subtask_once() {
		for (subtasks, size) in [(1, 1), (64, 64), (65, 64), (130, 64), (MAX_SUBTASKS, 7)] {
			let spec = TaskSpec { subtasks, range_size: size, ..spec() };
			let last = RangeIndex(spec.ranges() - 1);
			assert!((1..=size).contains(&spec.range_len(last)));
			assert_eq!((spec.ranges() - 1) * size + spec.range_len(last), subtasks);
			assert_eq!(spec.range_len(RangeIndex(spec.ranges())), 0);
		}
		assert_eq!(spec().range_len(RangeIndex(u32::MAX)), 0);
	}
}
