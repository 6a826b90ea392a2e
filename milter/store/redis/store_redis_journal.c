/* The journal, and what hosts tell of themselves. */
#include "store/redis/store_redis_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "redis/error.h"
#include "store/journal.h"

#define LAST_SIZE   32
#define HOST_PREFIX "host:"
#define HOSTS_MAX   1000

/* ---- Adding */

static void
put_entries(struct resp_commands *commands, const char *key,
    const struct journal_terms *terms, const struct journal_item *items,
    size_t count)
{
	int64_t newest = 0;

	trip_begin_whole(commands);
	resp_begin(commands, 2 + 2 * count);
	resp_add_string(commands, "ZADD");
	resp_add_string(commands, key);
	for (size_t i = 0; i < count; i++) {
		resp_add_integer(commands, (int64_t)items[i].place);
		resp_add_string(commands, items[i].text);
		if ((int64_t)items[i].place > newest)
			newest = (int64_t)items[i].place;
	}
	trip_add_bounds(commands, key,
	    newest - (terms->age << JOURNAL_PLACE_BITS), terms->entries);
	trip_add_end(commands, key, terms->age);
	trip_end_whole(commands);
}

/* Of the thread so much that with its place in the table it is told from others. */
static void
say_last(uint64_t thread, uint64_t place, char last_r[LAST_SIZE])
{
	(void)snprintf(last_r, LAST_SIZE, "%08" PRIx32 ":%" PRIu64,
	    (uint32_t)(thread >> 32), place);
}

static size_t
count_threads(const struct journal_item *items, size_t count)
{
	size_t threads = 0;

	for (size_t i = 0; i < count; i++)
		threads += items[i].thread_count;
	return threads;
}

static void
add_lasts(struct resp_commands *commands, const char *key,
    const struct journal_terms *terms, const struct journal_item *items,
    size_t count)
{
	uint64_t places = journal_thread_places(terms);
	char last[LAST_SIZE];

	trip_begin_whole(commands);
	resp_begin(commands, 2 + 2 * count_threads(items, count));
	resp_add_string(commands, "HSET");
	resp_add_string(commands, key);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < items[i].thread_count; j++) {
			uint64_t thread = items[i].threads[j];

			say_last(thread, items[i].place, last);
			resp_add_integer(
			    commands, (int64_t)(thread & (places - 1)));
			resp_add_string(commands, last);
		}
	trip_add_end(commands, key, terms->age);
	trip_end_whole(commands);
}

/* What was added twice, since it was not heard of in time, is there once. */
static enum store_result
add_entries(struct store *store, const struct journal_terms *terms,
    const struct journal_item *items, size_t count)
{
	struct redis_store *self = (struct redis_store *)store;
	char journal[KEYS_KEY_SIZE], lasts[KEYS_KEY_SIZE];
	struct redis_request requests[2] = {{.key = journal}, {.key = lasts}};
	bool has_threads = count_threads(items, count) > 0;
	enum store_result result;

	keys_shared(&self->keys, "journal", journal);
	keys_shared(&self->keys, "journal:last", lasts);
	put_entries(&requests[0].commands, journal, terms, items, count);
	if (has_threads)
		add_lasts(&requests[1].commands, lasts, terms, items, count);
	result = store_redis_ask(self, requests, has_threads ? 2 : 1);
	redis_request_free(&requests[0]);
	redis_request_free(&requests[1]);
	return result;
}

/* ---- Reading */

static enum store_result
read_entries(struct store *store, const struct journal_range *range,
    bool (*each)(void *arg, const char *text, size_t length), void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result;
	bool goes_on = true;

	keys_shared(&self->keys, "journal", key);
	resp_begin(&request.commands, 7);
	resp_add_string(&request.commands, "ZREVRANGEBYSCORE");
	resp_add_string(&request.commands, key);
	resp_add_integer(&request.commands, (int64_t)range->to);
	resp_add_integer(&request.commands, (int64_t)range->from);
	resp_add_string(&request.commands, "LIMIT");
	resp_add_integer(&request.commands, 0);
	resp_add_integer(&request.commands, (int64_t)range->most);
	result = store_redis_ask(self, &request, 1);
	for (size_t i = 0; result == STORE_OK && goes_on &&
	     i < resp_count(request.replies[0]);
	     i++) {
		size_t length = 0;
		const char *text =
		    resp_string(resp_element(request.replies[0], i), &length);

		if (text != NULL)
			goes_on = each(arg, text, length);
	}
	redis_request_free(&request);
	return result;
}

