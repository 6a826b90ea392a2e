#include "policy/window.h"

#include "base/seconds.h"

/* No time lies further away: a slot's number is then far from overflowing. */
#define TIME_MAX (INT64_MAX / 64)

static int64_t
whole_period(int64_t period)
{
	return seconds_clamp(period, 1, WINDOW_MAX);
}

static int64_t
units_of(int64_t count)
{
	return seconds_clamp(count, 0, WINDOW_MAX);
}

int
window_slots_before(int64_t period)
{
	return (int)seconds_clamp(period, 1, WINDOW_SLOTS);
}

/* The border of two slots may lie between two seconds, so that every period has
 * equally many, whatever its length. */
int64_t
window_slot(int64_t now, int64_t period)
{
	int64_t slots = window_slots_before(period);

	now = seconds_clamp(now, -TIME_MAX, TIME_MAX);
	period = whole_period(period);
	return seconds_slot(now, period) * slots +
	    seconds_into_slot(now, period) * slots / period;
}

/* The first second of a slot. */
static int64_t
start_of(int64_t slot, int64_t period)
{
	int64_t slots = window_slots_before(period);
	int64_t part = seconds_into_slot(slot, slots) * whole_period(period);

	return seconds_slot(slot, slots) * whole_period(period) +
	    (part + slots - 1) / slots;
}

int64_t
window_life(int64_t period)
{
	int64_t slots = window_slots_before(period);

	return whole_period(period) +
	    (whole_period(period) + slots - 1) / slots + 1;
}

/* Seconds until so many units of others have ceased to count, the oldest
 * first. */
static int64_t
seconds_until_gone(const struct window_counts *counts, int64_t units,
    int64_t now, int64_t period)
{
	int before = window_slots_before(period);
	int i = WINDOW_SLOT_NOW + before;
	int64_t slot = window_slot(now, period);

	for (; i > 0; i--) {
		units -= units_of(counts->slots[i]);
		if (i == WINDOW_SLOT_NOW)
			units += units_of(counts->units);
		if (units <= 0)
			break;
	}
	/* that in place i is this many older than the slot of now, and counts
	 * until one has come that is `before` younger */
	slot += WINDOW_SLOT_NOW - i + before + 1;
	return start_of(slot, period) - seconds_clamp(now, -TIME_MAX, TIME_MAX);
}

bool
window_admits(const struct window_terms *terms,
    const struct window_counts *counts, int64_t now, int64_t *wait_r)
{
	int64_t limit = units_of(terms->limit), taken = 0;

	for (int i = WINDOW_SLOT_NOW + window_slots_before(terms->period);
	     i >= 0; i--)
		taken += units_of(counts->slots[i]);
	*wait_r = 0;
	if (taken <= limit)
		return true;
	*wait_r = units_of(counts->units) > limit
	    ? whole_period(terms->period)
	    : seconds_until_gone(counts, taken - limit, now, terms->period);
	return false;
}
