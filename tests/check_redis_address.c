#include "redis/address.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct {
	const char *when;
	const char *text;
	const char *host; /* NULL: refused */
	const char *port;
	const char *printed; /* NULL: as it was written */
} rows[] = {
    {"a host name", "redis.example:6379", "redis.example", "6379", NULL},
    {"an IPv4 address", "192.0.2.1:1", "192.0.2.1", "1", NULL},
    {"an IPv6 address in brackets", "[2001:db8::1]:65535", "2001:db8::1",
	"65535", NULL},
    {"a path", "/run/redis.sock", "/run/redis.sock", "", NULL},
    {"a path with colons", "/run/redis:6379", "/run/redis:6379", "", NULL},
    {"a path as URL", "unix:/run/redis.sock", "/run/redis.sock", "",
	"/run/redis.sock"},
    {"no port", "redis.example", NULL, NULL, NULL},
    {"an empty port", "redis.example:", NULL, NULL, NULL},
    {"no host", ":6379", NULL, NULL, NULL},
    {"nothing", "", NULL, NULL, NULL},
    {"port 0", "redis:0", NULL, NULL, NULL},
    {"a port too high", "redis:65536", NULL, NULL, NULL},
    {"a port with a sign", "redis:+5", NULL, NULL, NULL},
    {"a port with more", "redis:63a", NULL, NULL, NULL},
    {"a port by name", "redis:redis", NULL, NULL, NULL},
    {"IPv6 without brackets", "::1:6379", NULL, NULL, NULL},
    {"empty brackets", "[]:6379", NULL, NULL, NULL},
    {"a zone", "[fe80::1%eth0]:6379", "fe80::1%eth0", "6379", NULL},
    {"a host with a blank", "redis example:6379", NULL, NULL, NULL},
    {"a relative path as URL", "unix:redis.sock", NULL, NULL, NULL},
};

START_TEST(as_an_administrator_writes_it)
{
	const char *when = rows[_i].when;
	struct redis_address address;
	char printed[REDIS_WHERE_SIZE];
	bool is_good = redis_address_parse(rows[_i].text, &address);

	ck_assert_msg(is_good == (rows[_i].host != NULL), "%s", when);
	if (!is_good)
		return;
	ck_assert_msg(strcmp(address.host, rows[_i].host) == 0, "%s", when);
	ck_assert_msg(strcmp(address.port, rows[_i].port) == 0, "%s", when);
	ck_assert_msg(
	    redis_address_is_unix(&address) == (rows[_i].port[0] == '\0'), "%s",
	    when);
	redis_address_print(&address, printed, sizeof printed);
	ck_assert_str_eq(printed,
	    rows[_i].printed != NULL ? rows[_i].printed : rows[_i].text);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	const char *host; /* NULL: refused */
} redirect_rows[] = {
    {"another host", "192.0.2.9:7001", "192.0.2.9"},
    {"an IPv6 address has no brackets", "2001:db8::9:7001", "2001:db8::9"},
    {"an empty host is the one that was asked", ":7001", "192.0.2.1"},
    {"a port is needed", "192.0.2.9", NULL},
    {"and a good one", "192.0.2.9:70010", NULL},
    {"a name", "node-7_b.redis.example:7001", "node-7_b.redis.example"},
    {"a line of a log", "x\nverdict=accept:7001", NULL},
    {"a terminal's control", "\033[31mred:7001", NULL},
    {"a blank", "a b:7001", NULL},
    {"a path", "/run/redis.sock:7001", NULL},
    {"a zone", "fe80::1%eth0:7001", NULL},
    {"letters beyond ASCII", "r\303\251dis:7001", NULL},
};

START_TEST(as_a_cluster_gives_it)
{
	const struct redis_address asked = {"192.0.2.1", "7000"};
	const char *when = redirect_rows[_i].when;
	const char *host = redirect_rows[_i].host;
	struct redis_address address;

	ck_assert_msg(redis_address_redirect(redirect_rows[_i].text, &asked,
			  &address) == (host != NULL),
	    "%s", when);
	if (host == NULL)
		return;
	ck_assert_msg(strcmp(address.host, host) == 0, "%s", when);
	ck_assert_str_eq(address.port, "7001");
}
END_TEST

START_TEST(names_that_are_too_long_are_refused)
{
	char text[REDIS_HOST_SIZE + 10];
	struct redis_address address;

	memset(text, 'a', sizeof text);
	memcpy(text + 253, ":6379", 6);
	ck_assert(redis_address_parse(text, &address));
	memset(text, 'a', sizeof text);
	memcpy(text + 254, ":6379", 6);
	ck_assert(!redis_address_parse(text, &address));
	memset(text, 'a', sizeof text);
	text[REDIS_HOST_SIZE] = '\0';
	text[0] = '/';
	ck_assert(!redis_address_parse(text, &address));
}
END_TEST

START_TEST(equal_is_the_same_host_and_port)
{
	const struct redis_address a = {"redis", "1"};
	const struct redis_address other_port = {"redis", "2"};
	const struct redis_address other_host = {"rediss", "1"};

	ck_assert(redis_address_equals(&a, &a));
	ck_assert(!redis_address_equals(&a, &other_port));
	ck_assert(!redis_address_equals(&a, &other_host));
}
END_TEST

CHECK_MAIN("redis_address", all)
{
	tcase_add_loop_test(all, as_an_administrator_writes_it, 0, COUNT(rows));
	tcase_add_loop_test(
	    all, as_a_cluster_gives_it, 0, COUNT(redirect_rows));
	tcase_add_test(all, names_that_are_too_long_are_refused);
	tcase_add_test(all, equal_is_the_same_host_and_port);
}
