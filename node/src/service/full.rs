//! A node that runs: everything from [`new_partial`](super::new_partial), joined to the network.

use std::sync::Arc;

use sc_client_api::HeaderBackend;
use sc_consensus_grandpa::{
	grandpa_peers_set_config, protocol_standard_name, warp_proof, FinalityProofProvider,
	SharedVoterState,
};
use sc_network::{
	config::{FullNetworkConfiguration, NetworkBackendType},
	Litep2pNetworkBackend, NetworkBackend, NetworkWorker,
};
use sc_service::{
	error::Error, BuildNetworkParams, Configuration, SpawnTasksParams, TaskManager, WarpSyncConfig,
};
use sc_telemetry::Telemetry;

use super::{
	authoring::Authoring, custody, finality::Finality, new_partial, offchain::Offchain,
	partial::Consensus, Block, BlockHash, PartialComponents,
};
use crate::rpc::{self, GrandpaDependencies};

/// Starts a masternode or a full node, as the configuration says. It runs until the returned
/// manager is dropped, or until one of its essential tasks ends.
///
/// `custody`: what a masternode keeps tasks' content with.
pub fn new_full(
	config: Configuration,
	custody: Option<custody::Prepared>,
) -> Result<TaskManager, Error> {
	match config.network.network_backend {
		NetworkBackendType::Litep2p => start::<Litep2pNetworkBackend>(config, custody),
		NetworkBackendType::Libp2p => start::<NetworkWorker<Block, BlockHash>>(config, custody),
	}
}

fn start<N: NetworkBackend<Block, BlockHash>>(
	config: Configuration,
	custody: Option<custody::Prepared>,
) -> Result<TaskManager, Error> {
	let PartialComponents {
		client,
		backend,
		mut task_manager,
		import_queue,
		keystore_container,
		select_chain,
		transaction_pool,
		other:
			Consensus { block_import, babe_link, babe_worker, inherents, grandpa_link, mut telemetry },
	} = new_partial(&config)?;
	let keystore = keystore_container.keystore();
	let registry = config.prometheus_registry().cloned();

	let mut net_config =
		FullNetworkConfiguration::<Block, BlockHash, N>::new(&config.network, registry.clone());
	let metrics = N::register_notification_metrics(registry.as_ref());
	let grandpa_protocol = protocol_standard_name(&client.info().genesis_hash, &config.chain_spec);
	let (grandpa_config, grandpa_notifications) = grandpa_peers_set_config::<Block, N>(
		grandpa_protocol.clone(),
		metrics.clone(),
		net_config.peer_store_handle(),
	);
	net_config.add_notification_protocol(grandpa_config);

	let warp_sync = Arc::new(warp_proof::NetworkProvider::new(
		backend.clone(),
		grandpa_link.shared_authority_set().clone(),
		Vec::new(),
	));
	let (network, system_rpc_tx, tx_handler_controller, sync_service, _bitswap) =
		sc_service::build_network(BuildNetworkParams {
			config: &config,
			net_config,
			client: client.clone(),
			transaction_pool: transaction_pool.clone(),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	if config.offchain_worker.enabled {
		Offchain {
			client: client.clone(),
			backend: backend.clone(),
			pool: transaction_pool.clone(),
			keystore: keystore.clone(),
			network: network.clone(),
			is_masternode: config.role.is_authority(),
		}
		.spawn(&task_manager)?;
	}

	let custody_rpc = custody.as_ref().map(custody::Prepared::rpc);
	if let Some(custody) = custody {
		custody.spawn(client.clone(), &task_manager);
	}

	let voter_state = SharedVoterState::empty();
	let rpc = rpc::Dependencies {
		custody: custody_rpc,
		client: client.clone(),
		pool: transaction_pool.clone(),
		select_chain: select_chain.clone(),
		keystore: keystore.clone(),
		babe_worker,
		grandpa: GrandpaDependencies {
			voter_state: voter_state.clone(),
			authority_set: grandpa_link.shared_authority_set().clone(),
			justifications: grandpa_link.justification_stream(),
			proofs: FinalityProofProvider::new_for_service(
				backend.clone(),
				Some(grandpa_link.shared_authority_set().clone()),
			),
		},
	};

	// What is needed of the configuration after the next step takes it.
	let role = config.role;
	let name = config.network.node_name.clone();
	let force_authoring = config.force_authoring;
	let disable_grandpa = config.disable_grandpa;

	sc_service::spawn_tasks(SpawnTasksParams {
		config,
		client: client.clone(),
		backend,
		task_manager: &mut task_manager,
		keystore: keystore.clone(),
		transaction_pool: transaction_pool.clone(),
		rpc_builder: Box::new(move |executor| Ok(rpc::create(&rpc, executor)?)),
		network: network.clone(),
		system_rpc_tx,
		tx_handler_controller,
		sync_service: sync_service.clone(),
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;
	let telemetry = telemetry.as_ref().map(Telemetry::handle);

	if role.is_authority() {
		Authoring {
			client,
			pool: transaction_pool.clone(),
			select_chain,
			keystore: keystore.clone(),
			block_import,
			babe_link,
			inherents,
			sync: sync_service.clone(),
			force: force_authoring,
			metrics: registry.clone(),
			telemetry: telemetry.clone(),
		}
		.spawn(&task_manager)?;
	}

	if !disable_grandpa {
		Finality {
			link: grandpa_link,
			pool: transaction_pool,
			keystore,
			network,
			sync: sync_service,
			protocol_name: grandpa_protocol,
			notifications: grandpa_notifications,
			voter_state,
			role,
			name,
			metrics: registry,
			telemetry,
		}
		.spawn(&task_manager)?;
	}

	Ok(task_manager)
}
