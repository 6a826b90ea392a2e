/* What hosts let each other know, in a stream. */
#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <string.h>

#include "redis/error.h"

#define SHARE_LIFE "3600"
#define SHARE_MOST "4096" /* entries, about */
#define AT_ONCE	   "32"
#define WAIT_MS	   500
#define FIRST_MS   60000 /* so old may be what a start reads */

static void
add_own(struct resp_commands *commands, const struct redis_store *store,
    const char *key, const struct store_shared *own)
{
	trip_begin_whole(commands);
	resp_begin(commands, 10);
	resp_add_string(commands, "XADD");
	resp_add_string(commands, key);
	resp_add_string(commands, "MAXLEN");
	resp_add_string(commands, "~");
	resp_add_string(commands, SHARE_MOST);
	resp_add_string(commands, "*");
	resp_add_string(commands, "h");
	resp_add_string(commands, store->host);
	resp_add_string(commands, "a");
	resp_add_bytes(commands, own->bytes, own->length);
	resp_add(commands, "EXPIRE", key, SHARE_LIFE);
	trip_end_whole(commands);
}

/* An entry is its place and its fields: h, the host, a, what it says. */
static void
read_entry(struct redis_store *store, const struct resp_reply *entry,
    void (*each)(void *arg, const struct store_shared *theirs), void *arg)
{
	const struct resp_reply *fields = resp_element(entry, 1);
	const char *place = resp_string(resp_element(entry, 0), NULL);
	const char *host = resp_string(resp_element(fields, 1), NULL);
	struct store_shared theirs;

	theirs.bytes = resp_string(resp_element(fields, 3), &theirs.length);
	if (place == NULL || strlen(place) >= sizeof store->shared_up_to)
		return;
	(void)snprintf(
	    store->shared_up_to, sizeof store->shared_up_to, "%s", place);
	if (host != NULL && strcmp(host, store->host) != 0 &&
	    theirs.bytes != NULL)
		each(arg, &theirs);
}

enum store_result
store_redis_share(struct store *store, const struct store_shared *own,
    void (*each)(void *arg, const struct store_shared *theirs), void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result = STORE_OK;
	const struct resp_reply *entries;

	if (!redis_clock_is_known(&self->clock))
		return STORE_DOWN;
	keys_shared(&self->keys, "dns", key);
	if (self->shared_up_to[0] == '\0')
		(void)snprintf(self->shared_up_to, sizeof self->shared_up_to,
		    "%lld-0",
		    (long long)redis_clock_now(&self->clock) * 1000 - FIRST_MS);
	if (own->length > 0)
		add_own(&request.commands, self, key, own);
	resp_add(&request.commands, "XREAD", "COUNT", AT_ONCE, "STREAMS", key,
	    self->shared_up_to);
	if (redis_ask(self->redis, &request, 1,
		redis_due(self->redis, WAIT_MS)) != REDIS_ANSWERED)
		result = STORE_LATE;
	for (size_t i = 0; result == STORE_OK && i < request.commands.count;
	     i++)
		if (redis_reply_error(request.replies[i]) != NULL) {
			store_redis_heal(self, &request);
			result = STORE_UNREADABLE;
		}
	if (result == STORE_OK) {
		/* one stream: its name, and its entries */
		entries = resp_element(
		    resp_element(
			request.replies[request.commands.count - 1], 0),
		    1);
		for (size_t i = 0; i < resp_count(entries); i++)
			read_entry(self, resp_element(entries, i), each, arg);
	}
	redis_request_free(&request);
	return result;
}
