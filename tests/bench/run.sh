#!/bin/sh
# run.sh [OPTION...]: how fast is milter-defer, and how much does it remember?
#
# A load generator plays the mail server over the milter protocol and drives, in
# turns, these milters:
#
#   null            libmilter, answers CONTINUE to everything
#   quiet           the same with the flags that milter-defer negotiates, so that
#                   the mail server waits where it waits for milter-defer: the
#                   most that libmilter can do
#   null + Redis    null with one Redis round trip a message (INCR), pool of 8
#   defer           milter-defer with its embedded store
#   defer + Redis   milter-defer with Redis
#   before (+ Redis)  with --before BINARY: another milter-defer
#
# with mixes of clients (all exempt, 90 % known, strangers, fifty recipients a
# message), and prints for each of them sessions per second, their ratio to null
# and to quiet, how long the deciding answer took, and what a session costs in CPU
# time of the milter and of Redis; then what Redis does for a decision, beside a
# single INCR, and the memory that it takes for one million client networks.
#
# Only ratios and CPU per session are comparable between machines, and ratios
# closer than 0.2 are not different.
#
#   --peers     instead of all that: milter-defer beside milter-greylist, rspamd and
#               postgrey, where they are installed, empty and with 600,000 triplets;
#               as root also through a real Postfix.  Some ten minutes
#   --dns       instead of all that: what four DNS lists cost a decision whose answers
#               are there, and one whose answers are not, by a name server here.
#               About a minute
#   --quick     about a minute instead of ten, less exact
#   --help      all options: which mixes, how many sessions, how long ...
#
# The milter-defer of $MILTER_DEFER is measured, or that of the build directory
# $BUILD_DIR; without either, one is built.  MILTER_DEFER=none measures the null
# milters alone.  Needs no root if everything is installed, uses unix sockets in
# a temporary directory only, and leaves nothing running and nothing behind.
set -eu
exec </dev/null
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../build.sh
. "$here/../build.sh"
top=$(cd "$here/../.." && pwd)

programs=$build/bench
mkdir "$programs"

# compile PROGRAM SOURCE... -- LIBRARY...
compile() {
	program=$programs/$1
	shift
	sources=
	while [ "$1" != -- ]; do
		sources="$sources $here/$1.c"
		shift
	done
	shift
	# shellcheck disable=SC2086 # lists of words
	quietly ${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -O2 \
		-o "$program" $sources "$@"
}

sh "$top/tests/install.sh" demo redis
compile milter_load milter_load load_run mta_session mta_macros packet \
	samples traffic -- -lm
compile null_milter null_milter null_filter -- -lmilter -lpthread
compile null_dns null_dns --
compile null_redis_milter null_redis_milter null_filter -- \
	-lmilter -lhiredis -lpthread

case ${MILTER_DEFER-} in
none) MILTER_DEFER= ;;
'')
	if [ -z "${BUILD_DIR-}" ]; then
		echo "Building milter-defer ..." >&2
		# shellcheck disable=SC2119 # our options are not configure's
		build_all
		BUILD_DIR=$build
	fi
	MILTER_DEFER=$BUILD_DIR/milter-defer
	[ -x "$MILTER_DEFER" ] || {
		echo "run.sh: there is no $MILTER_DEFER" >&2
		exit 1
	}
	;;
esac
export MILTER_DEFER
python3 "$here/bench.py" --programs "$programs" "$@"
