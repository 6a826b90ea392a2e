/* window -- may one more unit pass, if at most so many may within a period?
 *
 * A sliding window made of two fixed ones: the counter of the window of `now`
 * counts in full, that of the window before counts with the share of it that
 * the last `period` seconds still cover.  So there is no moment at which a
 * counter starts afresh and lets a double burst through.
 *
 * Whoever asks first takes its units from the counter of window_id() and judges
 * by the value that this gave: values are distinct, so parallel sessions never
 * get more than the limit.  Units of a message that is then deferred, for this
 * or another reason, are given back to the same window.
 *
 * Pure, exact integer arithmetic.  Times are Unix seconds; a period is clamped
 * to 1..WINDOW_MAX seconds, limits and counts to 0..WINDOW_MAX. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_MAX INT64_C(1000000000)

struct window_terms {
	int64_t limit;	/* units that may pass within any period */
	int64_t period; /* seconds */
};

struct window_counts {
	int64_t units;	  /* just taken by us; contained in `current` */
	int64_t current;  /* of the window of now, after we took ours */
	int64_t previous; /* of the window before */
};

/* The number of the window in which `now` lies; the one before is one less. */
int64_t window_id(int64_t now, int64_t period);

/* Units within the last period, as the limit sees them. */
double window_estimate(
    const struct window_counts *counts, int64_t now, int64_t period);

/* True if our units fit.  *wait_r gets 0 then, and else the seconds after which
 * the same request would fit if nobody else takes any, at least 1.  More units
 * than the limit never fit; *wait_r is then the period. */
bool window_admits(const struct window_terms *terms,
    const struct window_counts *counts, int64_t now, int64_t *wait_r);

#endif
