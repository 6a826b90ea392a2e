#!/bin/sh
# run.sh [--all] [CONFIGURE OPTION...]: install what is needed, build in a
# private directory, run all tests, and close with "N passed, N failed".
#
# Each single test counts, not each program: a Check program and a Python
# program say themselves how many they had.  With --all the format and static
# checks come first, each of which counts as one, and at last all Check programs
# and the tests of the daemon again under ASan and UBSan.
set -eu
exec </dev/null
# shellcheck source-path=SCRIPTDIR source=build.sh
. "$(dirname "$0")/build.sh"

# "PASSED FAILED SKIPPED" of one program, from what it said (the file $1) and
# from automake's result ($2), which alone knows of a crash.
count() {
	case $1 in
	*/test_*) python=1 ;; # which may quote a Check program
	*) python=0 ;;
	esac
	awk -v result="$2" -v python="$python" '
	function number(key) {
		if (!match($0, key "[=:] *[0-9]+"))
			return 0
		return substr($0, RSTART + length(key) + 1, RLENGTH) + 0
	}
	!python && /^[0-9]+%: Checks: / {
		bad = number("Failures") + number("Errors")
		failed += bad; passed += number("Checks") - bad
	}
	/^Ran [0-9]+ tests? in / { passed += $2 }
	/^(OK|FAILED)( \(|$)/ {
		bad = number("failures") + number("errors")
		idle = number("skipped")
		failed += bad; skipped += idle; passed -= bad + idle
	}
	END {
		if (passed + failed + skipped == 0) {
			passed = result == "PASS"
			skipped = result == "SKIP"
		}
		if (failed == 0 && result != "PASS" && result != "SKIP")
			failed = 1
		print passed + 0, failed + 0, skipped + 0
	}' "$1"
}

# Add up all programs; what a failed one said is shown.
tally() {
	passed=0 failed=0 skipped=0
	for trs in $(find . -name '*.trs' | sort); do
		log=${trs%.trs}.log
		result=$(sed -n 's/^:test-result: \([A-Z]*\).*/\1/p' "$trs")
		# shellcheck disable=SC2046 # three numbers
		set -- $(count "$log" "$result")
		passed=$((passed + $1))
		failed=$((failed + $2))
		skipped=$((skipped + $3))
		[ "$2" -eq 0 ] || { echo "==== ${log#./}"; cat "$log"; }
	done
}

# Each check is a test: its output and result as automake would have them.
lint() {
	mkdir -p lint
	for check in $(make -s list-lint); do
		result=PASS
		make -s "$check" >"lint/$check.log" 2>&1 || result=FAIL
		echo "$result: $check"
		echo ":test-result: $result" >"lint/$check.trs"
	done
}

# A program that failed beside all others is run once more by itself: a fault fails
# again, and what it said at first is shown either way.
check_again() {
	for trs in "$1"/tests/*.trs; do
		grep -q ':test-result: \(FAIL\|ERROR\)' "$trs" || continue
		echo "==== ${trs%.trs}.log, to be run again"
		cat "${trs%.trs}.log"
	done
	make -s -k -j1 -C "$1" recheck
}

sets='build test' all=
if [ "${1-}" = --all ]; then
	all=yes sets="$sets lint"
	shift
fi
# shellcheck disable=SC2086 # a list of words
sh "$top/tests/install.sh" $sets
build_all "$@"
status=0
[ -z "$all" ] || lint
make -s -k -j"$(nproc)" check TESTS= >/dev/null || status=$?
# All programs at once: they agree on how many tests run (tests/lib/cases.py).
make -s -k -j99 check || check_again . || status=$?
if [ -n "$all" ]; then
	sanitized=$(make -s list-sanitized | tr '\n' ' ')
	make -s -k -j"$(nproc)" check-sanitize TESTS= >/dev/null || status=$?
	make -s -k -j99 check-sanitize TESTS="$sanitized" ||
		check_again sanitize-address || status=$?
fi
tally
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
	echo "make check failed, and no test program says why"
	failed=1
fi
end=
[ "$skipped" -eq 0 ] || end=", $skipped skipped"
echo "$passed passed, $failed failed$end"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
