/* seconds -- arithmetic on clock readings that no number can break.
 *
 * All times are int64_t seconds of one clock (in practice Unix seconds).  Any
 * value is allowed: a clock may be wrong, and a number may come from a store
 * that somebody else writes to. */
#ifndef SECONDS_H
#define SECONDS_H

#include <stdint.h>

/* `value`, or the nearer of the two bounds. */
static inline int64_t
seconds_clamp(int64_t value, int64_t low, int64_t high)
{
	if (value < low)
		return low;
	return value < high ? value : high;
}

/* The seconds from `then` to `now`, negative when `then` lies ahead.  Saturates
 * at INT64_MAX and -INT64_MAX, so that the result can always be negated. */
static inline int64_t
seconds_between(int64_t now, int64_t then)
{
	if (then < 0 && now > INT64_MAX + then)
		return INT64_MAX;
	if (then >= 0 && now < -INT64_MAX + then)
		return -INT64_MAX;
	return now - then;
}

/* How far ahead or behind, whichever way: 0..INT64_MAX. */
static inline int64_t
seconds_apart(int64_t now, int64_t then)
{
	int64_t between = seconds_between(now, then);

	return between < 0 ? -between : between;
}

/* Time cut into slots of `length` seconds (>= 1): seconds since the slot of
 * `now` began, 0..length-1, also for times before 1970. */
static inline int64_t
seconds_into_slot(int64_t now, int64_t length)
{
	int64_t rest = now % length;

	return rest < 0 ? rest + length : rest;
}

/* The number of the slot in which `now` lies; consecutive slots have
 * consecutive numbers, slot 0 begins at 0. */
static inline int64_t
seconds_slot(int64_t now, int64_t length)
{
	return now / length - (now % length < 0 ? 1 : 0);
}

#endif
