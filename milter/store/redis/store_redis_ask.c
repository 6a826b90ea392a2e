#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "redis/error.h"

enum store_result
store_redis_result(enum redis_answer answer)
{
	switch (answer) {
	case REDIS_ANSWERED:
		return STORE_OK;
	case REDIS_LATE:
		return STORE_LATE;
	case REDIS_AWAY:
		break;
	}
	return STORE_DOWN;
}

enum store_result
store_redis_ask_until(struct redis_store *store, struct redis_request *requests,
    size_t count, int64_t due_ms)
{
	enum store_result result = store_redis_result(
	    redis_ask(store->redis, requests, count, due_ms));

	for (size_t i = 0; result == STORE_OK && i < count; i++)
		for (size_t j = 0; j < requests[i].commands.count; j++)
			if (redis_reply_error(requests[i].replies[j]) != NULL)
				return STORE_UNREADABLE;
	return result;
}

/* ---- What no look-up can do without */

static void
tell_clock(
    const struct redis_store *store, enum clock_news news, int64_t change)
{
	switch (news) {
	case CLOCK_GOOD:
	case CLOCK_STILL:
		return;
	case CLOCK_APART:
		store_redis_say(store, true,
		    "Redis's clock is %lld seconds ahead of this server's, "
		    "and all times go by it",
		    (long long)change);
		return;
	case CLOCK_NONSENSE:
		store_redis_say(
		    store, true, "Redis does not tell its time when asked");
		return;
	case CLOCK_LEAPT:
		store_redis_say(store, true,
		    "Redis's clock jumped by %lld seconds: this is not "
		    "followed, unless it lasts for ten minutes",
		    (long long)change);
		return;
	case CLOCK_FOLLOWED:
		store_redis_say(store, true,
		    "Redis's clock jumped by %lld seconds, and is followed",
		    (long long)change);
		return;
	}
}

void
store_redis_learn_time(
    struct redis_store *store, const struct resp_reply *reply, int64_t asked)
{
	const struct clock_moment moment = {
	    asked, clock_steady_us(), (int64_t)time(NULL)};
	int64_t change;
	enum clock_news news =
	    redis_clock_learn(&store->clock, reply, &moment, &change);

	tell_clock(store, news, change);
}

/* Any key will do to ask a server for its time. */
static enum store_result
learn_clock(struct redis_store *store, int64_t due_ms)
{
	char name[KEYS_KEY_SIZE];
	struct redis_request request = {.key = name};
	int64_t asked = clock_steady_us();
	enum redis_answer answer;

	keys_shared(&store->keys, "load", name);
	resp_add(&request.commands, "TIME");
	answer = redis_ask(store->redis, &request, 1, due_ms);
	if (answer == REDIS_ANSWERED)
		store_redis_learn_time(store, request.replies[0], asked);
	redis_request_free(&request);
	if (redis_clock_is_known(&store->clock))
		return STORE_OK;
	return answer == REDIS_LATE ? STORE_LATE : STORE_DOWN;
}

enum store_result
store_redis_prepare(
    struct redis_store *store, struct triplet_namer *namer_r, int64_t due_ms)
{
	enum store_result result = STORE_OK;
	enum secret_news news;

	if (!redis_clock_is_known(&store->clock))
		result = learn_clock(store, due_ms);
	if (result != STORE_OK || redis_secret_read(&store->secret, namer_r))
		return result;
	news = store_redis_refresh_secret(store, true, due_ms);
	if (redis_secret_read(&store->secret, namer_r))
		return STORE_OK;
	return news == SECRET_LATE ? STORE_LATE : STORE_DOWN;
}

/* ---- A trip */

void
trip_init(struct redis_trip *trip, const struct store_redis_keys *keys)
{
	trip->keys = keys;
	trip->count = 0;
	trip->failed = false;
}

void
trip_free(struct redis_trip *trip)
{
	for (size_t i = 0; i < trip->count; i++)
		redis_request_free(&trip->requests[i]);
	trip->count = 0;
}

size_t
trip_stop_for(struct redis_trip *trip, const char *tag)
{
	struct trip_stop *stop;

	for (size_t i = 0; i < trip->count; i++)
		if (strcmp(trip->stops[i].tag, tag) == 0)
			return i;
	if (strlen(tag) >= sizeof stop->tag) {
		trip->failed = true;
		tag = "";
	}
	if (trip->count == TRIP_STOPS) {
		trip->failed = true;
		return 0;
	}
	stop = &trip->stops[trip->count];
	strcpy(stop->tag, tag);
	keys_record(trip->keys, tag, stop->key);
	trip->requests[trip->count] = (struct redis_request){.key = stop->key};
	return trip->count++;
}

const struct resp_reply *
trip_reply(const struct redis_trip *trip, size_t stop, size_t position)
{
	const struct redis_request *request = &trip->requests[stop];

	if (request->replies == NULL || position >= request->commands.count)
		return NULL;
	return request->replies[position];
}

void
trip_begin_whole(struct resp_commands *commands)
{
	resp_add(commands, "MULTI");
}

void
trip_end_whole(struct resp_commands *commands)
{
	resp_add(commands, "EXEC");
}

