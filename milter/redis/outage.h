/* outage -- when is a fault worth a line in the log?  Pure.
 *
 * Once when it starts, again when its cause has become another and stays so for
 * ten seconds, every hour while it lasts, and once when it is over.  Faults that
 * come and go use up an allowance of five lines that fills at one line in half a
 * minute: when it is empty, the line waits, and is never written if the fault is
 * over by then. */
#ifndef REDIS_OUTAGE_H
#define REDIS_OUTAGE_H

#include "redis/error.h"
#include "redis/redis.h"

struct redis_outage { /* all zero: well, nothing told */
	bool told;
	char told_cause[REDIS_WORDS_SIZE];
	int64_t told_ms;
	char cause[REDIS_WORDS_SIZE]; /* as it is now, */
	int64_t cause_ms;	      /* and since when */
	int64_t spent_ms;	      /* of the allowance, at told_ms */
};

/* Tell what is so now: `why` it fails, or NULL when all is well.  Repeat it
 * now and then while it fails.  The answer says what to report. */
enum redis_news
redis_outage_note(struct redis_outage *outage, const char *why, int64_t now_ms);

#endif
