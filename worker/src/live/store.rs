//! The store, connected to those of the masternodes.

use std::{collections::HashSet, io, time::Duration};

use dgcs_client::{
	masternode::{Masternode, Patience},
	Chain,
};
use dgcs_content::{BlockSink, BlockSource};
use dgcs_primitives::ContentId;
use dgcs_store::{Config, Error, Multiaddr, Store as Blocks};
use tokio::{runtime::Handle, task::AbortHandle};

use crate::show::Store;

/// How often masternodes are asked where their stores are.
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
			self.blocks.pin(root, u64::MAX).await.map_err(io::Error::other)?;
			// Whoever is connected can ask for it without: that nobody takes a note now is no reason
			// to withhold what has to be shown in time.
			if let Err(error) = self.blocks.provide(root).await {
				log::warn!("a result is here and is not announced: {error}");
			}
			Ok(())
		})
	}

	fn release(&self, root: &ContentId) -> io::Result<()> {
		self.runtime.block_on(self.blocks.unpin(root)).map(drop).map_err(io::Error::other)
	}
}

/// Connects to the stores of masternodes, again and again: the set changes.
async fn stay_connected(blocks: Blocks, chain: Chain) {
	let mut known = HashSet::new();
	let mut ticks = tokio::time::interval(REFRESH);
	ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	loop {
		ticks.tick().await;
		let found = addresses(&chain).await;
		known.retain(|address| found.contains(address));
		for address in found {
			if known.contains(&address) {
				continue;
			}
			match connect(&blocks, &address).await {
				Ok(()) => {
					known.insert(address);
				},
				Err(error) => log::info!("the store at {address} can't be connected to: {error}"),
			}
		}
	}
}

async fn connect(blocks: &Blocks, address: &str) -> Result<(), String> {
	let address: Multiaddr = address.parse().map_err(|error| format!("no address: {error}"))?;
	blocks.connect(&address).await.map_err(|error| error.to_string())
}

/// Where the stores of the masternodes are, as far as they say.
async fn addresses(chain: &Chain) -> HashSet<String> {
	let masternodes = async { chain.at_finalized().await?.masternodes().await };
	let masternodes = match masternodes.await {
		Ok(masternodes) => masternodes,
		Err(error) => {
			log::info!("the masternodes are not known now: {error}");
			return HashSet::new();
		},
	};
	let ask = masternodes.iter().take(MAX_PEERS).map(|view| async move {
		let masternode = Masternode::at(&view.address, Patience::default())?;
		masternode.store_addresses().await
	});
	let answers = futures::future::join_all(ask).await;
	let answers = answers.into_iter().filter_map(|answer| {
		answer
			.map_err(|error| log::info!("a masternode does not say where its store is: {error}"))
			.ok()
	});
	answers.flatten().collect()
}
