#include "policy/greylist.h"

#include "lib/check_main.h"
#include "lib/shipped.h"
#include "store/clock_worth.h"

#define NEVER INT64_C(0)
#define NOON  INT64_C(1767268800) /* 2026-01-01 12:00 UTC */
#define EPOCH INT64_C(1704067200) /* 2024-01-01 00:00 UTC */
#define HOUR  INT64_C(3600)
#define DAY   INT64_C(86400)

static const struct greylist_terms shipped = {
    GREYLIST_DELAY, GREYLIST_WINDOW, GREYLIST_KEEP};

static const struct {
	const char *when;
	int64_t first_seen, last_passed;
	enum greylist_state state;
	int64_t wait;
} rows[] = {
    {"a stranger waits the full delay", NEVER, NEVER, GREYLIST_FIRST,
	GREYLIST_DELAY},
    {"a retry at once is too early", NOON, NEVER, GREYLIST_EARLY,
	GREYLIST_DELAY},
    {"one second early is too early", NOON - GREYLIST_DELAY + 1, NEVER,
	GREYLIST_EARLY, 1},
    {"exactly on time passes", NOON - GREYLIST_DELAY, NEVER, GREYLIST_PASSED,
	0},
    {"a retry hours later passes", NOON - 5 * HOUR, NEVER, GREYLIST_PASSED, 0},
    {"the last second of the window passes", NOON - 25 * HOUR, NEVER,
	GREYLIST_PASSED, 0},
    {"after the window it is a stranger again", NOON - 25 * HOUR - 1, NEVER,
	GREYLIST_FIRST, GREYLIST_DELAY},
    {"another host's clock may be a little ahead", NOON + 5, NEVER,
	GREYLIST_EARLY, GREYLIST_DELAY},
    {"a first attempt in the future begins now", NOON + 6, NEVER,
	GREYLIST_FIRST, GREYLIST_DELAY},
    {"also one from tomorrow", NOON + 25 * HOUR, NEVER, GREYLIST_FIRST,
	GREYLIST_DELAY},
    {"and from the end of time", INT64_MAX, NEVER, GREYLIST_FIRST,
	GREYLIST_DELAY},
    {"a time before 1970 is long ago", INT64_MIN, NEVER, GREYLIST_FIRST,
	GREYLIST_DELAY},
    {"who has passed passes", NEVER, NOON, GREYLIST_PASSED, 0},
    {"and weeks later too", NEVER, NOON - 36 * DAY, GREYLIST_PASSED, 0},
    {"but is forgotten one day", NEVER, NOON - 36 * DAY - 1, GREYLIST_FIRST,
	GREYLIST_DELAY},
    {"a pass from the near future counts", NEVER, NOON + 10, GREYLIST_PASSED,
	0},
    {"and from weeks ahead", NEVER, NOON + 36 * DAY, GREYLIST_PASSED, 0},
    {"one from further ahead is rubbish", NEVER, NOON + 36 * DAY + 1,
	GREYLIST_FIRST, GREYLIST_DELAY},
    {"a pass at the end of time is rubbish", NEVER, INT64_MAX, GREYLIST_FIRST,
	GREYLIST_DELAY},
    {"where both are set the pass counts", NOON - 1, NOON - DAY,
	GREYLIST_PASSED, 0},
    {"also a forgotten one", NOON - GREYLIST_DELAY - 1, NOON - 40 * DAY,
	GREYLIST_FIRST, GREYLIST_DELAY},
};

START_TEST(judging)
{
	const struct greylist_clock clock = {
	    rows[_i].first_seen, rows[_i].last_passed};
	int64_t wait = -1;
	enum greylist_state state =
	    greylist_judge(&shipped, &clock, NOON, &wait);

	ck_assert_msg(state == rows[_i].state && wait == rows[_i].wait,
	    "%s: got %d, wait %lld", rows[_i].when, (int)state,
	    (long long)wait);
}
END_TEST

static const struct {
	const char *when;
	struct greylist_terms terms;
	int64_t first_seen;
	enum greylist_state state;
	int64_t wait;
} terms_rows[] = {
    {"without a delay a stranger still has to come back", {0, HOUR, DAY}, NEVER,
	GREYLIST_FIRST, 0},
    {"and passes at once", {0, HOUR, DAY}, NOON, GREYLIST_PASSED, 0},
    {"a negative delay is none", {-5, HOUR, DAY}, NOON, GREYLIST_PASSED, 0},
    {"a window within the delay counts as twice the delay", {600, 60, DAY},
	NOON - 1200, GREYLIST_PASSED, 0},
    {"and no more", {600, 60, DAY}, NOON - 1201, GREYLIST_FIRST, 600},
    {"a huge delay does not overflow", {INT64_MAX, 1, DAY}, NOON,
	GREYLIST_EARLY, INT64_MAX / 4},
};

