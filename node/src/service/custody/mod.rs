//! What makes a masternode keep tasks' content, results and key shares: a block store, the secrets
//! that shares are sealed to, and a task that follows the finalised chain. What it does is in
//! `dgcs-custody`; here it is joined to this node.

mod chain;
mod store;

use std::{
	path::PathBuf,
	sync::{Arc, OnceLock},
	time::Duration,
};

use dgcs_client::masternode::{Masternode, Patience};
use dgcs_content::EncryptionSecret;
use dgcs_custody::{
	peers::WebSockets,
	rpc::{CustodyApiServer, CustodyRpc},
	AccountId, Chain, Custody, Identity, Limits, Parts, Secrets,
};
use dgcs_store::{Config, Embedded, Kubo, Multiaddr};
use futures::StreamExt;
use jsonrpsee::RpcModule;
use sc_client_api::BlockchainEvents;
use sc_service::{
	config::KeystoreConfig, error::Error, Configuration, SpawnTaskHandle, TaskManager,
};
use sp_io::hashing::blake2_256;
use tokio::sync::watch;

use self::{chain::NodeChain, store::BlockingStore};
use crate::service::FullClient;

const LOG_TARGET: &str = "custody";
/// The folder of the store and of the ledger, in the chain's own.
const FOLDER: &str = "custody";
/// The file in it that remembers which masternode this node is.
const IDENTITY: &str = "masternode";
/// How often the masternodes' stores are looked for.
const LOOK_AROUND: Duration = Duration::from_secs(60);

/// Where a masternode keeps what tasks need.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Store")]
pub struct Options {
	/// Where the IPFS peer inside this node listens. Others must reach it: name a fixed port and open
	/// it
	#[arg(long, value_name = "MULTIADDR", default_value = "/ip4/0.0.0.0/tcp/0")]
	pub store_listen: Vec<Multiaddr>,

	/// Where others reach it, if that is not where it listens
	#[arg(long, value_name = "MULTIADDR")]
	pub store_external: Vec<Multiaddr>,

	/// How much of the disk it may take for tasks' content and results, in GiB
	#[arg(long, value_name = "GIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
	pub store_capacity: u64,

	/// Keep blocks in a Kubo daemon instead, by its RPC, for example http://127.0.0.1:5001
	#[arg(long, value_name = "URL", conflicts_with_all = ["store_listen", "store_external"])]
	pub store_kubo: Option<String>,
}

impl Options {
	fn bytes(&self) -> u64 {
		self.store_capacity << 30
	}

	fn store(&self, dir: PathBuf) -> Config {
		match &self.store_kubo {
			Some(url) => Config::Kubo(Kubo { url: url.clone() }),
			None => Config::Embedded(Embedded {
				dir,
				listen: self.store_listen.clone(),
				external: self.store_external.clone(),
				peers: Vec::new(),
				capacity: self.bytes(),
			}),
		}
	}
}

/// A masternode's custody before it is joined to a chain.
pub struct Prepared {
	store: dgcs_store::Store,
	blocking: Arc<BlockingStore>,
	secrets: Secrets,
	ledger: PathBuf,
	identity: PathBuf,
	limits: Limits,
	runtime: tokio::runtime::Handle,
	/// Set once the chain knows this masternode.
	custody: Arc<OnceLock<Arc<Custody>>>,
}

impl Prepared {
	/// Opens the store and reads the secrets.
	pub async fn open(config: &Configuration, options: &Options) -> Result<Self, Error> {
		let other = |error: Box<dyn std::error::Error + Send + Sync>| Error::Application(error);
		let folder = config.base_path.config_dir(config.chain_spec.id()).join(FOLDER);
		let store = dgcs_store::Store::open(&options.store(folder.join("blocks")))
			.await
			.map_err(|error| other(error.into()))?;
		let runtime = config.tokio_handle.clone();
		Ok(Prepared {
			blocking: Arc::new(BlockingStore::new(store.clone(), runtime.clone())),
			store,
			secrets: secrets(config).map_err(|error| other(error.into()))?,
			ledger: folder.join("ledger"),
			identity: folder.join(IDENTITY),
			limits: Limits { budget: options.bytes(), ..Limits::default() },
			runtime,
			custody: Arc::default(),
		})
	}

	/// The methods that it adds to the node's JSON-RPC.
	pub fn rpc(&self) -> RpcModule<CustodyRpc> {
		CustodyRpc::new(self.custody.clone(), self.blocking.clone()).into_rpc()
	}

