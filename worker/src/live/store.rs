//! The store, connected to those of the masternodes.

use std::{
	collections::HashMap,
	io,
	time::{Duration, Instant},
};

use dgcs_client::{
	masternode::{Masternode, Patience},
	Chain,
};
use dgcs_content::{BlockSink, BlockSource};
use dgcs_primitives::{api::MasternodeView, ContentId};
use dgcs_store::{Config, Error, Multiaddr, Store as Blocks};
use tokio::{runtime::Handle, task::AbortHandle};

use crate::show::Store;

/// How often the chain is asked for masternodes that are new.
const LOOK: Duration = Duration::from_secs(6);
/// How often each is asked where its store is: one that has started again may have another port.
const REFRESH: Duration = Duration::from_secs(60);
/// Masternodes whose stores are connected to: those with the highest bonds.
const MAX_PEERS: usize = 64;

/// A store in which this worker's results are pinned until they are let go of.
#[derive(Debug)]
pub struct LiveStore {
	blocks: Blocks,
	runtime: Handle,
	connecting: AbortHandle,
}

impl LiveStore {
	/// Opens the store, and connects it to those of the chain's masternodes for as long as it is
	/// open. Must be called on a runtime.
	pub async fn open(config: &Config, chain: Chain) -> Result<Self, Error> {
		let blocks = Blocks::open(config).await?;
		let connecting = tokio::spawn(stay_connected(blocks.clone(), chain)).abort_handle();
		Ok(LiveStore { blocks, runtime: Handle::current(), connecting })
	}

	/// Brings everything to disk and ends the peer.
	pub async fn close(&self) -> Result<(), Error> {
		self.connecting.abort();
		self.blocks.shutdown().await
	}
}

impl Drop for LiveStore {
	fn drop(&mut self) {
		self.connecting.abort();
	}
}

impl BlockSink for LiveStore {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		self.blocks.put(id, bytes)
	}
}

impl BlockSource for LiveStore {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		self.blocks.get(id, limit)
	}

	fn want(&self, ids: &[ContentId]) {
		self.blocks.want(ids);
	}
}

impl Store for LiveStore {
	fn provide(&self, root: &ContentId) -> io::Result<()> {
		self.runtime.block_on(async {
			self.blocks.pin(root, u64::MAX).await.map_err(Error::into_io)?;
			// Whoever is connected can ask for it without: that nobody takes a note now is no reason
			// to withhold what has to be shown in time.
			if let Err(error) = self.blocks.provide(root).await {
				log::warn!("a result is here and is not announced: {error}");
			}
			Ok(())
		})
	}

	fn check(&self) -> io::Result<()> {
		self.runtime.block_on(self.blocks.check()).map_err(Error::into_io)
	}

	fn release(&self, root: &ContentId) -> io::Result<()> {
		self.runtime.block_on(self.blocks.unpin(root)).map(drop).map_err(Error::into_io)
	}
}

/// Connects to the stores of masternodes, again and again: the set changes, and so do addresses.
async fn stay_connected(blocks: Blocks, chain: Chain) {
	// By URL, when each was last asked and connected to.
	let mut asked: HashMap<String, Instant> = HashMap::new();
	let mut ticks = tokio::time::interval(LOOK);
	ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	loop {
		ticks.tick().await;
		let masternodes = match masternodes(&chain).await {
			Ok(masternodes) => masternodes,
			Err(error) => {
				log::info!("the masternodes are not known now: {error}");
				continue;
			},
		};
		asked.retain(|url, at| {
			at.elapsed() < REFRESH && masternodes.iter().any(|masternode| masternode.url() == url)
		});
		let new = masternodes.iter().filter(|masternode| !asked.contains_key(masternode.url()));
		let connect = new.map(|masternode| async {
			let url = masternode.url();
			let addresses = match masternode.store_addresses().await {
				Ok(addresses) => addresses,
				Err(error) => {
					log::info!("{url} does not say where its store is: {error}");
					return None;
				},
			};
			let known: Vec<Multiaddr> =
				addresses.iter().filter_map(|address| address.parse().ok()).collect();
			match blocks.connect(&known).await {
				Ok(()) => Some((url.to_owned(), Instant::now())),
				Err(error) => {
					log::info!("the store of {url} can't be connected to: {error}");
					None
				},
			}
		});
		let connected = futures::future::join_all(connect).await;
		asked.extend(connected.into_iter().flatten());
	}
}

/// The masternodes whose stores are connected to.
async fn masternodes(chain: &Chain) -> Result<Vec<Masternode>, dgcs_client::Error> {
	let views = chain.at_finalized().await?.masternodes().await?;
	let at = |view: &MasternodeView<_, _>| Masternode::at(&view.address, Patience::default()).ok();
	Ok(views.iter().take(MAX_PEERS).filter_map(at).collect())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_full_store_says_so() {
		let full = Error::Full { used: 9, capacity: 10, needed: 2 }.into_io();
		assert_eq!(full.kind(), io::ErrorKind::StorageFull);
		assert!(full.to_string().contains("9 of 10 bytes"), "{full}");
		assert_eq!(Error::Closed.into_io().kind(), io::ErrorKind::Other);
	}
}
