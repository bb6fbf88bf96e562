//! GRANDPA: votes on what is final when this node is a masternode, follows the votes when not.

use std::{sync::Arc, time::Duration};

use sc_consensus_grandpa::{
	run_grandpa_voter, Config, GrandpaParams, LinkHalf, SharedVoterState,
	ThreeQuartersOfTheUnfinalizedChain, VotingRulesBuilder,
};
use sc_network::{service::traits::NetworkService, NotificationService, ProtocolName};
use sc_network_sync::SyncingService;
use sc_service::{error::Error, Role, TaskManager};
use sc_telemetry::TelemetryHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_keystore::KeystorePtr;
use substrate_prometheus_endpoint::Registry;

use super::{partial::JUSTIFICATION_PERIOD, Block, FullClient, Pool, SelectChain};

/// How long a vote is thought to take to reach everybody.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);

/// What the voter works with.
pub struct Finality {
	/// What the import of blocks has set up.
	pub link: LinkHalf<Block, FullClient, SelectChain>,
	/// Where equivocation reports go.
	pub pool: Arc<Pool>,
	/// Where the session keys are. Nobody votes without.
	pub keystore: KeystorePtr,
	/// The network.
	pub network: Arc<dyn NetworkService>,
	/// What the network's peers have.
	pub sync: Arc<SyncingService<Block>>,
	/// The name of GRANDPA's protocol on this chain.
	pub protocol_name: ProtocolName,
	/// Where its messages come in.
	pub notifications: Box<dyn NotificationService>,
	/// Where the RPC looks up how the vote goes.
	pub voter_state: SharedVoterState,
	/// Masternode or full node.
	pub role: Role,
	/// The node's name, for its log and telemetry.
	pub name: String,
	/// Metrics, if any.
	pub metrics: Option<Registry>,
	/// Telemetry, if any.
	pub telemetry: Option<TelemetryHandle>,
}

impl Finality {
	/// Votes or follows for as long as the node runs. A node that no longer learns what is final
	/// is of no use, so it ends as well.
	pub fn spawn(self, task_manager: &TaskManager) -> Result<(), Error> {
		let config = Config {
			gossip_duration: GOSSIP_DURATION,
			justification_generation_period: JUSTIFICATION_PERIOD,
			observer_enabled: false,
			// A full node may have keys in its keystore; they vote on a masternode alone.
			keystore: self.role.is_authority().then_some(self.keystore),
			local_role: self.role,
			name: Some(self.name),
			telemetry: self.telemetry.clone(),
			protocol_name: self.protocol_name,
		};
		let voter = run_grandpa_voter(GrandpaParams {
			config,
			link: self.link,
			network: self.network,
			sync: self.sync,
			notification_service: self.notifications,
			// Up to the best block, where the SDK's default stays two blocks behind it: a lease and a
			// reveal each wait until they are final. On a fork the voters meet at the common ancestor.
			voting_rule: VotingRulesBuilder::new().add(ThreeQuartersOfTheUnfinalizedChain).build(),
			prometheus_registry: self.metrics,
			shared_voter_state: self.voter_state,
			telemetry: self.telemetry,
			// The way by which a double voter is reported to the runtime, and slashed.
			offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(self.pool),
		})?;
		task_manager.spawn_essential_handle().spawn_blocking("grandpa-voter", None, voter);
		Ok(())
	}
}
