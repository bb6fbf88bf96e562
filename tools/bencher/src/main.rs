//! Measures the weights of a runtime that was built with `runtime-benchmarks`, and of the database.
//! `scripts/bench-weights.sh` says with which arguments.

use std::{path::PathBuf, sync::Arc};

use clap::Parser;
use frame_benchmarking_cli::{OpaqueBlock, PalletCmd, StorageCmd};
use sc_cli::{Result, SubstrateCli};
use sc_executor::WasmExecutor;
use sc_service::{ChainSpec, Configuration, GenericChainSpec, TFullBackend};
use sp_runtime::traits::BlakeTwo256;

#[derive(Parser)]
enum Command {
	/// Measure the calls and hooks of a pallet
	Pallet(PalletCmd),
	/// Measure reading and writing of the state that a chain specification begins with
	Storage(StorageCmd),
}

/// What a node says of itself; of no use here but to read the configuration.
struct Node;

impl SubstrateCli for Node {
	fn impl_name() -> String {
		"dgcs-bencher".into()
	}

	fn impl_version() -> String {
		env!("CARGO_PKG_VERSION").into()
	}

	fn description() -> String {
		env!("CARGO_PKG_DESCRIPTION").into()
	}

	fn author() -> String {
		String::new()
	}

	fn support_url() -> String {
		String::new()
	}

	fn copyright_start_year() -> i32 {
		2026
	}

	fn load_spec(&self, file: &str) -> std::result::Result<Box<dyn ChainSpec>, String> {
		Ok(Box::new(<GenericChainSpec>::from_json_file(PathBuf::from(file))?))
	}
}

fn measure_storage(command: &StorageCmd) -> Result<()> {
	let tasks = tokio::runtime::Runtime::new()?;
	let config: Configuration = Node.create_configuration(command, tasks.handle().clone())?;
	// Nothing of the runtime is called, so there is no interface to name.
	let executor = <WasmExecutor>::builder().build();
	let (client, backend, _keystore, _tasks) =
		sc_service::new_full_parts::<OpaqueBlock, (), _>(&config, None, executor, Vec::new())?;
	let (database, tries) = (backend.expose_db(), backend.expose_storage());
	let cache = backend.expose_shared_trie_cache();
	command.run::<OpaqueBlock, TFullBackend<OpaqueBlock>, _>(
		config,
		Arc::new(client),
		database,
		tries,
		cache,
	)
}

fn main() -> Result<()> {
	tracing_subscriber::fmt()
		.with_env_filter(
			tracing_subscriber::EnvFilter::try_from_default_env()
				.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
		)
		.with_writer(std::io::stderr)
		.init();
	match Command::parse() {
		Command::Pallet(command) => command.run_with_spec::<BlakeTwo256, ()>(None),
		Command::Storage(command) => measure_storage(&command),
	}
}
