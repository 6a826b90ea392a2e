#include "load/load.h"

#include <math.h>

#include "base/seconds.h"
#include "policy/facts.h"

/* Sums of decimal figures miss by some 1e-16, and "at the threshold" must not
 * depend on that; no figure is finer than 0.001. */
#define TOLERANCE 1e-9

struct load_view
load_view_of(const struct load_report *reports, size_t count, int64_t now,
    int64_t max_age)
{
	struct load_view view = {0};
	double sum = 0;

	for (size_t i = 0; i < count; i++) {
		if (!load_is_sane(reports[i].load)) {
			view.nonsense++;
			continue;
		}
		if (seconds_apart(now, reports[i].at) > max_age) {
			view.silent++;
			continue;
		}
		view.hosts++;
		sum += reports[i].load;
		view.max = fmax(view.max, reports[i].load);
	}
	if (view.hosts > 0)
		view.mean = sum / (double)view.hosts;
	return view;
}

double
load_combine(enum farm_load farm, double own, const struct load_view *others)
{
	if (!load_is_sane(own))
		own = 0;
	switch (farm) {
	case FARM_MEAN:
		return fmax(own, others->mean);
	case FARM_MAX:
		return fmax(own, others->max);
	case FARM_OWN:
		break;
	}
	return own;
}

bool
load_latch_step(const struct load_latch_terms *terms, struct load_latch *latch,
    double load, int64_t now)
{
	double low =
	    fmax(terms->threshold - terms->hysteresis, terms->threshold / 2);

	if (!load_is_sane(load))
		return latch->crossed;
	if (now < latch->last_high)
		latch->last_high = now;
	if (load >= terms->threshold - TOLERANCE) {
		latch->crossed = true;
		latch->last_high = now;
	} else if (load < low - TOLERANCE &&
	    seconds_between(now, latch->last_high) >= terms->dwell) {
		latch->crossed = false;
	}
	return latch->crossed;
}
