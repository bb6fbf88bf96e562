#!/usr/bin/env bash
# A whole network on this machine: four masternodes and five workers, which render a short film.
#
#   scripts/demo.sh          then keeps the network running, until Ctrl-C
#   scripts/demo.sh --once   then ends
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
'' | --once) ;;
-h | --help)
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
	exit 0
	;;
*)
	printf 'demo: error: %s is no option; there is only --once\n' "$1" >&2
	exit 2
	;;
esac

scripts/setup.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh

printf 'demo: building (about an hour for the first time, on two cores)\n'
# As the tests do, so that nothing is built twice.
cargo build --release --locked --workspace

DGCS_PROGRAMS=$CARGO_TARGET_DIR/programs
export DGCS_PROGRAMS
scripts/build-examples.sh "$DGCS_PROGRAMS" >/dev/null

exec node scripts/demo.mjs "$@"
