/* decay -- sums in which every event fades by half in each half-life.
 *
 * Forward decay: instead of shrinking what is stored, a later event is added
 * with a larger weight, and a reader scales down by the present time.  So a
 * counter is only ever incremented, increments from any host commute, and
 * nothing is read, changed and written back.
 *
 * The weight of a point doubles with every half-life.  So that it fits 64 bits,
 * time is cut into generations of 24 half-lives, each with a counter of its
 * own: add decay_weight() to the counter of decay_generation(), and read that
 * counter together with the one of the generation before.  What is older than
 * those two weighs less than 2^-24 and is left to expire.
 *
 * Pure.  Times are Unix seconds.  A half-life is in seconds and is clamped to
 * 1..DECAY_HALF_LIFE_MAX.  Counters belong to one half-life: whoever changes
 * it must start with fresh counters. */
#ifndef DECAY_H
#define DECAY_H

#include <stdbool.h>
#include <stdint.h>

#define DECAY_HALF_LIVES    24				 /* per generation */
#define DECAY_SCALE	    1024.0			 /* stored per point */
#define DECAY_HALF_LIFE_MAX (INT64_C(100) * 366 * 86400) /* a century */
#define DECAY_WEIGHT_MAX    (INT64_C(1) << 52) /* leaves room for 2^11 such */

/* The number of the generation in which `now` lies. */
int64_t decay_generation(int64_t half_life, int64_t now);

/* Whether the generation before that of `now` still matters: where it does not,
 * what is left of it, less than 2^-16 of its points, may be taken for 0. */
bool decay_remembers(int64_t half_life, int64_t now);

/* What `points` that happen at `now` add to the counter of its generation:
 * 1..DECAY_WEIGHT_MAX, and 0 for points that are not above 0 (or NaN).  A point
 * weighs 2^10 when a generation begins and 2^34 when it ends. */
int64_t decay_weight(int64_t half_life, int64_t now, double points);

/* The points that are left at `now`: `current` is the counter of the generation
 * of `now`, `previous` that of the one before, 0 where there is none.  Negative
 * counters count as 0.  The rounding of decay_weight() makes it wrong by at
 * most 5e-4 of the true sum where every event had 1 point or more. */
double
decay_value(int64_t half_life, int64_t now, int64_t current, int64_t previous);

#endif
