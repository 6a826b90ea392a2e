#include "mail/date.h"

#include "lib/check_main.h"

static const struct {
	const char *text;
	int64_t seconds;     /* -1: it is none */
	const char *written; /* NULL: as it was read */
} rows[] = {
    {"1970-01-01T00:00Z", 0, NULL},
    {"1970-01-01", 0, "1970-01-01T00:00Z"},
    {"2026-12-31T23:59Z", 1798761540, NULL},
    {"2026-12-31T23:59:30Z", 1798761570, NULL},
    {"2026-12-31T23:59:00Z", 1798761540, "2026-12-31T23:59Z"},
    {"2000-02-29T12:00Z", 951825600, NULL},
    {"2024-03-01", 1709251200, "2024-03-01T00:00Z"},
    {"9999-12-31T23:59:59Z", 253402300799, NULL},
    {"2100-02-29", -1, NULL},
    {"2026-02-30", -1, NULL},
    {"2026-13-01", -1, NULL},
    {"2026-00-01", -1, NULL},
    {"2026-01-00", -1, NULL},
    {"1969-12-31", -1, NULL},
    {"2026-1-1", -1, NULL},
    {"2026-12-31T24:00Z", -1, NULL},
    {"2026-12-31T23:60Z", -1, NULL},
    {"2026-12-31T23:59", -1, NULL},
    {"2026-12-31T23:59:30", -1, NULL},
    {"2026-12-31T23Z", -1, NULL},
    {"2026-12-31 23:59Z", -1, NULL},
    {"2026-12-31T23:59Zx", -1, NULL},
    {"2026-12-31x", -1, NULL},
    {"31.12.2026", -1, NULL},
    {"tomorrow", -1, NULL},
    {"", -1, NULL},
};

START_TEST(dates)
{
	char written[DATE_SIZE];
	int64_t seconds = -1;
	bool good = date_parse(rows[_i].text, &seconds);

	ck_assert_msg(seconds == rows[_i].seconds, "%s: %lld", rows[_i].text,
	    (long long)seconds);
	ck_assert(good == (rows[_i].seconds >= 0));
	if (!good)
		return;
	date_write(seconds, written);
	ck_assert_str_eq(written,
	    rows[_i].written == NULL ? rows[_i].text : rows[_i].written);
}
END_TEST

START_TEST(every_day_comes_back)
{
	char written[DATE_SIZE];
	int64_t seconds;

	for (int64_t day = 0; day < 60000; day++) {
		date_write(day * 86400 + 3600, written);
		ck_assert(date_parse(written, &seconds));
		ck_assert_int_eq(seconds, day * 86400 + 3600);
	}
	date_write(INT64_MAX, written);
	ck_assert_str_eq(written, "9999-12-31T23:59:59Z");
	date_write(-5, written);
	ck_assert_str_eq(written, "1970-01-01T00:00Z");
}
END_TEST

CHECK_MAIN("date", tcase)
{
	tcase_add_loop_test(tcase, dates, 0, COUNT(rows));
	tcase_add_test(tcase, every_day_comes_back);
}
