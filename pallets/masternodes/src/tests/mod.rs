//! Tests by behaviour.
#![allow(clippy::unwrap_used)]

mod candidates;
mod genesis;
mod offences;
mod pot;
mod properties;
mod sessions;
