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

use std::{
	collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
	time::Duration,
};

use codec::{Decode, Encode};
use dgcs_content::{keys::HolderShares, Blob, Manifest};
use dgcs_primitives::{api::TaskView, BlockNumber, ContentId, ResultDigest, TaskId};
use serde::Serialize;
use sp_core::H256;

use crate::edges::{AccountId, Balance};

/// The most bytes of a program: what the sandbox takes.
pub const MAX_PROGRAM: u64 = 32 << 20;
/// The most bytes of the owner's private part.
pub const MAX_PRIVATE: u64 = 64 << 20;
/// The most keys of one task that shares are opened of: a blob of 32 MiB for each masternode. More
/// subtasks than that are put into ranges.
pub const MAX_KEYS: u32 = 1 << 20;
/// What a blob is charged at the least, for its entry in the store.
const LEAST_CHARGE: u64 = 4096;
/// The most blocks between two tries.
const LONGEST_DELAY: BlockNumber = 200;

/// How much a masternode gives.
#[derive(Clone, Debug)]
pub struct Limits {
	/// Bytes of disk for all tasks. A blob counts 4 KiB at the least.
	pub budget: u64,
	/// Blobs in all.
	pub blobs: usize,
	/// Bytes of one result.
	pub result: u64,
	/// Blobs that are fetched at the same time, at most half of them (and at least one) for tasks
	/// of the same owner.
	pub fetches: usize,
	/// How long one blob may take.
	pub deadline: Duration,
	/// After how many blocks in which nothing came a lane is given up.
	pub patience: BlockNumber,
	/// For how many blocks results are kept after the end of their task.
	pub retention: BlockNumber,
}

impl Default for Limits {
	/// 64 GiB, a million blobs, results of 64 MiB, 4 fetches of 5 minutes each, patience of a day,
	/// retention of a week.
	fn default() -> Self {
		Limits {
			budget: 64 << 30,
			blobs: 1 << 20,
			result: 64 << 20,
			fetches: 4,
			deadline: Duration::from_secs(300),
			patience: 28_800,
			retention: 201_600,
		}
	}
}

/// A blob of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Item {
	/// The manifest.
	Manifest,
	/// The shares of the keys for the holder with this number, as the owner sealed them.
	Shares(u8),
	/// The shares of the holder with this number, who has left, sealed to this masternode.
	Inherited(u8),
	/// The program.
	Program,
	/// Where the pieces of each range are.
	Index,
	/// The shard with this number.
	Shard(u32),
	/// The owner's private part.
	Private,
	/// A result.
	Result(ResultDigest),
}

impl Item {
	fn lane(&self, mine: &[u8]) -> Lane {
		match self {
			Item::Manifest | Item::Inherited(_) => Lane::Essential,
			Item::Shares(holder) if mine.contains(holder) => Lane::Essential,
			Item::Result(_) => Lane::Results,
			_ => Lane::Content,
		}
	}

	/// Whether it is kept after the end of the task: what an owner needs to read its solution.
	fn outlives_task(&self) -> bool {
		matches!(self, Item::Manifest | Item::Private | Item::Result(_))
	}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
	Essential,
	Results,
	Content,
}

/// What a manifest promises, as far as it matters for keeping it.
#[derive(Clone, Debug)]
pub struct Promise {
	program: Blob,
	index: Option<Blob>,
	private: Blob,
	shares: Vec<Blob>,
	shards: u32,
	shard_size: u32,
	mine: Vec<u8>,
	/// What all of it is charged.
	bytes: u64,
}

