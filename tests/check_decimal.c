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

static const struct {
	const char *when;
	const char *text;
	int64_t most;
	size_t digits; /* that are read */
	bool all;      /* they are all of it */
	int64_t number;
} read_rows[] = {
    {"one digit", "7", 9, 1, true, 7},
    {"leading zeros do no harm", "007", 9, 3, true, 7},
    {"what stands behind is left", "25h", 99, 2, false, 25},
    {"nothing", "", 9, 0, false, -1},
    {"no digit", "h25", 99, 0, false, -1},
    {"a sign is none", "-1", 9, 0, false, -1},
    {"nor is a blank", " 1", 9, 0, false, -1},
    {"the most", "128", 128, 3, true, 128},
    {"more, though of one digit", "9", 2, 0, false, -1},
    {"one more", "129", 128, 0, false, -1},
    {"the largest", "9223372036854775807", INT64_MAX, 19, true, INT64_MAX},
    {"one larger", "9223372036854775808", INT64_MAX, 0, false, -1},
    {"many digits", "99999999999999999999999", INT64_MAX, 0, false, -1},
};

START_TEST(read_number)
{
	const char *text = read_rows[_i].text;
	int64_t number = -1, whole = -1;
	size_t digits =
	    decimal_read(text, strlen(text), read_rows[_i].most, &number);
	bool all =
	    decimal_read_all(text, strlen(text), read_rows[_i].most, &whole);

	ck_assert_msg(
	    digits == read_rows[_i].digits && number == read_rows[_i].number,
	    "%s: %zu digits, %" PRId64, read_rows[_i].when, digits, number);
	ck_assert_msg(all == read_rows[_i].all &&
		whole == (all ? read_rows[_i].number : -1),
	    "%s: %d, %" PRId64, read_rows[_i].when, all, whole);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	int64_t number;
	size_t length; /* of what is read */
} scan_rows[] = {
    {"all of it", "42", 42, 2},
    {"what stands behind is left", "42:mx1", 42, 2},
    {"a sign", "-42@", -42, 3},
    {"no number", "mx1", 0, 0},
    {"nothing", "", 0, 0},
    {"a sign alone is none", "-", 0, 0},
    {"a plus is none", "+1", 0, 0},
    {"nor is a blank", " 1", 0, 0},
    {"the largest", "9223372036854775807", INT64_MAX, 19},
    {"one larger stays the largest", "9223372036854775808", INT64_MAX, 19},
    {"the smallest", "-9223372036854775808", INT64_MIN, 20},
    {"one smaller stays the smallest", "-9223372036854775809", INT64_MIN, 20},
    {"many digits", "99999999999999999999999 ", INT64_MAX, 23},
};

START_TEST(scan_number)
{
	const char *text = scan_rows[_i].text, *end;
	int64_t number = decimal_scan(text, &end);

	ck_assert_msg(number == scan_rows[_i].number &&
		(size_t)(end - text) == scan_rows[_i].length,
	    "%s: %" PRId64 " of %zu", scan_rows[_i].when, number,
	    (size_t)(end - text));
	ck_assert_int_eq(decimal_scan(text, NULL), number);
}
END_TEST

CHECK_MAIN("decimal", all)
{
	tcase_add_loop_test(all, scan_number, 0, COUNT(scan_rows));
	tcase_add_loop_test(all, read_number, 0, COUNT(read_rows));
	tcase_add_loop_test(all, write_number, 0, COUNT(rows));
}
