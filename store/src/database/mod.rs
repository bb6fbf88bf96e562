//! Blocks on disk: an append-only log in pack files, and an index of it.
//!
//! What a put costs is one write to the end of a file; a thread brings packs to disk and indexes
//! them behind it. After a crash the part of the log that is not indexed yet is read again, up to the
//! first record that is torn.
//!
//! A block is *pinned*, *kept* or *cached*. Pinned ones stay until they are unpinned, then go at
//! once. Kept ones, which were put here, stay as long as this process lives: who puts them has time to
//! pin them. Cached ones, which were fetched, go when room is needed, the oldest first.

mod index;
mod packs;
mod record;

use std::{
	collections::{BTreeMap, HashMap},
	fs::File,
	path::Path,
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		mpsc::{channel, sync_channel, Receiver, Sender, SyncSender},
		Arc, Mutex, MutexGuard, PoisonError, RwLock,
	},
	thread::JoinHandle,
};

use dgcs_primitives::ContentId;

pub(crate) use self::record::{Digest, MAX_STORED};
use self::{
	index::{Count, Entry, Index, PackState, Place, NEVER},
	packs::Packs,
	record::Record,
};
use crate::{
	config::Usage,
	error::{at, Error, Result},
};

/// A pack ends when it is so long, in bytes: a compromise between many files and much to copy.
const PACK_SIZE: u64 = 64 << 20;

/// How many packs may wait to be brought to disk before who puts has to wait.
const MOST_BEHIND: usize = 2;

/// Whether a block may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
	/// Not as long as this process lives.
	Session,
	/// When room is needed.
	Cache,
}

/// The blocks of one directory. One process has it at a time.
#[derive(Debug)]
pub(crate) struct Database {
	shared: Arc<Shared>,
	writer: Mutex<Writer>,
	/// Whoever removes or moves records.
	maintenance: Mutex<()>,
	jobs: Option<SyncSender<Job>>,
	indexer: Option<JoinHandle<()>>,
	session: u32,
	capacity: u64,
	pack_size: u64,
}

/// What the indexing thread shares.
#[derive(Debug)]
struct Shared {
	index: Index,
	packs: Packs,
	/// Written, and not indexed yet.
	fresh: RwLock<HashMap<Digest, Place>>,
	/// Bytes of all packs.
	used: AtomicU64,
	/// Why nothing can be written any more.
	failed: Mutex<Option<String>>,
}

/// The end of the log.
#[derive(Debug)]
struct Writer {
	pack: u32,
	file: Arc<File>,
	len: u64,
	/// Written to this pack and not handed to the indexer yet.
	entries: Vec<Entry>,
}

/// What the indexer does next.
struct Job {
	file: Arc<File>,
	entries: Vec<Entry>,
	/// Who waits for it.
	done: Option<Sender<std::result::Result<(), String>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Database {
	/// The blocks in `folder`, which is made if it does not exist, in at most `capacity` bytes.
	pub fn open(folder: &Path, capacity: u64) -> Result<Self> {
		std::fs::create_dir_all(folder).map_err(at(folder))?;
		let index = Index::open(&folder.join("index"))?;
		let packs = Packs::open(folder.join("packs"))?;
		recover(&index, &packs)?;
		let session = index.begin_session()?;
		let lengths = packs.list()?;
		let pack_size = (capacity / 16).clamp(MAX_STORED as u64 / 2, PACK_SIZE);
		let (pack, len) = match lengths.last() {
			Some((number, len)) if *len < pack_size => (*number, *len),
			Some((number, _)) => (number + 1, 0),
			None => (0, 0),
		};
		let file = packs.file(pack, true).map_err(at(&packs.path(pack)))?;
		let shared = Arc::new(Shared {
			index,
			packs,
			fresh: RwLock::default(),
			used: AtomicU64::new(lengths.iter().map(|(_, len)| len).sum()),
			failed: Mutex::default(),
		});
		let (jobs, receiver) = sync_channel(MOST_BEHIND);
		let indexer = std::thread::Builder::new().name("blocks".into()).spawn({
			let shared = shared.clone();
			move || shared.index_all(receiver)
		});
		Ok(Database {
			shared,
			writer: Mutex::new(Writer { pack, file, len, entries: Vec::new() }),
			maintenance: Mutex::new(()),
			jobs: Some(jobs),
			indexer: Some(indexer.map_err(at(folder))?),
			session,
			capacity,
			pack_size,
		})
	}

	/// Fails if an earlier write has.
	pub fn check(&self) -> Result<()> {
		self.shared.check()
	}

	/// Whether the block is here.
	pub fn has(&self, digest: &Digest) -> Result<bool> {
		Ok(self.shared.place(digest)?.is_some())
	}

	/// Reads a block. One that was damaged on the disk is not here any more.
	pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
		let mut last = None;
		while let Some(place) = self.shared.place(digest)? {
			if let Some(block) = self.shared.read(digest, &place)? {
				return Ok(Some(block));
			}
			// It may have been moved between the two steps.
			if last == Some(place) {
				let path = self.shared.packs.path(place.pack);
				log::warn!("a block in {} is damaged, and will be fetched again", path.display());
				self.shared.index.lose(digest, &place)?;
			}
			last = Some(place);
		}
		Ok(None)
	}

