#!/bin/sh
# other_systems.sh: does it build elsewhere?
#
#   clang       all of it, and all Check programs
#   gcc -O3     the same
#   hiredis 1   the same, with the header files and the library of Debian 13
#   musl        each file of milter/ is compiled (there is nothing to link it with)
#
# What is not installed is fetched, unpacked in the private directory, and gone in
# the end; musl-gcc is Debian's musl-tools.  Takes some minutes.
set -eu
exec </dev/null
# shellcheck source-path=SCRIPTDIR source=build.sh
. "$(dirname "$0")/build.sh"

failed=0
tell() {
	printf '%-24s %s\n' "$1" "$2"
	[ "$2" = good ] || failed=1
}

# try NAME OPTION...: configure so, build, and run the Check programs.
try() {
	name=$1
	shift
	mkdir "$build/$name"
	cd "$build/$name"
	if "$top/configure" -q "$@" >log 2>&1 && make -j"$(nproc)" >>log 2>&1 &&
		make -k -j"$(nproc)" check python_tests= >>log 2>&1; then
		tell "$name" good
	else
		tail -n 40 log
		tell "$name" "fails"
	fi
	cd "$build"
	rm -rf "${build:?}/$name"
}

# The hiredis of Debian 13, in $build/trixie.
fetch_hiredis() (
	mkdir -p "$build/apt/lists/partial" "$build/apt/cache/archives/partial"
	cd "$build/apt"
	echo "deb http://deb.debian.org/debian trixie main" >sources
	set -- -qq -o Dir::Etc::sourcelist="$PWD/sources" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$PWD/lists" \
		-o Dir::Cache="$PWD/cache" -o Debug::NoLocking=1 \
		-o APT::Sandbox::User=root
	quietly apt-get "$@" update
	quietly apt-get "$@" download libhiredis-dev libhiredis1.1.0
	for package in *.deb; do
		dpkg-deb -x "$package" "$build/trixie"
	done
)

# The header files of all libraries but the C library, in $build/headers.
link_headers() {
	machine=$(gcc -print-multiarch)
	for package in $(sed -n '/build) echo/,/;;/p' "$top/tests/install.sh" |
		tr -s ' \t\\;' '\n' | grep -e '-dev$' | grep -v '^libc6'); do
		dpkg -L "$package" | sed -n "s|^/usr/include/||p" |
			while read -r name; do
				[ -f "/usr/include/$name" ] || continue
				link=$build/headers/${name#"$machine"/}
				mkdir -p "${link%/*}"
				ln -sf "/usr/include/$name" "$link"
			done
	done
}

try_musl() {
	link_headers
	mkdir -p "$build/headers/sys" "$build/musl"
	# Alpine has this in a package of its own; crypt.h wants it.
	printf '#define __%s\n' BEGIN_DECLS END_DECLS THROW \
		>"$build/headers/sys/cdefs.h"
	(cd "$build/musl" && quietly "$top/configure" -q)
	find "$top/milter" -name '*.c' | while read -r file; do
		musl-gcc -std=c11 -pthread -fsyntax-only -Wall -Werror \
			-D_POSIX_C_SOURCE=200809L -DSYSCONFDIR='"/etc"' \
			-DSTATEDIR='"/var/lib"' -I"$build/musl" -I"$top/milter" \
			-isystem "$build/headers" "$file" >>"$build/musl.log" 2>&1 ||
			echo "$file" >>"$build/musl.bad"
	done
	if [ -e "$build/musl.bad" ]; then
		cat "$build/musl.log"
		tell musl "fails"
	else
		tell musl good
	fi
}

cd "$top"
quietly autoreconf -i
cd "$build"
try clang CC=clang CFLAGS='-O2 -g'
try gcc-O3 CFLAGS='-O3 -g'
fetch_hiredis
libraries=$build/trixie/usr/lib/$(gcc -print-multiarch)
try hiredis-1 CPPFLAGS="-I$build/trixie/usr/include" \
	LDFLAGS="-L$libraries -Wl,-rpath,$libraries" \
	HIREDIS_CFLAGS=' ' HIREDIS_LIBS=-lhiredis
try_musl
exit "$failed"
