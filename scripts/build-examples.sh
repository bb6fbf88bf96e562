#!/usr/bin/env bash
# Builds the programs in examples/ for the sandbox.
#
#   scripts/build-examples.sh DIR      DIR/pathtracer.wasm, DIR/wordcount.wasm, DIR/pi.wasm
#
# scripts/setup.sh installs the compilers. CLANG names another clang that has a WASI library.
set -euo pipefail

dir=${1:?"where to? scripts/build-examples.sh DIR"}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$DGCS_ROOT/examples"

for program in pathtracer wordcount; do
	"${CLANG:-clang}" --target=wasm32-wasi -std=c11 -O2 -Wall -Wextra -Werror -s \
		"$program/$program.c" -o "$dir/$program.wasm"
done

# For the target of DGCS's own runtime, which is there wherever DGCS is built.
rustc --target wasm32v1-none --edition 2021 -C opt-level=3 -C strip=symbols -D warnings \
	--crate-type cdylib pi/pi.rs -o "$dir/pi.wasm"

printf '%s\n' "$dir"/{pathtracer,wordcount,pi}.wasm