impl Promise {
	/// Of `manifest`, to the masternode that is the holders `mine` in it. Refuses a manifest with
	/// blobs that no task has.
	pub fn new(manifest: &Manifest, mine: Vec<u8>) -> Result<Self, String> {
		let Manifest { program, index, private, shard_size, .. } = *manifest;
		let rule = |what: &str, found: u64, limit: u64| {
			if found <= limit {
				Ok(())
			} else {
				Err(format!("the manifest promises {what} of {found}, at most {limit} are allowed"))
			}
		};
		rule("a program of bytes", program.len, MAX_PROGRAM)?;
		rule("a private part of bytes", private.len, MAX_PRIVATE)?;
		let keys = manifest.shared_keys();
		if !manifest.holders.is_empty() {
			rule("shares of keys", keys.into(), MAX_KEYS.into())?;
		}
		let size = HolderShares::sealed_size(keys);
		for holder in &manifest.holders {
			if holder.shares.len != size {
				return Err(format!(
					"the manifest promises {} bytes of key shares for {:?}, its ranges need {size}",
					holder.shares.len, holder.account
				));
			}
		}
		let shares = manifest.holders.iter().map(|holder| holder.shares).collect();
		let shards = manifest.shards.len() as u32;
		let mut all =
			Promise { program, index, private, shares, shards, shard_size, mine, bytes: 0 };
		all.bytes = all.items().map(|item| charge(all.len(&item))).sum();
		Ok(all)
	}

	/// The blob behind `item`. `None`: it is none of this manifest.
	pub fn blob(&self, manifest: &Manifest, item: &Item) -> Option<Blob> {
		match *item {
			Item::Program => Some(self.program),
			Item::Index => self.index,
			Item::Private => Some(self.private),
			Item::Shares(holder) => self.shares.get(usize::from(holder)).copied(),
			Item::Shard(number) => manifest
				.shards
				.get(number as usize)
				.map(|shard| Blob { id: shard.id(), len: self.shard_size.into() }),
			Item::Manifest | Item::Inherited(_) | Item::Result(_) => None,
		}
	}

	/// All items but the manifest, in the order in which they are fetched.
	fn items(&self) -> impl Iterator<Item = Item> + '_ {
		let holders = 0..self.shares.len() as u8;
		[Item::Program]
			.into_iter()
			.chain(self.index.map(|_| Item::Index))
			.chain(holders.map(Item::Shares))
			.chain((0..self.shards).map(Item::Shard))
			.chain([Item::Private])
	}

	/// How many items there are.
	fn count(&self) -> u32 {
		2 + u32::from(self.index.is_some()) + self.shares.len() as u32 + self.shards
	}

	fn len(&self, item: &Item) -> u64 {
		match item {
			Item::Program => self.program.len,
			Item::Index => self.index.map_or(0, |index| index.len),
			Item::Private => self.private.len,
			Item::Shares(holder) => self.shares.get(usize::from(*holder)).map_or(0, |b| b.len),
			Item::Shard(_) => self.shard_size.into(),
			Item::Manifest | Item::Inherited(_) | Item::Result(_) => 0,
		}
	}
}

/// Something to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
	/// Whose.
	pub task: TaskId,
	/// What.
	pub item: Item,
}

/// Why a fetch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
	/// It may be there another time.
	Later(String),
	/// It will never be what it should be.
	Never(String),
}

/// What of a task is here, as `dgcs_held` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
	/// The task.
	pub task: TaskId,
	/// Whether all of its content is here and every share that is sealed to this masternode opens:
	/// when enough masternodes say so, the owner may go offline.
	pub complete: bool,
	/// Whether the manifest is here.
	pub manifest: bool,
	/// Whether the program is here.
	pub program: bool,
	/// Shards that are here.
	pub shards_held: u32,
	/// Shards of the task, 0 as long as the manifest is not here.
	pub shards: u32,
	/// Masternodes' sealed key shares that are here.
	pub key_shares_held: u32,
	/// Masternodes that share the keys.
	pub key_shares: u32,
	/// Results that are here.
	pub results_held: u32,
	/// Results that verdicts have named so far.
	pub results: u32,
	/// Bytes that are here.
	pub bytes: u64,
	/// Whether nothing more will be fetched of something that is missing.
	pub given_up: bool,
	/// Why something is missing, the most important first; `null` if nothing failed.
	pub reason: Option<String>,
	/// Whether the task has ended, and only its results are kept.
	pub ended: bool,
}

/// One queue of things to fetch, with its own patience.
#[derive(Debug, Default)]
struct Queue {
	items: VecDeque<Item>,
	tries: u32,
	next_try: BlockNumber,
	/// The block in which something came last, or was asked for first.
	progress: BlockNumber,
	reason: Option<String>,
	given_up: bool,
}

