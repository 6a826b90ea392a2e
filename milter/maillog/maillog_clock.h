/* maillog_clock -- Unix seconds of the times in a log, which may say neither year nor
 * zone.
 *
 * Lines come in about the order of their times.  Without a year, it is the last one
 * in which the first line is not younger than the file, and a new one begins where
 * the month falls back.  Without a zone, times are local ($TZ); of an hour that comes
 * twice, the one that fits what came before. */
#ifndef MAILLOG_CLOCK_H
#define MAILLOG_CLOCK_H

#include <stdint.h>

#include "maillog/maillog_stamp.h"

/* Begun with these two, and all else zero. */
struct maillog_clock {
	int64_t youngest; /* when the file was last written to */
	int year;	  /* of the first line, 0: not known; then the last's */
	int month;
	int64_t last; /* 0: none yet */
	/* the minute that was worked out last, and when it began */
	struct maillog_stamp minute;
	int64_t minute_began;
};

int64_t maillog_clock_read(
    struct maillog_clock *clock, const struct maillog_stamp *stamp);

#endif
