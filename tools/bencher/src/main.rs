//! Measures the weights of a runtime that was built with `runtime-benchmarks`.
//! `scripts/bench-weights.sh` says with which arguments.

use clap::Parser;
use frame_benchmarking_cli::PalletCmd;
use sp_runtime::traits::BlakeTwo256;

fn main() -> sc_cli::Result<()> {
	tracing_subscriber::fmt()
		.with_env_filter(
			tracing_subscriber::EnvFilter::try_from_default_env()
				.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
		)
		.with_writer(std::io::stderr)
		.init();
	PalletCmd::parse().run_with_spec::<BlakeTwo256, ()>(None)
}
