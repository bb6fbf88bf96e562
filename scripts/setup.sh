#!/usr/bin/env bash
# Brings a bare Debian 12 to a machine that builds and tests all of DGCS. Does only what is missing,
# so it can be run at any time; with nothing missing it takes a second or two.
#
# DGCS_TOOLCHAIN=auto    rustup's compiler where it works, else Debian's (the default)
# DGCS_TOOLCHAIN=rustup  rustup's compiler, or an error
# DGCS_TOOLCHAIN=debian  Debian's compiler
set -euo pipefail

# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$DGCS_ROOT"

readonly WASM_TARGET=wasm32v1-none
readonly DEBIAN_TOOLCHAIN=dgcs-debian
# The oldest that the workspace builds with: `rust-version` in Cargo.toml.
readonly OLDEST_RUST=1.90
readonly OLDEST_NODE=18

SCRATCH=$(mktemp --directory)
readonly SCRATCH
trap 'rm -rf "$SCRATCH"' EXIT

say() { printf 'setup: %s\n' "$*"; }

fail() {
	printf 'setup: error: %s\n' "$1" >&2
	shift
	for hint in "$@"; do printf '  %s\n' "$hint" >&2; done
	exit 1
}

has() { command -v "$1" >/dev/null; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif has sudo; then
		sudo "$@"
	else
		fail "this needs root: $*" "Run it as root, or install sudo, and start this script again."
	fi
}

# Debian packages ------------------------------------------------------------------------------

