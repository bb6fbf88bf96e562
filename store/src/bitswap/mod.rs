//! Bitswap 1.2.0: how peers exchange blocks.
//!
//! [`message`] is what is said, [`wants`] decides whom to ask for what, [`link`] reads and writes the
//! streams of one peer, [`exchange`] brings these together.

mod exchange;
mod link;
mod message;
mod wants;

pub(crate) use exchange::{Answer, Command, Exchange, Handle, Timing};
pub(crate) use wants::Failed;
#[cfg(test)]
pub(crate) use {
	link::Deadlines,
	message::{Ask, Message, Want, PROTOCOL},
	wants::Limits,
};
