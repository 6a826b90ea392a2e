#include "store/redis/store_redis_sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/seconds.h"
#include "store/clock_worth.h"
#include "store/redis/decay.h"
#include "store/redis/store_redis_parts.h"

#define SWEEP_EVERY INT64_C(3600)
#define FULL_CLOCKS 16	 /* that an author may add to a full record */
#define FULL_FIELDS 4096 /* then only one */

static struct sweep_entry *
place_of(struct sweep_queue *queue, const char *tag)
{
	uint64_t sum = hash_64(HASH_64, tag, strlen(tag));

	return &queue->places[sum % SWEEP_PLACES];
}

/* Clocks in the record, at most: fields that came since the last sweep may be
 * others. */
static int64_t
clocks_of(const struct sweep_reading *reading)
{
	int64_t others = reading->others < 0 ? 0 : reading->others;

	return reading->fields > others ? reading->fields - others : 0;
}

static bool
is_due(const struct store_terms *terms, const struct sweep_reading *reading,
    int64_t now)
{
	int64_t clocks = clocks_of(reading);
	int64_t every = terms->abandoned_after < SWEEP_EVERY
	    ? terms->abandoned_after
	    : SWEEP_EVERY;

	/* One never swept is no older than the clocks in it, as far as seen. */
	int64_t since = reading->swept != 0 ? reading->swept : reading->oldest;

	if (reading->fields == 0)
		return false;
	if (since == 0 || clocks > (int64_t)terms->network_cap ||
	    since > now + GREYLIST_SLACK)
		return true;
	if (clocks > 0 && seconds_between(now, since) >= every)
		return true;
	/* sums of an older generation may be left */
	return decay_generation(terms->half_life, since) !=
	    decay_generation(terms->half_life, now);
}

void
sweep_notice(struct sweep_queue *queue, const struct store_terms *terms,
    const struct sweep_reading *reading, const char *tag, int64_t now)
{
	int64_t cap = (int64_t)terms->network_cap;
	bool full = clocks_of(reading) >= cap + cap / 2, same;
	struct sweep_entry *place;

	if (!is_due(terms, reading, now))
		return;
	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, tag);
	same = place->used && strcmp(place->tag, tag) == 0;
	if (!place->used || same || (full && !place->full)) {
		if (!same || full != place->full)
			memset(place->authors, 0, sizeof place->authors);
		/* longer ones never get here: their trip has failed */
		snprintf(place->tag, sizeof place->tag, "%s", tag);
		place->used = true;
		place->full = full;
		place->fields = reading->fields;
	}
	pthread_mutex_unlock(&queue->mutex);
}

static uint32_t
most_admitted(const struct sweep_entry *entry)
{
	return entry->fields < FULL_FIELDS ? FULL_CLOCKS : 1;
}

bool
sweep_admits(struct sweep_queue *queue, const char *tag, const char *network,
    unsigned host, unsigned sender)
{
	uint32_t who = (uint32_t)hash_64(
	    HASH_64 ^ host ^ sender << 8, network, strlen(network));
	struct sweep_entry *place;
	struct sweep_author *counted;
	bool admits = true;

	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, tag);
	if (place->used && place->full && strcmp(place->tag, tag) == 0) {
		counted = &place->authors[who % SWEEP_AUTHORS];
		if (counted->who != who)
			*counted = (struct sweep_author){who, 0};
		admits = counted->admitted < most_admitted(place);
		counted->admitted += admits;
	}
	pthread_mutex_unlock(&queue->mutex);
	return admits;
}

static bool
next_entry(struct sweep_queue *queue, struct sweep_entry *entry_r)
{
	bool found = false;

	pthread_mutex_lock(&queue->mutex);
	for (size_t i = 0; i < SWEEP_PLACES && !found; i++) {
		queue->next = (queue->next + 1) % SWEEP_PLACES;
		found = queue->places[queue->next].used;
	}
	if (found)
		*entry_r = queue->places[queue->next];
	pthread_mutex_unlock(&queue->mutex);
	return found;
}

