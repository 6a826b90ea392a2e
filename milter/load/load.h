/* load -- is the farm busier than this, by what its hosts report?
 *
 * Hosts publish their loads (load_report.h); here those figures become one, and
 * one figure becomes a yes or no that does not flap.
 *
 * Pure.  Times are Unix seconds of the store's clock. */
#ifndef LOAD_H
#define LOAD_H

#include "policy/settings.h"
#include "store/load_report.h"

#define LOAD_MAX_AGE INT64_C(10)

/* What the reports of all hosts say together. */
struct load_view {
	size_t hosts;	 /* whose reports count */
	size_t silent;	 /* more than the age away from now: dropped out */
	size_t nonsense; /* ignored, whatever their age */
	double mean;	 /* of the hosts that count, 0 if none */
	double max;
};

struct load_view load_view_of(const struct load_report *reports, size_t count,
    int64_t now, int64_t max_age);

/* The figure that `load_above` compares: the larger of our own load and the mean of
 * the farm, or its busiest host, or our own alone.  Nonsense as own load counts as 0. */
double
load_combine(enum farm_load farm, double own, const struct load_view *others);

/* A threshold that does not flap. */
struct load_latch_terms {
	double threshold;
	double hysteresis; /* default 0.1 */
	int64_t dwell;	   /* seconds, default 30 */
};

#define LOAD_HYSTERESIS 0.1
#define LOAD_DWELL	INT64_C(30)

/* All zero at first; only load_latch_step() writes it. */
struct load_latch {
	bool crossed;
	int64_t
	    last_high; /* when the load was last at or above the threshold */
};

/* Take the load at `now` into account and tell whether the threshold is
 * crossed.  It is crossed at once when the load is at or above it (0.80 crosses
 * 0.80).  It is left when the load is below threshold - hysteresis (but never
 * less than half the threshold, or a low one could not be left) and was last
 * at or above the threshold `dwell` or more seconds ago.  Nonsense changes
 * nothing.  A clock that goes back restarts the dwell. */
bool load_latch_step(const struct load_latch_terms *terms,
    struct load_latch *latch, double load, int64_t now);

#endif
