/* load -- the arithmetic of load: how counters become a share, the figures of hosts
 * one figure, and that a yes or no which does not flap.  Pure. */
#ifndef LOAD_H
#define LOAD_H

#include "policy/settings.h"
#include "store/load_report.h"

/* ---- Pressure: for what share of the time does work stand still for want of a
 * resource?
 *
 * Linux counts the microseconds during which at least one task waited for CPU,
 * input/output or memory (PSI, /proc/pressure).  The growth of that counter
 * between two samples is the share, smoothed here.  The kernel's own averages
 * are no use for this: they are renewed every 2 s, and after 4 s of complete
 * standstill avg10 shows 0.33.
 *
 * Times are microseconds of a clock that never goes back. */

/* After this long a lasting change shows by 63 %.  So a complete standstill
 * shows as 0.33 after one second, 0.55 after two, 0.70 after three and 0.80
 * after four: a moment does not count, and a few seconds do. */
#define LOAD_PRESSURE_SMOOTH_US INT64_C(2500000)

/* All zero at first; only load_pressure_step() writes it. */
struct load_pressure {
	bool begun;
	int64_t at;    /* of the last sample */
	int64_t total; /* microseconds of standstill counted by then */
	double share;  /* smoothed, 0..1 */
};

/* Take a sample and return the smoothed share.  The first one can tell nothing
 * yet, so it gives 0; nor can one taken at the same moment as the last, or a
 * counter that went back: they change nothing but the start of the next. */
double
load_pressure_step(struct load_pressure *pressure, int64_t total, int64_t now);

/* The same for systems without the counter: assume that the share has been
 * `share` (0..1) since the last sample. */
double
load_pressure_assume(struct load_pressure *pressure, double share, int64_t now);

/* The counter in the text of a pressure file: the number behind "total=" in
 * the line that begins with "some ".  False, and *total_r unchanged, if the
 * text holds no such line or no whole number of at most 18 digits there. */
bool load_pressure_parse(const char *text, size_t len, int64_t *total_r);

/* The tasks that are running or ready to run, from the text of /proc/loadavg:
 * the 1 in "0.20 0.18 0.12 1/80 11206", at most 9 digits.  False, and
 * *runnable_r unchanged, if there is none. */
bool
load_pressure_parse_runnable(const char *text, size_t len, int64_t *runnable_r);

/* What so many runnable tasks on so many CPUs would show as CPU pressure: the
 * tasks that wait, for each CPU, and at most 1.  All CPUs in use with nobody
 * waiting is 0, twice as many tasks as CPUs is 1. */
double load_pressure_of_queue(int64_t runnable, int64_t cpus);

/* ---- The farm: is it busier than this, by what its hosts report (load_report.h)?
 * Times are Unix seconds of the store's clock. */

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
