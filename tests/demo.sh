#!/bin/sh
# demo.sh [--redis]: see milter-defer at work with a real Postfix.
#
# Installs what it needs, builds in a private directory, and prints what mail
# clients of several kinds are told.  Exit status 0 if all was as it should be.
# Needs root; leaves nothing running and nothing behind.
set -eu
exec </dev/null
# shellcheck source-path=SCRIPTDIR source=build.sh
. "$(dirname "$0")/build.sh"

case ${1-} in
'') sets=demo ;;
--redis) sets='demo redis' ;;
*) echo "usage: demo.sh [--redis]" >&2; exit 2 ;;
esac
if [ "$(id -u)" -ne 0 ]; then
	echo "demo.sh: a private Postfix needs root" >&2
	exit 1
fi
# shellcheck disable=SC2086 # a list of words
sh "$top/tests/install.sh" $sets
echo "Building milter-defer and unpacking a private Postfix ..."
# shellcheck disable=SC2119 # our arguments are not for configure
build_all
python3 "$top/tests/demo.py" "$@"
