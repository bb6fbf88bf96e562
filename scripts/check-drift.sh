#!/usr/bin/env bash
# Finds what has to agree and does not: files that belong together, in places that no compiler looks
# at. Prints each finding, and fails if there is one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

findings=0
finding() {
	printf 'drift: %s\n' "$*" >&2
	findings=$((findings + 1))
}

# The names of functions that follow an attribute, one a line: functions_after ATTRIBUTE FILE.
functions_after() {
	awk -v attribute="$1" '
		index($0, attribute) { wanted = 1; next }
		wanted && match($0, /fn [a-z_0-9]+/) { print substr($0, RSTART + 3, RLENGTH - 3); wanted = 0 }
	' "$2" | sort -u
}

# The functions of a trait, one a line: functions_of TRAIT FILE.
functions_of() {
	awk -v trait="pub trait $1 " '
		index($0, trait) { inside = 1 }
		inside && match($0, /fn [a-z_0-9]+/) { print substr($0, RSTART + 3, RLENGTH - 3) }
		inside && /^}/ { exit }
	' "$2" | sort -u
}

for pallet in pallets/*/; do
	pallet=${pallet%/}
	for file in README.md src/{lib,mock,tests,benchmarking,weights}.rs; do
		# A module may be a folder.
		[ -e "$pallet/$file" ] || [ -d "$pallet/${file%.rs}" ] || finding "$pallet/$file is missing"
	done

	grep --quiet 'measured by .scripts/bench-weights.sh' "$pallet/src/weights.rs" ||
		finding "$pallet/src/weights.rs was not written by scripts/bench-weights.sh"

	# Every weight was measured, and every measurement is used. What the compiler does check is that
	# every call has a weight.
	if [ -f "$pallet/src/weights.rs" ] && [ -f "$pallet/src/benchmarking.rs" ]; then
		while read -r side name; do
			finding "$pallet: $name is only in src/$side.rs"
		done < <(
			comm -3 <(functions_of WeightInfo "$pallet/src/weights.rs") \
				<(functions_after '#[benchmark' "$pallet/src/benchmarking.rs") |
				sed -E 's/^\t(.*)/benchmarking \1/; t; s/^/weights /'
		)
	fi

	grep --quiet "\"$pallet\"" Cargo.toml || finding "$pallet is not in the workspace"
done

# Links between documents, and from them into the code.
while IFS=: read -r document link; do
	link=${link#](}
	link=${link%%[)#]*}
	case $link in
	# The last are names of items, which rustdoc resolves.
	'' | *://* | mailto:* | *::*) continue ;;
	esac
	[ -e "$(dirname "$document")/$link" ] || finding "$document links to $link, which is not there"
done < <(
	find . \( -name node_modules -o -name target -o -name .git \) -prune -o -name '*.md' -print0 |
		xargs -0 grep --only-matching --with-filename --extended-regexp '\]\([^)[:space:]]+\)' || true
)

if [ $findings -gt 0 ]; then
	printf 'drift: %d findings\n' "$findings" >&2
	exit 1
fi
printf 'no drift\n'
