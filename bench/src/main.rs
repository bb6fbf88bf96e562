//! Benchmarks of the chain. `scripts/bench-chain.sh` starts what they need and prints the ratios.

mod account;
#[path = "../../runtime/tests/common/driver.rs"]
mod chain;
mod load;
mod node;
mod scale;
#[path = "../../runtime/tests/common/signing.rs"]
mod signing;
mod weights;

use clap::{Parser, Subcommand};

/// Benchmarks of the DGCS chain.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
	#[command(subcommand)]
	benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
	/// Subtasks decided per second, finalised, on a running node.
	Load(load::Options),
	/// What calls cost with few and with many workers, tasks and subtasks in the state.
	Scale(scale::Options),
	/// What fits a block by the measured weights.
	Weights,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
	match Arguments::parse().benchmark {
		Benchmark::Load(options) => Ok(load::run(options).await?),
		Benchmark::Scale(options) => Ok(scale::run(&options)?),
		Benchmark::Weights => {
			weights::run();
			Ok(())
		},
	}
}
