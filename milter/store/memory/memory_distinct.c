#include "store/memory/memory_distinct.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/seconds.h"

#define MEMBERS_MIN 4096
#define PLACES	    4096
#define LOOKED_AT   16 /* sets in one call of memory_distinct_expire() */

struct seen {
	uint64_t who;
	int64_t at; /* the last time */
};

struct set {
	struct set *next;  /* in its place of the table */
	struct set *older; /* in the order of use */
	struct set *newer;
	struct memory_counter_key key;
	struct seen *seen; /* base/array.h */
	size_t count;
};

struct memory_distinct {
	struct set *oldest;
	struct set *newest;
	size_t members;
	size_t members_max;
	struct set *places[PLACES];
};

struct memory_distinct *
memory_distinct_open(size_t octets)
{
	struct memory_distinct *distinct = calloc(1, sizeof *distinct);

	if (distinct == NULL)
		return NULL;
	/* An array may be half empty. */
	distinct->members_max = octets / (2 * sizeof(struct seen));
	if (distinct->members_max < MEMBERS_MIN)
		distinct->members_max = MEMBERS_MIN;
	return distinct;
}

void
memory_distinct_close(struct memory_distinct **distinct)
{
	struct set *set, *newer;

	if (*distinct == NULL)
		return;
	for (set = (*distinct)->oldest; set != NULL; set = newer) {
		newer = set->newer;
		free(set->seen);
		free(set);
	}
	free(*distinct);
	*distinct = NULL;
}

/* The holder is a keyed hash already, so nobody can choose places. */
static size_t
place_of(const struct memory_counter_key *key)
{
	uint64_t number;

	memcpy(&number, key->holder, sizeof number);
	number += (uint64_t)key->id << 20 ^ (uint64_t)key->host << 8 ^
	    (uint64_t)key->period;
	return number % PLACES;
}

static struct set *
find(const struct memory_distinct *distinct,
    const struct memory_counter_key *key)
{
	struct set *set = distinct->places[place_of(key)];

	while (set != NULL &&
	    (memcmp(set->key.holder, key->holder, TRIPLET_LENGTH) != 0 ||
		set->key.period != key->period || set->key.id != key->id ||
		set->key.host != key->host))
		set = set->next;
	return set;
}

static void
leave_row(struct memory_distinct *distinct, struct set *set)
{
	*(set->older != NULL ? &set->older->newer : &distinct->oldest) =
	    set->newer;
	*(set->newer != NULL ? &set->newer->older : &distinct->newest) =
	    set->older;
}

static void
join_row(struct memory_distinct *distinct, struct set *set)
{
	set->older = distinct->newest;
	set->newer = NULL;
	*(set->older != NULL ? &set->older->newer : &distinct->oldest) = set;
	distinct->newest = set;
}

static void
discard(struct memory_distinct *distinct, struct set *set)
{
	struct set **at = &distinct->places[place_of(&set->key)];

	while (*at != set)
		at = &(*at)->next;
	*at = set->next;
	leave_row(distinct, set);
	distinct->members -= set->count;
	free(set->seen);
	free(set);
}

static struct set *
make(struct memory_distinct *distinct, const struct memory_counter_key *key)
{
	struct set **at = &distinct->places[place_of(key)];
	struct set *set = calloc(1, sizeof *set);

	if (set == NULL)
		return NULL;
	set->key = *key;
	set->next = *at;
	*at = set;
	join_row(distinct, set);
	return set;
}

/* Drop what lies further back than the period.  What lies ahead, since the clock
 * went back, counts as seen now. */
static void
prune(struct memory_distinct *distinct, struct set *set, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->count; i++) {
		struct seen *seen = &set->seen[i];

		if (seen->at > now)
			seen->at = now;
		if (seconds_between(now, seen->at) < set->key.period)
			set->seen[kept++] = *seen;
	}
	distinct->members -= set->count - kept;
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
add(struct memory_distinct *distinct, struct set *set, uint64_t who,
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
	while (distinct->members >= distinct->members_max &&
	    distinct->oldest != set)
		discard(distinct, distinct->oldest);
	if (!array_grow(&set->seen, set->count, sizeof seen))
		return false;
	set->seen[set->count++] = seen;
	distinct->members++;
	return true;
}

bool
memory_distinct_add(struct memory_distinct *distinct,
    const struct memory_counter_key *key, int64_t now,
    const struct memory_members *members, int64_t *number_r)
{
	struct set *set = find(distinct, key);

	*number_r = 0;
	if (set == NULL && members->count == 0)
		return true;
	if (set == NULL)
		set = make(distinct, key);
	if (set == NULL)
		return false;
	leave_row(distinct, set);
	join_row(distinct, set);
	prune(distinct, set, now);
	for (size_t i = 0; i < members->count; i++)
		if (!add(distinct, set, members->who[i], now, members->most))
			return false;
	*number_r = (int64_t)set->count;
	return true;
}

static bool
counts(const struct set *set, const struct seen *seen, int64_t now)
{
	return seconds_between(now, seen->at) < set->key.period;
}

int64_t
memory_distinct_peek(const struct memory_distinct *distinct,
    const struct memory_counter_key *key, int64_t now,
    const struct memory_members *members)
{
	const struct set *set = find(distinct, key);
	int64_t number = (int64_t)members->count;

	for (size_t i = 0; set != NULL && i < set->count; i++) {
		bool again = false;

		for (size_t j = 0; j < members->count; j++)
			again = again || members->who[j] == set->seen[i].who;
		if (!again && counts(set, &set->seen[i], now))
			number++;
	}
	return number;
}

static bool
is_useless(const struct set *set, int64_t now)
{
	for (size_t i = 0; i < set->count; i++)
		if (counts(set, &set->seen[i], now))
			return false;
	return true;
}

void
memory_distinct_expire(struct memory_distinct *distinct, int64_t now)
{
	struct set *set = distinct->oldest, *newer;

	for (int i = 0; i < LOOKED_AT && set != NULL; i++, set = newer) {
		newer = set->newer;
		if (is_useless(set, now))
			discard(distinct, set);
	}
}

size_t
memory_distinct_forget(
    struct memory_distinct *distinct, const char holder[TRIPLET_SIZE])
{
	struct set *set, *newer;
	size_t count = 0;

	for (set = distinct->oldest; set != NULL; set = newer) {
		newer = set->newer;
		if (memcmp(set->key.holder, holder, TRIPLET_LENGTH) != 0)
			continue;
		discard(distinct, set);
		count++;
	}
	return count;
}
