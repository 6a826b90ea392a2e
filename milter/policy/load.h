/* load -- is the farm busier than this, by what its hosts report?
 *
 * A load is a share of what a host can bear: 0 is idle, 1.0 is full.  Hosts
 * publish theirs as "<Unix seconds>:<load>"; here those figures become one, and
 * one figure becomes a yes or no that does not flap.
 *
 * Pure.  Times are Unix seconds of the store's clock. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_MAX	 100.0 /* more than this is nonsense */
#define LOAD_MAX_AGE	 INT64_C(10)
#define LOAD_REPORT_SIZE 48 /* bytes that hold any formatted report */

struct load_report {
	int64_t at;  /* when it was published */
	double load; /* 0..LOAD_MAX, else it is nonsense */
};

/* False for NaN, negative, infinite and absurdly large numbers. */
bool load_is_sane(double load);

/* Read a plain decimal number as "12", "0.85": digits, at most one point with
 * digits on both sides, at most 32 characters; no sign, exponent or blank, and
 * the same in every locale.  False, and *value_r unchanged, for all else. */
bool load_number_parse(const char *text, size_t len, double *value_r);

/* Read a published report, strictly.  False, and *report_r unchanged, if it is
 * malformed or its load is nonsense. */
bool
load_report_parse(const char *text, size_t len, struct load_report *report_r);

/* Write a report that load_report_parse() reads, with three decimals.  Nonsense
 * is written as load 0, times before 1970 as 0. */
void load_report_format(
    const struct load_report *report, char text_r[LOAD_REPORT_SIZE]);

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

enum load_mode {
	LOAD_MEAN, /* the larger of our own load and the mean of the farm */
	LOAD_MOST, /* the larger of our own load and the farm's busiest host */
	LOAD_OWN   /* our own alone */
};

/* The figure that `load_above` compares.  Nonsense as own load counts as 0. */
double
load_combine(enum load_mode mode, double own, const struct load_view *farm);

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
