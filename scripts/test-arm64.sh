#!/usr/bin/env bash
# Runs the sandbox's tests as an arm64 processor would: the crate is built for it, and its code, with what
# it compiles, runs under qemu. Among them are the vectors (docs/sandbox-vectors.json), which every machine
# has to get to the byte. Not a stage of scripts/test.sh: it builds the compiler of programs once more, and
# takes about seven minutes the first time.
#
#   scripts/test-arm64.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly TARGET=aarch64-unknown-linux-gnu
readonly PACKAGES=(qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross)

scripts/setup.sh
# shellcheck source=scripts/env.sh
. scripts/env.sh

missing=()
for package in "${PACKAGES[@]}"; do
	dpkg-query --show "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	root=()
	[ "$(id -u)" = 0 ] || root=(sudo)
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
fi
# Debian's compiler has a standard library for this machine alone.
rustup target add "$TARGET"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64-static -L /usr/aarch64-linux-gnu'
# One crate and its own features of what it is built from: apart from everything else's.
export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/arm64
cargo test --release --locked --package dgcs-sandbox --target "$TARGET" --lib --tests
