/* Forgetting, because somebody wishes it. */
#include "store/redis/store_redis_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/window.h"
#include "store/redis/decay.h"

struct forgetting {
	struct redis_store *store;
	const struct store_forget *forget;
	char address[TRIPLET_ADDRESS_SIZE]; /* if there is one */
	char pair[TRIPLET_SIZE];	    /* the same */
	char host[KEYS_FIELD_SIZE]; /* what the fields of the host end in */
	char holder[KEYS_TAG_SIZE]; /* the tag as a holder of limits */
	char key[KEYS_KEY_SIZE];
	struct redis_request request;
	size_t count;
};

static bool
name_all(struct forgetting *forgetting)
{
	const struct store_forget *forget = forgetting->forget;
	const struct store_client client = {
	    .network = forget->tag, .address = forget->address};
	struct triplet_namer namer;
	char field[KEYS_FIELD_SIZE], name[TRIPLET_SIZE];

	if (store_redis_prepare(forgetting->store, &namer, 0) != STORE_OK)
		return false;
	keys_record(&forgetting->store->keys, forget->tag, forgetting->key);
	forgetting->request.key = forgetting->key;
	keys_host(KEYS_PACED, forget->host, field);
	strcpy(forgetting->host, field + 1);
	if (!triplet_holder(&namer, forget->tag, name))
		return false;
	keys_holder_tag(name, forgetting->holder);
	return (forget->address == NULL ||
		   triplet_address(&namer, &client, forgetting->address)) &&
	    (forget->pair == NULL ||
		triplet_name(&namer, forget->pair, forgetting->pair));
}

/* ---- Fields of a record that lives on */

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), of_end = strlen(end);

	return length >= of_end && strcmp(text + length - of_end, end) == 0;
}

/* `name` without what tells of the space. */
static bool
is_clock_of_pair(const struct forgetting *forgetting, const char *name)
{
	return ends_with(name, forgetting->pair) &&
	    (forgetting->forget->address == NULL ||
		strncmp(name, forgetting->address, TRIPLET_ADDRESS_LENGTH) ==
		    0);
}

static bool
is_of_address(const struct forgetting *forgetting, const char *name)
{
	return (name[0] == 'c' || name[0] == KEYS_PASSES ||
		   name[0] == KEYS_USED) &&
	    name[1] == '.' && strcmp(name + 2, forgetting->address) == 0;
}

/* A sum of the host, or what else is noted of it.  What a sum of a network ends in
 * may look alike. */
static bool
is_of_host(const struct forgetting *forgetting, const char *field)
{
	const char *dot = strchr(field, '.');

	if (dot == NULL || !ends_with(field, forgetting->host))
		return false;
	if (field[0] == 'g' || field[0] == 'b')
		return strchr(dot + 1, '.') != NULL;
	return field[0] == KEYS_PACED || field[0] == KEYS_CROWD;
}

static bool
is_to_go(
    const struct forgetting *forgetting, enum keys_kind kind, const char *field)
{
	const char *name = field + (field[0] == '~' || field[0] == '+');

	if (forgetting->forget->pair != NULL)
		return kind == KEYS_PAIR && is_clock_of_pair(forgetting, name);
	if (kind == KEYS_PAIR)
		return strncmp(name, forgetting->address,
			   TRIPLET_ADDRESS_LENGTH) == 0 &&
		    strlen(name) == TRIPLET_ADDRESS_LENGTH + TRIPLET_LENGTH;
	return is_of_address(forgetting, name) || is_of_host(forgetting, field);
}

/* What a host has earned is its network's as well. */
static void
take_from_network(struct forgetting *forgetting, const char *field,
    const struct resp_reply *value)
{
	char of_network[KEYS_FIELD_SIZE];
	size_t length = strlen(field) - strlen(forgetting->host);
	int64_t sum = 0;

	if (length >= sizeof of_network || !resp_integer(value, &sum))
		return;
	memcpy(of_network, field, length);
	of_network[length] = '\0';
	trip_add_number(&forgetting->request.commands, "HINCRBY",
	    forgetting->key, of_network, -sum);
}

static void
add_removals(struct forgetting *forgetting, const struct resp_reply *fields)
{
	int64_t generation =
	    decay_generation(forgetting->store->terms.half_life,
		redis_clock_now(&forgetting->store->clock));

	for (size_t i = 0; i + 1 < resp_count(fields); i += 2) {
		const char *field = resp_string(resp_element(fields, i), NULL);
		enum clock_space space;
		enum keys_kind kind;

		if (field == NULL)
			continue;
		kind = keys_kind_of(
		    &forgetting->store->keys, field, generation, &space);
		if (!is_to_go(forgetting, kind, field))
			continue;
		resp_add(&forgetting->request.commands, "HDEL", forgetting->key,
		    field);
		if (kind == KEYS_SUM)
			take_from_network(
			    forgetting, field, resp_element(fields, i + 1));
		forgetting->count++;
	}
}

