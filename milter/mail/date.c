#include "mail/date.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/seconds.h"

#define DAY	  INT64_C(86400)
#define LAST_YEAR 9999

/* Days from 1970-01-01, by years that begin in March, so that a leap day is the
 * last of its year. */
int64_t
date_days(int64_t year, int64_t month, int64_t day)
{
	int64_t years = month <= 2 ? year - 1 : year;
	int64_t months = (month + 9) % 12;

	return years * 365 + years / 4 - years / 100 + years / 400 +
	    (months * 153 + 2) / 5 + day - 1 - 719468;
}

static int64_t
length_of(int64_t year, int64_t month)
{
	return month == 12
	    ? 31
	    : date_days(year, month + 1, 1) - date_days(year, month, 1);
}

/* So many digits, of a number in a range, and then this octet. */
static bool
take(const char **cursor, size_t digits, int64_t least, int64_t most, char end,
    int64_t *number_r)
{
	int64_t number;

	if (strnlen(*cursor, digits) < digits ||
	    !decimal_read_all(*cursor, digits, most, &number) || number < least)
		return false;
	*cursor += digits;
	*number_r = number;
	if (**cursor != end)
		return false;
	*cursor += end != '\0';
	return true;
}

static bool
take_time(const char **cursor, int64_t *seconds_r)
{
	int64_t hour, minute, second = 0;
	char end;

	if (!take(cursor, 2, 0, 23, ':', &hour))
		return false;
	end = strnlen(*cursor, 3) == 3 ? (*cursor)[2] : '\0';
	if ((end != ':' && end != 'Z') ||
	    !take(cursor, 2, 0, 59, end, &minute) ||
	    (end == ':' && !take(cursor, 2, 0, 59, 'Z', &second)))
		return false;
	*seconds_r = (hour * 60 + minute) * 60 + second;
	return true;
}

bool
date_parse(const char *text, int64_t *seconds_r)
{
	bool is_day = strlen(text) == strlen("1970-01-01");
	int64_t year, month, day, seconds = 0;

	if (!take(&text, 4, 1970, LAST_YEAR, '-', &year) ||
	    !take(&text, 2, 1, 12, '-', &month) ||
	    !take(&text, 2, 1, length_of(year, month), is_day ? '\0' : 'T',
		&day) ||
	    (!is_day && (!take_time(&text, &seconds) || *text != '\0')))
		return false;
	*seconds_r = date_days(year, month, day) * DAY + seconds;
	return true;
}

void
date_write(int64_t seconds, char text_r[DATE_SIZE])
{
	int64_t last = date_days(LAST_YEAR + 1, 1, 1) * DAY - 1;
	int64_t year, month = 1, days, rest;
	size_t at;

	seconds = seconds < 0 ? 0 : seconds > last ? last : seconds;
	days = seconds_slot(seconds, DAY);
	rest = seconds_into_slot(seconds, DAY);
	year = 1970 + days / 366;
	while (date_days(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && date_days(year, month + 1, 1) <= days)
		month++;
	at = (size_t)snprintf(text_r, DATE_SIZE, "%04d-%02d-%02dT%02d:%02d",
	    (int)year % 10000, (int)month % 100,
	    (int)(days - date_days(year, month, 1) + 1) % 100,
	    (int)(rest / 3600) % 100, (int)(rest / 60 % 60));
	(void)snprintf(text_r + at, DATE_SIZE - at,
	    rest % 60 != 0 ? ":%02dZ" : "Z", (int)(rest % 60));
}
