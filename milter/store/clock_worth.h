/* clock_worth -- the clock of a pair as a record holds it: what it is still worth,
 * and which go first where there are too many.  Pure.
 *
 * All keepers of records go by this.  Clocks are encoded, times are Unix seconds. */
#ifndef CLOCK_WORTH_H
#define CLOCK_WORTH_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* A clock as one small integer for the store: 0 is never, +n pending since and
 * -n passed at n seconds after the start of 2024 UTC.  Encoding clamps times
 * outside 2024 .. about 36,000 into that range.  Decoding accepts any number
 * and never overflows. */
int64_t greylist_clock_encode(const struct greylist_clock *clock);
struct greylist_clock greylist_clock_decode(int64_t stored);

enum clock_worth {
	CLOCK_FORGOTTEN, /* of no more use */
	CLOCK_ABANDONED, /* a first attempt that nobody came back for */
	CLOCK_PENDING,	 /* a first attempt */
	CLOCK_PASSED
};

/* Clocks of rules on trial are never abandoned: nobody told their senders to
 * come back. */
enum clock_worth clock_worth(int64_t clock, enum clock_space space,
    const struct store_terms *terms, int64_t now);

/* How many clocks go. */
struct clock_surplus {
	size_t pending;
	size_t passed;
};

/* What is too much of so many clocks that are pending and passed.  Each kind
 * may have what the other leaves free, and is cut down to no less than half of
 * the cap: a flood of attempts does not push out the passes, nor can passes fill
 * a record so that nobody new ever gets through. */
struct clock_surplus clock_surplus(size_t cap, size_t pending, size_t passed);

/* One clock of a full record. */
struct clock_place {
	uint64_t author;      /* who started it, by any number */
	unsigned char sender; /* a number for the envelope sender */
	int64_t clock;
	size_t item;  /* which one it is, for whoever asks */
	size_t order; /* among its author's: filled in here */
};

/* Sort `places`, pending ones first, and those that go first of all of them:
 * `*surplus_r` of either kind.  The order of the pending ones is
 * places[0 .. pending - 1], the passed ones follow.
 *
 * Pending places are shared out among authors, and an author's among its
 * senders, as evenly as there is demand: who floods a record loses his own.  Of
 * one author and sender the latest goes first: whoever then comes back in the
 * order in which it came finds those that it began with.  Of the passed, the one
 * that was used longest ago goes first. */
void clock_places_sort(struct clock_place *places, size_t count, size_t cap,
    struct clock_surplus *surplus_r, size_t *pending_r);

/* Since when first attempts of one author have been pushed out.  All zero:
 * never. */
struct clock_crowd {
	int64_t since;
	int64_t last;
};

/* One more was pushed out now. */
void clock_crowd_note(struct clock_crowd *crowd, int64_t now);

/* Since when it has gone on without a pause of CLOCK_CROWD_PAUSE; 0: it does
 * not. */
#define CLOCK_CROWD_PAUSE INT64_C(7200) /* seconds; most retry more often */
int64_t clock_crowd_since(const struct clock_crowd *crowd, int64_t now);

/* Crowds of one record that are kept. */
#define CLOCK_CROWDS_MAX 64

/* What two records know of one clock: what has passed, else what waits longer;
 * what one has forgotten only where the other knows nothing. */
struct greylist_clock clock_either(
    int64_t one, int64_t other, const struct store_terms *terms, int64_t now);

#endif
