#include "store/redis/store_redis_clock.h"

#include <time.h>

#define MICROSECONDS INT64_C(1000000)
#define FRESH	     (2 * MICROSECONDS)

int64_t
redis_clock_steady(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * MICROSECONDS + time.tv_nsec / 1000;
}

bool
redis_clock_learn(struct redis_clock *clock, const struct resp_reply *reply,
    int64_t asked, int64_t *now_r)
{
	int64_t seconds, microseconds;

	if (resp_count(reply) != 2 ||
	    !resp_integer(resp_element(reply, 0), &seconds) ||
	    !resp_integer(resp_element(reply, 1), &microseconds) ||
	    seconds < 0 || seconds > INT64_MAX / MICROSECONDS - 1)
		return false;
	/* It was read somewhere between the question and the answer. */
	atomic_store(&clock->ahead,
	    seconds * MICROSECONDS + microseconds -
		(asked + (redis_clock_steady() - asked) / 2));
	atomic_store(&clock->learned, asked);
	atomic_store(&clock->known, true);
	*now_r = seconds;
	return true;
}

bool
redis_clock_is_known(const struct redis_clock *clock)
{
	return atomic_load(&clock->known);
}

bool
redis_clock_is_fresh(const struct redis_clock *clock)
{
	return redis_clock_is_known(clock) &&
	    redis_clock_steady() - atomic_load(&clock->learned) < FRESH;
}

int64_t
redis_clock_now(const struct redis_clock *clock)
{
	return (redis_clock_steady() + atomic_load(&clock->ahead)) /
	    MICROSECONDS;
}
