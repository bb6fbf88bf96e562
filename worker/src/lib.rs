#![doc = include_str!("../README.md")]

pub mod chain;
pub mod execute;
mod hash;
mod journal;
pub mod lend;
pub mod machine;
mod slots;

pub use journal::{Journal, JournalError};
pub use slots::Slots;
