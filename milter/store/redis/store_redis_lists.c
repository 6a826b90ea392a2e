#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/redis_error.h"

#define LIST_EVERY   INT64_C(60000000) /* microseconds */
#define LIST_PAGE    "1000"
#define LIST_WAIT_MS 2000

/* What tells cheaply whether a list has changed. */
struct list_state {
	int64_t members;
	char version[64];
};

/* A shared list as it was when it was last read. */
struct shared_list {
	struct shared_list *next;
	int64_t read_at; /* of the steady clock; 0: never */
	struct list_state state;
	char name[];
};

/* What one reading found. */
struct reading {
	struct list *list;
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

/* The number of members and the version, as they are now. */
static bool
ask_state(struct redis_store *store, const char *set, const char *name,
    struct list_state *state_r)
{
	char versions[KEYS_KEY_SIZE];
	struct redis_request requests[2] = {{.key = set}, {.key = versions}};
	const char *version;
	bool asked;

	keys_shared(&store->keys, "lists", versions);
	resp_add(&requests[0].commands, "SCARD", set);
	resp_add(&requests[1].commands, "HGET", versions, name);
	asked = redis_ask(store->redis, requests, 2, 0) == REDIS_ANSWERED &&
	    resp_integer(requests[0].replies[0], &state_r->members);
	if (asked) {
		version = resp_string(requests[1].replies[0], NULL);
		snprintf(state_r->version, sizeof state_r->version, "%s",
		    version == NULL ? "" : version);
	}
	redis_request_free(&requests[0]);
	redis_request_free(&requests[1]);
	return asked;
}

static void
add_members(struct reading *reading, const struct resp_reply *members)
{
	for (size_t i = 0; i < resp_count(members); i++) {
		const char *member =
		    resp_string(resp_element(members, i), NULL);
		const char *why;

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

static struct list *
read_members(
    struct redis_store *store, const char *set, struct reading *reading)
{
	char cursor[32] = "0";
	bool whole;

	reading->list = list_new();
	whole = reading->list != NULL;
	do
		whole = whole &&
		    read_page(store, set, reading, cursor, sizeof cursor);
	while (whole && strcmp(cursor, "0") != 0);
	if (!whole || !list_seal(reading->list))
		list_free(&reading->list);
	return reading->list;
}

static void
complain(const struct redis_store *store, const char *name,
    const struct reading *reading)
{
	char example[sizeof reading->example];

	redis_error_clean(reading->example, example, sizeof example);
	store_redis_say(store, true,
	    "shared list %s: %zu entries are no network, address or domain, "
	    "such as \"%s\"",
	    name, reading->bad, example);
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
	struct reading reading = {0};
	int64_t now = redis_clock_steady();
	char set[KEYS_KEY_SIZE];
	bool changed;

	*list_r = NULL;
	if (shared == NULL || !keys_list(&self->keys, name, set) ||
	    !ask_state(self, set, name, &state))
		return STORE_DOWN;
	changed = shared->read_at == 0 ||
	    state.members != shared->state.members ||
	    strcmp(state.version, shared->state.version) != 0;
	if (!changed && now - shared->read_at < LIST_EVERY)
		return STORE_OK;
	*list_r = read_members(self, set, &reading);
	if (*list_r == NULL)
		return STORE_DOWN;
	if (changed && reading.bad > 0)
		complain(self, name, &reading);
	shared->read_at = now;
	shared->state = state;
	return STORE_OK;
}
