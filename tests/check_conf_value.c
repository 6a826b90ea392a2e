#include "config/conf_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

#define BAD	  INT64_C(-1) /* the text is refused */
#define UNTOUCHED INT64_C(-77)

static const struct {
	const char *when;
	bool (*read)(const char *text, int64_t *value_r);
	const char *text;
	int64_t value;
} rows[] = {
    {"a number is digits", conf_value_number, "100", 100},
    {"zero is one", conf_value_number, "0", 0},
    {"the largest number", conf_value_number, "9223372036854775799",
	INT64_C(9223372036854775799)},
    {"a number that overflows is refused", conf_value_number,
	"99999999999999999999", BAD},
    {"no sign", conf_value_number, "-1", BAD},
    {"nor plus", conf_value_number, "+1", BAD},
    {"no blank before", conf_value_number, " 1", BAD},
    {"no blank behind", conf_value_number, "1 ", BAD},
    {"no unit", conf_value_number, "1k", BAD},
    {"no hexadecimals", conf_value_number, "0x10", BAD},
    {"not nothing", conf_value_number, "", BAD},

    {"an octal with its zero", conf_value_octal, "0660", 0660},
    {"and without", conf_value_octal, "660", 0660},
    {"the largest", conf_value_octal, "7777", 07777},
    {"one too large", conf_value_octal, "10000", BAD},
    {"eight is no octal digit", conf_value_octal, "0680", BAD},

    {"a duration alone is seconds", conf_value_duration, "90", 90},
    {"none at all", conf_value_duration, "0", 0},
    {"seconds", conf_value_duration, "30s", 30},
    {"minutes", conf_value_duration, "5m", 300},
    {"hours", conf_value_duration, "25h", 90000},
    {"days", conf_value_duration, "36d", 3110400},
    {"weeks", conf_value_duration, "1w", 604800},
    {"several units", conf_value_duration, "1h30m", 5400},
    {"all of them", conf_value_duration, "1w1d1h1m1s", 694861},
    {"capitals", conf_value_duration, "1H30M", 5400},
    {"the smaller unit does not come first", conf_value_duration, "30m1h", BAD},
    {"nor twice", conf_value_duration, "1h1h", BAD},
    {"a number behind a unit needs its own", conf_value_duration, "1h30", BAD},
    {"no fractions", conf_value_duration, "1.5h", BAD},
    {"no blanks", conf_value_duration, "5 m", BAD},
    {"no other units", conf_value_duration, "5y", BAD},
    {"no long words", conf_value_duration, "5min", BAD},
    {"no sign for durations", conf_value_duration, "-5m", BAD},
    {"a unit alone is none", conf_value_duration, "m", BAD},
    {"a thousand years", conf_value_duration, "365000d", INT64_C(31536000000)},
    {"and no longer", conf_value_duration, "365001d", BAD},
    {"also in seconds", conf_value_duration, "31536000001", BAD},
    {"an overflow is refused", conf_value_duration, "9223372036854775799w",
	BAD},

    {"milliseconds", conf_value_milliseconds, "200ms", 200},
    {"seconds in milliseconds", conf_value_milliseconds, "1s", 1000},
    {"both", conf_value_milliseconds, "1s500ms", 1500},
    {"a number alone could mean either", conf_value_milliseconds, "200", BAD},
    {"minutes are too long for it", conf_value_milliseconds, "1m", BAD},

    {"a size alone is octets", conf_value_size, "512", 512},
    {"kilo is 1024", conf_value_size, "10k", 10240},
    {"in capitals too", conf_value_size, "10K", 10240},
    {"mega", conf_value_size, "64M", 67108864},
    {"giga", conf_value_size, "2g", INT64_C(2147483648)},
    {"no size of that name", conf_value_size, "1T", BAD},
    {"no B", conf_value_size, "1kB", BAD},
    {"no two units", conf_value_size, "1M1k", BAD},
    {"too large a size", conf_value_size, "99999999999G", BAD},

    {"a percentage in hundredths", conf_value_percent, "10%", 1000},
    {"all", conf_value_percent, "100%", 10000},
    {"none", conf_value_percent, "0%", 0},
    {"one decimal", conf_value_percent, "0.5%", 50},
    {"two decimals", conf_value_percent, "99.99%", 9999},
    {"a zero decimal", conf_value_percent, "1.05%", 105},
    {"three decimals", conf_value_percent, "0.005%", BAD},
    {"more than all", conf_value_percent, "100.01%", BAD},
    {"far more", conf_value_percent, "101%", BAD},
    {"no percent sign", conf_value_percent, "10", BAD},
    {"no digits", conf_value_percent, "%", BAD},
    {"no digits behind the point", conf_value_percent, "1.%", BAD},
};

