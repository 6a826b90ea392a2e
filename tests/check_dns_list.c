#include "mail/dns_list.h"

#include <stdio.h>
#include <string.h>

#include "lib/check_main.h"

static const struct {
	const char *when;
	const char *text;
	bool good;
	int weight;
} texts[] = {
    {"codes and a weight", "zen.example=127.0.0.[2..11]*3", true, 3},
    {"the weight of a list of good ones is negative",
	"list.example=127.0.[0..255].[2;3]*-2", true, -2},
    {"without a weight it is 1", "bl.example=127.0.0.2", true, 1},
    {"a plus is allowed", "bl.example=127.0.0.2*+7", true, 7},
    {"numbers and spans together", "bl.example=127.0.0.[2;4..6;9]", true, 1},
    {"capitals and a dot at the end are the same zone",
	"ZEN.Example.=127.0.0.2", true, 1},
    {"127 may stand in brackets", "bl.example=[127].0.0.2", true, 1},
    {"codes have to be named", "zen.example", false, 0},
    {"also with a weight", "zen.example*3", false, 0},
    {"an empty text", "", false, 0},
    {"no zone", "=127.0.0.2", false, 0},
    {"a zone is a host name", "bl example=127.0.0.2", false, 0},
    {"an address is none", "192.0.2.1=127.0.0.2", false, 0},
    {"codes of another network", "bl.example=10.0.0.2", false, 0},
    {"codes of other networks too", "bl.example=[126..127].0.0.2", false, 0},
    {"three parts", "bl.example=127.0.0", false, 0},
    {"five parts", "bl.example=127.0.0.2.1", false, 0},
    {"256 is no octet", "bl.example=127.0.0.256", false, 0},
    {"a span that runs backwards", "bl.example=127.0.0.[9..2]", false, 0},
    {"an open span", "bl.example=127.0.0.[2..]", false, 0},
    {"a bracket that is not closed", "bl.example=127.0.0.[2", false, 0},
    {"an empty bracket", "bl.example=127.0.0.[]", false, 0},
    {"a span without brackets", "bl.example=127.0.0.2..4", false, 0},
    {"no code behind the sign", "bl.example=", false, 0},
    {"a weight of nothing", "bl.example=127.0.0.2*", false, 0},
    {"a weight of 0 counts nothing", "bl.example=127.0.0.2*0", false, 0},
    {"a weight beyond all measure", "bl.example=127.0.0.2*1001", false, 0},
    {"a weight with a fraction", "bl.example=127.0.0.2*1.5", false, 0},
    {"two weights", "bl.example=127.0.0.2*1*2", false, 0},
    {"something behind it", "bl.example=127.0.0.2 ", false, 0},
    {"a number of very many digits", "bl.example=127.0.0.00000000000002", false,
	0},
};

START_TEST(test_parse)
{
	char why[DNS_LIST_WHY_SIZE] = "";
	struct dns_list list;
	bool good = dns_list_parse(texts[_i].text, &list, why);

	ck_assert_msg(good == texts[_i].good, "%s: %s", texts[_i].when, why);
	if (good)
		ck_assert_msg(
		    list.weight == texts[_i].weight, "%s", texts[_i].when);
	else
		ck_assert_msg(why[0] != '\0', "%s", texts[_i].when);
}
END_TEST

static const struct {
	const char *when;
	unsigned char address[4];
	enum dns_list_code code;
} answers[] = {
    {"a code that is named", {127, 0, 5, 2}, DNS_LIST_MATCH},
    {"the first of a span", {127, 0, 0, 4}, DNS_LIST_MATCH},
    {"the last of a span", {127, 0, 0, 6}, DNS_LIST_MATCH},
    {"the largest octet", {127, 0, 255, 2}, DNS_LIST_MATCH},
    {"a code that is not named", {127, 0, 0, 3}, DNS_LIST_NO_MATCH},
    {"another second octet", {127, 1, 0, 2}, DNS_LIST_NO_MATCH},
    {"a wildcard's address", {192, 0, 2, 1}, DNS_LIST_WRONG},
    {"the list's own mistake", {127, 0, 0, 1}, DNS_LIST_WRONG},
    {"asked through an open resolver", {127, 255, 255, 254}, DNS_LIST_WRONG},
    {"asked too often", {127, 255, 255, 255}, DNS_LIST_WRONG},
    {"a typing error in the zone", {127, 255, 255, 252}, DNS_LIST_WRONG},
};

