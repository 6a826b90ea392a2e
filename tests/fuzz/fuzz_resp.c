/* Fuzz what a Redis server says: whatever the bytes, and however they are cut,
 * replies stay within their bounds, and what reads them believes no nonsense. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "redis/error.h"
#include "redis/map.h"
#include "redis/redirect.h"
#include "redis/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_map(const struct resp_reply *reply)
{
	static const struct redis_address asked = {"192.0.2.1", "7000"};
	static struct redis_map map;

	if (!redis_map_read(reply, &asked, &map))
		return;
	for (size_t i = 0; i < REDIS_SLOTS; i++)
		if (map.owner[i] != REDIS_NO_NODE && map.owner[i] >= map.count)
			abort();
}

static void
read_redirect(struct resp_reply *reply)
{
	struct resp_commands commands = {0}, again = {0};
	struct redis_call call = {.commands = &commands, .replies = &reply};
	struct redis_redirect redirect;
	char words[REDIS_WORDS_SIZE];

	resp_add(&commands, "PING");
	if (redis_redirect_collect(&call, &redirect, &again) &&
	    redirect.slot >= REDIS_SLOTS)
		abort();
	resp_free(&commands);
	resp_free(&again);
	if (resp_error(reply) != NULL)
		ascii_clean(resp_error(reply), words, sizeof words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply;
	size_t step = size > 0 ? 1 + data[0] % 64 : 1;

	for (size_t at = 1; at < size; at += step) {
		resp_feed(
		    parser, data + at, size - at < step ? size - at : step);
		while (resp_next(parser, &reply) == RESP_REPLY) {
			read_map(reply);
			read_redirect(reply);
			resp_reply_free(&reply);
		}
	}
	resp_parser_close(&parser);
	return 0;
}
