//! Keys: which there are, how they are derived, shared among masternodes and sealed to people.
//!
//! Data flows one way: owner's secret → key of a scope → key of one use → segments. Who has a key
//! can derive what is right of it and nothing left of it.

mod derive;
mod release;
mod seal;
mod share;

pub use derive::{Cipher, OwnerSecret, Place, Scope, ScopeKey, TaskKeys, TaskNonce, Use, TAG_SIZE};
pub use release::{open_release, seal_release, KeyRing};
pub use seal::EncryptionSecret;
pub use share::{HolderShares, Share, Sharing};

pub(crate) use share::SharesWriter;
