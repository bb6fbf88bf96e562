//! What the machine lends (§3.7, §5.4.3.1): what its owner said, what there is, and what may run now.
//!
//! ```text
//! config file ─► Config ─┐
//!                        ├─► Terms ─► Policy ──► Allowance: so many slots, and why no more
//! the machine ─► Machine ┘              ▲
//!             ─► Observation ───────────┘  every few seconds
//! ```

mod config;
mod observe;
mod policy;

pub use config::{Config, ConfigError, Limits, Share, Terms, Use, When, DEFAULT_CONFIG};
pub use observe::{Machine, Observer};
pub use policy::{Allowance, Observation, Policy, Reason};
