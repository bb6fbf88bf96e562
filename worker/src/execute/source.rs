//! Where a run gets its blocks from, for as long as anybody wants its results.

use std::io;

use dgcs_content::BlockSource;
use dgcs_primitives::ContentId;

use super::{Abandon, ExecuteError, Source};

/// The blocks of one run. Once it is abandoned there are no more, so that it ends wherever it is in its content.
pub(super) struct RunSource<'a> {
	blocks: &'a dyn Source,
	abandon: &'a Abandon,
}

impl<'a> RunSource<'a> {
	pub(super) fn new(blocks: &'a dyn Source, abandon: &'a Abandon) -> Self {
		RunSource { blocks, abandon }
	}

	/// Whether the run is still to go on.
	pub(super) fn check(&self) -> Result<(), ExecuteError> {
		self.abandon.check()
	}
}

impl BlockSource for RunSource<'_> {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		self.check().map_err(io::Error::other)?;
		self.blocks.get(id, limit)
	}

	fn want(&self, ids: &[ContentId]) {
		if self.check().is_ok() {
			self.blocks.want(ids);
		}
	}
}

#[cfg(test)]
mod tests {
	use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

	use dgcs_content::result_id;
	use dgcs_primitives::ResultDigest;

	use super::*;

	/// Has no block, and counts who asks.
	#[derive(Default)]
	struct Asked(AtomicUsize);

	impl BlockSource for Asked {
		fn get(&self, _: &ContentId, _: usize) -> io::Result<Option<Vec<u8>>> {
			self.0.fetch_add(1, Relaxed);
			Ok(None)
		}

		fn want(&self, _: &[ContentId]) {
			self.0.fetch_add(1, Relaxed);
		}
	}

	#[test]
	fn an_abandoned_run_gets_no_blocks() {
		let (asked, abandon) = (Asked::default(), Abandon::default());
		let source = RunSource::new(&asked, &abandon);
		let id = result_id(&ResultDigest::default());
		source.want(&[id]);
		assert!(source.get(&id, 1).expect("it is asked").is_none());
		assert_eq!(asked.0.load(Relaxed), 2);
		abandon.abandon();
		source.want(&[id]);
		source.get(&id, 1).expect_err("nobody wants it");
		assert_eq!(asked.0.load(Relaxed), 2);
	}
}
