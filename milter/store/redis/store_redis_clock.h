/* store_redis_clock -- what time it is for Redis, between its answers.
 *
 * Learned from every TIME that Redis answers, carried on by this machine's
 * steady clock: so a host whose calendar is wrong agrees with all others.  It is
 * asked for once a second or so, which is often enough for quartz.
 *
 * A clock that jumps is not followed: points given by a clock that is a year
 * ahead would outweigh all others.  It is followed when this machine's calendar
 * says the same, or when it has kept to its new time for ten minutes. */
#ifndef STORE_REDIS_CLOCK_H
#define STORE_REDIS_CLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "redis/resp.h"

struct redis_clock { /* not known yet, until something is learned */
	atomic_bool known;
	atomic_llong ahead;   /* of the steady clock, microseconds */
	atomic_llong learned; /* when, of the steady clock */

	pthread_mutex_t mutex; /* guards what follows */
	bool is_nonsense;      /* what was answered last */
	bool is_leaping;
	int64_t leapt_to; /* as `ahead` */
	int64_t leapt_at; /* of the steady clock */
};

static inline void
redis_clock_init(struct redis_clock *clock)
{
	pthread_mutex_init(&clock->mutex, NULL);
}

static inline void
redis_clock_clear(struct redis_clock *clock)
{
	pthread_mutex_destroy(&clock->mutex);
}

/* When TIME was asked for and answered, of the steady clock, and this machine's
 * Unix seconds then. */
struct clock_moment {
	int64_t asked;
	int64_t answered;
	int64_t calendar;
};

enum clock_news {
	CLOCK_GOOD,	/* learned, as it was to be expected */
	CLOCK_APART,	/* known now, and far from this machine's calendar */
	CLOCK_NONSENSE, /* the answer was no time, for the first time */
	CLOCK_LEAPT,	/* it jumped, and is not followed */
	CLOCK_STILL,	/* either goes on: nothing is learned */
	CLOCK_FOLLOWED	/* it jumped, and is followed now */
};

/* Take the answer to TIME.  `*change_r` gets the seconds by which it differs from
 * what was reckoned, or for CLOCK_APART from the calendar. */
enum clock_news
redis_clock_learn(struct redis_clock *clock, const struct resp_reply *reply,
    const struct clock_moment *moment, int64_t *change_r);

bool redis_clock_is_known(const struct redis_clock *clock);

/* Whether it was asked for within the last seconds. */
bool redis_clock_is_fresh(const struct redis_clock *clock);

/* Redis's Unix seconds, by this machine's reckoning. */
int64_t redis_clock_now(const struct redis_clock *clock);

#endif
