#!/bin/sh
# soak.sh: everything at once, for SOAK_MINUTES (3 by default; hours are welcome).
#
# A Postfix and a Sendmail with a milter-defer each, which share a Redis with
# Sentinel, serve mixed traffic while Redis is killed, stopped, filled and failed
# over, the daemons are reloaded and killed, a clock jumps, and DNS stalls.  At the
# end every message is accounted for; see soak.py for what has to hold.  Not part of
# .ci/run.  Installs what it needs and builds in a private directory, unless
# MILTER_DEFER names a binary.  Needs root; leaves nothing running.
set -eu
exec </dev/null
# shellcheck source-path=SCRIPTDIR source=build.sh
. "$(dirname "$0")/build.sh"

if [ "$(id -u)" -ne 0 ]; then
	echo "soak.sh: private mail servers need root" >&2
	exit 1
fi
if [ -z "${MILTER_DEFER-}" ]; then
	sh "$top/tests/install.sh" build test
	# shellcheck disable=SC2119 # our arguments are not for configure
	build_all
	MILTER_DEFER=$build/milter-defer
fi
export MILTER_DEFER
python3 "$top/tests/soak.py"
