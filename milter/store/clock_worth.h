/* clock_worth -- what the clock of a pair is still worth to the record that
 * holds it, and which go first where there are too many.  Pure.
 *
 * All keepers of records go by this.  Clocks are encoded
 * (greylist_clock_encode()), times are Unix seconds. */
#ifndef CLOCK_WORTH_H
#define CLOCK_WORTH_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum clock_worth {
	CLOCK_FORGOTTEN, /* of no more use */
	CLOCK_ABANDONED, /* a first attempt that nobody came back for */
	CLOCK_PENDING,	 /* a first attempt */
	CLOCK_PASSED
};

/* Seconds since the clock was started, or since it last passed; 0 where that lies
 * ahead. */
int64_t clock_age(int64_t clock, int64_t now);

/* Clocks of rules on trial are never abandoned: nobody told their senders to
 * come back. */
enum clock_worth clock_worth(int64_t clock, enum clock_space space,
    const struct store_terms *terms, int64_t now);

/* How many clocks go: of either kind the oldest. */
struct clock_surplus {
	size_t pending;
	size_t passed;
};

/* What is too much of so many clocks that are pending and passed.  Each kind
 * may have what the other leaves free, and is cut down to no less than half of
 * the cap: a flood of attempts does not push out the passes, nor can passes fill
 * a record so that nobody new ever gets through. */
struct clock_surplus clock_surplus(size_t cap, size_t pending, size_t passed);

#endif
