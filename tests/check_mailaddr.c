#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"
#include "mail/mailaddr.h"

static const struct {
	const char *when;
	const char *raw;
	const char *text;
	const char *domain;
} parse_rows[] = {
    {"brackets are dropped", "<bob@example.org>", "bob@example.org",
	"example.org"},
    {"brackets may be missing", "bob@example.org", "bob@example.org",
	"example.org"},
    {"the closing bracket alone may be missing", "<bob@example.org",
	"bob@example.org", "example.org"},
    {"the domain is lower-cased, the local part is not", "<Bob@EXAMPLE.Org>",
	"Bob@example.org", "example.org"},
    {"a source route is dropped", "<@r1.example,@r2.example:bob@example.org>",
	"bob@example.org", "example.org"},
    {"a route that ends nowhere is an address without local part",
	"<@example.org>", "@example.org", "example.org"},
    {"the domain's trailing dot is dropped", "<bob@example.org.>",
	"bob@example.org", "example.org"},
    {"needless quotes are dropped", "<\"bob\"@example.org>", "bob@example.org",
	"example.org"},
    {"needless backslashes are dropped", "<\"b\\ob\"@example.org>",
	"bob@example.org", "example.org"},
    {"needless quotes around dots are dropped", "<\"b.o.b\"@example.org>",
	"b.o.b@example.org", "example.org"},
    {"quotes around a blank stay", "<\"b b\"@example.org>",
	"\"b b\"@example.org", "example.org"},
    {"an escaped blank needs no backslash in quotes", "<\"b\\ b\"@example.org>",
	"\"b b\"@example.org", "example.org"},
    {"a quote in quotes keeps its backslash", "<\"b\\\"b\"@example.org>",
	"\"b\\\"b\"@example.org", "example.org"},
    {"quotes around two dots stay", "<\"b..b\"@example.org>",
	"\"b..b\"@example.org", "example.org"},
    {"empty quotes stay", "<\"\"@example.org>", "\"\"@example.org",
	"example.org"},
    {"an @ in quotes is part of the name", "<\"b@c\"@example.org>",
	"\"b@c\"@example.org", "example.org"},
    {"an @ in quotes makes no domain", "<\"b@c\">", "\"b@c\"", ""},
    {"a quote left open ends nothing", "<\"b@example.org>", "\"b@example.org",
	"example.org"},
    {"text behind the quotes keeps them", "<\"b\"c@example.org>",
	"\"b\"c@example.org", "example.org"},
    {"of two @ the last one counts", "<b@c@example.org>", "b@c@example.org",
	"example.org"},
    {"the percent hack stays", "<bob%local.test@local.test>",
	"bob%local.test@local.test", "local.test"},
    {"an address may have no domain", "<bob>", "bob", ""},
    {"an @ with nothing behind gives no domain", "<bob@>", "bob", ""},
    {"an @ with only a dot behind gives no domain", "<bob@.>", "bob", ""},
    {"an address literal is a domain", "<bob@[IPv6:2001:DB8::1]>",
	"bob@[ipv6:2001:db8::1]", "[ipv6:2001:db8::1]"},
    {"octets above 127 are kept",
	"<b\xc3\xb6"
	"b@\xc3\x84.example>",
	"b\xc3\xb6"
	"b@\xc3\x84.example",
	"\xc3\x84.example"},
    {"quotes around octets above 127 are needless",
	"<\"b\xc3\xb6"
	"b\"@example.org>",
	"b\xc3\xb6"
	"b@example.org",
	"example.org"},
    {"control characters are kept, whoever logs must clean them",
	"<b\r\nb@example.org>", "b\r\nb@example.org", "example.org"},
    {"<> is the null sender", "<>", "", ""},
    {"nothing is the null sender", "", "", ""},
    {"NULL is the null sender", NULL, "", ""},
    {"a lone bracket is the null sender", "<", "", ""},
    {"a lone @ is the null sender", "<@>", "", ""},
    {"a lone quote is a local part", "<\">", "\"", ""},
    {"a backslash at the end of all is kept", "<\"b\\", "\"b\\", ""},
};

START_TEST(test_parse)
{
	struct mailaddr addr;

	mailaddr_parse(parse_rows[_i].raw, &addr);
	ck_assert_msg(strcmp(addr.text, parse_rows[_i].text) == 0, "%s: %s",
	    parse_rows[_i].when, addr.text);
	ck_assert_msg(
	    strcmp(mailaddr_domain(&addr), parse_rows[_i].domain) == 0,
	    "%s: %s", parse_rows[_i].when, mailaddr_domain(&addr));
}
END_TEST

/* `local_count` times 'a', then `tail`, then '@', then `domain_count` times
 * 'd'. */
static struct mailaddr
long_address(size_t local_count, const char *tail, size_t domain_count)
{
	char raw[4096];
	struct mailaddr addr;
	size_t tail_length = strlen(tail);

	ck_assert(local_count + tail_length + domain_count + 2 <= sizeof(raw));
	memset(raw, 'a', local_count);
	memcpy(raw + local_count, tail, tail_length);
	raw[local_count + tail_length] = '@';
	memset(raw + local_count + tail_length + 1, 'd', domain_count);
	raw[local_count + tail_length + 1 + domain_count] = '\0';
	mailaddr_parse(raw, &addr);
	return addr;
}

START_TEST(test_long)
{
	struct mailaddr longest = long_address(255, "", 255);
	struct mailaddr over = long_address(255, "x", 255);
	struct mailaddr other = long_address(255, "y", 255);
	struct mailaddr again = long_address(255, "x", 255);
	struct mailaddr giant = long_address(1500, "x", 2000);

	ck_assert_msg(strchr(longest.text, '#') == NULL,
	    "255 octets on either side are kept");
	ck_assert_uint_eq(strlen(longest.text), 511);
	ck_assert_msg(strcmp(over.text, other.text) != 0,
	    "two long addresses that differ at the end stay different");
	ck_assert_msg(strcmp(over.text, again.text) == 0,
	    "the same long address stays the same");
	ck_assert_msg(strncmp(over.text, longest.text, 238) == 0 &&
		over.text[238] == '#' && over.text[255] == '@',
	    "a long part keeps its start and ends in its digest");
	ck_assert_msg(strlen(giant.text) == 511 && giant.domain_at == 256,
	    "giant parts fit");
}
END_TEST

START_TEST(test_recipient)
{
	struct mailaddr addr;
	struct mailaddr normal;

	mailaddr_parse("<\"Bob\"+Shop@Example.ORG>", &addr);
	mailaddr_normalise_recipient(&addr, &normal);
	ck_assert_str_eq(normal.text, "\"bob\"+shop@example.org");
	mailaddr_parse("<PostMaster>", &addr);
	mailaddr_normalise_recipient(&addr, &normal);
	ck_assert_str_eq(normal.text, "postmaster");
}
END_TEST

CHECK_MAIN("mailaddr", tcase)
{
	tcase_add_loop_test(tcase, test_parse, 0, COUNT(parse_rows));
	tcase_add_test(tcase, test_long);
	tcase_add_test(tcase, test_recipient);
}
