#include "store/reports.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/file.h"
#include "base/log.h"
#include "base/seconds.h"
#include "mail/hostname.h"

/* ---- What a report says */

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

static bool
find_event(const char *name, enum reputation_event *event_r)
{
	for (int i = 0; i < REPUTATION_EVENT_COUNT; i++)
		if (strcmp(reputation_events[i].name, name) == 0) {
			*event_r = (enum reputation_event)i;
			return true;
		}
	return false;
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
	if (!find_event(event, &which)) {
		if (!parse_points(event, &report_r->points))
			return false;
	} else {
		reputation_add(&report_r->points, weights, which);
	}
	report_r->points.good *= (double)times;
	report_r->points.bad *= (double)times;
	return true;
}

#define SAY_EVERY INT64_C(60) /* seconds, at least, between complaints */
#define LINES_MAX 10000	      /* of the file, in one round */
#define BYTES_MAX (4 << 20)   /* the same: lines may have no end */

/* What one round needs. */
struct round {
	struct reports *reports;
	const struct policy *policy;
	struct store *store;
	int64_t now;
};

void
reports_end(struct reports *reports)
{
	if (reports->file == NULL)
		return;
	log_warning("reports of a file that was not read to its end are lost");
	fclose(reports->file);
	reports->file = NULL;
}

enum store_result
report_give(const struct policy *policy, struct store *store,
    const struct report *report, int64_t now)
{
	char network[STORE_NETWORK_SIZE];
	struct store_effects effects = {.now = now,
	    .client = {.network = network,
		.host = netaddr_host_bucket(&report->client)},
	    .good = report->points.good,
	    .bad = report->points.bad};

	if (effects.good <= 0 && effects.bad <= 0)
		return STORE_OK;
	store_name_network(&policy->settings, &report->client, network);
	if (report->organisation[0] != '\0')
		effects.client =
		    (struct store_client){.network = report->organisation};
	return store_remember(store, &effects);
}

/* False: the store does not take it now. */
static bool
take_one(const struct round *round, const char *text)
{
	struct report report;

	if (!report_parse(
		text, &round->policy->settings.reputation.weights, &report)) {
		round->reports->malformed++;
		return true;
	}
	return report_give(round->policy, round->store, &report, round->now) ==
	    STORE_OK;
}

/* What was taken out of the store cannot be put back. */
static void
take_or_lose(void *arg, const char *text)
{
	const struct round *round = arg;

	if (!take_one(round, text))
		round->reports->lost++;
}

/* Read on to the end of the line; false: it is not reached within `*left` bytes,
 * or it is that of the file, which is closed.  A NUL octet would hide what comes
 * after it, so it becomes one that no report can have. */
static bool
read_line(struct reports *reports, size_t *left)
{
	int c = '\0';

	for (; *left > 0; --*left) {
		c = getc(reports->file);
		if (c == '\n' || c == EOF)
			break;
		if (reports->length < sizeof reports->line)
			reports->line[reports->length++] =
			    c == '\0' ? '\x7f' : (char)c;
	}
	if (c == EOF) {
		fclose(reports->file);
		reports->file = NULL;
	}
	return c == '\n' || c == EOF;
}

/* False: the store does not take it now, and the line waits. */
static bool
take_line(const struct round *round)
{
	struct reports *reports = round->reports;

	if (reports->length == sizeof reports->line) {
		reports->malformed++;
	} else if (reports->length > 0 && reports->line[0] != '#') {
		reports->line[reports->length] = '\0';
		if (!take_one(round, reports->line))
			return false;
	}
	reports->length = 0;
	return true;
}

/* Told once for each cause. */
static void
complain_of_file(struct reports *reports, const char *path, int error)
{
	if (error != 0 && error != reports->file_fault)
		log_warning("reports file %s: %s", path, file_why(error));
	reports->file_fault = error;
}

/* Whether there is a regular file to take; anything else stays where it is. */
static bool
is_there(struct reports *reports, const char *path)
{
	struct stat status;
	int error = 0;

	if (lstat(path, &status) != 0)
		error = errno == ENOENT ? 0 : errno;
	else if (S_ISREG(status.st_mode))
		return true;
	else
		error = EINVAL;
	complain_of_file(reports, path, error);
	return false;
}

/* The file is moved aside and removed first: programs that append then make a
 * new one, and no line is read twice. */
static FILE *
take_over(struct reports *reports, const char *path)
{
	char aside[4096];
	struct stat status;
	FILE *file = NULL;
	int fd;

	if (snprintf(aside, sizeof aside, "%s.taken", path) >=
		(int)sizeof aside ||
	    !is_there(reports, path))
		return NULL;
	if (rename(path, aside) != 0) {
		complain_of_file(reports, path, errno == ENOENT ? 0 : errno);
		return NULL;
	}
	fd = file_open(aside, &status);
	if (fd >= 0)
		file = fdopen(fd, "r");
	complain_of_file(reports, aside, file == NULL ? errno : 0);
	if (file == NULL && fd >= 0)
		close(fd);
	(void)unlink(aside);
	return file;
}

/* What is too much for one round, or what the store does not take, goes on in the
 * next. */
static void
take_file(const struct round *round, const char *path)
{
	struct reports *reports = round->reports;
	size_t left = BYTES_MAX;

	if (!store_is_up(round->store))
		return;
	if (reports->file == NULL && !reports->is_whole)
		reports->file = take_over(reports, path);
	for (int i = 0; i < LINES_MAX; i++) {
		if (!reports->is_whole &&
		    (reports->file == NULL || !read_line(reports, &left)))
			return;
		reports->is_whole = !take_line(round);
		if (reports->is_whole)
			return;
	}
}

static void
complain(struct reports *reports, int64_t now)
{
	if ((reports->malformed == 0 && reports->lost == 0) ||
	    seconds_apart(now, reports->said_at) < SAY_EVERY)
		return;
	if (reports->malformed > 0)
		log_warning(
		    "%llu malformed report(s) dropped", reports->malformed);
	if (reports->lost > 0)
		log_warning(
		    "%llu report(s) lost: the store went away", reports->lost);
	reports->malformed = reports->lost = 0;
	reports->said_at = now;
}

void
reports_take(struct reports *reports, const struct policy *policy,
    struct store *store, int64_t now)
{
	struct round round = {reports, policy, store, now};
	const char *path = policy->settings.reputation.reports_file;

	if (!reports->of_file)
		(void)store_take_reports(store, now, take_or_lose, &round);
	else if (path[0] != '\0')
		take_file(&round, path);
	complain(reports, now);
}
