#include "store/redis/store_redis_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/seconds.h"
#include "policy/decay.h"
#include "store/clock_worth.h"

#define RECORDS_AT_ONCE 256
#define FIELDS_MAX	30000 /* more than that no record of ours has */
#define SWEPT_JUST_NOW	30    /* seconds: another server has done it */

/* A clock of a pair that is kept, unless there are too many. */
struct kept_clock {
	const char *field;
	int64_t clock; /* encoded */
};

/* What one record shows, and what is to be done about it. */
struct sweeping {
	struct redis_store *store;
	const struct sweep_entry *entry;
	int64_t now;
	int64_t swept;
	char key[KEYS_KEY_SIZE];
	struct redis_request removal;
	struct kept_clock *kept;
	size_t kept_count;
	size_t pending; /* of those kept */
	size_t abandoned;
	size_t dropped;
	const char **drop; /* fields; abandoned first attempts stand apart */
	const char **give_up;
	int64_t others;
};

static void
sort_clock(struct sweeping *sweeping, const char *field, int64_t clock,
    enum clock_space space)
{
	enum clock_worth worth =
	    clock_worth(clock, space, &sweeping->store->terms, sweeping->now);

	/* A first attempt from the future would begin anew with its retry. */
	if (greylist_clock_decode(clock).first_seen >
	    sweeping->now + GREYLIST_SLACK)
		worth = CLOCK_FORGOTTEN;
	switch (worth) {
	case CLOCK_FORGOTTEN:
		sweeping->drop[sweeping->dropped++] = field;
		return;
	case CLOCK_ABANDONED:
		sweeping->give_up[sweeping->abandoned++] = field;
		return;
	case CLOCK_PENDING:
		sweeping->pending++;
		break;
	case CLOCK_PASSED:
		break;
	}
	sweeping->kept[sweeping->kept_count++] =
	    (struct kept_clock){field, clock};
}

static void
sort_field(struct sweeping *sweeping, const char *field, int64_t value)
{
	int64_t generation =
	    decay_generation(sweeping->store->terms.half_life, sweeping->now);
	enum clock_space space = CLOCK_REAL;

	switch (
	    keys_kind_of(&sweeping->store->keys, field, generation, &space)) {
	case KEYS_PAIR:
		sort_clock(sweeping, field, value, space);
		return;
	case KEYS_OLD_SUM:
		sweeping->drop[sweeping->dropped++] = field;
		return;
	case KEYS_SUM:
	case KEYS_OTHER:
		break;
	}
	if (strcmp(field, KEYS_SWEPT) == 0)
		sweeping->swept = greylist_clock_decode(value).first_seen;
	else if (strcmp(field, KEYS_OTHERS) != 0)
		sweeping->others++;
}

/* All that are pending, then all that have passed, the oldest of each first.
 * Encoded, both are ordered by their distance from 0. */
static int
compare_worth(const void *a, const void *b)
{
	int64_t x = ((const struct kept_clock *)a)->clock;
	int64_t y = ((const struct kept_clock *)b)->clock;

	if ((x > 0) != (y > 0))
		return x > 0 ? -1 : 1;
	if (x < 0) {
		x = -x;
		y = -y;
	}
	return (x > y) - (x < y);
}

static void
drop_surplus(struct sweeping *sweeping)
{
	size_t pending = sweeping->pending;
	const struct clock_surplus surplus =
	    clock_surplus(sweeping->store->terms.network_cap, pending,
		sweeping->kept_count - pending);

	if (surplus.pending + surplus.passed == 0)
		return;
	qsort(sweeping->kept, sweeping->kept_count, sizeof *sweeping->kept,
	    compare_worth);
	for (size_t i = 0; i < surplus.pending; i++)
		sweeping->drop[sweeping->dropped++] = sweeping->kept[i].field;
	for (size_t i = pending; i < pending + surplus.passed; i++)
		sweeping->drop[sweeping->dropped++] = sweeping->kept[i].field;
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
note_sweep(struct sweeping *sweeping)
{
	const struct greylist_clock now = {.first_seen = sweeping->now};
	struct resp_commands *commands = &sweeping->removal.commands;

	trip_begin_whole(commands);
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
	trip_end_whole(commands);
}

/* Several servers may sweep one record at once: each first attempt is counted
 * by the one that really removed it. */
static void
charge(const struct sweeping *sweeping, const struct resp_reply *removed)
{
	int64_t count = 0;
	double bad;

	(void)resp_integer(removed, &count);
	if (count > STORE_ABANDONED_MOST)
		count = STORE_ABANDONED_MOST;
	bad = (double)count * sweeping->store->terms.abandoned_points;
	if (bad > 0)
		store_redis_charge(sweeping->store, sweeping->entry->network,
		    bad, sweeping->now);
}

static void
carry_out(struct sweeping *sweeping)
{
	struct redis_request *removal = &sweeping->removal;

	removal->key = sweeping->key;
	remove_fields(sweeping, sweeping->give_up, sweeping->abandoned);
	remove_fields(sweeping, sweeping->drop, sweeping->dropped);
	note_sweep(sweeping);
	if (redis_ask(sweeping->store->redis, removal, 1, 0) ==
		REDIS_ANSWERED &&
	    sweeping->abandoned > 0)
		charge(sweeping, removal->replies[0]);
	redis_request_free(removal);
}

static void
sort_fields(struct sweeping *sweeping, const struct resp_reply *fields)
{
	for (size_t i = 0; i + 1 < resp_count(fields); i += 2) {
		const char *field = resp_string(resp_element(fields, i), NULL);
		int64_t value = 0;

		if (field == NULL)
			continue;
		/* All of ours are numbers; another could not be counted up. */
		if (resp_integer(resp_element(fields, i + 1), &value))
			sort_field(sweeping, field, value);
		else
			sweeping->drop[sweeping->dropped++] = field;
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

static void
sweep_fields(struct sweeping *sweeping, const struct resp_reply *fields)
{
	size_t count = resp_count(fields) / 2;

	sweeping->kept = calloc(count, sizeof *sweeping->kept);
	sweeping->drop = calloc(count, sizeof *sweeping->drop);
	sweeping->give_up = calloc(count, sizeof *sweeping->give_up);
	if (sweeping->kept != NULL && sweeping->drop != NULL &&
	    sweeping->give_up != NULL) {
		sort_fields(sweeping, fields);
		if (!is_swept(sweeping)) {
			drop_surplus(sweeping);
			carry_out(sweeping);
		}
	}
	free(sweeping->kept);
	free(sweeping->drop);
	free(sweeping->give_up);
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
	     sweep_next(&store->sweeps, &entry);
	     i++) {
		sweep_record(store, &entry);
		sweep_done(&store->sweeps, entry.tag);
	}
}
