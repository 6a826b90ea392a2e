#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"
#include "web/cause.h"
#include "web/form.h"
#include "web/html.h"
#include "web/token.h"
#include "web/visitors.h"

/* ---- What a browser prefers */

static const struct {
	const char *when;
	const char *accepted;
	enum language chosen;
} languages[] = {
    {"nothing is asked", NULL, ENGLISH},
    {"nothing is said", "", ENGLISH},
    {"German, of whatever country", "de-AT", GERMAN},
    {"in whatever letters", "DE", GERMAN},
    {"the first of equals", "en,de", ENGLISH},
    {"the best, wherever it stands", "en;q=0.3,de;q=0.8", GERMAN},
    {"others are passed over", "fr, es;q=0.9, de;q=0.1", GERMAN},
    {"no quality is the best", "en;q=0.9, de", GERMAN},
    {"with blanks", "en ; q=0.9 , de ; q=1", GERMAN},
    {"none of ours", "fr", ENGLISH},
    {"not wanted at all", "de;q=0", ENGLISH},
    {"a longer word is another", "dex, den", ENGLISH},
    {"anything goes", "*", ENGLISH},
    {"rubbish", ";;q=,,;q=9e999,-", ENGLISH},
};

START_TEST(language)
{
	ck_assert_msg(
	    language_choose(languages[_i].accepted) == languages[_i].chosen,
	    "%s", languages[_i].when);
}
END_TEST

/* ---- Causes */

static const struct {
	const char *response;
	const char *cause;
} causes[] = {
    {"internal-resource", "own-fault"},
    {"try-again", "policy"},
    {"greylisted", "greylisted"},
    {"policy", "policy"},
    {"local-problem", "own-fault"},
    {"blocklisted", "block-list"},
    {"ip-reputation", "reputation"},
    {"server-busy", "busy"},
    {"rejected-message", "policy"},
    {"one-domain", "policy"},
    {"timeout", "protocol"},
    {"protocol", "protocol"},
    {"rate-limited", "rate-limited"},
};

START_TEST(cause)
{
	static const struct policy policy;

	ck_assert_str_eq(
	    cause_names[cause_of(&policy, causes[_i].response, "")],
	    causes[_i].cause);
}
END_TEST

/* A response of the postmaster's own says nothing; the rule may. */
START_TEST(cause_by_rule)
{
	static char strangers[] = "strangers", poor[] = "poor";
	struct rule rules[] = {
	    {.name = strangers, .verdict = RULE_GREYLIST, .by = BY_TRIPLET},
	    {.name = poor, .verdict = RULE_GREYLIST, .by = BY_CLIENT}};
	static struct policy policy;

	policy.rules = rules;
	policy.rule_count = 2;
	ck_assert(cause_of(&policy, "own", "strangers") == CAUSE_GREYLISTED);
	ck_assert(cause_of(&policy, "own", "poor") == CAUSE_REPUTATION);
	ck_assert(cause_of(&policy, "own", "gone") == CAUSE_POLICY);
}
END_TEST

START_TEST(all_words)
{
	struct cause_text text;

	for (enum language i = ENGLISH; i < LANGUAGES; i++) {
		for (enum cause which = 0; which < CAUSES; which++) {
			cause_words(which, "", i, "", &text);
			ck_assert(text.happened[0] != '\0');
			ck_assert(text.turn[0] != '\0');
			ck_assert(text.help[0] != '\0');
		}
		for (enum word word = 0; word < WORDS; word++)
			ck_assert(cause_page_words[i][word] != NULL);
	}
}
END_TEST

/* ---- Forms */

static const struct {
	const char *when;
	const char *form;
	const char *value;
} forms[] = {
    {"the only one", "name=anna", "anna"},
    {"among others", "a=1&name=anna&b=2", "anna"},
    {"the first of two", "name=anna&name=rita", "anna"},
    {"a longer name is another", "names=x&myname=y", ""},
    {"it is not there", "a=1", ""},
    {"nothing at all", "", ""},
    {"empty", "name=&a=1", ""},
    {"a plus is a blank", "name=a+b", "a b"},
    {"escaped", "name=a%40b%2Bc", "a@b+c"},
    {"UTF-8 stays", "name=%C3%BC", "\xc3\xbc"},
    {"no escape stays", "name=50%&a", "50%"},
    {"half an escape stays", "name=%4", "%4"},
    {"zeros and controls are blanks", "name=a%00b%0d%0ac", "a b  c"},
    {"cut to its room", "name=0123456789abcdefXYZ", "0123456789abcde"},
};

