#include "store/memory/memory_counters.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/seconds.h"

#define COUNT_MIN   256
#define SLICES	    64 /* calls in which all counters are looked at once */
#define MEMBERS_MIN 4096
#define SET_PLACES  4096
#define LOOKED_AT   16 /* sets in one call of memory_counters_expire() */

/* ---- What is kept by a key, in the order of use */

struct kept {
	struct kept *next;  /* in its place of the table */
	struct kept *older; /* in the order of use */
	struct kept *newer;
	struct memory_counter_key key;
};

struct table {
	struct kept *oldest;
	struct kept *newest;
	size_t count;
	size_t place_count;
	struct kept **places;
};

static bool
table_init(struct table *table, size_t place_count)
{
	table->place_count = place_count;
	table->places = calloc(place_count, sizeof *table->places);
	return table->places != NULL;
}

/* The holder is a keyed hash already, so nobody can choose places. */
static struct kept **
place_of(const struct table *table, const struct memory_counter_key *key)
{
	uint64_t number;

	memcpy(&number, key->holder, sizeof number);
	number += (uint64_t)key->id << 20 ^ (uint64_t)key->host << 8 ^
	    (uint64_t)key->period;
	return &table->places[number % table->place_count];
}

static bool
is_key(const struct memory_counter_key *a, const struct memory_counter_key *b)
{
	return memcmp(a->holder, b->holder, TRIPLET_LENGTH) == 0 &&
	    a->period == b->period && a->id == b->id && a->host == b->host;
}

static void *
find(const struct table *table, const struct memory_counter_key *key)
{
	struct kept *kept = *place_of(table, key);

	while (kept != NULL && !is_key(&kept->key, key))
		kept = kept->next;
	return kept;
}

static void
leave_row(struct table *table, struct kept *kept)
{
	*(kept->older != NULL ? &kept->older->newer : &table->oldest) =
	    kept->newer;
	*(kept->newer != NULL ? &kept->newer->older : &table->newest) =
	    kept->older;
}

static void
join_row(struct table *table, struct kept *kept)
{
	kept->older = table->newest;
	kept->newer = NULL;
	*(kept->older != NULL ? &kept->older->newer : &table->oldest) = kept;
	table->newest = kept;
}

/* It was used just now. */
static void
use(struct table *table, struct kept *kept)
{
	leave_row(table, kept);
	join_row(table, kept);
}

/* One of `size` octets, which begins with its struct kept.  NULL: no memory. */
static void *
make(struct table *table, const struct memory_counter_key *key, size_t size)
{
	struct kept **at = place_of(table, key);
	struct kept *kept = calloc(1, size);

	if (kept == NULL)
		return NULL;
	kept->key = *key;
	kept->next = *at;
	*at = kept;
	join_row(table, kept);
	table->count++;
	return kept;
}

static void
take_out(struct table *table, struct kept *kept)
{
	struct kept **at = place_of(table, &kept->key);

	while (*at != kept)
		at = &(*at)->next;
	*at = kept->next;
	leave_row(table, kept);
	table->count--;
}

/* ---- Both kinds */

struct counter {
	struct kept kept;
	int64_t newest_slot;	       /* window_slot() */
	int32_t units[WINDOW_COUNTED]; /* of the slots up to that, in a ring */
};

struct seen {
	uint64_t who;
	int64_t at; /* the last time */
};

struct set {
	struct kept kept;
	struct seen *seen; /* base/array.h */
	size_t count;
};

struct memory_counters {
	struct table units; /* of struct counter */
	size_t units_max;
	size_t slice;	   /* of its places, that was looked at last */
	struct table sets; /* of struct set */
	size_t members;	   /* of all sets */
	size_t members_max;
};

static void
discard_counter(struct memory_counters *counters, struct counter *counter)
{
	take_out(&counters->units, &counter->kept);
	free(counter);
}

static void
discard_set(struct memory_counters *counters, struct set *set)
{
	take_out(&counters->sets, &set->kept);
	counters->members -= set->count;
	free(set->seen);
	free(set);
}

