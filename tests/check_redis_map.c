#include "redis/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct redis_address asked = {"192.0.2.1", "7000"};

static struct resp_reply *
parse(const char *bytes)
{
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply = NULL;

	resp_feed(parser, bytes, strlen(bytes));
	ck_assert_int_eq(resp_next(parser, &reply), RESP_REPLY);
	resp_parser_close(&parser);
	return reply;
}

/* A node, and a range of slots with its master alone. */
#define NODE(host, port)	 "*3\r\n" host ":" port "\r\n$2\r\nid\r\n"
#define RANGE(first, last, node) "*3\r\n:" first "\r\n:" last "\r\n" node
#define A			 "$1\r\na\r\n"
#define B			 "$1\r\nb\r\n"
#define NIL			 "$-1\r\n"
#define NONE			 "$0\r\n\r\n"

static const struct {
	const char *when;
	const char *reply;
	unsigned slot;
	const char *where; /* NULL: nobody serves the slot */
} rows[] = {
    {"the first slot of a range", "*1\r\n" RANGE("5", "9", NODE(A, "7001")), 5,
	"a:7001"},
    {"the last slot of a range", "*1\r\n" RANGE("5", "9", NODE(A, "7001")), 9,
	"a:7001"},
    {"one below", "*1\r\n" RANGE("5", "9", NODE(A, "7001")), 4, NULL},
    {"one above", "*1\r\n" RANGE("5", "9", NODE(A, "7001")), 10, NULL},
    {"all slots", "*1\r\n" RANGE("0", "16383", NODE(A, "7001")), 16383,
	"a:7001"},
    {"several ranges",
	"*2\r\n" RANGE("0", "4", NODE(A, "7001"))
	    RANGE("5", "9", NODE(B, "7002")),
	5, "b:7002"},
    {"a range with replicas is its master's",
	"*1\r\n*4\r\n:0\r\n:9\r\n" NODE(A, "7001") NODE(B, "7002"), 3,
	"a:7001"},
    {"no host is the host that was asked",
	"*1\r\n" RANGE("0", "9", NODE(NIL, "7003")), 3, "192.0.2.1:7003"},
    {"nor is an empty one", "*1\r\n" RANGE("0", "9", NODE(NONE, "7003")), 3,
	"192.0.2.1:7003"},
    {"no slot at all", "*0\r\n", 3, NULL},
    {"no array", "+OK\r\n", 3, NULL},
    {"a range beyond the last slot",
	"*1\r\n" RANGE("0", "16384", NODE(A, "7001")), 3, NULL},
    {"a range below the first slot", "*1\r\n" RANGE("-1", "9", NODE(A, "7001")),
	3, NULL},
    {"a range backwards", "*1\r\n" RANGE("9", "0", NODE(A, "7001")), 3, NULL},
    {"a range without nodes", "*1\r\n*2\r\n:0\r\n:9\r\n", 3, NULL},
    {"a node without a port", "*1\r\n" RANGE("0", "9", "*1\r\n" A), 3, NULL},
    {"port 0", "*1\r\n" RANGE("0", "9", NODE(A, "0")), 3, NULL},
    {"nonsense hides nothing good",
	"*2\r\n$1\r\nx\r\n" RANGE("0", "9", NODE(A, "7001")), 3, "a:7001"},
};

START_TEST(who_serves)
{
	static struct redis_map map;
	const char *when = rows[_i].when;
	struct resp_reply *reply = parse(rows[_i].reply);
	bool is_read = redis_map_read(reply, &asked, &map);
	uint8_t owner = map.owner[rows[_i].slot];
	char where[REDIS_WHERE_SIZE];

	resp_reply_free(&reply);
	if (rows[_i].where == NULL) {
		ck_assert_msg(owner == REDIS_NO_NODE, "%s", when);
		return;
	}
	ck_assert_msg(is_read && owner < map.count, "%s", when);
	redis_address_print(&map.nodes[owner], where, sizeof where);
	ck_assert_msg(
	    strcmp(where, rows[_i].where) == 0, "%s: %s", when, where);
}
END_TEST

START_TEST(a_node_with_several_ranges_is_one_node)
{
	static struct redis_map map;
	struct resp_reply *reply = parse("*2\r\n" RANGE(
	    "0", "4", NODE(A, "7001")) RANGE("6", "9", NODE(A, "7001")));

	ck_assert(redis_map_read(reply, &asked, &map));
	ck_assert_uint_eq(map.count, 1);
	resp_reply_free(&reply);
}
END_TEST

START_TEST(a_map_without_slots_is_none)
{
	static struct redis_map map;
	struct resp_reply *reply = parse("*0\r\n");

	ck_assert(!redis_map_read(reply, &asked, &map));
	ck_assert(!redis_map_read(NULL, &asked, &map));
	resp_reply_free(&reply);
}
END_TEST

START_TEST(more_nodes_than_we_have_places_for_go_unserved)
{
	static struct redis_map map;
	struct resp_reply *reply;
	char ranges[8000] = "*70\r\n";
	size_t length = strlen(ranges);

	for (int i = 0; i < 70; i++)
		length += (size_t)snprintf(ranges + length,
		    sizeof ranges - length,
		    "*3\r\n:%d\r\n:%d\r\n*2\r\n" A ":%d\r\n", i, i, 7000 + i);
	reply = parse(ranges);
	ck_assert(redis_map_read(reply, &asked, &map));
	ck_assert_uint_eq(map.count, REDIS_NODES);
	ck_assert_uint_eq(map.owner[REDIS_NODES - 1], REDIS_NODES - 1);
	ck_assert_uint_eq(map.owner[REDIS_NODES], REDIS_NO_NODE);
	resp_reply_free(&reply);
}
END_TEST

CHECK_MAIN("redis_map", all)
{
	tcase_add_loop_test(all, who_serves, 0, COUNT(rows));
	tcase_add_test(all, a_node_with_several_ranges_is_one_node);
	tcase_add_test(all, a_map_without_slots_is_none);
	tcase_add_test(all, more_nodes_than_we_have_places_for_go_unserved);
}