impl Queue {
	fn push(&mut self, item: Item, now: BlockNumber) {
		if self.items.is_empty() {
			self.progress = now;
		}
		self.given_up = false;
		self.items.push_back(item);
	}

	fn came(&mut self, now: BlockNumber) {
		self.tries = 0;
		self.next_try = now;
		self.progress = now;
		self.reason = None;
	}

	fn later(&mut self, item: Item, reason: String, now: BlockNumber, patience: BlockNumber) {
		self.items.push_back(item);
		if now.saturating_sub(self.progress) >= patience {
			return self.give_up(format!("nothing came for {patience} blocks: {reason}"));
		}
		self.tries = self.tries.saturating_add(1);
		let delay = 1u32.checked_shl(self.tries - 1).unwrap_or(u32::MAX).min(LONGEST_DELAY);
		self.next_try = now.saturating_add(delay);
		self.reason = Some(reason);
	}

	fn give_up(&mut self, reason: String) {
		self.items.clear();
		self.given_up = true;
		self.reason = Some(reason);
	}

	fn ready(&self, now: BlockNumber) -> Option<Item> {
		self.items.front().copied().filter(|_| self.next_try <= now)
	}
}

/// How much of a task is here.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
	bytes: u64,
	/// What the manifest promises, that is all but the manifest itself, results and heirlooms.
	promised: u32,
	shards: u32,
	shares: u32,
	results: u32,
}

impl Counts {
	fn of<'a>(held: impl Iterator<Item = (&'a Item, &'a Blob)>) -> Self {
		let mut counts = Counts::default();
		for (item, blob) in held {
			counts.add(item, blob);
		}
		counts
	}

	fn add(&mut self, item: &Item, blob: &Blob) {
		self.bytes = self.bytes.saturating_add(blob.len);
		match item {
			Item::Manifest | Item::Inherited(_) => {},
			Item::Result(_) => self.results += 1,
			_ => self.promised += 1,
		}
		match item {
			Item::Shard(_) => self.shards += 1,
			Item::Shares(_) => self.shares += 1,
			_ => {},
		}
	}
}

#[derive(Clone, Copy, Debug)]
struct Ended {
	at: BlockNumber,
	kept: bool,
}

/// One task.
#[derive(Debug, Default)]
struct Entry {
	owner: Option<AccountId>,
	manifest: Option<ContentId>,
	/// Money that is held for it: what its bytes are worth to this masternode.
	paid: Balance,
	promise: Option<Promise>,
	/// Whether room is reserved for its content.
	admitted: bool,
	/// Bytes reserved for content that is not here yet.
	reserved: u64,
	held: BTreeMap<Item, Blob>,
	counts: Counts,
	/// Shares that were here and did not open.
	damaged: BTreeMap<u8, String>,
	flying: BTreeSet<Item>,
	/// Results that verdicts have named.
	results: u32,
	/// Blocks of its work chain that were read.
	height: u32,
	queues: [Queue; 3],
	ended: Option<Ended>,
}

impl Entry {
	fn queue(&mut self, lane: Lane) -> &mut Queue {
		&mut self.queues[lane as usize]
	}

	fn mine(&self) -> &[u8] {
		self.promise.as_ref().map_or(&[], |promise| &promise.mine)
	}

	fn lane(&self, item: &Item) -> Lane {
		item.lane(self.mine())
	}

	/// What all of its content takes that is not here.
	fn claim(&self) -> u64 {
		let Some(promise) = &self.promise else { return 0 };
		promise
			.items()
			.filter(|item| !self.held.contains_key(item) && self.lane(item) == Lane::Content)
			.map(|item| charge(promise.len(&item)))
			.fold(0, u64::saturating_add)
	}

	/// Content that is asked for and not here.
	fn is_waiting(&self) -> bool {
		self.ended.is_none()
			&& !self.admitted
			&& self.promise.is_some()
			&& !self.queues[Lane::Content as usize].items.is_empty()
	}
}

