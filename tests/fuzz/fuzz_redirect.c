/* Fuzz where nodes and sentinels send us: whatever MOVED, ASK, CLUSTER SLOTS or a
 * sentinel names, and whatever a transaction is answered, each reply goes to its
 * own command, no more is sent again than there is room for, and no name reaches
 * the log that could forge a line of it. */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "redis/map.h"
#include "redis/redirect.h"

enum { COMMANDS = 6, REPLIES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct redis_address asked = {"192.0.2.1", "7000"};

static void
check_address(const struct redis_address *address)
{
	char where[REDIS_WHERE_SIZE];

	redis_address_print(address, where, sizeof where);
	for (const char *at = where; *at != '\0'; at++)
		if (!isalnum((unsigned char)*at) &&
		    strchr(".:_-[]", *at) == NULL)
			abort();
}

/* What is redirected is collected, answered with the replies that come next, and
 * put back in its place. */
static size_t
follow(struct redis_call *call, struct resp_reply **more, size_t count)
{
	struct resp_commands again = {0};
	struct redis_redirect redirect;
	struct redis_address address;
	size_t used = 0;

	if (!redis_redirect_collect(call, &redirect, &again))
		return 0;
	if (redirect.slot >= REDIS_SLOTS)
		abort();
	if (redis_address_redirect(redirect.to, &asked, &address))
		check_address(&address);
	if (again.count == 0 || again.count > 2 * (size_t)COMMANDS)
		abort();
	if (again.count <= count) {
		used = again.count;
		redis_redirect_merge(call, &redirect, more);
	}
	resp_free(&again);
	return used;
}

static void
answer(struct resp_reply **replies, size_t count, bool is_whole)
{
	struct resp_commands commands = {0};
	struct redis_call call = {.commands = &commands, .replies = replies};
	size_t at = COMMANDS;

	if (is_whole)
		resp_add(&commands, "MULTI");
	while (commands.count < COMMANDS - 1)
		resp_add(&commands, "HINCRBY", "key", "field", "1");
	resp_add(&commands, is_whole ? "EXEC" : "PING");
	for (int hops = 5; hops > 0; hops--) {
		size_t used = follow(&call, replies + at, count - at);

		if (used == 0)
			break;
		memset(replies + at, 0, used * sizeof *replies);
		at += used;
	}
	resp_free(&commands);
}

static void
read_map(const struct resp_reply *reply)
{
	static struct redis_map map;

	if (!redis_map_read(reply, &asked, &map))
		return;
	for (size_t i = 0; i < map.count; i++)
		check_address(&map.nodes[i]);
	for (size_t i = 0; i < REDIS_SLOTS; i++)
		if (map.owner[i] != REDIS_NO_NODE && map.owner[i] >= map.count)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *replies[REPLIES] = {0};
	size_t count = 0;

	if (size > 0) {
		resp_feed(parser, data + 1, size - 1);
		while (count < REPLIES &&
		    resp_next(parser, &replies[count]) == RESP_REPLY)
			count++;
		for (size_t i = 0; i < count; i++)
			read_map(replies[i]);
		if (count >= COMMANDS)
			answer(replies, count, data[0] % 2 == 1);
	}
	for (size_t i = 0; i < REPLIES; i++)
		resp_reply_free(&replies[i]);
	resp_parser_close(&parser);
	return 0;
}
