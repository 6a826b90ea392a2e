/* Whether all servers that share this Redis hash with the same secret.
 *
 * Each tells what its secret makes of a fixed text, which says nothing about the
 * secret.  Servers that differ do not find each other's first attempts, so that a
 * retry that comes to the other one is a stranger's, for ever. */
#include "base/ascii.h"
#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/seconds.h"
#include "base/secret.h"
#include "redis/error.h"

#define EVERY	  INT64_C(2000000) /* microseconds */
#define LIFE	  "3600"
#define FORGOTTEN INT64_C(3600)
#define FRESH	  INT64_C(10) /* seconds */
#define TIMES	  3 /* in a row: one who has just changed his is no news */
#define MARK_SIZE (24 + HOST_NAME_SIZE)

/* A field is what the secret makes of the fixed text; its value, who told so last:
 * "<Unix seconds>:<host>". */
static bool
read_mark(const char *mark, int64_t *at_r, const char **host_r)
{
	char *end;

	if (mark == NULL || strlen(mark) >= MARK_SIZE)
		return false;
	*at_r = strtoll(mark, &end, 10);
	if (end == mark || *end != ':')
		return false;
	*host_r = end + 1;
	return true;
}

/* A host that lately told something else than `ours`, or NULL; what was told long
 * ago is removed. */
static const char *
find_other(struct redis_store *store, const struct resp_reply *marks,
    const char *ours, struct redis_request *removal)
{
	int64_t now = redis_clock_now(&store->clock), at;
	const char *other = NULL, *host;

	for (size_t i = 0; i + 1 < resp_count(marks); i += 2) {
		const char *name = resp_string(resp_element(marks, i), NULL);
		const char *mark =
		    resp_string(resp_element(marks, i + 1), NULL);

		if (name == NULL || strcmp(name, ours) == 0)
			continue;
		if (!read_mark(mark, &at, &host) ||
		    seconds_apart(now, at) > FORGOTTEN)
			resp_add(
			    &removal->commands, "HDEL", removal->key, name);
		else if (seconds_apart(now, at) <= FRESH)
			other = host;
	}
	return other;
}

static void
note(struct redis_store *store, const char *other)
{
	char host[HOST_NAME_SIZE];

	if (other == NULL) {
		if (store->apart >= TIMES)
			store_redis_say(store, false,
			    "all servers hash with the same secret again");
		store->apart = 0;
		return;
	}
	if (store->apart < TIMES && ++store->apart == TIMES) {
		ascii_clean(other, host, sizeof host);
		store_redis_say(store, true,
		    "%s hashes with another secret than this server: neither "
		    "finds the other's first attempts.  secret_file must be "
		    "the same on all, or set on none",
		    host);
	}
}

static void
exchange(struct redis_store *store, const char *ours)
{
	char key[KEYS_KEY_SIZE], mark[MARK_SIZE];
	struct redis_request request = {.key = key}, removal = {.key = key};

	keys_shared(&store->keys, "secrets", key);
	snprintf(mark, sizeof mark, "%lld:%s",
	    (long long)redis_clock_now(&store->clock), store->host);
	trip_begin_whole(&request.commands);
	resp_add(&request.commands, "HSET", key, ours, mark);
	resp_add(&request.commands, "EXPIRE", key, LIFE);
	resp_add(&request.commands, "HGETALL", key);
	trip_end_whole(&request.commands);
	if (redis_ask(store->redis, &request, 1, 0) == REDIS_ANSWERED) {
		note(store,
		    find_other(store, resp_element(request.replies[4], 2), ours,
			&removal));
		store_redis_heal(store, &request);
	}
	if (removal.commands.count > 0)
		(void)redis_tell(store->redis, &removal, 1);
	redis_request_free(&request);
	redis_request_free(&removal);
}

void
store_redis_compare_secrets(struct redis_store *store)
{
	int64_t now = clock_steady_us();
	struct triplet_namer namer;
	char ours[TRIPLET_SIZE];

	if (store->compared_at != 0 && now - store->compared_at < EVERY)
		return;
	store->compared_at = now;
	if (redis_secret_read(&store->secret, &namer) &&
	    triplet_fingerprint(&namer, ours))
		exchange(store, ours);
	secret_wipe(&namer.key, sizeof namer.key);
}
