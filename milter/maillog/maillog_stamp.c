#include "maillog/maillog_stamp.h"

#include <string.h>

#include "base/ascii.h"

#define MONTH 3 /* letters */

static bool
take_clock(struct span *span, struct maillog_stamp *stamp)
{
	return span_take_number(span, 2, 2, &stamp->hour) &&
	    span_take(span, ":") &&
	    span_take_number(span, 2, 2, &stamp->minute) &&
	    span_take(span, ":") &&
	    span_take_number(span, 2, 2, &stamp->second);
}

static bool
is_sane(const struct maillog_stamp *stamp)
{
	return stamp->month >= 1 && stamp->month <= 12 && stamp->day >= 1 &&
	    stamp->day <= 31 && stamp->hour < 24 && stamp->minute < 60 &&
	    stamp->second <= 60 && (!stamp->has_year || stamp->year >= 1970);
}

/* Of a second, as "14:51:41.123456" has it. */
static void
skip_fraction(struct span *span)
{
	if (span_take(span, ".") || span_take(span, ","))
		while (span->length > 0 && ascii_is_digit(span->at[0]))
			span_skip(span, 1);
}

/* "Nov 28 14:51:41", the day padded with a blank, a zero, or not at all. */
static bool
take_traditional(struct span *span, struct maillog_stamp *stamp)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	if (span->length < MONTH)
		return false;
	for (int month = 0; month < 12; month++)
		if (memcmp(span->at, months + month * MONTH, MONTH) == 0)
			stamp->month = month + 1;
	if (stamp->month == 0)
		return false;
	span_skip(span, MONTH);
	if (!span_take(span, " "))
		return false;
	(void)span_take(span, " ");
	if (!span_take_number(span, 1, 2, &stamp->day) ||
	    !span_take(span, " ") || !take_clock(span, stamp))
		return false;
	skip_fraction(span);
	return true;
}

/* "Z", "+02:00" or "+0200"; nothing is local time. */
static bool
take_zone(struct span *span, struct maillog_stamp *stamp)
{
	int hours, minutes;
	bool west;

	stamp->has_zone = span_take(span, "Z");
	if (stamp->has_zone)
		return true;
	west = span_begins(*span, "-");
	if (!west && !span_begins(*span, "+"))
		return true;
	span_skip(span, 1);
	if (!span_take_number(span, 2, 2, &hours))
		return false;
	(void)span_take(span, ":");
	if (!span_take_number(span, 2, 2, &minutes))
		return false;
	stamp->has_zone = true;
	stamp->zone = (hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

/* RFC 3339: "2026-11-28T14:51:41.5+01:00". */
static bool
take_iso(struct span *span, struct maillog_stamp *stamp)
{
	if (!span_take_number(span, 4, 4, &stamp->year) ||
	    !span_take(span, "-") ||
	    !span_take_number(span, 2, 2, &stamp->month) ||
	    !span_take(span, "-") ||
	    !span_take_number(span, 2, 2, &stamp->day) ||
	    (!span_take(span, "T") && !span_take(span, " ")) ||
	    !take_clock(span, stamp))
		return false;
	stamp->has_year = true;
	skip_fraction(span);
	return take_zone(span, stamp);
}

bool
maillog_stamp_take(struct span *span, struct maillog_stamp *stamp_r)
{
	bool done;

	memset(stamp_r, 0, sizeof *stamp_r);
	if (span->length == 0)
		return false;
	done = ascii_is_digit(span->at[0]) ? take_iso(span, stamp_r)
					   : take_traditional(span, stamp_r);
	return done && is_sane(stamp_r) && span_take(span, " ");
}
