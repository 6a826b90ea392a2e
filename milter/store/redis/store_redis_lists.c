#include "base/ascii.h"
#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "redis/error.h"

#define LIST_EVERY   INT64_C(60000000) /* microseconds */
#define LIST_PAGE    "1000"
#define LIST_WAIT_MS 1000

/* What one reading may take: a set is made by anybody who may write to Redis, and
 * a broken server may go on for ever. */
#define LIST_BYTES_MAX (64 << 20)
#define LIST_TIME_MAX  INT64_C(3000000) /* microseconds */

/* Entries that have expired are removed a while later, so many at a time. */
#define EXPIRED_FOR  60 /* seconds: clocks differ a little */
#define EXPIRED_MANY "1000"

/* What tells cheaply whether a list has changed. */
struct list_state {
	int64_t members;
	int64_t brief; /* those that expire */
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

/* Whoever has given one a new time meanwhile loses no more than the note. */
static void
remove_expired(struct redis_store *store, const char *until, const char *notes,
    int64_t before, const struct resp_reply *expired)
{
	struct redis_request request = {.key = until};
	char score[DECIMAL_SIZE];

	(void)decimal_write(before, score);
	trip_begin_whole(&request.commands);
	resp_add(&request.commands, "ZREMRANGEBYSCORE", until, "-inf", score);
	resp_begin(&request.commands, 2 + resp_count(expired));
	resp_add_string(&request.commands, "HDEL");
	resp_add_string(&request.commands, notes);
	for (size_t i = 0; i < resp_count(expired); i++)
		resp_add_string(&request.commands,
		    resp_string(resp_element(expired, i), NULL));
	trip_end_whole(&request.commands);
	(void)redis_tell(store->redis, &request, 1);
	redis_request_free(&request);
}

bool
store_redis_list_keys(
    const struct redis_store *store, const char *name, struct list_keys *keys_r)
{
	keys_shared(&store->keys, "lists", keys_r->versions);
	return keys_list(&store->keys, name, keys_r->set) &&
	    keys_list_part(&store->keys, KEYS_UNTIL, name, keys_r->until) &&
	    keys_list_part(&store->keys, KEYS_NOTES, name, keys_r->notes);
}

enum { ASK_SET, ASK_VERSION, ASK_BRIEF, ASKED };

static void
ask_brief(const struct redis_store *store, const struct list_keys *keys,
    int64_t before, struct redis_request *request)
{
	char score[DECIMAL_SIZE];

	request->key = keys->until;
	resp_add(&request->commands, "ZCARD", keys->until);
	if (!redis_clock_is_known(&store->clock))
		return;
	(void)decimal_write(before, score);
	resp_add(&request->commands, "ZRANGE", keys->until, "-inf", score,
	    "BYSCORE", "LIMIT", "0", EXPIRED_MANY);
}

/* A user who may not ask for entries that expire has none: he had none to ask for
 * once. */
static bool
read_brief(struct redis_store *store, const struct list_keys *keys,
    int64_t before, const struct redis_request *request, int64_t *brief_r)
{
	*brief_r = 0;
	if (request->answer != REDIS_ANSWERED)
		return true;
	if (request->commands.count > 1 && resp_count(request->replies[1]) > 0)
		remove_expired(store, keys->until, keys->notes, before,
		    request->replies[1]);
	return resp_integer(request->replies[0], brief_r);
}

/* The number of members and the version, as they are now. */
static enum store_result
ask_state(struct redis_store *store, const struct list_keys *keys,
    const char *name, struct list_state *state_r)
{
	struct redis_request requests[ASKED] = {
	    {.key = keys->set}, {.key = keys->versions}};
	int64_t before = redis_clock_now(&store->clock) - EXPIRED_FOR;
	enum store_result result;
	const char *version;

	resp_add(&requests[ASK_SET].commands, "SCARD", keys->set);
	resp_add(&requests[ASK_VERSION].commands, "HGET", keys->versions, name);
	ask_brief(store, keys, before, &requests[ASK_BRIEF]);
	(void)redis_ask(store->redis, requests, ASKED, 0);
	result = store_redis_result(
	    requests[ASK_SET].answer > requests[ASK_VERSION].answer
		? requests[ASK_SET].answer
		: requests[ASK_VERSION].answer);
	if (result == STORE_OK) {
		version = resp_string(requests[ASK_VERSION].replies[0], NULL);
		snprintf(state_r->version, sizeof state_r->version, "%s",
		    version == NULL ? "" : version);
		if (!resp_integer(
			requests[ASK_SET].replies[0], &state_r->members) ||
		    !read_brief(store, keys, before, &requests[ASK_BRIEF],
			&state_r->brief))
			result = STORE_UNREADABLE;
	}
	for (int i = 0; i < ASKED; i++)
		redis_request_free(&requests[i]);
	return result;
}

static bool
is_full(const void *arg)
{
	const struct reading *reading = arg;

	return reading->members >= STORE_ENTRIES_MAX ||
	    reading->bytes >= LIST_BYTES_MAX;
}

static void
add_member(void *arg, const char *member, size_t length, int64_t until)
{
	struct reading *reading = arg;
	const char *why;

	reading->members++;
	reading->bytes += length;
	if (list_add_until(reading->list, member, until, &why))
		return;
	if (reading->bad++ == 0)
		snprintf(
		    reading->example, sizeof reading->example, "%s", member);
}

/* Seconds; whatever is no time is for ever, or over. */
static int64_t
read_until(const struct resp_reply *score)
{
	const char *text = resp_string(score, NULL);
	double until = text == NULL ? 0 : strtod(text, NULL);

	if (!(until > 0))
		return 0;
	return until < 1e15 ? (int64_t)until : LIST_FOR_EVER;
}

/* One page; the cursor is "0" again after the last. */
static bool
read_page(struct redis_store *store, const struct store_redis_scan *scan,
    char *cursor, size_t cursor_size)
{
	struct redis_request request = {.key = scan->key};
	const struct resp_reply *members;
	const char *next = NULL;
	size_t length, step = scan->brief ? 2 : 1;

	resp_add(&request.commands, scan->brief ? "ZSCAN" : "SSCAN", scan->key,
	    cursor, "COUNT", LIST_PAGE);
	if (redis_ask(store->redis, &request, 1,
		redis_due(store->redis, LIST_WAIT_MS)) == REDIS_ANSWERED)
		next = resp_string(resp_element(request.replies[0], 0), NULL);
	if (next != NULL) {
		snprintf(cursor, cursor_size, "%s", next);
		members = resp_element(request.replies[0], 1);
		for (size_t i = 0; i + step <= resp_count(members); i += step) {
			const char *member =
			    resp_string(resp_element(members, i), &length);

			if (member != NULL)
				scan->each(scan->arg, member, length,
				    scan->brief ? read_until(resp_element(
						      members, i + 1))
						: LIST_FOR_EVER);
		}
	}
	redis_request_free(&request);
	return next != NULL;
}

enum store_redis_scanned
store_redis_scan(struct redis_store *store, const struct store_redis_scan *scan)
{
	int64_t began = clock_steady_us();
	char cursor[32] = "0";

	do {
		if (atomic_load(&store->is_stopping) ||
		    !read_page(store, scan, cursor, sizeof cursor))
			return SCANNED_LOST;
		if (strcmp(cursor, "0") == 0)
			return SCANNED_WHOLE;
		if (scan->is_full(scan->arg))
			return SCANNED_CUT;
	} while (clock_steady_us() - began < scan->within);
	return SCANNED_ENDLESS;
}

/* `reading->list` is NULL unless there is one to use. */
static enum store_redis_scanned
read_members(struct redis_store *store, const struct list_keys *keys,
    const struct list_state *state, struct reading *reading)
{
	struct store_redis_scan scan = {
	    keys->set, false, add_member, is_full, reading, LIST_TIME_MAX};
	enum store_redis_scanned end = SCANNED_LOST;

	reading->list = list_new();
	if (reading->list != NULL)
		end = store_redis_scan(store, &scan);
	if (end == SCANNED_WHOLE && state->brief > 0) {
		scan.key = keys->until;
		scan.brief = true;
		end = store_redis_scan(store, &scan);
	}
	if (end == SCANNED_LOST || end == SCANNED_ENDLESS ||
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
    enum store_redis_scanned end)
{
	bool was_told = shared->is_told;

	shared->is_told = end != SCANNED_WHOLE;
	if (was_told || end == SCANNED_WHOLE)
		return;
	if (end == SCANNED_CUT)
		store_redis_say(store, true,
		    "shared list %s is cut: no more than %d entries and %d "
		    "MB are taken",
		    shared->name, STORE_ENTRIES_MAX, LIST_BYTES_MAX >> 20);
	else
		store_redis_say(store, true,
		    "shared list %s cannot be read%s: the last one serves on",
		    shared->name,
		    end == SCANNED_ENDLESS ? " within 3 seconds" : "");
}

static bool
is_due(const struct shared_list *shared, const struct list_state *state,
    int64_t now)
{
	return shared->read_at == 0 || now - shared->read_at >= LIST_EVERY ||
	    memcmp(state, &shared->state, sizeof *state) != 0;
}

static enum store_result
read_changed(struct redis_store *store, struct shared_list *shared,
    const struct list_keys *keys, const struct list_state *state,
    struct list **list_r)
{
	bool is_new = shared->read_at == 0 ||
	    memcmp(state, &shared->state, sizeof *state) != 0;
	struct reading reading = {0};
	enum store_redis_scanned end =
	    read_members(store, keys, state, &reading);

	shared->read_at = clock_steady_us();
	shared->state = *state;
	*list_r = reading.list;
	if (atomic_load(&store->is_stopping))
		return STORE_DOWN;
	if (end != SCANNED_LOST || redis_is_up(store->redis))
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
	struct list_keys keys;
	enum store_result result;

	*list_r = NULL;
	if (shared == NULL || !store_redis_list_keys(self, name, &keys) ||
	    atomic_load(&self->is_stopping))
		return STORE_DOWN;
	result = ask_state(self, &keys, name, &state);
	if (result == STORE_UNREADABLE)
		tell_end(self, shared, SCANNED_LOST);
	if (result != STORE_OK || !is_due(shared, &state, clock_steady_us()))
		return result;
	return read_changed(self, shared, &keys, &state, list_r);
}
