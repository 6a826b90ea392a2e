#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"
#include "mail/list.h"
#include "mail/sightings.h"

#define NOW INT64_C(1795488284)

static const struct {
	const char *when;
	const char *entry;
	const char *why; /* NULL: taken */
} add_rows[] = {
    {"an IPv4 address is an entry", "192.0.2.1", NULL},
    {"an IPv4 network is an entry", "192.0.2.0/24", NULL},
    {"an IPv6 network is an entry", "2001:db8::/32", NULL},
    {"an IPv6 address in brackets is an entry", "[IPv6:2001:db8::1]", NULL},
    {"a mail address is an entry", "bob@example.org", NULL},
    {"a mail address in brackets is an entry", "<bob@example.org>", NULL},
    {"a domain is an entry", "example.org", NULL},
    {"a domain with a dot in front is an entry", ".example.org", NULL},
    {"a domain with an @ in front is an entry", "@example.org", NULL},
    {"a top-level domain is an entry", "example", NULL},
    {"host bits are refused", "192.0.2.1/24",
	"host bits are set; the network is 192.0.2.0/24"},
    {"a prefix too long is refused", "192.0.2.0/40",
	"/40 does not fit this address, /0 to /32 would"},
    {"an impossible address is refused", "192.0.2.256", "not an IP address"},
    {"a short address is refused, it is no domain", "192.0.2",
	"not an IP address"},
    {"a broken IPv6 address is refused", "2001:db8:::1", "not an IP address"},
    {"a URL is refused", "http://example.org/", "not an IP address"},
    {"a glob is refused", "*.example.org",
	"no * in a list; a domain stands for all below it too"},
    {"two words are refused", "192.0.2.1 REJECT", "more than one word"},
    {"a control character is refused", "exam\001ple.org", "more than one word"},
    {"a mail address with a broken domain is refused", "bob@exa_mple..org",
	"not a complete mail address"},
    {"a mail address without a domain is refused", "bob@",
	"not a complete mail address"},
    {"a source route without an address is refused", "<@example.org>",
	"not a complete mail address"},
    {"a domain that cannot be is refused", "-example.org",
	"not an IP address, a network, a mail address or a domain"},
    {"a domain in UTF-8 is refused",
	"b\xc3\xbc"
	"ro.example",
	"not an IP address, a network, a mail address or a domain; DNS has it "
	"as xn--..."},
    {"an @ alone is refused", "@",
	"not an IP address, a network, a mail address or a domain"},
    {"the null sender is refused", "<>",
	"not an IP address, a network, a mail address or a domain"},
    {"nothing is refused", "", "empty"},
};

START_TEST(test_add)
{
	struct list *list = list_new(LIST_ALL);
	const char *why = NULL;
	bool added = list_add(list, add_rows[_i].entry, LIST_FOR_EVER, &why);

	ck_assert_msg(added == (add_rows[_i].why == NULL), "%s: %s",
	    add_rows[_i].when, why);
	if (!added)
		ck_assert_str_eq(why, add_rows[_i].why);
	ck_assert_uint_eq(list_count(list), added ? 1 : 0);
	ck_assert(list_seal(list));
	list_free(&list);
	ck_assert_ptr_null(list);
}
END_TEST

static const char *const entries[] = {"192.0.2.0/24", "192.0.2.64/26",
    "192.0.2.7", "198.51.100.0/25", "198.51.100.128/25", "203.0.113.9",
    "0.0.0.0/32", "255.255.255.255", "2001:db8::/32", "2001:db8:1::/48",
    "::ffff:10.0.0.0/104", "Boss@Example.com", "\"odd one\"@x.example",
    "example.org", ".Sub.Example.NET.", "@at.example", "xn--bcher-kva.example",
    "example.org"};

static struct list *
filled_list(void)
{
	struct list *list = list_new(LIST_ALL);
	const char *why;

	for (int i = 0; i < COUNT(entries); i++)
		list_add(list, entries[i], LIST_FOR_EVER, &why);
	ck_assert(list_seal(list));
	return list;
}

static const struct {
	const char *when;
	const char *addr;
	bool listed;
} client_rows[] = {
    {"the first address of a network is listed", "192.0.2.0", true},
    {"the last address is listed", "192.0.2.255", true},
    {"one before is not", "192.0.1.255", false},
    {"one behind is not", "192.0.3.0", false},
    {"an address in a nested network is listed", "192.0.2.100", true},
    {"an address behind a nested network is listed", "192.0.2.200", true},
    {"neighbouring networks leave no gap", "198.51.100.127", true},
    {"neighbouring networks leave no gap above", "198.51.100.128", true},
    {"a single host is listed", "203.0.113.9", true},
    {"its neighbour is not", "203.0.113.10", false},
    {"the lowest address can be listed", "0.0.0.0", true},
    {"the highest address can be listed", "255.255.255.255", true},
    {"an IPv6 network is listed", "2001:db8:1::5", true},
    {"another IPv6 network is not", "2001:db9::", false},
    {"IPv6 octets are no IPv4 address", "32.1.13.184", false},
    {"IPv4 octets are no IPv6 address", "c000:201::", false},
    {"a network within IPv6 lists IPv4", "10.20.30.40", true},
    {"an address within IPv6 is asked as IPv4", "::ffff:192.0.2.1", true},
};

