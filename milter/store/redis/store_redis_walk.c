/* Every record of all servers, and records taken over: see store/record.h.
 *
 * SCAN goes through one server after another, a few hundred keys at a time.  Its
 * place is good only on that server and as long as nothing moves, so where the map
 * of a cluster changes, or a server was lost, the walk begins anew: what comes twice
 * does no harm. */
#include "store/redis/store_redis_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "redis/error.h"
#include "redis/map.h"
#include "store/record.h"

#define KEYS_AT_ONCE "200"
#define WAIT_MS	     2000
#define MASTERS_MAX  64
#define RESTARTS_MAX 10 /* then a cluster that never rests is walked as it is */

/* A key that lies on each master. */
struct masters {
	char keys[MASTERS_MAX][24];
	char ids[MASTERS_MAX][64];
	size_t count;
	uint64_t map;
};

/* ---- The servers */

/* Some key of a slot: one in 16384 is. */
static void
find_key(int64_t slot, char key_r[24])
{
	for (unsigned i = 0; i < 1000000; i++) {
		(void)snprintf(key_r, 24, "%u", i);
		if ((int64_t)redis_slot(key_r) == slot)
			return;
	}
}

/* A range of CLUSTER SLOTS: first, last, then who has it, the master first. */
static void
take_range(struct masters *masters, const struct resp_reply *range)
{
	const struct resp_reply *master = resp_element(range, 2);
	const char *host = resp_string(resp_element(master, 0), NULL);
	int64_t first = 0, last = 0, port = 0;
	char id[64];

	(void)resp_integer(resp_element(range, 0), &first);
	(void)resp_integer(resp_element(range, 1), &last);
	(void)resp_integer(resp_element(master, 1), &port);
	(void)snprintf(
	    id, sizeof id, "%.48s:%" PRId64, host == NULL ? "" : host, port);
	masters->map =
	    hash_64(masters->map ^ (uint64_t)first << 20 ^ (uint64_t)last, id,
		strlen(id));
	for (size_t i = 0; i < masters->count; i++)
		if (strcmp(masters->ids[i], id) == 0)
			return;
	if (masters->count == MASTERS_MAX)
		return;
	memcpy(masters->ids[masters->count], id, sizeof id);
	find_key(first, masters->keys[masters->count]);
	masters->count++;
}

static enum store_result
read_masters(struct redis_store *store, struct masters *masters)
{
	struct redis_request request = {.key = "0"};
	enum store_result result;

	*masters = (struct masters){.count = 1, .keys = {"0"}};
	if (!store->is_cluster)
		return STORE_OK;
	masters->count = 0;
	masters->map = HASH_64;
	resp_add(&request.commands, "CLUSTER", "SLOTS");
	result = store_redis_result(redis_ask(
	    store->redis, &request, 1, redis_due(store->redis, WAIT_MS)));
	if (result == STORE_OK)
		for (size_t i = 0; i < resp_count(request.replies[0]); i++)
			take_range(
			    masters, resp_element(request.replies[0], i));
	redis_request_free(&request);
	return result == STORE_OK && masters->count == 0 ? STORE_DOWN : result;
}

/* ---- Records by their keys */

/* The tag of a record's key; NULL: it is another. */
static const char *
tag_of(
    const struct redis_store *store, const char *key, char tag_r[KEYS_TAG_SIZE])
{
	size_t prefix = strlen(store->keys.prefix);
	size_t length = strlen(key);

	if (length < prefix + 3 || length - prefix - 2 >= KEYS_TAG_SIZE ||
	    strncmp(key, store->keys.prefix, prefix) != 0 ||
	    key[prefix] != '{' || key[length - 1] != '}')
		return NULL;
	memcpy(tag_r, key + prefix + 1, length - prefix - 2);
	tag_r[length - prefix - 2] = '\0';
	return record_name_is_good(tag_r) ? tag_r : NULL;
}

struct fetch {
	size_t count;
	char tags[REDIS_REQUESTS][KEYS_TAG_SIZE];
	char keys[REDIS_REQUESTS][KEYS_KEY_SIZE];
	struct redis_request requests[REDIS_REQUESTS];
};

static void
fetch_add(const struct redis_store *store, struct fetch *fetch, const char *tag)
{
	struct redis_request *request = &fetch->requests[fetch->count];

	(void)snprintf(fetch->tags[fetch->count], KEYS_TAG_SIZE, "%s", tag);
	keys_record(&store->keys, tag, fetch->keys[fetch->count]);
	*request = (struct redis_request){.key = fetch->keys[fetch->count]};
	resp_add(&request->commands, "HGETALL", request->key);
	resp_add(&request->commands, "TTL", request->key);
	fetch->count++;
}

/* What is of another kind, or too long, is no record; any other error is about the
 * server, and the record may be there. */