struct memory_counters *
memory_counters_open(size_t octets)
{
	size_t count =
	    octets / (sizeof(struct counter) + sizeof(struct kept *));
	/* an array may be half empty */
	size_t members = octets / 2 / (2 * sizeof(struct seen));
	struct memory_counters *counters = calloc(1, sizeof *counters);

	if (counters == NULL)
		return NULL;
	counters->units_max = count < COUNT_MIN ? COUNT_MIN : count;
	counters->members_max = members < MEMBERS_MIN ? MEMBERS_MIN : members;
	if (!table_init(&counters->units, counters->units_max) ||
	    !table_init(&counters->sets, SET_PLACES))
		memory_counters_close(&counters);
	return counters;
}

void
memory_counters_close(struct memory_counters **counters)
{
	struct memory_counters *mine = *counters;

	if (mine == NULL)
		return;
	while (mine->units.oldest != NULL)
		discard_counter(mine, (struct counter *)mine->units.oldest);
	while (mine->sets.oldest != NULL)
		discard_set(mine, (struct set *)mine->sets.oldest);
	free(mine->units.places);
	free(mine->sets.places);
	free(mine);
	*counters = NULL;
}

/* In the order of use, as a holder's are in many places. */
size_t
memory_counters_forget(
    struct memory_counters *counters, const char holder[TRIPLET_SIZE])
{
	size_t before = counters->units.count + counters->sets.count;
	struct kept *kept, *newer;

	for (kept = counters->units.oldest; kept != NULL; kept = newer) {
		newer = kept->newer;
		if (memcmp(kept->key.holder, holder, TRIPLET_LENGTH) == 0)
			discard_counter(counters, (struct counter *)kept);
	}
	for (kept = counters->sets.oldest; kept != NULL; kept = newer) {
		newer = kept->newer;
		if (memcmp(kept->key.holder, holder, TRIPLET_LENGTH) == 0)
			discard_set(counters, (struct set *)kept);
	}
	return before - counters->units.count - counters->sets.count;
}

size_t
memory_counters_count(const struct memory_counters *counters)
{
	return counters->units.count;
}

/* ---- Units */

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

static struct counter *
make_counter(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t slot)
{
	struct counter *counter;

	if (counters->units.count >= counters->units_max)
		discard_counter(
		    counters, (struct counter *)counters->units.oldest);
	counter = make(&counters->units, key, sizeof *counter);
	if (counter != NULL)
		counter->newest_slot = slot;
	return counter;
}

static bool
take_units(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now, int64_t units,
    struct window_counts *counts)
{
	int64_t slot = window_slot(now, key->period);
	struct counter *counter = find(&counters->units, key);
	int32_t *taken;

	if (counter == NULL && units == 0)
		return true;
	if (counter == NULL)
		counter = make_counter(counters, key, slot);
	if (counter == NULL)
		return false;
	use(&counters->units, &counter->kept);
	advance(counter, slot);
	taken = units_of(counter, slot);
	*taken += (int32_t)(units < WINDOW_MAX - *taken ? units
							: WINDOW_MAX - *taken);
	read_units(counter, slot, key->period, counts);
	return true;
}

static void
peek_units(const struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now,
    struct window_counts *counts)
{
	int64_t slot = window_slot(now, key->period);
	const struct counter *counter = find(&counters->units, key);
	struct counter copy;

	if (counter == NULL)
		return;
	copy = *counter;
	advance(&copy, slot);
	read_units(&copy, slot, key->period, counts);
}

static void
give_back(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now, int64_t units)
{
	struct counter *counter = find(&counters->units, key);
	int32_t *taken = NULL;

	if (counter != NULL)
		taken = units_of(counter, window_slot(now, key->period));
	if (taken != NULL)
		*taken = *taken > units ? (int32_t)(*taken - units) : 0;
}

/* ---- Sets */

static bool
counts(const struct set *set, const struct seen *seen, int64_t now)
{
	return seconds_between(now, seen->at) < set->kept.key.period;
}

/* Drop what lies further back than the period.  What lies ahead, since the clock
 * went back, counts as seen now. */
static void
prune(struct memory_counters *counters, struct set *set, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->count; i++) {
		struct seen *seen = &set->seen[i];

		if (seen->at > now)
			seen->at = now;
		if (counts(set, seen, now))
			set->seen[kept++] = *seen;
	}
	counters->members -= set->count - kept;
	set->count = kept;
}

