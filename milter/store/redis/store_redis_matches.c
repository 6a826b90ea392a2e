/* Which entries of lists matched: a sorted set of each list, by the day. */
#include "store/redis/store_redis_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY   INT64_C(86400)
#define PAGE  1000
#define SINCE "since" /* the member of when somebody began to look */

static void
key_of(const struct redis_store *store, const char *list,
    char key_r[KEYS_KEY_SIZE])
{
	char name[sizeof "matched:" + STORE_NAME_SIZE];

	(void)snprintf(name, sizeof name, "matched:%s", list);
	keys_shared(&store->keys, name, key_r);
}

/* ZADD's GT: of several servers that which has seen it last is right. */
static void
add_days(struct resp_commands *commands, const char *key,
    const struct store_match *matches, size_t count)
{
	resp_begin(commands, 3 + 2 * count);
	resp_add_string(commands, "ZADD");
	resp_add_string(commands, key);
	resp_add_string(commands, "GT");
	for (size_t i = 0; i < count; i++) {
		resp_add_integer(commands, matches[i].day);
		resp_add_string(commands, matches[i].name);
	}
}

static enum store_result
put(struct store *store, const char *list, const struct store_match *matches,
    size_t count, int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE], since[24];
	struct redis_request request = {.key = key};
	struct resp_commands *commands = &request.commands;
	enum store_result result;

	now = store_now(store, now);
	key_of(self, list, key);
	(void)snprintf(since, sizeof since, "%" PRId64, now);
	trip_begin_whole(commands);
	resp_add(commands, "ZADD", key, "NX", since, SINCE);
	if (count > 0)
		add_days(commands, key, matches, count);
	/* The time of the beginning is a larger number than any day, and so the
	 * last to be removed. */
	trip_add_bounds(commands, key, now / DAY - STORE_MATCHES_LIFE,
	    STORE_MATCHES_MAX + 1);
	trip_add_end(commands, key, STORE_MATCHES_LIFE * DAY);
	trip_end_whole(commands);
	result = store_redis_ask(self, &request, 1);
	redis_request_free(&request);
	return result;
}

/* What was read of one list. */
struct reading {
	store_match_each *each;
	void *arg;
	size_t count;
	int64_t since, oldest;
};

static void
take(struct reading *reading, const char *name, int64_t score)
{
	struct store_match match = {.name = "", .day = score};

	if (strcmp(name, SINCE) == 0) {
		reading->since = score;
		return;
	}
	if (strlen(name) >= sizeof match.name)
		return;
	strcpy(match.name, name);
	reading->count++;
	if (score < reading->oldest)
		reading->oldest = score;
	reading->each(reading->arg, &match);
}

/* The next ones, behind so many; how many there were. */
static enum store_result
read_page(struct redis_store *store, const char *key, int64_t behind,
    struct reading *reading, size_t *count_r)
{
	struct redis_request request = {.key = key};
	const struct resp_reply *reply;
	enum store_result result;

	resp_begin(&request.commands, 6);
	resp_add_string(&request.commands, "ZRANGE");
	resp_add_string(&request.commands, key);
	resp_add_integer(&request.commands, behind);
	resp_add_integer(&request.commands, behind + PAGE - 1);
	resp_add_string(&request.commands, "REV");
	resp_add_string(&request.commands, "WITHSCORES");
	result = store_redis_ask(store, &request, 1);
	reply = result == STORE_OK ? request.replies[0] : NULL;
	*count_r = resp_count(reply) / 2;
	for (size_t i = 0; i < *count_r; i++) {
		const char *name =
		    resp_string(resp_element(reply, 2 * i), NULL);
		const char *score =
		    resp_string(resp_element(reply, 2 * i + 1), NULL);

		if (name != NULL && score != NULL)
			take(reading, name, strtoll(score, NULL, 10));
	}
	redis_request_free(&request);
	return result;
}

/* From the last day on: what matches meanwhile moves to the front, and pushes others
 * back, so that these come twice, but none is left out.  Of a full list nothing is
 * known up to the oldest day in it. */
static enum store_result
read_all(struct store *store, const char *list, store_match_each *each,
    void *arg, int64_t *since_r)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct reading reading = {
	    .each = each, .arg = arg, .oldest = INT64_MAX};
	enum store_result result = STORE_OK;
	size_t count = PAGE;

	key_of(self, list, key);
	for (int64_t at = 0;
	     count == PAGE && result == STORE_OK && at < 2 * STORE_MATCHES_MAX;
	     at += PAGE)
		result = read_page(self, key, at, &reading, &count);
	*since_r = reading.since;
	if (reading.count >= STORE_MATCHES_MAX &&
	    reading.since < (reading.oldest + 1) * DAY)
		*since_r = (reading.oldest + 1) * DAY;
	return result;
}

const struct store_match_ops store_redis_match_ops = {
    .put = put, .read = read_all};
