#include "store/memory/memory_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/seconds.h"
#include "store/clock_worth.h"

#define ALLOCATION 16 /* what an allocator adds to each piece, about */

struct memory_record *
memory_record_new(const char *name)
{
	size_t size = strlen(name) + 1;
	struct memory_record *record = calloc(1, sizeof *record + size);

	if (record != NULL)
		memcpy(record->name, name, size);
	return record;
}

void
memory_record_free(struct memory_record **record)
{
	if (*record == NULL)
		return;
	free((*record)->hosts);
	free((*record)->pairs);
	free(*record);
	*record = NULL;
}

size_t
memory_record_octets(const struct memory_record *record)
{
	size_t octets = sizeof *record + strlen(record->name) + 1 + ALLOCATION;

	if (record->hosts != NULL)
		octets +=
		    record->host_room * sizeof *record->hosts + ALLOCATION;
	if (record->pairs != NULL)
		octets +=
		    record->pair_room * sizeof *record->pairs + ALLOCATION;
	return octets;
}

/* What a point is worth `age` seconds after it was made. */
static double
fade(int64_t half_life, int64_t age)
{
	if (age <= 0)
		return 1;
	return exp2(-(double)age / (double)(half_life > 0 ? half_life : 1));
}

/* Points may come in out of order; then the older of the two are faded. */
void
memory_sums_add(struct memory_sums *sums, int64_t half_life, int64_t now,
    const struct reputation_sums *points)
{
	int64_t age = seconds_between(now, sums->at);
	double sums_fade = fade(half_life, age);
	double points_fade = fade(half_life, -age);

	sums->good = sums->good * sums_fade + points->good * points_fade;
	sums->bad = sums->bad * sums_fade + points->bad * points_fade;
	if (now > sums->at)
		sums->at = now;
}

struct reputation_sums
memory_sums_read(const struct memory_sums *sums, int64_t half_life, int64_t now)
{
	double left = fade(half_life, seconds_between(now, sums->at));

	return (struct reputation_sums){sums->good * left, sums->bad * left};
}

/* Make room for one more element; NULL: out of memory, `array` is as before. */
static void *
grow(void *array, size_t count, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 1 : *room * 2;
	void *larger;

	if (count < *room)
		return array;
	larger = realloc(array, more * size);
	if (larger != NULL)
		*room = more;
	return larger;
}

struct memory_sums *
memory_record_host(const struct memory_record *record, unsigned bucket)
{
	for (size_t i = 0; i < record->host_count; i++)
		if (record->hosts[i].bucket == bucket)
			return &record->hosts[i].sums;
	return NULL;
}

struct memory_sums *
memory_record_make_host(struct memory_record *record, unsigned bucket)
{
	struct memory_sums *sums = memory_record_host(record, bucket);
	struct memory_host *hosts;

	if (sums != NULL)
		return sums;
	hosts = grow(record->hosts, record->host_count, &record->host_room,
	    sizeof *hosts);
	if (hosts == NULL)
		return NULL;
	record->hosts = hosts;
	hosts += record->host_count++;
	*hosts = (struct memory_host){.bucket = (unsigned char)bucket};
	return &hosts->sums;
}

static struct memory_pair *
find_pair(
    const struct memory_record *record, const char *name, unsigned char space)
{
	for (size_t i = 0; i < record->pair_count; i++) {
		struct memory_pair *pair = &record->pairs[i];

		if (pair->space == space &&
		    memcmp(pair->name, name, TRIPLET_LENGTH) == 0)
			return pair;
	}
	return NULL;
}

int64_t
memory_record_clock(const struct memory_record *record, const char *name,
    enum clock_space space)
{
	const struct memory_pair *pair =
	    find_pair(record, name, (unsigned char)space);

	return pair == NULL ? 0 : pair->clock;
}

bool
memory_clock_mark(int64_t *clock, enum clock_mark mark, int64_t now)
{
	const struct greylist_clock first = {.first_seen = now};
	const struct greylist_clock passed = {.last_passed = now};
	int64_t before = *clock;

	switch (mark) {
	case MARK_NONE:
		break;
	case MARK_FIRST:
		if (*clock == 0)
			*clock = greylist_clock_encode(&first);
		break;
	case MARK_RESTART:
		*clock = greylist_clock_encode(&first);
		break;
	case MARK_PASSED:
		*clock = greylist_clock_encode(&passed);
		break;
	case MARK_FORGET:
		*clock = 0;
		break;
	}
	return *clock != before;
}

static void
remove_pair(struct memory_record *record, struct memory_pair *pair)
{
	*pair = record->pairs[--record->pair_count];
}

