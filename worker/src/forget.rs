//! Lets go of votes and of the results behind them, in an order that leaves nothing behind.
//!
//! First the store lets go of the results, and only then the journal of the vote: it alone knows which
//! results there are. What a crash cuts off is in the journal at the next start, and let go of then.

use std::{
	collections::BTreeSet,
	fmt,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dgcs_content::result_id;
use dgcs_primitives::Round;

use crate::{
	chain::Place,
	journal::{Journal, JournalError},
	show::Store,
};

/// The votes to let go of.
pub(crate) struct Forgetter {
	journal: Arc<Journal>,
	store: Arc<dyn Store>,
	left: Mutex<Left>,
}

#[derive(Debug, Default)]
struct Left {
	votes: BTreeSet<(Place, Round)>,
	/// Whether a thread is at it.
	busy: bool,
}

impl fmt::Debug for Forgetter {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Forgetter").field("left", &self.left).finish_non_exhaustive()
	}
}

impl Forgetter {
	/// Nothing to let go of yet.
	pub fn new(journal: Arc<Journal>, store: Arc<dyn Store>) -> Self {
		Forgetter { journal, store, left: Mutex::default() }
	}

	fn left(&self) -> MutexGuard<'_, Left> {
		self.left.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Takes note of a vote that is to be let go of.
	pub fn add(&self, place: Place, round: Round) {
		self.left().votes.insert((place, round));
	}

	/// Clears the way for a run on a range: if its vote in this round is to be let go of, it goes here
	/// and now, so that the run does not find it half gone. Its results go with those of the run, which
	/// are the same.
	pub fn clear(&self, place: Place, round: Round) -> Result<(), JournalError> {
		let mut left = self.left();
		if left.votes.remove(&(place, round)) {
			self.journal.forget(place, round)?;
		}
		Ok(())
	}

	/// Lets go of all that was added, also meanwhile, and gives the first error. What fails is left
	/// for the next call. Waits for store and disk; of several threads one does it, and the others
	/// return at once.
	pub fn work(&self) -> Result<(), String> {
		if std::mem::replace(&mut self.left().busy, true) {
			return Ok(());
		}
		let (mut failed, mut first) = (BTreeSet::new(), Ok(()));
		while let Some((place, round)) = self.next(&failed) {
			if let Err(reason) = self.forget(place, round) {
				failed.insert((place, round));
				first = first.and(Err(format!(
					"{place}: its results are kept longer than they need be: {reason}; they are let go \
					 of in a later block"
				)));
			}
		}
		first
	}

	/// The next vote that was not tried yet. `None`: that was all, and this thread is not at it any
	/// more.
	fn next(&self, failed: &BTreeSet<(Place, Round)>) -> Option<(Place, Round)> {
		let mut left = self.left();
		let next = left.votes.difference(failed).next().copied();
		left.busy = next.is_some();
		next
	}

