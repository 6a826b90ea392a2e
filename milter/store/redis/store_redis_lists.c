#include "base/ascii.h"
#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "redis/error.h"

#define LIST_EVERY   INT64_C(60000000) /* microseconds */
#define LIST_PAGE    "1000"
#define LIST_WAIT_MS 1000

/* What one reading may take: a set is made by anybody who may write to Redis, and
 * a broken server may go on for ever. */
#define LIST_MEMBERS_MAX 1000000
#define LIST_BYTES_MAX	 (64 << 20)
#define LIST_TIME_MAX	 INT64_C(3000000) /* microseconds */

/* What tells cheaply whether a list has changed. */
struct list_state {
	int64_t members;
	char version[64];
};

/* A shared list as it was when it was last read. */
struct shared_list {
	struct shared_list *next;
	int64_t read_at; /* of the steady clock, also in vain; 0: never */
	struct list_state state;
	bool is_told; /* that it cannot be read, or not as a whole */
	char name[];
};

/* How a reading ended. */
enum reading_end {
	READING_WHOLE,
	READING_CUT,	 /* there is more than we take */
	READING_ENDLESS, /* it takes too long */
	READING_LOST	 /* Redis did not tell, or we are to stop */
};

/* What one reading found. */
struct reading {
	struct list *list;
	size_t members; /* as often as they came */
	size_t bytes;
	size_t bad;
	char example[64]; /* of what is no entry */
};

void
store_redis_free_lists(struct redis_store *store)
{
	struct shared_list *next;

	for (; store->lists != NULL; store->lists = next) {
		next = store->lists->next;
		free(store->lists);
	}
}

static struct shared_list *
find_list(struct redis_store *store, const char *name)
{
	size_t size = strlen(name) + 1;
	struct shared_list *shared = store->lists;

	while (shared != NULL && strcmp(shared->name, name) != 0)
		shared = shared->next;
	if (shared != NULL)
		return shared;
	shared = calloc(1, sizeof *shared + size);
	if (shared == NULL)
		return NULL;
	memcpy(shared->name, name, size);
	shared->next = store->lists;
	store->lists = shared;
	return shared;
}

static enum store_result
result_of(enum redis_answer answer)
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

/* The number of members and the version, as they are now. */
static enum store_result
ask_state(struct redis_store *store, const char *set, const char *name,
    struct list_state *state_r)
{
	char versions[KEYS_KEY_SIZE];
	struct redis_request requests[2] = {{.key = set}, {.key = versions}};
	enum store_result result;
	const char *version;

	keys_shared(&store->keys, "lists", versions);
	resp_add(&requests[0].commands, "SCARD", set);
	resp_add(&requests[1].commands, "HGET", versions, name);
	result = result_of(redis_ask(store->redis, requests, 2, 0));
	if (result == STORE_OK) {
		version = resp_string(requests[1].replies[0], NULL);
		snprintf(state_r->version, sizeof state_r->version, "%s",
		    version == NULL ? "" : version);
		if (!resp_integer(requests[0].replies[0], &state_r->members))
			result = STORE_UNREADABLE;
	}
	redis_request_free(&requests[0]);
	redis_request_free(&requests[1]);
	return result;
}

static bool
is_full(const struct reading *reading)
{
	return reading->members >= LIST_MEMBERS_MAX ||
	    reading->bytes >= LIST_BYTES_MAX;
}

static void
add_members(struct reading *reading, const struct resp_reply *members)
{
	for (size_t i = 0; i < resp_count(members) && !is_full(reading); i++) {
		size_t length = 0;
		const char *member =
		    resp_string(resp_element(members, i), &length);
		const char *why;

		reading->members++;
		reading->bytes += length;
		if (member == NULL || list_add(reading->list, member, &why))
			continue;
		if (reading->bad++ == 0)
			snprintf(reading->example, sizeof reading->example,
			    "%s", member);
	}
}

/* One page; the cursor is "0" again after the last. */
static bool
read_page(struct redis_store *store, const char *set, struct reading *reading,
    char *cursor, size_t cursor_size)
{
	struct redis_request request = {.key = set};
	const char *next = NULL;

	resp_add(&request.commands, "SSCAN", set, cursor, "COUNT", LIST_PAGE);
	if (redis_ask(store->redis, &request, 1,
		redis_due(store->redis, LIST_WAIT_MS)) == REDIS_ANSWERED)
		next = resp_string(resp_element(request.replies[0], 0), NULL);
	if (next != NULL) {
		snprintf(cursor, cursor_size, "%s", next);
		add_members(reading, resp_element(request.replies[0], 1));
	}
	redis_request_free(&request);
	return next != NULL;
}

