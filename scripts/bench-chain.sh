#!/usr/bin/env bash
# Benchmarks of the chain, each figure as a ratio against something. Never part of the tests: what a
# machine does beside it decides as much as the code.
#
#   scripts/bench-chain.sh               all of them
#   scripts/bench-chain.sh load start    these: weights load scale start
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly ALL=(weights load scale start)
# shellcheck source=scripts/arguments.sh
. scripts/arguments.sh
for name in "$@"; do one_of benchmark "$name" "${ALL[@]}"; done

scripts/setup.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh
cargo build --release --locked --workspace

printf '%s, %s cores\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n1)" "$(nproc)"
for name in "${@:-${ALL[@]}}"; do
	printf '\n=== %s\n' "$name"
	case $name in
	weights | scale) "$CARGO_TARGET_DIR/release/dgcs-bench" "$name" ;;
	load | start) node scripts/bench.mjs "$name" ;;
	esac
done
