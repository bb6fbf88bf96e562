#![doc = include_str!("../README.md")]

mod adopt;
mod attend;
pub mod cli;
mod content;
mod error;
mod fetch;
mod follow;
mod hold;
mod ledger;
pub mod money;
mod network;
mod progress;
mod quote;
pub mod record;
mod submit;
mod summary;
mod survey;
mod trial;
pub mod wish;
mod workforce;

pub use adopt::adopt;
pub use content::{begin, manifest, prepare, read_program, release, resume, roots};
pub use error::{Error, Result};
pub use fetch::{fetch, verdicts, SOLUTION};
pub use follow::{look, watch, Stage};
pub use hold::{hold, holders, needed};
pub use ledger::{Entry, Ledger, Receipt};
pub use network::{Masternode, Network};
pub use progress::{Progress, Tell};
pub use quote::{quote, submission, Quote};
pub use submit::{find, submit};
pub use summary::{summarize, Summary, VoteSummary, WorkerSummary};
pub use survey::{survey, Survey};
pub use trial::{Attempt, Most, Step, Trial};
pub use workforce::Workforce;