static void
end_entry(struct sweep_queue *queue, const char *tag)
{
	struct sweep_entry *place;

	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, tag);
	if (place->used && strcmp(place->tag, tag) == 0)
		place->used = false;
	pthread_mutex_unlock(&queue->mutex);
}

/* ---- Sweeping */

#define RECORDS_AT_ONCE 256
#define FIELDS_MAX	30000 /* more than that no record of ours has */
#define SWEPT_JUST_NOW	30    /* seconds: another server has done it */
#define HOSTS		256   /* buckets */
#define TRUST_MAX	64    /* addresses whose trust is removed at once */

/* Who started first attempts that were abandoned. */
#define BLAMED_MAX 16
struct blamed {
	struct keys_value opener;
	const char **fields; /* of those */
	size_t count;
};

/* What one record shows, and what is to be done about it. */
struct sweeping {
	struct redis_store *store;
	const struct sweep_entry *entry;
	int64_t now;
	int64_t swept;
	char key[KEYS_KEY_SIZE];
	struct redis_request removal;
	struct clock_place *kept; /* clocks, unless there are too many */
	const char **kept_fields; /* of those, by their items */
	int *kept_hosts;	  /* their starters', -1: not known */
	size_t kept_count;
	const char **drop; /* fields; abandoned first attempts stand apart */
	size_t dropped;
	const char **blamed_fields; /* room for those of all */
	struct blamed blamed[BLAMED_MAX];
	size_t blamed_count;
	struct clock_crowd crowds[HOSTS];
	bool has_crowd[HOSTS];
	const char *old_trust[TRUST_MAX]; /* KEYS_USED of addresses */
	size_t old_trust_count;
	int64_t others;
};

static uint64_t
author_of(const struct keys_value *opener)
{
	return hash_64(
	    HASH_64 ^ opener->host, opener->network, strlen(opener->network));
}

/* Those of one more than BLAMED_MAX are dropped without blame. */
static void
give_up(struct sweeping *sweeping, const char *field,
    const struct keys_value *value)
{
	struct blamed *blamed = NULL;

	if (!value->is_known || value->spared) {
		sweeping->drop[sweeping->dropped++] = field;
		return;
	}
	for (size_t i = 0; i < sweeping->blamed_count; i++)
		if (author_of(&sweeping->blamed[i].opener) == author_of(value))
			blamed = &sweeping->blamed[i];
	if (blamed == NULL && sweeping->blamed_count < BLAMED_MAX) {
		blamed = &sweeping->blamed[sweeping->blamed_count];
		*blamed = (struct blamed){.opener = *value,
		    .fields = sweeping->blamed_fields +
			sweeping->blamed_count * STORE_ABANDONED_MOST};
		sweeping->blamed_count++;
	}
	if (blamed == NULL || blamed->count == STORE_ABANDONED_MOST)
		sweeping->drop[sweeping->dropped++] = field;
	else
		blamed->fields[blamed->count++] = field;
}

static void
sort_clock(struct sweeping *sweeping, const char *field, const char *text,
    enum clock_space space)
{
	const struct store_terms *terms = &sweeping->store->terms;
	size_t item = sweeping->kept_count;
	struct keys_value value;
	enum clock_worth worth;