static bool
is_answered(const struct redis_request *request)
{
	const char *error = resp_error(request->replies[0]);

	return error == NULL || strncmp(error, "WRONGTYPE", 9) == 0 ||
	    strncmp(error, "TOOLONG", 7) == 0;
}

static enum store_result
fetch_ask(struct redis_store *store, struct fetch *fetch)
{
	enum store_result result = STORE_OK;

	if (fetch->count > 0)
		result =
		    store_redis_result(redis_ask(store->redis, fetch->requests,
			fetch->count, redis_due(store->redis, WAIT_MS)));
	for (size_t i = 0; result == STORE_OK && i < fetch->count; i++)
		if (!is_answered(&fetch->requests[i]))
			result = STORE_LATE;
	return result;
}

static void
fetch_free(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++)
		redis_request_free(&fetch->requests[i]);
	fetch->count = 0;
}

/* ---- Walking */

/* What is fetched and given; nothing is held back. */
static enum store_result
give(struct redis_store *store, struct fetch *fetch, store_record_each *each,
    void *arg)
{
	int64_t now = redis_clock_now(&store->clock);
	enum store_result result = fetch_ask(store, fetch);

	for (size_t i = 0; result == STORE_OK && i < fetch->count; i++) {
		struct store_record record;

		if (!record_decode(store, &fetch->requests[i], fetch->tags[i],
			now, &record))
			continue;
		each(arg, &record);
		record_clear(&record);
	}
	fetch_free(fetch);
	return result;
}

static enum store_result
give_keys(struct redis_store *store, const struct resp_reply *keys,
    store_record_each *each, void *arg)
{
	enum store_result result = STORE_OK;
	struct fetch *fetch = calloc(1, sizeof *fetch);
	char tag[KEYS_TAG_SIZE];

	if (fetch == NULL)
		return STORE_DOWN;
	for (size_t i = 0; result == STORE_OK && i < resp_count(keys); i++) {
		const char *key = resp_string(resp_element(keys, i), NULL);

		if (key == NULL || tag_of(store, key, tag) == NULL)
			continue;
		fetch_add(store, fetch, tag);
		if (fetch->count == REDIS_REQUESTS)
			result = give(store, fetch, each, arg);
	}
	if (result == STORE_OK)
		result = give(store, fetch, each, arg);
	fetch_free(fetch);
	free(fetch);
	return result;
}

/* "<prefix>{*}", with what is special in patterns made plain. */
static void
put_pattern(const char *prefix, char pattern_r[2 * KEYS_PREFIX_SIZE + 4])
{
	char *at = pattern_r;

	for (; *prefix != '\0'; prefix++) {
		if (strchr("*?[]\\^", *prefix) != NULL)
			*at++ = '\\';
		*at++ = *prefix;
	}
	(void)strcpy(at, "{*}");
}

/* Whether who answered is a master, and sees the same map: another server has taken
 * over else, and the place means nothing to it.  `replies` are to SCAN, CLUSTER
 * SLOTS and ROLE. */
static bool
is_meant(const struct masters *masters, struct resp_reply *const *replies)
{
	struct masters seen = {.map = HASH_64};
	const char *role = resp_string(resp_element(replies[2], 0), NULL);

	for (size_t i = 0; i < resp_count(replies[1]); i++)
		take_range(&seen, resp_element(replies[1], i));
	return seen.map == masters->map && role != NULL &&
	    strcmp(role, "master") == 0;
}

static enum store_result
scan(struct redis_store *store, const struct masters *masters,
    struct store_walk *walk, store_record_each *each, void *arg)
{
	char pattern[2 * KEYS_PREFIX_SIZE + 4], place[24];
	struct redis_request request = {.key = masters->keys[walk->server]};
	const struct resp_reply *page;
	const char *next;
	enum store_result result;

	put_pattern(store->keys.prefix, pattern);
	(void)snprintf(place, sizeof place, "%" PRIu64, walk->place);
	resp_add(&request.commands, "SCAN", place, "MATCH", pattern, "COUNT",
	    KEYS_AT_ONCE);
	if (store->is_cluster)
		resp_add(&request.commands, "CLUSTER", "SLOTS");
	if (store->is_cluster)
		resp_add(&request.commands, "ROLE");
	result = store_redis_result(redis_ask(
	    store->redis, &request, 1, redis_due(store->redis, WAIT_MS)));
	page = result == STORE_OK ? request.replies[0] : NULL;
	next = resp_string(resp_element(page, 0), NULL);
	if (result == STORE_OK && next == NULL)
		result = STORE_UNREADABLE;
	if (result == STORE_OK && store->is_cluster &&
	    !is_meant(masters, request.replies))
		result = STORE_DOWN;
	if (result == STORE_OK)
		result = give_keys(store, resp_element(page, 1), each, arg);
	if (result == STORE_OK)
		walk->place = strtoull(next, NULL, 10);
	redis_request_free(&request);
	return result;
}

