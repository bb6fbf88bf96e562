#![doc = include_str!("../README.md")]

pub mod masternode;
mod params;
mod spec;

pub use params::{optional, required, shortened, FromJson, Param, ParamError};
pub use spec::{Digits, SpecJson};

/// An account on the top-level chain.
pub type AccountId = sp_core::crypto::AccountId32;
/// Money on the top-level chain, in its smallest unit.
pub type Balance = u128;