/* That was seen longest ago. */
static struct seen *
oldest_of(const struct set *set)
{
	struct seen *oldest = &set->seen[0];

	for (size_t i = 1; i < set->count; i++)
		if (set->seen[i].at < oldest->at)
			oldest = &set->seen[i];
	return oldest;
}

static bool
add(struct memory_counters *counters, struct set *set, uint64_t who,
    int64_t now, size_t most)
{
	const struct seen seen = {who, now};

	for (size_t i = 0; i < set->count; i++)
		if (set->seen[i].who == who) {
			set->seen[i].at = now;
			return true;
		}
	if (set->count > 0 && set->count >= most) {
		*oldest_of(set) = seen;
		return true;
	}
	while (counters->members >= counters->members_max &&
	    counters->sets.oldest != &set->kept)
		discard_set(counters, (struct set *)counters->sets.oldest);
	if (!array_grow(&set->seen, set->count, sizeof seen))
		return false;
	set->seen[set->count++] = seen;
	counters->members++;
	return true;
}

static bool
take_distinct(struct memory_counters *counters,
    const struct memory_counter_key *key,
    const struct memory_counting *counting, int64_t *number_r)
{
	struct set *set = find(&counters->sets, key);

	if (set == NULL && counting->count == 0)
		return true;
	if (set == NULL)
		set = make(&counters->sets, key, sizeof *set);
	if (set == NULL)
		return false;
	use(&counters->sets, &set->kept);
	prune(counters, set, counting->now);
	for (size_t i = 0; i < counting->count; i++)
		if (!add(counters, set, counting->who[i], counting->now,
			counting->most))
			return false;
	*number_r = (int64_t)set->count;
	return true;
}

static int64_t
peek_distinct(const struct memory_counters *counters,
    const struct memory_counter_key *key,
    const struct memory_counting *counting)
{
	const struct set *set = find(&counters->sets, key);
	int64_t number = (int64_t)counting->count;

	for (size_t i = 0; set != NULL && i < set->count; i++) {
		bool again = false;

		for (size_t j = 0; j < counting->count; j++)
			again = again || counting->who[j] == set->seen[i].who;
		if (!again && counts(set, &set->seen[i], counting->now))
			number++;
	}
	return number;
}

/* ---- Either */

bool
memory_counters_take(struct memory_counters *counters,
    const struct memory_counter_key *key,
    const struct memory_counting *counting, struct window_counts *counts_r)
{
	int64_t *number = &counts_r->slots[WINDOW_SLOT_NOW];

	*counts_r = (struct window_counts){
	    .units =
		counting->peeks || counting->is_distinct ? 0 : counting->units};
	if (counting->is_distinct && !counting->peeks)
		return take_distinct(counters, key, counting, number);
	if (counting->is_distinct)
		*number = peek_distinct(counters, key, counting);
	else if (counting->peeks)
		peek_units(counters, key, counting->now, counts_r);
	else if (counting->units < 0)
		give_back(counters, key, counting->now, -counting->units);
	else
		return take_units(
		    counters, key, counting->now, counting->units, counts_r);
	return true;
}

/* ---- Expiry */

static bool
is_useless(const struct counter *counter, int64_t now)
{
	return window_slot(now, counter->kept.key.period) >
	    counter->newest_slot + WINDOW_SLOTS;
}

static bool
is_useless_set(const struct set *set, int64_t now)
{
	for (size_t i = 0; i < set->count; i++)
		if (counts(set, &set->seen[i], now))
			return false;
	return true;
}

void
memory_counters_expire(struct memory_counters *counters, int64_t now)
{
	size_t places = counters->units.place_count;
	struct kept *kept, *next;

	for (size_t i = 0; i < places / SLICES + 1; i++) {
		counters->slice = (counters->slice + 1) % places;
		kept = counters->units.places[counters->slice];
		for (; kept != NULL; kept = next) {
			next = kept->next;
			if (is_useless((struct counter *)kept, now))
				discard_counter(
				    counters, (struct counter *)kept);
		}
	}
	kept = counters->sets.oldest;
	for (int i = 0; i < LOOKED_AT && kept != NULL; i++, kept = next) {
		next = kept->newer;
		if (is_useless_set((struct set *)kept, now))
			discard_set(counters, (struct set *)kept);
	}
}
