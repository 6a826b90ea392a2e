/* greylist -- has this sender waited long enough?  Pure: you look up, we judge.
 *
 * RFC 6647: a first attempt is deferred, a retry after the delay passes, and
 * who has passed goes on passing as long as it keeps coming. */
#ifndef GREYLIST_H
#define GREYLIST_H

#include <stdint.h>

struct greylist_terms {
	int64_t delay;	/* seconds that a first attempt must wait */
	int64_t window; /* seconds after which an attempt is forgotten */
	int64_t keep;	/* seconds after which a pass is forgotten */
};

/* What is remembered.  Unix seconds, 0 for never; at most one of them is set,
 * and where both are, the pass counts. */
struct greylist_clock {
	int64_t first_seen;  /* still pending since */
	int64_t last_passed; /* passed, and last seen then */
};

enum greylist_state {
	GREYLIST_FIRST, /* to be remembered as first seen now */
	GREYLIST_EARLY, /* to be left as it is remembered */
	GREYLIST_PASSED /* to be remembered as passed now */
};

/* Judge one attempt at `now`.  *wait_r gets the seconds still to wait (the
 * whole delay for a first attempt), 0 once passed; never more than the delay.
 *
 * A time that lies ahead of `now` counts as now: a clock was wrong, and is right
 * again.  A pass from there is a pass; one further ahead than it would be kept
 * is rubbish, that is never.  A first attempt from there is one anew, unless it
 * is within GREYLIST_SLACK, by which the clocks of several hosts may differ.
 *
 * The window must be above the delay (else nobody can pass): where it is not, it
 * counts as twice the delay.  Negative terms count as 0. */
#define GREYLIST_SLACK INT64_C(5) /* seconds */
enum greylist_state greylist_judge(const struct greylist_terms *terms,
    const struct greylist_clock *clock, int64_t now, int64_t *wait_r);

/* What becomes of a clock. */
enum clock_mark {
	MARK_NONE,
	MARK_FIRST,   /* starts the clock now, unless one is there */
	MARK_RESTART, /* starts the clock now, whatever is there */
	MARK_PASSED,  /* the clock shows that it passed, last seen now */
	MARK_FORGET   /* removes the clock */
};

#endif
