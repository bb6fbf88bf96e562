//! What every command needs that touches blocks: client, database, pool and the import queue.

use std::sync::Arc;

use sc_consensus::DefaultImportQueue;
use sc_consensus_babe::{BabeBlockImport, BabeLink, BabeWorkerHandle, ImportQueueParams};
use sc_consensus_grandpa::{GrandpaBlockImport, GrandpaPruningFilter, LinkHalf};
use sc_service::{error::Error, Configuration};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_babe::{inherents::BabeCreateInherentDataProviders, SlotDuration};

use super::{
	seal::{SealOff, SealOn},
	Block, FullBackend, FullClient, HostFunctions, Pool, SelectChain,
};

/// At least one justification is stored in so many blocks, for those who prove finality or join by
/// warp sync: 26 minutes at three seconds a block.
pub(super) const JUSTIFICATION_PERIOD: u32 = 512;

/// What [`new_partial`] makes.
pub type PartialComponents = sc_service::PartialComponents<
	FullClient,
	FullBackend,
	SelectChain,
	DefaultImportQueue<Block>,
	Pool,
	Consensus,
>;

pub(super) type GrandpaImport = GrandpaBlockImport<FullBackend, Block, FullClient, SelectChain>;

pub(super) type BabeImport = SealOn<
	BabeBlockImport<
		Block,
		FullClient,
		SealOff<GrandpaImport>,
		BabeCreateInherentDataProviders<Block>,
		SelectChain,
	>,
>;

/// The ends of BABE and GRANDPA that a running node ties together.
pub struct Consensus {
	/// Where blocks made here enter: BABE's checks, then GRANDPA's, then the client.
	pub block_import: BabeImport,
	/// What BABE's import and its author share: the epochs.
	pub babe_link: BabeLink<Block>,
	/// Answers questions about epochs, for the RPC.
	pub babe_worker: BabeWorkerHandle<Block>,
	/// Time and slot, which an author writes into a block and everybody else checks.
	pub inherents: BabeCreateInherentDataProviders<Block>,
	/// What GRANDPA's import and its voter share: the authority sets.
	pub grandpa_link: LinkHalf<Block, FullClient, SelectChain>,
	/// Where to report to, if `--telemetry-url` or the chain specification says so.
	pub telemetry: Option<Telemetry>,
}

/// Opens the database and builds all that is needed to check and import blocks.
pub fn new_partial(config: &Configuration) -> Result<PartialComponents, Error> {
	let telemetry = config
		.telemetry_endpoints
		.clone()
		.filter(|endpoints| !endpoints.is_empty())
		.map(|endpoints| -> Result<_, sc_telemetry::Error> {
			let worker = TelemetryWorker::new(16)?;
			let telemetry = worker.handle().new_telemetry(endpoints);
			Ok((worker, telemetry))
		})
		.transpose()?;

	let (client, backend, keystore_container, mut task_manager) =
		sc_service::new_full_parts::<Block, _, _>(
			config,
			telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
			sc_service::new_wasm_executor::<HostFunctions>(&config.executor),
			// Warp sync needs the blocks in which masternodes changed, however old they are.
			vec![Arc::new(GrandpaPruningFilter)],
		)?;
	let client = Arc::new(client);

	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager.spawn_handle().spawn("telemetry", None, worker.run());
		telemetry
	});

	let select_chain = SelectChain::new(backend.clone());
	let transaction_pool = Arc::new(
		sc_transaction_pool::Builder::new(
			task_manager.spawn_essential_handle(),
			client.clone(),
			config.role.is_authority().into(),
		)
		.with_options(config.transaction_pool.clone())
		.with_prometheus(config.prometheus_registry())
		.build(),
	);

	let (grandpa_import, grandpa_link) = sc_consensus_grandpa::block_import(
		client.clone(),
		JUSTIFICATION_PERIOD,
		&client,
		select_chain.clone(),
		telemetry.as_ref().map(Telemetry::handle),
	)?;

	let babe_config = sc_consensus_babe::configuration(&*client)?;
	let slot_duration = babe_config.slot_duration();
	let inherents = create_inherents(slot_duration);
	let (block_import, babe_link) = sc_consensus_babe::block_import(
		babe_config,
		SealOff(grandpa_import.clone()),
		client.clone(),
		inherents.clone(),
		select_chain.clone(),
		// The way by which a double author is reported to the runtime, and slashed.
		OffchainTransactionPoolFactory::new(transaction_pool.clone()),
	)?;
	let block_import = SealOn(block_import);
	let (import_queue, babe_worker) = sc_consensus_babe::import_queue(ImportQueueParams {
		link: babe_link.clone(),
		block_import: block_import.clone(),
		justification_import: Some(Box::new(grandpa_import)),
		client: client.clone(),
		slot_duration,
		spawner: &task_manager.spawn_essential_handle(),
		registry: config.prometheus_registry(),
		telemetry: telemetry.as_ref().map(Telemetry::handle),
	})?;
	// The worker behind this handle is essential and ends with its last handle. Not every command
	// has an RPC that holds one.
	task_manager.keep_alive(babe_worker.clone());

	Ok(PartialComponents {
		client,
		backend,
		task_manager,
		keystore_container,
		select_chain,
		import_queue,
		transaction_pool,
		other: Consensus {
			block_import,
			babe_link,
			babe_worker,
			inherents,
			grandpa_link,
			telemetry,
		},
	})
}

/// The time now, and the slot that it falls in.
fn create_inherents(slot_duration: SlotDuration) -> BabeCreateInherentDataProviders<Block> {
	Arc::new(move |_parent, ()| async move {
		let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
		let slot =
			sp_consensus_babe::inherents::InherentDataProvider::from_timestamp_and_slot_duration(
				*timestamp,
				slot_duration,
			);
		Ok((slot, timestamp))
	})
}