static enum clock_worth
worth_of(const struct memory_pair *pair, const struct store_terms *terms,
    int64_t now)
{
	return clock_worth(
	    pair->clock, (enum clock_space)pair->space, terms, now);
}

/* The pair that makes room for one more, which is pending or else has passed.
 * Abandoned attempts count as pending: those that memory_record_prune() has left
 * are just being asked for. */
static struct memory_pair *
least_worthy(const struct memory_record *record,
    const struct store_terms *terms, bool one_pending, int64_t now)
{
	struct memory_pair *oldest[] = {NULL, NULL}; /* passed, pending */
	size_t counts[] = {!one_pending, one_pending};
	bool pending;

	for (size_t i = 0; i < record->pair_count; i++) {
		struct memory_pair *pair = &record->pairs[i];
		enum clock_worth worth = worth_of(pair, terms, now);

		if (worth == CLOCK_FORGOTTEN)
			return pair;
		pending = worth != CLOCK_PASSED;
		counts[pending]++;
		if (oldest[pending] == NULL ||
		    clock_age(pair->clock, now) >
			clock_age(oldest[pending]->clock, now))
			oldest[pending] = pair;
	}
	pending =
	    clock_surplus(terms->network_cap, counts[1], counts[0]).pending > 0;
	/* only a cap of 1 can ask for the one that is still to come */
	return oldest[pending] != NULL ? oldest[pending] : oldest[!pending];
}

static void
make_room(struct memory_record *record, const struct store_terms *terms,
    bool one_pending, int64_t now)
{
	size_t cap = terms->network_cap > 0 ? terms->network_cap : 1;

	while (record->pair_count >= cap)
		remove_pair(
		    record, least_worthy(record, terms, one_pending, now));
}

static bool
add_pair(struct memory_record *record, const struct store_terms *terms,
    const struct memory_pair *pair, int64_t now)
{
	struct memory_pair *pairs;

	make_room(record, terms, pair->clock > 0, now);
	pairs = grow(record->pairs, record->pair_count, &record->pair_room,
	    sizeof *pairs);
	if (pairs == NULL)
		return false;
	record->pairs = pairs;
	pairs[record->pair_count++] = *pair;
	return true;
}

bool
memory_record_mark(struct memory_record *record,
    const struct store_terms *terms, const struct memory_pair *pair,
    enum clock_mark mark, int64_t now)
{
	struct memory_pair *found = find_pair(record, pair->name, pair->space);
	struct memory_pair fresh = *pair;

	if (found == NULL) {
		fresh.clock = 0;
		return memory_clock_mark(&fresh.clock, mark, now) &&
		    add_pair(record, terms, &fresh, now);
	}
	if (!memory_clock_mark(&found->clock, mark, now))
		return false;
	if (found->clock == 0)
		remove_pair(record, found);
	return true;
}

static bool
is_asked(const struct memory_pair *pair, char (*asked)[TRIPLET_SIZE],
    size_t asked_count)
{
	for (size_t i = 0; i < asked_count; i++)
		if (memcmp(pair->name, asked[i], TRIPLET_LENGTH) == 0)
			return true;
	return false;
}

size_t
memory_record_prune(struct memory_record *record,
    const struct store_terms *terms, char (*asked)[TRIPLET_SIZE],
    size_t asked_count, int64_t now)
{
	size_t abandoned = 0;

	for (size_t i = record->pair_count; i-- > 0;) {
		struct memory_pair *pair = &record->pairs[i];
		enum clock_worth worth = worth_of(pair, terms, now);

		if (worth != CLOCK_FORGOTTEN && worth != CLOCK_ABANDONED)
			continue;
		if (is_asked(pair, asked, asked_count))
			continue;
		abandoned += worth == CLOCK_ABANDONED;
		remove_pair(record, pair);
	}
	return abandoned;
}

static void
turn_back(int64_t *time, int64_t now)
{
	if (*time > now)
		*time = now;
}

static void
turn_clock_back(int64_t *clock, int64_t now)
{
	struct greylist_clock times = greylist_clock_decode(*clock);

	turn_back(&times.first_seen, now);
	turn_back(&times.last_passed, now);
	*clock = greylist_clock_encode(&times);
}

void
memory_record_turn_back(struct memory_record *record, int64_t now)
{
	turn_back(&record->last_used, now);
	turn_back(&record->sums.at, now);
	for (size_t i = 0; i < record->host_count; i++)
		turn_back(&record->hosts[i].sums.at, now);
	for (int space = 0; space < CLOCK_SPACES; space++)
		turn_clock_back(&record->client[space], now);
	for (size_t i = 0; i < record->pair_count; i++)
		turn_clock_back(&record->pairs[i].clock, now);
}
