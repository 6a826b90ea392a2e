# build.sh -- read by run.sh and demo.sh: build in a private directory.
#
# Sets `top` (the source) and `build`; the latter goes when the script ends.
# shellcheck shell=sh

top=$(cd "$(dirname "$0")/.." && pwd)
build=$(mktemp -d "${TMPDIR:-/tmp}/milter-defer-build.XXXXXX")
chmod 755 "$build" # the mail servers' own user has to get in
trap 'rm -rf "$build"' EXIT
trap 'exit 1' HUP INT TERM
export MTA_CACHE="$build/mta" PYTHONDONTWRITEBYTECODE=1

# What a step says matters only when it fails.
quietly() {
	"$@" >"$build/step.log" 2>&1 && return
	cat "$build/step.log"
	echo "failed: $*"
	exit 1
}

# Build all, with these options for configure; ends in the build directory.
build_all() {
	cd "$top" || exit
	quietly autoreconf -i
	cd "$build" || exit
	quietly "$top/configure" "$@"
	quietly make -j"$(nproc)"
}
