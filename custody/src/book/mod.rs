//! What is owed for which task, what of it is here, and what to fetch next. No input, no output, no
//! clock: blocks of the chain are its time, so that the same events always lead to the same
//! decisions.
//!
//! Each task has three lanes, which are tried, delayed and given up apart from one another:
//!
//! | lane | what | room |
//! | --- | --- | --- |
//! | essential | the manifest, then the shares that are sealed to this masternode | the whole budget |
//! | content | program, index, the other masternodes' shares, shards, private part | what was reserved when the task was admitted, within 7/8 of the budget |
//! | results | the results that verdicts name | the whole budget |

mod entry;
mod item;
mod limits;
mod queue;
#[cfg(test)]
mod tests;

use std::{
	cmp::Reverse,
	collections::{btree_map, BTreeMap, HashMap},
};

use dgcs_content::Blob;
use dgcs_primitives::{api::TaskView, BlockNumber, ContentId, ResultDigest, TaskId};
use dgcs_rpc::masternode::Held;
use sp_core::H256;

use crate::{
	edges::{AccountId, Balance},
	ledger::Kept,
};
use entry::{Counts, Ended, Entry};
use item::{charge, Lane};
use queue::Queue;

pub use item::{Holding, Item, Job, Promise, MAX_PRIVATE, MAX_PROGRAM};
pub use limits::Limits;
pub use queue::Failure;

/// The book of all tasks.
#[derive(Debug)]
pub struct Book {
	limits: Limits,
	tasks: BTreeMap<TaskId, Entry>,
	/// Bytes that are here and reserved.
	used: u64,
	blobs: usize,
	/// How many tasks keep the blob with this digest.
	keepers: HashMap<H256, u32>,
	released: Vec<(TaskId, Vec<Item>, Vec<ContentId>)>,
}

impl Book {
	/// An empty one.
	pub fn new(limits: Limits) -> Self {
		Book {
			limits,
			tasks: BTreeMap::new(),
			used: 0,
			blobs: 0,
			keepers: HashMap::new(),
			released: Vec::new(),
		}
	}

	/// Notes what was kept of a task, before it is first seen.
	pub fn restore(&mut self, task: TaskId, kept: Kept) {
		let Kept { held, ended, live } = kept;
		held.values().for_each(|blob| self.charge(blob));
		let counts = Counts::of(held.iter());
		let ended = ended.map(|(at, kept)| Ended { at, kept });
		let results = counts.results;
		let entry = Entry { ended, live, results, counts, held, ..Default::default() };
		self.tasks.insert(task, entry);
	}

	/// Notes that a task is live, and what it says. New to the book, its manifest is to be fetched.
	pub fn live(&mut self, id: TaskId, view: &TaskView<AccountId, Balance>, now: BlockNumber) {
		let entry = self.tasks.entry(id).or_default();
		entry.paid = view.held;
		if entry.owner.is_none() {
			entry.owner = Some(view.owner.clone());
			if !entry.held.contains_key(&Item::Manifest) {
				entry.queue(Lane::Essential).push(Item::Manifest, now);
			}
		}
	}

	/// The tasks whose manifest is here and was not yet learned from.
	pub fn to_learn(&self) -> Vec<TaskId> {
		let to_learn = |entry: &Entry| {
			entry.promise.is_none()
				&& entry.ended.is_none()
				&& entry.held.contains_key(&Item::Manifest)
				&& !entry.queues[Lane::Essential as usize].given_up
		};
		self.tasks.iter().filter(|(_, entry)| to_learn(entry)).map(|(id, _)| *id).collect()
	}

	/// Notes what a task's manifest promises: it is to be fetched.
	pub fn learn(&mut self, id: TaskId, promise: Promise, now: BlockNumber) {
		let Some(entry) = self.tasks.get_mut(&id).filter(|entry| entry.promise.is_none()) else {
			return;
		};
		let missing: Vec<Item> =
			promise.items().filter(|item| !entry.held.contains_key(item)).collect();
		entry.promise = Some(promise);
		entry.claim = entry.missing();
		for item in missing {
			let lane = entry.lane(&item);
			entry.queue(lane).push(item, now);
		}
		self.admit(now);
	}

