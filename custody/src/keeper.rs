//! The keeper: follows the finalised chain, and fetches, checks, pins and drops what the book says.

use std::{
	fmt::Display,
	io,
	time::{Duration, Instant},
};

use dgcs_content::{
	read_blob, read_shard, result_id, Blob, BlockSource, Error, Manifest, MAX_BLOCK, MAX_MANIFEST,
};
use dgcs_primitives::{
	api::TaskInfo, merkle_root, BlockNumber, ContentId, Outcome, ResultDigest, TaskId, WorkBlock,
};

use crate::{
	book::{Book, Failure, Holding, Item, Job, Promise},
	custody::{lock, Custody},
	edges::{Block, ChainError, Receipt, Receipts},
	open::OpenError,
	LOG_TARGET,
};

/// A source that ends after a while, however slowly blocks come.
pub(crate) struct Timed<'a> {
	source: &'a dyn BlockSource,
	until: Instant,
	deadline: Duration,
}

impl BlockSource for Timed<'_> {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		if Instant::now() >= self.until {
			let slow = format!("it did not come within {} s", self.deadline.as_secs());
			return Err(io::Error::new(io::ErrorKind::TimedOut, slow));
		}
		self.source.get(id, limit)
	}

	fn want(&self, ids: &[ContentId]) {
		self.source.want(ids);
	}
}

/// Whether it is worth another try.
pub(crate) fn failure(error: Error) -> Failure {
	match error {
		Error::Missing(_) | Error::Store { .. } | Error::WrongBlock { .. } => {
			Failure::Later(error.to_string())
		},
		// A block that is too large may be another's than its name's: nobody has read it to its end.
		Error::TooLarge { limit, .. } if limit == MAX_BLOCK as u64 => {
			Failure::Later(error.to_string())
		},
		error => Failure::Never(error.to_string()),
	}
}

/// Final blocks that are looked back at, at the most: fewer than a node keeps the states of.
const LOOK_BACK: BlockNumber = 64;

impl Custody {
	/// Reads the finalised chain up to its last block, and notes what is owed now and what no longer
	/// is. Gives the last block.
	pub fn sync(&self) -> Result<Block, ChainError> {
		let at = self.chain.finalised()?;
		self.set_now(at.number);
		let mut followed = lock(&self.followed);
		let tasks = match *followed {
			Some(last) if self.read_between(last, &at) => self.chain.changed_tasks(at.hash)?,
			// At a start not even the blocks before are looked at: the ledger knows tasks that were none
			// yet then.
			_ => self.all_tasks(&at)?,
		};
		self.look_at(&tasks, &at)?;
		self.learn_what_is_here(&at)?;
		*followed = Some(at.number);
		self.book().tick(at.number);
		self.drop_released();
		Ok(at)
	}

	/// Notes what happened in the blocks between `last` and `at`: several may become final at once, and
	/// a task's last verdicts are in the state of one alone. Says whether none was left out.
	fn read_between(&self, last: BlockNumber, at: &Block) -> bool {
		let next = last.saturating_add(1);
		let first = next.max(at.number.saturating_sub(LOOK_BACK));
		let mut all = first == next;
		for number in first..at.number {
			let read = || -> Result<bool, ChainError> {
				let Some(block) = self.chain.block(number)? else { return Ok(false) };
				self.look_at(&self.chain.changed_tasks(block.hash)?, &block)?;
				Ok(true)
			};
			all &= read().unwrap_or_else(|error| {
				log::debug!(target: LOG_TARGET, "Block #{number} is passed over: {error}");
				false
			});
		}
		all
	}

	/// The tasks that are live at the block, and those that were when they were looked at last.
	fn all_tasks(&self, at: &Block) -> Result<Vec<TaskId>, ChainError> {
		let mut tasks = self.chain.live_tasks(at.hash)?;
		tasks.extend(self.book().live_tasks());
		tasks.sort();
		tasks.dedup();
		Ok(tasks)
	}

