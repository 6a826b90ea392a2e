/* standing -- what a client is worth, by what it has earned.  Pure. */
#ifndef STANDING_H
#define STANDING_H

#include "policy/settings.h"

struct standing {
	double score; /* reputation, -100..100 */
	bool is_poor;
	bool known; /* has earned trust, and is not poor */
};

/* By the points of its host and of its network, which contain the host's, and the
 * pairs that it got through. */
void standing_of(const struct settings *settings,
    const struct reputation_sums *host, const struct reputation_sums *network,
    int64_t passes, struct standing *standing_r);

#endif
