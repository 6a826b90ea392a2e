#include "mail/glob.h"

#include <stddef.h>

#include "base/ascii.h"

/* On a mismatch only the last `*` need take one octet more: an earlier one
 * could gain nothing that the last one cannot.  So no recursion. */
bool
glob_match(const char *pattern, const char *text)
{
	const char *after_star = NULL;
	const char *retry = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			after_star = ++pattern;
			retry = text;
		} else if (*pattern != '\0' &&
		    (*pattern == '?' ||
			ascii_lower(*pattern) == ascii_lower(*text))) {
			pattern++;
			text++;
		} else if (after_star != NULL) {
			pattern = after_star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
