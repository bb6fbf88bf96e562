# shellcheck shell=bash
# The environment in which DGCS is built. Source it: `. scripts/env.sh`.
#
# What cargo itself can be told stands in .cargo/config.toml; here is the rest. A variable that is
# already set is left alone. DGCS_TOOLCHAIN says which compiler: `auto` (the default: the one that
# scripts/setup.sh found), `rustup` or `debian`.

DGCS_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export DGCS_ROOT

# Things that a later run can use again, outside of the checkout.
DGCS_CACHE="${DGCS_CACHE:-$HOME/.cache/dgcs}"
export DGCS_CACHE

case ":$PATH:" in
*":$HOME/.cargo/bin:"*) ;;
*) PATH="$HOME/.cargo/bin:$PATH" ;;
esac
export PATH

if [ "${DGCS_TOOLCHAIN:-auto}" = debian ] && command -v rustup >/dev/null; then
	# The name under which setup.sh shows Debian's compiler to rustup.
	export RUSTUP_TOOLCHAIN=dgcs-debian
fi

# One target directory for the demo, the tests and the benchmarks, which survives a fresh checkout.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$DGCS_CACHE/target}"

# Clippy as the compiler of our own crates: it lints while it builds. `cargo clippy` would compile
# every dependency a second time. Without this wrapper in every build, our crates would be built
# twice: its path is part of what cargo knows them by.
if [ -z "${RUSTC_WORKSPACE_WRAPPER:-}" ]; then
	# Asked in the checkout, for which rustup may know another compiler than elsewhere.
	dgcs_sysroot="$(cd "$DGCS_ROOT" && rustc --print sysroot 2>/dev/null)" || dgcs_sysroot=
	if [ -n "$dgcs_sysroot" ] && [ -x "$dgcs_sysroot/bin/clippy-driver" ]; then
		export RUSTC_WORKSPACE_WRAPPER="$dgcs_sysroot/bin/clippy-driver"
	fi
	unset dgcs_sysroot
fi