has_package() {
	[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages PACKAGE...: installs those that are missing.
install_packages() {
	local package missing=()
	for package in "$@"; do has_package "$package" || missing+=("$package"); done
	[ ${#missing[@]} -gt 0 ] || return 0

	say "installing ${missing[*]} (by apt-get)"
	local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes
		--no-install-recommends "${missing[@]}")
	# The package lists of a fresh image are empty or old.
	if ! as_root apt-get update || ! as_root "${install[@]}"; then
		fail "apt-get could not install: ${missing[*]}" \
			"What it says above tells why; most often the package mirror is not reached." \
			"Install them by hand, then start this script again."
	fi
}

node_is_new_enough() {
	has node && has npm && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge $OLDEST_NODE ]
}

install_system() {
	# A command that is there need not come from Debian's package.
	local tool missing=() packages=()
	for tool in cc=build-essential clang++=clang protoc=protobuf-compiler shellcheck=shellcheck; do
		has "${tool%%=*}" || missing+=("${tool%%=*}") packages+=("${tool#*=}")
	done
	# For the end-to-end tests and the demo.
	node_is_new_enough || missing+=(node npm) packages+=(nodejs npm)

	if has apt-get; then
		# With which a test listens to what stores say to each other.
		has tcpdump || packages+=(tcpdump)
		# The network's encryption is OpenSSL's, and crates are fetched over TLS.
		install_packages "${packages[@]}" pkg-config libssl-dev ca-certificates
		node_is_new_enough || fail "node is $(node --version), and $OLDEST_NODE or later is needed" \
			"Put a newer one first in PATH, together with npm."
	elif [ ${#missing[@]} -gt 0 ]; then
		fail "this machine has no apt-get, and lacks: ${missing[*]}" \
			"Install them, pkg-config and OpenSSL's headers, then start this script again."
	fi
}

# C for the sandbox ----------------------------------------------------------------------------

# Whether C can be compiled for the sandbox: for examples/, and for tests with real programs.
compiles_wasi() {
	printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' |
		"${CLANG:-clang}" --target=wasm32-wasi -O2 -x c - -o "$SCRATCH/probe.wasm" 2>/dev/null
}

install_wasi() {
	! compiles_wasi || return 0
	# Those of the clang that Debian calls clang.
	! has apt-get || install_packages clang wasi-libc libclang-rt-dev-wasm32 lld
	compiles_wasi || fail "${CLANG:-clang} can't compile C for wasm32-wasi" \
		"It needs wasi-libc, the compiler's runtime for wasm32, and wasm-ld, of its own version." \
		"CLANG=/path/to/clang names another, as that of the WASI SDK."
}

# Rust -----------------------------------------------------------------------------------------

# Whether `rustc` (or the one named) compiles for the runtime's target. Tried, not looked up: a
# library left by another version of the compiler would be found, and be of no use.
compiles_wasm() {
	# Never `-o /dev/null`: rustc puts a file in the place of what is there, and root may do that.
	printf '#![no_std]\nextern crate alloc;\n' |
		"${1:-rustc}" --target $WASM_TARGET --crate-name probe --crate-type rlib --emit metadata \
			--out-dir "$SCRATCH" - 2>/dev/null
}

version_of() { "$1" --version | cut -d' ' -f2; }

is_new_enough() {
	[ "$(printf '%s\n' $OLDEST_RUST "$1" | sort --version-sort | head -n1)" = $OLDEST_RUST ]
}

# Whether the compiler that cargo would use here builds everything.
rust_is_ready() {
	local sysroot
	has cargo && sysroot=$(rustc --print sysroot 2>/dev/null) || return 1
	[ -x "$sysroot/bin/clippy-driver" ] && [ -x "$sysroot/bin/rustfmt" ] || return 1
	is_new_enough "$(version_of rustc)" && compiles_wasm
}

install_rustup_parts() {
	has rustup || return 1
	# A toolchain may be too old for the workspace, or not be there at all.
	if ! rustc --version >/dev/null 2>&1 || ! is_new_enough "$(version_of rustc)"; then
		say "installing the stable Rust toolchain (by rustup; $OLDEST_RUST or later is needed)"
		rustup toolchain install stable --profile minimal || return 1
	fi
	say "adding $WASM_TARGET, rustfmt and clippy (by rustup)"
	rustup target add $WASM_TARGET && rustup component add rustfmt clippy && rust_is_ready
}

# Debian has no package with the standard library for the runtime's target. Its `core` and `alloc`
# are all that a runtime needs; they are built once from Debian's own sources.
install_debian_std() {
	! compiles_wasm /usr/bin/rustc || return 0
	say "building core and alloc for $WASM_TARGET (once, about a minute)"

	local work=$SCRATCH/nothing lib=/usr/lib/rustlib/$WASM_TARGET/lib
	mkdir --parents "$work/src"
	printf '[package]\nname = "nothing"\nversion = "0.0.0"\nedition = "2021"\n' >"$work/Cargo.toml"
	printf '#![no_std]\nextern crate alloc;\n' >"$work/src/lib.rs"
	# With the bitcode, because the runtime is linked with LTO. RUSTC_BOOTSTRAP lets a stable cargo
	# build a standard library.
	if ! (
		cd "$work"
		unset RUSTUP_TOOLCHAIN RUSTC_WORKSPACE_WRAPPER
		RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
			CARGO_TARGET_DIR="$work/target" \
			/usr/bin/cargo build --release --target $WASM_TARGET -Zbuild-std=core,alloc
	); then
		fail "Debian's compiler could not build the standard library for $WASM_TARGET" \
			"What cargo says above tells why; it needs a crate registry, or crates that are cached."
	fi
	as_root rm -rf "$lib"
	as_root mkdir -p "$lib"
	as_root cp "$work/target/$WASM_TARGET/release/deps"/lib{core,alloc,compiler_builtins}-*.rlib "$lib"
	compiles_wasm /usr/bin/rustc || fail "core and alloc were built, but /usr/bin/rustc can't use them" \
		"Remove $lib and start this script again."
}

install_debian_rust() {
	has apt-get || fail "there is no Rust that builds for $WASM_TARGET" \
		"With rustup: rustup target add $WASM_TARGET && rustup component add rustfmt clippy"
	install_packages \
		rustc-web cargo-web rust-web-src rust-web-llvm lld-22 rustfmt-web rust-web-clippy
	is_new_enough "$(version_of /usr/bin/rustc)" || fail \
		"Debian's Rust is $(version_of /usr/bin/rustc), and $OLDEST_RUST or later is needed" \
		"Newer packages come with Debian's security updates: enable them, then start again."
	install_debian_std

	if has rustup && [ "$(command -v cargo)" != /usr/bin/cargo ]; then
		# rustup's cargo comes first in PATH: let it start Debian's.
		rustup toolchain link $DEBIAN_TOOLCHAIN /usr
		if [ "${DGCS_TOOLCHAIN:-auto}" = auto ]; then
			say "rustup can't add $WASM_TARGET: using Debian's compiler in this checkout" \
				"(to undo: rustup override unset)"
			rustup override set $DEBIAN_TOOLCHAIN
		fi
	fi
	rust_is_ready || fail "Debian's compiler is installed, but cargo here does not use it" \
		"cargo is $(command -v cargo || echo missing), rustc is $(command -v rustc || echo missing)."
}

install_rust() {
	case "${DGCS_TOOLCHAIN:-auto}" in
	auto)
		rust_is_ready || install_rustup_parts || install_debian_rust
		;;
	rustup)
		rust_is_ready || install_rustup_parts || fail "rustup could not add $WASM_TARGET" \
			"What it says above tells why. DGCS_TOOLCHAIN=debian uses Debian's compiler instead."
		;;
	debian)
		rust_is_ready || install_debian_rust
		;;
	*)
		fail "DGCS_TOOLCHAIN is '$DGCS_TOOLCHAIN'" "It can be auto, rustup or debian."
		;;
	esac
}

# npm ------------------------------------------------------------------------------------------

install_npm_packages() {
	local lock=tests/e2e/package-lock.json mark=tests/e2e/node_modules/.installed
	! cmp --silent $lock $mark || return 0
	say 'installing the npm packages of the end-to-end tests'
	npm ci --prefix tests/e2e || fail 'npm could not install what tests/e2e/package-lock.json names' \
		'What it says above tells why; most often the package registry is not reached.'
	cp $lock $mark
}

install_system
install_wasi
install_rust
install_npm_packages
say "ready: $(rustc --version), node $(node --version)"