static void
begin_anew(struct store_walk *walk, uint64_t map)
{
	walk->map = map;
	walk->server = 0;
	walk->place = 0;
	walk->restarts++;
}

static enum store_result
walk_on(struct store *store, struct store_walk *walk, int64_t now,
    store_record_each *each, void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	struct masters masters = {0};
	enum store_result result = store_redis_prepare(self, NULL, 0);

	(void)now;
	if (result == STORE_OK)
		result = read_masters(self, &masters);
	if (result == STORE_OK && masters.map != walk->map &&
	    walk->restarts < RESTARTS_MAX)
		begin_anew(walk, masters.map);
	if (result == STORE_OK && walk->server < masters.count)
		result = scan(self, &masters, walk, each, arg);
	if (result == STORE_DOWN)
		walk->place = 0; /* another server may answer next */
	if (result != STORE_OK)
		return result;
	if (walk->place == 0)
		walk->server++;
	walk->is_done = walk->server >= masters.count;
	return STORE_OK;
}

static enum store_result
read_record(struct store *store, const char *name, int64_t now,
    store_record_each *each, void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	struct fetch *fetch = calloc(1, sizeof *fetch);
	enum store_result result = STORE_DOWN;

	(void)now;
	if (fetch != NULL && strlen(name) < KEYS_TAG_SIZE)
		result = store_redis_prepare(self, NULL, 0);
	if (result == STORE_OK) {
		fetch_add(self, fetch, name);
		result = give(self, fetch, each, arg);
	}
	free(fetch);
	return result;
}

/* ---- Taking over */

static enum store_result
write_merged(struct redis_store *store, struct fetch *fetch,
    const struct store_record *records, int64_t now)
{
	struct redis_request writes[REDIS_REQUESTS] = {{0}};
	enum store_result result = STORE_OK;

	for (size_t i = 0; i < fetch->count; i++) {
		struct store_record before = {0}, after = {0};
		bool good;

		writes[i].key = fetch->keys[i];
		(void)record_decode(
		    store, &fetch->requests[i], fetch->tags[i], now, &before);
		(void)record_decode(
		    store, &fetch->requests[i], fetch->tags[i], now, &after);
		memcpy(after.name, records[i].name, sizeof after.name);
		good = record_merge(&after, &records[i], &store->terms, now);
		trip_begin_whole(&writes[i].commands);
		if (good)
			record_encode(&store->keys, &before, &after, now,
			    &writes[i].commands);
		trip_end_whole(&writes[i].commands);
		record_clear(&before);
		record_clear(&after);
		if (!good)
			result = STORE_DOWN;
	}
	if (result == STORE_OK)
		result = store_redis_result(redis_ask(store->redis, writes,
		    fetch->count, redis_due(store->redis, WAIT_MS)));
	for (size_t i = 0; i < fetch->count; i++)
		redis_request_free(&writes[i]);
	return result;
}

static enum store_result
restore_some(struct redis_store *store, struct fetch *fetch,
    struct store_record *records, size_t count)
{
	int64_t now = redis_clock_now(&store->clock);
	enum store_result result;

	for (size_t i = 0; i < count; i++) {
		record_tidy(&records[i], &store->terms, now);
		fetch_add(store, fetch, records[i].name);
	}
	result = fetch_ask(store, fetch);
	if (result == STORE_OK)
		result = write_merged(store, fetch, records, now);
	fetch_free(fetch);
	return result;
}

/* How many stand there before a name comes again. */
static size_t
count_distinct(const struct store_record *records, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(records[i].name, records[j].name) == 0)
				return i;
	return count;
}

static enum store_result
restore_all(struct store *store, struct store_record *records, size_t count,
    int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;
	struct fetch *fetch = calloc(1, sizeof *fetch);
	enum store_result result = STORE_DOWN;

	(void)now;
	if (fetch != NULL && redis_takes_writes(self->redis, "0"))
		result = store_redis_prepare(self, NULL, 0);
	while (result == STORE_OK && count > 0) {
		size_t some = count_distinct(
		    records, count < REDIS_REQUESTS ? count : REDIS_REQUESTS);

		result = restore_some(self, fetch, records, some);
		records += some;
		count -= some;
	}
	free(fetch);
	return result;
}

static enum store_result
give_namer(struct store *store, struct triplet_namer *namer_r)
{
	return store_redis_prepare((struct redis_store *)store, namer_r, 0);
}

const struct store_record_ops store_redis_record_ops = {
    .walk = walk_on,
    .read = read_record,
    .restore = restore_all,
    .namer = give_namer,
    .forget = store_redis_forget,
};
