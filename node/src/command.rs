//! From what was typed to what is run.

use std::process::ExitCode;

use sc_cli::{Error, Result, RunCmd, SubstrateCli};
use sc_service::{ChainType, Configuration};

use crate::{
	cli::{Cli, Command, Key},
	encryption_key,
	service::{self, custody, Block, PartialComponents},
};

/// Reads the command line and does what it says.
pub fn run() -> Result<ExitCode> {
	let cli = &Cli::from_args();
	let done = match &cli.command {
		// These say themselves what went wrong.
		Command::Task(command) => return Ok(command.run().into()),
		Command::Account(command) | Command::Key(Key::Account(command)) => {
			return Ok(command.run().into())
		},
		Command::Masternode(command) => {
			run_node(cli, &masternode(&command.run), Some(command.custody.clone()))
		},
		Command::Node(run) => run_node(cli, full_node(run)?, None),
		Command::Worker(command) => command.run().map_err(|error| Error::Application(error.into())),
		Command::Key(Key::Sdk(command)) => command.run(cli),
		Command::Key(Key::GenerateEncryption(at)) => encryption_key::generate(cli, at),
		Command::Key(Key::ShowEncryption(at)) => encryption_key::show(cli, at),
		Command::Key(Key::BackupEncryption(command)) => encryption_key::back_up(cli, command),
		Command::Key(Key::RestoreEncryption(at)) => encryption_key::restore(cli, at),
		Command::ChainInfo(command) => {
			cli.create_runner(command)?.sync_run(|config| command.run::<Block>(&config))
		},
		Command::ExportChainSpec(command) => command.run(cli.load_spec(&command.chain)?),
		Command::BuildSpec(command) => cli
			.create_runner(command)?
			.sync_run(|config| command.run(config.chain_spec, config.network)),
		Command::PurgeChain(command) => {
			cli.create_runner(command)?.sync_run(|config| command.run(config.database))
		},
		Command::CheckBlock(command) => cli.create_runner(command)?.async_run(|config| {
			let PartialComponents { client, task_manager, import_queue, .. } =
				service::new_partial(&config)?;
			Ok((command.run(client, import_queue), task_manager))
		}),
		Command::ExportBlocks(command) => cli.create_runner(command)?.async_run(|config| {
			let PartialComponents { client, task_manager, .. } = service::new_partial(&config)?;
			Ok((command.run(client, config.database), task_manager))
		}),
		Command::ExportState(command) => cli.create_runner(command)?.async_run(|config| {
			let PartialComponents { client, task_manager, .. } = service::new_partial(&config)?;
			Ok((command.run(client, config.chain_spec), task_manager))
		}),
		Command::ImportBlocks(command) => cli.create_runner(command)?.async_run(|config| {
			let PartialComponents { client, task_manager, import_queue, .. } =
				service::new_partial(&config)?;
			Ok((command.run(client, import_queue), task_manager))
		}),
		Command::Revert(command) => cli.create_runner(command)?.async_run(|config| {
			let PartialComponents { client, task_manager, backend, .. } =
				service::new_partial(&config)?;
			Ok((command.run(client, backend, Some(Box::new(service::revert))), task_manager))
		}),
	};
	done.map(|()| ExitCode::SUCCESS)
}

fn run_node(cli: &Cli, run: &RunCmd, custody: Option<custody::Options>) -> Result<()> {
	let runner = cli.create_runner(run).map_err(|error| explain(error, run))?;
	runner.run_node_until_exit(|config| async move {
		let custody = match custody {
			Some(options) => Some(custody::Prepared::open(&config, &options).await?),
			None => None,
		};
		service::new_full(author_when_alone(config), custody).map_err(Error::Service)
	})
}

/// Says in our commands what the SDK says in its own.
fn explain(error: Error, run: &RunCmd) -> Error {
	let Error::NetworkKeyNotFound(path) = error else { return error };
	let chain = run.shared_params.chain.as_deref().unwrap_or("local");
	let folder = match &run.shared_params.base_path {
		Some(folder) => format!("--base-path {}", folder.display()),
		None => "--default-base-path".into(),
	};
	Error::Input(format!(
		"a masternode needs a network identity by which the others find it again, and there is \
		 none at {}: make it once with `dgcs key generate-node-key --chain {chain} {folder}`, or \
		 give `--node-key-file`",
		path.display()
	))
}

