//! Tests by behaviour.
#![allow(clippy::unwrap_used)]

mod conduct;
mod properties;
mod registration;
mod reputation;
mod service;
