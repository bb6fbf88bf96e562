//! The store, whichever it is.

use std::{io, sync::Arc};

use dgcs_content::{BlockSink, BlockSource};
use dgcs_primitives::ContentId;
use litep2p::types::multiaddr::Multiaddr;

use crate::{
	config::{Config, Usage},
	embedded::Embedded,
	error::Result,
	kubo::Kubo,
};

/// Where blocks are put and come from. A clone is the same store.
///
/// [`BlockSink`] and [`BlockSource`] wait for disk and network: call them from a thread that may wait
/// (tokio's `spawn_blocking`), never from an `async fn`. A call ends by itself: with the block, or when for two
/// minutes nobody was found who sends it.
#[derive(Clone, Debug)]
pub struct Store {
	backend: Arc<Backend>,
}

#[derive(Debug)]
enum Backend {
	Embedded(Embedded),
	Kubo(Kubo),
}

macro_rules! on_backend {
	($self:ident, $store:ident => $call:expr) => {
		match &*$self.backend {
			Backend::Embedded($store) => $call,
			Backend::Kubo($store) => $call,
		}
	};
}

impl Store {
	/// Opens the store. An embedded one connects to its peers in the background, and tries again as long
	/// as it is open; to a Kubo daemon there is a connection when this returns.
	pub async fn open(config: &Config) -> Result<Self> {
		let backend = match config {
			Config::Embedded(config) => Backend::Embedded(Embedded::open(config).await?),
			Config::Kubo(config) => Backend::Kubo(Kubo::open(config).await?),
		};
		Ok(Store { backend: Arc::new(backend) })
	}

	#[cfg(test)]
	pub(crate) fn embedded(store: Embedded) -> Self {
		Store { backend: Arc::new(Backend::Embedded(store)) }
	}

	/// Where other peers reach this one: addresses that end with its name.
	pub async fn addresses(&self) -> Result<Vec<Multiaddr>> {
		match &*self.backend {
			Backend::Embedded(store) => Ok(store.addresses()),
			Backend::Kubo(store) => store.addresses().await,
		}
	}

	/// Connects to one peer, at any of its `addresses`, which end with `/p2p/` and its name. The
	/// connection is made again whenever it is lost, also if nobody answers now, or if a Kubo daemon starts again.
	pub async fn connect(&self, addresses: &[Multiaddr]) -> Result<()> {
		on_backend!(self, store => store.connect(addresses).await)
	}

	/// Tells the network that block `id` is here, so that others find it: the root of a tree is enough.
	/// Others are told again as long as the store is open; after a start, tell it again. An error if nobody is
	/// connected who could take a note of it.
	pub async fn provide(&self, id: &ContentId) -> Result<()> {
		on_backend!(self, store => store.provide(id).await)
	}

	/// Fetches what is missing of the tree under `root`, which stands for at most `len` bytes, and keeps
	/// all of it until [`unpin`](Store::unpin). What is here already is not fetched again, so that an
	/// interrupted call can be repeated. Pinning twice is pinning once: who pins for several purposes
	/// unpins after the last.
	///
	/// Errors: [`Missing`](crate::Error::Missing) if a block is nowhere to be had,
	/// [`Full`](crate::Error::Full), [`TreeSize`](crate::Error::TreeSize) if the tree is larger than `len`.
	pub async fn pin(&self, root: &ContentId, len: u64) -> Result<()> {
		self.pin_all(&[(*root, len)]).await
	}

	/// As [`pin`](Store::pin) for each of `trees`, which is faster than one by one: an embedded store waits
	/// for the disk once for many. After an error some are pinned.
	pub async fn pin_all(&self, trees: &[(ContentId, u64)]) -> Result<()> {
		match &*self.backend {
			Backend::Embedded(store) => store.pin(trees).await,
			Backend::Kubo(store) => {
				for (root, len) in trees {
					store.pin(root, *len).await?;
				}
				Ok(())
			},
		}
	}

	/// Ends the pin of `root`. Blocks that no other pin has are removed: at once from an embedded store,
	/// and by Kubo when it collects its garbage. Says whether there was a pin.
	pub async fn unpin(&self, root: &ContentId) -> Result<bool> {
		on_backend!(self, store => store.unpin(root).await)
	}

	/// Whether `root` is pinned, and so all of its tree is here.
	pub async fn is_pinned(&self, root: &ContentId) -> Result<bool> {
		on_backend!(self, store => store.is_pinned(root).await)
	}

	/// All pinned roots. With Kubo, those that its user pinned as well.
	pub async fn pinned(&self) -> Result<Vec<ContentId>> {
		on_backend!(self, store => store.pinned().await)
	}

	/// Whether the one block `id` is here, without asking the network.
	pub async fn has(&self, id: &ContentId) -> Result<bool> {
		on_backend!(self, store => store.has(id).await)
	}

	/// Whether the store takes blocks now, as far as it can be said without giving it any: its last write to the
	/// disk went well, or the Kubo daemon answers.
	pub async fn check(&self) -> Result<()> {
		on_backend!(self, store => store.check().await)
	}

	/// How much there is, and may be.
	pub async fn usage(&self) -> Result<Usage> {
		on_backend!(self, store => store.usage().await)
	}

	/// Brings everything to disk, stops the peer, and lets go of the directory. Calls after that fail. A
	/// Kubo daemon goes on.
	pub async fn shutdown(&self) -> Result<()> {
		match &*self.backend {
			Backend::Embedded(store) => store.shutdown().await,
			Backend::Kubo(store) => {
				store.shutdown();
				Ok(())
			},
		}
	}
}

impl BlockSink for Store {
	/// Stores a block of at most 2 MiB. It stays at least until [`Store::shutdown`]: pin it, or a tree that
	/// has it, before.
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		on_backend!(self, store => store.put(id, bytes))
	}
}

impl BlockSource for Store {
	/// Gets a block from here, from connected peers, or from those that the network finds. `None` if none of
	/// them has it.
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		on_backend!(self, store => store.get(id, limit))
	}

	/// Starts to fetch the first few hundred of `ids`, and returns at once.
	fn want(&self, ids: &[ContentId]) {
		on_backend!(self, store => store.want(ids));
	}
}