static enum reading_end
read_pages(struct redis_store *store, const char *set, struct reading *reading)
{
	int64_t began = clock_steady_us();
	char cursor[32] = "0";

	do {
		if (atomic_load(&store->is_stopping) ||
		    !read_page(store, set, reading, cursor, sizeof cursor))
			return READING_LOST;
		if (strcmp(cursor, "0") == 0)
			return READING_WHOLE;
		if (is_full(reading))
			return READING_CUT;
	} while (clock_steady_us() - began < LIST_TIME_MAX);
	return READING_ENDLESS;
}

/* `reading->list` is NULL unless there is one to use. */
static enum reading_end
read_members(
    struct redis_store *store, const char *set, struct reading *reading)
{
	enum reading_end end = READING_LOST;

	reading->list = list_new();
	if (reading->list != NULL)
		end = read_pages(store, set, reading);
	if (end == READING_LOST || end == READING_ENDLESS ||
	    !list_seal(reading->list))
		list_free(&reading->list);
	return end;
}

static void
complain(const struct redis_store *store, const char *name,
    const struct reading *reading)
{
	char example[sizeof reading->example];

	ascii_clean(reading->example, example, sizeof example);
	store_redis_say(store, true,
	    "shared list %s: %zu entries are no network, address or domain, "
	    "such as \"%s\"",
	    name, reading->bad, example);
}

/* Once, until it is as it should be. */
static void
tell_end(const struct redis_store *store, struct shared_list *shared,
    enum reading_end end)
{
	bool was_told = shared->is_told;

	shared->is_told = end != READING_WHOLE;
	if (was_told || end == READING_WHOLE)
		return;
	if (end == READING_CUT)
		store_redis_say(store, true,
		    "shared list %s is cut: no more than %d entries and %d "
		    "MB are taken",
		    shared->name, LIST_MEMBERS_MAX, LIST_BYTES_MAX >> 20);
	else
		store_redis_say(store, true,
		    "shared list %s cannot be read%s: the last one serves on",
		    shared->name,
		    end == READING_ENDLESS ? " within 3 seconds" : "");
}

static bool
is_due(const struct shared_list *shared, const struct list_state *state,
    int64_t now)
{
	return shared->read_at == 0 || now - shared->read_at >= LIST_EVERY ||
	    state->members != shared->state.members ||
	    strcmp(state->version, shared->state.version) != 0;
}

static enum store_result
read_changed(struct redis_store *store, struct shared_list *shared,
    const char *set, const struct list_state *state, struct list **list_r)
{
	bool is_new = shared->read_at == 0 ||
	    memcmp(state, &shared->state, sizeof *state) != 0;
	struct reading reading = {0};
	enum reading_end end = read_members(store, set, &reading);

	shared->read_at = clock_steady_us();
	shared->state = *state;
	*list_r = reading.list;
	if (atomic_load(&store->is_stopping))
		return STORE_DOWN;
	if (end != READING_LOST || redis_is_up(store->redis))
		tell_end(store, shared, end);
	if (reading.list == NULL)
		return STORE_UNREADABLE;
	if (is_new && reading.bad > 0)
		complain(store, shared->name, &reading);
	return STORE_OK;
}

/* Whoever changes members but neither their number nor the version is noticed
 * within a minute. */
enum store_result
store_redis_read_list(
    struct store *store, const char *name, struct list **list_r)
{
	struct redis_store *self = (struct redis_store *)store;
	struct shared_list *shared = find_list(self, name);
	struct list_state state = {0};
	char set[KEYS_KEY_SIZE];
	enum store_result result;

	*list_r = NULL;
	if (shared == NULL || !keys_list(&self->keys, name, set) ||
	    atomic_load(&self->is_stopping))
		return STORE_DOWN;
	result = ask_state(self, set, name, &state);
	if (result == STORE_UNREADABLE)
		tell_end(self, shared, READING_LOST);
	if (result != STORE_OK || !is_due(shared, &state, clock_steady_us()))
		return result;
	return read_changed(self, shared, set, &state, list_r);
}
