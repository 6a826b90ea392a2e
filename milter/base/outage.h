/* outage -- when is a fault worth a line in the log?  Pure.
 *
 * Once when it starts, again when its cause has become another and stays so for
 * ten seconds, every hour while it lasts, and once when it is over.  Faults that
 * come and go use up an allowance of five lines that fills at one line in half a
 * minute: when it is empty, the line waits, and is never written if the fault is
 * over by then. */
#ifndef OUTAGE_H
#define OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#define OUTAGE_WORDS_SIZE 160 /* of a cause that is told apart from others */

enum outage_news {
	OUTAGE_SAME,  /* nothing to tell */
	OUTAGE_BEGAN, /* it fails, or is to be told again */
	OUTAGE_ENDED
};

struct outage { /* all zero: well, nothing told */
	bool told;
	char told_cause[OUTAGE_WORDS_SIZE];
	int64_t told_ms;
	char cause[OUTAGE_WORDS_SIZE]; /* as it is now, */
	int64_t cause_ms;	       /* and since when */
	int64_t spent_ms;	       /* of the allowance, at told_ms */
};

/* Tell what is so now: `why` it fails, or NULL when all is well.  Repeat it
 * now and then while it fails.  The answer says what to report. */
enum outage_news
outage_note(struct outage *outage, const char *why, int64_t now_ms);

#endif