	keys_get_value(text, &value);
	worth = clock_worth(value.clock, space, terms, sweeping->now);
	/* A first attempt from the future would begin anew with its retry. */
	if (greylist_clock_decode(value.clock).first_seen >
	    sweeping->now + GREYLIST_SLACK)
		worth = CLOCK_FORGOTTEN;
	switch (worth) {
	case CLOCK_FORGOTTEN:
		sweeping->drop[sweeping->dropped++] = field;
		return;
	case CLOCK_ABANDONED:
		give_up(sweeping, field, &value);
		return;
	case CLOCK_PENDING:
	case CLOCK_PASSED:
		break;
	}
	/* A client's own clock is the only one that its address can start. */
	sweeping->kept[item] = (struct clock_place){value.is_known
		? author_of(&value)
		: hash_64(HASH_64, field, strlen(field)),
	    (unsigned char)value.sender, value.clock, item, 0};
	sweeping->kept_fields[item] = field;
	sweeping->kept_hosts[item] = value.is_known ? (int)value.host : -1;
	sweeping->kept_count++;
}

static void
sort_trust(struct sweeping *sweeping, const char *field, const char *text)
{
	int64_t used =
	    greylist_clock_decode(decimal_scan(text, NULL)).first_seen;

	sweeping->others++;
	if (seconds_between(sweeping->now, used) >
		sweeping->store->terms.worthy_life &&
	    sweeping->old_trust_count < TRUST_MAX)
		sweeping->old_trust[sweeping->old_trust_count++] = field;
}

static void
sort_crowd(struct sweeping *sweeping, const char *field, const char *text)
{
	unsigned host = (unsigned)strtoul(field + 2, NULL, 16) % HOSTS;

	sweeping->crowds[host] = keys_get_crowd(decimal_scan(text, NULL));
	sweeping->has_crowd[host] =
	    clock_crowd_since(&sweeping->crowds[host], sweeping->now) != 0;
	if (sweeping->has_crowd[host])
		sweeping->others++;
	else
		sweeping->drop[sweeping->dropped++] = field;
}

static void
sort_field(struct sweeping *sweeping, const char *field, const char *text,
    bool is_number)
{
	int64_t generation =
	    decay_generation(sweeping->store->terms.half_life, sweeping->now);
	enum clock_space space = CLOCK_REAL;

	enum keys_kind kind =
	    keys_kind_of(&sweeping->store->keys, field, generation, &space);

	/* All but clocks are numbers; another could not be counted up. */
	if (!is_number && kind != KEYS_PAIR && kind != KEYS_CLIENT) {
		sweeping->drop[sweeping->dropped++] = field;
		return;
	}
	switch (kind) {
	case KEYS_PAIR:
		sort_clock(sweeping, field, text, space);
		return;
	case KEYS_CLIENT: /* no attempt, and none is abandoned */
		sort_clock(sweeping, field, text, CLOCK_OBSERVED);
		return;
	case KEYS_TRUSTED:
		sort_trust(sweeping, field, text);
		return;
	case KEYS_CROWDED:
		sort_crowd(sweeping, field, text);
		return;
	case KEYS_OLD_SUM:
		sweeping->drop[sweeping->dropped++] = field;
		return;
	case KEYS_SUM:
	case KEYS_OTHER:
		break;
	}
	if (strcmp(field, KEYS_SWEPT) == 0)
		sweeping->swept =
		    greylist_clock_decode(decimal_scan(text, NULL)).first_seen;
	else if (strcmp(field, KEYS_OTHERS) != 0)
		sweeping->others++;
}

/* Whose first attempts are pushed out, in the record of a network only: there
 * his own address's are, and those of a pool are these once more. */
static void
note_crowd(struct sweeping *sweeping, size_t item)
{
	int host = sweeping->kept_hosts[item];
	struct clock_crowd *crowd;
	char field[KEYS_FIELD_SIZE];

	if (strchr(sweeping->entry->tag, '/') == NULL || host < 0)
		return;
	crowd = &sweeping->crowds[host];
	if (crowd->last == sweeping->now)
		return;
	if (!sweeping->has_crowd[host])
		sweeping->others++;
	sweeping->has_crowd[host] = true;
	clock_crowd_note(crowd, sweeping->now);
	keys_host(KEYS_CROWD, (uint32_t)host, field);
	trip_add_number(&sweeping->removal.commands, "HSET", sweeping->key,
	    field, keys_put_crowd(crowd));
}

