#include "dns/spf_macro.h"

#include <string.h>

#include "lib/check_main.h"

static const struct spf_values example = {
    .local = "strong-bad",
    .sender_domain = "email.example.com",
    .domain = "email.example.com",
    .helo = "mx.Example.org",
    .client_name = "mx.example.org",
};

/* The first are those of RFC 7208 7.4. */
static const struct {
	const char *text;
	const char *client;
	const char *name; /* NULL: none */
} expansions[] = {
    {"%{s}", "192.0.2.3", "strong-bad@email.example.com"},
    {"%{o}", "192.0.2.3", "email.example.com"},
    {"%{d}", "192.0.2.3", "email.example.com"},
    {"%{d4}", "192.0.2.3", "email.example.com"},
    {"%{d3}", "192.0.2.3", "email.example.com"},
    {"%{d2}", "192.0.2.3", "example.com"},
    {"%{d1}", "192.0.2.3", "com"},
    {"%{dr}", "192.0.2.3", "com.example.email"},
    {"%{d2r}", "192.0.2.3", "example.email"},
    {"%{l}", "192.0.2.3", "strong-bad"},
    {"%{l-}", "192.0.2.3", "strong.bad"},
    {"%{lr}", "192.0.2.3", "strong-bad"},
    {"%{lr-}", "192.0.2.3", "bad.strong"},
    {"%{l1r-}", "192.0.2.3", "strong"},
    {"%{ir}.%{v}._spf.%{d2}", "192.0.2.3",
	"3.2.0.192.in-addr._spf.example.com"},
    {"%{lr-}.lp._spf.%{d2}", "192.0.2.3", "bad.strong.lp._spf.example.com"},
    {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "192.0.2.3",
	"bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
    {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "192.0.2.3",
	"3.2.0.192.in-addr.strong.lp._spf.example.com"},
    {"%{d2}.trusted-domains.example.net", "192.0.2.3",
	"example.com.trusted-domains.example.net"},
    {"%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01",
	"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6."
	"_spf.example.com"},
    {"%{i}", "2001:db8::cb01",
	"2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1"},
    {"%{h}.%{p}", "192.0.2.3", "mx.example.org.mx.example.org"},
    {"%{S}", "192.0.2.3", "strong-bad%40email.example.com"},
    {"%{D2}", "192.0.2.3", "example.com"},
    {"a%%b%_c%-d.example", "192.0.2.3", "a%b c%20d.example"},
    {"%{d}.", "192.0.2.3", "email.example.com"},
    {"%{d2r.}", "192.0.2.3", "example.email"},
    {"%{s1r@}", "192.0.2.3", NULL},
    {"%{d}..", "192.0.2.3", NULL},
    {"%{l=}.x", "192.0.2.3", "strong-bad.x"},
};

static struct spf_text
text_of(const char *text)
{
	return (struct spf_text){text, strlen(text)};
}

START_TEST(macros_stand_for_what_the_rfc_says)
{
	struct spf_values values = example;
	char name[DNS_NAME_SIZE];
	bool good;

	ck_assert(netaddr_parse(expansions[_i].client, &values.client));
	good = spf_macro_expand(text_of(expansions[_i].text), &values, name);
	ck_assert_msg(
	    good == (expansions[_i].name != NULL), "%s", expansions[_i].text);
	if (good)
		ck_assert_str_eq(name, expansions[_i].name);
}
END_TEST

static const struct {
	const char *text;
	bool domain, string;
} grammar[] = {
    {"example.com", true, true},
    {"example.com.", true, true},
    {"%{d}", true, true},
    {"%%", true, true},
    {"%{d}.com", true, true},
    {"%{d}com", false, true},
    {"%{d}.123", false, true},
    {"a.x-1", true, true},
    {"a.1-1", true, true},
    {"a.-x", false, true},
    {"a.x-", false, true},
    {"a.b_c", false, true},
    {"com", false, true},
    {"com.", false, true},
    {".", false, true},
    {"", false, true},
    {"a b.com", false, false},
    {"%", false, false},
    {"%a", false, false},
    {"%{", false, false},
    {"%{}", false, false},
    {"%{z}", false, false},
    {"%{d0}", false, false},
    {"%{d00}", false, false},
    {"%{drr}", false, false},
    {"%{d.-+,/_=}", true, true},
    {"%{d:}", false, false},
    {"%{c}", false, true},
    {"%{R}.example", false, true},
    {"%{D128R}", true, true},
};

START_TEST(the_grammar_is_kept)
{
	struct spf_text text = text_of(grammar[_i].text);

	ck_assert_msg(spf_macro_is_domain(text) == grammar[_i].domain, "%s",
	    grammar[_i].text);
	ck_assert_msg(spf_macro_is_string(text) == grammar[_i].string, "%s",
	    grammar[_i].text);
}
END_TEST

START_TEST(a_long_name_loses_labels_on_the_left)
{
	struct spf_values values = example;
	char text[4096] = "", name[DNS_NAME_SIZE];

	for (int i = 0; i < 500; i++)
		strcat(text, "%{s}.");
	strcat(text, "end.example");
	ck_assert(spf_macro_expand(text_of(text), &values, name));
	ck_assert_uint_le(strlen(name), SPF_NAME_MAX);
	ck_assert_uint_gt(strlen(name), SPF_NAME_MAX - 40);
	ck_assert_str_eq(
	    name + strlen(name) - 24, "email.example.com.end.example" + 5);
}
END_TEST

START_TEST(a_long_label_cannot_be_cut)
{
	struct spf_values values = example;
	char text[4096] = "", name[DNS_NAME_SIZE];

	for (int i = 0; i < 500; i++)
		strcat(text, "%{l}");
	ck_assert(!spf_macro_expand(text_of(text), &values, name));
}
END_TEST

CHECK_MAIN("spf_macro", tcase)
{
	tcase_add_loop_test(
	    tcase, macros_stand_for_what_the_rfc_says, 0, COUNT(expansions));
	tcase_add_loop_test(tcase, the_grammar_is_kept, 0, COUNT(grammar));
	tcase_add_test(tcase, a_long_name_loses_labels_on_the_left);
	tcase_add_test(tcase, a_long_label_cannot_be_cut);
}
