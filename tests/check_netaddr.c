#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/check_main.h"
#include "mail/netaddr.h"

static struct netaddr
address(const char *text)
{
	struct netaddr addr;

	ck_assert_msg(netaddr_parse(text, &addr), "%s is an address", text);
	return addr;
}

static const struct {
	const char *when;
	const char *text;
	const char *canonical; /* NULL: refused */
} parse_rows[] = {
    {"IPv4 is read", "192.0.2.1", "192.0.2.1"},
    {"IPv6 is read", "2001:db8::1", "2001:db8::1"},
    {"IPv6 in full is shortened", "2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
    {"a lone zero group is not shortened", "2001:db8:0:1:1:1:1:1",
	"2001:db8:0:1:1:1:1:1"},
    {"brackets are taken off IPv4", "[192.0.2.1]", "192.0.2.1"},
    {"brackets are taken off IPv6", "[::1]", "::1"},
    {"Postfix's tag is taken off", "IPv6:2001:db8::1", "2001:db8::1"},
    {"Postfix's ::1 is read", "IPv6:::1", "::1"},
    {"Sendmail's ::1 is read", "[IPv6:0:0:0:0:0:0:0:1]", "::1"},
    {"IPv4 within IPv6 is IPv4", "::ffff:192.0.2.1", "192.0.2.1"},
    {"IPv4 within IPv6 in hex is IPv4", "::ffff:c000:201", "192.0.2.1"},
    {"IPv4 within tagged IPv6 is IPv4", "IPV6:::ffff:192.0.2.1", "192.0.2.1"},
    {"the tag may have any case", "ipV6:::FFFF:192.0.2.1", "192.0.2.1"},
    {"the old IPv4-compatible form stays IPv6", "::192.0.2.1", "::192.0.2.1"},
    {"nothing is no address", "", NULL},
    {"NULL is no address", NULL, NULL},
    {"an octet above 255 is refused", "192.0.2.256", NULL},
    {"a leading zero is refused, as it may mean octal", "192.0.2.010", NULL},
    {"three octets are refused", "192.0.2", NULL},
    {"an open bracket is refused", "[192.0.2.1", NULL},
    {"a bracket at the end alone is refused", "192.0.2.1]", NULL},
    {"a lone bracket is refused", "[", NULL},
    {"empty brackets are refused", "[]", NULL},
    {"a tagged IPv4 address is refused", "IPv6:192.0.2.1", NULL},
    {"a tag alone is refused", "IPv6:", NULL},
    {"half a tag is refused", "IPv6", NULL},
    {"a scope id is refused", "fe80::1%eth0", NULL},
    {"a blank is refused", " 192.0.2.1", NULL},
    {"a name is refused", "mail.example.org", NULL},
    {"a very long text is refused",
	"2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:"
	"db8:2001:db8:2001:db8:2001:db8:2001:db8",
	NULL},
};

START_TEST(test_parse)
{
	struct netaddr addr;
	char text[NETADDR_TEXT_SIZE];
	bool read = netaddr_parse(parse_rows[_i].text, &addr);

	ck_assert_msg(read == (parse_rows[_i].canonical != NULL), "%s",
	    parse_rows[_i].when);
	if (!read)
		return;
	netaddr_format(&addr, text);
	ck_assert_msg(strcmp(text, parse_rows[_i].canonical) == 0, "%s: %s",
	    parse_rows[_i].when, text);
}
END_TEST

START_TEST(test_sockaddr)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_storage back;
	struct netaddr want = address("192.0.2.1");
	struct netaddr addr;

	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	ck_assert(netaddr_from_sockaddr((struct sockaddr *)&in, &addr));
	ck_assert_uint_eq(netaddr_to_sockaddr(&addr, &back), sizeof in);
	ck_assert_mem_eq(&back, &in, sizeof in);
	ck_assert(netaddr_equal(&addr, &want));

	inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
	ck_assert(netaddr_from_sockaddr((struct sockaddr *)&in6, &addr));
	ck_assert(netaddr_equal(&addr, &want));

	want = address("2001:db8::1");
	inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
	ck_assert(netaddr_from_sockaddr((struct sockaddr *)&in6, &addr));
	ck_assert_uint_eq(netaddr_to_sockaddr(&addr, &back), sizeof in6);
	ck_assert_mem_eq(&back, &in6, sizeof in6);
	ck_assert(netaddr_equal(&addr, &want));

	ck_assert(!netaddr_from_sockaddr((struct sockaddr *)&un, &addr));
	ck_assert(!netaddr_from_sockaddr(NULL, &addr));
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	unsigned bits;
	const char *network;
} of_rows[] = {
    {"host bits are cleared", "192.0.2.77", 24, "192.0.2.0/24"},
    {"a prefix may end within an octet", "192.0.2.77", 26, "192.0.2.64/26"},
    {"no bits are the whole Internet", "192.0.2.77", 0, "0.0.0.0/0"},
    {"all bits are the host", "192.0.2.77", 32, "192.0.2.77/32"},
    {"too many bits are the host", "192.0.2.77", 64, "192.0.2.77/32"},
    {"an absurd number of bits is the host", "2001:db8::7", 1000,
	"2001:db8::7/128"},
    {"IPv6 is cut at 64", "2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"},
    {"IPv6 may end within an octet", "2001:db8:ffff::", 35,
	"2001:db8:e000::/35"},
};