static enum store_result
ask(struct forgetting *forgetting)
{
	return store_redis_ask_until(
	    forgetting->store, &forgetting->request, 1, 0);
}

static enum store_result
forget_fields(struct forgetting *forgetting)
{
	struct redis_request *request = &forgetting->request;
	struct resp_reply *fields;
	enum store_result result;

	resp_add(&request->commands, "HGETALL", forgetting->key);
	result = ask(forgetting);
	if (result != STORE_OK)
		return result;
	fields = request->replies[0];
	request->replies[0] = NULL;
	redis_request_free(request);
	trip_begin_whole(&request->commands);
	add_removals(forgetting, fields);
	trip_add_first_life(&request->commands, forgetting->key,
	    forgetting->store->terms.pending_life);
	trip_end_whole(&request->commands);
	resp_reply_free(&fields);
	return forgetting->count == 0 ? STORE_OK : ask(forgetting);
}

/* ---- The whole record, and what was counted */

/* Of the network, and of the host. */
static void
add_distinct(struct forgetting *forgetting, const char *tag, size_t i)
{
	const struct store_forget *forget = forgetting->forget;
	struct keys_limit limit = {0, KEYS_NO_HOST};
	char key[KEYS_KEY_SIZE];

	if (forget->limits == NULL)
		return;
	limit.id = forget->limits[i];
	keys_distinct(
	    &forgetting->store->keys, tag, forget->periods[i], &limit, key);
	resp_add(&forgetting->request.commands, "UNLINK", key);
	limit.host = forget->host;
	keys_distinct(
	    &forgetting->store->keys, tag, forget->periods[i], &limit, key);
	resp_add(&forgetting->request.commands, "UNLINK", key);
}

static void
add_windows(struct forgetting *forgetting, const char *tag)
{
	const struct store_forget *forget = forgetting->forget;
	int64_t now = redis_clock_now(&forgetting->store->clock);
	char key[KEYS_KEY_SIZE];

	for (size_t i = 0; i < forget->period_count; i++) {
		int64_t period = forget->periods[i];
		int64_t slot = window_slot(now, period);

		add_distinct(forgetting, tag, i);
		for (int which = -1; which <= 1; which++) {
			keys_window(&forgetting->store->keys, tag, period,
			    slot + (int64_t)which * KEYS_SLOTS, key);
			resp_add(&forgetting->request.commands, "UNLINK", key);
		}
	}
}

static enum store_result
forget_record(struct forgetting *forgetting)
{
	struct redis_request *request = &forgetting->request;
	enum store_result result;
	int64_t fields = 0;

	resp_add(&request->commands, "HLEN", forgetting->key);
	resp_add(&request->commands, "UNLINK", forgetting->key);
	result = ask(forgetting);
	if (result == STORE_OK && resp_integer(request->replies[0], &fields))
		forgetting->count += (size_t)fields;
	return result;
}

static enum store_result
forget_counters(struct forgetting *forgetting, const char *tag)
{
	enum store_result result;
	int64_t removed;

	redis_request_free(&forgetting->request);
	keys_record(&forgetting->store->keys, tag, forgetting->key);
	add_windows(forgetting, tag);
	if (forgetting->request.commands.count == 0)
		return STORE_OK;
	result = ask(forgetting);
	for (size_t i = 0;
	     result == STORE_OK && i < forgetting->request.commands.count; i++)
		if (resp_integer(forgetting->request.replies[i], &removed))
			forgetting->count += (size_t)removed;
	return result;
}

enum store_result
store_redis_forget(
    struct store *store, const struct store_forget *forget, size_t *count_r)
{
	struct forgetting forgetting = {
	    .store = (struct redis_store *)store, .forget = forget};
	enum store_result result;

	seen_forget(&forgetting.store->seen);
	if (forget->tag == NULL)
		return STORE_OK;
	if (strlen(forget->tag) >= KEYS_TAG_SIZE)
		return STORE_UNREADABLE;
	if (!name_all(&forgetting))
		return STORE_DOWN;
	result = forget->address != NULL || forget->pair != NULL
	    ? forget_fields(&forgetting)
	    : forget_record(&forgetting);
	if (result == STORE_OK && forget->pair == NULL)
		result = forget_counters(&forgetting, forget->tag);
	if (result == STORE_OK && forget->pair == NULL)
		result = forget_counters(&forgetting, forgetting.holder);
	redis_request_free(&forgetting.request);
	*count_r = forgetting.count;
	return result;
}
