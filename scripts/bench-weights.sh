#!/usr/bin/env bash
# Measures the weights of our pallets on this machine and writes them to pallets/*/src/weights.rs.
# Takes about an hour on two cores the first time: the bencher and a runtime with benchmarks are
# built in a target directory of their own.
#
#   scripts/bench-weights.sh [PALLET...]      e.g. scripts/bench-weights.sh pallet_tasks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/env.sh

pallets=("$@")
[[ ${#pallets[@]} -gt 0 ]] ||
	pallets=(pallet_escrow pallet_masternodes pallet_tasks pallet_verdicts pallet_workers)

export CARGO_TARGET_DIR="$CARGO_TARGET_DIR-benchmarks"
cargo build --release --manifest-path tools/bencher/Cargo.toml
cargo build --release -p dgcs-runtime --features runtime-benchmarks
runtime="$CARGO_TARGET_DIR/release/wbuild/dgcs-runtime/dgcs_runtime.compact.compressed.wasm"

for pallet in "${pallets[@]}"; do
	"$CARGO_TARGET_DIR/release/dgcs-bencher" \
		--runtime "$runtime" --genesis-builder runtime --genesis-builder-preset development \
		--pallet "$pallet" --extrinsic '*' --steps "${STEPS:-20}" --repeat "${REPEAT:-10}" \
		--template scripts/weights.hbs \
		--output "pallets/${pallet#pallet_}/src/weights.rs"
	rustfmt --edition 2021 --config-path rustfmt.toml "pallets/${pallet#pallet_}/src/weights.rs"
done