/// The run flags of a masternode: those given, with the role set.
fn masternode(run: &RunCmd) -> RunCmd {
	let mut run = run.clone();
	run.validator = true;
	// Others need to find a masternode again, so the SDK refuses to make up a network identity for
	// one. With keys that everybody has, or in a folder that is deleted, there is nothing to find.
	if run.get_keyring().is_some() || run.tmp {
		run.network_params.node_key_params.unsafe_force_node_key_generation = true;
	}
	run
}

/// The run flags of a full node: those given, unless one of them makes it a masternode.
fn full_node(run: &RunCmd) -> Result<&RunCmd> {
	let flag = if let Some(key) = run.get_keyring() {
		format!("--{}", key.to_string().to_lowercase())
	} else if run.validator {
		"--validator".into()
	} else if run.force_authoring {
		"--force-authoring".into()
	} else if run.shared_params.dev {
		"--dev".into()
	} else {
		return Ok(run);
	};
	Err(Error::Input(format!(
		"`{flag}` is for masternodes: run `dgcs masternode {flag}`, or leave it out (`dgcs node \
		 --chain dev` follows a development chain that runs elsewhere)"
	)))
}

/// A development chain has one masternode, which therefore never has a peer to wait for.
fn author_when_alone(mut config: Configuration) -> Configuration {
	config.force_authoring |= config.chain_spec.chain_type() == ChainType::Development;
	config
}

#[cfg(test)]
mod tests {
	use super::*;
	use sc_cli::{CliConfiguration, Role};

	fn parse(line: &str) -> Box<RunCmd> {
		let cli = Cli::try_from_iter(line.split_whitespace()).expect("the line is well-formed");
		match cli.command {
			Command::Masternode(command) => Box::new(command.run),
			Command::Node(run) => run,
			other => panic!("not a command that runs a node: {other:?}"),
		}
	}

	fn role(run: &RunCmd) -> Role {
		run.role(run.is_dev().expect("a flag")).expect("a flag")
	}

	#[test]
	fn masternode_is_an_authority() {
		let run = masternode(&parse("dgcs masternode --chain local"));
		assert!(matches!(role(&run), Role::Authority));
		assert!(!run.network_params.node_key_params.unsafe_force_node_key_generation);
	}

	#[test]
	fn well_known_keys_need_no_network_identity() {
		let run = masternode(&parse("dgcs masternode --chain local --bob"));
		assert!(run.network_params.node_key_params.unsafe_force_node_key_generation);
	}

	#[test]
	fn missing_network_identity_says_how_to_make_one() {
		let run = parse("dgcs masternode --chain net.json --base-path /data");
		let error = explain(Error::NetworkKeyNotFound("/data/key".into()), &run).to_string();
		let command = "dgcs key generate-node-key --chain net.json --base-path /data";
		assert!(error.contains("/data/key") && error.contains(command), "{error}");
	}

	#[test]
	fn dev_is_alice_on_the_development_chain() {
		let run = masternode(&parse("dgcs masternode --dev"));
		assert_eq!(run.chain_id(true).expect("a flag"), "dev");
		assert_eq!(run.dev_key_seed(true).expect("a flag").as_deref(), Some("//Alice"));
		assert!(run.force_authoring().expect("a flag"));
	}

	#[test]
	fn full_node_is_no_authority() {
		let run = parse("dgcs node --chain local");
		assert!(matches!(role(full_node(&run).expect("no such flag is given")), Role::Full));
	}

	#[test]
	fn full_node_refuses_masternode_flags() {
		for flag in ["--alice", "--two", "--validator", "--force-authoring", "--dev"] {
			let error = full_node(&parse(&format!("dgcs node {flag}")))
				.err()
				.unwrap_or_else(|| panic!("{flag} makes a masternode"))
				.to_string();
			assert!(error.contains(&format!("dgcs masternode {flag}")), "{error}");
		}
	}
}
