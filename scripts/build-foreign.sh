#!/usr/bin/env bash
# Builds a program that somebody else wrote for the sandbox, unchanged: cjpeg of libjpeg-turbo, from
# Debian's source package. Beside it comes the very program as Debian built it for this machine, to
# compare with.
#
#   scripts/build-foreign.sh DIR      DIR/cjpeg.wasm, DIR/debian/cjpeg, DIR/debian/libjpeg.so.62
#
# Needs no root. The machine's own package sources are asked, in the copy that this makes of their
# settings; apt checks what they send by Debian's signatures. What is there already is not built again.
# Exit code 77: it can not be built on this machine (no apt, another Debian), so what needs it has to be
# skipped.
set -euo pipefail

dir=${1:?"where to? scripts/build-foreign.sh DIR"}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

readonly SOURCE=libjpeg-turbo
# Debian 12's. A later one has other files; a security update of this one has not.
readonly VERSION=2.1.5

# What Debian's build makes a library of that only compresses, and cjpeg itself.
readonly PARTS=(
	jcapimin jcapistd jcarith jccoefct jccolor jcdctmgr jchuff jcicc jcinit jcmainct jcmarker jcmaster
	jcomapi jcparam jcphuff jcprepct jcsample jctrans jdatadst jaricom jerror jfdctflt jfdctfst jfdctint
	jmemmgr jmemnobs jsimd_none jutils
	cjpeg cdjpeg rdbmp rdgif rdppm rdswitch rdtarga
)

say() { printf 'build-foreign: %s\n' "$*" >&2; }

# impossible WHY
impossible() {
	say "$1"
	exit 77
}

mark=$dir/.cjpeg-$VERSION
if [ -e "$mark" ]; then
	printf '%s\n' "$dir/cjpeg.wasm" "$dir/debian/cjpeg"
	exit
fi
for tool in apt-get dpkg-source; do
	command -v $tool >/dev/null || impossible "this machine has no $tool, so no source packages"
done

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{parts,lists/partial,cache/archives/partial,include}

# Both kinds of settings that there are, for packages and sources alike. Those of others than Debian
# stay away: they have no such sources.
for settings in /etc/apt/sources.list.d/debian*.sources; do
	[ ! -e "$settings" ] || sed 's/^Types:.*/Types: deb deb-src/' "$settings" >"$work/parts/${settings##*/}"
done
if [ -z "$(ls "$work/parts")" ]; then
	sed -n 's/^deb /&/p; s/^deb /deb-src /p' /etc/apt/sources.list >"$work/parts/own.list" 2>/dev/null ||
		impossible "nothing in /etc/apt says where Debian's packages are"
fi

apt() {
	apt-get --quiet --quiet -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts" \
		-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@"
}

cd "$work"
apt update || impossible "apt can't read Debian's package lists"
apt source --download-only $SOURCE || impossible "Debian has no sources of $SOURCE here"
dsc=$(ls ${SOURCE}_*.dsc)
version=$(sed -n 's/^Version: //p' "$dsc")
case ${version#*:} in
$VERSION-*) ;;
*) impossible "Debian's $SOURCE is $version here, and $VERSION is meant" ;;
esac

# As Debian builds it: with its patches. Signatures were apt's business.
dpkg-source --no-check -x "$dsc" source >/dev/null

# What its own build would find out about the compiler.
for header in jconfig jconfigint jversion; do
	sed -e "
		s/@JPEG_LIB_VERSION@/62/
		s/@VERSION@/$VERSION/
		s/@LIBJPEG_TURBO_VERSION_NUMBER@/2001005/
		s/@BITS_IN_JSAMPLE@/8/
		s/@COPYRIGHT_YEAR@/2023/
		s/@BUILD@/$version/
		s/@INLINE@/inline/
		s/@THREAD_LOCAL@/_Thread_local/
		s/@CMAKE_PROJECT_NAME@/$SOURCE/
		s/@SIZE_T@/4/
		s/^#cmakedefine \(C_ARITH_CODING_SUPPORTED\|MEM_SRCDST_SUPPORTED\|HAVE_BUILTIN_CTZL\)/#define \1/
		s/^#cmakedefine .*//
	" "source/$header.h.in" >"include/$header.h"
done

formats=(-DBMP_SUPPORTED -DGIF_SUPPORTED -DPPM_SUPPORTED -DTARGA_SUPPORTED)
# Its warnings are its authors' business.
(
	cd source
	"${CLANG:-clang}" --target=wasm32-wasi -O2 -s -w -I"$work/include" -I. "${formats[@]}" \
		"${PARTS[@]/%/.c}" -o "$dir/cjpeg.wasm"
)

# Debian's own, with the library that it wants.
apt download libjpeg-turbo-progs libjpeg62-turbo
for package in *.deb; do dpkg-deb --extract "$package" debian; done
rm -rf "$dir/debian"
mkdir "$dir/debian"
cp debian/usr/bin/cjpeg "$dir/debian"
cp --dereference debian/usr/lib/*/libjpeg.so.62 "$dir/debian"
touch "$mark"
printf '%s\n' "$dir/cjpeg.wasm" "$dir/debian/cjpeg"
