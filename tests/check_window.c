#include "policy/window.h"

#include <string.h>

#include "lib/check_main.h"

#define HOUR INT64_C(3600)
#define SLOT (HOUR / WINDOW_SLOTS)
#define EDGE (HOUR * 500000) /* an hour begins, and so does a slot */

static const struct {
	const char *when;
	int64_t now, period, slot;
} slot_rows[] = {
    {"a period begins on its edge", EDGE, HOUR, 5000000},
    {"one second before is the slot before", EDGE - 1, HOUR, 4999999},
    {"a slot lasts a tenth of the period", EDGE + SLOT - 1, HOUR, 5000000},
    {"then the next one begins", EDGE + SLOT, HOUR, 5000001},
    {"borders may lie between seconds", 14, 15, 9},
    {"and so a slot of 1.5 s may have two of them", 1, 15, 0},
    {"or one", 2, 15, 1},
    {"no slot is shorter than a second", 2, 3, 2},
    {"before 1970 slots go on downwards", -1, HOUR, -1},
    {"a period of 0 counts as 1 s", 77, 0, 77},
    {"times without sense stay where they are", INT64_MIN, 1,
	-(INT64_MAX / 64)},
    {"on either side", INT64_MAX, 1, INT64_MAX / 64},
};

START_TEST(slots)
{
	ck_assert_msg(window_slot(slot_rows[_i].now, slot_rows[_i].period) ==
		slot_rows[_i].slot,
	    "%s", slot_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	int64_t period, before, life;
} life_rows[] = {
    {"an hour", 3600, 10, 3600 + 360 + 1},
    {"a minute", 60, 10, 60 + 6 + 1},
    {"a period that is no multiple of ten", 15, 10, 15 + 2 + 1},
    {"some seconds", 3, 3, 3 + 1 + 1},
    {"a second", 1, 1, 1 + 1 + 1},
    {"no period", INT64_MIN, 1, 1 + 1 + 1},
    {"a long one", INT64_MAX, 10, WINDOW_MAX + WINDOW_MAX / 10 + 1},
};

START_TEST(lives)
{
	int64_t period = life_rows[_i].period;

	ck_assert_msg(window_slots_before(period) == life_rows[_i].before &&
		window_life(period) == life_rows[_i].life,
	    "%s", life_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	int64_t limit, units;
	int64_t slots[WINDOW_COUNTED]; /* that after now, that of now, ... */
	int64_t now;
	bool admits;
	int64_t wait;
} rows[] = {
    {"the first is admitted", 5, 1, {0, 1}, EDGE, true, 0},
    {"the last that fits is admitted", 5, 1, {0, 5}, EDGE, true, 0},
    {"one more waits until this slot has ceased to count", 5, 1, {0, 6}, EDGE,
	false, HOUR + SLOT},
    {"late in the slot it waits less", 5, 1, {0, 6}, EDGE + SLOT - 1, false,
	HOUR + 1},
    {"the slot that began a period ago counts in full", 5, 1,
	{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}, EDGE, false, SLOT},
    {"to its very end", 5, 1, {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5},
	EDGE + SLOT - 1, false, 1},
    {"of several the oldest go first", 5, 1,
	{0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2}, EDGE, false, SLOT},
    {"as many as are needed", 5, 3, {0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2}, EDGE,
	false, 2 * SLOT},
    {"who was a moment ahead counts", 5, 1, {5, 1}, EDGE, false,
	HOUR + 2 * SLOT},
    {"several units fit together", 10, 4, {0, 10}, EDGE, true, 0},
    {"or not at all: others must go", 10, 4, {0, 8, 0, 0, 0, 3}, EDGE, false,
	7 * SLOT},
    {"more units than the limit never fit", 5, 6, {0, 6}, EDGE, false, HOUR},
    {"a limit of 0 admits nobody", 0, 1, {0, 1}, EDGE, false, HOUR},
    {"a read without units is always within an unused limit", 0, 0, {0}, EDGE,
	true, 0},
    {"only reading: at the limit is still within", 5, 0, {0, 5}, EDGE, true, 0},
    {"only reading: above it waits until enough have gone", 5, 0, {0, 6}, EDGE,
	false, HOUR + SLOT},
    {"negative counts are nothing", 5, 1, {INT64_MIN, 1, INT64_MIN}, EDGE, true,
	0},
    {"full counts do not overflow", 5, 1,
	{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}, EDGE, false,
	HOUR + 2 * SLOT},
    {"nor do full limits", INT64_MAX, INT64_MAX, {0, INT64_MAX}, EDGE, true, 0},
    {"a negative limit admits nobody", -5, 1, {0, 1}, EDGE, false, HOUR},
};

START_TEST(admission)
{
	const struct window_terms terms = {rows[_i].limit, HOUR};
	struct window_counts counts = {.units = rows[_i].units};
	int64_t wait = -1;
	bool admits;

	memcpy(counts.slots, rows[_i].slots, sizeof counts.slots);
	admits = window_admits(&terms, &counts, rows[_i].now, &wait);
	ck_assert_msg(admits == rows[_i].admits && wait == rows[_i].wait,
	    "%s: got %d, wait %lld", rows[_i].when, admits, (long long)wait);
}
END_TEST

START_TEST(short_periods_have_fewer_slots)
{
	const struct window_terms terms = {5, 3};
	struct window_counts counts = {1, {0, 1, 0, 0, 5, 99, 99}};
	int64_t wait;

	ck_assert(!window_admits(&terms, &counts, 3000, &wait));
	ck_assert_int_eq(wait, 1);
	counts.slots[WINDOW_SLOT_NOW + 3] = 4;
	ck_assert(window_admits(&terms, &counts, 3000, &wait));
}
END_TEST

/* A small store for the properties below: a counter for each slot, and all units
 * that were let in, by tenths of a second. */

#define LEDGER_MAX 4096

struct ledger {
	struct window_terms terms;
	int64_t slots[LEDGER_MAX];
	int64_t tenths[LEDGER_MAX];
	int count;
};

static bool
attempt(struct ledger *ledger, int64_t tenth, int64_t units, int64_t *wait_r)
{
	int64_t period = ledger->terms.period, now = tenth / 10;
	int64_t slot = window_slot(now, period);
	struct window_counts counts = {.units = units};

	ledger->slots[slot] += units;
	for (int i = 0; i <= WINDOW_SLOT_NOW + window_slots_before(period); i++)
		if (slot + WINDOW_SLOT_NOW >= i)
			counts.slots[i] =
			    ledger->slots[slot + WINDOW_SLOT_NOW - i];
	if (!window_admits(&ledger->terms, &counts, now, wait_r)) {
		ledger->slots[slot] -= units; /* deferred: given back */
		return false;
	}
	for (; units > 0; units--)
		ledger->tenths[ledger->count++] = tenth;
	return true;
}

/* Units that were let in during so many tenths of a second up to a moment, both
 * ends included. */
static int64_t
let_in(const struct ledger *ledger, int64_t tenth, int64_t tenths)
{
	int64_t count = 0;

	for (int i = 0; i < ledger->count; i++)
		count += ledger->tenths[i] >= tenth - tenths &&
		    ledger->tenths[i] <= tenth;
	return count;
}

static const struct window_terms traffic_rows[] = {{3, 30}, {1, 1}, {4, 3},
    {7, 7}, {5, 9}, {5, 10}, {6, 11}, {9, 19}, {20, 60}, {50, 61}, {2, 200}};

static uint32_t
some(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

/* Whatever comes whenever: never more than the limit within any period, and
 * nobody is refused for what was let in longer ago than its life. */
START_TEST(no_period_holds_more_than_the_limit)
{
	const struct window_terms terms = traffic_rows[_i];
	int64_t period = terms.period * 10;
	struct ledger ledger = {.terms = terms};
	uint32_t seed = 1;
	int64_t tenth = 0, wait, units, before;

	while (ledger.count < 300) {
		tenth += some(&seed, (uint32_t)(2 * period / terms.limit));
		units = 1 + some(&seed, (uint32_t)terms.limit);
		before = let_in(&ledger, tenth, window_life(terms.period) * 10);
		if (!attempt(&ledger, tenth, units, &wait))
			ck_assert_int_gt(before + units, terms.limit);
		ck_assert_int_le(let_in(&ledger, tenth, period), terms.limit);
	}
}
END_TEST

START_TEST(a_crowd_gets_exactly_the_limit)
{
	const struct window_terms terms = {5, 60};
	struct window_counts counts = {1, {0}};
	int64_t wait;
	int admitted = 0;

	/* All take before anyone gives back, as parallel sessions may. */
	for (int i = 1; i <= 50; i++) {
		counts.slots[WINDOW_SLOT_NOW] = i;
		admitted += window_admits(&terms, &counts, 6000, &wait);
	}
	ck_assert_int_eq(admitted, 5);
}
END_TEST

START_TEST(hammering_does_not_starve_the_hammer)
{
	struct ledger ledger = {.terms = {5, 60}};
	int64_t wait;

	for (int64_t half = 0; half < 2 * HOUR; half++)
		(void)attempt(&ledger, half * 5, 1, &wait);
	ck_assert_msg(ledger.count >= 5 * HOUR / 66 && ledger.count <= 5 * 60,
	    "an hour at 5 a minute gave %d", ledger.count);
}
END_TEST

START_TEST(the_wait_is_exact)
{
	struct ledger ledger = {.terms = traffic_rows[_i]}, before;
	int64_t now = 0, wait, ignored;

	while (ledger.count < 200) {
		if (attempt(&ledger, now * 10, 1, &wait)) {
			now += now % 3;
			continue;
		}
		before = ledger;
		ck_assert(
		    !attempt(&ledger, (now + wait - 1) * 10, 1, &ignored));
		ck_assert(attempt(&ledger, (now + wait) * 10, 1, &ignored));
		ledger = before;
		now += wait;
	}
}
END_TEST

CHECK_MAIN("window", tcase)
{
	tcase_add_loop_test(tcase, slots, 0, COUNT(slot_rows));
	tcase_add_loop_test(tcase, lives, 0, COUNT(life_rows));
	tcase_add_loop_test(tcase, admission, 0, COUNT(rows));
	tcase_add_test(tcase, short_periods_have_fewer_slots);
	tcase_add_loop_test(
	    tcase, no_period_holds_more_than_the_limit, 0, COUNT(traffic_rows));
	tcase_add_test(tcase, a_crowd_gets_exactly_the_limit);
	tcase_add_test(tcase, hammering_does_not_starve_the_hammer);
	tcase_add_loop_test(tcase, the_wait_is_exact, 0, COUNT(traffic_rows));
}
