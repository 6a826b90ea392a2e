#include "policy/load.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/seconds.h"

#define NUMBER_LEN_MAX 32
#define TIME_DIGITS    15
#define TIME_MAX       INT64_C(999999999999999)

/* Sums of decimal figures miss by some 1e-16, and "at the threshold" must not
 * depend on that; no figure is finer than 0.001. */
#define TOLERANCE 1e-9

bool
load_is_sane(double load)
{
	return load >= 0 && load <= LOAD_MAX; /* NaN is neither */
}

/* All digits in one number, divided once, give the nearest double; adding up
 * tenths and hundredths would not. */
bool
load_number_parse(const char *text, size_t len, double *value_r)
{
	double digits = 0, divisor = 1;
	bool fraction = false;

	if (len == 0 || len > NUMBER_LEN_MAX || !ascii_is_digit(text[0]) ||
	    !ascii_is_digit(text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (!ascii_is_digit(text[i]))
			return false;
		digits = digits * 10 + (text[i] - '0');
		divisor *= fraction ? 10 : 1;
	}
	*value_r = digits / divisor;
	return true;
}

static bool
parse_time(const char *text, size_t len, int64_t *at_r)
{
	int64_t at = 0;

	if (len == 0 || len > TIME_DIGITS)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!ascii_is_digit(text[i]))
			return false;
		at = at * 10 + (text[i] - '0');
	}
	*at_r = at;
	return true;
}

bool
load_report_parse(const char *text, size_t len, struct load_report *report_r)
{
	const char *colon = len > 0 ? memchr(text, ':', len) : NULL;
	struct load_report report;
	size_t time_len;

	if (colon == NULL)
		return false;
	time_len = (size_t)(colon - text);
	if (!parse_time(text, time_len, &report.at) ||
	    !load_number_parse(colon + 1, len - time_len - 1, &report.load) ||
	    !load_is_sane(report.load))
		return false;
	*report_r = report;
	return true;
}

/* printf would write the point of the locale. */
void
load_report_format(
    const struct load_report *report, char text_r[LOAD_REPORT_SIZE])
{
	long thousandths =
	    load_is_sane(report->load) ? lround(report->load * 1000) : 0;
	int64_t at = report->at < 0 ? 0 : report->at;

	if (at > TIME_MAX)
		at = TIME_MAX;
	snprintf(text_r, LOAD_REPORT_SIZE, "%" PRId64 ":%ld.%03ld", at,
	    thousandths / 1000, thousandths % 1000);
}

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
load_combine(enum load_mode mode, double own, const struct load_view *farm)
{
	if (!load_is_sane(own))
		own = 0;
	switch (mode) {
	case LOAD_MEAN:
		return fmax(own, farm->mean);
	case LOAD_MOST:
		return fmax(own, farm->max);
	case LOAD_OWN:
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
