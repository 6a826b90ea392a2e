#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "mail/hostname.h"
#include "store/reports.h"

#define POINTS_MAX 1000.0
#define TIMES_MAX  100

static bool
parse_points(const char *text, struct reputation_sums *points_r)
{
	char *end;
	double points = strtod(text, &end);

	/* Negated, so that NaN does not get through. */
	if (end == text || *end != '\0' || !(fabs(points) <= POINTS_MAX))
		return false;
	if (points > 0)
		points_r->good = points;
	else
		points_r->bad = -points;
	return true;
}

static bool
parse_times(const char *text, int64_t *times_r)
{
	return decimal_read_all(text, strlen(text), TIMES_MAX, times_r) &&
	    *times_r >= 1;
}

/* As a session names an organisation. */
static bool
parse_subject(const char *text, struct report *report_r)
{
	if (text[0] != '@')
		return netaddr_parse(text, &report_r->client);
	if (!hostname_clean(text + 1, report_r->organisation + 1,
		sizeof report_r->organisation - 1) ||
	    !hostname_is_valid(report_r->organisation + 1))
		return false;
	report_r->organisation[0] = '@';
	return true;
}

bool
report_parse(const char *text, const struct reputation_weights *weights,
    struct report *report_r)
{
	char copy[REPORT_SIZE];
	char *rest = copy;
	char *address, *event, *count;
	enum reputation_event which;
	int64_t times = 1;

	if (strlen(text) >= sizeof copy)
		return false;
	memcpy(copy, text, strlen(text) + 1);
	memset(report_r, 0, sizeof *report_r);
	address = strtok_r(rest, " \t\r\n", &rest);
	event = strtok_r(NULL, " \t\r\n", &rest);
	count = strtok_r(NULL, " \t\r\n", &rest);
	if (address == NULL || event == NULL ||
	    strtok_r(NULL, " \t\r\n", &rest) != NULL ||
	    !parse_subject(address, report_r) ||
	    (count != NULL && !parse_times(count, &times)))
		return false;
	if (!reputation_event_by_name(event, strlen(event), &which)) {
		if (!parse_points(event, &report_r->points))
			return false;
	} else {
		reputation_add(&report_r->points, weights, which);
	}
	report_r->points.good *= (double)times;
	report_r->points.bad *= (double)times;
	return true;
}
