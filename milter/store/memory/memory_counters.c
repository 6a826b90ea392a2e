#include "store/memory/memory_counters.h"

#include <stdlib.h>
#include <string.h>

#include "base/seconds.h"

#define COUNT_MIN 256
#define SLICES	  64 /* calls in which all counters are looked at once */

struct counter {
	struct counter *next;  /* in its place of the table */
	struct counter *older; /* in the order of use */
	struct counter *newer;
	struct memory_counter_key key;
	int64_t newest_slot;	       /* window_slot() */
	int32_t units[WINDOW_COUNTED]; /* of the slots up to that, in a ring */
};

struct memory_counters {
	struct counter *oldest;
	struct counter *newest;
	size_t count;
	size_t count_max;
	size_t slice;
	size_t place_count;
	struct counter *places[];
};

struct memory_counters *
memory_counters_open(size_t octets)
{
	size_t count =
	    octets / (sizeof(struct counter) + sizeof(struct counter *));
	struct memory_counters *counters;

	if (count < COUNT_MIN)
		count = COUNT_MIN;
	counters =
	    calloc(1, sizeof *counters + count * sizeof(struct counter *));
	if (counters == NULL)
		return NULL;
	counters->count_max = count;
	counters->place_count = count;
	return counters;
}

void
memory_counters_close(struct memory_counters **counters)
{
	struct counter *counter, *newer;

	if (*counters == NULL)
		return;
	for (counter = (*counters)->oldest; counter != NULL; counter = newer) {
		newer = counter->newer;
		free(counter);
	}
	free(*counters);
	*counters = NULL;
}

/* The holder is a keyed hash already, so nobody can choose places. */
static struct counter **
place_of(struct memory_counters *counters, const struct memory_counter_key *key)
{
	uint64_t number;

	memcpy(&number, key->holder, sizeof number);
	number += (uint64_t)key->id << 20 ^ (uint64_t)key->host << 8 ^
	    (uint64_t)key->period;
	return &counters->places[number % counters->place_count];
}

static bool
is_key(const struct memory_counter_key *a, const struct memory_counter_key *b)
{
	return memcmp(a->holder, b->holder, TRIPLET_LENGTH) == 0 &&
	    a->period == b->period && a->id == b->id && a->host == b->host;
}

static void
leave_row(struct memory_counters *counters, struct counter *counter)
{
	if (counter->older != NULL)
		counter->older->newer = counter->newer;
	else
		counters->oldest = counter->newer;
	if (counter->newer != NULL)
		counter->newer->older = counter->older;
	else
		counters->newest = counter->older;
}

static void
join_row(struct memory_counters *counters, struct counter *counter)
{
	counter->older = counters->newest;
	counter->newer = NULL;
	if (counters->newest != NULL)
		counters->newest->newer = counter;
	else
		counters->oldest = counter;
	counters->newest = counter;
}

static void
discard(struct memory_counters *counters, struct counter *counter)
{
	struct counter **at = place_of(counters, &counter->key);

	while (*at != counter)
		at = &(*at)->next;
	*at = counter->next;
	leave_row(counters, counter);
	counters->count--;
	free(counter);
}

static struct counter *
find(struct memory_counters *counters, const struct memory_counter_key *key)
{
	struct counter *counter = *place_of(counters, key);

	while (counter != NULL && !is_key(&counter->key, key))
		counter = counter->next;
	return counter;
}

static struct counter *
make(struct memory_counters *counters, const struct memory_counter_key *key,
    int64_t slot)
{
	struct counter **at = place_of(counters, key);
	struct counter *counter;

	if (counters->count >= counters->count_max)
		discard(counters, counters->oldest);
	counter = calloc(1, sizeof *counter);
	if (counter == NULL)
		return NULL;
	counter->key = *key;
	counter->newest_slot = slot;
	counter->next = *at;
	*at = counter;
	join_row(counters, counter);
	counters->count++;
	return counter;
}

/* NULL: of a slot that has ceased to count, or has not come yet. */
static int32_t *
units_of(struct counter *counter, int64_t slot)
{
	int64_t age = counter->newest_slot - slot;

	if (age < 0 || age >= WINDOW_COUNTED)
		return NULL;
	return &counter->units[seconds_into_slot(slot, WINDOW_COUNTED)];
}

