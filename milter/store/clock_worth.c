#include "store/clock_worth.h"

#include <stdlib.h>

#include "base/seconds.h"

#define EPOCH	    INT64_C(1704067200) /* 2024-01-01 00:00:00 UTC */
#define ENCODED_MAX (INT64_C(1) << 40)

int64_t
greylist_clock_encode(const struct greylist_clock *clock)
{
	if (clock->last_passed != 0)
		return -seconds_clamp(
		    seconds_between(clock->last_passed, EPOCH), 1, ENCODED_MAX);
	if (clock->first_seen != 0)
		return seconds_clamp(
		    seconds_between(clock->first_seen, EPOCH), 1, ENCODED_MAX);
	return 0;
}

struct greylist_clock
greylist_clock_decode(int64_t stored)
{
	struct greylist_clock clock = {0, 0};

	stored = seconds_clamp(stored, -ENCODED_MAX, ENCODED_MAX);
	if (stored > 0)
		clock.first_seen = EPOCH + stored;
	else if (stored < 0)
		clock.last_passed = EPOCH - stored;
	return clock;
}

static int64_t
clock_age(int64_t clock, int64_t now)
{
	struct greylist_clock at = greylist_clock_decode(clock);
	int64_t age =
	    seconds_between(now, clock > 0 ? at.first_seen : at.last_passed);

	return age > 0 ? age : 0;
}

enum clock_worth
clock_worth(int64_t clock, enum clock_space space,
    const struct store_terms *terms, int64_t now)
{
	int64_t age = clock_age(clock, now);

	if (clock == 0)
		return CLOCK_FORGOTTEN;
	if (clock < 0)
		return age > terms->worthy_life ? CLOCK_FORGOTTEN
						: CLOCK_PASSED;
	if (space == CLOCK_REAL && age >= terms->abandoned_after)
		return CLOCK_ABANDONED;
	return age > terms->pending_life ? CLOCK_FORGOTTEN : CLOCK_PENDING;
}

struct clock_surplus
clock_surplus(size_t cap, size_t pending, size_t passed)
{
	struct clock_surplus surplus = {0, 0};
	size_t half = cap / 2, more;

	if (pending + passed <= cap)
		return surplus;
	more = pending + passed - cap;
	if (pending > half)
		surplus.pending = more < pending - half ? more : pending - half;
	surplus.passed = more - surplus.pending;
	return surplus;
}

/* Encoded, both kinds are ordered by their distance from 0. */
static int
compare_age(const struct clock_place *x, const struct clock_place *y)
{
	int64_t a = x->clock < 0 ? -x->clock : x->clock;
	int64_t b = y->clock < 0 ? -y->clock : y->clock;

	return (a > b) - (a < b);
}

/* Pending first, by author and sender, the oldest of each first. */
static int
compare_senders(const void *a, const void *b)
{
	const struct clock_place *x = a, *y = b;

	if ((x->clock > 0) != (y->clock > 0))
		return x->clock > 0 ? -1 : 1;
	if (x->clock < 0)
		return compare_age(x, y);
	if (x->author != y->author)
		return x->author < y->author ? -1 : 1;
	if (x->sender != y->sender)
		return x->sender < y->sender ? -1 : 1;
	return compare_age(x, y);
}

/* By author, and in it by order. */
static int
compare_authors(const void *a, const void *b)
{
	const struct clock_place *x = a, *y = b;

	if (x->author != y->author)
		return x->author < y->author ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return compare_age(x, y);
}

/* The last in order first, and of these the latest. */
static int
compare_order(const void *a, const void *b)
{
	const struct clock_place *x = a, *y = b;

	if (x->order != y->order)
		return x->order > y->order ? -1 : 1;
	return compare_age(y, x);
}

/* Number the places of each author (and sender) in the order in which they
 * stand. */
static void
number_places(struct clock_place *places, size_t count, bool by_sender)
{
	for (size_t i = 0; i < count; i++) {
		bool goes_on = i > 0 &&
		    places[i].author == places[i - 1].author &&
		    (!by_sender || places[i].sender == places[i - 1].sender);

		places[i].order = goes_on ? places[i - 1].order + 1 : 0;
	}
}

void
clock_places_sort(struct clock_place *places, size_t count, size_t cap,
    struct clock_surplus *surplus_r, size_t *pending_r)
{
	size_t pending = 0;

	for (size_t i = 0; i < count; i++)
		pending += places[i].clock > 0;
	*pending_r = pending;
	*surplus_r = clock_surplus(cap, pending, count - pending);
	if (surplus_r->pending + surplus_r->passed == 0)
		return;
	qsort(places, count, sizeof *places, compare_senders);
	if (surplus_r->pending == 0)
		return;
	number_places(places, pending, true);
	qsort(places, pending, sizeof *places, compare_authors);
	number_places(places, pending, false);
	qsort(places, pending, sizeof *places, compare_order);
}

void
clock_crowd_note(struct clock_crowd *crowd, int64_t now)
{
	if (clock_crowd_since(crowd, now) == 0)
		crowd->since = now;
	crowd->last = now;
}

int64_t
clock_crowd_since(const struct clock_crowd *crowd, int64_t now)
{
	if (seconds_between(now, crowd->last) > CLOCK_CROWD_PAUSE)
		return 0;
	return crowd->since < now ? crowd->since : now;
}

struct greylist_clock
clock_either(
    int64_t one, int64_t other, const struct store_terms *terms, int64_t now)
{
	/* in any space: what was abandoned may just be asked for */
	const enum clock_space space = CLOCK_OBSERVED;

	if (one == 0 ||
	    (other != 0 &&
		clock_worth(one, space, terms, now) == CLOCK_FORGOTTEN))
		return greylist_clock_decode(other);
	if (other == 0 ||
	    clock_worth(other, space, terms, now) == CLOCK_FORGOTTEN)
		return greylist_clock_decode(one);
	return greylist_clock_decode(other < one ? other : one);
}
