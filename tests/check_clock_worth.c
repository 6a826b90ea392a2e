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

/* Who has how many clocks, which began a minute apart, and how many are left. */
struct demand {
	uint64_t author;
	unsigned char sender;
	int count;
	int left;
};

static const struct {
	const char *when;
	size_t cap;
	struct demand demands[4];
} share_rows[] = {
    {"what fits stays", 10, {{1, 0, 4, 4}, {2, 0, 6, 6}}},
    {"a flood makes room for another's few", 10,
	{{1, 0, 100, 8}, {2, 0, 2, 2}}},
    {"also one that came first", 10, {{2, 0, 2, 2}, {1, 0, 100, 8}}},
    {"two floods share evenly", 10, {{1, 0, 100, 5}, {2, 0, 50, 5}}},
    {"many senders of one host are one host", 10,
	{{1, 1, 50, 3}, {1, 2, 50, 2}, {2, 1, 50, 5}}},
    {"a sender's flood is not its neighbour's on the host", 10,
	{{1, 1, 100, 8}, {1, 2, 2, 2}}},
    {"whoever has one keeps it before another has two", 4,
	{{1, 0, 3, 2}, {2, 0, 1, 1}, {3, 0, 1, 1}}},
};

START_TEST(shares)
{
	const struct demand *demands = share_rows[_i].demands;
	struct clock_place places[300];
	struct clock_surplus more;
	size_t count = 0, pending;

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < demands[i].count; j++, count++)
			places[count] = (struct clock_place){demands[i].author,
			    demands[i].sender, 1000 + 60 * (int64_t)count,
			    (size_t)j, 0};
	clock_places_sort(places, count, share_rows[_i].cap, &more, &pending);
	ck_assert_uint_eq(pending, count);
	for (int i = 0; i < 4; i++) {
		int left = demands[i].count;

		for (size_t j = 0; j < more.pending; j++) {
			if (places[j].author != demands[i].author ||
			    places[j].sender != demands[i].sender)
				continue;
			/* the latest go */
			ck_assert_int_ge((int)places[j].item, demands[i].left);
			left--;
		}
		ck_assert_msg(left == demands[i].left, "%s: %d of %d",
		    share_rows[_i].when, left, demands[i].left);
	}
}
END_TEST

START_TEST(a_crowd_lasts_while_it_goes_on)
{
	struct clock_crowd crowd = {0, 0};

	ck_assert_int_eq(clock_crowd_since(&crowd, NOON), 0);
	clock_crowd_note(&crowd, NOON);
	clock_crowd_note(&crowd, NOON + CLOCK_CROWD_PAUSE);
	ck_assert_int_eq(
	    clock_crowd_since(&crowd, NOON + 2 * CLOCK_CROWD_PAUSE), NOON);
	ck_assert_int_eq(
	    clock_crowd_since(&crowd, NOON + 2 * CLOCK_CROWD_PAUSE + 1), 0);
	clock_crowd_note(&crowd, NOON + 3 * CLOCK_CROWD_PAUSE);
	ck_assert_int_eq(
	    clock_crowd_since(&crowd, NOON + 3 * CLOCK_CROWD_PAUSE),
	    NOON + 3 * CLOCK_CROWD_PAUSE);
	ck_assert_int_eq(clock_crowd_since(&crowd, NOON), NOON);
}
END_TEST

/* Ages of two clocks of one thing: pending above 0, passed below, 0 for none. */
static const struct {
	const char *when;
	int64_t one, other, either;
} either_rows[] = {
    {"nothing is nothing", 0, 0, 0},
    {"what one knows is known", 60, 0, 60},
    {"whichever it is", 0, 60, 60},
    {"also if that is long forgotten", 2000, 0, 2000},
    {"a pass counts before an attempt", 60, -90, -90},
    {"on either side", -90, 60, -90},
    {"of two attempts the older", 60, 90, 90},
    {"unless it is forgotten", 60, 2000, 60},
    {"of two passes the later", -60, -90, -60},
    {"a forgotten pass does not hide an attempt", -6000, 60, 60},
};

static int64_t
clock_of_age(int64_t age)
{
	struct greylist_clock clock = {0, 0};

	if (age > 0)
		clock.first_seen = NOON - age;
	if (age < 0)
		clock.last_passed = NOON + age;
	return greylist_clock_encode(&clock);
}

START_TEST(either)
{
	struct greylist_clock clock =
	    clock_either(clock_of_age(either_rows[_i].one),
		clock_of_age(either_rows[_i].other), &terms, NOON);

	ck_assert_msg(greylist_clock_encode(&clock) ==
		clock_of_age(either_rows[_i].either),
	    "%s", either_rows[_i].when);
}
END_TEST

CHECK_MAIN("clock_worth", all)
{
	tcase_add_loop_test(all, worth, 0, COUNT(worth_rows));
	tcase_add_loop_test(all, surplus, 0, COUNT(surplus_rows));
	tcase_add_loop_test(all, shares, 0, COUNT(share_rows));
	tcase_add_test(all, a_crowd_lasts_while_it_goes_on);
	tcase_add_loop_test(all, either, 0, COUNT(either_rows));
}
