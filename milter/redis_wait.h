/* redis_wait -- wait for several calls at once. */
#ifndef REDIS_WAIT_H
#define REDIS_WAIT_H

#include "redis_link.h"

#include <pthread.h>

struct redis_wait {
	pthread_mutex_t mutex;
	pthread_cond_t all_done;
	size_t left; /* calls not done */
};

void redis_wait_open(struct redis_wait *wait_r);
void redis_wait_close(struct redis_wait *wait);

/* Hand a call over, with the wait as its `done`.  False: refused, and nothing
 * to wait for. */
bool redis_wait_submit(
    struct redis_wait *wait, struct redis_link *link, struct redis_call *call);

/* Wait until all are done.  Their links see to their deadlines. */
void redis_wait_all(struct redis_wait *wait);

#endif
