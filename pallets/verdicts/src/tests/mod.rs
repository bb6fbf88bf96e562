//! The votes, by what a worker, a liar or a stranger does.

#![allow(clippy::unwrap_used)]

mod closing;
mod feeless;
mod lapses;
mod random;
mod rounds;
mod votes;
