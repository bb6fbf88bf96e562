//! Shows results to others, once they may be seen: from the journal's blocks to the store.

use std::{error::Error, io, iter::successors};

use dgcs_content::{fetch, read_blob, result_id, BlockSink, BlockSource};
use dgcs_primitives::ContentId;

use crate::{
	execute::Source,
	journal::{Blocks, Journal},
	machine::Vote,
};

/// Where results are shown, and where everything else comes from.
pub trait Store: Source + BlockSink {
	/// Keeps the blob with this root, all of whose blocks were put, and lets others find it.
	fn provide(&self, root: &ContentId) -> io::Result<()>;

	/// Whether blobs could be provided now, as far as it can be said without one.
	fn check(&self) -> io::Result<()>;

	/// Lets go of the blob with this root. One that is not there is let go of.
	fn release(&self, root: &ContentId) -> io::Result<()>;
}

/// Why results are not shown.
#[derive(Debug, thiserror::Error)]
#[error("the results of {vote} can't be shown: {reason}; it is tried again")]
pub struct ShowError {
	vote: String,
	reason: String,
	full: bool,
}

impl ShowError {
	/// Whether it is for want of room in the store, so that it helps to let go of something there.
	pub fn is_full(&self) -> bool {
		self.full
	}
}

/// Whether a store's or file system's lack of room is behind an error.
fn lacks_room(error: &(dyn Error + 'static)) -> bool {
	successors(Some(error), |&error| error.source())
		.filter_map(|error| error.downcast_ref::<io::Error>())
		.any(|error| error.kind() == io::ErrorKind::StorageFull)
}

/// Puts all blocks of a vote's results to the store, each checked, has them provided, and lets go
/// of the copies in the journal. What was shown before may be shown again.
pub(crate) fn show(journal: &Journal, store: &dyn Store, vote: &Vote) -> Result<(), ShowError> {
	let (place, round) = (vote.place(), vote.ballot.round);
	let failed = |error: &(dyn Error + 'static)| ShowError {
		vote: format!("{place} round {round}"),
		reason: error.to_string(),
		full: lacks_room(error),
	};
	let blocks = journal.blocks(place, round).map_err(|error| failed(&error))?;
	let copying = Copying { blocks: &blocks, store };
	for digest in &vote.digests {
		let root = result_id(digest);
		read_blob(&copying, &root, u64::MAX, &mut |_| Ok(())).map_err(|error| failed(&error))?;
		store.provide(&root).map_err(|error| failed(&error))?;
	}
	journal.drop_blocks(place, round).map_err(|error| failed(&error))
}

/// Reading through this puts what is read to the store.
struct Copying<'a> {
	blocks: &'a Blocks<'a>,
	store: &'a dyn Store,
}

impl BlockSource for Copying<'_> {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		// Only what is whole is shown; what was shown before a crash is in the store alone.
		match fetch(self.blocks, id) {
			Ok(bytes) => self.store.put(id, &bytes).map(|()| Some(bytes)),
			Err(dgcs_content::Error::Missing(_)) => self.store.get(id, limit),
			Err(error) => Err(io::Error::other(error)),
		}
	}
}

#[cfg(test)]
mod tests {
	use std::sync::Mutex;

	use dgcs_content::{read_blob, seal_result, Directory, Ending, OwnerSecret, Scope, TaskNonce};
	use dgcs_primitives::{Ballot, Digests, RangeIndex, Round, TaskId};
	use sp_core::H256;

	use super::*;
	use crate::chain::Place;

	struct Folder {
		blocks: Directory,
		provided: Mutex<Vec<ContentId>>,
		/// Whether no more blocks, and no more roots, are taken.
		full: [bool; 2],
	}

	fn full() -> io::Error {
		io::Error::new(io::ErrorKind::StorageFull, "the store is full")
	}