START_TEST(reading)
{
	int64_t value = UNTOUCHED;
	bool good = rows[_i].read(rows[_i].text, &value);

	ck_assert_msg(good == (rows[_i].value != BAD) &&
		value == (good ? rows[_i].value : UNTOUCHED),
	    "%s: \"%s\" gives %" PRId64, rows[_i].when, rows[_i].text, value);
}
END_TEST

static const struct {
	const char *text;
	int value; /* -1: refused */
} bool_rows[] = {
    {"true", 1},
    {"yes", 1},
    {"on", 1},
    {"True", 1},
    {"ON", 1},
    {"false", 0},
    {"no", 0},
    {"off", 0},
    {"FALSE", 0},
    {"", -1},
    {"1", -1},
    {"0", -1},
    {"truely", -1},
    {"tru", -1},
    {"y", -1},
};

START_TEST(truth)
{
	bool value = bool_rows[_i].value == 0;

	ck_assert_msg(conf_value_bool(bool_rows[_i].text, &value) ==
		(bool_rows[_i].value != -1),
	    "\"%s\"", bool_rows[_i].text);
	if (bool_rows[_i].value != -1)
		ck_assert_int_eq(value, bool_rows[_i].value);
}
END_TEST

static const struct {
	const char *text;
	bool good;
	double value;
} real_rows[] = {
    {"0.85", true, 0.85},
    {"-30", true, -30},
    {"20", true, 20},
    {"-0.5", true, -0.5},
    {"", false, 0},
    {"-", false, 0},
    {"--1", false, 0},
    {"+1", false, 0},
    {".5", false, 0},
    {"5.", false, 0},
    {"0,85", false, 0},
    {"1e3", false, 0},
    {"nan", false, 0},
    {"inf", false, 0},
    {"0x10", false, 0},
};

START_TEST(real_numbers)
{
	double value = 77;

	ck_assert_msg(
	    conf_value_real(real_rows[_i].text, &value) == real_rows[_i].good,
	    "\"%s\"", real_rows[_i].text);
	ck_assert_double_eq_tol(
	    value, real_rows[_i].good ? real_rows[_i].value : 77, 1e-12);
}
END_TEST

#define WORKDAYS 0x3e
#define WEEKEND	 0x41
#define ALL_DAYS 0x7f

static const struct {
	const char *when;
	const char *text;
	bool good;
	struct hours hours;
} hours_rows[] = {
    {"working hours", "Mon-Fri 08:00-18:00", true, {WORKDAYS, 480, 1080}},
    {"whole days", "Sat,Sun 00:00-24:00", true, {WEEKEND, 0, 1440}},
    {"without days it is every day, and may run past midnight", "22:00-06:00",
	true, {ALL_DAYS, 1320, 360}},
    {"up to midnight", "22:00-24:00", true, {ALL_DAYS, 1320, 1440}},
    {"which is also 00:00", "22:00-00:00", true, {ALL_DAYS, 1320, 0}},
    {"days may run past Sunday", "Fri-Mon 10:00-11:00", true, {0x63, 600, 660}},
    {"one day", "Wed 9:05-9:06", true, {0x08, 545, 546}},
    {"spans and single days", "Mon-Tue,Thu 10:00-11:00", true,
	{0x16, 600, 660}},
    {"letters in either case", "mon,SUN 10:00-11:00", true, {0x03, 600, 660}},
    {"several blanks", "Mon  10:00-11:00", true, {0x02, 600, 660}},
    {"an empty span is a slip", "10:00-10:00", false, {0, 0, 0}},
    {"the day ends at 24:00", "10:00-24:01", false, {0, 0, 0}},
    {"and no span begins there", "24:00-10:00", false, {0, 0, 0}},
    {"sixty minutes are an hour", "10:60-11:00", false, {0, 0, 0}},
    {"minutes have two digits", "10:5-11:00", false, {0, 0, 0}},
    {"hours have no more", "010:00-11:00", false, {0, 0, 0}},
    {"days alone are not enough", "Mon-Fri", false, {0, 0, 0}},
    {"no other days", "Day 10:00-11:00", false, {0, 0, 0}},
    {"no long names", "Monday 10:00-11:00", false, {0, 0, 0}},
    {"no comma at the end", "Mon, 10:00-11:00", false, {0, 0, 0}},
    {"a blank between", "Mon10:00-11:00", false, {0, 0, 0}},
    {"nothing behind", "10:00-11:00 ", false, {0, 0, 0}},
    {"not nothing", "", false, {0, 0, 0}},
    {"a huge number", "99999999999999999999:00-11:00", false, {0, 0, 0}},
};

