/* What is changed in shared lists, and shown of them. */
#include "store/redis/store_redis_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "redis/error.h"

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
	if (!store_redis_list_keys(changing->store, name, &changing->keys))
		return false;
	changing->requests[0].key = changing->keys.set;
	changing->requests[1].key = changing->keys.versions;
	return true;
}

static enum store_result
ask(struct changing *changing, size_t count)
{
	enum store_result result = store_redis_result(
	    redis_ask(changing->store->redis, changing->requests, count, 0));
	struct redis_request *request = changing->requests;

	for (size_t i = 0; i < request->commands.count && result == STORE_OK;
	     i++)
		if (redis_reply_error(request->replies[i]) != NULL)
			result = STORE_UNREADABLE;
	return result;
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
	result = ask(changing, 1);
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
	result = ask(changing, 1);
	if (result != STORE_OK)
		return result;
	resp_add(&changing->requests[1].commands, "HINCRBY",
	    changing->keys.versions, name, "1");
	return store_redis_result(
	    redis_ask(changing->store->redis, &changing->requests[1], 1, 0));
}

enum store_result
store_redis_list_add(struct store *store, const char *name,
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

enum store_result
store_redis_list_remove(struct store *store, const char *name, const char *text,
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
	showing->each(showing->arg, &entry);
}

static void
show_some(struct showing *showing)
{
	struct redis_request request = {.key = showing->notes};

	if (showing->count == 0 || showing->result != STORE_OK)
		return;
	resp_begin(&request.commands, 2 + showing->count);
	resp_add_string(&request.commands, "HMGET");
	resp_add_string(&request.commands, showing->notes);
	for (size_t i = 0; i < showing->count; i++)
		resp_add_string(&request.commands, showing->texts[i]);
	showing->result = store_redis_result(
	    redis_ask(showing->store->redis, &request, 1, 0));
	for (size_t i = 0; i < showing->count && showing->result == STORE_OK;
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

	return showing->result != STORE_OK ||
	    showing->shown >= 2 * STORE_ENTRIES_MAX;
}

enum store_result
store_redis_list_each(
    struct store *store, const char *name, store_entry_each *each, void *arg)
{
	struct list_keys keys;
	struct showing *showing = calloc(1, sizeof *showing);
	struct store_redis_scan scan = {
	    keys.set, false, take_down, has_shown_all, showing, SHOW_TIME};
	enum store_result result = STORE_DOWN;

	if (showing == NULL)
		return STORE_DOWN;
	showing->store = (struct redis_store *)store;
	showing->notes = keys.notes;
	showing->each = each;
	showing->arg = arg;
	if (store_redis_list_keys(showing->store, name, &keys)) {
		if (store_redis_scan(showing->store, &scan) != SCANNED_WHOLE)
			showing->result = STORE_LATE;
		scan.key = keys.until;
		scan.brief = true;
		if (showing->result == STORE_OK &&
		    store_redis_scan(showing->store, &scan) != SCANNED_WHOLE)
			showing->result = STORE_LATE;
		show_some(showing);
		result = showing->result;
	}
	free(showing);
	return result;
}
