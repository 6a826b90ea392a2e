#!/bin/sh
# check_layers.sh SOURCE ARCHIVE: folders include only those below them (the table
# is tests/layers), each library is known to the modules that are meant to know
# it, and the pure core calls nothing but arithmetic and strings.
set -u
source=$1 archive=$2
bad=0

complain() {
	echo "$*" >&2
	bad=1
}

# only HEADER MODULE...: no other file in milter/ includes it.
only() {
	header=$1
	shift
	# shellcheck disable=SC2013 # our names have no spaces
	for file in $(grep -rl "#include <$header" "$source/milter"); do
		case " $* " in
		*" $(basename "${file%.[ch]}") "*) ;;
		*) complain "$file includes <$header>, which is for $* alone" ;;
		esac
	done
}

# pure MODULE...: these call each other and the C library's harmless part.
pure() {
	objects=$(mktemp -d) || exit 2
	for module in "$@"; do
		object=$(ar t "$archive" | grep -E "(^|[-/])$module\.o\$")
		ar p "$archive" "${object:-none}" >"$objects/$module.o" ||
			complain "there is no $module.o in $archive"
	done
	nm --defined-only "$objects"/*.o | awk 'NF == 3 { print $3 }' |
		sort -u >"$objects/defined"
	for module in "$@"; do
		nm -u "$objects/$module.o" | awk '{ print $2 }' |
			sed 's/^__\(.*\)_chk$/\1/; s/^__isoc99_//; s/^__isoc23_//' |
			grep -Evx "$harmless" |
			grep -Fvxf "$objects/defined" |
			while read -r symbol; do
				echo "$module.o is meant to be pure and uses $symbol"
			done
	done >"$objects/complaints"
	[ -s "$objects/complaints" ] && complain "$(cat "$objects/complaints")"
	rm -rf "$objects"
}

# "FOLDER INCLUDED-FOLDER FILE" of each include of ours.
includes() {
	(cd "$source/milter" && grep -r --include='*.[ch]' '^#include "' .) |
		sed -n 's|^\./\(.*\)/\([^/]*\):#include "\(.*\)/[^/]*"$|\1 \3 \1/\2|p'
}

# includes | down: complaints about those that the table does not allow.
down() {
	awk 'NR == FNR {
		if ($0 !~ /^#/)
			for (i = 1; i <= NF; i++)
				allowed[$1, $i] = 1
		next
	}
	!(($1, $2) in allowed) { print $3 " may not include " $2 "/" }
	' "$source/tests/layers" -
}

strings='mem(cpy|move|set|cmp|chr)|str[a-z]*|snprintf|vsnprintf|qsort|bsearch'
numbers='abs|labs|fabs|floor|ceil|l*lround|exp|exp2|expm1|log|log2|pow|fmin|fmax|l*abs'
text='strto[a-z]*|inet_ntop|inet_pton|__ctype_[a-z_]*|ato[a-z]*|to(lower|upper)'
compiler='__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan)_.*|_?_errno_location'
# Neighbours that are not pure as a whole: these read and change nothing.
readers='list_(has_[a-z]+|number)|hostname_(clean|is_valid)'
harmless="$strings|$numbers|$text|$compiler|$readers"

upward=$(includes | down)
[ -z "$upward" ] || complain "$upward"

only libmilter/ filter
only hiredis/ resp
only confuse.h conf_file
only libpsl.h forget hostname preflight shared show
only ares.h resolver
only openssl/ stream tls triplet secret token
only microhttpd.h http
only crypt.h login
only zlib.h maillog_lines
only zstd.h maillog_lines
# Whoever emits or reads JSON: a folder, not a module.
strays=$(grep -rl '#include <jansson' "$source/milter" | grep -v '/ctl/\|/web/\|/transfer/')
[ -z "$strays" ] || complain "<jansson.h> is for ctl/, web/ and transfer/, not for $strays"
# shellcheck disable=SC2046 # a list of words
pure $(sed '/^#/d; /^$/d' "$source/tests/pure_modules")
[ $bad -eq 0 ]
