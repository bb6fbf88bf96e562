//! Every pallet's configuration, by what it is for.

mod accounts;
mod consensus;
mod dgcs;
mod money;
mod system;

pub use accounts::ProxyType;
pub use consensus::{key_owner_proof, BABE_GENESIS_EPOCH_CONFIG};
pub use system::{RuntimeBlockLength, RuntimeBlockWeights};
