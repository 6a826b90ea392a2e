#include "base/seconds.h"

#include "lib/check_main.h"

static const struct {
	const char *when;
	int64_t now, then, between;
} between_rows[] = {
    {"the past counts up", 100, 40, 60},
    {"the future is negative", 40, 100, -60},
    {"the same moment is 0", INT64_MIN, INT64_MIN, 0},
    {"a far past saturates", INT64_MAX, -1, INT64_MAX},
    {"the furthest past saturates", 0, INT64_MIN, INT64_MAX},
    {"a far future saturates and can be negated", INT64_MIN, 1, -INT64_MAX},
    {"before all time, seen from 0", INT64_MIN, 0, -INT64_MAX},
    {"the largest exact answer", INT64_MAX, 0, INT64_MAX},
};

START_TEST(between)
{
	ck_assert_msg(seconds_between(between_rows[_i].now,
			  between_rows[_i].then) == between_rows[_i].between,
	    "%s", between_rows[_i].when);
}
END_TEST

START_TEST(apart_knows_no_direction)
{
	ck_assert_int_eq(seconds_apart(100, 40), 60);
	ck_assert_int_eq(seconds_apart(40, 100), 60);
	ck_assert(seconds_apart(INT64_MIN, INT64_MAX) == INT64_MAX);
}
END_TEST

static const struct {
	const char *when;
	int64_t now, length, slot, into;
} slot_rows[] = {
    {"slot 0 begins at 0", 0, 60, 0, 0},
    {"its last second", 59, 60, 0, 59},
    {"the next slot begins on the edge", 60, 60, 1, 0},
    {"before 1970 slots go on downwards", -1, 60, -1, 59},
    {"a slot edge before 1970", -60, 60, -1, 0},
    {"a slot of one second", 17, 1, 17, 0},
    {"the end of time", INT64_MAX, INT64_MAX, 1, 0},
    {"the start of time", INT64_MIN, 2, INT64_MIN / 2, 0},
};

START_TEST(slots)
{
	int64_t now = slot_rows[_i].now, length = slot_rows[_i].length;

	ck_assert_msg(seconds_slot(now, length) == slot_rows[_i].slot, "%s",
	    slot_rows[_i].when);
	ck_assert_msg(seconds_into_slot(now, length) == slot_rows[_i].into,
	    "%s", slot_rows[_i].when);
}
END_TEST

CHECK_MAIN("seconds", tcase)
{
	tcase_add_loop_test(tcase, between, 0, COUNT(between_rows));
	tcase_add_test(tcase, apart_knows_no_direction);
	tcase_add_loop_test(tcase, slots, 0, COUNT(slot_rows));
}
