#include "store/redis/store_redis_trip.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "redis/error.h"

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

struct resp_commands *
trip_commands(struct redis_trip *trip, size_t stop)
{
	return &trip->requests[stop].commands;
}

const char *
trip_key(const struct redis_trip *trip, size_t stop)
{
	return trip->stops[stop].key;
}

size_t
trip_position(const struct redis_trip *trip, size_t stop)
{
	return trip->requests[stop].commands.count;
}

static bool
is_readable(const struct redis_request *request)
{
	for (size_t i = 0; i < request->commands.count; i++)
		if (redis_reply_error(request->replies[i]) != NULL)
			return false;
	return true;
}

enum store_result
trip_ask(struct redis_trip *trip, struct redis *redis, int64_t due_ms)
{
	if (trip->failed)
		return STORE_UNREADABLE;
	for (size_t i = 0; i < trip->count; i++)
		if (!redis_takes_writes(redis, trip->requests[i].key))
			return STORE_DOWN;
	switch (redis_ask(redis, trip->requests, trip->count, due_ms)) {
	case REDIS_LATE:
		return STORE_LATE;
	case REDIS_AWAY:
		return STORE_DOWN;
	case REDIS_ANSWERED:
		break;
	}
	for (size_t i = 0; i < trip->count; i++)
		if (!is_readable(&trip->requests[i]))
			return STORE_UNREADABLE;
	return STORE_OK;
}

const struct resp_reply *
trip_reply(const struct redis_trip *trip, size_t stop, size_t position)
{
	const struct redis_request *request = &trip->requests[stop];

	if (request->replies == NULL || position >= request->commands.count)
		return NULL;
	return request->replies[position];
}

bool
trip_tell(struct redis_trip *trip, struct redis *redis)
{
	struct redis_request busy[TRIP_STOPS];
	size_t count = 0;

	for (size_t i = 0; i < trip->count; i++)
		if (trip->requests[i].commands.count > 0)
			busy[count++] = trip->requests[i];
	if (trip->failed)
		return false;
	return count == 0 || redis_tell(redis, busy, count);
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
