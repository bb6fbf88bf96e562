#![doc = include_str!("../README.md")]

pub mod book;
mod custody;
pub mod edges;
mod hand_over;
pub mod heirs;
mod keeper;
pub mod ledger;
mod open;
pub mod peers;
mod release;
pub mod rpc;
pub mod secrets;
mod service;

pub use book::{Held, Limits};
pub use custody::{Custody, Parts};
pub use edges::{AccountId, Balance, Block, Chain, ChainError, PeerError, Peers, Store};
pub use hand_over::{HandedOver, Offer, OfferError};
pub use ledger::LedgerError;
pub use release::{Refusal, Released};
pub use secrets::{generate, Secrets, SecretsError};
pub use service::run;

const LOG_TARGET: &str = "custody";