START_TEST(test_client)
{
	struct list *list = filled_list();
	struct netaddr addr;

	ck_assert(netaddr_parse(client_rows[_i].addr, &addr));
	ck_assert_msg(
	    list_has_client(list, &addr, NOW) == client_rows[_i].listed, "%s",
	    client_rows[_i].when);
	list_free(&list);
}
END_TEST

static const struct {
	const char *when;
	const char *address;
	bool listed;
} address_rows[] = {
    {"an address is listed in any case", "<bOSS@exAMPLE.com>", true},
    {"quotes do not hide an address", "<\"boss\"@example.com.>", true},
    {"another address of that domain is not", "<bob@example.com>", false},
    {"an address of a listed domain is listed", "<bob@example.org>", true},
    {"one below a listed domain is listed", "<bob@a.b.example.org>", true},
    {"one of a domain that only ends alike is not", "<bob@notexample.org>",
	false},
    {"one of the domain above is not", "<bob@example.net>", false},
    {"a dot in front of an entry changes nothing", "<bob@sub.example.net>",
	true},
    {"an @ in front of an entry changes nothing", "<bob@at.example>", true},
    {"an address without domain is not", "<boss>", false},
    {"the null sender is not", "<>", false},
    {"NULL is not", NULL, false},
    {"an entry that was refused is not", "<\"odd one\"@x.example>", false},
};

START_TEST(test_address)
{
	struct list *list = filled_list();

	ck_assert_msg(list_has_address(list, address_rows[_i].address, NOW) ==
		address_rows[_i].listed,
	    "%s", address_rows[_i].when);
	list_free(&list);
}
END_TEST

static const struct {
	const char *when;
	const char *name;
	bool listed;
} domain_rows[] = {
    {"a domain is listed", "example.org", true},
    {"a host below it is listed", "Mail.Example.ORG.", true},
    {"the domain above is not", "org", false},
    {"a name that only ends alike is not", "badexample.org", false},
    {"a listed mail address lists no domain", "example.com", false},
    {"a listed network lists no name", "192.0.2.1", false},
    {"a literal is no name", "[192.0.2.1]", false},
    {"dots alone are no name", "...", false},
    {"nothing is not listed", "", false},
    {"NULL is not listed", NULL, false},
};

START_TEST(test_domain)
{
	struct list *list = filled_list();

	ck_assert_msg(list_has_domain(list, domain_rows[_i].name, NOW) ==
		domain_rows[_i].listed,
	    "%s", domain_rows[_i].when);
	list_free(&list);
}
END_TEST

START_TEST(test_empty)
{
	struct list *list = list_new(LIST_ALL);
	struct list *none = NULL;
	struct netaddr addr;

	ck_assert(netaddr_parse("192.0.2.1", &addr));
	ck_assert(list_seal(list));
	ck_assert_msg(!list_has_client(list, &addr, NOW) &&
		!list_has_address(list, "bob@example.org", NOW) &&
		!list_has_domain(list, "example.org", NOW),
	    "an empty list has nothing");
	ck_assert_msg(!list_has_client(NULL, &addr, NOW) &&
		!list_has_address(NULL, "bob@example.org", NOW) &&
		!list_has_domain(NULL, "example.org", NOW) &&
		list_count(NULL) == 0,
	    "no list is an empty one");
	list_free(&list);
	list_free(&none);
}
END_TEST

START_TEST(test_sealed)
{
	struct list *list = list_new(LIST_ALL);
	const char *why = NULL;

	ck_assert(list_seal(list));
	ck_assert(!list_add(list, "example.org", LIST_FOR_EVER, &why));
	ck_assert_str_eq(why, "the list is sealed");
	ck_assert_uint_eq(list_count(list), 0);
	list_free(&list);
}
END_TEST

