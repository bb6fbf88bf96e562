//! What the tests of the whole runtime share.

#![allow(clippy::unwrap_used, missing_docs, dead_code, unused_imports)]

pub mod blocks;
mod driver;
pub mod signing;
pub mod state;

pub use driver::*;
