//! The runtime's offchain workers: runtime code that runs after each new best block, outside of it.

use std::sync::Arc;

use futures::FutureExt;
use sc_client_api::Backend;
use sc_network::service::traits::NetworkService;
use sc_offchain::{OffchainWorkerOptions, OffchainWorkers};
use sc_service::{error::Error, TaskManager};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_keystore::KeystorePtr;

use super::{FullBackend, FullClient, Pool};

/// What the offchain workers may use.
pub struct Offchain {
	/// The chain.
	pub client: Arc<FullClient>,
	/// Their own storage.
	pub backend: Arc<FullBackend>,
	/// Where their transactions go.
	pub pool: Arc<Pool>,
	/// The keys that they may sign with.
	pub keystore: KeystorePtr,
	/// What they may know of the network.
	pub network: Arc<dyn NetworkService>,
	/// Whether this node is a masternode.
	pub is_masternode: bool,
}

impl Offchain {
	/// Runs them for as long as the node runs.
	pub fn spawn(self, task_manager: &TaskManager) -> Result<(), Error> {
		let workers = OffchainWorkers::new(OffchainWorkerOptions {
			runtime_api_provider: self.client.clone(),
			keystore: Some(self.keystore),
			offchain_db: self.backend.offchain_storage(),
			transaction_pool: Some(OffchainTransactionPoolFactory::new(self.pool)),
			network_provider: Arc::new(self.network),
			is_validator: self.is_masternode,
			// Our runtime fetches nothing, and an upgrade of it shall not make masternodes do so.
			enable_http_requests: false,
			custom_extensions: |_| vec![],
		})?;
		task_manager.spawn_handle().spawn(
			"offchain-workers-runner",
			"offchain-worker",
			workers.run(self.client, task_manager.spawn_handle()).boxed(),
		);
		Ok(())
	}
}
