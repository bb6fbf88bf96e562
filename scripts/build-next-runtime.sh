#!/usr/bin/env bash
# Builds the runtime after this one (feature `next-runtime`), to rehearse an upgrade, and prints
# the path of its WASM. The runtime must have been built: its dependencies are used again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/env.sh

built="$CARGO_TARGET_DIR/release/wbuild/dgcs-runtime"
if [[ ! -f "$built/Cargo.toml" ]]; then
	echo "error: no runtime under $built; run 'cargo build --release --workspace' first" >&2
	exit 1
fi

# The project that substrate-wasm-builder made of the runtime, once more with the feature; in the
# same target directory and with the same flags, so that only the runtime itself is compiled.
next="$CARGO_TARGET_DIR/release/wbuild/dgcs-runtime-next"
mkdir -p "$next"
cp -r "$built/Cargo.toml" "$built/Cargo.lock" "$built/src" "$next/"
sed -i 's/^features = \[\(.*\)\]/features = [\1, "next-runtime"]/; s/\[, /[/' "$next/Cargo.toml"
grep -q next-runtime "$next/Cargo.toml" || {
	echo "error: $next/Cargo.toml has no list of features to add to" >&2
	exit 1
}
CARGO_TARGET_DIR="$built/target" \
	RUSTFLAGS="-C link-arg=--export-table -C link-arg=--export=__heap_base -C link-arg=--import-memory --cfg substrate_runtime " \
	SKIP_WASM_BUILD=1 \
	cargo rustc --quiet --release --target=wasm32v1-none --manifest-path="$next/Cargo.toml" >&2
cp "$built/target/wasm32v1-none/release/dgcs_runtime.wasm" "$next/dgcs_runtime_next.wasm"
echo "$next/dgcs_runtime_next.wasm"