	/// Gives a task up that broke a rule: what is here of it is released, but for shares of keys.
	pub fn refuse(&mut self, id: TaskId, reason: String) {
		let Some(entry) = self.tasks.get_mut(&id) else { return };
		for queue in &mut entry.queues[..2] {
			queue.give_up(reason.clone());
		}
		self.give_up_content(id, reason);
	}

	fn give_up_content(&mut self, id: TaskId, reason: String) {
		let Some(entry) = self.tasks.get_mut(&id) else { return };
		entry.queue(Lane::Content).give_up(reason);
		entry.admitted = false;
		self.used = self.used.saturating_sub(std::mem::take(&mut entry.reserved));
		let mine = entry.mine().to_vec();
		self.release(id, |item| item.lane(&mine) == Lane::Content);
	}

	/// How many blocks of a task's work chain were read.
	pub fn height(&self, id: TaskId) -> u32 {
		self.tasks.get(&id).map_or(0, |entry| entry.height)
	}

	/// Notes the results that the blocks of a task's work chain up to `height` name.
	pub fn verdicts(
		&mut self,
		id: TaskId,
		height: u32,
		digests: &[ResultDigest],
		now: BlockNumber,
	) {
		let Some(entry) = self.tasks.get_mut(&id) else { return };
		entry.height = height;
		for item in digests.iter().map(|digest| Item::Result(*digest)) {
			if entry.held.contains_key(&item) || entry.flying.contains(&item) {
				continue;
			}
			entry.results = entry.results.saturating_add(1);
			entry.queue(Lane::Results).push_first(item, now);
		}
	}

	/// Notes that a task has ended. What nobody needs any more is released at once.
	pub fn end(&mut self, id: TaskId, at: BlockNumber, kept: bool) {
		let Some(entry) = self.tasks.get_mut(&id).filter(|entry| entry.ended.is_none()) else {
			return;
		};
		entry.ended = Some(Ended { at, kept });
		entry.admitted = false;
		for lane in [Lane::Essential, Lane::Content] {
			*entry.queue(lane) = Queue::default();
		}
		self.used = self.used.saturating_sub(std::mem::take(&mut entry.reserved));
		self.release(id, |item| !item.outlives_task());
	}

	/// Releases what was kept for long enough, gives up what did not come, and admits what there is
	/// room for now.
	pub fn tick(&mut self, now: BlockNumber) {
		let over: Vec<TaskId> = self
			.tasks
			.iter()
			.filter(|(_, entry)| {
				let results = &entry.queues[Lane::Results as usize];
				entry.ended.is_some_and(|Ended { at, kept }| {
					let retained = now < at.saturating_add(self.limits.retention);
					let empty = results.items.is_empty() && entry.counts.results == 0;
					entry.flying.is_empty() && (empty || !kept && !retained)
				})
			})
			.map(|(id, _)| *id)
			.collect();
		over.into_iter().for_each(|id| self.forget(id));
		self.admit(now);
	}

	/// Whether the task was live in a block after this one, by what was noted before the start: a node
	/// that has lost its database sees states again in which it is not known yet.
	pub fn is_later(&self, id: TaskId, at: BlockNumber) -> bool {
		self.tasks.get(&id).is_some_and(|entry| entry.live > at)
	}

	/// Whether the book knows the task, and not that it has ended.
	pub fn is_live(&self, id: TaskId) -> bool {
		self.tasks.get(&id).is_some_and(|entry| entry.ended.is_none())
	}

	/// All live tasks that the book knows.
	pub fn live_tasks(&self) -> Vec<TaskId> {
		let live = |(id, entry): (&TaskId, &Entry)| entry.ended.is_none().then_some(*id);
		self.tasks.iter().filter_map(live).collect()
	}

	/// What was released since this was last called: for each task the items and the blobs that
	/// nobody keeps any more.
	pub fn take_released(&mut self) -> Vec<(TaskId, Vec<Item>, Vec<ContentId>)> {
		std::mem::take(&mut self.released)
	}

