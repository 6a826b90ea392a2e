#include "store/redis/store_redis_clock.h"

#include <stdio.h>
#include <string.h>

#include "lib/check_main.h"

#define NOON   INT64_C(1780000000)
#define SECOND INT64_C(1000000)
#define STEADY (INT64_C(5000) * SECOND) /* at noon */
#define YEAR   (INT64_C(365) * 86400)

static struct redis_clock *
clock_new(void)
{
	static struct redis_clock clock;

	memset(&clock, 0, sizeof clock);
	redis_clock_init(&clock);
	return &clock;
}

/* The answer to TIME with these words, `after` seconds past noon. */
static enum clock_news
learn(struct redis_clock *clock, const char *seconds, const char *micros,
    int64_t after, int64_t calendar)
{
	const struct clock_moment moment = {STEADY + after * SECOND - 1000,
	    STEADY + after * SECOND + 1000, calendar};
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply = NULL;
	enum clock_news news;
	int64_t change;
	char text[128];

	snprintf(text, sizeof text, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
	    strlen(seconds), seconds, strlen(micros), micros);
	resp_feed(parser, text, strlen(text));
	ck_assert_int_eq(resp_next(parser, &reply), RESP_REPLY);
	news = redis_clock_learn(clock, reply, &moment, &change);
	resp_reply_free(&reply);
	resp_parser_close(&parser);
	return news;
}

static enum clock_news
learn_seconds(
    struct redis_clock *clock, int64_t seconds, int64_t after, int64_t calendar)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)seconds);
	return learn(clock, text, "0", after, calendar);
}

/* What Redis's clock says at noon, by what was learned. */
static int64_t
at_noon(const struct redis_clock *clock)
{
	return (STEADY + atomic_load(&clock->ahead)) / SECOND;
}

static const struct {
	const char *when, *seconds, *micros;
} nonsense_rows[] = {
    {"the end of time", "9223372036854775807", "0"},
    {"beyond any number", "99999999999999999999", "0"},
    {"after the year 9999", "253402300800", "0"},
    {"before 1970", "-1", "0"},
    {"microseconds of a second and more", "1780000000", "1000000"},
    {"microseconds without end", "1780000000", "9223372036854775807"},
    {"negative microseconds", "1780000000", "-1"},
    {"a word", "noon", "0"},
};

START_TEST(nonsense_is_not_learned)
{
	struct redis_clock *clock = clock_new();

	for (int i = 0; i < 2; i++)
		ck_assert_msg(learn(clock, nonsense_rows[_i].seconds,
				  nonsense_rows[_i].micros, i, NOON) ==
			(i == 0 ? CLOCK_NONSENSE : CLOCK_STILL),
		    "%s", nonsense_rows[_i].when);
	ck_assert(!redis_clock_is_known(clock));
	ck_assert_int_eq(learn_seconds(clock, NOON, 0, NOON), CLOCK_GOOD);
	(void)learn(clock, nonsense_rows[_i].seconds, nonsense_rows[_i].micros,
	    1, NOON);
	ck_assert_int_eq(at_noon(clock), NOON);
	redis_clock_clear(clock);
}
END_TEST

static const struct {
	const char *when;
	int64_t jump;	  /* of Redis's clock */
	int64_t calendar; /* of this host then, ahead of noon */
	enum clock_news news;
} leap_rows[] = {
    {"a minute is followed", 59, 0, CLOCK_GOOD},
    {"so is a minute back", -60, 0, CLOCK_GOOD},
    {"a year is not", YEAR, 0, CLOCK_LEAPT},
    {"nor six hours", 6 * 3600, 0, CLOCK_LEAPT},
    {"nor some back", -6 * 3600, 0, CLOCK_LEAPT},
    {"unless the calendar here says the same", 6 * 3600, 6 * 3600 + 30,
	CLOCK_FOLLOWED},
    {"also back", -6 * 3600, -6 * 3600, CLOCK_FOLLOWED},
    {"what the calendar says alone means nothing", 0, YEAR, CLOCK_GOOD},
};

START_TEST(jumps)
{
	struct redis_clock *clock = clock_new();
	enum clock_news news;

	(void)learn_seconds(clock, NOON, 0, NOON);
	news = learn_seconds(
	    clock, NOON + leap_rows[_i].jump, 0, NOON + leap_rows[_i].calendar);
	ck_assert_msg(news == leap_rows[_i].news, "%s", leap_rows[_i].when);
	ck_assert_int_eq(at_noon(clock),
	    news == CLOCK_LEAPT ? NOON : NOON + leap_rows[_i].jump);
	redis_clock_clear(clock);
}
END_TEST

START_TEST(a_jump_that_lasts_is_followed)
{
	struct redis_clock *clock = clock_new();

	(void)learn_seconds(clock, NOON, 0, NOON);
	for (int64_t after = 1; after < 601; after++)
		ck_assert_int_eq(learn_seconds(clock, NOON + YEAR + after,
				     after, NOON + after),
		    after == 1 ? CLOCK_LEAPT : CLOCK_STILL);
	ck_assert_int_eq(at_noon(clock), NOON);
	ck_assert_int_eq(
	    learn_seconds(clock, NOON + YEAR + 601, 601, NOON + 601),
	    CLOCK_FOLLOWED);
	ck_assert_int_eq(at_noon(clock), NOON + YEAR);
	redis_clock_clear(clock);
}
END_TEST

START_TEST(one_that_comes_and_goes_is_not)
{
	struct redis_clock *clock = clock_new();

	(void)learn_seconds(clock, NOON, 0, NOON);
	for (int64_t after = 1; after < 1300; after++)
		(void)learn_seconds(clock,
		    NOON + after + (after % 500 == 0 ? 0 : YEAR), after,
		    NOON + after);
	ck_assert_int_eq(at_noon(clock), NOON);
	redis_clock_clear(clock);
}
END_TEST

START_TEST(a_first_time_far_from_the_calendar_is_told)
{
	struct redis_clock *clock = clock_new();

	ck_assert_int_eq(
	    learn_seconds(clock, NOON + 3601, 0, NOON), CLOCK_APART);
	ck_assert_int_eq(at_noon(clock), NOON + 3601);
	ck_assert_int_eq(
	    learn_seconds(clock, NOON + 3602, 1, NOON + 1), CLOCK_GOOD);
	redis_clock_clear(clock);
}
END_TEST

CHECK_MAIN("store_redis_clock", tcase)
{
	tcase_add_loop_test(
	    tcase, nonsense_is_not_learned, 0, COUNT(nonsense_rows));
	tcase_add_loop_test(tcase, jumps, 0, COUNT(leap_rows));
	tcase_add_test(tcase, a_jump_that_lasts_is_followed);
	tcase_add_test(tcase, one_that_comes_and_goes_is_not);
	tcase_add_test(tcase, a_first_time_far_from_the_calendar_is_told);
}
