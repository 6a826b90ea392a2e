/* visitors -- how often may one visitor ask?  A bounded table: many visitors make
 * it forget some, and never grow. */
#ifndef VISITORS_H
#define VISITORS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "mail/netaddr.h"

enum {
	VISITOR_HOME = 8, /* octets of a /64 */
	VISITOR_SETS = 1024,
	VISITOR_WAYS = 8
};

/* All zero at first, but for the mutex, which is made. */
struct visitors {
	pthread_mutex_t mutex;
	uint64_t seed; /* drawn at the first visit */
	struct visitor {
		unsigned char home[VISITOR_HOME];
		unsigned char length; /* 0: nobody */
		/* What was used up, in time: ahead by a minute at most. */
		int64_t spent_us;
	} table[VISITOR_SETS][VISITOR_WAYS];
};

/* Whether this visitor may ask once more at `now_us`, of a steady clock, when
 * `limit` times a minute are allowed; that is counted.  An IPv6 visitor is its
 * /64.  From any thread. */
bool visitors_may(struct visitors *visitors, const struct netaddr *visitor,
    int64_t limit, int64_t now_us);

#endif