	/// Whether a task keeps the blob.
	pub fn is_kept(&self, id: &ContentId) -> bool {
		self.keepers.contains_key(&id.digest)
	}

	/// Whether the book has anything of the task.
	pub fn knows(&self, id: TaskId) -> bool {
		self.tasks.contains_key(&id)
	}

	/// The blob of `item`, if it is here.
	pub fn get(&self, id: TaskId, item: &Item) -> Option<Blob> {
		self.tasks.get(&id)?.held.get(item).copied()
	}

	/// What the task's manifest promises, once it was learned.
	pub fn promise(&self, id: TaskId) -> Option<&Promise> {
		self.tasks.get(&id)?.promise.as_ref()
	}

	/// The key shares that this masternode holds of a live task.
	pub fn holdings(&self, id: TaskId) -> Vec<Holding> {
		let Some(entry) = self.tasks.get(&id).filter(|entry| entry.ended.is_none()) else {
			return Vec::new();
		};
		let held = entry.held.iter().filter_map(|(item, blob)| match *item {
			Item::Shares(holder) if entry.mine().contains(&holder) => {
				Some(Holding { holder, inherited: false, blob: *blob })
			},
			Item::Inherited(holder) => Some(Holding { holder, inherited: true, blob: *blob }),
			_ => None,
		});
		held.collect()
	}

	/// How many of a live task's key shares that are sealed to this masternode are still to be fetched.
	pub fn missing_shares(&self, id: TaskId) -> usize {
		let Some(entry) = self.tasks.get(&id).filter(|entry| entry.ended.is_none()) else {
			return 0;
		};
		if entry.queues[Lane::Essential as usize].given_up {
			return 0;
		}
		let missing = |holder: &&u8| {
			let here = entry.held.contains_key(&Item::Shares(**holder));
			!here && !entry.damaged.contains_key(*holder)
		};
		entry.mine().iter().filter(missing).count()
	}

	/// Which holders this masternode is by the task's manifest, and what is wrong with the shares
	/// that were sealed to it. `None`: the manifest is not here.
	pub fn own(&self, id: TaskId) -> Option<(Vec<u8>, BTreeMap<u8, String>)> {
		let entry = self.tasks.get(&id)?;
		Some((entry.promise.as_ref()?.mine.clone(), entry.damaged.clone()))
	}

	/// Why something of the task is missing.
	pub fn reason(&self, id: TaskId) -> Option<String> {
		self.tasks.get(&id)?.queues.iter().find_map(|queue| queue.reason.clone())
	}

	/// What to fetch now, most urgent first: manifests and own shares, then results, then content;
	/// in each the task first that has most money held for its bytes, the older among equals.
	pub fn next(&mut self, now: BlockNumber) -> Option<Job> {
		if self.blobs >= self.limits.blobs {
			return None;
		}
		loop {
			let (id, item) = self.most_urgent(now)?;
			let entry = self.tasks.get_mut(&id)?;
			let lane = entry.lane(&item);
			entry.queue(lane).items.pop_front();
			// Several subtasks may have the same result.
			if !entry.held.contains_key(&item) && entry.flying.insert(item) {
				return Some(Job { task: id, item });
			}
		}
	}

	fn most_urgent(&self, now: BlockNumber) -> Option<(TaskId, Item)> {
		let mut busy: HashMap<&AccountId, usize> = HashMap::new();
		for entry in self.tasks.values().filter(|entry| !entry.flying.is_empty()) {
			if let Some(owner) = &entry.owner {
				*busy.entry(owner).or_default() += entry.flying.len();
			}
		}
		let share = (self.limits.fetches / 2).max(1);
		let has_room = self.free() >= charge(0);
		let may = |entry: &Entry| {
			let busy = entry.owner.as_ref().and_then(|owner| busy.get(owner));
			busy.is_none_or(|busy| *busy < share)
		};
		let first = |lane: Lane, (id, entry): (&TaskId, &Entry)| {
			let item = entry.queues[lane as usize].ready(now)?;
			Some((Reverse(entry.worth()), *id, item))
		};
		[Lane::Essential, Lane::Results, Lane::Content].into_iter().find_map(|lane| {
			let tasks = self.tasks.iter().filter(|(_, entry)| {
				may(entry) && if lane == Lane::Content { entry.admitted } else { has_room }
			});
			let (_, id, item) = tasks.filter_map(|task| first(lane, task)).min()?;
			Some((id, item))
		})
	}

