//! The real edges: a chain over its RPC, and masternodes by theirs.

mod chain;
mod shares;

pub use chain::LiveChain;
pub use shares::LiveShares;
