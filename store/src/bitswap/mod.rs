//! Bitswap: how peers exchange blocks.

mod message;
mod wants;
