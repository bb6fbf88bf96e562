//! BABE's author: makes a block in each slot that is this masternode's.

use std::sync::Arc;

use sc_basic_authorship::ProposerFactory;
use sc_consensus_babe::{start_babe, BabeLink, BabeParams, SlotProportion};
use sc_consensus_slots::BackoffAuthoringOnFinalizedHeadLagging;
use sc_network_sync::SyncingService;
use sc_service::{error::Error, TaskManager};
use sc_telemetry::TelemetryHandle;
use sp_consensus_babe::inherents::BabeCreateInherentDataProviders;
use sp_keystore::KeystorePtr;
use substrate_prometheus_endpoint::Registry;

use super::{partial::BabeImport, Block, FullClient, Pool, SelectChain};

/// How much of its slot an author may fill a block for: as much as the runtime lets a block weigh.
/// The rest is for the block's way to the others and for their checking it, which takes about as
/// long again, before the next slot begins.
const PROPOSAL_PORTION: f32 = 0.5;

/// What the author works with.
pub struct Authoring {
	/// The chain.
	pub client: Arc<FullClient>,
	/// Where the transactions come from.
	pub pool: Arc<Pool>,
	/// Which block to build on.
	pub select_chain: SelectChain,
	/// Where the session keys are.
	pub keystore: KeystorePtr,
	/// Where a finished block goes.
	pub block_import: BabeImport,
	/// Epochs and slots.
	pub babe_link: BabeLink<Block>,
	/// Time and slot.
	pub inherents: BabeCreateInherentDataProviders<Block>,
	/// Whether the node is still catching up, and then makes no blocks.
	pub sync: Arc<SyncingService<Block>>,
	/// Make blocks with no peers as well.
	pub force: bool,
	/// Metrics, if any.
	pub metrics: Option<Registry>,
	/// Telemetry, if any.
	pub telemetry: Option<TelemetryHandle>,
}

impl Authoring {
	/// Makes blocks for as long as the node runs. A masternode whose author ends, ends.
	pub fn spawn(self, task_manager: &TaskManager) -> Result<(), Error> {
		let env = ProposerFactory::new(
			task_manager.spawn_handle(),
			self.client.clone(),
			self.pool,
			self.metrics.as_ref(),
			self.telemetry.clone(),
		);
		let author = start_babe(BabeParams {
			keystore: self.keystore,
			client: self.client,
			select_chain: self.select_chain,
			env,
			block_import: self.block_import,
			sync_oracle: self.sync.clone(),
			justification_sync_link: self.sync,
			create_inherent_data_providers: self.inherents,
			force_authoring: self.force,
			// When finality stalls, fewer and fewer blocks: there may be a long way to go back.
			backoff_authoring_blocks: Some(BackoffAuthoringOnFinalizedHeadLagging::default()),
			babe_link: self.babe_link,
			block_proposal_slot_portion: SlotProportion::new(PROPOSAL_PORTION),
			max_block_proposal_slot_portion: None,
			telemetry: self.telemetry,
		})?;
		task_manager.spawn_essential_handle().spawn_blocking(
			"babe-author",
			Some("block-authoring"),
			author,
		);
		Ok(())
	}
}
