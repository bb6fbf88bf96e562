#![doc = include_str!("../README.md")]

mod bitswap;
mod config;
mod dag;
mod database;
mod embedded;
mod error;
mod kubo;
mod network;
mod store;
mod walk;

pub use config::{Config, Embedded, Kubo, Usage};
pub use error::{Error, Result};
pub use litep2p::types::multiaddr::Multiaddr;
pub use store::Store;

#[cfg(test)]
mod tests;
