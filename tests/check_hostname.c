#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"
#include "lib/table.h"
#include "mail/hostname.h"

#define LABEL_63                                                               \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static psl_ctx_t *suffixes;

static const struct {
	const char *when;
	const char *in;
	const char *clean; /* NULL: refused */
} clean_rows[] = {
    {"a name is lower-cased", "Mail.Example.ORG", "mail.example.org"},
    {"the trailing dot is dropped", "mail.example.org.", "mail.example.org"},
    {"only one trailing dot is dropped", "mail.example.org..",
	"mail.example.org."},
    {"octets above 127 stay", "M\xc3\x84.example", "m\xc3\x84.example"},
    {"what just fits is taken", "abcdefghijklmnopqrs", "abcdefghijklmnopqrs"},
    {"what does not fit is refused", "abcdefghijklmnopqrst", NULL},
    {"a dot that is dropped needs no room", "abcdefghijklmnopqrs.",
	"abcdefghijklmnopqrs"},
    {"nothing is refused", "", NULL},
    {"a dot alone is refused", ".", NULL},
    {"NULL is refused", NULL, NULL},
};

START_TEST(test_clean)
{
	char out[20] = "x";
	bool taken = hostname_clean(clean_rows[_i].in, out, sizeof(out));

	ck_assert_msg(
	    taken == (clean_rows[_i].clean != NULL), "%s", clean_rows[_i].when);
	ck_assert_msg(strcmp(out, taken ? clean_rows[_i].clean : "") == 0,
	    "%s: %s", clean_rows[_i].when, out);
}
END_TEST

static const struct {
	const char *when;
	const char *name;
	bool valid;
} valid_rows[] = {
    {"letters, digits and hyphens are valid", "mx-1.example.org", true},
    {"a name without a dot is valid", "localhost", true},
    {"an underscore is forgiven", "exch_01.example.org", true},
    {"a label may start with a digit", "3com.example", true},
    {"a label of 63 octets is valid", LABEL_63 ".example", true},
    {"a label of 64 octets is not", "a" LABEL_63 ".example", false},
    {"253 octets are valid",
	LABEL_63 "." LABEL_63 "." LABEL_63 "."
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaa",
	true},
    {"254 octets are not",
	LABEL_63 "." LABEL_63 "." LABEL_63 "."
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaa",
	false},
    {"an empty label is invalid", "mail..example", false},
    {"a dot at the start is invalid", ".example", false},
    {"a dot at the end is invalid", "example.", false},
    {"a hyphen at a label's start is invalid", "mail.-x.example", false},
    {"a hyphen at a label's end is invalid", "mail.x-.example", false},
    {"a last label of digits is invalid", "mail.123", false},
    {"an address is invalid", "192.0.2.1", false},
    {"a blank is invalid", "my pc.example", false},
    {"an octet above 127 is invalid", "m\xc3\xa4.example", false},
    {"a literal is invalid", "[192.0.2.1]", false},
    {"nothing is invalid", "", false},
    {"NULL is invalid", NULL, false},
};