	/// Bytes that are not used and not reserved.
	pub fn free(&self) -> u64 {
		self.limits.budget.saturating_sub(self.used)
	}

	/// Whether `job` is still wanted: its task may have ended while it was fetched.
	pub fn wants(&self, job: &Job) -> bool {
		self.tasks.get(&job.task).is_some_and(|entry| {
			entry.flying.contains(&job.item)
				&& (entry.ended.is_none() || job.item.outlives_task())
				&& (entry.lane(&job.item) != Lane::Content || entry.admitted)
		})
	}

	/// Notes that what was fetched is here, pinned. Says whether it is kept; if not, its task ended
	/// meanwhile.
	pub fn got(&mut self, job: Job, blob: Blob, now: BlockNumber) -> bool {
		let wanted = self.wants(&job);
		let Some(entry) = self.tasks.get_mut(&job.task) else { return false };
		entry.flying.remove(&job.item);
		if !wanted {
			return false;
		}
		let lane = entry.lane(&job.item);
		if lane == Lane::Content {
			let less = charge(blob.len).min(entry.reserved);
			entry.reserved -= less;
			self.used = self.used.saturating_sub(less);
		}
		entry.queue(lane).came(now);
		self.insert(job.task, job.item, blob);
		true
	}

	/// Notes shares that were handed over, verified and pinned.
	pub fn inherit(&mut self, id: TaskId, holder: u8, blob: Blob) -> bool {
		let live = self.tasks.get(&id).is_some_and(|entry| entry.ended.is_none());
		if live {
			self.insert(id, Item::Inherited(holder), blob);
		}
		live
	}

	fn insert(&mut self, id: TaskId, item: Item, blob: Blob) {
		let Some(entry) = self.tasks.get_mut(&id) else { return };
		if let btree_map::Entry::Vacant(place) = entry.held.entry(item) {
			place.insert(blob);
			entry.counts.add(&item, &blob);
			self.charge(&blob);
		}
	}

	/// Notes that a fetch failed.
	pub fn failed(&mut self, job: Job, failure: Failure, now: BlockNumber) {
		let patience = self.limits.patience;
		let Some(entry) = self.tasks.get_mut(&job.task) else { return };
		let wanted =
			entry.flying.remove(&job.item) && (entry.ended.is_none() || job.item.outlives_task());
		if !wanted {
			return;
		}
		let lane = entry.lane(&job.item);
		if entry.queue(lane).given_up {
			return;
		}
		match (failure, job.item) {
			(Failure::Later(reason), item) => {
				entry.queue(lane).later(item, reason, now, patience);
			},
			// One result less is no reason to drop the others.
			(Failure::Never(reason), Item::Result(_)) => entry.queue(lane).reason = Some(reason),
			(Failure::Never(reason), Item::Shares(holder)) if lane == Lane::Essential => {
				entry.damaged.insert(holder, reason.clone());
				entry.queue(lane).reason = Some(reason);
			},
			(Failure::Never(reason), _) => entry.queue(lane).give_up(reason),
		}
		let entry = &self.tasks[&job.task];
		let content = &entry.queues[Lane::Content as usize];
		if lane == Lane::Content && content.given_up {
			let reason = content.reason.clone().unwrap_or_default();
			self.give_up_content(job.task, reason);
		}
	}

