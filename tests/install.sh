#!/bin/sh
# install.sh SET...: see to it that what the named sets need is installed.
#
#   build   compile milter-defer
#   test    run its tests as well
#   package make the Debian package, and try it in a bare system
#   lint    the format and static checks
#   fuzz    the fuzz targets
#   demo    run the demo
#   redis   a redis-server for the demo
#
# On Debian and its kin, as root, missing packages are installed, and no daemon
# is started by it.  Not root: missing packages are named, exit status 1.
set -eu

packages_of() {
	case $1 in
	build) echo gcc libc6-dev make autoconf automake pkg-config \
		libmilter-dev libhiredis-dev libconfuse-dev libpsl-dev \
		publicsuffix libssl-dev libc-ares-dev libmaxminddb-dev \
		libjansson-dev \
		libmicrohttpd-dev libcrypt-dev zlib1g-dev libzstd-dev ;;
	test) echo check python3 redis-server redis-tools openssl mandoc \
		iproute2 util-linux stress-ng postgrey sqlite3 \
		prometheus chromium chromium-driver
		packages_of package ;;
	package) echo debhelper dpkg-dev lintian mmdebstrap ;;
	lint) echo clang-format-14 clang-tidy-14 cppcheck mandoc shellcheck ;;
	fuzz) echo clang ;;
	demo) packages_of build; echo python3 ;;
	redis) echo redis-server ;;
	*) echo "install.sh: no such set: $1" >&2; exit 2 ;;
	esac
}

is_installed() {
	state=$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) || return 1
	[ "$state" = "install ok installed" ]
}

# Debian asks policy-rc.d whether a package may start its daemon; one that the
# machine has stays as it is.
policy=/usr/sbin/policy-rc.d
forbid_daemons() {
	[ ! -e $policy ] || return 0
	trap 'rm -f $policy' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
}

install_now() {
	apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Use-Pty=0 install "$@" </dev/null >/dev/null
}

update_lists() {
	apt-get -qq -o DPkg::Lock::Timeout=300 update </dev/null >/dev/null
}

has_lists() {
	set -- /var/lib/apt/lists/*_Packages*
	[ -e "$1" ]
}

[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
wanted=$(for set in "$@"; do packages_of "$set"; done)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "Not Debian: taken to be installed is what Debian names" >&2
	echo "$wanted" >&2
	exit 0
fi

missing=
for package in $wanted; do
	is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "Please install, as root: apt-get install$missing" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
forbid_daemons
echo "installing:$missing" >&2
has_lists || update_lists
# shellcheck disable=SC2086 # a list of words
install_now $missing || { update_lists; install_now $missing; }