fn charge(len: u64) -> u64 {
	len.max(LEAST_CHARGE)
}

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

	/// What the limits are.
	pub fn limits(&self) -> &Limits {
		&self.limits
	}

	/// Notes what is here already of a task, before it is first seen. `ended`: the block of its
	/// end and whether its solution is kept, if that was noted before.
	pub fn restore(
		&mut self,
		task: TaskId,
		held: BTreeMap<Item, Blob>,
		ended: Option<(BlockNumber, bool)>,
	) {
		held.values().for_each(|blob| self.charge(blob));
		let counts = Counts::of(held.iter());
		let ended = ended.map(|(at, kept)| Ended { at, kept });
		let entry = Entry { ended, results: counts.results, counts, held, ..Default::default() };
		self.tasks.insert(task, entry);
	}

	/// Notes that a task is live, and what it says. New to the book, its manifest is to be fetched.
	pub fn live(&mut self, id: TaskId, view: &TaskView<AccountId, Balance>, now: BlockNumber) {
		let entry = self.tasks.entry(id).or_default();
		entry.paid = view.held;
		if entry.owner.is_none() {
			entry.owner = Some(view.owner.clone());
			entry.manifest = Some(view.spec.manifest);
			if !entry.held.contains_key(&Item::Manifest) {
				entry.queue(Lane::Essential).push(Item::Manifest, now);
			}
		}
	}

	/// Whether the manifest is here and was not yet learned from.
	pub fn is_to_learn(&self, id: TaskId) -> bool {
		self.tasks.get(&id).is_some_and(|entry| {
			entry.promise.is_none()
				&& entry.ended.is_none()
				&& entry.held.contains_key(&Item::Manifest)
				&& !entry.queues[Lane::Essential as usize].given_up
		})
	}

	/// Notes what a task's manifest promises: it is to be fetched.
	pub fn learn(&mut self, id: TaskId, promise: Promise, now: BlockNumber) {
		let Some(entry) = self.tasks.get_mut(&id).filter(|entry| entry.promise.is_none()) else {
			return;
		};
		let missing: Vec<Item> =
			promise.items().filter(|item| !entry.held.contains_key(item)).collect();
		entry.promise = Some(promise);
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
			entry.queue(Lane::Results).push(item, now);
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

	/// All live tasks that the book knows.
	pub fn live_tasks(&self) -> Vec<TaskId> {
		let live = |(id, entry): (&TaskId, &Entry)| entry.ended.is_none().then_some(*id);
		self.tasks.iter().filter_map(live).collect()
	}

	/// When a task ended, and whether its solution is kept.
	pub fn ended(&self, id: TaskId) -> Option<(BlockNumber, bool)> {
		self.tasks.get(&id)?.ended.map(|Ended { at, kept }| (at, kept))
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

	/// The name of the task's manifest.
	pub fn manifest(&self, id: TaskId) -> Option<ContentId> {
		self.tasks.get(&id)?.manifest
	}

	/// What the task's manifest promises, once it was learned.
	pub fn promise(&self, id: TaskId) -> Option<&Promise> {
		self.tasks.get(&id)?.promise.as_ref()
	}

	/// The key shares that this masternode holds of a live task: holders' numbers, and the blobs
	/// that are sealed to it.
	pub fn shares(&self, id: TaskId) -> Vec<(u8, Item, Blob)> {
		let Some(entry) = self.tasks.get(&id).filter(|entry| entry.ended.is_none()) else {
			return Vec::new();
		};
		let own = |item: &Item| match *item {
			Item::Shares(holder) if entry.mine().contains(&holder) => Some(holder),
			Item::Inherited(holder) => Some(holder),
			_ => None,
		};
		let shares = entry.held.iter().filter_map(|(item, blob)| Some((own(item)?, *item, *blob)));
		shares.filter(|(holder, ..)| !entry.damaged.contains_key(holder)).collect()
	}

	/// Which holders this masternode is by the task's manifest, and what is wrong with the shares
	/// that were sealed to it. `None`: the manifest is not here.
	pub fn holdings(&self, id: TaskId) -> Option<(Vec<u8>, BTreeMap<u8, String>)> {
		let entry = self.tasks.get(&id)?;
		Some((entry.promise.as_ref()?.mine.clone(), entry.damaged.clone()))
	}

	/// Why something of the task is missing.
	pub fn reason(&self, id: TaskId) -> Option<String> {
		self.tasks.get(&id)?.queues.iter().find_map(|queue| queue.reason.clone())
	}

	/// Notes that the shares that were sealed to this masternode don't open.
	pub fn damaged(&mut self, id: TaskId, holder: u8, reason: String) {
		if let Some(entry) = self.tasks.get_mut(&id) {
			entry.damaged.insert(holder, reason);
		}
	}

	/// What to fetch now, most urgent first: manifests and own shares, then results, then content;
	/// in each the task first that has most money held for its bytes, the older among equals.
	pub fn next(&mut self, now: BlockNumber) -> Option<Job> {
		if self.blobs >= self.limits.blobs {
			return None;
		}
		let mut busy: HashMap<AccountId, usize> = HashMap::new();
		for entry in self.tasks.values().filter(|entry| !entry.flying.is_empty()) {
			if let Some(owner) = &entry.owner {
				*busy.entry(owner.clone()).or_default() += entry.flying.len();
			}
		}
		let share = (self.limits.fetches / 2).max(1);
		let free = self.limits.budget.saturating_sub(self.used);
		let (_, _, id, item) = self
			.tasks
			.iter()
			.filter(|(_, entry)| {
				let busy = entry.owner.as_ref().and_then(|owner| busy.get(owner));
				busy.is_none_or(|busy| *busy < share)
			})
			.flat_map(|(id, entry)| {
				[Lane::Essential, Lane::Results, Lane::Content].into_iter().filter_map(
					move |lane| {
						let item = entry.queues[lane as usize].ready(now)?;
						let has_room = match lane {
							Lane::Content => entry.admitted,
							Lane::Results => free >= charge(0),
							Lane::Essential => free >= charge(0),
						};
						has_room.then(|| (lane, std::cmp::Reverse(worth(entry)), *id, item))
					},
				)
			})
			.min()?;
		let entry = self.tasks.get_mut(&id)?;
		let lane = entry.lane(&item);
		entry.queue(lane).items.pop_front();
		entry.flying.insert(item);
		Some(Job { task: id, item })
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
		if let std::collections::btree_map::Entry::Vacant(place) = entry.held.entry(item) {
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
		let Counts { bytes, promised, shards, shares, results } = entry.counts;
		let promise = entry.promise.as_ref();
		let all_here = promise.is_some_and(|promise| promise.count() == promised);
		let reason = entry.queues.iter().find_map(|queue| queue.reason.clone());
		let waiting = || entry.is_waiting().then(|| "it waits for room on the disk".to_owned());
		Some(Held {
			task: id,
			complete: all_here && entry.damaged.is_empty() && entry.ended.is_none(),
			manifest: entry.held.contains_key(&Item::Manifest),
			program: entry.held.contains_key(&Item::Program),
			shards_held: shards,
			shards: promise.map_or(0, |promise| promise.shards),
			key_shares_held: shares,
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
			.map(|(id, entry)| (std::cmp::Reverse(worth(entry)), *id, entry.claim()))
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

/// What is held for each byte that a task takes: what comes first when room is scarce. A task whose
/// size is not known yet counts as small, since its manifest is.
fn worth(entry: &Entry) -> Balance {
	let bytes = entry.promise.as_ref().map_or(LEAST_CHARGE, |promise| promise.bytes);
	entry.paid / Balance::from(bytes.max(1))
}

#[cfg(test)]
mod tests {
	use super::*;
	use dgcs_primitives::{
		api::TaskState, ContentCodec, Payout, Selection, SubtaskLimits, TaskKind, TaskSpec,
		Visibility,
	};
	use proptest::prelude::*;

	fn blob(byte: u8, len: u64) -> Blob {
		let id = ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(byte) };
		Blob { id, len }
	}

	fn view(owner: u8, paid: Balance) -> TaskView<AccountId, Balance> {
		let spec = TaskSpec {
			kind: TaskKind::Compute,
			manifest: blob(owner, 0).id,
			input_root: H256::zero(),
			subtasks: 4,
			range_size: 2,
			replicas: 3,
			max_replicas: 5,
			reward: 1,
			limits: SubtaskLimits { time_ms: 1, memory_mib: 1, fuel: 1 },
			queue_timeout: 1,
			run_timeout: 1,
			selection: Selection::Any,
			payout: Payout::Pps,
			visibility: Visibility::Private,
			keep_solution: false,
		};
		TaskView {
			owner: AccountId::new([owner; 32]),
			spec,
			state: TaskState::Queued,
			due: 1,
			reward: 1,
			held: paid,
			begun_ranges: 0,
			open_subtasks: 4,
			agreed: 0,
			failed: 0,
			height: 0,
		}
	}

	fn promise(shards: u32) -> Promise {
		let mut promise = Promise {
			program: blob(1, 100),
			index: None,
			private: blob(2, 50),
			shares: vec![blob(3, 200), blob(4, 200)],
			shards,
			shard_size: 10_000,
			mine: vec![1],
			bytes: 0,
		};
		promise.bytes = promise.items().map(|item| charge(promise.len(&item))).sum();
		promise
	}

	fn book(budget: u64) -> Book {
		Book::new(Limits { budget, retention: 10, patience: 20, ..Limits::default() })
	}

	fn fetch(book: &mut Book, now: BlockNumber) -> Vec<Item> {
		let mut fetched = Vec::new();
		while let Some(job) = book.next(now) {
			assert!(book.got(job, blob(9, 10), now));
			fetched.push(job.item);
		}
		fetched
	}

	#[test]
	fn manifest_and_own_shares_come_first_then_results_then_content() {
		let mut book = book(1 << 20);
		let id = TaskId(1);
		book.live(id, &view(1, 1), 1);
		assert_eq!(fetch(&mut book, 1), [Item::Manifest]);
		book.learn(id, promise(2), 1);
		let digest = ResultDigest(H256::repeat_byte(7));
		book.verdicts(id, 1, &[digest], 1);
		let expected = [
			Item::Shares(1),
			Item::Result(digest),
			Item::Program,
			Item::Shares(0),
			Item::Shard(0),
			Item::Shard(1),
			Item::Private,
		];
		assert_eq!(fetch(&mut book, 1), expected);
		assert!(book.held(id).expect("known").complete);
	}

	#[test]
	fn one_owner_never_takes_all_fetches() {
		let mut book = book(1 << 30);
		for id in 0..5 {
			book.live(TaskId(id), &view(1, 1_000_000), 1);
		}
		book.live(TaskId(9), &view(2, 1), 1);
		let flying: Vec<Job> = std::iter::from_fn(|| book.next(1)).collect();
		let of_the_other = flying.iter().filter(|job| job.task == TaskId(9)).count();
		assert_eq!((flying.len(), of_the_other), (3, 1), "two of four are one owner's");
	}

	#[test]
	fn tries_grow_apart_and_end() {
		let mut book = book(1 << 20);
		book.limits.patience = 1000;
		book.live(TaskId(1), &view(1, 1), 0);
		let mut tries = Vec::new();
		for now in 0..5000 {
			while let Some(job) = book.next(now) {
				tries.push(now);
				book.failed(job, Failure::Later("nobody".into()), now);
			}
		}
		assert_eq!(&tries[..9], [0, 1, 3, 7, 15, 31, 63, 127, 255]);
		assert!(tries.len() < 20 && tries.last().is_some_and(|last| *last < 1300), "{tries:?}");
		assert!(book.held(TaskId(1)).expect("known").given_up);
	}

	#[derive(Clone, Debug)]
	enum Op {
		Live(u64, u32),
		Learn(u64, u32),
		Verdict(u64, u8),
		Start,
		Got(prop::sample::Index, u8, u64),
		Later(prop::sample::Index),
		Never(prop::sample::Index),
		Inherit(u64, u8),
		End(u64, bool),
		Pass(u32),
	}

	fn op() -> impl Strategy<Value = Op> {
		let task = || 0u64..6;
		let place = any::<prop::sample::Index>;
		prop_oneof![
			2 => (task(), 0u32..1_000_000).prop_map(|(id, paid)| Op::Live(id, paid)),
			2 => (task(), 0u32..6).prop_map(|(id, shards)| Op::Learn(id, shards)),
			1 => (task(), 0u8..8).prop_map(|(id, digest)| Op::Verdict(id, digest)),
			8 => Just(Op::Start),
			6 => (place(), 0u8..30, 0u64..5000).prop_map(|(at, id, len)| Op::Got(at, id, len)),
			1 => place().prop_map(Op::Later),
			1 => place().prop_map(Op::Never),
			1 => (task(), 0u8..3).prop_map(|(id, holder)| Op::Inherit(id, holder)),
			1 => (task(), any::<bool>()).prop_map(|(id, kept)| Op::End(id, kept)),
			2 => (1u32..15).prop_map(Op::Pass),
		]
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

		/// Whatever happens in whatever order, every byte is accounted for once, and what is pinned is
		/// what some task keeps.
		#[test]
		fn the_book_is_balanced(ops in prop::collection::vec(op(), 1..150), budget in 20_000u64..200_000) {
			let mut book = book(budget);
			let mut flying: Vec<Job> = Vec::new();
			let mut pinned: BTreeSet<H256> = BTreeSet::new();
			let mut now = 0;
			for op in ops {
				let take = |flying: &mut Vec<Job>, at: prop::sample::Index| {
					(!flying.is_empty()).then(|| flying.swap_remove(at.index(flying.len())))
				};
				match op {
					Op::Live(id, paid) => book.live(TaskId(id), &view(id as u8, paid.into()), now),
					Op::Learn(id, shards) if book.is_to_learn(TaskId(id)) => {
						book.learn(TaskId(id), promise(shards), now);
					},
					Op::Learn(..) => {},
					Op::Verdict(id, digest) => {
						let digest = ResultDigest(H256::repeat_byte(100 + digest));
						let height = book.height(TaskId(id)) + 1;
						book.verdicts(TaskId(id), height, &[digest], now);
					},
					Op::Start => flying.extend(book.next(now)),
					Op::Got(at, id, len) => {
						if let Some(job) = take(&mut flying, at) {
							let len = book.promise(job.task).map_or(len, |all| match all.len(&job.item) {
								0 => len,
								promised => promised,
							});
							if book.got(job, blob(id, len), now) {
								pinned.insert(blob(id, 0).id.digest);
							}
						}
					},
					Op::Later(at) => {
						if let Some(job) = take(&mut flying, at) {
							book.failed(job, Failure::Later("later".into()), now);
						}
					},
					Op::Never(at) => {
						if let Some(job) = take(&mut flying, at) {
							book.failed(job, Failure::Never("never".into()), now);
						}
					},
					Op::Inherit(id, holder) => {
						let heirloom = blob(200 + holder, 300);
						if book.inherit(TaskId(id), holder, heirloom) {
							pinned.insert(heirloom.id.digest);
						}
					},
					Op::End(id, kept) => book.end(TaskId(id), now, kept),
					Op::Pass(blocks) => {
						now += blocks;
						book.tick(now);
					},
				}
				for (_, _, unpinned) in book.take_released() {
					for id in unpinned {
						prop_assert!(pinned.remove(&id.digest), "unpinned twice");
					}
				}
				let kept: BTreeSet<H256> = book.keepers.keys().copied().collect();
				prop_assert_eq!(&kept, &pinned);
				let held = || book.tasks.values().flat_map(|entry| entry.held.values());
				let reserved: u64 = book.tasks.values().map(|entry| entry.reserved).sum();
				let charged: u64 = held().map(|blob| charge(blob.len)).sum();
				prop_assert_eq!(book.used, charged + reserved);
				prop_assert_eq!(book.blobs, held().count());
				prop_assert_eq!(book.keepers.values().sum::<u32>() as usize, held().count());
				for entry in book.tasks.values() {
					let counted = Counts::of(entry.held.iter());
					prop_assert_eq!(entry.counts.promised, counted.promised);
					prop_assert!(entry.ended.is_none() || entry.reserved == 0);
					let claim = if entry.admitted { entry.claim() } else { 0 };
					prop_assert_eq!(entry.reserved, claim);
				}
			}
		}
	}
}