	/// Notes how far the tasks are at the block.
	fn look_at(&self, tasks: &[TaskId], at: &Block) -> Result<(), ChainError> {
		for &task in tasks {
			match self.chain.task(at.hash, task)? {
				Some(TaskInfo::Live(view)) => {
					self.book().live(task, &view, at.number);
					self.read_verdicts(task, view.height, at)?;
				},
				Some(TaskInfo::Settled(settlement)) => self.end(task, settlement.when, true),
				None => self.end(task, at.number, false),
			}
		}
		Ok(())
	}

	/// Notes that a task has ended, if it was live when it was looked at last.
	fn end(&self, task: TaskId, when: BlockNumber, kept: bool) {
		let book = self.book();
		if !book.is_live(task) || book.is_later(task, when) {
			return;
		}
		drop(book);
		log::debug!(target: LOG_TARGET, "Task {task} has ended; its input is dropped");
		self.noted(self.ledger.ended(task, when, kept));
		self.book().end(task, when, kept);
		lock(&self.open).forget(task);
	}

	/// Learns from the manifests that came from the ledger, or could not be read when they came.
	fn learn_what_is_here(&self, at: &Block) -> Result<(), ChainError> {
		let tasks = self.book().to_learn();
		for task in tasks {
			if let Some(TaskInfo::Live(view)) = self.chain.task(at.hash, task)? {
				self.learn(task, |manifest| manifest.check(&view.spec));
			}
		}
		Ok(())
	}

	fn read_verdicts(&self, task: TaskId, height: u32, at: &Block) -> Result<(), ChainError> {
		let mut from = self.book().height(task);
		while from < height {
			let blocks = self.chain.work_chain(at.hash, task, from)?;
			let Some(last) = blocks.last() else { return Ok(()) };
			let next = last.index.saturating_add(1);
			if next <= from {
				return Ok(());
			}
			from = next;
			self.noted(self.work.append(task, &blocks, |block| self.receipts_of(block)));
			let digests: Vec<ResultDigest> = blocks
				.iter()
				.flat_map(|block| &block.verdicts)
				.filter_map(|verdict| match verdict.outcome {
					Outcome::Agreed(digest) => Some(digest),
					Outcome::Failed => None,
				})
				.collect();
			self.book().verdicts(task, from, &digests, at.number);
		}
		Ok(())
	}

	/// Who did what in a block of a work chain that is new. `None`: the node has forgotten, or can't read it.
	fn receipts_of(&self, work: &WorkBlock) -> Option<Vec<Receipt>> {
		let mut read = lock(&self.receipts);
		let brought = read.get_or_insert(work.when, || {
			self.read_receipts(work.when).unwrap_or_else(|error| {
				let when = work.when;
				log::debug!(target: LOG_TARGET, "Who did what in block #{when} is not known: {error}");
				Receipts::new()
			})
		});
		// Each is wanted once.
		let receipts = brought?.remove(&(work.task, work.index));
		receipts.filter(|receipts| merkle_root(receipts) == work.receipts_root)
	}

	fn read_receipts(&self, when: BlockNumber) -> Result<Receipts, ChainError> {
		match self.chain.block(when)? {
			Some(block) => self.chain.receipts(block.hash),
			None => Ok(Receipts::new()),
		}
	}

	/// Reads what the manifest of a task promises, which is here.
	fn learn(&self, task: TaskId, check: impl FnOnce(&Manifest) -> dgcs_content::Result<()>) {
		let learned = self.manifest(task).and_then(|manifest| {
			let Some(manifest) = manifest else { return Ok(None) };
			check(&manifest).map(|()| Some(manifest))
		});
		let now = self.now();
		match learned {
			Ok(Some(manifest)) => match Promise::new(&manifest, self.holders_of(&manifest)) {
				Ok(promise) => self.book().learn(task, promise, now),
				Err(reason) => self.refuse(task, reason),
			},
			Ok(None) => {},
			Err(error) => match failure(error) {
				Failure::Later(reason) => {
					log::warn!(target: LOG_TARGET, "Manifest of task {task}: {reason}");
				},
				Failure::Never(reason) => self.refuse(task, reason),
			},
		}
	}

