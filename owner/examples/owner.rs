//! The owner's commands alone, as the binary `dgcs` has them: `cargo run --example owner -- task --help`.

use std::process::ExitCode;

use clap::Parser;
use dgcs_owner::cli::{AccountCommand, TaskCommand};

#[derive(Debug, Parser)]
#[command(name = "dgcs")]
enum Command {
	/// Have things computed
	#[command(subcommand)]
	Task(TaskCommand),
	/// Keep the keys that sign
	#[command(subcommand)]
	Account(AccountCommand),
}

fn main() -> ExitCode {
	match Command::parse() {
		Command::Task(command) => command.run().into(),
		Command::Account(command) => command.run().into(),
	}
}