START_TEST(test_judge)
{
	char why[DNS_LIST_WHY_SIZE];
	struct dns_list list;

	ck_assert(
	    dns_list_parse("bl.example=127.0.[0..255].[2;4..6]", &list, why));
	ck_assert_msg(
	    dns_list_judge(&list, answers[_i].address) == answers[_i].code,
	    "%s", answers[_i].when);
}
END_TEST

static const struct {
	const char *address;
	const char *name;
} names[] = {
    {"127.0.0.2", "2.0.0.127.bl.example"},
    {"198.51.100.255", "255.100.51.198.bl.example"},
    {"2001:db8::567:89ab",
	"b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	"8.b.d.0.1.0.0.2.bl.example"},
    {"::ffff:192.0.2.1", "1.2.0.192.bl.example"},
};

START_TEST(test_name_of_address)
{
	char name[DNS_LIST_NAME_SIZE];
	struct netaddr address;

	ck_assert(netaddr_parse(names[_i].address, &address));
	dns_list_name_of_address(&address, "bl.example", name);
	ck_assert_str_eq(name, names[_i].name);
}
END_TEST

static const struct {
	const char *when;
	const char *domain;
	const char *name; /* NULL: it is not asked for */
} domains[] = {
    {"a domain", "Sender.Example.", "sender.example.bl.example"},
    {"a name without a dot", "localhost", NULL},
    {"no name", "", NULL},
    {"an address literal", "[192.0.2.1]", NULL},
    {"an address", "192.0.2.1", NULL},
    {"what is no host name", "a b.example", NULL},
};

START_TEST(test_name_of_domain)
{
	char name[DNS_LIST_NAME_SIZE];
	bool good =
	    dns_list_name_of_domain(domains[_i].domain, "bl.example", name);

	ck_assert_msg(
	    good == (domains[_i].name != NULL), "%s", domains[_i].when);
	if (good)
		ck_assert_str_eq(name, domains[_i].name);
}
END_TEST

/* Of the longest zone and IPv6 address the name still fits. */
START_TEST(test_longest)
{
	char text[2 * DNS_LIST_ZONE_SIZE], zone[DNS_LIST_ZONE_SIZE + 2];
	char why[DNS_LIST_WHY_SIZE], name[DNS_LIST_NAME_SIZE];
	struct netaddr address;
	struct dns_list list;

	ck_assert(netaddr_parse("2001:db8::1", &address));
	for (size_t length = 1; length <= DNS_LIST_ZONE_SIZE; length++) {
		memset(zone, 'a', length);
		for (size_t i = 50; i < length - 1; i += 50)
			zone[i] = '.';
		zone[length] = '\0';
		(void)snprintf(text, sizeof text, "%s=127.0.0.2", zone);
		if (!dns_list_parse(text, &list, why))
			continue;
		dns_list_name_of_address(&address, list.zone, name);
		ck_assert_uint_eq(strlen(name), 64 + length);
		ck_assert_uint_le(strlen(name), 253);
	}
}
END_TEST

CHECK_MAIN("dns_list", tcase)
{
	tcase_add_loop_test(tcase, test_parse, 0, COUNT(texts));
	tcase_add_loop_test(tcase, test_judge, 0, COUNT(answers));
	tcase_add_loop_test(tcase, test_name_of_address, 0, COUNT(names));
	tcase_add_loop_test(tcase, test_name_of_domain, 0, COUNT(domains));
	tcase_add_test(tcase, test_longest);
}