START_TEST(form)
{
	char value[16];

	form_field(forms[_i].form, "name", value, sizeof value);
	ck_assert_msg(strcmp(value, forms[_i].value) == 0, "%s: %s",
	    forms[_i].when, value);
}
END_TEST

/* ---- Markup */

START_TEST(markup)
{
	struct bytes_out out = {NULL};

	html(&out, "<p class=\"%s\">%s: %d of %zu, %.2f %%</p>", "a\"b'c",
	    "<x> & \n\xc3\xbc", -3, (size_t)7, 0.125);
	bytes_put(&out, "", 1);
	ck_assert_str_eq((char *)out.data,
	    "<p class=\"a&quot;b&#39;c\">&lt;x&gt; &amp;  \xc3\xbc: "
	    "-3 of 7, 0.12 %</p>");
	bytes_free(&out);
}
END_TEST

/* ---- Tokens */

START_TEST(tokens)
{
	unsigned char key[TOKEN_KEY] = {1}, other[TOKEN_KEY] = {2};
	char token[TOKEN_SIZE], again[TOKEN_SIZE];

	ck_assert(token_sign(key, "release", "A 192.0.2.1", token));
	ck_assert_uint_eq(strlen(token), TOKEN_SIZE - 1);
	ck_assert(token_suits(key, "release", "A 192.0.2.1", token));
	ck_assert(!token_suits(key, "release", "A 192.0.2.2", token));
	ck_assert(!token_suits(key, "session", "A 192.0.2.1", token));
	ck_assert(!token_suits(other, "release", "A 192.0.2.1", token));
	ck_assert(!token_suits(key, "release", "A 192.0.2.1", ""));
	memcpy(again, token, sizeof again);
	again[5] ^= 1;
	ck_assert(!token_suits(key, "release", "A 192.0.2.1", again));
}
END_TEST

/* ---- Visitors */

#define SECOND INT64_C(1000000)

static struct visitors *
visitors_new(void)
{
	struct visitors *visitors = calloc(1, sizeof *visitors);

	ck_assert_ptr_nonnull(visitors);
	ck_assert_int_eq(pthread_mutex_init(&visitors->mutex, NULL), 0);
	return visitors;
}

static bool
may(struct visitors *visitors, const char *address, int64_t now_us)
{
	struct netaddr visitor;

	ck_assert(netaddr_parse(address, &visitor));
	return visitors_may(visitors, &visitor, 6, now_us);
}

START_TEST(visits)
{
	struct visitors *visitors = visitors_new();
	int64_t now = 1000 * SECOND;

	for (int i = 0; i < 6; i++)
		ck_assert(may(visitors, "2001:db8::1", now));
	ck_assert(!may(visitors, "2001:db8::1", now));
	ck_assert(!may(visitors, "2001:db8::ffff:2", now)); /* the same /64 */
	ck_assert(may(visitors, "2001:db8:0:1::1", now));
	ck_assert(may(visitors, "192.0.2.1", now));
	ck_assert(!may(visitors, "2001:db8::1", now + 9 * SECOND));
	ck_assert(may(visitors, "2001:db8::1", now + 10 * SECOND));
	ck_assert(!may(visitors, "2001:db8::1", now + 10 * SECOND));
	free(visitors);
}
END_TEST

/* Many come; the table stays as large as it is, and who asks too often does not get
 * rid of it by a few others. */
START_TEST(crowd)
{
	struct visitors *visitors = visitors_new();
	struct netaddr visitor = {.length = 4};
	int64_t now = 1000 * SECOND;

	for (int i = 0; i < 6; i++)
		ck_assert(may(visitors, "192.0.2.1", now));
	for (unsigned i = 0; i < 2000; i++) {
		visitor.octets[0] = 10;
		visitor.octets[2] = (unsigned char)(i >> 8);
		visitor.octets[3] = (unsigned char)i;
		ck_assert(visitors_may(visitors, &visitor, 6, now));
	}
	ck_assert(!may(visitors, "192.0.2.1", now));
	free(visitors);
}
END_TEST

CHECK_MAIN("web", tcase)
{
	tcase_add_loop_test(tcase, language, 0, COUNT(languages));
	tcase_add_loop_test(tcase, cause, 0, COUNT(causes));
	tcase_add_test(tcase, cause_by_rule);
	tcase_add_test(tcase, all_words);
	tcase_add_loop_test(tcase, form, 0, COUNT(forms));
	tcase_add_test(tcase, markup);
	tcase_add_test(tcase, tokens);
	tcase_add_test(tcase, visits);
	tcase_add_test(tcase, crowd);
}
