/* redis_health -- do servers that answer also do what they are told?
 *
 * A full or read-protected server keeps its connections and refuses single
 * commands (OOM, MISCONF, NOPERM, ...).  That is told once, when a command is
 * refused, and once when it is over: when a command of the same name has been
 * accepted and none was refused for a second.  For the client's thread. */
#ifndef REDIS_HEALTH_H
#define REDIS_HEALTH_H

#include "base/outage.h"
#include "redis/address.h"
#include "redis/call.h"

struct redis_health {
	redis_report report;
	void *report_arg;

	bool is_ill;
	struct outage outage;
	char where[REDIS_WHERE_SIZE];
	char command[24]; /* refused last */
	int64_t refused_ms;
};

/* Look at the replies of a call that was answered.  True: none of its commands
 * was refused, other than for its key.  A connection that takes no writes at all is marked as such. */
bool
redis_health_note(struct redis_health *health, const struct redis_call *call);

#endif