	fn refuse(&self, task: TaskId, reason: String) {
		log::info!(target: LOG_TARGET, "Task {task} is not kept: {reason}");
		self.book().refuse(task, reason);
	}

	/// Which holders this masternode is. No account is named twice.
	fn holders_of(&self, manifest: &Manifest) -> Vec<u8> {
		let me = self.me();
		let mine = (0u8..).zip(&manifest.holders).filter(|(_, holder)| holder.account == me);
		mine.map(|(number, _)| number).collect()
	}

	/// What to fetch now. `None`: nothing until the next finalised block, or until a fetch that is
	/// under way is done. What is given must be [performed](Self::perform).
	pub fn next(&self) -> Option<Job> {
		self.book().next(self.now())
	}

	/// Fetches, checks and pins one blob.
	pub fn perform(&self, job: Job) {
		match self.fetch(&job, &self.timed()) {
			Ok(blob) => self.keep(job, blob),
			Err(failure) => {
				log::debug!(target: LOG_TARGET, "Task {}, {:?}: {failure:?}", job.task, job.item);
				let now = self.now();
				self.book().failed(job, failure, now);
			},
		}
		self.drop_released();
	}

	/// The store, for one blob.
	pub(crate) fn timed(&self) -> Timed<'_> {
		let deadline = self.limits.deadline;
		Timed { source: &*self.store, until: Instant::now() + deadline, deadline }
	}

	fn keep(&self, job: Job, blob: Blob) {
		let now = self.now();
		match self.pin(job.task, job.item, blob, |book| book.got(job, blob, now)) {
			// It was checked against the chain when it was fetched.
			Ok(true) if job.item == Item::Manifest => self.learn(job.task, |_| Ok(())),
			Ok(_) => {},
			Err(error) => {
				let reason = format!("the store can't keep it: {error}");
				self.book().failed(job, Failure::Later(reason), now);
			},
		}
	}

	/// Pins what was fetched, and keeps it if the book says so: its task may have ended meanwhile.
	pub(crate) fn pin(
		&self,
		task: TaskId,
		item: Item,
		blob: Blob,
		keep: impl FnOnce(&mut Book) -> bool,
	) -> io::Result<bool> {
		let _turn = lock(&self.pinning);
		self.store.pin(&blob)?;
		self.store.provide(&blob.id)?;
		// First the ledger: what it names and nobody keeps is found at the next start.
		self.noted(self.ledger.got(task, item, blob));
		if matches!(item, Item::Manifest | Item::Inherited(_)) {
			self.noted(self.ledger.live(task, self.now()));
		}
		if keep(&mut self.book()) {
			return Ok(true);
		}
		self.noted(self.ledger.released(task, &[item]));
		if !self.book().is_kept(&blob.id) {
			self.store.unpin(&blob.id)?;
		}
		Ok(false)
	}

	fn fetch(&self, job: &Job, source: &dyn BlockSource) -> Result<Blob, Failure> {
		let task = job.task;
		let later = |reason: &str| Failure::Later(reason.to_owned());
		match job.item {
			Item::Manifest => self.fetch_manifest(task, source),
			Item::Result(digest) => {
				let free = self.book().free();
				let id = result_id(&digest);
				match read_blob(source, &id, self.limits.result.min(free), &mut |_| Ok(())) {
					Ok(len) => Ok(Blob { id, len }),
					Err(Error::TooLarge { found, .. }) if found <= self.limits.result => {
						Err(later("it waits for room on the disk"))
					},
					Err(error) => Err(failure(error)),
				}
			},
			item => {
				let manifest = self.manifest(task).map_err(failure)?;
				let manifest = manifest.ok_or_else(|| later("the manifest is missing"))?;
				let blob = self.book().promise(task).and_then(|all| all.blob(&manifest, &item));
				let blob = blob.ok_or_else(|| later("the manifest is missing"))?;
				match item {
					Item::Shard(number) => {
						read_shard(source, &manifest, number, &mut |_| Ok(())).map_err(failure)?;
					},
					Item::Shares(holder) => {
						// Opened when all of it is here: nobody waits for the network meanwhile.
						read_whole(source, &blob)?;
						if manifest.holders[usize::from(holder)].account == self.me() {
							let holding = Holding { holder, inherited: false, blob };
							self.shares(task, &manifest, &holding).map_err(unusable)?;
						}
					},
					_ => read_whole(source, &blob)?,
				}
				Ok(blob)
			},
		}
	}

	fn fetch_manifest(&self, task: TaskId, source: &dyn BlockSource) -> Result<Blob, Failure> {
		let later = |error: ChainError| Failure::Later(error.to_string());
		let at = self.chain.finalised().map_err(later)?;
		let Some(TaskInfo::Live(view)) = self.chain.task(at.hash, task).map_err(later)? else {
			return Err(Failure::Later("the task has ended".into()));
		};
		let id = view.spec.manifest;
		let mut bytes = Vec::new();
		let mut add = |leaf: &[u8]| {
			bytes.extend_from_slice(leaf);
			Ok(())
		};
		let len = read_blob(source, &id, MAX_MANIFEST, &mut add).map_err(failure)?;
		let manifest = Manifest::from_bytes(&bytes).map_err(failure)?;
		manifest.check(&view.spec).map_err(failure)?;
		self.noted(self.work.keep_spec(task, &view.spec));
		Ok(Blob { id, len })
	}

	/// Does what the book has released.
	pub(crate) fn drop_released(&self) {
		let released = self.book().take_released();
		for (task, items, blobs) in released {
			blobs.iter().for_each(|id| self.unpin(id));
			let known = self.book().knows(task);
			let noted = if known {
				self.ledger.released(task, &items)
			} else {
				self.forget_manifest(task);
				self.noted(self.work.forget(task));
				self.ledger.forget(task)
			};
			self.noted(noted);
		}
	}

	pub(crate) fn unpin(&self, id: &ContentId) {
		let _turn = lock(&self.pinning);
		if self.book().is_kept(id) {
			return;
		}
		if let Err(error) = self.store.unpin(id) {
			log::warn!(target: LOG_TARGET, "The store can't drop {id:?}: {error}");
		}
	}

	/// The ledger saves work after a restart, and nothing depends on it: its trouble is for the log.
	pub(crate) fn noted(&self, noted: Result<(), impl Display>) {
		if let Err(error) = noted {
			log::warn!(target: LOG_TARGET, "Custody's own files: {error}");
		}
	}
}

/// Reads a blob, which must have the length that the manifest promises.
fn read_whole(source: &dyn BlockSource, blob: &Blob) -> Result<(), Failure> {
	let len = read_blob(source, &blob.id, blob.len, &mut |_| Ok(())).map_err(failure)?;
	if len == blob.len {
		return Ok(());
	}
	let Blob { id, len: promised } = blob;
	let id = dgcs_content::content_id::display(id);
	Err(Failure::Never(format!("{id} has {len} bytes, the manifest promises {promised}")))
}

/// What is wrong with shares that don't open, and whose fault it is.
fn unusable(error: OpenError) -> Failure {
	match error {
		OpenError::Content(error @ Error::Unsealable { .. }) => {
			Failure::Never(format!("{error}: the task's owner is at fault"))
		},
		OpenError::Content(error) => failure(error),
		OpenError::NoSecret(_) => Failure::Never(error.to_string()),
	}
}