static void
drop_surplus(struct sweeping *sweeping, struct clock_surplus *surplus_r)
{
	size_t pending;

	clock_places_sort(sweeping->kept, sweeping->kept_count,
	    sweeping->store->terms.network_cap, surplus_r, &pending);
	for (size_t i = 0; i < surplus_r->pending; i++)
		sweeping->drop[sweeping->dropped++] =
		    sweeping->kept_fields[sweeping->kept[i].item];
	for (size_t i = pending; i < pending + surplus_r->passed; i++)
		sweeping->drop[sweeping->dropped++] =
		    sweeping->kept_fields[sweeping->kept[i].item];
}

static void
remove_fields(
    struct sweeping *sweeping, const char *const *fields, size_t count)
{
	struct resp_commands *commands = &sweeping->removal.commands;

	if (count == 0)
		return;
	resp_begin(commands, 2 + count);
	resp_add_string(commands, "HDEL");
	resp_add_string(commands, sweeping->key);
	for (size_t i = 0; i < count; i++)
		resp_add_string(commands, fields[i]);
}

static void
remove_trust(struct sweeping *sweeping)
{
	char passes[KEYS_FIELD_SIZE];

	for (size_t i = 0; i < sweeping->old_trust_count; i++) {
		const char *used = sweeping->old_trust[i];

		keys_trust(KEYS_PASSES, used + 2, passes);
		resp_add(&sweeping->removal.commands, "HDEL", sweeping->key,
		    used, passes);
		sweeping->others -= 2;
	}
}

static void
note_sweep(struct sweeping *sweeping)
{
	const struct greylist_clock now = {.first_seen = sweeping->now};
	struct resp_commands *commands = &sweeping->removal.commands;

	if (sweeping->others < 0)
		sweeping->others = 0;
	resp_begin(commands, 6);
	resp_add_string(commands, "HSET");
	resp_add_string(commands, sweeping->key);
	resp_add_string(commands, KEYS_SWEPT);
	resp_add_integer(commands, greylist_clock_encode(&now));
	resp_add_string(commands, KEYS_OTHERS);
	/* these two are others too */
	resp_add_integer(commands, sweeping->others + 2);
	resp_begin(commands, 4);
	resp_add_string(commands, "EXPIRE");
	resp_add_string(commands, sweeping->key);
	resp_add_integer(commands, sweeping->store->terms.pending_life);
	resp_add_string(commands, "NX");
}

/* Several servers may sweep one record at once: each first attempt is counted
 * by the one that really removed it. */
static void
charge(const struct sweeping *sweeping)
{
	int64_t left = STORE_ABANDONED_MOST;

	for (size_t i = 0; i < sweeping->blamed_count && left > 0; i++) {
		const struct blamed *blamed = &sweeping->blamed[i];
		const char *network = blamed->opener.network;
		struct store_effects effects = {.now = sweeping->now,
		    .client = {.host = blamed->opener.host}};
		int64_t count = 0;

		(void)resp_integer(sweeping->removal.replies[i], &count);
		if (count > left)
			count = left;
		left -= count;
		effects.client.network =
		    network[0] != '\0' ? network : sweeping->entry->tag;
		effects.bad =
		    (double)count * sweeping->store->terms.abandoned_points;
		(void)store_remember(&sweeping->store->store, &effects);
	}
}

