#!/usr/bin/env bash
# Builds the runtime with one more feature, and prints the path of its WASM. The runtime as it is
# must have been built: its dependencies are used again.
#
#   scripts/build-runtime.sh next-runtime          the runtime after this one, to rehearse an upgrade
#   scripts/build-runtime.sh runtime-benchmarks    a runtime that measures itself
#   scripts/build-runtime.sh try-runtime           a runtime that checks itself, for try-runtime-cli
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/env.sh

feature=${1:?"which feature? next-runtime, runtime-benchmarks or try-runtime"}
built="$CARGO_TARGET_DIR/release/wbuild/dgcs-runtime"
if [[ ! -f "$built/Cargo.toml" ]]; then
	echo "error: no runtime under $built; run 'cargo build --release --workspace' first" >&2
	exit 1
fi

# The project that substrate-wasm-builder made of the runtime, once more with the feature; in the
# same target directory and with the same flags, so that only what the feature touches is compiled.
project="$CARGO_TARGET_DIR/release/wbuild/dgcs-$feature"
mkdir -p "$project"
cp -r "$built/Cargo.toml" "$built/Cargo.lock" "$built/src" "$project/"
# It may have been made of another checkout.
sed -i "s/^features = \[\(.*\)\]/features = [\1, \"$feature\"]/; s/\[, /[/; s#^path = \".*/runtime\"#path = \"$PWD/runtime\"#" \
	"$project/Cargo.toml"
grep -q "\"$feature\"" "$project/Cargo.toml" || {
	echo "error: $project/Cargo.toml has no list of features to add to" >&2
	exit 1
}
CARGO_TARGET_DIR="$built/target" \
	RUSTFLAGS="-C link-arg=--export-table -C link-arg=--export=__heap_base -C link-arg=--import-memory --cfg substrate_runtime " \
	SKIP_WASM_BUILD=1 \
	cargo rustc --quiet --release --target=wasm32v1-none --manifest-path="$project/Cargo.toml" >&2
cp "$built/target/wasm32v1-none/release/dgcs_runtime.wasm" "$project/$feature.wasm"
echo "$project/$feature.wasm"
