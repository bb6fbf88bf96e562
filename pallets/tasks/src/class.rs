//! Classes of tasks, by what they ask of a worker. Each class has a chain of its own in every
//! priority bucket, so that a worker's walk meets only tasks that it may have, however many others
//! wait.

use codec::{Decode, Encode, MaxEncodedLen};
use dgcs_primitives::{Offer, Refusal, Requirements, Selection, TaskKind, MAX_MEMORY_MIB};
use scale_info::TypeInfo;

use crate::types::BUCKETS;

/// The memory of the least class, in MiB. Each next one has twice as much.
pub const LEAST_MEMORY_MIB: u32 = 64;
/// Classes of memory: from [`LEAST_MEMORY_MIB`] to [`MAX_MEMORY_MIB`].
pub const MEMORY_CLASSES: u8 = 7;
/// Classes in all: of memory, for each kind and selection.
pub const CLASSES: u8 = MEMORY_CLASSES * KINDS.len() as u8 * SELECTIONS.len() as u8;

const KINDS: [TaskKind; 3] = [TaskKind::Compute, TaskKind::Store, TaskKind::Host];
const SELECTIONS: [Selection; 2] = [Selection::Any, Selection::Proven];

/// What a task asks of a worker, with the memory rounded up to a power of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Class(u8);

impl Class {
	/// The class of a task with these requirements.
	pub fn of(required: &Requirements) -> Self {
		let memory = required.memory_mib.clamp(LEAST_MEMORY_MIB, MAX_MEMORY_MIB);
		let least = LEAST_MEMORY_MIB.ilog2();
		let memory = memory.next_power_of_two().ilog2().saturating_sub(least) as u8;
		let kind = KINDS.iter().position(|kind| *kind == required.kind).unwrap_or_default();
		let selection = SELECTIONS.iter().position(|selection| *selection == required.selection);
		let group = kind.saturating_mul(SELECTIONS.len()).saturating_add(selection.unwrap_or(0));
		Class((group as u8).saturating_mul(MEMORY_CLASSES).saturating_add(memory))
	}

	/// What a worker must offer for a task of this class.
	pub fn requirements(self) -> Requirements {
		let (group, memory) = (self.0 / MEMORY_CLASSES, self.0 % MEMORY_CLASSES);
		let selections = SELECTIONS.len() as u8;
		let pick = |index: u8, of: u8| usize::from(index.checked_rem(of).unwrap_or(0));
		Requirements {
			kind: KINDS[pick(group / selections, KINDS.len() as u8)],
			memory_mib: LEAST_MEMORY_MIB << memory,
			selection: SELECTIONS[pick(group, selections)],
		}
	}
}

/// A set of classes, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Classes(u64);

impl Classes {
	/// The classes of which a worker with this offer may be drawn tasks.
	pub fn open_to<AccountId>(offer: &Offer<AccountId>) -> Self {
		let mut open = Classes::default();
		(0..CLASSES)
			.map(Class)
			.filter(|class| offer.check(&class.requirements()).is_ok())
			.for_each(|class| open.insert(class));
		open
	}

	/// Whether the class is in the set.
	pub fn contains(self, class: Class) -> bool {
		self.0 & bit(class) != 0
	}

	/// Adds the class.
	pub fn insert(&mut self, class: Class) {
		self.0 |= bit(class);
	}

	/// Takes the class out.
	pub fn remove(&mut self, class: Class) {
		self.0 &= !bit(class);
	}

	/// Whether there is none.
	pub fn is_empty(self) -> bool {
		self.0 == 0
	}

	/// Those that are in both.
	pub fn and(self, other: Classes) -> Self {
		Classes(self.0 & other.0)
	}

	/// Those that are not in the other.
	pub fn without(self, other: Classes) -> Self {
		Classes(self.0 & !other.0)
	}

	/// The class that `lot` names, each with the same chance.
	pub fn draw(self, lot: u8) -> Option<Class> {
		let skip = u32::from(lot).checked_rem(self.0.count_ones())?;
		(0..CLASSES).map(Class).filter(|class| self.contains(*class)).nth(skip as usize)
	}

	/// The most telling reason why none of these classes is open to the worker.
	pub fn refusal<AccountId>(self, offer: &Offer<AccountId>) -> Refusal {
		(0..CLASSES)
			.map(Class)
			.filter(|class| self.contains(*class))
			.filter_map(|class| offer.check(&class.requirements()).err())
			.max()
			.unwrap_or(Refusal::QueueEmpty)
	}
}

/// One chain of the queue: tasks of one priority that ask for the same of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Lane {
	/// The priority bucket.
	pub bucket: u8,
	/// What its tasks ask for.
	pub class: Class,
}

/// The lanes in which tasks wait: for each bucket, the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Lanes([Classes; BUCKETS as usize]);

impl Lanes {
	/// The classes of which tasks wait in the bucket.
	pub fn classes(&self, bucket: u8) -> Classes {
		self.0.get(usize::from(bucket)).copied().unwrap_or_default()
	}

	/// The classes of which tasks wait in any bucket.
	pub fn all_classes(&self) -> Classes {
		Classes(self.0.iter().fold(0, |all, classes| all | classes.0))
	}

	/// The buckets in which tasks of these classes wait, a bit each.
	pub fn buckets(&self, open: Classes) -> u32 {
		(0..BUCKETS)
			.filter(|bucket| !self.classes(*bucket).and(open).is_empty())
			.fold(0, |buckets, bucket| buckets | crate::types::bit(bucket))
	}

	/// Notes whether tasks wait in the lane.
	pub fn set(&mut self, lane: Lane, waiting: bool) {
		if let Some(classes) = self.0.get_mut(usize::from(lane.bucket)) {
			match waiting {
				true => classes.insert(lane.class),
				false => classes.remove(lane.class),
			}
		}
	}
}

fn bit(class: Class) -> u64 {
	1u64.checked_shl(u32::from(class.0)).unwrap_or(0)
}