	fn forget(&self, place: Place, round: Round) -> Result<(), String> {
		let vote = self.journal.vote(place, round);
		for digest in vote.iter().flat_map(|vote| &vote.digests) {
			self.store.release(&result_id(digest)).map_err(|error| error.to_string())?;
		}
		let mut left = self.left();
		// If it is not there any more, a run has cleared its way meanwhile, and what is in the journal
		// is that run's.
		if left.votes.contains(&(place, round)) {
			self.journal.forget(place, round).map_err(|error| error.to_string())?;
			left.votes.remove(&(place, round));
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use std::{collections::BTreeMap, io, path::Path};

	use dgcs_content::{BlockSink, BlockSource};
	use dgcs_primitives::{Ballot, ContentId, RangeIndex, ResultDigest, TaskId};
	use sp_core::H256;

	use super::*;
	use crate::machine::Vote;

	/// Pins, and those that can't be released now.
	#[derive(Default)]
	struct Pins(Mutex<BTreeMap<ContentId, bool>>);

	impl Pins {
		fn pin(&self, vote: &Vote, releasable: bool) {
			let mut pins = self.0.lock().expect("no test panics with it");
			pins.extend(vote.digests.iter().map(|digest| (result_id(digest), releasable)));
		}

		fn count(&self) -> usize {
			self.0.lock().expect("no test panics with it").len()
		}
	}

	impl BlockSink for Pins {
		fn put(&self, _: &ContentId, _: &[u8]) -> io::Result<()> {
			Ok(())
		}
	}

	impl BlockSource for Pins {
		fn get(&self, _: &ContentId, _: usize) -> io::Result<Option<Vec<u8>>> {
			Ok(None)
		}
	}

	impl Store for Pins {
		fn provide(&self, _: &ContentId) -> io::Result<()> {
			Ok(())
		}

		fn check(&self) -> io::Result<()> {
			Ok(())
		}

		fn release(&self, root: &ContentId) -> io::Result<()> {
			let mut pins = self.0.lock().expect("no test panics with it");
			if pins.get(root) == Some(&false) {
				return Err(io::Error::other("the daemon is away"));
			}
			pins.remove(root);
			Ok(())
		}
	}

	fn vote(range: u32) -> Vote {
		let ballot = Ballot {
			genesis: H256::repeat_byte(1),
			task: TaskId(1),
			range: RangeIndex(range),
			round: Round(0),
		};
		let digest = |number| ResultDigest(H256::from_low_u64_be(number));
		let digests = vec![digest(2 * u64::from(range)), digest(2 * u64::from(range) + 1)];
		let digests = digests.try_into().expect("2 of at most 64");
		Vote { ballot, open: 0b11, digests, salt: H256::zero() }
	}

	fn open(folder: &Path) -> (Arc<Journal>, Vec<Vote>) {
		let (genesis, worker) = (H256::repeat_byte(1), H256::repeat_byte(2));
		let (journal, votes) = Journal::open(folder, &genesis, &worker, 1 << 20).expect("ours");
		(Arc::new(journal), votes)
	}

	/// A worker may be killed at any time: whatever the store still has, the journal knows of.
	#[test]
	fn a_vote_is_in_the_journal_until_its_results_are_released() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, _) = open(folder.path());
		let pins = Arc::new(Pins::default());
		for range in 0..3 {
			journal.save(&vote(range)).expect("there is room");
			pins.pin(&vote(range), range != 1);
		}
		let forgetter = Forgetter::new(journal.clone(), pins.clone());
		for range in 0..3 {
			forgetter.add(vote(range).place(), Round(0));
		}
		let error = forgetter.work().expect_err("one can't be released");
		assert!(error.contains("task 1 range 1") && error.contains("is away"), "{error}");
		assert_eq!(pins.count(), 2);
		drop((forgetter, journal));
		let (journal, votes) = open(folder.path());
		assert_eq!(votes, [vote(1)]);

		// The next start finds it, and the next try succeeds, all by itself.
		let forgetter = Forgetter::new(journal.clone(), pins.clone());
		forgetter.add(vote(1).place(), Round(0));
		forgetter.work().expect_err("the daemon is still away");
		pins.pin(&vote(1), true);
		forgetter.work().expect("the daemon is back");
		assert_eq!((pins.count(), journal.vote(vote(1).place(), Round(0))), (0, None));
		forgetter.work().expect("nothing is left");
	}

	#[test]
	fn a_run_on_the_same_range_begins_anew_and_keeps_what_it_has() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let (journal, _) = open(folder.path());
		let forgetter = Forgetter::new(journal.clone(), Arc::new(Pins::default()));
		journal.save(&vote(0)).expect("there is room");
		forgetter.add(vote(0).place(), Round(0));
		forgetter.clear(vote(0).place(), Round(0)).expect("there");
		assert_eq!(journal.vote(vote(0).place(), Round(0)), None);
		// What comes of the run is not what was to be let go of.
		journal.save(&vote(0)).expect("there is room");
		forgetter.work().expect("nothing is left");
		forgetter.clear(vote(0).place(), Round(0)).expect("nothing to clear");
		assert_eq!(journal.vote(vote(0).place(), Round(0)), Some(vote(0)));
	}
}
