//! What must survive a crash: the votes, and the results behind them.
//!
//! One folder for each chain and account:
//!
//! ```text
//! lock                                 one process at a time
//! 12-3-0/vote                          task 12, range 3, round 0: the vote, with its hash
//! 12-3-0/blocks/bafy…                  the blocks of its results, until others have them
//! ```
//!
//! A vote is on disk in full or not at all: it is written beside its place, flushed, moved there, and
//! the folder is flushed. Blocks are flushed before the vote is, so that a vote is never without its
//! results. Everything else that a worker knows, the chain knows.

use std::{
	fs::{self, File, TryLockError},
	io::{self, Write},
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicU64, Ordering},
		Mutex, PoisonError,
	},
};

use codec::{DecodeAll, Encode};
use dgcs_content::{BlockSink, BlockSource, Directory};
use dgcs_primitives::{ContentId, Round};
use sp_core::H256;

use crate::{
	chain::Place,
	hash::blake2_256,
	machine::{Vote, MAX_TRACKS},
};

const MARK: &[u8; 16] = b"dgcs/journal/1\0\0";
const VOTE: &str = "vote";
const BLOCKS: &str = "blocks";
/// The most bytes of a vote: 64 digests and what is around them.
const MAX_VOTE: u64 = 4096;
/// Folders that are looked at when the journal is opened: each vote has one, and each run.
const MAX_ENTRIES: usize = 4 * MAX_TRACKS;

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
	/// The file system.
	#[error("the journal at {path} can't be used: {source}; check free space and permissions")]
	Io {
		/// Which file or folder.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
	/// Another worker.
	#[error("the journal at {path} is in use: another worker with this account runs on this machine; stop it, or use another account")]
	InUse {
		/// The folder.
		path: PathBuf,
	},
	/// More than a worker ever writes.
	#[error("the journal at {path} has more than {MAX_ENTRIES} entries, which no worker writes; move the folder away, and votes are computed again")]
	TooMany {
		/// The folder.
		path: PathBuf,
	},
}

/// The journal of one worker on one chain.
#[derive(Debug)]
pub struct Journal {
	path: PathBuf,
	/// Bytes that blocks take, and may take.
	used: AtomicU64,
	room: u64,
	/// Held by whoever removes blocks, so that each is counted once.
	removing: Mutex<()>,
	/// Held as long as this is.
	_lock: File,
}