/* Of the removals the blamed come first, one command each. */
static void
carry_out(struct sweeping *sweeping)
{
	struct redis_request *removal = &sweeping->removal;
	struct clock_surplus surplus;

	removal->key = sweeping->key;
	drop_surplus(sweeping, &surplus);
	for (size_t i = 0; i < sweeping->blamed_count; i++)
		remove_fields(sweeping, sweeping->blamed[i].fields,
		    sweeping->blamed[i].count);
	remove_fields(sweeping, sweeping->drop, sweeping->dropped);
	trip_begin_whole(&removal->commands);
	remove_trust(sweeping);
	for (size_t i = 0; i < surplus.pending; i++)
		note_crowd(sweeping, sweeping->kept[i].item);
	note_sweep(sweeping);
	trip_end_whole(&removal->commands);
	if (redis_ask(sweeping->store->redis, removal, 1, 0) == REDIS_ANSWERED)
		charge(sweeping);
	redis_request_free(removal);
}

static void
sort_fields(struct sweeping *sweeping, const struct resp_reply *fields)
{
	for (size_t i = 0; i + 1 < resp_count(fields); i += 2) {
		const char *field = resp_string(resp_element(fields, i), NULL);
		const char *text =
		    resp_string(resp_element(fields, i + 1), NULL);
		int64_t value;

		if (field != NULL)
			sort_field(sweeping, field, text,
			    resp_integer(resp_element(fields, i + 1), &value));
	}
}

/* Whether another server has just done it.  It may have come before the fields
 * because of which the record passes for full; those must be told apart now. */
static bool
is_swept(const struct sweeping *sweeping)
{
	return !sweeping->entry->full &&
	    sweeping->kept_count <= sweeping->store->terms.network_cap &&
	    sweeping->swept != 0 &&
	    seconds_apart(sweeping->now, sweeping->swept) < SWEPT_JUST_NOW;
}

static bool
make_room(struct sweeping *sweeping, size_t count)
{
	sweeping->kept = calloc(count, sizeof *sweeping->kept);
	sweeping->kept_fields = calloc(count, sizeof *sweeping->kept_fields);
	sweeping->kept_hosts = calloc(count, sizeof *sweeping->kept_hosts);
	sweeping->drop = calloc(count, sizeof *sweeping->drop);
	sweeping->blamed_fields =
	    calloc((size_t)BLAMED_MAX * STORE_ABANDONED_MOST,
		sizeof *sweeping->blamed_fields);
	return sweeping->kept != NULL && sweeping->kept_fields != NULL &&
	    sweeping->kept_hosts != NULL && sweeping->drop != NULL &&
	    sweeping->blamed_fields != NULL;
}

static void
sweep_fields(struct sweeping *sweeping, const struct resp_reply *fields)
{
	if (make_room(sweeping, resp_count(fields) / 2)) {
		sort_fields(sweeping, fields);
		if (!is_swept(sweeping))
			carry_out(sweeping);
	}
	free(sweeping->kept);
	free(sweeping->kept_fields);
	free(sweeping->kept_hosts);
	free(sweeping->drop);
	free(sweeping->blamed_fields);
}

/* What is too large to be read at once is not ours, or of no more use. */
static void
sweep_record(struct redis_store *store, const struct sweep_entry *entry)
{
	struct sweeping sweeping = {.store = store,
	    .entry = entry,
	    .now = redis_clock_now(&store->clock)};
	struct redis_request request = {.key = sweeping.key};
	bool monstrous = entry->fields > FIELDS_MAX;

	keys_record(&store->keys, entry->tag, sweeping.key);
	resp_add(
	    &request.commands, monstrous ? "UNLINK" : "HGETALL", sweeping.key);
	if (redis_ask(store->redis, &request, 1, 0) == REDIS_ANSWERED &&
	    resp_count(request.replies[0]) > 0)
		sweep_fields(&sweeping, request.replies[0]);
	redis_request_free(&request);
}

void
store_redis_sweep(struct redis_store *store)
{
	struct sweep_entry entry;

	for (int i = 0; i < RECORDS_AT_ONCE && redis_is_up(store->redis) &&
	     !atomic_load(&store->is_stopping) &&
	     next_entry(&store->sweeps, &entry);
	     i++) {
		sweep_record(store, &entry);
		end_entry(&store->sweeps, entry.tag);
	}
}