/* 0: it is another thread's, or none. */
static uint64_t
read_last(const char *text, uint64_t thread)
{
	char expected[LAST_SIZE];
	int64_t place;
	const char *number = text == NULL ? NULL : strchr(text, ':');

	if (number == NULL ||
	    !decimal_read_all(
		number + 1, strlen(number + 1), JOURNAL_PLACE_MAX, &place))
		return 0;
	say_last(thread, (uint64_t)place, expected);
	return strcmp(text, expected) == 0 ? (uint64_t)place : 0;
}

static enum store_result
last_entries(struct store *store, const struct journal_terms *terms,
    const uint64_t *threads, size_t count, uint64_t *places_r)
{
	struct redis_store *self = (struct redis_store *)store;
	uint64_t mask = journal_thread_places(terms) - 1;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result;

	memset(places_r, 0, count * sizeof *places_r);
	keys_shared(&self->keys, "journal:last", key);
	resp_begin(&request.commands, 2 + count);
	resp_add_string(&request.commands, "HMGET");
	resp_add_string(&request.commands, key);
	for (size_t i = 0; i < count; i++)
		resp_add_integer(
		    &request.commands, (int64_t)(threads[i] & mask));
	result = store_redis_ask(self, &request, 1);
	for (size_t i = 0; i < count && result == STORE_OK; i++)
		places_r[i] = read_last(
		    resp_string(resp_element(request.replies[0], i), NULL),
		    threads[i]);
	redis_request_free(&request);
	return result;
}

/* ---- Hosts: a key for each, whose names stand in the hash of loads. */

static void
host_key(const struct redis_store *store, const char *host,
    char key_r[KEYS_KEY_SIZE])
{
	char name[sizeof HOST_PREFIX + HOST_NAME_SIZE];

	(void)snprintf(name, sizeof name, HOST_PREFIX "%s", host);
	keys_shared(&store->keys, name, key_r);
}

static enum store_result
put_host(struct store *store, const char *text, size_t length, int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result;

	(void)now;
	host_key(self, self->host, key);
	resp_begin(&request.commands, 5);
	resp_add_string(&request.commands, "SET");
	resp_add_string(&request.commands, key);
	resp_add_bytes(&request.commands, text, length);
	resp_add_string(&request.commands, "EX");
	resp_add_integer(&request.commands, STORE_HOST_KEPT);
	result = store_redis_ask(self, &request, 1);
	redis_request_free(&request);
	return result;
}

/* A call takes only so many requests; in a cluster each may go elsewhere. */
static enum store_result
read_some(struct redis_store *store, const char *const *hosts, size_t count,
    void (*each)(void *arg, const char *host, const char *text, size_t length),
    void *arg)
{
	char keys[REDIS_REQUESTS][KEYS_KEY_SIZE];
	struct redis_request requests[REDIS_REQUESTS] = {{.key = NULL}};
	enum store_result result;

	for (size_t i = 0; i < count; i++) {
		host_key(store, hosts[i], keys[i]);
		requests[i].key = keys[i];
		resp_add(&requests[i].commands, "GET", keys[i]);
	}
	result = store_redis_ask(store, requests, count);
	for (size_t i = 0; i < count; i++) {
		size_t length = 0;
		const char *text = result != STORE_OK
		    ? NULL
		    : resp_string(requests[i].replies[0], &length);

		if (text != NULL)
			each(arg, hosts[i], text, length);
		redis_request_free(&requests[i]);
	}
	return result;
}

static enum store_result
read_hosts(struct store *store, int64_t now,
    void (*each)(void *arg, const char *host, const char *text, size_t length),
    void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	const char *hosts[REDIS_REQUESTS];
	enum store_result result;
	size_t count = 0, fields;

	(void)now;
	keys_shared(&self->keys, "load", key);
	resp_add(&request.commands, "HGETALL", key);
	result = store_redis_ask(self, &request, 1);
	fields = result == STORE_OK ? resp_count(request.replies[0]) : 0;
	for (size_t i = 0;
	     i + 1 < fields && i < 2 * HOSTS_MAX && result == STORE_OK;
	     i += 2) {
		hosts[count] =
		    resp_string(resp_element(request.replies[0], i), NULL);
		count += hosts[count] != NULL;
		if (count < REDIS_REQUESTS)
			continue;
		result = read_some(self, hosts, count, each, arg);
		count = 0;
	}
	if (result == STORE_OK && count > 0)
		result = read_some(self, hosts, count, each, arg);
	redis_request_free(&request);
	return result;
}

const struct store_journal_ops store_redis_journal_ops = {
    .add = add_entries,
    .read = read_entries,
    .last = last_entries,
    .put_host = put_host,
    .read_hosts = read_hosts,
};
