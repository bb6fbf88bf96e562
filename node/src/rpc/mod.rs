//! The JSON-RPC of a node: what the SDK brings (`author_*`, `chain_*`, `state_*`, …) is merged with
//! what is made here.
//!
//! | module | methods |
//! | --- | --- |
//! | this one | `system_accountNextIndex`, `payment_*`, `babe_*`, `grandpa_*` |
//! | `dgcs` | `dgcs_*`: tasks, queue, ranges, work chains, workers, masternodes, estimates |
//! | of `dgcs-custody` | `dgcs_*` of a masternode: where its store is, what it holds, key shares |
//!
//! What `dgcs_*` takes is read by `dgcs-rpc`, what it returns is laid out in `views`, and what can go
//! wrong is in `error` and `refusal`.

mod dgcs;
mod error;
mod refusal;
#[cfg(test)]
mod tests;
mod views;

use std::sync::Arc;

use dgcs_custody::rpc::CustodyRpc;
use jsonrpsee::RpcModule;
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_babe_rpc::{Babe, BabeApiServer};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sp_keystore::KeystorePtr;
use sp_runtime::traits::NumberFor;
use substrate_frame_rpc_system::{System, SystemApiServer};

use crate::service::{Block, BlockHash, FullBackend, FullClient, Pool, SelectChain};
use dgcs::{Dgcs, DgcsApiServer};

/// What the methods read from.
pub struct Dependencies {
	/// The chain, and the runtime at each of its blocks.
	pub client: Arc<FullClient>,
	/// The transactions that wait.
	pub pool: Arc<Pool>,
	/// Which block is best.
	pub select_chain: SelectChain,
	/// This node's own keys.
	pub keystore: KeystorePtr,
	/// Who may author when.
	pub babe_worker: BabeWorkerHandle<Block>,
	/// What is final, and why.
	pub grandpa: GrandpaDependencies,
	/// The methods of a masternode's custody.
	pub custody: Option<RpcModule<CustodyRpc>>,
}

/// What the `grandpa_*` methods read from.
pub struct GrandpaDependencies {
	/// How the current vote goes.
	pub voter_state: SharedVoterState,
	/// Who votes.
	pub authority_set: SharedAuthoritySet<BlockHash, NumberFor<Block>>,
	/// Each justification as it comes in.
	pub justifications: GrandpaJustificationStream<Block>,
	/// Proves that a block is final.
	pub proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
}

/// All methods that the SDK does not bring by itself.
pub fn create(
	deps: &Dependencies,
	executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
	let Dependencies { client, pool, select_chain, keystore, babe_worker, grandpa, custody } = deps;
	let mut module = RpcModule::new(());

	module.merge(System::new(client.clone(), pool.clone()).into_rpc())?;
	module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
	module.merge(
		Babe::new(client.clone(), babe_worker.clone(), keystore.clone(), select_chain.clone())
			.into_rpc(),
	)?;
	module.merge(
		Grandpa::new(
			executor,
			grandpa.authority_set.clone(),
			grandpa.voter_state.clone(),
			grandpa.justifications.clone(),
			grandpa.proofs.clone(),
		)
		.into_rpc(),
	)?;
	module.merge(Dgcs::new(client.clone()).into_rpc())?;
	if let Some(custody) = custody {
		module.merge(custody.clone())?;
	}

	Ok(module)
}
