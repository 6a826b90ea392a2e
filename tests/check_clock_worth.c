#include "store/clock_worth.h"

#include <stdlib.h>

#include "lib/check_main.h"

#define NOON INT64_C(1780000000)

static const struct store_terms terms = {
    .pending_life = 1000, .worthy_life = 5000, .abandoned_after = 400};

static const struct {
	const char *when;
	enum clock_space space;
	int64_t first_ago, passed_ago; /* 0: never */
	enum clock_worth worth;
} worth_rows[] = {
    {"no clock is of no use", CLOCK_REAL, 0, 0, CLOCK_FORGOTTEN},
    {"a first attempt is pending", CLOCK_REAL, 399, 0, CLOCK_PENDING},
    {"until it is abandoned", CLOCK_REAL, 400, 0, CLOCK_ABANDONED},
    {"which it stays", CLOCK_REAL, 2000, 0, CLOCK_ABANDONED},
    {"one of a rule on trial is never abandoned", CLOCK_OBSERVED, 1000, 0,
	CLOCK_PENDING},
    {"it is forgotten after the retry window", CLOCK_OBSERVED, 1001, 0,
	CLOCK_FORGOTTEN},
    {"so is that of a rule which defers on trial", CLOCK_DEFERRED, 1001, 0,
	CLOCK_FORGOTTEN},
    {"a pass is kept for long", CLOCK_REAL, 0, 5000, CLOCK_PASSED},
    {"but not for ever", CLOCK_REAL, 0, 5001, CLOCK_FORGOTTEN},
    {"an attempt in the future is pending", CLOCK_REAL, -60, 0, CLOCK_PENDING},
    {"a pass in the future is a pass", CLOCK_REAL, 0, -60, CLOCK_PASSED},
};

START_TEST(worth)
{
	struct greylist_clock clock = {0, 0};

	if (worth_rows[_i].first_ago != 0)
		clock.first_seen = NOON - worth_rows[_i].first_ago;
	if (worth_rows[_i].passed_ago != 0)
		clock.last_passed = NOON - worth_rows[_i].passed_ago;
	ck_assert_msg(
	    clock_worth(greylist_clock_encode(&clock), worth_rows[_i].space,
		&terms, NOON) == worth_rows[_i].worth,
	    "%s", worth_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	size_t cap, pending, passed;
	struct clock_surplus surplus;
} surplus_rows[] = {
    {"what fits stays", 10, 3, 7, {0, 0}},
    {"passes may have what attempts leave free", 10, 0, 10, {0, 0}},
    {"attempts may have what passes leave free", 10, 10, 0, {0, 0}},
    {"a first attempt takes the place of a pass", 10, 1, 10, {0, 1}},
    {"attempts beyond half of the cap go before any pass", 10, 8, 5, {3, 0}},
    {"passes beyond half of the cap go before any attempt", 10, 5, 8, {0, 3}},
    {"of too many of both, half of the cap is left to each", 10, 100, 100,
	{95, 95}},
    {"few passes leave much to attempts", 10, 100, 2, {92, 0}},
    {"few attempts leave much to passes", 10, 2, 100, {0, 92}},
    {"half of an odd cap is less for attempts", 11, 100, 100, {95, 94}},
    {"a cap of one has room for a pass", 1, 1, 1, {1, 0}},
    {"a cap of nothing has room for nothing", 0, 3, 2, {3, 2}},
};

START_TEST(surplus)
{
	struct clock_surplus is = clock_surplus(surplus_rows[_i].cap,
	    surplus_rows[_i].pending, surplus_rows[_i].passed);

	ck_assert_msg(is.pending == surplus_rows[_i].surplus.pending &&
		is.passed == surplus_rows[_i].surplus.passed,
	    "%s: %zu pending, %zu passed", surplus_rows[_i].when, is.pending,
	    is.passed);
}
END_TEST

CHECK_MAIN("clock_worth", all)
{
	tcase_add_loop_test(all, worth, 0, COUNT(worth_rows));
	tcase_add_loop_test(all, surplus, 0, COUNT(surplus_rows));
}
