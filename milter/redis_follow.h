/* redis_follow -- goes where a cluster sends the commands of a call that
 * somebody waits for. */
#ifndef REDIS_FOLLOW_H
#define REDIS_FOLLOW_H

#include "redis_cluster.h"

enum {
	REDIS_HOPS = 5, /* redirections that one call follows at most */

	/* Shorter waits are not worth it: they would end a sound connection
	 * because of one impatient caller. */
	REDIS_PATIENCE_MS = 20,
};

/* Send the redirected commands of an answered call again, within its deadline,
 * until none is redirected.  False: some still are, as their replies say. */
bool redis_follow(struct redis_cluster *cluster, struct redis_call *call);

#endif
