#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"
#include "mail/glob.h"

static const struct {
	const char *when;
	const char *pattern;
	const char *text;
	bool matches;
} rows[] = {
    {"a plain pattern matches itself", "mail.example.org", "mail.example.org",
	true},
    {"letters match in either case", "Mail.Example.ORG", "mAIL.eXAMPLE.org",
	true},
    {"a part of the text is not enough", "example.org", "mail.example.org",
	false},
    {"a text that goes on does not match", "mail", "mail.example.org", false},
    {"* matches anything", "*", "anything", true},
    {"* matches nothing", "*", "", true},
    {"several * are as one", "***", "x", true},
    {"? matches one octet", "mx?.example", "mx1.example", true},
    {"? does not match none", "mx?.example", "mx.example", false},
    {"? does not match two", "mx?.example", "mx12.example", false},
    {"? matches an octet above 127", "?", "\xe9", true},
    {"a letter above 127 has no other case", "\xc9", "\xe9", false},
    {"* at the start", "*.example.org", "a.b.example.org", true},
    {"* at the start needs the dot behind it", "*.example.org", "example.org",
	false},
    {"* at the end", "postmaster@*", "Postmaster@example.org", true},
    {"* in the middle", "a*z", "abcz", true},
    {"* gives back what it took too much", "*ab", "aaab", true},
    {"two * share the text", "*a*b", "xaxab", true},
    {"* and ? together ask for at least one", "*?", "", false},
    {"* and ? together take one", "?*", "x", true},
    {"an empty pattern matches the empty text", "", "", true},
    {"an empty pattern matches nothing else", "", "x", false},
    {"a * in the text is an octet like others", "a?c", "a*c", true},
    {"a backslash stands for itself", "a\\*", "a\\bc", true},
    {"a bracket stands for itself", "[a]", "a", false},
};

START_TEST(test_match)
{
	ck_assert_msg(
	    glob_match(rows[_i].pattern, rows[_i].text) == rows[_i].matches,
	    "%s: %s on %s", rows[_i].when, rows[_i].pattern, rows[_i].text);
}
END_TEST

/* Exponential matchers never end here; Check's own time-out would tell. */
START_TEST(test_hostile)
{
	char text[4001];
	char pattern[401];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[sizeof(pattern) - 1] = '\0';
	ck_assert(glob_match(pattern, text));
	pattern[sizeof(pattern) - 2] = 'b';
	ck_assert(!glob_match(pattern, text));
}
END_TEST

CHECK_MAIN("glob", tcase)
{
	tcase_add_loop_test(tcase, test_match, 0, COUNT(rows));
	tcase_add_test(tcase, test_hostile);
}
