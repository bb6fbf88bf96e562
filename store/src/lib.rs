//! Where blocks are: the IPFS peer inside, or a Kubo daemon.

mod bitswap;
mod dag;
mod database;
mod error;

pub use error::{Error, Result};
/// Where the store is.
#[derive(Debug)]
pub struct Store;