/* Added in this order, and asked for at NOW and after. */
static const struct {
	const char *entry;
	int64_t until;
} brief_entries[] = {{"192.0.2.0/24", NOW + 100}, {"192.0.2.128/25", NOW + 50},
    {"192.0.2.7", NOW + 200}, {"192.0.2.7", NOW + 10}, {"192.0.2.9", NOW},
    {"192.0.2.8/30", NOW + 300}, {"192.0.2.10", LIST_FOR_EVER},
    {"198.51.100.0/24", LIST_FOR_EVER}, {"198.51.100.7", NOW + 5},
    {"203.0.113.7", NOW - 1}, {"2001:db8::/32", NOW + 7},
    {"bob@example.org", NOW + 10}, {"bob@example.org", NOW + 20},
    {"example.net", NOW + 10}, {"mx.example.net", NOW + 30}};

static const struct {
	const char *when;
	const char *asked;
	int64_t lasts; /* seconds from NOW; -1: for ever, 0: it is over */
} brief_rows[] = {
    {"an entry ends at its time", "192.0.2.1", 100},
    {"a narrower one that ends sooner changes nothing", "192.0.2.200", 100},
    {"a narrower one that ends later goes on alone", "192.0.2.7", 200},
    {"the widest that still lasts counts", "192.0.2.9", 300},
    {"one for ever within them stays", "192.0.2.10", -1},
    {"one within one for ever changes nothing", "198.51.100.7", -1},
    {"one that is over is not there", "203.0.113.7", 0},
    {"IPv6 ends as well", "2001:db8::1", 7},
    {"of two alike the longer counts", "bob@example.org", 20},
    {"a domain ends", "www.example.net", 10},
    {"a name below it may last longer", "a.mx.example.net", 30},
};

static bool
is_listed(const struct list *list, const char *asked, int64_t now)
{
	struct netaddr addr;

	if (netaddr_parse(asked, &addr))
		return list_has_client(list, &addr, now);
	return strchr(asked, '@') != NULL ? list_has_address(list, asked, now)
					  : list_has_domain(list, asked, now);
}

START_TEST(test_brief)
{
	struct list *list = list_new(LIST_ALL);
	int64_t lasts = brief_rows[_i].lasts;
	const char *why;

	for (int i = 0; i < COUNT(brief_entries); i++)
		ck_assert(list_add(list, brief_entries[i].entry,
		    brief_entries[i].until, &why));
	ck_assert(list_seal(list));
	ck_assert_msg(lasts == 0 ||
		is_listed(list, brief_rows[_i].asked,
		    NOW + (lasts < 0 ? 1000000 : lasts - 1)),
	    "%s", brief_rows[_i].when);
	ck_assert_msg(
	    lasts < 0 || !is_listed(list, brief_rows[_i].asked, NOW + lasts),
	    "%s", brief_rows[_i].when);
	list_free(&list);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	enum list_kind kind;
	const char *read;
} read_rows[] = {
    {"a single host has no prefix", "192.0.2.7/32", LIST_NETWORK, "192.0.2.7"},
    {"brackets go", "[IPv6:2001:DB8::1]", LIST_NETWORK, "2001:db8::1"},
    {"a network keeps it", "192.0.2.0/24", LIST_NETWORK, "192.0.2.0/24"},
    {"IPv4 in IPv6 is IPv4", "::ffff:192.0.2.0/120", LIST_NETWORK,
	"192.0.2.0/24"},
    {"an address is in lower case", "<Bob@Example.ORG>", LIST_ADDRESS,
	"bob@example.org"},
    {"a domain too, without a dot", ".Example.ORG.", LIST_DOMAIN,
	"example.org"},
    {"an @ in front goes", "@example.org", LIST_DOMAIN, "example.org"},
};

START_TEST(test_read)
{
	struct list_entry entry;
	char why[NETWORK_WHY_SIZE];

	ck_assert(list_entry_read(read_rows[_i].text, &entry, why));
	ck_assert_int_eq(entry.kind, read_rows[_i].kind);
	ck_assert_str_eq(entry.text, read_rows[_i].read);
}
END_TEST

START_TEST(test_everything)
{
	struct list *list = list_new(LIST_ALL);
	const char *why;
	struct netaddr addr;

	ck_assert(list_add(list, "192.0.2.1", LIST_FOR_EVER, &why));
	ck_assert(list_add(list, "0.0.0.0/0", LIST_FOR_EVER, &why));
	ck_assert(list_add(list, "203.0.113.0/24", LIST_FOR_EVER, &why));
	ck_assert(list_seal(list));
	ck_assert(netaddr_parse("8.8.4.4", &addr));
	ck_assert_msg(list_has_client(list, &addr, NOW),
	    "/0 swallows all other networks");
	ck_assert(netaddr_parse("::1", &addr));
	ck_assert_msg(!list_has_client(list, &addr, NOW), "of its own family");
	ck_assert_uint_eq(list_count(list), 3);
	list_free(&list);
}
END_TEST

/* ---- What was found */

#define DAY SIGHTINGS_DAY

