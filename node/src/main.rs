#![doc = include_str!("../README.md")]
// The errors of `sc-cli` and `sc-service` are large, and each is returned once in a node's life.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod encryption_key;
mod rpc;
mod service;

use std::{error::Error, process::ExitCode};

/// Gives memory back that the C library's allocator would keep for each thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
	match command::run() {
		Ok(code) => code,
		Err(error) => {
			eprintln!("Error: {}", with_causes(&error));
			ExitCode::FAILURE
		},
	}
}

/// The error and what caused it, on one line.
///
/// Many errors of the SDK repeat their cause in their own text: such a cause is left out.
fn with_causes(error: &dyn Error) -> String {
	let mut text = error.to_string();
	let mut cause = error.source();
	while let Some(error) = cause {
		let next = error.to_string();
		if !text.contains(&next) {
			text = format!("{text}: {next}");
		}
		cause = error.source();
	}
	text
}
