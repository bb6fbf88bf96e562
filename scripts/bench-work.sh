#!/usr/bin/env bash
# Benchmarks of the work that tasks are about, each figure as a ratio against something. Never part of
# the tests: what a machine does beside it decides as much as the code.
#
#   scripts/bench-work.sh                 all of them, in about 40 minutes
#   scripts/bench-work.sh owner idle      these: owner sandbox task latency idle
#
# `owner` puts up to 33 GiB into the temporary folder (TMPDIR).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly ALL=(owner sandbox task latency idle)
# shellcheck source=scripts/arguments.sh
. scripts/arguments.sh
for name in "$@"; do one_of benchmark "$name" "${ALL[@]}"; done

scripts/setup.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh
cargo build --release --locked --workspace
cargo build --release --locked --workspace --example owner --example overhead
DGCS_PROGRAMS=$CARGO_TARGET_DIR/programs
scripts/build-examples.sh "$DGCS_PROGRAMS" >/dev/null
export DGCS_PROGRAMS

printf '%s, %s cores\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n1)" "$(nproc)"
for name in "${@:-${ALL[@]}}"; do
	printf '\n=== %s\n' "$name"
	case $name in
	sandbox) "$CARGO_TARGET_DIR/release/examples/overhead" ;;
	owner)
		# Where it can't be built, the script has said so, and the rest is measured.
		DGCS_KUBO=$(scripts/build-kubo.sh) || [ $? = 77 ]
		export DGCS_KUBO
		node scripts/bench-work.mjs owner
		;;
	*) node scripts/bench-work.mjs "$name" ;;
	esac
done
