/* redis_outage -- when is a fault worth a line in the log?  Pure.
 *
 * Once when it starts, once when it is over; once more after half a minute if
 * it has changed its nature.  Faults that come and go use up an allowance of
 * five lines that fills at one line in half a minute: when it is empty, the
 * line waits, and is never written if the fault is over by then. */
#ifndef REDIS_OUTAGE_H
#define REDIS_OUTAGE_H

#include "redis/redis.h"

struct redis_outage { /* all zero: well, nothing told */
	bool told;
	char kind[24]; /* of the fault as told: Redis's word, or empty */
	int64_t told_ms;
	int64_t spent_ms; /* of the allowance, at told_ms */
};

/* Tell what is so now: `why` it fails, or NULL when all is well.  Repeat it
 * now and then while it fails.  The answer says what to report. */
enum redis_news
redis_outage_note(struct redis_outage *outage, const char *why, int64_t now_ms);

#endif
