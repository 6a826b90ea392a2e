/* Notes that all servers see, and queues that they fill. */
#include "store/redis/store_redis_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

#define BOARD_LIFE "86400"
#define QUEUE_LIFE "60"

/* A note as it stands in its field: until when, and its text. */
#define FIELD_SIZE (STORE_BOARD_SIZE + 24)

static enum store_result
put_note(struct store *store, const char *board, const struct store_note *note,
    int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE], field[FIELD_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result;

	keys_shared(&self->keys, board, key);
	if (note->text == NULL) {
		resp_add(&request.commands, "HDEL", key, note->name);
	} else {
		(void)snprintf(field, sizeof field, "%" PRId64 " %s",
		    store_now(store, now) + note->life, note->text);
		trip_begin_whole(&request.commands);
		resp_add(&request.commands, "HSET", key, note->name, field);
		resp_add(&request.commands, "EXPIRE", key, BOARD_LIFE);
		trip_end_whole(&request.commands);
	}
	result = store_redis_ask(self, &request, 1);
	redis_request_free(&request);
	return result;
}

/* The text of a field that has not expired; NULL: it has, or is none. */
static const char *
text_of(const struct resp_reply *reply, int64_t now)
{
	size_t length = 0, digits;
	const char *field = resp_string(reply, &length);
	int64_t until;

	if (field == NULL || length >= FIELD_SIZE)
		return NULL;
	digits = decimal_read(field, length, INT64_MAX, &until);
	return digits > 0 && field[digits] == ' ' && until > now
	    ? field + digits + 1
	    : NULL;
}

static void
take_notes(struct redis_store *store, struct redis_request *request,
    int64_t now, void (*each)(void *arg, const char *name, const char *text),
    void *arg)
{
	struct redis_request removal = {.key = request->key};
	const struct resp_reply *notes = request->replies[0];

	for (size_t i = 0;
	     i + 1 < resp_count(notes) && i < (size_t)2 * STORE_NOTES_MAX;
	     i += 2) {
		const char *name = resp_string(resp_element(notes, i), NULL);
		const char *text = text_of(resp_element(notes, i + 1), now);

		if (name != NULL && text != NULL)
			each(arg, name, text);
		else if (name != NULL)
			resp_add(&removal.commands, "HDEL", request->key, name);
	}
	if (removal.commands.count > 0 && !store->reads_only)
		(void)store_redis_ask(store, &removal, 1);
	redis_request_free(&removal);
}

static enum store_result
read_notes(struct store *store, const char *board, int64_t now,
    void (*each)(void *arg, const char *name, const char *text), void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result;

	keys_shared(&self->keys, board, key);
	resp_add(&request.commands, "HGETALL", key);
	result = store_redis_ask(self, &request, 1);
	if (result == STORE_OK)
		take_notes(self, &request, store_now(store, now), each, arg);
	redis_request_free(&request);
	return result;
}

static enum store_result
push(struct store *store, const char *queue, const char *const *texts,
    size_t count, int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result;

	(void)now;
	keys_shared(&self->keys, queue, key);
	trip_begin_whole(&request.commands);
	resp_begin(&request.commands, 2 + count);
	resp_add_string(&request.commands, "RPUSH");
	resp_add_string(&request.commands, key);
	for (size_t i = 0; i < count; i++)
		resp_add_string(&request.commands, texts[i]);
	resp_begin(&request.commands, 4);
	resp_add_string(&request.commands, "LTRIM");
	resp_add_string(&request.commands, key);
	resp_add_integer(&request.commands, -STORE_QUEUE_MAX);
	resp_add_integer(&request.commands, -1);
	resp_add(&request.commands, "EXPIRE", key, QUEUE_LIFE);
	trip_end_whole(&request.commands);
	result = store_redis_ask(self, &request, 1);
	redis_request_free(&request);
	return result;
}

static enum store_result
pop(struct store *store, const char *queue,
    void (*each)(void *arg, const char *text), void *arg, size_t *count_r)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result;

	*count_r = 0;
	keys_shared(&self->keys, queue, key);
	resp_begin(&request.commands, 3);
	resp_add_string(&request.commands, "LPOP");
	resp_add_string(&request.commands, key);
	resp_add_integer(&request.commands, STORE_PUSH_MAX);
	result = store_redis_ask(self, &request, 1);
	if (result == STORE_OK)
		*count_r = resp_count(request.replies[0]);
	for (size_t i = 0; i < *count_r; i++) {
		const char *text =
		    resp_string(resp_element(request.replies[0], i), NULL);

		if (text != NULL)
			each(arg, text);
	}
	redis_request_free(&request);
	return result;
}

const struct store_board_ops store_redis_board_ops = {
    .put_note = put_note,
    .read_notes = read_notes,
    .push = push,
    .pop = pop,
};