START_TEST(test_valid)
{
	ck_assert_msg(
	    hostname_is_valid(valid_rows[_i].name) == valid_rows[_i].valid,
	    "%s", valid_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	const char *name;
	const char *organisation; /* NULL: none */
} organisation_rows[] = {
    {"a host belongs to its organisation", "mail-wr1-f41.google.com",
	"google.com"},
    {"deep below as well",
	"mail-am6eur05on2041.outbound.protection.outlook.com", "outlook.com"},
    {"case and trailing dot do not matter", "MX1.Example.ORG.", "example.org"},
    {"the organisation's own name counts", "example.org", "example.org"},
    {"a suffix of two labels is known", "mail.example.co.uk", "example.co.uk"},
    {"a suffix of wildcards is known", "mail.foo.bar.ck", "foo.bar.ck"},
    {"the exception to it too", "mail.www.ck", "www.ck"},
    {"a hoster's customers are not one organisation", "www.bob.github.io",
	"bob.github.io"},
    {"a cloud's hosts belong to none", "ec2-192-0-2-1.compute-1.amazonaws.com",
	NULL},
    {"an unknown top-level domain is a suffix", "mail.corp.lan", "corp.lan"},
    {"an encoded international name is a name", "mail.xn--bcher-kva.example",
	"xn--bcher-kva.example"},
    {"a public suffix is no organisation", "co.uk", NULL},
    {"a top-level domain is no organisation", "org", NULL},
    {"localhost is no organisation", "localhost", NULL},
    {"a name without a dot is no organisation", "mailserver", NULL},
    {"an address is no organisation", "192.0.2.1", NULL},
    {"a literal is no organisation", "[192.0.2.1]", NULL},
    {"an IPv6 literal is no organisation", "[IPv6:2001:db8::1]", NULL},
    {"an IPv6 address is no organisation", "2001:db8::1", NULL},
    {"a malformed name has no organisation", "mail..example.org", NULL},
    {"nothing has no organisation", "", NULL},
    {"NULL has no organisation", NULL, NULL},
};

START_TEST(test_organisation)
{
	char org[HOSTNAME_SIZE] = "x";
	bool found =
	    hostname_organisation(organisation_rows[_i].name, suffixes, org);

	ck_assert_msg(found == (organisation_rows[_i].organisation != NULL),
	    "%s: %s", organisation_rows[_i].when, org);
	ck_assert_msg(
	    strcmp(org, found ? organisation_rows[_i].organisation : "") == 0,
	    "%s: %s", organisation_rows[_i].when, org);
}
END_TEST

START_TEST(test_no_suffix_list)
{
	char org[HOSTNAME_SIZE];

	ck_assert(!hostname_organisation("mail.example.org", NULL, org));
	ck_assert_str_eq(org, "");
}
END_TEST

static const struct {
	const char *when;
	const char *name;
	const char *addr; /* NULL: not known */
	enum hostname_class class;
} class_rows[] = {
    {"a mail server's name is not generic", "mail.example.org", "192.0.2.1",
	HOSTNAME_OWN},
    {"a number is not an address", "mx2.example.org", "192.0.2.2",
	HOSTNAME_OWN},
    {"dashed octets are a line", "c-198-51-100-7.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"dotted octets are a line", "198.51.100.7.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"reversed octets are a line", "7.100.51.198.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"octets with underscores are a line", "h198_51_100_7.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"octets with an x are a line", "h198x51x100x7.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"zero-padded octets are a line", "198-051-100-007.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"zero-padded octets in one are a line", "host198051100007.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"so they are reversed", "host007100051198.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"the last three octets are enough", "h51-100-7.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"the first three octets are enough", "host9.198-51-100.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"the last three octets are enough reversed", "h7-100-51.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"the last two octets are enough", "a100-7.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"the first two are not", "a198-51.isp.example", "198.51.100.7",
	HOSTNAME_OWN},
    {"two octets apart are chance", "nat-7-gw-100.isp.example", "198.51.100.7",
	HOSTNAME_OWN},
    {"two octets under a mail word are a mail server's",
	"a100-7.smtp-out.example", "198.51.100.7", HOSTNAME_OWN},
    {"the last two octets zero-padded in one are enough", "g100007.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"the octets in any order are enough", "d51-198-100-7.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"three octets with a word between are enough",
	"7.red-198-51-100.isp.example", "198.51.100.7", HOSTNAME_LINE},
    {"another client's octets are a program's as well",
	"c-198-51-100-8.isp.example", "203.0.113.5", HOSTNAME_LINE},
    {"octets must not be parts of numbers", "c-51-1007.isp.example",
	"198.51.100.7", HOSTNAME_OWN},
    {"nor have digits in front", "c-3100-7.isp.example", "198.51.100.7",
	HOSTNAME_OWN},
    {"hexadecimal octets are a line", "pc6336407.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"upper-case hexadecimal is a line", "PC0A8FE01.isp.example",
	"192.168.254.1", HOSTNAME_LINE},
    {"reversed hexadecimal is a line", "h076433c6.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"a mail server may spell its address", "out198-51-100-7.mail.example.org",
	"198.51.100.7", HOSTNAME_OWN},
    {"so may one of a mail service", "198-51-100-7.examplemail.example",
	"198.51.100.7", HOSTNAME_OWN},
    {"a mail word may be part of another", "smtprelay198-51-100-7.example.org",
	"198.51.100.7", HOSTNAME_OWN},
    {"a line that spells its address stays one beside a mail word",
	"198-51-100-7.bcstmta04.dyn.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"the address in a cloud's own domain is a rented machine's",
	"ec2-198-51-100-7.compute-1.amazonaws.com", "198.51.100.7",
	HOSTNAME_RENTED},
    {"so it is where each machine counts as a domain",
	"198-51-100-7.ip.linodeusercontent.com", "198.51.100.7",
	HOSTNAME_RENTED},
    {"a serial number is a rented machine's", "vmi1234567.contaboserver.net",
	"198.51.100.7", HOSTNAME_RENTED},
    {"an unknown provider's as well", "h1234567.hoster.example", "198.51.100.7",
	HOSTNAME_RENTED},
    {"a hexadecimal one too", "vps-1a2b3c4d.hoster.example", "198.51.100.7",
	HOSTNAME_RENTED},
    {"with a word for such a machine a shorter one is enough",
	"vps1234-zap.hoster.example", "198.51.100.7", HOSTNAME_RENTED},
    {"people count their servers", "server1234.hoster.example", "198.51.100.7",
	HOSTNAME_OWN},
    {"and their virtual ones", "kvm3.example.org", "198.51.100.7",
	HOSTNAME_OWN},
    {"a long number behind a name of a mail server's is not one",
	"ms11p00im-qufo17281601.example.org", "198.51.100.7", HOSTNAME_OWN},
    {"nor beside a word for mail", "mx0a-00069f02.example.org", "198.51.100.7",
	HOSTNAME_OWN},
    {"a hardware address is a line", "s0106a0b1c2d3e4f5.cg.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"with hyphens too", "x1-6-00-04-bd-d2-e0-a3.isp.example", "198.51.100.7",
	HOSTNAME_LINE},
    {"a place in a provider's network is a line",
	"h29n1fls306o1003.isp.example", "198.51.100.7", HOSTNAME_LINE},
    {"the MTA's text for no name is not a name", "[198.51.100.7]",
	"198.51.100.7", HOSTNAME_NONE},

    {"IPv6 nibbles are a line",
	"7.0.0.0.6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.8.b.d.0.1.0.0.2."
	"ip6.isp.example",
	"2001:db8:2:3:4:5:6:7", HOSTNAME_LINE},
    {"the low nibbles in one are a line", "h0004000500060007.isp.example",
	"2001:db8:2:3:4:5:6:7", HOSTNAME_LINE},
    {"IPv6 groups are a line", "2001-db8-2-3-4-5-6-7.isp.example",
	"2001:db8:2:3:4:5:6:7", HOSTNAME_LINE},
    {"padded IPv6 groups are a line",
	"2001-0db8-0002-0003-0004-0005-0006-0007.isp.example",
	"2001:db8:2:3:4:5:6:7", HOSTNAME_LINE},
    {"shortened IPv6 groups behind a word are a line",
	"ip-2001-db8--5.isp.example", "2001:db8::5", HOSTNAME_LINE},
    {"IPv6 groups in a later label are a line", "x.2001-db8--5.isp.example",
	"2001:db8::5", HOSTNAME_LINE},
    {"another IPv6 address is not generic", "ip-2001-db8--6.isp.example",
	"2001:db8::5", HOSTNAME_OWN},
    {"a mail server with IPv6 is not generic", "mail.example.org",
	"2001:db8::25", HOSTNAME_OWN},

    {"dsl is a line", "a12.dsl.isp.example", NULL, HOSTNAME_LINE},
    {"dsl with a number is a line", "dsl12.isp.example", NULL, HOSTNAME_LINE},
    {"dynamic is a line", "dynamic-77.isp.example", NULL, HOSTNAME_LINE},
    {"a dial-up pool is a line", "p57a1b2c3.dip0.isp.example", NULL,
	HOSTNAME_LINE},
    {"upper case is a line too", "A12.DSL.isp.example", NULL, HOSTNAME_LINE},
    {"cust within a name is a line", "x.cust-4.isp.example", NULL,
	HOSTNAME_LINE},
    {"a line under a suffix of two labels is a line", "a12.pool.isp.co.uk",
	NULL, HOSTNAME_LINE},
    {"static is not: honest small servers live there", "static-12.isp.example",
	NULL, HOSTNAME_OWN},
    {"a word must be whole", "poolside.isp.example", NULL, HOSTNAME_OWN},
    {"an organisation may be called dynamics", "mail.dynamics.com", NULL,
	HOSTNAME_OWN},
    {"an organisation may be called dsl", "host3.dsl.example", NULL,
	HOSTNAME_OWN},
    {"an organisation may be called so below two labels", "host3.dynamic.co.uk",
	NULL, HOSTNAME_OWN},
    {"a mail server may live in a pool", "mx.pool.ntp.org", NULL, HOSTNAME_OWN},
    {"a customer's mail server is one", "mail2.cust.isp.example", NULL,
	HOSTNAME_OWN},
    {"a mail word beside a line's is a mail server's", "dsl-mail.isp.example",
	NULL, HOSTNAME_OWN},
    {"a name without a digit was typed", "nat-pool-brq-u.example.org",
	"198.51.100.7", HOSTNAME_OWN},
    {"a gateway to a pool is its owner's", "nat-pool-rdu2-1.example.org",
	"198.51.100.7", HOSTNAME_OWN},
    {"one name for all lines is a line's", "dynamic-ip-adsl.isp.example",
	"198.51.100.7", HOSTNAME_LINE},
    {"one name for all machines is a rented one's", "hosted-by.hoster.example",
	"198.51.100.7", HOSTNAME_RENTED},
    {"so is the name that is none", "unassigned.hoster.example", "198.51.100.7",
	HOSTNAME_RENTED},
    {"nothing is nobody's", "", "192.0.2.1", HOSTNAME_NONE},
    {"NULL is nobody's", NULL, "192.0.2.1", HOSTNAME_NONE},
};

static enum hostname_class
classify(const char *name, const char *address)
{
	char org[HOSTNAME_SIZE];
	struct netaddr addr;
	bool known = netaddr_parse(address, &addr);
	bool found = hostname_organisation(name, suffixes, org);

	return hostname_classify(
	    name, known ? &addr : NULL, found ? org : NULL);
}

START_TEST(test_class)
{
	enum hostname_class class =
	    classify(class_rows[_i].name, class_rows[_i].addr);

	ck_assert_msg(class == class_rows[_i].class, "%s: %d",
	    class_rows[_i].when, (int)class);
}
END_TEST

/* The rows of a table of real names, by what is to be said of them. */
struct tally {
	int judged;
	int missed;
};

struct tallies {
	struct tally servers;
	struct tally lines;	   /* and rented machines */
	struct tally recent_lines; /* the same, seen in 2010 or later */
};

static void
count(struct tally *tally, bool missed)
{
	tally->judged++;
	tally->missed += missed;
}

static void
take_name(const char *fields[TABLE_FIELDS], void *context)
{
	const char *name = fields[0], *address = fields[1];
	const char *class = fields[2], *generic = fields[3];
	const char *source = fields[4];
	struct tallies *tallies = context;
	bool own = classify(name, address) == HOSTNAME_OWN;
	bool server =
	    strncmp(class, "server", 6) == 0 || strcmp(class, "chosen") == 0;
	bool missed = own != server;

	if (!server && strcmp(generic, "edge") == 0)
		return;
	if (missed)
		printf(
		    "missed: %s %s, %s of %s\n", name, address, class, source);
	if (server)
		count(&tallies->servers, missed);
	else
		count(&tallies->lines, missed);
	if (!server && strncmp(source, "SA-", 3) != 0 &&
	    strcmp(source, "pymilter-dynip") != 0)
		count(&tallies->recent_lines, missed);
}

static void
at_most(const struct tally *tally, int percent, const char *what)
{
	ck_assert_msg(
	    tally->judged > 0 && tally->missed * 100 <= percent * tally->judged,
	    "%s: %d of %d missed", what, tally->missed, tally->judged);
}

START_TEST(names_that_were_seen)
{
	struct tallies tallies = {.servers = {0, 0}};

	table_read("names/rdns.tsv", take_name, &tallies);
	at_most(&tallies.servers, 2, "servers");
	at_most(&tallies.recent_lines, 5, "lines seen in 2010 or later");
	at_most(&tallies.lines, 10, "lines seen at any time");
}
END_TEST

START_TEST(schemes_of_naming)
{
	struct tallies tallies = {.servers = {0, 0}};

	table_read("names/schemes.tsv", take_name, &tallies);
	at_most(&tallies.servers, 2, "servers");
	at_most(&tallies.lines, 5, "lines and rented machines");
}
END_TEST

START_TEST(test_class_without_organisation)
{
	ck_assert_msg(hostname_classify("a1.dsl.isp.example", NULL, NULL) ==
		HOSTNAME_LINE,
	    "two labels are taken for the organisation");
	ck_assert_msg(
	    hostname_classify("host1.dsl.example", NULL, NULL) == HOSTNAME_OWN,
	    "their words do not count");
	ck_assert_msg(
	    hostname_classify("dsl.example", NULL, NULL) == HOSTNAME_OWN,
	    "a name of two labels has no other word");
	ck_assert_msg(hostname_classify("dsl", NULL, NULL) == HOSTNAME_OWN,
	    "nor has one of one label");
	ck_assert_msg(hostname_classify("a1.dsl.isp.example", NULL,
			  "other.example") == HOSTNAME_LINE,
	    "an organisation that does not fit is none");
}
END_TEST

static const struct {
	const char *when;
	const char *helo;
	bool malformed;
} helo_rows[] = {
    {"a host name is well-formed", "mail.example.org", false},
    {"a trailing dot is forgiven", "mail.example.org.", false},
    {"an underscore is forgiven", "EXCH_01.corp.example", false},
    {"a name without a dot is what honest Exchange servers say", "EXCHANGE01",
	false},
    {"an IPv4 literal is well-formed", "[192.0.2.1]", false},
    {"an IPv6 literal is well-formed", "[IPv6:2001:db8::1]", false},
    {"the tag may have any case", "[ipv6:2001:db8::1]", false},
    {"an IPv6 literal without its tag is malformed", "[2001:db8::1]", true},
    {"a literal with a wrong tag is malformed", "[IPv4:192.0.2.1]", true},
    {"a literal that is no address is malformed", "[192.0.2.256]", true},
    {"a literal without its end is malformed", "[192.0.2.1", true},
    {"a literal with a name is malformed", "[mail.example.org]", true},
    {"an empty literal is malformed", "[]", true},
    {"a bare IPv4 address is malformed", "192.0.2.1", true},
    {"a bare IPv4 address with a dot is malformed", "192.0.2.1.", true},
    {"a bare IPv6 address is malformed", "2001:db8::1", true},
    {"digits alone are malformed", "12345", true},
    {"a last label of digits is malformed", "mail.example.5", true},
    {"an address that cannot be is malformed", "300.300.300.300", true},
    {"nothing is malformed", "", true},
    {"NULL is malformed", NULL, true},
    {"a dot alone is malformed", ".", true},
    {"two trailing dots are malformed", "mail.example.org..", true},
    {"an empty label is malformed", "mail..example.org", true},
    {"a blank is malformed", "my computer", true},
    {"a mail address is malformed", "bob@example.org", true},
    {"a URL is malformed", "http://example.org/", true},
    {"per cent signs are malformed", "%n%s%n%s", true},
    {"an octet above 127 is malformed",
	"b\xc3\xbc"
	"ro.example",
	true},
    {"a hyphen at the start is malformed", "-mail.example.org", true},
    {"a label too long is malformed", "a" LABEL_63 ".example", true},
    {"a name too long is malformed",
	LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63
		 "." LABEL_63 ".example",
	true},
};

START_TEST(test_helo)
{
	ck_assert_msg(hostname_is_malformed_helo(helo_rows[_i].helo) ==
		helo_rows[_i].malformed,
	    "%s", helo_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	const char *helo;
	bool ours;
} ours_rows[] = {
    {"our name is ours", "mx.example.net", true},
    {"our name is ours in any case, with a dot", "MX.Example.NET.", true},
    {"our address is ours bare", "192.0.2.25", true},
    {"our address is ours as a literal", "[192.0.2.25]", true},
    {"our address is ours within IPv6", "[IPv6:::ffff:192.0.2.25]", true},
    {"another name is not", "mail.example.org", false},
    {"a name below ours is not", "a.mx.example.net", false},
    {"a name above ours is not", "example.net", false},
    {"another address is not", "[192.0.2.26]", false},
    {"nothing is not", "", false},
    {"NULL is not", NULL, false},
};

START_TEST(test_ours)
{
	struct netaddr addr;

	ck_assert(netaddr_parse("192.0.2.25", &addr));
	ck_assert_msg(hostname_helo_is_ours(ours_rows[_i].helo,
			  "Mx.example.net", &addr) == ours_rows[_i].ours,
	    "%s", ours_rows[_i].when);
}
END_TEST

START_TEST(test_ours_unknown)
{
	struct netaddr addr;

	ck_assert(netaddr_parse("192.0.2.25", &addr));
	ck_assert_msg(!hostname_helo_is_ours("mx.example.net", NULL, &addr),
	    "without a name none is ours");
	ck_assert_msg(!hostname_helo_is_ours("[192.0.2.25]", "mx", NULL),
	    "without an address none is ours");
	ck_assert_msg(!hostname_helo_is_ours("", "", NULL),
	    "nothing is not our name, even if we have none");
}
END_TEST

static void
load_suffixes(void)
{
	suffixes = psl_latest(NULL);
}

static void
free_suffixes(void)
{
	psl_free(suffixes);
}

CHECK_MAIN("hostname", tcase)
{
	tcase_add_unchecked_fixture(tcase, load_suffixes, free_suffixes);
	tcase_add_loop_test(tcase, test_clean, 0, COUNT(clean_rows));
	tcase_add_loop_test(tcase, test_valid, 0, COUNT(valid_rows));
	tcase_add_loop_test(
	    tcase, test_organisation, 0, COUNT(organisation_rows));
	tcase_add_test(tcase, test_no_suffix_list);
	tcase_add_loop_test(tcase, test_class, 0, COUNT(class_rows));
	tcase_add_test(tcase, test_class_without_organisation);
	tcase_add_test(tcase, names_that_were_seen);
	tcase_add_test(tcase, schemes_of_naming);
	tcase_add_loop_test(tcase, test_helo, 0, COUNT(helo_rows));
	tcase_add_loop_test(tcase, test_ours, 0, COUNT(ours_rows));
	tcase_add_test(tcase, test_ours_unknown);
}
