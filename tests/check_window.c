#include "policy/window.h"

#include <math.h>

#include "lib/check_main.h"

#define HOUR INT64_C(3600)
#define EDGE (HOUR * 500000) /* a window begins */
#define HALF (EDGE + HOUR / 2)

static const struct {
	const char *when;
	int64_t now, period, id;
} id_rows[] = {
    {"a window begins on its edge", EDGE, HOUR, 500000},
    {"one second before is the window before", EDGE - 1, HOUR, 499999},
    {"a window lasts its period", EDGE + HOUR - 1, HOUR, 500000},
    {"before 1970 windows go on downwards", -1, HOUR, -1},
    {"a period of 0 counts as 1 s", 77, 0, 77},
    {"the start of time", INT64_MIN, 1, INT64_MIN},
};

START_TEST(ids)
{
	ck_assert_msg(
	    window_id(id_rows[_i].now, id_rows[_i].period) == id_rows[_i].id,
	    "%s", id_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	int64_t limit, units, current, previous, now;
	bool admits;
	int64_t wait;
} rows[] = {
    {"the first is admitted", 5, 1, 1, 0, EDGE, true, 0},
    {"the last that fits is admitted", 5, 1, 5, 0, EDGE, true, 0},
    {"one more waits until a fifth of the window has faded", 5, 1, 6, 0, EDGE,
	false, HOUR + HOUR / 5},
    {"late in the window it waits less", 5, 1, 6, 0, EDGE + HOUR - 1, false,
	1 + HOUR / 5},
    {"the window before counts in full on the edge", 5, 1, 1, 5, EDGE, false,
	HOUR / 5},
    {"one second early is too early", 5, 1, 1, 5, EDGE + HOUR / 5 - 1, false,
	1},
    {"exactly on time is admitted", 5, 1, 1, 5, EDGE + HOUR / 5, true, 0},
    {"half-way the window before counts half", 10, 1, 6, 8, HALF, true, 0},
    {"and not a unit less", 10, 1, 6, 10, HALF, false, HOUR / 10},
    {"two full windows in a row: wait into the next", 5, 1, 6, 5, HALF, false,
	HOUR / 2 + HOUR / 5},
    {"several units fit together", 10, 4, 10, 0, EDGE, true, 0},
    {"or not at all: others must fade by our four", 10, 4, 11, 0, EDGE, false,
	HOUR + 515},
    {"more units than the limit never fit", 5, 6, 6, 0, EDGE, false, HOUR},
    {"a limit of 0 admits nobody", 0, 1, 1, 0, EDGE, false, HOUR},
    {"a read without units is always within an unused limit", 0, 0, 0, 0, EDGE,
	true, 0},
    {"only reading: at the limit is still within", 5, 0, 5, 0, EDGE, true, 0},
    {"only reading: above it waits until enough has faded", 5, 0, 6, 0, EDGE,
	false, HOUR + HOUR / 6},
    {"negative counters count as nothing", 5, 1, INT64_MIN, INT64_MIN, EDGE,
	true, 0},
    {"full counters do not overflow", 5, 1, INT64_MAX, INT64_MAX, HALF, false,
	HOUR + HOUR / 2},
    {"nor do full limits", INT64_MAX, INT64_MAX, INT64_MAX, 0, HALF, true, 0},
    {"a negative limit admits nobody", -5, 1, 1, 0, EDGE, false, HOUR},
};

START_TEST(admission)
{
	const struct window_terms terms = {rows[_i].limit, HOUR};
	const struct window_counts counts = {
	    rows[_i].units, rows[_i].current, rows[_i].previous};
	int64_t wait = -1;
	bool admits = window_admits(&terms, &counts, rows[_i].now, &wait);

	ck_assert_msg(admits == rows[_i].admits && wait == rows[_i].wait,
	    "%s: got %d, wait %lld", rows[_i].when, admits, (long long)wait);
}
END_TEST

static const struct {
	const char *when;
	int64_t current, previous, now, period;
	double estimate;
} estimate_rows[] = {
    {"nothing is 0", 0, 0, EDGE, HOUR, 0},
    {"the window before counts in full on the edge", 2, 8, EDGE, HOUR, 10},
    {"half of it half-way", 2, 8, HALF, HOUR, 6},
    {"next to nothing of it at the end", 2, 3600, EDGE + HOUR - 1, HOUR, 3},
    {"negative counters count as nothing", -1, -1, EDGE, HOUR, 0},
    {"a senseless period counts as 1 s", 2, 8, EDGE, -HOUR, 10},
    {"huge counters stay finite", INT64_MAX, INT64_MAX, EDGE, INT64_MAX,
	2e9 - (EDGE % WINDOW_MAX)},
};

START_TEST(estimates)
{
	const struct window_counts counts = {
	    0, estimate_rows[_i].current, estimate_rows[_i].previous};
	double got = window_estimate(
	    &counts, estimate_rows[_i].now, estimate_rows[_i].period);

	ck_assert_msg(fabs(got - estimate_rows[_i].estimate) < 1e-6,
	    "%s: got %f", estimate_rows[_i].when, got);
}
END_TEST

/* A small store for the properties below: one counter per window. */

#define WINDOWS 64

struct ledger {
	int64_t units[WINDOWS];
};

static bool
attempt(struct ledger *ledger, const struct window_terms *terms, int64_t now,
    int64_t *wait_r)
{
	int64_t id = window_id(now, terms->period);
	struct window_counts counts;
	bool admits;

	counts.units = 1;
	counts.current = ++ledger->units[id];
	counts.previous = id > 0 ? ledger->units[id - 1] : 0;
	admits = window_admits(terms, &counts, now, wait_r);
	if (!admits)
		ledger->units[id]--; /* deferred: given back */
	return admits;
}

START_TEST(a_crowd_gets_exactly_the_limit)
{
	const struct window_terms terms = {5, 60};
	struct window_counts counts = {1, 0, 0};
	int64_t wait;
	int admitted = 0;

	/* All take before anyone gives back, as parallel sessions may. */
	for (counts.current = 1; counts.current <= 50; counts.current++)
		admitted += window_admits(&terms, &counts, 6000, &wait);
	ck_assert_int_eq(admitted, 5);
}
END_TEST

START_TEST(hammering_does_not_starve_the_hammer)
{
	const struct window_terms terms = {5, 60};
	struct ledger ledger = {{0}};
	int64_t wait;
	int admitted = 0;

	for (int64_t half = 0; half < 2 * 60 * 60; half++)
		admitted += attempt(&ledger, &terms, half / 2, &wait);
	ck_assert_msg(admitted >= 60 * 4 && admitted <= 60 * 5,
	    "an hour at 5 a minute gave %d", admitted);
}
END_TEST

START_TEST(the_wait_is_exact)
{
	const struct window_terms terms = {7, 60};
	struct ledger ledger = {{0}}, before;
	int64_t now = 0, wait, ignored;

	while (now < 50 * 60) {
		if (attempt(&ledger, &terms, now, &wait)) {
			now += now % 3;
			continue;
		}
		before = ledger;
		ck_assert(!attempt(&ledger, &terms, now + wait - 1, &ignored));
		ck_assert(attempt(&ledger, &terms, now + wait, &ignored));
		ledger = before;
		now += wait;
	}
}
END_TEST

CHECK_MAIN("window", tcase)
{
	tcase_add_loop_test(tcase, ids, 0, COUNT(id_rows));
	tcase_add_loop_test(tcase, admission, 0, COUNT(rows));
	tcase_add_loop_test(tcase, estimates, 0, COUNT(estimate_rows));
	tcase_add_test(tcase, a_crowd_gets_exactly_the_limit);
	tcase_add_test(tcase, hammering_does_not_starve_the_hammer);
	tcase_add_test(tcase, the_wait_is_exact);
}
