//! A block store in memory, for the tests of this crate.

use std::{collections::HashMap, io, sync::Mutex};

use dgcs_primitives::ContentId;
use sp_core::H256;

use crate::block::{BlockSink, BlockSource};

/// Blocks by digest, as a block store of IPFS keeps them.
#[derive(Debug, Default)]
pub struct Memory {
	blocks: Mutex<HashMap<H256, Vec<u8>>>,
}

impl Memory {
	fn blocks(&self) -> std::sync::MutexGuard<'_, HashMap<H256, Vec<u8>>> {
		self.blocks.lock().expect("no test panics while it holds this")
	}

	/// Digests of all blocks, in a fixed order.
	pub fn digests(&self) -> Vec<H256> {
		let mut digests: Vec<H256> = self.blocks().keys().copied().collect();
		digests.sort();
		digests
	}

	/// Every block's bytes.
	pub fn all(&self) -> Vec<Vec<u8>> {
		self.blocks().values().cloned().collect()
	}

	/// Puts other bytes in a block's place, or takes it away.
	pub fn tamper(&self, digest: &H256, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
		let mut blocks = self.blocks();
		let bytes = blocks.remove(digest).expect("the block exists");
		if let Some(changed) = change(bytes) {
			blocks.insert(*digest, changed);
		}
	}
}

impl BlockSink for Memory {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		self.blocks().insert(id.digest, bytes.to_vec());
		Ok(())
	}
}

impl BlockSource for Memory {
	fn get(&self, id: &ContentId, _: usize) -> io::Result<Option<Vec<u8>>> {
		Ok(self.blocks().get(&id.digest).cloned())
	}
}