	/// Stores a block. The digest is the caller's word: blocks from strangers are checked before.
	pub fn put(&self, digest: &Digest, block: &[u8], keep: Keep) -> Result<()> {
		let record = Record::new(digest, block)
			.ok_or(Error::BlockSize { found: block.len(), limit: MAX_STORED })?;
		let session = if keep == Keep::Session { self.session } else { NEVER };
		if self.shared.place(digest)?.is_some() {
			return match keep {
				Keep::Session => self.keep(digest).map(drop),
				Keep::Cache => Ok(()),
			};
		}
		self.make_room(record.size())?;
		self.append(digest, record, session, false)
	}

	/// Keeps a block from going in this session. Says whether it is here.
	pub fn keep(&self, digest: &Digest) -> Result<bool> {
		{
			let mut writer = lock(&self.writer);
			if let Some(entry) = writer.entries.iter_mut().find(|entry| entry.digest == *digest) {
				entry.session = self.session;
				return Ok(true);
			}
		}
		if self.shared.is_fresh(digest) {
			self.flush()?;
		}
		self.shared.index.keep(digest, self.session)
	}

	/// Writes a record to the end of the log.
	fn append(&self, digest: &Digest, record: Record<'_>, session: u32, moved: bool) -> Result<()> {
		self.shared.check()?;
		let mut writer = lock(&self.writer);
		if !moved && self.shared.place(digest)?.is_some() {
			return Ok(());
		}
		if writer.len > 0 && writer.len + record.size() > self.pack_size {
			self.next_pack(&mut writer)?;
		}
		let path = self.shared.packs.path(writer.pack);
		record.write(&writer.file, writer.len).map_err(at(&path))?;
		let offset = u32::try_from(writer.len).expect("packs are shorter than 4 GiB; qed");
		let place = Place { pack: writer.pack, offset, len: record.len() };
		writer.len += record.size();
		writer.entries.push(Entry { digest: *digest, place, session, moved });
		self.shared.used.fetch_add(record.size(), Relaxed);
		if !moved {
			let mut fresh = self.shared.fresh.write().unwrap_or_else(PoisonError::into_inner);
			fresh.insert(*digest, place);
		}
		Ok(())
	}

	/// Ends the pack, and begins another.
	fn next_pack(&self, writer: &mut Writer) -> Result<()> {
		let next = writer.pack + 1;
		let file = self.shared.packs.file(next, true).map_err(at(&self.shared.packs.path(next)))?;
		let entries = std::mem::take(&mut writer.entries);
		// Waits while the disk is too far behind.
		self.send(Job { file: std::mem::replace(&mut writer.file, file), entries, done: None })?;
		(writer.pack, writer.len) = (next, 0);
		Ok(())
	}

	fn send(&self, job: Job) -> Result<()> {
		let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
		jobs.send(job).map_err(|_| Error::Closed)
	}

	/// Brings everything to disk.
	pub fn flush(&self) -> Result<()> {
		let (done, wait) = channel();
		{
			let mut writer = lock(&self.writer);
			let entries = std::mem::take(&mut writer.entries);
			self.send(Job { file: writer.file.clone(), entries, done: Some(done) })?;
		}
		wait.recv().map_err(|_| Error::Closed)?.map_err(Error::Broken)
	}