START_TEST(other_terms)
{
	const struct greylist_clock clock = {terms_rows[_i].first_seen, NEVER};
	int64_t wait = -1;
	enum greylist_state state =
	    greylist_judge(&terms_rows[_i].terms, &clock, NOON, &wait);

	ck_assert_msg(
	    state == terms_rows[_i].state && wait == terms_rows[_i].wait,
	    "%s: got %d, wait %lld", terms_rows[_i].when, (int)state,
	    (long long)wait);
}
END_TEST

START_TEST(any_clock_is_safe)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, 1, NOON, INT64_MAX};
	struct greylist_clock clock;
	int64_t wait;

	for (int i = 0; i < COUNT(times); i++) {
		clock = (struct greylist_clock){times[_i], NEVER};
		greylist_judge(&shipped, &clock, times[i], &wait);
		ck_assert(wait >= 0 && wait <= GREYLIST_DELAY);
		clock = (struct greylist_clock){NEVER, times[_i]};
		greylist_judge(&shipped, &clock, times[i], &wait);
		ck_assert(wait >= 0 && wait <= GREYLIST_DELAY);
	}
}
END_TEST

static const struct {
	const char *when;
	struct greylist_clock clock;
	int64_t encoded;
} code_rows[] = {
    {"never is 0", {NEVER, NEVER}, 0},
    {"pending is the seconds since 2024", {EPOCH + 7, NEVER}, 7},
    {"passed is the same below 0", {NEVER, EPOCH + 7}, -7},
    {"today fits nine digits", {NOON, NEVER}, NOON - EPOCH},
};

START_TEST(codes)
{
	struct greylist_clock back;

	ck_assert_msg(greylist_clock_encode(&code_rows[_i].clock) ==
		code_rows[_i].encoded,
	    "%s", code_rows[_i].when);
	back = greylist_clock_decode(code_rows[_i].encoded);
	ck_assert_msg(back.first_seen == code_rows[_i].clock.first_seen &&
		back.last_passed == code_rows[_i].clock.last_passed,
	    "%s, and back", code_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	struct greylist_clock clock;
	int64_t encoded;
} clamp_rows[] = {
    {"the epoch itself is not never", {EPOCH, NEVER}, 1},
    {"nor is a time before it", {1, NEVER}, 1},
    {"nor one before 1970", {INT64_MIN, NEVER}, 1},
    {"nor a pass before it", {NEVER, 1}, -1},
    {"the end of time is cut", {INT64_MAX, NEVER}, INT64_C(1) << 40},
    {"also for a pass", {NEVER, INT64_MAX}, -(INT64_C(1) << 40)},
    {"where both are set the pass counts", {NOON, EPOCH + 7}, -7},
};

START_TEST(clamped_codes)
{
	ck_assert_msg(greylist_clock_encode(&clamp_rows[_i].clock) ==
		clamp_rows[_i].encoded,
	    "%s", clamp_rows[_i].when);
}
END_TEST

START_TEST(any_number_decodes_to_rubbish_at_worst)
{
	static const int64_t numbers[] = {INT64_MIN, INT64_MAX};
	struct greylist_clock clock;
	int64_t wait;

	for (int i = 0; i < COUNT(numbers); i++) {
		clock = greylist_clock_decode(numbers[i]);
		ck_assert_int_eq(greylist_judge(&shipped, &clock, NOON, &wait),
		    GREYLIST_FIRST);
	}
}
END_TEST

CHECK_MAIN("greylist", tcase)
{
	tcase_add_loop_test(tcase, judging, 0, COUNT(rows));
	tcase_add_loop_test(tcase, other_terms, 0, COUNT(terms_rows));
	tcase_add_loop_test(tcase, any_clock_is_safe, 0, 6);
	tcase_add_loop_test(tcase, codes, 0, COUNT(code_rows));
	tcase_add_loop_test(tcase, clamped_codes, 0, COUNT(clamp_rows));
	tcase_add_test(tcase, any_number_decodes_to_rubbish_at_worst);
}