/* What a question finds. */
static const struct {
	const char *when;
	const char *asked;
	const char *found; /* "": nothing */
} found_rows[] = {
    {"an address", "198.51.100.7", "198.51.100.7"},
    {"one in a network", "192.0.2.9", "192.0.2.0/24"},
    {"the outer one stands for what lasts no longer", "203.0.113.9",
	"203.0.112.0/20"},
    {"IPv6", "2001:db8::1", "2001:db8::/32"},
    {"a mail address", "Bob@Example.ORG", "bob@example.org"},
    {"another, for its domain", "eve@mail.example.net", "example.net"},
    {"a host below a domain", "mx.example.net", "example.net"},
    {"nothing", "198.51.100.8", ""},
    {"what has expired", "old.example", ""},
};

static struct list *
found_list(void)
{
	static const char *const listed[] = {"example.net", "192.0.2.0/24",
	    "bob@example.org", "203.0.113.0/24", "2001:db8::/32",
	    "203.0.112.0/20", "198.51.100.7", "example.net"};
	struct list *list = list_new(LIST_ALL);
	const char *why;

	for (int i = 0; i < COUNT(listed); i++)
		ck_assert(list_add(list, listed[i], LIST_FOR_EVER, &why));
	ck_assert(list_add(list, "old.example", 100 * DAY, &why));
	ck_assert(list_seal(list));
	return list;
}

/* The one item that was found since the last time; "": none. */
static const char *
found_in(const struct list *list)
{
	static char text[LIST_ENTRY_SIZE];
	struct sighting picked[2];
	size_t count = sightings_pick(list_found(list), picked, 2);

	ck_assert_uint_le(count, 1);
	if (count == 0)
		return "";
	ck_assert_uint_eq(picked[0].day, 100);
	sightings_told(list_found(list), picked, count);
	list_item_text(list, picked[0].which, text);
	return text;
}

START_TEST(test_found)
{
	struct list *list = found_list();

	(void)is_listed(list, found_rows[_i].asked, 100 * DAY + 1);
	ck_assert_msg(strcmp(found_in(list), found_rows[_i].found) == 0, "%s",
	    found_rows[_i].when);
	(void)is_listed(list, found_rows[_i].asked, 101 * DAY - 1);
	ck_assert_str_eq(found_in(list), "");
	list_free(&list);
}
END_TEST

/* A list that is read anew knows what was found before. */
START_TEST(test_carry)
{
	struct list *old = found_list(), *list = list_new(LIST_ALL);
	const char *why;

	for (int i = 0; i < COUNT(found_rows); i++)
		(void)is_listed(old, found_rows[i].asked, 100 * DAY + 1);
	ck_assert(list_add(list, "198.51.100.0/24", LIST_FOR_EVER, &why));
	ck_assert(list_add(list, "bob@example.org", LIST_FOR_EVER, &why));
	ck_assert(list_add(list, "zoe@example.org", LIST_FOR_EVER, &why));
	ck_assert(list_seal(list));
	list_carry(list, old);
	ck_assert_str_eq(found_in(list), "bob@example.org");
	ck_assert_str_eq(found_in(list), "");
	list_free(&old);
	list_free(&list);
}
END_TEST

START_TEST(test_found_number)
{
	struct list *list = list_new(LIST_ALL);
	const char *why;
	int64_t number;

	ck_assert(
	    list_add_number(list, "@Example.ORG", 7, LIST_FOR_EVER, &why));
	ck_assert(list_add_number(list, "*", 1, LIST_FOR_EVER, &why));
	ck_assert(list_seal(list));
	ck_assert(list_number(list, "bob@example.org", 100 * DAY, &number));
	ck_assert_str_eq(found_in(list), "example.org");
	ck_assert(list_number(list, "bob@example.net", 100 * DAY, &number));
	ck_assert_str_eq(found_in(list), "*");
	list_free(&list);
}
END_TEST

CHECK_MAIN("list", tcase)
{
	tcase_add_loop_test(tcase, test_add, 0, COUNT(add_rows));
	tcase_add_loop_test(tcase, test_client, 0, COUNT(client_rows));
	tcase_add_loop_test(tcase, test_address, 0, COUNT(address_rows));
	tcase_add_loop_test(tcase, test_domain, 0, COUNT(domain_rows));
	tcase_add_loop_test(tcase, test_brief, 0, COUNT(brief_rows));
	tcase_add_loop_test(tcase, test_read, 0, COUNT(read_rows));
	tcase_add_test(tcase, test_empty);
	tcase_add_test(tcase, test_sealed);
	tcase_add_test(tcase, test_everything);
	tcase_add_loop_test(tcase, test_found, 0, COUNT(found_rows));
	tcase_add_test(tcase, test_carry);
	tcase_add_test(tcase, test_found_number);
}
