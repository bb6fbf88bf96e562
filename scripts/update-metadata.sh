#!/usr/bin/env bash
# Keeps the metadata that client/ is made from at that of a node's runtime.
#
#   scripts/update-metadata.sh BINARY           starts BINARY for a moment, and writes its metadata
#   scripts/update-metadata.sh --check BINARY   writes nothing, and fails if they differ
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly FILE=client/metadata/dgcs.scale
check=
if [ "${1:-}" = --check ]; then
	check=yes
	shift
fi
if [ $# -ne 1 ] || [ ! -x "$1" ]; then
	printf 'usage: scripts/update-metadata.sh [--check] BINARY, where BINARY is a built dgcs\n' >&2
	exit 2
fi

folder=$(mktemp -d)
found=$folder/metadata.scale
node scripts/metadata.mjs "$1" "$folder/node" "$found" || {
	rm -rf "$folder"
	exit 1
}

if cmp --silent "$found" "$FILE"; then
	printf '%s is that of the runtime\n' "$FILE"
elif [ -n "$check" ]; then
	printf 'drift: %s is not that of the runtime: run scripts/update-metadata.sh %s\n' "$FILE" "$1" >&2
	rm -rf "$folder"
	exit 1
else
	cp "$found" "$FILE"
	printf 'wrote %s\n' "$FILE"
fi
rm -rf "$folder"