	/// What of a task is here. `None`: the book does not know it.
	pub fn held(&self, id: TaskId) -> Option<Held> {
		let entry = self.tasks.get(&id)?;
		let Counts { bytes, promised, shards, results, .. } = entry.counts;
		let promise = entry.promise.as_ref();
		// Of what the manifest promises: all but the shards, and the shards.
		let rest_here = promise.is_some_and(|all| all.count() - all.shards == promised - shards);
		let manifest = rest_here && entry.damaged.is_empty() && entry.ended.is_none();
		let shards_here = promise.is_some_and(|all| all.shards == shards);
		let reason = entry.queues.iter().find_map(|queue| queue.reason.clone());
		let waiting = || entry.is_waiting().then(|| "it waits for room on the disk".to_owned());
		Some(Held {
			task: id,
			complete: manifest && shards_here,
			manifest,
			program: entry.held.contains_key(&Item::Program),
			shards_held: shards,
			shards: promise.map_or(0, |promise| promise.shards),
			key_shares_held: entry.key_shares(),
			key_shares: promise.map_or(0, |promise| promise.shares.len() as u32),
			results_held: results,
			results: entry.results,
			bytes,
			given_up: !entry.damaged.is_empty() || entry.queues.iter().any(|queue| queue.given_up),
			reason: entry.damaged.values().next().cloned().or(reason).or_else(waiting),
			ended: entry.ended.is_some(),
		})
	}

	/// Reserves room for tasks that wait for it: most money for its bytes first, the older among
	/// equals. One that does not fit lets smaller ones pass. What is admitted is never thrown out
	/// for another: its owner may have gone offline.
	fn admit(&mut self, now: BlockNumber) {
		let most = self.limits.budget / 8 * 7;
		let mut waiting: Vec<_> = self
			.tasks
			.iter()
			.filter(|(_, entry)| entry.is_waiting())
			.map(|(id, entry)| (Reverse(entry.worth()), *id, entry.claim))
			.collect();
		waiting.sort();
		for (_, id, claim) in waiting {
			if claim > most {
				let reason = format!(
					"its content takes {claim} bytes; this masternode gives all tasks {most}"
				);
				self.give_up_content(id, reason);
				continue;
			}
			while self.used.saturating_add(claim) > most && self.evict(now) {}
			if self.used.saturating_add(claim) <= most {
				self.used += claim;
				if let Some(entry) = self.tasks.get_mut(&id) {
					entry.reserved = claim;
					entry.admitted = true;
				}
			}
		}
	}

	/// Drops the solution that ended first of those whose retention is over.
	fn evict(&mut self, now: BlockNumber) -> bool {
		let retention = self.limits.retention;
		let over = self.tasks.iter().filter_map(|(id, entry)| {
			let at = entry.ended?.at;
			(now >= at.saturating_add(retention) && entry.flying.is_empty()).then_some((at, *id))
		});
		let Some((_, id)) = over.min() else { return false };
		self.forget(id);
		true
	}

	fn forget(&mut self, id: TaskId) {
		self.release(id, |_| true);
		self.tasks.remove(&id);
		// Nothing may have been left to release, and there is something to forget.
		self.released.push((id, Vec::new(), Vec::new()));
	}

	fn release(&mut self, id: TaskId, which: impl Fn(&Item) -> bool) {
		let Some(entry) = self.tasks.get_mut(&id) else { return };
		let (out, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
			std::mem::take(&mut entry.held).into_iter().partition(|(item, _)| which(item));
		entry.counts = Counts::of(kept.iter());
		entry.held = kept;
		let mut unpin = Vec::new();
		for blob in out.values() {
			self.used = self.used.saturating_sub(charge(blob.len));
			self.blobs = self.blobs.saturating_sub(1);
			let Some(keepers) = self.keepers.get_mut(&blob.id.digest) else { continue };
			*keepers -= 1;
			if *keepers == 0 {
				self.keepers.remove(&blob.id.digest);
				unpin.push(blob.id);
			}
		}
		if !out.is_empty() {
			self.released.push((id, out.into_keys().collect(), unpin));
		}
	}

	fn charge(&mut self, blob: &Blob) {
		self.used = self.used.saturating_add(charge(blob.len));
		self.blobs += 1;
		*self.keepers.entry(blob.id.digest).or_default() += 1;
	}
}
