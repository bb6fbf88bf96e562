//! Ranges computed for real: real contents, real key shares, real programs in the real sandbox.

#![allow(clippy::unwrap_used)] // A test that panics is a test that fails.

mod execute;
mod scene;
