//! What the chain can decide by its weights alone: what a full block holds.

use dgcs_primitives::MAX_RANGE_SIZE;
use dgcs_runtime::{configs::RuntimeBlockWeights, constants::MILLISECS_PER_BLOCK, Runtime};
use frame_support::{dispatch::DispatchClass, weights::Weight};
use frame_system::ExtensionsWeightInfo;
use pallet_tasks::WeightInfo as _;
use pallet_verdicts::WeightInfo as _;

/// What BOINC's task server did in a day on one computer.
const BOINC: f64 = 8_800_000.0;
const REPLICAS: u64 = 3;

type Tasks = pallet_tasks::weights::SubstrateWeight<Runtime>;
type Verdicts = pallet_verdicts::weights::SubstrateWeight<Runtime>;
type Extensions = <Runtime as frame_system::Config>::ExtensionsWeightInfo;

/// Prints how many results fit a day, and which part of a range's life takes most of it.
pub fn run() {
	let limits = RuntimeBlockWeights::get();
	let normal = limits.get(DispatchClass::Normal);
	let block = normal.max_total.unwrap_or(limits.max_block);
	// A vote that is free of fees: what the block takes for any transaction, and the checks.
	let transaction = normal
		.base_extrinsic
		.saturating_add(Extensions::check_genesis())
		.saturating_add(Extensions::check_mortality_mortal_transaction())
		.saturating_add(Extensions::check_non_zero_sender())
		.saturating_add(Extensions::check_nonce())
		.saturating_add(Extensions::check_spec_version())
		.saturating_add(Extensions::check_tx_version())
		.saturating_add(Extensions::check_weight())
		.saturating_add(Extensions::weight_reclaim());
	let seats = REPLICAS as u32;
	let parts: [(&str, Weight); 4] = [
		("transactions", transaction.saturating_mul(2 * REPLICAS)),
		("commits", Verdicts::commit().saturating_mul(REPLICAS)),
		("reveals", Verdicts::reveal(MAX_RANGE_SIZE).saturating_mul(REPLICAS)),
		("tally", Verdicts::tally_unanimous(seats, MAX_RANGE_SIZE)),
	];
	let draw = Tasks::draw_visit(1).saturating_mul(REPLICAS);
	let range = parts.iter().fold(Weight::zero(), |sum, (_, weight)| sum.saturating_add(*weight));

	let per_block = block.ref_time() / range.ref_time().max(1);
	let subtasks = per_block * u64::from(MAX_RANGE_SIZE);
	let per_second = subtasks as f64 * 1_000.0 / MILLISECS_PER_BLOCK as f64;
	let results_per_day = per_second * REPLICAS as f64 * 86_400.0;
	println!("by weight, in the share of a block that transactions may take:");
	for (name, weight) in parts {
		let share = 100.0 * weight.ref_time() as f64 / range.ref_time().max(1) as f64;
		println!("  {name:<13}{:>7.0} µs a range, {share:>3.0} %", weight.ref_time() as f64 / 1e6);
	}
	println!(
		"  draws        {:>7.0} µs a range, in a share of their own",
		draw.ref_time() as f64 / 1e6
	);
	println!("ranges per block:            {per_block}");
	println!("subtasks decided per second: {per_second:.0}");
	println!("results per day:             {results_per_day:.0}");
	println!("  against BOINC's server, 8.8 million: {:.1}", results_per_day / BOINC);
}
