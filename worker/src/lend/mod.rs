//! What the machine lends (§3.7, §5.4.3.1): what its owner said, what there is, and what may run now.
//!
//! ```text
//! config file ─► Config ─┐
//!                        ├─► Terms ─► Policy ──► Allowance: so many slots, and why no more
//! the machine ─► Machine ┘              ▲
//!     Senses ─► Reading ─► Observation ─┘  every few seconds, by a Lender
//! ```

mod config;
mod container;
mod lender;
mod observe;
mod policy;

pub use config::{Config, ConfigError, Disk, Limits, Share, Terms, Use, When, DEFAULT_CONFIG};
pub use lender::Lender;
pub use observe::{Machine, Observer, Reading, Senses, ThisMachine};
pub use policy::{Allowance, Observation, Policy, Reason};
