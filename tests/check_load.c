#include "base/decimal.h"
#include "load/load.h"
#include "store/load_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

#define NOW INT64_C(1767268800)

/* Three times 0.95 is less than 2.85 in binary. */
#define HOSTS	   3
#define HOSTS_LOAD 0.95

static const struct {
	const char *when;
	const char *text;
	bool good;
	double value;
} number_rows[] = {
    {"a whole number", "12", true, 12},
    {"a fraction", "0.85", true, 0.85},
    {"zero", "0", true, 0},
    {"leading zeros do no harm", "007.50", true, 7.5},
    {"more digits than a double holds", "0.12345678901234567890", true,
	0.1234567890123456789},
    {"as long as it may be", "00000000000000000000000000000001", true, 1},
    {"one longer", "000000000000000000000000000000001", false, 0},
    {"nothing", "", false, 0},
    {"no digit before the point", ".5", false, 0},
    {"no digit behind the point", "5.", false, 0},
    {"two points", "1.2.3", false, 0},
    {"only a point", ".", false, 0},
    {"a comma", "0,85", false, 0},
    {"a minus", "-1", false, 0},
    {"a plus", "+1", false, 0},
    {"an exponent", "9e99", false, 0},
    {"a hexadecimal number", "0x10", false, 0},
    {"not a number", "nan", false, 0},
    {"infinity", "inf", false, 0},
    {"a blank before", " 1", false, 0},
    {"a blank behind", "1 ", false, 0},
    {"a newline behind", "1\n", false, 0},
};

START_TEST(numbers)
{
	const char *text = number_rows[_i].text;
	double value = -1;
	bool good = decimal_read_real(text, strlen(text), &value);

	ck_assert_msg(good == number_rows[_i].good, "%s", number_rows[_i].when);
	ck_assert_msg(fabs(value - (good ? number_rows[_i].value : -1)) < 1e-15,
	    "%s: got %.17g", number_rows[_i].when, value);
}
END_TEST

START_TEST(a_decimal_is_the_double_that_the_compiler_makes)
{
	double value;

	ck_assert(decimal_read_real("0.95", 4, &value) && value == 0.95);
	ck_assert(decimal_read_real("12.34", 5, &value) && value == 12.34);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	size_t len;
	bool good;
	int64_t at;
	double load;
} report_rows[] = {
    {"a report", "1767268800:0.850", 16, true, NOW, 0.85},
    {"idle since 1970", "0:0", 3, true, 0, 0},
    {"the largest load", "1:100", 5, true, 1, 100},
    {"a load above it is nonsense", "1:100.001", 9, false, 0, 0},
    {"9e99 is nonsense", "1:9e99", 6, false, 0, 0},
    {"NaN is nonsense", "1:nan", 5, false, 0, 0},
    {"a negative load is nonsense", "1:-0.5", 6, false, 0, 0},
    {"a negative time is malformed", "-1:0.5", 6, false, 0, 0},
    {"a time of 15 digits", "999999999999999:1", 17, true, 999999999999999, 1},
    {"a time of 16 digits is malformed", "1000000000000000:1", 18, false, 0, 0},
    {"no time", ":0.5", 4, false, 0, 0},
    {"no load", "1767268800:", 11, false, 0, 0},
    {"no colon", "1767268800", 10, false, 0, 0},
    {"two colons", "1:2:3", 5, false, 0, 0},
    {"blanks", "1: 0.5", 6, false, 0, 0},
    {"nothing", "", 0, false, 0, 0},
    {"a NUL inside", "1:0\0", 4, false, 0, 0},
    {"what follows the end is not read", "1:0.5garbage", 5, true, 1, 0.5},
};