	/// Pins each root with all blocks below it, itself included: all trees or none. Pinning twice is
	/// pinning once.
	pub fn pin(&self, trees: &[(ContentId, Vec<Digest>)]) -> Result<()> {
		self.flush()?;
		self.shared.index.pin(trees)?.map_err(|(root, digest)| {
			let digest = digest.into();
			Error::Missing(ContentId { digest, ..root })
		})
	}

	/// Ends a pin, and gives the room back. Says if there was one.
	pub fn unpin(&self, root: &ContentId) -> Result<bool> {
		let maintenance = lock(&self.maintenance);
		self.flush()?;
		let pinned = self.shared.index.unpin(root)?;
		if pinned {
			self.compact(&maintenance, 2)?;
		}
		Ok(pinned)
	}

	/// Whether `root` is pinned.
	pub fn is_pinned(&self, root: &ContentId) -> Result<bool> {
		self.shared.index.is_pinned(root)
	}

	/// All pinned roots.
	pub fn pinned(&self) -> Result<Vec<ContentId>> {
		self.shared.index.pinned()
	}

	/// How much there is.
	pub fn usage(&self) -> Result<Usage> {
		self.flush()?;
		let used = self.shared.used.load(Relaxed);
		let Count { blocks, pins } = self.shared.index.count()?;
		Ok(Usage { used, capacity: self.capacity, blocks, pins, ..Usage::default() })
	}

	/// Lets cached blocks go until `needed` bytes fit.
	fn make_room(&self, needed: u64) -> Result<()> {
		let fits = || self.shared.used.load(Relaxed).saturating_add(needed) <= self.capacity;
		if fits() {
			return Ok(());
		}
		let maintenance = lock(&self.maintenance);
		if fits() {
			return Ok(());
		}
		self.flush()?;
		// A pack's worth at least, so that this is not to be done again for the next block; if that
		// is not enough, all that may go.
		for (bytes, least) in [(needed.max(self.pack_size), 8), (u64::MAX, u64::MAX)] {
			self.shared.index.evict(bytes, self.session)?;
			self.compact(&maintenance, least)?;
			if fits() {
				return Ok(());
			}
		}
		let used = self.shared.used.load(Relaxed);
		Err(Error::Full { used, capacity: self.capacity, needed })
	}

	/// Gives the room of removed records back: of packs of which at least one part in `least` is
	/// dead.
	fn compact(&self, _: &MutexGuard<'_, ()>, least: u64) -> Result<()> {
		let worth = |live: u64, len: u64| {
			let dead = len.saturating_sub(live);
			dead > 0 && dead >= len / least
		};
		let live_of = |states: &BTreeMap<u32, PackState>, pack| {
			states.get(&pack).map_or(0, |state: &PackState| state.live)
		};
		// The newest pack is still written to, so it is ended first if it is worth it.
		self.flush()?;
		let states = self.shared.index.packs()?;
		let newest = {
			let mut writer = lock(&self.writer);
			if writer.entries.is_empty() && worth(live_of(&states, writer.pack), writer.len) {
				self.next_pack(&mut writer)?;
			}
			writer.pack
		};
		// From here on nothing is added to the others, and all that is in them is indexed.
		self.flush()?;
		let states = self.shared.index.packs()?;
		for (pack, len) in self.shared.packs.list()? {
			let live = live_of(&states, pack);
			if pack >= newest || !worth(live, len) {
				continue;
			}
			if live > 0 {
				self.move_live(pack, states.get(&pack).map_or(0, |state| state.end))?;
			}
			self.shared.packs.remove(pack)?;
			self.shared.index.remove_pack(pack)?;
			self.shared.used.fetch_sub(len, Relaxed);
		}
		Ok(())
	}

	/// Copies what is alive in `pack` to the end of the log.
	fn move_live(&self, pack: u32, end: u64) -> Result<()> {
		let path = self.shared.packs.path(pack);
		let file = self.shared.packs.file(pack, false).map_err(at(&path))?;
		let mut offset = 0;
		while let Some(found) = record::scan(&file, offset).map_err(at(&path))? {
			offset += record::size(found.block.len());
			let place = self.shared.index.get(&found.digest)?;
			let here = place
				.is_some_and(|place| place.pack == pack && u64::from(place.offset) == found.offset);
			if here {
				self.move_one(&found.digest, &found.block)?;
			}
		}
		if offset < end {
			// A record is damaged, and with it the way to those behind it: but the index knows them.
			self.flush()?;
			for (digest, place) in self.shared.index.blocks_in(pack)? {
				match self.shared.read(&digest, &place)? {
					Some(block) => self.move_one(&digest, &block)?,
					None => self.shared.index.lose(&digest, &place)?,
				}
			}
		}
		self.flush()
	}