START_TEST(hours_of_the_week)
{
	struct hours hours = {0, 0, 0};

	ck_assert_msg(conf_value_hours(hours_rows[_i].text, &hours) ==
		    hours_rows[_i].good &&
		hours.weekdays == hours_rows[_i].hours.weekdays &&
		hours.from == hours_rows[_i].hours.from &&
		hours.to == hours_rows[_i].hours.to,
	    "%s: \"%s\" gives %x %d-%d", hours_rows[_i].when,
	    hours_rows[_i].text, (unsigned)hours.weekdays, hours.from,
	    hours.to);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	size_t name_length; /* 0: refused */
	const char *rest;
} header_rows[] = {
    {"a name and a pattern", "X-Spam-Flag: YES*", 11, "YES*"},
    {"no blank is needed", "X-Spam:Yes", 6, "Yes"},
    {"the pattern may hold colons and blanks", "A:  b: c ", 1, "b: c "},
    {"no colon", "X-Spam-Flag", 0, NULL},
    {"no name", ": yes", 0, NULL},
    {"no pattern", "X-Spam-Flag: ", 0, NULL},
    {"a blank in the name", "X Spam: yes", 0, NULL},
    {"a control character in the name", "X\001Spam: yes", 0, NULL},
    {"nothing", "", 0, NULL},
};

START_TEST(headers)
{
	size_t length = 0;
	const char *rest = NULL;
	bool good = conf_value_header(header_rows[_i].text, &length, &rest);

	ck_assert_msg(good == (header_rows[_i].name_length != 0) &&
		length == header_rows[_i].name_length,
	    "%s", header_rows[_i].when);
	if (good)
		ck_assert_str_eq(rest, header_rows[_i].rest);
}
END_TEST

static const struct {
	void (*say)(int64_t value, char text_r[CONF_VALUE_SIZE]);
	bool (*read)(const char *text, int64_t *value_r);
	int64_t value;
	const char *text;
} say_rows[] = {
    {conf_value_say_duration, conf_value_duration, 0, "0s"},
    {conf_value_say_duration, conf_value_duration, 300, "5m"},
    {conf_value_say_duration, conf_value_duration, 5400, "1h30m"},
    {conf_value_say_duration, conf_value_duration, 90000, "25h"},
    {conf_value_say_duration, conf_value_duration, 3110400, "36d"},
    {conf_value_say_duration, conf_value_duration, 90061, "25h1m1s"},
    {conf_value_say_duration, conf_value_duration, 270000, "3d3h"},
    {conf_value_say_milliseconds, conf_value_milliseconds, 0, "0ms"},
    {conf_value_say_milliseconds, conf_value_milliseconds, 200, "200ms"},
    {conf_value_say_milliseconds, conf_value_milliseconds, 10000, "10s"},
    {conf_value_say_size, conf_value_size, 0, "0"},
    {conf_value_say_size, conf_value_size, 1000, "1000"},
    {conf_value_say_size, conf_value_size, 10240, "10k"},
    {conf_value_say_size, conf_value_size, 67108864, "64M"},
    {conf_value_say_size, conf_value_size, INT64_C(1) << 50, "1048576G"},
};

START_TEST(what_is_written_can_be_read)
{
	char text[CONF_VALUE_SIZE];
	int64_t value = UNTOUCHED;

	say_rows[_i].say(say_rows[_i].value, text);
	ck_assert_str_eq(text, say_rows[_i].text);
	ck_assert(say_rows[_i].read(text, &value));
	ck_assert_int_eq(value, say_rows[_i].value);
}
END_TEST

CHECK_MAIN("conf_value", tcase)
{
	tcase_add_loop_test(tcase, reading, 0, COUNT(rows));
	tcase_add_loop_test(tcase, truth, 0, COUNT(bool_rows));
	tcase_add_loop_test(tcase, real_numbers, 0, COUNT(real_rows));
	tcase_add_loop_test(tcase, hours_of_the_week, 0, COUNT(hours_rows));
	tcase_add_loop_test(tcase, headers, 0, COUNT(header_rows));
	tcase_add_loop_test(
	    tcase, what_is_written_can_be_read, 0, COUNT(say_rows));
}
