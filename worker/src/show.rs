//! Shows results to others, once they may be seen: from the journal's blocks to the store.

use std::io;

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

	/// Lets go of the blob with this root. One that is not there is let go of.
	fn release(&self, root: &ContentId) -> io::Result<()>;
}

/// Why results are not shown.
#[derive(Debug, thiserror::Error)]
#[error("the results of {vote} can't be shown: {reason}; it is tried again")]
pub struct ShowError {
	vote: String,
	reason: String,
}

/// Puts all blocks of a vote's results to the store, each checked, has them provided, and lets go
/// of the copies in the journal. What was shown before may be shown again.
pub(crate) fn show(journal: &Journal, store: &dyn Store, vote: &Vote) -> Result<(), ShowError> {
	let (place, round) = (vote.place(), vote.ballot.round);
	let failed = |reason: String| ShowError { vote: format!("{place} round {round}"), reason };
	let blocks = journal.blocks(place, round).map_err(|error| failed(error.to_string()))?;
	let copying = Copying { blocks: &blocks, store };
	for digest in &vote.digests {
		let root = result_id(digest);
		read_blob(&copying, &root, u64::MAX, &mut |_| Ok(()))
			.map_err(|error| failed(error.to_string()))?;
		store.provide(&root).map_err(|error| failed(error.to_string()))?;
	}
	journal.drop_blocks(place, round).map_err(|error| failed(error.to_string()))
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
