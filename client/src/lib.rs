#![doc = include_str!("../README.md")]

mod account;
pub mod call;
mod chain;
mod error;
pub mod event;
mod keystore;
pub mod masternode;
mod read;
mod runtime;
mod transport;
mod tx;
pub mod user;
mod vote;
mod work_chain;

pub use account::{
	parse_address, Account, AccountError, AccountId, SecretPhrase, ENCRYPTION_DOMAIN, OWNER_DOMAIN,
};
pub use call::Call;
pub use chain::{Chain, Head, Heads};
pub use dgcs_rpc::masternode::{Held, ReleasedShare};
pub use error::{Error, Failure, Result};
pub use event::Events;
pub use keystore::{AccountFile, Keystore, KeystoreError, MAX_NAME};
pub use masternode::Masternode;
pub use read::{At, Funds};
pub use runtime::{api, spec_version};
pub use transport::Options;
pub use tx::{fee, Included, Sender, Sent, LIFETIME};
pub use vote::{Phase, RangeVote, Seat, SeatState};
pub use work_chain::{Receipt, Verdict, WorkChain};

/// Money, in the smallest unit: 1 DGC is 10^12 of it.
pub type Balance = u128;