impl Journal {
	/// Opens the journal of `worker` on the chain with this genesis hash, below `folder`, and reads
	/// the votes in it. Results in it take at most `room` bytes. What is damaged is left out, with a warning: its range is computed again.
	///
	/// # Errors
	///
	/// When the folder can't be used, or another process uses it.
	pub fn open(
		folder: &Path,
		genesis: &H256,
		worker: &H256,
		room: u64,
	) -> Result<(Self, Vec<Vote>), JournalError> {
		let name = format!("{}-{}", short(genesis), short(worker));
		let path = folder.join(name);
		let failed = |source| JournalError::Io { path: path.clone(), source };
		fs::create_dir_all(&path).map_err(failed)?;
		let lock = File::create(path.join("lock")).map_err(failed)?;
		match lock.try_lock() {
			Ok(()) => {},
			Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { path }),
			Err(TryLockError::Error(source)) => return Err(failed(source)),
		}
		let mut votes = Vec::new();
		let mut used = 0;
		for (number, entry) in fs::read_dir(&path).map_err(failed)?.enumerate() {
			if number > MAX_ENTRIES {
				return Err(JournalError::TooMany { path });
			}
			let entry = entry.map_err(failed)?;
			if !entry.file_type().map_err(failed)?.is_dir() {
				continue;
			}
			match read_vote(&entry.path()) {
				Ok(vote)
					if vote.ballot.genesis == *genesis
						&& entry.file_name() == *name_of(vote.place(), vote.ballot.round) =>
				{
					used += bytes_in(&entry.path().join(BLOCKS)).map_err(failed)?;
					votes.push(vote);
				},
				Ok(_) | Err(_) => {
					// Left by a run that was cut off, or damaged: either way nothing that anybody
					// has voted on can be made of it.
					log::info!("{}: no vote; it is removed", entry.path().display());
					fs::remove_dir_all(entry.path()).map_err(failed)?;
				},
			}
		}
		votes.sort_by_key(|vote| (vote.place(), vote.ballot.round));
		let (used, removing) = (AtomicU64::new(used), Mutex::default());
		Ok((Journal { path, used, room, removing, _lock: lock }, votes))
	}

	/// Where the blocks of the results of a range in a round are.
	pub fn blocks(&self, place: Place, round: Round) -> Result<Blocks<'_>, JournalError> {
		let path = self.path_of(place, round).join(BLOCKS);
		match Directory::open(&path) {
			Ok(folder) => Ok(Blocks { folder, journal: self }),
			Err(error) => Err(JournalError::Io { path, source: io::Error::other(error) }),
		}
	}

	/// Puts a vote on disk, for good.
	pub fn save(&self, vote: &Vote) -> Result<(), JournalError> {
		let path = self.path_of(vote.place(), vote.ballot.round);
		let written = || -> io::Result<()> {
			let blocks = path.join(BLOCKS);
			fs::create_dir_all(&blocks)?;
			for block in fs::read_dir(&blocks)? {
				File::open(block?.path())?.sync_all()?;
			}
			sync(&blocks)?;
			let mut file = tempfile::NamedTempFile::new_in(&path)?;
			let bytes = (MARK, vote).encode();
			file.write_all(&bytes)?;
			file.write_all(&blake2_256(&bytes))?;
			file.as_file().sync_all()?;
			file.persist(path.join(VOTE))?;
			sync(&path)?;
			sync(&self.path)
		};
		written().map_err(|source| JournalError::Io { path: path.clone(), source })
	}

	/// Lets go of the blocks of a vote: others have them now.
	pub fn drop_blocks(&self, place: Place, round: Round) -> Result<(), JournalError> {
		let path = self.path_of(place, round).join(BLOCKS);
		self.remove(path.clone(), path)
	}

	/// Lets go of a vote and its blocks, if they are there.
	pub fn forget(&self, place: Place, round: Round) -> Result<(), JournalError> {
		let path = self.path_of(place, round);
		self.remove(path.clone(), path.join(BLOCKS))
	}

	/// The vote, if it is on disk.
	pub fn vote(&self, place: Place, round: Round) -> Option<Vote> {
		read_vote(&self.path_of(place, round)).ok()
	}

	/// Removes a folder, and counts the blocks that were in `blocks`, which is it or in it.
	fn remove(&self, path: PathBuf, blocks: PathBuf) -> Result<(), JournalError> {
		let removed = || {
			let _removing = self.removing.lock().unwrap_or_else(PoisonError::into_inner);
			let before = bytes_in(&blocks)?;
			let removed = match fs::remove_dir_all(&path) {
				Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
				done => done,
			};
			// If it was cut off, a part of them may be left.
			let freed = before.saturating_sub(bytes_in(&blocks)?);
			self.free(freed);
			removed
		};
		removed().map_err(|source| JournalError::Io { path: path.clone(), source })
	}

	/// Counts `freed` bytes as free. A block that is removed while it is put may be counted twice: that
	/// must not make the rest look like more than any room.
	fn free(&self, freed: u64) {
		let less = |used: u64| Some(used.saturating_sub(freed));
		// It never refuses.
		let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
	}

	fn path_of(&self, place: Place, round: Round) -> PathBuf {
		self.path.join(name_of(place, round))
	}
}

/// The blocks of one vote's results.
#[derive(Debug)]
pub struct Blocks<'a> {
	folder: Directory,
	journal: &'a Journal,
}

impl Blocks<'_> {
	/// The folder.
	pub fn path(&self) -> &Path {
		self.folder.path()
	}
}

impl BlockSink for Blocks<'_> {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		if self.folder.path_of(id).exists() {
			return Ok(());
		}
		let Journal { used, room, .. } = self.journal;
		let len = bytes.len() as u64;
		let before = used.fetch_add(len, Ordering::Relaxed);
		let put = if before.saturating_add(len) > *room {
			Err(io::Error::other(format!(
				"results that are not shown yet take {before} of {room} bytes; lend more disk, or wait \
				 until votes are over"
			)))
		} else {
			self.folder.put(id, bytes)
		};
		if put.is_err() {
			self.journal.free(len);
		}
		put
	}
}

impl BlockSource for Blocks<'_> {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		self.folder.get(id, limit)
	}
}

