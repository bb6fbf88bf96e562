//! What is to be fetched in one lane of a task, and how patiently.

use std::collections::VecDeque;

use dgcs_primitives::BlockNumber;

use super::item::Item;

/// The most blocks between two tries.
const LONGEST_DELAY: BlockNumber = 200;

/// Why a fetch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
	/// It may be there another time.
	Later(String),
	/// It will never be what it should be.
	Never(String),
}

/// One queue of things to fetch, with its own patience.
#[derive(Debug, Default)]
pub(super) struct Queue {
	pub(super) items: VecDeque<Item>,
	pub(super) tries: u32,
	pub(super) next_try: BlockNumber,
	/// The block in which something came last, or was asked for first.
	pub(super) progress: BlockNumber,
	pub(super) reason: Option<String>,
	pub(super) given_up: bool,
}

impl Queue {
	pub(super) fn push(&mut self, item: Item, now: BlockNumber) {
		if self.items.is_empty() {
			self.progress = now;
		}
		self.given_up = false;
		self.items.push_back(item);
	}

	/// Adds what is new, to be tried at once: who has it may be another than who does not have the
	/// rest.
	pub(super) fn push_first(&mut self, item: Item, now: BlockNumber) {
		self.push(item, now);
		self.items.rotate_right(1);
		self.next_try = now;
	}

	pub(super) fn came(&mut self, now: BlockNumber) {
		self.tries = 0;
		self.next_try = now;
		self.progress = now;
		self.reason = None;
	}

	pub(super) fn later(
		&mut self,
		item: Item,
		reason: String,
		now: BlockNumber,
		patience: BlockNumber,
	) {
		self.items.push_back(item);
		if now.saturating_sub(self.progress) >= patience {
			return self.give_up(format!("nothing came for {patience} blocks: {reason}"));
		}
		self.tries = self.tries.saturating_add(1);
		let delay = 1u32.checked_shl(self.tries - 1).unwrap_or(u32::MAX).min(LONGEST_DELAY);
		self.next_try = now.saturating_add(delay);
		self.reason = Some(reason);
	}

	pub(super) fn give_up(&mut self, reason: String) {
		self.items.clear();
		self.given_up = true;
		self.reason = Some(reason);
	}

	pub(super) fn ready(&self, now: BlockNumber) -> Option<Item> {
		self.items.front().copied().filter(|_| self.next_try <= now)
	}
}
