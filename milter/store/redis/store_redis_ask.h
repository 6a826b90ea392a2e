/* store_redis_ask -- how this store asks Redis: for a message, with the commands of
 * one call sorted by the slots that they go to, so that they travel together; and in
 * the background. */
#ifndef STORE_REDIS_ASK_H
#define STORE_REDIS_ASK_H

#include "redis/redis.h"
#include "store/redis/store_redis_keys.h"
#include "store/store.h"

struct redis_store;
struct triplet_namer;

/* Learn what no look-up can do without, the clock and the secret, if they are
 * not known yet; `namer_r` NULL: only that.  May wait for Redis, until `due_ms`
 * (redis_ask). */
enum store_result store_redis_prepare(
    struct redis_store *store, struct triplet_namer *namer_r, int64_t due_ms);

/* Take the answer to TIME that was asked for at `asked` (of the steady clock) and
 * has just come. */
void store_redis_learn_time(
    struct redis_store *store, const struct resp_reply *reply, int64_t asked);

/* ---- For a message */

/* The client's network, its pool, its organisation, and holders of limits. */
#define TRIP_STOPS (3 + STORE_HOLDERS_MAX)

struct trip_stop {
	char tag[KEYS_TAG_SIZE];
	char key[KEYS_KEY_SIZE]; /* of the tag's record */
};

struct redis_trip {
	const struct store_redis_keys *keys;
	struct redis_request requests[TRIP_STOPS];
	struct trip_stop stops[TRIP_STOPS];
	size_t count;
	bool failed; /* too many stops */
};

/* Begin an empty trip; end it by trip_free(). */
void trip_init(struct redis_trip *trip, const struct store_redis_keys *keys);
void trip_free(struct redis_trip *trip);

/* The stop for a tag, made if there is none; also when it failed an index that
 * can be used. */
size_t trip_stop_for(struct redis_trip *trip, const char *tag);

/* Where to add commands for a stop, and the key of its record. */
static inline struct resp_commands *
trip_commands(struct redis_trip *trip, size_t stop)
{
	return &trip->requests[stop].commands;
}

static inline const char *
trip_key(const struct redis_trip *trip, size_t stop)
{
	return trip->stops[stop].key;
}

/* Commands added so far: the number that the next one will have. */
static inline size_t
trip_position(const struct redis_trip *trip, size_t stop)
{
	return trip->requests[stop].commands.count;
}

/* The answer to a command, NULL if there is none. */
const struct resp_reply *
trip_reply(const struct redis_trip *trip, size_t stop, size_t position);

/* What is added between these two is done at once or not at all (MULTI, EXEC):
 * so a key gets its time to live with the write that makes it, whoever ends in
 * the middle, we, the server or the network.  Only one key in each, or a
 * cluster could not redirect it. */
void trip_begin_whole(struct resp_commands *commands);
void trip_end_whole(struct resp_commands *commands);

/* Add the command that keeps a key from living for ever, and the one that
 * lets it live for at least `life` seconds.  Lives differ by up to a tenth from
 * key to key, so that not all end at once. */
void
trip_add_life(struct resp_commands *commands, const char *key, int64_t life);

/* Enough for a key that did not exist a moment ago: whoever has made it meanwhile
 * has seen to its life. */
void trip_add_first_life(
    struct resp_commands *commands, const char *key, int64_t life);

/* It lives for so many seconds from now. */
void
trip_add_end(struct resp_commands *commands, const char *key, int64_t seconds);

/* Of a sorted set, remove what has a score up to `gone`, and of more than `most`
 * those with the lowest. */
void trip_add_bounds(struct resp_commands *commands, const char *key,
    int64_t gone, int64_t most);

/* A command of a key, a field or another word, and a number, as HSET and HINCRBY are;
 * or HSET with a time, Unix seconds. */
void trip_add_number(struct resp_commands *commands, const char *command,
    const char *key, const char *field, int64_t number);
void trip_add_time(struct resp_commands *commands, const char *key,
    const char *field, int64_t time);

/* ---- In the background */

enum store_result store_redis_result(enum redis_answer answer);

/* Ask, until `due_ms` (redis_ask).  STORE_UNREADABLE: an answer is an error. */
enum store_result store_redis_ask_until(struct redis_store *store,
    struct redis_request *requests, size_t count, int64_t due_ms);

/* Ask in the background, for half a second at most; an answer about a key that is
 * not ours heals it, and is STORE_UNREADABLE. */
enum store_result store_redis_ask(
    struct redis_store *store, struct redis_request *request, size_t count);

/* What could not be read is of a kind that is not ours, under a name that is: it
 * is told and removed, so that the record begins anew. */
void store_redis_heal(
    struct redis_store *store, const struct redis_request *request);

#endif
