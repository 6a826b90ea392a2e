#include "maillog/maillog_clock.h"

#include <stdlib.h>
#include <time.h>

#include "mail/date.h"

#define HOUR  INT64_C(3600)
#define DAY   (24 * HOUR)
#define YEARS 8 /* looked back for one that has a 29 February */

static int64_t
seconds_of(const struct maillog_stamp *stamp, int year)
{
	return date_days(year, stamp->month, stamp->day) * DAY +
	    stamp->hour * HOUR + stamp->minute * 60;
}

/* A local time that comes twice, as clocks are put back, is either, as `dst` says.
 * -1: there is none such. */
static int64_t
local_of(const struct maillog_stamp *stamp, int year, int dst)
{
	struct tm local = {.tm_year = year - 1900,
	    .tm_mon = stamp->month - 1,
	    .tm_mday = stamp->day,
	    .tm_hour = stamp->hour,
	    .tm_min = stamp->minute,
	    .tm_isdst = dst};
	time_t at = mktime(&local);

	return dst < 0 ||
		(local.tm_hour == stamp->hour && local.tm_min == stamp->minute)
	    ? (int64_t)at
	    : -1;
}

static int64_t
nearest_local(const struct maillog_clock *clock,
    const struct maillog_stamp *stamp, int year)
{
	int64_t summer = local_of(stamp, year, 1);
	int64_t winter = local_of(stamp, year, 0);

	if (summer == -1 && winter == -1) /* skipped, as clocks are put on */
		return local_of(stamp, year, -1);
	if (summer == -1 || winter == -1 || summer == winter)
		return summer == -1 ? winter : summer;
	/* The later one only once its time has come. */
	return clock->last != 0 && summer + 60 <= clock->last - 60 ? winter
								   : summer;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
year_of(int64_t at)
{
	time_t seconds = (time_t)at;
	struct tm utc;

	return gmtime_r(&seconds, &utc) == NULL ? 1970 : utc.tm_year + 1900;
}

/* The last year in which such a time is not younger than a day after the file. */
static int
guess_year(const struct maillog_clock *clock, const struct maillog_stamp *stamp)
{
	int last = year_of(clock->youngest) + 1;

	for (int year = last; year > last - YEARS; year--) {
		if (stamp->month == 2 && stamp->day == 29 && !is_leap(year))
			continue;
		if (seconds_of(stamp, year) <= clock->youngest + DAY)
			return year;
	}
	return last - 1;
}

/* January after December begins a year; December after January is a straggler. */
static int
year_for(const struct maillog_clock *clock, const struct maillog_stamp *stamp)
{
	if (stamp->has_year)
		return stamp->year;
	if (clock->year == 0)
		return guess_year(clock, stamp);
	if (clock->month == 0)
		return clock->year;
	if (stamp->month + 6 < clock->month)
		return clock->year + 1;
	if (stamp->month > clock->month + 6)
		return clock->year - 1;
	return clock->year;
}

static bool
is_same_minute(const struct maillog_stamp *a, const struct maillog_stamp *b)
{
	return a->minute == b->minute && a->hour == b->hour &&
	    a->day == b->day && a->month == b->month && a->year == b->year &&
	    a->zone == b->zone && a->has_zone == b->has_zone &&
	    a->has_year == b->has_year;
}

int64_t
maillog_clock_read(
    struct maillog_clock *clock, const struct maillog_stamp *stamp)
{
	/* In an hour that comes twice a second look is needed for each line. */
	if (clock->last == 0 || !is_same_minute(&clock->minute, stamp) ||
	    clock->minute_began + stamp->second < clock->last - 60) {
		clock->year = year_for(clock, stamp);
		clock->month = stamp->month;
		clock->minute_began = stamp->has_zone
		    ? seconds_of(stamp, clock->year) - stamp->zone
		    : nearest_local(clock, stamp, clock->year);
		clock->minute = *stamp;
	}
	clock->last = clock->minute_began + stamp->second;
	return clock->last;
}
