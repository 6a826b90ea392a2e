/* window -- may one more unit pass, if at most so many may within a period?
 *
 * Time is cut into slots of a tenth of the period, and the units of each are
 * counted apart.  The slot of now and all that any part of the last period
 * touches count in full.  So never more units than the limit lie within any
 * period, wherever it begins; and a unit that was taken is free again after the
 * period and at most one slot more.  Two counters for a period, of which the
 * older fades, would cost a command and some hundred octets on the wire less,
 * but let a third more through than was said.
 *
 * Whoever asks first takes its units from the slot of its time, and judges by
 * what that gave together with the other slots, read after it: of sessions that
 * ask at once each sees what those before it took.  The slot after that of now
 * counts too: one whose clock is a moment ahead may have taken from it.  Units
 * of a message that is then deferred, for this or another reason, are given
 * back to the same slot.  What is only read, with our own units thought to be in
 * it, is good for a deferral, which would give them back.
 *
 * Pure, exact integer arithmetic.  Times are Unix seconds; a period is clamped
 * to 1..WINDOW_MAX seconds, limits and counts to 0..WINDOW_MAX. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_MAX INT64_C(1000000000)

/* In a period; fewer in one that has fewer seconds. */
#define WINDOW_SLOTS 10
/* That count: those of a period, that in which it began, and the next one. */
#define WINDOW_COUNTED (WINDOW_SLOTS + 2)

struct window_terms {
	int64_t limit;	/* units that may pass within any period */
	int64_t period; /* seconds */
};

struct window_counts {
	int64_t units; /* just taken by us; contained in that of now */
	/* the latest first: that after now, that of now, those before */
	int64_t slots[WINDOW_COUNTED];
};

#define WINDOW_SLOT_NOW 1 /* among window_counts.slots */

/* The number of the slot in which `now` lies; those before have lesser ones. */
int64_t window_slot(int64_t now, int64_t period);

/* How many slots before that of now count: 1..WINDOW_SLOTS. */
int window_slots_before(int64_t period);

/* The seconds after which what is taken now has certainly ceased to count. */
int64_t window_life(int64_t period);

/* True if our units fit.  *wait_r gets 0 then, and else the seconds after which
 * the same request would fit if nobody else takes any, at least 1.  More units
 * than the limit never fit; *wait_r is then the period. */
bool window_admits(const struct window_terms *terms,
    const struct window_counts *counts, int64_t now, int64_t *wait_r);

#endif
