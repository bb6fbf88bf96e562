#![doc = include_str!("../README.md")]

pub mod chain;
mod drive;
pub mod execute;
mod hash;
mod journal;
pub mod lend;
pub mod machine;
mod show;
mod slots;

pub use drive::{Edges, Note, Worker};
pub use journal::{Journal, JournalError};
pub use show::{ShowError, Store};
pub use slots::Slots;
