/* The shared lists: read, changed, and shown. */
#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/decimal.h"

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

/* Where a list is kept: the set that others may fill, what expires, what is noted
 * of entries; the versions are those of all lists, in another slot. */
struct list_keys {
	char set[KEYS_KEY_SIZE];
	char until[KEYS_KEY_SIZE];
	char notes[KEYS_KEY_SIZE];
	char versions[KEYS_KEY_SIZE];
};

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

/* False: the name is too long. */
static bool
name_keys(
    const struct redis_store *store, const char *name, struct list_keys *keys_r)
{
	keys_shared(&store->keys, "lists", keys_r->versions);
	return keys_list(&store->keys, NULL, name, keys_r->set) &&
	    keys_list(&store->keys, KEYS_UNTIL, name, keys_r->until) &&
	    keys_list(&store->keys, KEYS_NOTES, name, keys_r->notes);
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
	if (list_add(reading->list, member, until, &why))
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

/* Go through a set, or what expires, in pages: `each` gets every member, maybe
 * more than once. */
struct scan {
	const char *key;
	bool brief; /* a sorted set of what expires */
	void (*each)(
	    void *arg, const char *member, size_t length, int64_t until);
	bool (*is_full)(const void *arg); /* asked after each page */
	void *arg;
	int64_t within; /* microseconds */
};
enum scanned {
	SCANNED_WHOLE,
	SCANNED_CUT,	 /* there is more than we take */
	SCANNED_ENDLESS, /* it takes too long */
	SCANNED_LOST	 /* Redis did not tell, or we are to stop */
};
/* One page; the cursor is "0" again after the last. */
static bool
read_page(struct redis_store *store, const struct scan *scan, char *cursor,
    size_t cursor_size)
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

static enum scanned
scan_set(struct redis_store *store, const struct scan *scan)
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
static enum scanned
read_members(struct redis_store *store, const struct list_keys *keys,
    const struct list_state *state, struct reading *reading)
{
	struct scan scan = {
	    keys->set, false, add_member, is_full, reading, LIST_TIME_MAX};
	enum scanned end = SCANNED_LOST;

	reading->list = list_new(LIST_ALL);
	if (reading->list != NULL)
		end = scan_set(store, &scan);
	if (end == SCANNED_WHOLE && state->brief > 0) {
		scan.key = keys->until;
		scan.brief = true;
		end = scan_set(store, &scan);
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
    enum scanned end)
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
	enum scanned end = read_members(store, keys, state, &reading);

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
static enum store_result
read_list(struct store *store, const char *name, struct list **list_r)
{
	struct redis_store *self = (struct redis_store *)store;
	struct shared_list *shared = find_list(self, name);
	struct list_state state = {0};
	struct list_keys keys;
	enum store_result result;

	*list_r = NULL;
	if (shared == NULL || !name_keys(self, name, &keys) ||
	    atomic_load(&self->is_stopping))
		return STORE_DOWN;
	result = ask_state(self, &keys, name, &state);
	if (result == STORE_UNREADABLE)
		tell_end(self, shared, SCANNED_LOST);
	if (result != STORE_OK || !is_due(shared, &state, clock_steady_us()))
		return result;
	return read_changed(self, shared, &keys, &state, list_r);
}

/* ---- What is changed in shared lists, and shown of them */

/* One list, and commands on their way to it. */
struct changing {
	struct redis_store *store;
	struct list_keys keys;
	struct redis_request requests[2]; /* of the list, and of versions */
};

/* False: the name is too long. */
static bool
begin(struct changing *changing, struct store *store, const char *name)
{
	changing->store = (struct redis_store *)store;
	memset(changing->requests, 0, sizeof changing->requests);
	if (!name_keys(changing->store, name, &changing->keys))
		return false;
	changing->requests[0].key = changing->keys.set;
	changing->requests[1].key = changing->keys.versions;
	return true;
}

static enum store_result
ask(struct changing *changing)
{
	return store_redis_ask_until(changing->store, changing->requests, 1, 0);
}

static void
end(struct changing *changing)
{
	for (size_t i = 0; i < 2; i++)
		redis_request_free(&changing->requests[i]);
}

static enum store_result
find_room(struct changing *changing, bool *is_full_r)
{
	struct redis_request *request = &changing->requests[0];
	int64_t members = 0, brief = 0;
	enum store_result result;

	resp_add(&request->commands, "SCARD", changing->keys.set);
	resp_add(&request->commands, "ZCARD", changing->keys.until);
	result = ask(changing);
	if (result == STORE_OK) {
		(void)resp_integer(request->replies[0], &members);
		(void)resp_integer(request->replies[1], &brief);
	}
	*is_full_r = members + brief >= STORE_ENTRIES_MAX;
	end(changing);
	return result;
}

static void
add_note(struct resp_commands *commands, const struct list_keys *keys,
    const char *text, const char *note)
{
	if (note[0] == '\0')
		resp_add(commands, "HDEL", keys->notes, text);
	else
		resp_add(commands, "HSET", keys->notes, text, note);
}

/* What EXEC, the last of the list's commands, says of its first two: how many were
 * added here, and removed there. */
static void
read_exec(const struct changing *changing, int64_t *first_r, int64_t *second_r)
{
	const struct redis_request *request = &changing->requests[0];
	const struct resp_reply *exec =
	    request->replies[request->commands.count - 1];

	*first_r = *second_r = 0;
	(void)resp_integer(resp_element(exec, 0), first_r);
	(void)resp_integer(resp_element(exec, 1), second_r);
}

/* Last, so that whoever sees the new version sees what is new. */
static enum store_result
ask_and_tell(struct changing *changing, const char *name)
{
	enum store_result result;

	trip_end_whole(&changing->requests[0].commands);
	result = ask(changing);
	if (result != STORE_OK)
		return result;
	resp_add(&changing->requests[1].commands, "HINCRBY",
	    changing->keys.versions, name, "1");
	return store_redis_result(
	    redis_ask(changing->store->redis, &changing->requests[1], 1, 0));
}

static enum store_result
add_entry(struct store *store, const char *name,
    const struct store_entry *entry, enum store_change *change_r)
{
	struct changing changing = {.store = NULL};
	struct resp_commands *commands = &changing.requests[0].commands;
	char score[DECIMAL_SIZE];
	enum store_result result;
	int64_t added, moved;
	bool is_full;

	if (!begin(&changing, store, name))
		return STORE_UNREADABLE;
	result = find_room(&changing, &is_full);
	*change_r = STORE_FULL;
	if (result != STORE_OK || is_full)
		return result;
	trip_begin_whole(commands);
	if (entry->until == LIST_FOR_EVER) {
		resp_add(commands, "SADD", changing.keys.set, entry->text);
		resp_add(commands, "ZREM", changing.keys.until, entry->text);
	} else {
		(void)decimal_write(entry->until, score);
		resp_add(
		    commands, "ZADD", changing.keys.until, score, entry->text);
		resp_add(commands, "SREM", changing.keys.set, entry->text);
	}
	add_note(commands, &changing.keys, entry->text, entry->note);
	result = ask_and_tell(&changing, name);
	if (result == STORE_OK) {
		read_exec(&changing, &added, &moved);
		*change_r =
		    added > 0 && moved == 0 ? STORE_ADDED : STORE_RENEWED;
	}
	end(&changing);
	return result;
}

static enum store_result
remove_entry(struct store *store, const char *name, const char *text,
    enum store_change *change_r)
{
	struct changing changing = {.store = NULL};
	struct resp_commands *commands = &changing.requests[0].commands;
	enum store_result result;
	int64_t lasting, brief;

	if (!begin(&changing, store, name))
		return STORE_UNREADABLE;
	trip_begin_whole(commands);
	resp_add(commands, "SREM", changing.keys.set, text);
	resp_add(commands, "ZREM", changing.keys.until, text);
	resp_add(commands, "HDEL", changing.keys.notes, text);
	result = ask_and_tell(&changing, name);
	if (result == STORE_OK) {
		read_exec(&changing, &lasting, &brief);
		*change_r = lasting + brief > 0 ? STORE_REMOVED : STORE_ABSENT;
	}
	end(&changing);
	return result;
}

/* ---- Showing */

#define AT_ONCE	  200 /* notes that are asked for in one question */
#define SHOW_TIME INT64_C(600000000) /* microseconds: somebody waits for it */

struct showing {
	struct redis_store *store;
	const char *notes;
	store_entry_each *each;
	void *arg;
	size_t shown;
	bool is_enough;
	enum store_result result;
	size_t count; /* of these, whose notes are not asked for yet */
	char texts[AT_ONCE][LIST_ENTRY_SIZE];
	int64_t until[AT_ONCE];
};

static void
show_one(struct showing *showing, size_t i, const struct resp_reply *reply)
{
	struct store_entry entry = {
	    showing->texts[i], showing->until[i], resp_string(reply, NULL)};

	if (entry.note == NULL || strlen(entry.note) >= STORE_NOTE_SIZE)
		entry.note = "";
	showing->is_enough = !showing->each(showing->arg, &entry);
}

static void
show_some(struct showing *showing)
{
	struct redis_request request = {.key = showing->notes};

	if (showing->count == 0 || showing->result != STORE_OK ||
	    showing->is_enough) {
		showing->count = 0;
		return;
	}
	resp_begin(&request.commands, 2 + showing->count);
	resp_add_string(&request.commands, "HMGET");
	resp_add_string(&request.commands, showing->notes);
	for (size_t i = 0; i < showing->count; i++)
		resp_add_string(&request.commands, showing->texts[i]);
	showing->result = store_redis_result(
	    redis_ask(showing->store->redis, &request, 1, 0));
	for (size_t i = 0; i < showing->count && showing->result == STORE_OK &&
	     !showing->is_enough;
	     i++)
		show_one(showing, i, resp_element(request.replies[0], i));
	showing->shown += showing->count;
	showing->count = 0;
	redis_request_free(&request);
}

/* What is longer, or no text, is no entry. */
static void
take_down(void *arg, const char *member, size_t length, int64_t until)
{
	struct showing *showing = arg;

	if (length >= LIST_ENTRY_SIZE || strlen(member) != length)
		return;
	memcpy(showing->texts[showing->count], member, length + 1);
	showing->until[showing->count++] = until;
	if (showing->count == AT_ONCE)
		show_some(showing);
}

static bool
has_shown_all(const void *arg)
{
	const struct showing *showing = arg;

	return showing->result != STORE_OK || showing->is_enough ||
	    showing->shown >= 2 * STORE_ENTRIES_MAX;
}

static enum store_result
each_entry(
    struct store *store, const char *name, store_entry_each *each, void *arg)
{
	struct list_keys keys;
	struct showing *showing = calloc(1, sizeof *showing);
	struct scan scan = {
	    keys.set, false, take_down, has_shown_all, showing, SHOW_TIME};
	enum store_result result = STORE_DOWN;

	if (showing == NULL)
		return STORE_DOWN;
	showing->store = (struct redis_store *)store;
	showing->notes = keys.notes;
	showing->each = each;
	showing->arg = arg;
	if (name_keys(showing->store, name, &keys)) {
		if (scan_set(showing->store, &scan) != SCANNED_WHOLE)
			showing->result = STORE_LATE;
		scan.key = keys.until;
		scan.brief = true;
		if (showing->result == STORE_OK &&
		    scan_set(showing->store, &scan) != SCANNED_WHOLE)
			showing->result = STORE_LATE;
		show_some(showing);
		result = showing->is_enough ? STORE_OK : showing->result;
	}
	free(showing);
	return result;
}

const struct store_list_ops store_redis_list_ops = {
    .read = read_list,
    .add = add_entry,
    .remove = remove_entry,
    .each = each_entry,
};
