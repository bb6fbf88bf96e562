//! The real edges: a chain over its RPC, masternodes by theirs, and a store among theirs.

mod chain;
mod shares;
mod store;

pub use chain::LiveChain;
pub use shares::LiveShares;
pub use store::LiveStore;