	fn move_one(&self, digest: &Digest, block: &[u8]) -> Result<()> {
		let record =
			Record::new(digest, block).expect("it was stored, so it is not too large; qed");
		self.append(digest, record, NEVER, true)
	}
}

impl Drop for Database {
	fn drop(&mut self) {
		if let Err(error) = self.flush() {
			log::warn!("{error}");
		}
		self.jobs = None;
		if let Some(indexer) = self.indexer.take() {
			// A panic there was reported when it happened.
			let _ = indexer.join();
		}
	}
}

impl Shared {
	fn is_fresh(&self, digest: &Digest) -> bool {
		self.fresh.read().unwrap_or_else(PoisonError::into_inner).contains_key(digest)
	}

	/// Where a block is. What is fresh is looked up first: it leaves only when it is indexed.
	fn place(&self, digest: &Digest) -> Result<Option<Place>> {
		let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner).get(digest).copied();
		match fresh {
			Some(place) => Ok(Some(place)),
			None => self.index.get(digest),
		}
	}

	/// The block at `place`, if it is whole.
	fn read(&self, digest: &Digest, place: &Place) -> Result<Option<Vec<u8>>> {
		let path = self.packs.path(place.pack);
		match self.packs.file(place.pack, false) {
			Ok(file) => record::read(&file, u64::from(place.offset), digest, place.len as usize)
				.map_err(at(&path)),
			Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
			Err(error) => Err(at(&path)(error)),
		}
	}

	fn check(&self) -> Result<()> {
		match &*lock(&self.failed) {
			Some(reason) => Err(Error::Broken(reason.clone())),
			None => Ok(()),
		}
	}

	/// The indexer: brings packs to disk and then into the index, in the order they were written.
	fn index_all(&self, jobs: Receiver<Job>) {
		for Job { file, entries, done } in jobs {
			let result = match self.check() {
				Ok(()) => self.index_some(&file, &entries),
				failed => failed,
			};
			let result = result.map_err(|error| error.to_string());
			if let Err(reason) = &result {
				lock(&self.failed).get_or_insert_with(|| reason.clone());
			}
			if let Some(done) = done {
				// Who asked may have given up.
				let _ = done.send(result);
			}
		}
	}

	fn index_some(&self, file: &File, entries: &[Entry]) -> Result<()> {
		if entries.is_empty() {
			return Ok(());
		}
		file.sync_data().map_err(at(Path::new("a pack of blocks")))?;
		self.index.insert(entries)?;
		let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
		for entry in entries {
			fresh.remove(&entry.digest);
		}
		Ok(())
	}
}

/// Indexes what was written and not indexed before the last process ended, and cuts off torn ends.
fn recover(index: &Index, packs: &Packs) -> Result<()> {
	let states = index.packs()?;
	for (pack, len) in packs.list()? {
		let path = packs.path(pack);
		let mut end = states.get(&pack).map_or(0, |state| state.end);
		if len <= end {
			continue;
		}
		let file = packs.file(pack, false).map_err(at(&path))?;
		let mut entries = Vec::new();
		while let Some(found) = record::scan(&file, end).map_err(at(&path))? {
			let Ok(offset) = u32::try_from(found.offset) else { break };
			let place = Place { pack, offset, len: found.block.len() as u32 };
			end += place.size();
			entries.push(Entry { digest: found.digest, place, session: NEVER, moved: false });
		}
		if end < len {
			log::warn!("{} ends with {} bytes of a torn block, cut off", path.display(), len - end);
			file.set_len(end).map_err(at(&path))?;
		}
		file.sync_all().map_err(at(&path))?;
		if !entries.is_empty() {
			log::info!("{} blocks of {} are indexed again", entries.len(), path.display());
			index.insert(&entries)?;
		}
	}
	Ok(())
}

#[cfg(test)]
mod tests;