START_TEST(test_network_of)
{
	struct netaddr addr = address(of_rows[_i].text);
	struct network net = network_of(&addr, of_rows[_i].bits);
	char text[NETWORK_TEXT_SIZE];

	network_format(&net, text);
	ck_assert_msg(strcmp(text, of_rows[_i].network) == 0, "%s: %s",
	    of_rows[_i].when, text);
	ck_assert_msg(network_contains(&net, &addr), "%s", of_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	const char *network; /* NULL: refused */
	const char *why;
} network_rows[] = {
    {"a network is read", "192.0.2.0/24", "192.0.2.0/24", NULL},
    {"an address alone is a host", "192.0.2.1", "192.0.2.1/32", NULL},
    {"an IPv6 address alone is a host", "[::1]", "::1/128", NULL},
    {"an IPv6 network is read", "2001:DB8::/32", "2001:db8::/32", NULL},
    {"the whole Internet is a network", "0.0.0.0/0", "0.0.0.0/0", NULL},
    {"all of IPv6 is a network", "::/0", "::/0", NULL},
    {"IPv4 within IPv6 counts from its own start", "::ffff:192.0.2.0/120",
	"192.0.2.0/24", NULL},
    {"IPv4 within IPv6 alone is a host", "::ffff:192.0.2.1", "192.0.2.1/32",
	NULL},
    {"a prefix too short for IPv4 within IPv6 is refused",
	"::ffff:192.0.2.0/24", NULL,
	"/24 does not fit this address, /96 to /128 would"},
    {"a prefix too long for IPv4 is refused", "192.0.2.0/40", NULL,
	"/40 does not fit this address, /0 to /32 would"},
    {"a prefix too long for IPv6 is refused", "2001:db8::/129", NULL,
	"what follows the / is not a number from 0 to 128"},
    {"host bits are refused and the right base named", "192.0.2.1/24", NULL,
	"host bits are set; the network is 192.0.2.0/24"},
    {"so they are for IPv6", "2001:db8::1/64", NULL,
	"host bits are set; the network is 2001:db8::/64"},
    {"and for IPv4 within IPv6", "::ffff:192.0.2.1/120", NULL,
	"host bits are set; the network is 192.0.2.0/24"},
    {"an empty prefix is refused", "192.0.2.0/", NULL,
	"what follows the / is not a number from 0 to 32"},
    {"a netmask is refused", "192.0.2.0/255.255.255.0", NULL,
	"what follows the / is not a number from 0 to 32"},
    {"a sign is refused", "192.0.2.0/+24", NULL,
	"what follows the / is not a number from 0 to 32"},
    {"a leading zero is refused", "192.0.2.0/024", NULL,
	"what follows the / is not a number from 0 to 32"},
    {"a number beyond all bounds is refused", "192.0.2.0/99999999999999999999",
	NULL, "what follows the / is not a number from 0 to 32"},
    {"a name is refused", "example.org/24", NULL, "not an IP address"},
    {"a slash alone is refused", "/", NULL, "not an IP address"},
    {"nothing is refused", "", NULL, "not an IP address"},
    {"NULL is refused", NULL, NULL, "not an IP address"},
};

START_TEST(test_network_parse)
{
	char why[NETWORK_WHY_SIZE] = "";
	char text[NETWORK_TEXT_SIZE];
	struct network net;
	bool read = network_parse(network_rows[_i].text, &net, why);

	ck_assert_msg(read == (network_rows[_i].network != NULL), "%s: %s",
	    network_rows[_i].when, why);
	if (!read) {
		ck_assert_str_eq(why, network_rows[_i].why);
		return;
	}
	network_format(&net, text);
	ck_assert_str_eq(text, network_rows[_i].network);
}
END_TEST

static const struct {
	const char *when;
	const char *network;
	const char *text;
	bool inside;
} contains_rows[] = {
    {"the first address is inside", "192.0.2.64/26", "192.0.2.64", true},
    {"the last address is inside", "192.0.2.64/26", "192.0.2.127", true},
    {"the one before is outside", "192.0.2.64/26", "192.0.2.63", false},
    {"the one behind is outside", "192.0.2.64/26", "192.0.2.128", false},
    {"/0 holds every address of its family", "0.0.0.0/0", "203.0.113.9", true},
    {"::/0 holds no IPv4", "::/0", "203.0.113.9", false},
    {"0.0.0.0/0 holds no IPv6", "0.0.0.0/0", "::1", false},
    {"::/0 does not hold IPv4 written as IPv6 either", "::/0",
	"::ffff:203.0.113.9", false},
    {"an IPv6 host is inside its /64", "2001:db8::/64", "2001:db8::ffff", true},
    {"the next /64 is outside", "2001:db8::/64", "2001:db8:0:1::", false},
};

START_TEST(test_contains)
{
	char why[NETWORK_WHY_SIZE];
	struct netaddr addr = address(contains_rows[_i].text);
	struct network net;

	ck_assert(network_parse(contains_rows[_i].network, &net, why));
	ck_assert_msg(network_contains(&net, &addr) == contains_rows[_i].inside,
	    "%s", contains_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	unsigned bucket;
} bucket_rows[] = {
    {"an IPv4 host has the bucket of its last octet", "192.0.2.77", 77},
    {"the network does not matter for IPv4", "203.0.113.77", 77},
    {"an IPv6 host has a bucket that never changes", "2001:db8::1", 198},
    {"the network does not matter for IPv6", "2001:db8:5:6::1", 198},
    {"another host of it has another one", "2001:db8::2", 41},
    {"the upper half of the host counts", "2001:db8::1:0:0:1", 12},
};

START_TEST(test_bucket)
{
	struct netaddr addr = address(bucket_rows[_i].text);

	ck_assert_msg(netaddr_host_bucket(&addr) == bucket_rows[_i].bucket,
	    "%s: %u", bucket_rows[_i].when, netaddr_host_bucket(&addr));
}
END_TEST

START_TEST(test_equal)
{
	struct netaddr a = address("32.1.13.184");
	struct netaddr b = address("2001:db8::");
	struct netaddr c = address("IPv6:2001:DB8::");

	ck_assert_msg(!netaddr_equal(&a, &b), "families never mix");
	ck_assert_msg(netaddr_equal(&b, &c), "spelling does not matter");
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	const char *address; /* NULL: refused */
	unsigned port;
} port_rows[] = {
    {"without a port it stays as it was", "192.0.2.1", "192.0.2.1", 53},
    {"a port behind IPv4", "192.0.2.1:5353", "192.0.2.1", 5353},
    {"IPv6 alone", "2001:db8::53", "2001:db8::53", 53},
    {"IPv6 in brackets", "[2001:db8::53]", "2001:db8::53", 53},
    {"a port behind brackets", "[2001:db8::53]:5353", "2001:db8::53", 5353},
    {"the largest port", "192.0.2.1:65535", "192.0.2.1", 65535},
    {"port 0 is none", "192.0.2.1:0", NULL, 0},
    {"nor is one beyond", "192.0.2.1:65536", NULL, 0},
    {"an empty port", "192.0.2.1:", NULL, 0},
    {"a port with more behind it", "192.0.2.1:53x", NULL, 0},
    {"a name is no address", "localhost:53", NULL, 0},
    {"a bracket that is not opened", "2001:db8::53]:53", NULL, 0},
    {"one that is not closed", "[2001:db8::53:53", NULL, 0},
    {"a port alone", ":53", NULL, 0},
    {"nothing", "", NULL, 0},
};

START_TEST(test_parse_port)
{
	struct netaddr addr;
	unsigned port = 53;
	char text[NETADDR_TEXT_SIZE];
	bool good = netaddr_parse_port(port_rows[_i].text, &addr, &port);

	ck_assert_msg(
	    good == (port_rows[_i].address != NULL), "%s", port_rows[_i].when);
	if (!good)
		return;
	netaddr_format(&addr, text);
	ck_assert_str_eq(text, port_rows[_i].address);
	ck_assert_uint_eq(port, port_rows[_i].port);
}
END_TEST

CHECK_MAIN("netaddr", tcase)
{
	tcase_add_loop_test(tcase, test_parse_port, 0, COUNT(port_rows));
	tcase_add_loop_test(tcase, test_parse, 0, COUNT(parse_rows));
	tcase_add_test(tcase, test_sockaddr);
	tcase_add_loop_test(tcase, test_network_of, 0, COUNT(of_rows));
	tcase_add_loop_test(tcase, test_network_parse, 0, COUNT(network_rows));
	tcase_add_loop_test(tcase, test_contains, 0, COUNT(contains_rows));
	tcase_add_loop_test(tcase, test_bucket, 0, COUNT(bucket_rows));
	tcase_add_test(tcase, test_equal);
}
