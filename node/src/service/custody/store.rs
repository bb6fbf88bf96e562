//! The block store as custody uses it: its calls wait, on threads that may.

use std::io;

use dgcs_content::{Blob, BlockSink, BlockSource};
use dgcs_custody::Store;
use dgcs_primitives::ContentId;
use tokio::runtime::Handle;

/// A store whose calls wait.
pub struct BlockingStore {
	store: dgcs_store::Store,
	runtime: Handle,
}

impl BlockingStore {
	/// Waits for `store` on `runtime`.
	pub fn new(store: dgcs_store::Store, runtime: Handle) -> Self {
		BlockingStore { store, runtime }
	}
}

impl BlockSink for BlockingStore {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		self.store.put(id, bytes)
	}
}

impl BlockSource for BlockingStore {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		self.store.get(id, limit)
	}

	fn want(&self, ids: &[ContentId]) {
		self.store.want(ids);
	}
}

impl Store for BlockingStore {
	fn has(&self, id: &ContentId) -> io::Result<bool> {
		self.runtime.block_on(self.store.has(id)).map_err(io::Error::other)
	}

	fn pin(&self, blob: &Blob) -> io::Result<()> {
		self.runtime.block_on(self.store.pin(&blob.id, blob.len)).map_err(io::Error::other)
	}

	fn unpin(&self, id: &ContentId) -> io::Result<()> {
		self.runtime.block_on(self.store.unpin(id)).map(|_| ()).map_err(io::Error::other)
	}

	fn provide(&self, id: &ContentId) -> io::Result<()> {
		let (store, id) = (self.store.clone(), *id);
		self.runtime.spawn(async move {
			if let Err(error) = store.provide(&id).await {
				log::debug!(target: "custody", "The network was not told of a blob: {error}");
			}
		});
		Ok(())
	}

	fn addresses(&self) -> Vec<String> {
		let addresses = self.runtime.block_on(self.store.addresses());
		addresses.unwrap_or_default().iter().map(ToString::to_string).collect()
	}
}
