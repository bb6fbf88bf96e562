#!/usr/bin/env bash
# Everything that has to hold, from the format of the code to a network of masternodes. On a bare
# machine it installs what is missing first.
#
#   scripts/test.sh              all stages
#   scripts/test.sh unit e2e     these stages: scripts format drift build unit work e2e licences
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly STAGES=(scripts format drift build unit work e2e licences)
readonly CARGO_DENY=0.20.2
# Continuous integration ends a run after 90 minutes, whatever it is at. A machine on which everything
# had to be built, and a slow one, may leave too few of them. From so many minutes on, a stage is left out
# that might not end in time: `licences`, which may have to build cargo-deny, and `e2e`, which takes twelve.
# Real work comes before the rest of the chain's tests: it needs most of what those are about.
declare -rA LATEST_IN_CI=([licences]=75 [e2e]=76)
# Tests that start nodes or daemons, and skip in the stage `unit`.
readonly WITH_NODES=(owner/stranger worker/network owner/node client/connection client/transactions
	store:kubo)

# shellcheck source=scripts/arguments.sh
. scripts/arguments.sh
for stage in "$@"; do one_of stage "$stage" "${STAGES[@]}"; done

scripts/setup.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh
readonly LOGS=$CARGO_TARGET_DIR/test-logs
mkdir -p "$LOGS"
# Where tests write down what they can't test on this machine.
export DGCS_SKIPPED=$LOGS/skipped
: >"$DGCS_SKIPPED"

# Each of these functions is a stage ---------------------------------------------------------

check_scripts() {
	shellcheck --external-sources scripts/*.sh .ci/run
	local file
	for file in scripts/*.mjs tests/e2e/*.mjs tests/e2e/lib/*.mjs; do node --check "$file"; done
}

check_format() {
	cargo fmt --all --check
}

check_drift() {
	scripts/check-drift.sh
}

check_build() {
	without_warnings build build --release --locked --workspace
}

# Always the whole workspace: with `-p`, cargo would select other features of the dependencies, and
# build those anew.
check_unit() {
	without_warnings unit-build test --release --locked --workspace --lib --bins --tests --no-run
	# The property tests draw the same cases in every run, so that a commit that passed passes again.
	# PROPTEST_RNG_SEED=$RANDOM draws others.
	export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-1}
	# Not the documentation tests: there is no example in the documentation that is not a test.
	cargo test --release --locked --workspace --lib --bins --tests
}

check_e2e() {
	scripts/update-metadata.sh --check "$CARGO_TARGET_DIR/release/dgcs"
	DGCS_NEXT_RUNTIME=$(scripts/build-runtime.sh next-runtime)
	export DGCS_NEXT_RUNTIME
	node tests/e2e/run.mjs
}

# Real work takes programs, and other people's software to meet.
check_work() {
	DGCS_PROGRAMS=$CARGO_TARGET_DIR/programs
	scripts/build-examples.sh "$DGCS_PROGRAMS"
	DGCS_FOREIGN=$CARGO_TARGET_DIR/foreign
	if ! can_have "cjpeg as somebody else's program" scripts/build-foreign.sh "$DGCS_FOREIGN"; then
		unset DGCS_FOREIGN
	fi
	DGCS_KUBO=$DGCS_CACHE/tools/bin/ipfs
	can_have 'Kubo daemons as stores' scripts/build-kubo.sh "${DGCS_KUBO%/*}" || unset DGCS_KUBO
	# As the stage `unit` builds them.
	DGCS_RUST_TESTS=$(cargo test --release --locked --workspace --lib --bins --tests --no-run \
		--message-format json | node scripts/executables.mjs "${WITH_NODES[@]}")
	export DGCS_PROGRAMS DGCS_FOREIGN DGCS_KUBO DGCS_RUST_TESTS
	node tests/e2e/run.mjs work
}

check_licences() {
	local tool=$DGCS_CACHE/tools/bin/cargo-deny
	if [ "$("$tool" --version 2>/dev/null)" != "cargo-deny $CARGO_DENY" ]; then
		printf 'building cargo-deny (once, a few minutes)\n'
		# Not with our wrapper: these crates are not ours to lint. What it is built from is of no use
		# afterwards.
		env --unset=RUSTC_WORKSPACE_WRAPPER CARGO_TARGET_DIR="$DGCS_CACHE/tools/target" \
			cargo install --quiet --locked --force --version "$CARGO_DENY" \
			--root "$DGCS_CACHE/tools" cargo-deny
		rm -rf "$DGCS_CACHE/tools/target"
	fi
	# Some crates write their licence in an old form, which is understood and complained about.
	"$tool" --locked --log-level error check --hide-inclusion-graph --allow parse-error \
		bans licenses sources
	printf 'not checked: security advisories (cargo deny check advisories)\n'
}

# ---------------------------------------------------------------------------------------------

# What could not be tested on this machine.
skipped=()

# can_have WHAT COMMAND...: whether the command, which ends with 77 if this machine can't have what it
# makes, has made it. That it can't is said again at the end.
can_have() {
	local what=$1 status=0
	shift
	"$@" >&2 || status=$?
	[ $status -ne 77 ] || skipped+=("$what: see $1")
	[ $status -eq 0 ] || [ $status -eq 77 ] || exit $status
	return $status
}

# without_warnings NAME CARGO-ARGUMENTS...: a warning of one of our crates is an error. Dependencies
# have theirs off, and cargo repeats those of crates that it need not build again. `-D warnings`
# in RUSTFLAGS would do as well, and build the whole tree anew.
without_warnings() {
	local log=$LOGS/$1.log
	shift
	cargo "$@" --color never 2>&1 | tee "$log"
	local warned
	warned=$(grep -E '^warning: .+ generated [0-9]+ warning' "$log") || return 0
	printf '\nwarnings are errors here:\n%s\n' "$warned" >&2
	return 1
}

current=
finished=()
report() {
	local status=$?
	printf '\n%s\n' "stages:"
	[ ${#finished[@]} -eq 0 ] || printf '  %s\n' "${finished[@]}"
	# What tests have skipped, beside what was not there for them.
	[ ! -s "$DGCS_SKIPPED" ] || mapfile -t -O ${#skipped[@]} skipped <"$DGCS_SKIPPED"
	[ ${#skipped[@]} -eq 0 ] || printf '  SKIPPED    %s\n' "${skipped[@]}"
	if [ $status -ne 0 ] && [ -n "$current" ]; then
		printf '  %-10s FAILED\n' "$current"
	fi
	exit $status
}
trap report EXIT

[ $# -gt 0 ] || set -- "${STAGES[@]}"
for current in "$@"; do
	printf '\n=== %s\n' "$current"
	began=$SECONDS
	latest=${LATEST_IN_CI[$current]:-}
	if [ "${CI:-}" = true ] && [ -n "$latest" ] && ((began >= latest * 60)); then
		printf 'SKIPPED: %d minutes are gone\n' $((began / 60))
		skipped+=("$current: the stages before it took $((began / 60)) minutes")
		continue
	fi
	"check_$current"
	finished+=("$(printf '%-10s ok %5d s' "$current" $((SECONDS - began)))")
done
current=
left_out=$(($# - ${#finished[@]}))
if [ $left_out -eq 0 ]; then
	printf '\nall is well, in %d s\n' "$SECONDS"
else
	printf '\nwhat ran is well, in %d s; left out: %d of %d stages\n' "$SECONDS" $left_out $#
fi
