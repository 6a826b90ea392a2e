#include "base/decimal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct {
	const char *when;
	int64_t number;
	const char *digits;
} rows[] = {
    {"nothing is one digit", 0, "0"},
    {"one digit", 7, "7"},
    {"zeros inside and behind stay", 90100, "90100"},
    {"a sign stands before", -1, "-1"},
    {"the largest", INT64_MAX, "9223372036854775807"},
    {"the smallest, which has no positive", INT64_MIN, "-9223372036854775808"},
};

START_TEST(write_number)
{
	char digits[DECIMAL_SIZE];
	size_t length = decimal_write(rows[_i].number, digits);

	ck_assert_msg(strcmp(digits, rows[_i].digits) == 0, "%s: %s",
	    rows[_i].when, digits);
	ck_assert_uint_eq(length, strlen(digits));
}
END_TEST

CHECK_MAIN("decimal", all)
{
	tcase_add_loop_test(all, write_number, 0, COUNT(rows));
}
