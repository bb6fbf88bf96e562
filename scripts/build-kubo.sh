#!/usr/bin/env bash
# Builds Kubo, the IPFS daemon that DGCS is compared with and tested against, and prints the path of
# its binary. Does nothing if this version is there already.
#
#   scripts/build-kubo.sh          $DGCS_CACHE/tools/bin/ipfs
#   scripts/build-kubo.sh DIR      DIR/ipfs
#
# Exit code 77: it can't be built on this machine (no Go, an older one, no module proxy), so what
# needs it has to be skipped. A caller tells that apart from other failures like this:
#
#   kubo=$(scripts/build-kubo.sh) || [ $? = 77 ]
set -euo pipefail

# Needs Go 1.26.5. Not 0.43.1: that one replaces go-libp2p by github.com/lidel/go-libp2p
# v0.0.0-20260914191659-9c4ee60cf924, a commit of a fork and no release. This one replaces nothing.
readonly VERSION=0.43.0
readonly MODULE=github.com/ipfs/kubo
readonly UNAVAILABLE=77

# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dir=${1:-$DGCS_CACHE/tools/bin}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

unavailable() {
	printf '\nbuild-kubo: NO KUBO: %s\n' "$1" >&2
	printf '  What needs it is SKIPPED. %s\n\n' "$2" >&2
	exit $UNAVAILABLE
}

if [ "$("$dir/ipfs" version --number 2>/dev/null)" != $VERSION ]; then
	command -v go >/dev/null || unavailable 'there is no go in PATH' \
		'With Go (https://go.dev/doc/install) it is built in some minutes.'
	printf 'build-kubo: building Kubo %s (once, a few minutes)\n' $VERSION >&2
	part=$(mktemp --directory "$dir/.kubo-XXXXXX")
	trap 'rm -rf "$part"' EXIT

	# In the module's own folder: `go install` takes no module that excludes or replaces others.
	# Outside of any module, so that no go.mod above this script is looked at.
	described=$(cd "$part" && go mod download -json $MODULE@v$VERSION) || unavailable \
		"go could not download $MODULE@v$VERSION" \
		"Most often the module proxy is not reached. It says: $described"
	sources=$(sed -n 's/^\s*"Dir": "\(.*\)",\?$/\1/p' <<<"$described")
	# No C: nothing to install for it, and the same binary everywhere.
	(cd "$sources" && CGO_ENABLED=0 go build -trimpath -o "$part/ipfs" ./cmd/ipfs) >&2 ||
		unavailable "$(go version) could not build $MODULE@v$VERSION" \
			'What it says above tells why; most often Go is too old, or the module proxy is not reached.'
	# Only when it is whole: somebody else may start it meanwhile.
	mv "$part/ipfs" "$dir/ipfs"
fi
printf '%s\n' "$dir/ipfs"
