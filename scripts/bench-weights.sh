#!/usr/bin/env bash
# Measures weights on this machine: of our pallets, to pallets/*/src/weights.rs, and of the database,
# to runtime/src/db_weight.rs. The first time it builds the bencher, which takes half an hour on two
# cores, in a target directory of its own.
#
#   scripts/bench-weights.sh                 everything
#   scripts/bench-weights.sh tasks database  these: database escrow masternodes tasks verdicts workers
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly ALL=(database escrow masternodes tasks verdicts workers)
# shellcheck source=scripts/arguments.sh
. scripts/arguments.sh
for name in "$@"; do one_of part "$name" "${ALL[@]}"; done

scripts/setup.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh
cargo build --release --locked --workspace
runtime=$(scripts/build-runtime.sh runtime-benchmarks)
# A dependency of the bencher would build a runtime of its own, for a mode that is not used.
SKIP_WASM_BUILD=1 CARGO_TARGET_DIR="$CARGO_TARGET_DIR-benchmarks" \
	cargo build --release --locked --manifest-path tools/bencher/Cargo.toml
readonly BENCHER=$CARGO_TARGET_DIR-benchmarks/release/dgcs-bencher

# Entries of the state in which the database is measured: about what 100,000 workers, as many tasks
# and their owners take.
readonly ENTRIES=1000000

measure_database() {
	local at
	at=$(mktemp -d)
	"$CARGO_TARGET_DIR/release/dgcs" export-chain-spec --chain dev --raw --output "$at/spec.json"
	node scripts/fill-state.mjs "$at/spec.json" "$ENTRIES"
	"$BENCHER" storage --chain "$at/spec.json" --base-path "$at" --database paritydb \
		--state-version 1 --disable-pov-recorder --batch-size 2000 --keys-limit 200000 \
		--template-path scripts/db-weight.hbs --weight-path "$at"
	mv "$at"/*_weights.rs runtime/src/db_weight.rs
	rm -rf "$at"
}

# As many steps and repeats as the SDK's own weights are measured with.
measure_pallet() {
	"$BENCHER" pallet \
		--runtime "$runtime" --genesis-builder runtime --genesis-builder-preset local_testnet \
		--pallet "pallet_$1" --extrinsic '*' --steps "${STEPS:-50}" --repeat "${REPEAT:-20}" \
		--template scripts/weights.hbs --output "pallets/$1/src/weights.rs"
}

for name in "${@:-${ALL[@]}}"; do
	if [ "$name" = database ]; then measure_database; else measure_pallet "$name"; fi
done
cargo fmt --all