	/// Follows the chain from now on.
	pub fn spawn(self, client: Arc<FullClient>, tasks: &TaskManager) {
		let spawner = tasks.spawn_handle();
		spawner.spawn("custody", "custody", self.run(client, spawner.clone()));
	}

	async fn run(self, client: Arc<FullClient>, spawner: SpawnTaskHandle) {
		if self.secrets.keys().next().is_none() {
			log::warn!(
				target: LOG_TARGET,
				"This masternode has no encryption key, so no task trusts it with a share: make one with `dgcs key generate-encryption` and register it (`masternodes.update`)"
			);
		}
		let chain = Arc::new(NodeChain::new(client.clone()));
		let mut finalised = client.finality_notification_stream();
		let mut told = String::new();
		let identity = loop {
			match Identity::find(&*chain, &self.secrets, &self.identity) {
				Ok(Some(identity)) => break identity,
				// Registered later than started, perhaps.
				Ok(None) => {},
				Err(error) => {
					// Once, and not with every block.
					let error = error.to_string();
					if told != error {
						log::warn!(target: LOG_TARGET, "{error}");
						told = error;
					}
				},
			}
			if finalised.next().await.is_none() {
				return;
			}
		};
		let left = if identity.left { ", which has left" } else { "" };
		log::info!(target: LOG_TARGET, "🔐 Custody for masternode {}{left}", identity.account);
		let (account, file) = (identity.account.clone(), self.identity);
		let parts = Parts {
			account: account.clone(),
			chain,
			store: self.blocking,
			peers: Arc::new(WebSockets::new(self.runtime.clone())),
			secrets: self.secrets,
			ledger: self.ledger,
			limits: self.limits,
		};
		// It asks the store, and so waits.
		let opening = self.runtime.spawn_blocking(move || {
			// Before anything is kept: once it has left, the chain does not know it any more.
			if !identity.left {
				if let Err(error) = identity.remember(&file) {
					log::error!(target: LOG_TARGET, "{error}");
				}
			}
			Custody::open(parts)
		});
		let custody = match opening.await {
			Ok(Ok(custody)) => Arc::new(custody),
			Ok(Err(error)) => return log::error!(target: LOG_TARGET, "{error}"),
			// The node is ending.
			Err(_) => return,
		};
		let _ = self.custody.set(custody.clone());
		// At once: heirs fetch shares over these connections, also from one that has just started.
		let peers = look_around(client, self.store, account);
		spawner.spawn("custody-peers", "custody", peers);
		let (sender, receiver) = watch::channel(0);
		let follow = async move {
			while let Some(block) = finalised.next().await {
				let _ = sender.send(block.header.number);
			}
		};
		futures::join!(follow, dgcs_custody::run(custody, receiver));
	}
}

/// The secrets in the node's keystore folder, and the well-known one of a well-known account.
fn secrets(config: &Configuration) -> Result<Secrets, dgcs_custody::SecretsError> {
	let mut secrets = match &config.keystore {
		KeystoreConfig::Path { path, .. } => Secrets::read(path)?,
		KeystoreConfig::InMemory => Secrets::default(),
	};
	if let Some(seed) = &config.dev_key_seed {
		let secret = blake2_256(format!("dgcs/dev/encryption{seed}").as_bytes());
		secrets.add(EncryptionSecret::from_bytes(&secret));
	}
	Ok(secrets)
}

/// Connects this store to those of the other masternodes, which owners and workers connect to.
async fn look_around(client: Arc<FullClient>, store: dgcs_store::Store, own: AccountId) {
	let chain = NodeChain::new(client);
	loop {
		if let Ok(at) = chain.finalised() {
			let masternodes = chain.masternodes(at.hash).unwrap_or_default();
			for each in masternodes.iter().filter(|each| each.active && each.account != own) {
				let Ok(masternode) = Masternode::at(&each.address, Patience::default()) else {
					continue;
				};
				let addresses = masternode.store_addresses().await.unwrap_or_default();
				let addresses: Vec<Multiaddr> =
					addresses.iter().filter_map(|address| address.parse().ok()).collect();
				if let Err(error) = store.connect(&addresses).await {
					log::debug!(target: LOG_TARGET, "The store of {}: {error}", each.account);
				}
			}
		}
		tokio::time::sleep(LOOK_AROUND).await;
	}
}
