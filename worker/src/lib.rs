#![doc = include_str!("../README.md")]

pub mod chain;
mod command;
mod drive;
pub mod execute;
mod forget;
mod hash;
mod journal;
pub mod lend;
pub mod live;
pub mod machine;
mod registration;
mod show;
mod slots;

pub use command::{Format, WorkerCommand, WorkerError};
pub use drive::{Edges, Note, Worker};
pub use journal::{Blocks, Journal, JournalError};
pub use registration::RegistrationError;
pub use show::{ShowError, Store};
pub use slots::Slots;
