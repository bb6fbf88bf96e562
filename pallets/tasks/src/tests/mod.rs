//! Tests by behaviour.

#![allow(clippy::unwrap_used)]

mod draws;
mod endings;
mod funding;
mod properties;
mod pure;
mod submission;
