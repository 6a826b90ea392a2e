#include "load/load.h"

#include <math.h>
#include <string.h>

#include "base/decimal.h"
#include "base/seconds.h"
#include "policy/facts.h"

/* Sums of decimal figures miss by some 1e-16, and "at the threshold" must not
 * depend on that; no figure is finer than 0.001. */
#define TOLERANCE 1e-9

#define TOTAL_MAX      INT64_C(999999999999999999)
#define RUNNABLE_MAX   999999999
#define RUNNABLE_FIELD 3 /* of /proc/loadavg, from 0 */

/* ---- Pressure */

double
load_pressure_assume(struct load_pressure *pressure, double share, int64_t now)
{
	int64_t elapsed = now - pressure->at;

	if (pressure->begun && elapsed > 0) {
		double weight =
		    -expm1(-(double)elapsed / LOAD_PRESSURE_SMOOTH_US);

		share = fmin(fmax(share, 0), 1);
		pressure->share += (share - pressure->share) * weight;
	}
	pressure->begun = true;
	pressure->at = now;
	return pressure->share;
}

double
load_pressure_step(struct load_pressure *pressure, int64_t total, int64_t now)
{
	int64_t elapsed = now - pressure->at;
	int64_t stood = total - pressure->total;
	double share = pressure->share;

	pressure->total = total;
	if (elapsed > 0 && stood >= 0)
		share = (double)stood / (double)elapsed;
	return load_pressure_assume(pressure, share, now);
}

/* Cut the first `sep`, or all, off the front of *text_r. */
static size_t
next_part(const char **text_r, size_t *len_r, char sep, const char **part_r)
{
	const char *end = *len_r > 0 ? memchr(*text_r, sep, *len_r) : NULL;
	size_t part_len = end != NULL ? (size_t)(end - *text_r) : *len_r;
	size_t taken = end != NULL ? part_len + 1 : part_len;

	*part_r = *text_r;
	*text_r += taken;
	*len_r -= taken;
	return part_len;
}

static bool
begins_with(const char *text, size_t len, const char *prefix)
{
	return len >= strlen(prefix) &&
	    memcmp(text, prefix, strlen(prefix)) == 0;
}

/* "some avg10=1.23 avg60=... total=4711" */
static bool
parse_some_line(const char *line, size_t len, int64_t *total_r)
{
	static const char key[] = "total=";
	const size_t key_len = sizeof key - 1;

	while (len > 0) {
		const char *word;
		size_t word_len = next_part(&line, &len, ' ', &word);

		if (begins_with(word, word_len, key))
			return decimal_read_all(word + key_len,
			    word_len - key_len, TOTAL_MAX, total_r);
	}
	return false;
}

bool
load_pressure_parse(const char *text, size_t len, int64_t *total_r)
{
	while (len > 0) {
		const char *line;
		size_t line_len = next_part(&text, &len, '\n', &line);

		if (begins_with(line, line_len, "some "))
			return parse_some_line(line, line_len, total_r);
	}
	return false;
}

bool
load_pressure_parse_runnable(const char *text, size_t len, int64_t *runnable_r)
{
	const char *field = text, *runnable;
	size_t field_len = 0, runnable_len;

	for (int i = 0; i <= RUNNABLE_FIELD; i++)
		field_len = next_part(&text, &len, ' ', &field);
	if (field_len == 0 || memchr(field, '/', field_len) == NULL)
		return false;
	runnable_len = next_part(&field, &field_len, '/', &runnable);
	return decimal_read_all(
	    runnable, runnable_len, RUNNABLE_MAX, runnable_r);
}

double
load_pressure_of_queue(int64_t runnable, int64_t cpus)
{
	int64_t waiting = runnable - cpus;

	if (waiting <= 0 || cpus <= 0)
		return 0;
	return fmin((double)waiting / (double)cpus, 1);
}

/* ---- The farm */

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
