#include "policy/window.h"

#include "base/seconds.h"

/* With both factors at most 10^9 every product below fits 63 bits. */
static int64_t
clamp(int64_t value, int64_t low)
{
	if (value < low)
		return low;
	return value < WINDOW_MAX ? value : WINDOW_MAX;
}

/* Seconds from the start of a window until `weight` units of the window before
 * have faded to `room`; a window has always faded when it ends. */
static int64_t
seconds_to_fade(int64_t weight, int64_t room, int64_t period)
{
	if (weight == 0 || weight <= room)
		return 0;
	return period - room * period / weight;
}

int64_t
window_id(int64_t now, int64_t period)
{
	return seconds_slot(now, clamp(period, 1));
}

double
window_estimate(const struct window_counts *counts, int64_t now, int64_t period)
{
	int64_t left;

	period = clamp(period, 1);
	left = period - seconds_into_slot(now, period);
	return (double)clamp(counts->current, 0) +
	    (double)(clamp(counts->previous, 0) * left) / (double)period;
}

bool
window_admits(const struct window_terms *terms,
    const struct window_counts *counts, int64_t now, int64_t *wait_r)
{
	int64_t period = clamp(terms->period, 1);
	int64_t limit = clamp(terms->limit, 0);
	int64_t units = clamp(counts->units, 0);
	int64_t current = clamp(counts->current, 0);
	int64_t previous = clamp(counts->previous, 0);
	int64_t left = period - seconds_into_slot(now, period);

	*wait_r = 0;
	if (current <= limit && previous * left <= (limit - current) * period)
		return true;
	if (units > limit)
		*wait_r = period;
	else if (current <= limit)
		*wait_r = seconds_to_fade(previous, limit - current, period) -
		    (period - left);
	else /* ours are given back; the rest becomes the window before */
		*wait_r = left +
		    seconds_to_fade(current - units, limit - units, period);
	return false;
}
