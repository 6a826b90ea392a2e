/* date -- a moment written for people, in UTC: 2026-12-31, 2026-12-31T23:59Z or
 * 2026-12-31T23:59:30Z (RFC 3339), of the years 1970 to 9999.  Pure. */
#ifndef DATE_H
#define DATE_H

#include <stdbool.h>
#include <stdint.h>

#define DATE_SIZE 24

/* Unix seconds; a day alone is its beginning.  False, and *seconds_r unchanged:
 * it is none. */
bool date_parse(const char *text, int64_t *seconds_r);

/* Days from 1970-01-01 to this one; the month is from 1. */
int64_t date_days(int64_t year, int64_t month, int64_t day);

/* As it is read, with seconds only where there are any. */
void date_write(int64_t seconds, char text_r[DATE_SIZE]);

#endif