static void
expire(struct resp_commands *commands, const char *key, int64_t life,
    const char *when)
{
	uint64_t spread = hash_64(HASH_64, key, strlen(key)) % 1024;

	resp_begin(commands, 4);
	resp_add_string(commands, "EXPIRE");
	resp_add_string(commands, key);
	resp_add_integer(commands, life + life / 10 * (int64_t)spread / 1024);
	resp_add_string(commands, when);
}

void
trip_add_first_life(
    struct resp_commands *commands, const char *key, int64_t life)
{
	expire(commands, key, life, "NX");
}

/* GT alone would leave a key without a life without one. */
void
trip_add_life(struct resp_commands *commands, const char *key, int64_t life)
{
	expire(commands, key, life, "NX");
	expire(commands, key, life, "GT");
}

void
trip_add_end(struct resp_commands *commands, const char *key, int64_t seconds)
{
	resp_begin(commands, 3);
	resp_add_string(commands, "EXPIRE");
	resp_add_string(commands, key);
	resp_add_integer(commands, seconds);
}

void
trip_add_bounds(
    struct resp_commands *commands, const char *key, int64_t gone, int64_t most)
{
	trip_add_number(commands, "ZREMRANGEBYSCORE", key, "-inf", gone);
	trip_add_number(commands, "ZREMRANGEBYRANK", key, "0", -1 - most);
}

void
trip_add_number(struct resp_commands *commands, const char *command,
    const char *key, const char *field, int64_t number)
{
	resp_begin(commands, 4);
	resp_add_string(commands, command);
	resp_add_string(commands, key);
	resp_add_string(commands, field);
	resp_add_integer(commands, number);
}

void
trip_add_time(struct resp_commands *commands, const char *key,
    const char *field, int64_t time)
{
	const struct greylist_clock clock = {.first_seen = time};

	trip_add_number(
	    commands, "HSET", key, field, greylist_clock_encode(&clock));
}

/* ---- Of the background, and keys of ours that hold what is not ours */

#define TELL_EVERY INT64_C(60000000) /* microseconds */
#define WAIT_MS	   500
#define LAST_MS	   100 /* when we are to stop */

/* One sort of fault could flood the log, with a key for each client. */
static void
tell(struct redis_store *store, const char *key, const char *error)
{
	char clean[REDIS_WORDS_SIZE], words[REDIS_WORDS_SIZE];
	int64_t now = clock_steady_us();
	long long before = atomic_load(&store->healed_at);

	if (before != 0 && now - before < TELL_EVERY)
		return;
	if (!atomic_compare_exchange_strong(&store->healed_at, &before, now))
		return;
	ascii_clean(key, clean, sizeof clean);
	ascii_clean(error, words, sizeof words);
	store_redis_say(store, true,
	    "the key %s in Redis holds nothing of ours, and is removed: %s",
	    clean, words);
}

/* The key of the command that was refused.  In a transaction that is told by EXEC,
 * and all that stands before it is about the same key. */
static bool
find_key(const struct redis_request *request, size_t index,
    char key_r[KEYS_KEY_SIZE])
{
	const struct resp_commands *commands = &request->commands;
	bool whole = resp_count(request->replies[index]) > 0;
	size_t length = 0;
	const char *key;

	if (whole && index == 0)
		return false;
	key =
	    resp_command_word(commands, whole ? index - 1 : index, 1, &length);
	if (key == NULL || length >= KEYS_KEY_SIZE)
		return false;
	memcpy(key_r, key, length);
	key_r[length] = '\0';
	return true;
}

/* Another type, or far longer than what is ours can be.  Other errors may come
 * from anything between us and Redis. */
static bool
is_of_another_kind(const char *error)
{
	return error != NULL &&
	    (strncmp(error, "WRONGTYPE ", 10) == 0 ||
		strncmp(error, "TOOLONG ", 8) == 0);
}

void
store_redis_heal(struct redis_store *store, const struct redis_request *request)
{
	char key[KEYS_KEY_SIZE] = "", last[KEYS_KEY_SIZE] = "";
	struct redis_request removal = {.key = request->key};

	for (size_t i = 0; !store->reads_only && i < request->commands.count;
	     i++) {
		const char *error = redis_reply_error(request->replies[i]);

		if (!is_of_another_kind(error) || !find_key(request, i, key) ||
		    strcmp(key, last) == 0)
			continue;
		tell(store, key, error);
		resp_add(&removal.commands, "UNLINK", key);
		strcpy(last, key);
	}
	if (removal.commands.count > 0)
		(void)redis_tell(store->redis, &removal, 1);
	redis_request_free(&removal);
}

enum store_result
store_redis_ask(
    struct redis_store *store, struct redis_request *request, size_t count)
{
	int64_t most = atomic_load(&store->is_stopping) ? LAST_MS : WAIT_MS;
	enum store_result result = store_redis_ask_until(
	    store, request, count, redis_due(store->redis, most));

	for (size_t i = 0; result == STORE_UNREADABLE && i < count; i++)
		store_redis_heal(store, &request[i]);
	return result;
}