START_TEST(reports)
{
	struct load_report report = {-7, -7};
	bool good = load_report_parse(
	    report_rows[_i].text, report_rows[_i].len, &report);

	ck_assert_msg(good == report_rows[_i].good, "%s", report_rows[_i].when);
	ck_assert_msg(report.at == (good ? report_rows[_i].at : -7) &&
		report.load == (good ? report_rows[_i].load : -7),
	    "%s", report_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	struct load_report report;
	const char *text;
} format_rows[] = {
    {"three decimals", {NOW, 0.85}, "1767268800:0.850"},
    {"rounded", {1, 0.9996}, "1:1.000"},
    {"the largest", {999999999999999, 100}, "999999999999999:100.000"},
    {"NaN is written as 0", {1, NAN}, "1:0.000"},
    {"too much is written as 0", {1, 1e9}, "1:0.000"},
    {"a negative load is written as 0", {1, -1}, "1:0.000"},
    {"before 1970 is written as 0", {INT64_MIN, 1}, "0:1.000"},
    {"the end of time is cut", {INT64_MAX, 1}, "999999999999999:1.000"},
};

START_TEST(formats)
{
	char text[LOAD_REPORT_SIZE];
	struct load_report back;

	load_report_format(&format_rows[_i].report, text);
	ck_assert_str_eq(text, format_rows[_i].text);
	ck_assert_msg(load_report_parse(text, strlen(text), &back),
	    "%s: can be read", format_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	struct load_report reports[4];
	size_t count;
	struct load_view view;
} view_rows[] = {
    {"an empty farm is idle", {{0}}, 0, {0, 0, 0, 0, 0}},
    {"three hosts", {{NOW, 0.5}, {NOW - 1, 0.75}, {NOW, 1}}, 3,
	{3, 0, 0, 0.75, 1}},
    {"a report of 10 s ago counts", {{NOW - 10, 0.5}}, 1, {1, 0, 0, 0.5, 0.5}},
    {"a host silent for 11 s drops out", {{NOW - 11, 1}, {NOW, 0.5}}, 2,
	{1, 1, 0, 0.5, 0.5}},
    {"a clock 10 s ahead is forgiven", {{NOW + 10, 0.5}}, 1,
	{1, 0, 0, 0.5, 0.5}},
    {"one further ahead is as good as silent", {{NOW + 11, 0.5}}, 1,
	{0, 1, 0, 0, 0}},
    {"nonsense is ignored",
	{{NOW, NAN}, {NOW, -1}, {NOW, INFINITY}, {NOW, 0.25}}, 4,
	{1, 0, 3, 0.25, 0.25}},
    {"9e99 is nonsense, also when old", {{0, 9e99}, {NOW, 100}}, 2,
	{1, 0, 1, 100, 100}},
    {"all silent is an idle farm", {{0, 1}, {INT64_MIN, 1}, {INT64_MAX, 1}}, 3,
	{0, 3, 0, 0, 0}},
};

START_TEST(views)
{
	const struct load_view want = view_rows[_i].view;
	struct load_view got = load_view_of(
	    view_rows[_i].reports, view_rows[_i].count, NOW, LOAD_MAX_AGE);

	ck_assert_msg(got.hosts == want.hosts && got.silent == want.silent &&
		got.nonsense == want.nonsense && got.mean == want.mean &&
		got.max == want.max,
	    "%s", view_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	enum farm_load mode;
	double own, mean, max, load;
} combine_rows[] = {
    {"the farm's mean, if it is larger", FARM_MEAN, 0.2, 0.5, 0.9, 0.5},
    {"our own load, if it is larger", FARM_MEAN, 0.8, 0.5, 0.9, 0.8},
    {"the busiest host, if asked for", FARM_MAX, 0.2, 0.5, 0.9, 0.9},
    {"our own, if it is the busiest", FARM_MAX, 1.5, 0.5, 0.9, 1.5},
    {"our own alone, if asked for", FARM_OWN, 0.2, 0.5, 0.9, 0.2},
    {"our own nonsense counts as idle", FARM_OWN, NAN, 0.5, 0.9, 0},
    {"and leaves the farm", FARM_MEAN, INFINITY, 0.5, 0.9, 0.5},
    {"with the store away the own load works", FARM_MEAN, 0.8, 0, 0, 0.8},
};

START_TEST(combining)
{
	const struct load_view farm = {
	    .mean = combine_rows[_i].mean, .max = combine_rows[_i].max};

	ck_assert_msg(load_combine(combine_rows[_i].mode, combine_rows[_i].own,
			  &farm) == combine_rows[_i].load,
	    "%s", combine_rows[_i].when);
}
END_TEST

/* A story: each row is the next second that is sampled. */
static const struct {
	const char *when;
	int64_t second;
	double load;
	bool crossed;
} latch_rows[] = {
    {"idle at first", 0, 0.5, false},
    {"just below is not crossed", 1, 0.799, false},
    {"exactly at the threshold crosses it", 2, 0.8, true},
    {"above it stays", 3, 0.95, true},
    {"below the threshold, but within the hysteresis", 60, 0.75, true},
    {"exactly at its end still is within", 61, 0.7, true},
    {"below it, and high long ago, is left", 62, 0.699, false},
    {"within the hysteresis it is not crossed again", 63, 0.79, false},
    {"at the threshold it is", 100, 0.8, true},
    {"low at once: the dwell holds it", 101, 0.1, true},
    {"a second before its end too", 129, 0.1, true},
    {"nonsense changes nothing", 130, NAN, true},
    {"after the dwell it is left", 130, 0.1, false},
    {"crossed again", 200, 5, true},
    {"the dwell counts from the last time at the threshold", 220, 0.8, true},
    {"so not yet", 249, 0, true},
    {"but now", 250, 0, false},
    {"nonsense does not cross it", 251, 9e99, false},
    {"infinity neither", 252, INFINITY, false},
    {"once more", 300, 0.9, true},
    {"the clock goes back: the dwell starts again", 100, 0, true},
    {"and ends", 129, 0, true},
    {"in its time", 130, 0, false},
};

START_TEST(latch)
{
	const struct load_latch_terms terms = {
	    0.80, LOAD_HYSTERESIS, LOAD_DWELL};
	struct load_latch state = {false, 0};
	bool crossed;

	for (int i = 0; i < COUNT(latch_rows); i++) {
		crossed = load_latch_step(&terms, &state, latch_rows[i].load,
		    NOW + latch_rows[i].second);
		ck_assert_msg(
		    crossed == latch_rows[i].crossed, "%s", latch_rows[i].when);
	}
}
END_TEST

START_TEST(a_mean_of_decimals_meets_its_threshold)
{
	const struct load_latch_terms terms = {
	    HOSTS_LOAD, LOAD_HYSTERESIS, LOAD_DWELL};
	struct load_report farm[HOSTS];
	struct load_latch state = {false, 0};
	struct load_view view;

	for (int i = 0; i < HOSTS; i++)
		farm[i] = (struct load_report){NOW, HOSTS_LOAD};
	view = load_view_of(farm, HOSTS, NOW, LOAD_MAX_AGE);
	ck_assert_msg(view.mean < HOSTS_LOAD, "binary fractions do not add up");
	ck_assert(load_latch_step(&terms, &state, view.mean, NOW));
}
END_TEST

CHECK_MAIN("load", tcase)
{
	tcase_add_loop_test(tcase, numbers, 0, COUNT(number_rows));
	tcase_add_test(tcase, a_decimal_is_the_double_that_the_compiler_makes);
	tcase_add_loop_test(tcase, reports, 0, COUNT(report_rows));
	tcase_add_loop_test(tcase, formats, 0, COUNT(format_rows));
	tcase_add_loop_test(tcase, views, 0, COUNT(view_rows));
	tcase_add_loop_test(tcase, combining, 0, COUNT(combine_rows));
	tcase_add_test(tcase, latch);
	tcase_add_test(tcase, a_mean_of_decimals_meets_its_threshold);
}
