/* store_redis_clock -- what time it is for Redis, between its answers.
 *
 * Learned from every TIME that Redis answers, carried on by this machine's
 * steady clock: so a host whose calendar is wrong agrees with all others.  It is
 * asked for once a second or so, which is often enough for quartz. */
#ifndef STORE_REDIS_CLOCK_H
#define STORE_REDIS_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "redis/resp.h"

struct redis_clock { /* all zero: not known yet */
	atomic_bool known;
	atomic_llong ahead;   /* of the steady clock, microseconds */
	atomic_llong learned; /* when, of the steady clock */
};

/* The steady clock, microseconds; its start means nothing. */
int64_t redis_clock_steady(void);

/* Take the answer to TIME that was asked for at `asked` (of the steady clock)
 * and has just come.  False: it is no such answer.  `*now_r` gets its Unix
 * seconds. */
bool redis_clock_learn(struct redis_clock *clock,
    const struct resp_reply *reply, int64_t asked, int64_t *now_r);

bool redis_clock_is_known(const struct redis_clock *clock);

/* Whether it was learned within the last seconds. */
bool redis_clock_is_fresh(const struct redis_clock *clock);

/* Redis's Unix seconds, by this machine's reckoning. */
int64_t redis_clock_now(const struct redis_clock *clock);

#endif
