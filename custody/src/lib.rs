#![doc = include_str!("../README.md")]

mod book;
mod custody;
mod edges;
mod file;
mod hand_over;
pub mod heirs;
mod identity;
mod keeper;
mod ledger;
mod open;
pub mod peers;
mod release;
pub mod rpc;
mod secrets;
mod service;
mod words;
mod work;

pub use book::{Item, Job, Limits, MAX_PRIVATE, MAX_PROGRAM};
pub use custody::{Custody, Parts};
pub use dgcs_rpc::masternode::Held;
pub use edges::{
	AccountId, Balance, Block, Chain, ChainError, PeerError, Peers, Receipt, Receipts, Store,
};
pub use hand_over::{HandedOver, Offer, OfferError};
pub use identity::{Identity, IdentityError};
pub use ledger::LedgerError;
pub use release::{Refusal, Released};
pub use secrets::{generate, restore, Secrets, SecretsError};
pub use service::run;
pub use words::{from_words, to_words, WordsError};
pub use work::{KeptBlock, KeptPage};

const LOG_TARGET: &str = "custody";
