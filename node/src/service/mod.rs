//! A node put together: database, network, consensus, transaction pool, RPC.
//!
//! [`new_partial`] makes what every command needs, [`new_full`] a node that runs. The parts of a
//! running node have a module each:
//!
//! | module | what it starts |
//! | --- | --- |
//! | `authoring` | BABE: makes blocks, when this node is a masternode |
//! | `finality` | GRANDPA: votes when this node is a masternode, follows the votes when not |
//! | `custody` | what a masternode keeps for tasks: content, results, key shares |
//! | `offchain` | the runtime's offchain workers |
//!
//! `seal` is what it takes for a double author to be slashed.

mod authoring;
pub mod custody;
mod finality;
mod full;
mod offchain;
mod partial;
mod seal;

use std::sync::Arc;

use sc_executor::WasmExecutor;
use sp_runtime::traits::NumberFor;

pub use dgcs_runtime::opaque::Block;
pub use full::new_full;
pub use partial::{new_partial, PartialComponents};

/// Names a block of the top-level chain.
pub type BlockHash = dgcs_runtime::Hash;

/// What the runtime may call in the node: nothing of our own.
type HostFunctions = sp_io::SubstrateHostFunctions;

/// Access to the chain's blocks and state, and to the runtime at each of them.
pub type FullClient =
	sc_service::TFullClient<Block, dgcs_runtime::RuntimeApi, WasmExecutor<HostFunctions>>;

/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;

/// Which chain is best: the longest that holds what is final.
pub type SelectChain = sc_consensus::LongestChain<FullBackend, Block>;

/// The transaction pool, fork-aware or single-state, as `--pool-type` says.
pub type Pool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;

/// Takes back up to `blocks` blocks in what BABE and GRANDPA have noted about them.
pub fn revert(
	client: Arc<FullClient>,
	backend: Arc<FullBackend>,
	blocks: NumberFor<Block>,
) -> sc_cli::Result<()> {
	sc_consensus_babe::revert(client.clone(), backend, blocks)?;
	sc_consensus_grandpa::revert(client, blocks)?;
	Ok(())
}