/* What was taken counts as taken now: nobody can tell when it was. */
static void
turn_back(struct counter *counter, int64_t slot)
{
	int64_t all = 0;

	for (int i = 0; i < WINDOW_COUNTED; i++)
		all += counter->units[i];
	memset(counter->units, 0, sizeof counter->units);
	counter->newest_slot = slot;
	*units_of(counter, slot) =
	    (int32_t)(all < WINDOW_MAX ? all : WINDOW_MAX);
}

/* A session that asked just before a slot began may come after one that asked
 * just after; else the clock went back. */
static void
advance(struct counter *counter, int64_t slot)
{
	int64_t ahead = slot - counter->newest_slot;

	if (ahead == 0 || ahead == -1)
		return;
	if (ahead < 0) {
		turn_back(counter, slot);
		return;
	}
	counter->newest_slot = slot;
	if (ahead >= WINDOW_COUNTED)
		memset(counter->units, 0, sizeof counter->units);
	else
		for (; ahead > 0; ahead--)
			*units_of(counter, slot - ahead + 1) = 0;
}

static void
read_units(struct counter *counter, int64_t slot, int64_t period,
    struct window_counts *counts)
{
	int count = WINDOW_SLOT_NOW + window_slots_before(period) + 1;

	for (int i = 0; i < count; i++) {
		const int32_t *units =
		    units_of(counter, slot + WINDOW_SLOT_NOW - i);

		counts->slots[i] = units == NULL ? 0 : *units;
	}
}

bool
memory_counters_take(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now, int64_t units,
    struct window_counts *counts_r)
{
	int64_t slot = window_slot(now, key->period);
	struct counter *counter = find(counters, key);
	int32_t *taken;

	*counts_r = (struct window_counts){.units = units};
	if (counter == NULL && units == 0)
		return true;
	if (counter == NULL)
		counter = make(counters, key, slot);
	if (counter == NULL)
		return false;
	leave_row(counters, counter);
	join_row(counters, counter);
	advance(counter, slot);
	taken = units_of(counter, slot);
	*taken += (int32_t)(units < WINDOW_MAX - *taken ? units
							: WINDOW_MAX - *taken);
	read_units(counter, slot, key->period, counts_r);
	return true;
}

void
memory_counters_peek(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now,
    struct window_counts *counts_r)
{
	int64_t slot = window_slot(now, key->period);
	const struct counter *counter = find(counters, key);
	struct counter copy;

	*counts_r = (struct window_counts){.units = 0};
	if (counter == NULL)
		return;
	copy = *counter;
	advance(&copy, slot);
	read_units(&copy, slot, key->period, counts_r);
}

void
memory_counters_return(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now, int64_t units)
{
	struct counter *counter = find(counters, key);
	int32_t *taken = NULL;

	if (counter != NULL)
		taken = units_of(counter, window_slot(now, key->period));
	if (taken != NULL)
		*taken = *taken > units ? (int32_t)(*taken - units) : 0;
}

static bool
is_useless(const struct counter *counter, int64_t now)
{
	return window_slot(now, counter->key.period) >
	    counter->newest_slot + WINDOW_SLOTS;
}

void
memory_counters_expire(struct memory_counters *counters, int64_t now)
{
	size_t each = counters->place_count / SLICES + 1;
	struct counter *counter, *next;

	for (size_t i = 0; i < each; i++) {
		counters->slice = (counters->slice + 1) % counters->place_count;
		for (counter = counters->places[counters->slice];
		     counter != NULL; counter = next) {
			next = counter->next;
			if (is_useless(counter, now))
				discard(counters, counter);
		}
	}
}

size_t
memory_counters_count(const struct memory_counters *counters)
{
	return counters->count;
}

/* In the order of use, as a holder's are in many places. */
size_t
memory_counters_forget(
    struct memory_counters *counters, const char holder[TRIPLET_SIZE])
{
	struct counter *counter, *newer;
	size_t count = 0;

	for (counter = counters->oldest; counter != NULL; counter = newer) {
		newer = counter->newer;
		if (memcmp(counter->key.holder, holder, TRIPLET_LENGTH) != 0)
			continue;
		discard(counters, counter);
		count++;
	}
	return count;
}
