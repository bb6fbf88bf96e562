# shellcheck shell=bash
# Sourced by scripts that take names as arguments.

# one_of KIND NAME KNOWN...: ends the script with an error unless NAME is one of those KNOWN.
one_of() {
	local kind=$1 name=$2 known
	shift 2
	for known; do
		[ "$name" != "$known" ] || return 0
	done
	printf '%s: error: there is no %s %s; there are: %s\n' "$(basename "$0" .sh)" "$kind" "$name" "$*" >&2
	exit 2
}