	impl BlockSink for Folder {
		fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
			if self.full[0] {
				return Err(full());
			}
			self.blocks.put(id, bytes)
		}
	}

	impl BlockSource for Folder {
		fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
			self.blocks.get(id, limit)
		}
	}

	impl Store for Folder {
		fn provide(&self, root: &ContentId) -> io::Result<()> {
			if self.full[1] {
				return Err(full());
			}
			self.provided.lock().expect("no test panics with it").push(*root);
			Ok(())
		}

		fn check(&self) -> io::Result<()> {
			Ok(())
		}

		fn release(&self, _: &ContentId) -> io::Result<()> {
			Ok(())
		}
	}

	/// A journal with one vote on two results, one of several blocks, and a store without them.
	fn scene(folder: &std::path::Path) -> (Journal, Folder, Vote) {
		let genesis = H256::repeat_byte(1);
		let (journal, _) = Journal::open(folder, &genesis, &genesis, 1 << 30).expect("new");
		let place = Place { task: TaskId(1), range: RangeIndex(2) };
		let (range, round) = (place.range, Round(0));
		let keys = OwnerSecret::from_bytes([1; 32]).task(&TaskNonce([2; 32]));
		let key = keys.scope(Scope::Range(range));
		let blocks = journal.blocks(place, round).expect("can be made");
		let seal = |subtask, len| {
			let output = vec![7; len];
			seal_result(&blocks, &key, round, subtask, Ending::Ok, &mut &output[..]).expect("room")
		};
		let digests: Digests = vec![seal(0, 600_000), seal(1, 3)].try_into().expect("2");
		let ballot = Ballot { genesis, task: place.task, range, round };
		let vote = Vote { ballot, open: 0b11, digests, salt: H256::zero() };
		journal.save(&vote).expect("there is room");
		let blocks = Directory::open(folder.join("store")).expect("can be made");
		(journal, Folder { blocks, provided: Mutex::default(), full: [false; 2] }, vote)
	}

	#[test]
	fn results_are_shown_whole_and_as_often_as_asked() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, store, vote) = scene(folder.path());
		// The second time is after a crash: the journal has no blocks any more.
		for _ in 0..2 {
			show(&journal, &store, &vote).expect("all is there");
			for digest in &vote.digests {
				let whole = read_blob(&store, &result_id(digest), u64::MAX, &mut |_| Ok(()));
				assert!(whole.expect("shown") > 3);
			}
			let left = journal.blocks(vote.place(), vote.ballot.round).expect("readable");
			assert_eq!(left.path().read_dir().expect("readable").count(), 0);
		}
		let roots: Vec<ContentId> = vote.digests.iter().map(result_id).collect();
		let provided = store.provided.lock().expect("no test panics with it").clone();
		assert_eq!(provided, [&roots[..], &roots[..]].concat());
		assert_eq!(journal.vote(vote.place(), vote.ballot.round), Some(vote));
	}

	#[test]
	fn what_is_damaged_is_not_shown() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, store, vote) = scene(folder.path());
		let blocks = journal.blocks(vote.place(), vote.ballot.round).expect("readable");
		let root = dgcs_content::content_id::display(&result_id(&vote.digests[1]));
		std::fs::write(blocks.path().join(&root), b"damaged").expect("can be written");
		let error = show(&journal, &store, &vote).expect_err("refused");
		assert!(error.to_string().contains("task 1 range 2 round 0"), "{error}");
		assert!(!error.is_full(), "room is no help");
		assert!(!store.blocks.path().join(root).exists());
	}

	#[test]
	fn a_full_store_is_told_apart_and_all_is_there_for_another_try() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, mut store, vote) = scene(folder.path());
		for full in [[true, false], [false, true]] {
			store.full = full;
			let error = show(&journal, &store, &vote).expect_err("there is no room");
			assert!(error.is_full() && error.to_string().contains("is full"), "{error}");
		}
		store.full = [false; 2];
		show(&journal, &store, &vote).expect("there is room again");
	}
}
