/* maillog_stamp -- the time at the front of a line, as it stands there.  Pure. */
#ifndef MAILLOG_STAMP_H
#define MAILLOG_STAMP_H

#include <stdbool.h>

#include "maillog/span.h"

/* As a traditional time has no year, and either may have no zone. */
struct maillog_stamp {
	bool has_year, has_zone;
	int year, month, day; /* month from 1 */
	int hour, minute, second;
	int zone; /* seconds east of UTC */
};

/* Take a traditional syslog time or one of RFC 3339 off the front of a line, with the
 * blank behind it.  False: there is none. */
bool maillog_stamp_take(struct span *span, struct maillog_stamp *stamp_r);

#endif