/// How many bytes the files of a folder have. One that is not there has none.
fn bytes_in(folder: &Path) -> io::Result<u64> {
	match fs::read_dir(folder) {
		Ok(files) => files.map(|file| Ok(file?.metadata()?.len())).sum(),
		Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
		Err(error) => Err(error),
	}
}

fn name_of(Place { task, range }: Place, round: Round) -> String {
	format!("{task}-{range}-{round}")
}

fn short(hash: &H256) -> String {
	hash.as_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Makes what was moved into the folder survive a loss of power.
fn sync(folder: &Path) -> io::Result<()> {
	File::open(folder)?.sync_all()
}

fn read_vote(folder: &Path) -> io::Result<Vote> {
	let path = folder.join(VOTE);
	let damaged = || io::Error::new(io::ErrorKind::InvalidData, "no vote, or a damaged one");
	if fs::metadata(&path)?.len() > MAX_VOTE {
		return Err(damaged());
	}
	let bytes = fs::read(&path)?;
	let (body, hash) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
	if blake2_256(body) != *hash {
		return Err(damaged());
	}
	let body = body.strip_prefix(&MARK[..]).ok_or_else(damaged)?;
	let vote = Vote::decode_all(&mut &*body).map_err(|_| damaged())?;
	if vote.digests.len() != vote.open.count_ones() as usize {
		return Err(damaged());
	}
	Ok(vote)
}

#[cfg(test)]
mod tests {
	use super::*;
	use dgcs_primitives::{Ballot, ContentCodec, RangeIndex, ResultDigest, TaskId};

	fn vote(task: u64, round: u8) -> Vote {
		let ballot = Ballot {
			genesis: H256::repeat_byte(1),
			task: TaskId(task),
			range: RangeIndex(3),
			round: Round(round),
		};
		let digests = vec![ResultDigest(H256::repeat_byte(4)); 64];
		let digests = digests.try_into().expect("64 at most");
		Vote { ballot, open: u64::MAX, digests, salt: H256::repeat_byte(5) }
	}

	fn open(folder: &Path) -> Result<(Journal, Vec<Vote>), JournalError> {
		Journal::open(folder, &H256::repeat_byte(1), &H256::repeat_byte(2), 12)
	}

	fn put(journal: &Journal, vote: &Vote) {
		let blocks = journal.blocks(vote.place(), vote.ballot.round).expect("there is room");
		let id = ContentId { codec: ContentCodec::DagPb, digest: H256::repeat_byte(6) };
		blocks.put(&id, b"block").expect("there is room");
		journal.save(vote).expect("there is room");
	}

	#[test]
	fn votes_and_blocks_survive_until_forgotten() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, votes) = open(folder.path()).expect("new");
		assert!(votes.is_empty());
		put(&journal, &vote(1, 0));
		put(&journal, &vote(2, 1));
		drop(journal);

		let (journal, votes) = open(folder.path()).expect("ours");
		assert_eq!(votes, [vote(1, 0), vote(2, 1)]);
		assert_eq!(journal.vote(votes[0].place(), Round(0)), Some(vote(1, 0)));
		let files = |journal: &Journal, vote: &Vote| {
			let blocks = journal.blocks(vote.place(), vote.ballot.round).expect("readable");
			blocks.path().read_dir().expect("readable").count()
		};
		assert_eq!(files(&journal, &votes[0]), 1);
		journal.drop_blocks(votes[0].place(), Round(0)).expect("there");
		journal.forget(votes[1].place(), Round(1)).expect("there");
		journal.forget(votes[1].place(), Round(1)).expect("twice is once");
		drop(journal);
		let (journal, left) = open(folder.path()).expect("ours");
		assert_eq!(left, [vote(1, 0)]);
		assert_eq!(files(&journal, &left[0]), 0);
	}

	/// Whatever is left of a vote after a crash in the midst of writing, it is whole or none.
	#[test]
	fn damaged_votes_are_left_out() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, _) = open(folder.path()).expect("new");
		put(&journal, &vote(1, 0));
		let path = journal.path_of(vote(1, 0).place(), Round(0)).join(VOTE);
		let good = fs::read(&path).expect("just written");
		let mut flipped = good.clone();
		flipped[40] ^= 1;
		let longer = [&good[..], &[0]].concat();
		let cases: [&[u8]; 5] = [&[], &good[..good.len() - 1], &flipped, &longer, &good.repeat(20)];
		drop(journal);
		for bytes in cases {
			let (journal, _) = open(folder.path()).expect("ours");
			put(&journal, &vote(1, 0));
			put(&journal, &vote(2, 0));
			drop(journal);
			fs::write(&path, bytes).expect("can be written");
			let (_journal, votes) = open(folder.path()).expect("ours");
			assert_eq!(votes, [vote(2, 0)]);
		}
	}

	#[test]
	fn a_vote_under_another_name_or_of_another_chain_is_none() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, _) = open(folder.path()).expect("new");
		put(&journal, &vote(1, 0));
		let path = journal.path_of(vote(1, 0).place(), Round(0));
		fs::rename(&path, journal.path.join("1-3-1")).expect("same folder");
		let mut other = vote(7, 0);
		other.ballot.genesis = H256::repeat_byte(9);
		put(&journal, &other);
		drop(journal);
		let (_journal, votes) = open(folder.path()).expect("ours");
		assert!(votes.is_empty());
	}

	#[test]
	fn results_take_no_more_than_their_room() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, _) = open(folder.path()).expect("new");
		let put = |journal: &Journal, vote: &Vote, byte| {
			let blocks = journal.blocks(vote.place(), vote.ballot.round).expect("can be made");
			let id = ContentId { codec: ContentCodec::DagPb, digest: H256::repeat_byte(byte) };
			blocks.put(&id, b"block")
		};
		put(&journal, &vote(1, 0), 1).expect("5 of 12 bytes");
		put(&journal, &vote(2, 0), 1).expect("10 of 12 bytes");
		put(&journal, &vote(2, 0), 1).expect("it is there");
		let full = put(&journal, &vote(2, 0), 2).expect_err("15 of 12 bytes").to_string();
		assert!(full.contains("take 10 of 12 bytes"), "{full}");
		// What is let go of makes room, and what is kept counts after a restart.
		journal.save(&vote(1, 0)).expect("votes take no room");
		journal.forget(vote(2, 0).place(), Round(0)).expect("there");
		put(&journal, &vote(1, 0), 2).expect("10 of 12 bytes");
		drop(journal);
		let (journal, _) = open(folder.path()).expect("ours");
		put(&journal, &vote(3, 0), 3).expect_err("15 of 12 bytes");
		journal.drop_blocks(vote(1, 0).place(), Round(0)).expect("there");
		put(&journal, &vote(3, 0), 3).expect("5 of 12 bytes");
	}

	/// A publication drops blocks on a thread of its own, and the vote may be forgotten meanwhile.
	#[test]
	fn two_removals_at_once_count_each_byte_once() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let hash = H256::repeat_byte(1);
		let (journal, _) = Journal::open(folder.path(), &hash, &hash, 1 << 20).expect("new");
		let used = || journal.used.load(Ordering::Relaxed);
		let kept = journal.blocks(vote(2, 0).place(), Round(0)).expect("can be made");
		let id = |byte| ContentId { codec: ContentCodec::DagPb, digest: H256::repeat_byte(byte) };
		kept.put(&id(0), &[0; 1000]).expect("there is room");
		let (place, round) = (vote(1, 0).place(), Round(0));
		for _ in 0..30 {
			let blocks = journal.blocks(place, round).expect("can be made");
			(0..20).for_each(|byte| blocks.put(&id(byte), &[byte; 100]).expect("there is room"));
			assert_eq!(used(), 3000);
			let start = std::sync::Barrier::new(2);
			std::thread::scope(|threads| {
				threads.spawn(|| {
					start.wait();
					journal.drop_blocks(place, round).expect("there, or gone");
				});
				threads.spawn(|| {
					start.wait();
					journal.forget(place, round).expect("there, or gone");
				});
			});
			assert_eq!(used(), 1000);
		}
	}

	#[test]
	fn one_process_at_a_time() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (_first, _) = open(folder.path()).expect("new");
		assert!(matches!(open(folder.path()), Err(JournalError::InUse { .. })));
		let (_other, _) =
			Journal::open(folder.path(), &H256::repeat_byte(1), &H256::repeat_byte(3), 0)
				.expect("another account's");
	}
}
