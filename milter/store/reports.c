#include "store/reports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "policy/identity.h"

#define SAY_EVERY INT64_C(60) /* seconds, at least, between complaints */
#define LINES_MAX 10000	      /* of the file, in one round */

struct reports {
	unsigned long long malformed;
	int64_t said_at;
	bool file_failed;
	FILE *file; /* that is being read; NULL: none */
};

/* What one round needs. */
struct round {
	struct reports *reports;
	const struct policy *policy;
	struct store *store;
	int64_t now;
};

struct reports *
reports_open(void)
{
	return calloc(1, sizeof(struct reports));
}

void
reports_close(struct reports **reports)
{
	if (*reports == NULL)
		return;
	if ((*reports)->file != NULL)
		fclose((*reports)->file);
	free(*reports);
	*reports = NULL;
}

static void
take_one(void *arg, const char *text)
{
	struct round *round = arg;
	char network[IDENTITY_NETWORK_SIZE];
	struct report report;
	struct store_effects effects = {.now = round->now};

	if (!report_parse(text, &round->policy->weights, &report)) {
		round->reports->malformed++;
		return;
	}
	identity_network(&round->policy->settings, &report.client, network);
	effects.client.network = network;
	effects.client.host = netaddr_host_bucket(&report.client);
	effects.good = report.points.good;
	effects.bad = report.points.bad;
	if (effects.good > 0 || effects.bad > 0)
		(void)store_remember(round->store, &effects);
}

/* True while more may follow.  A NUL octet would hide what comes after it, so it
 * becomes one that no report can have. */
static bool
take_line(struct round *round, FILE *file)
{
	char line[REPORT_SIZE];
	size_t length = 0;
	int c;

	while ((c = getc(file)) != '\n' && c != EOF)
		if (length < sizeof line)
			line[length++] = c == '\0' ? '\x7f' : (char)c;
	if (length == sizeof line) {
		round->reports->malformed++;
	} else if (length > 0 && line[0] != '#') {
		line[length] = '\0';
		take_one(round, line);
	}
	return c != EOF;
}

/* The file is moved aside and removed first: programs that append then make a
 * new one, and no line is read twice. */
static FILE *
take_over(struct reports *reports, const char *path)
{
	char aside[4096];
	FILE *file;
	int fd;

	if (snprintf(aside, sizeof aside, "%s.taken", path) >=
	    (int)sizeof aside)
		return NULL;
	if (rename(path, aside) != 0) {
		if (errno != ENOENT && !reports->file_failed)
			log_warning(
			    "reports file %s: %s", path, strerror(errno));
		reports->file_failed = errno != ENOENT;
		return NULL;
	}
	fd = open(aside, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (file == NULL) {
		log_warning("reports file %s: %s", aside, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	(void)unlink(aside);
	return file;
}

/* What is too much for one round goes on in the next. */
static void
take_file(struct round *round, const char *path)
{
	struct reports *reports = round->reports;

	if (reports->file == NULL)
		reports->file = take_over(reports, path);
	if (reports->file == NULL)
		return;
	for (int i = 0; i < LINES_MAX; i++)
		if (!take_line(round, reports->file)) {
			fclose(reports->file);
			reports->file = NULL;
			return;
		}
}

static void
complain(struct reports *reports, int64_t now)
{
	if (reports->malformed == 0 || now - reports->said_at < SAY_EVERY)
		return;
	log_warning("%llu malformed report(s) dropped", reports->malformed);
	reports->malformed = 0;
	reports->said_at = now;
}

void
reports_take(struct reports *reports, const struct policy *policy,
    struct store *store, int64_t now)
{
	struct round round = {reports, policy, store, now};

	(void)store_take_reports(store, now, take_one, &round);
	if (policy->settings.reputation.reports_file[0] != '\0')
		take_file(&round, policy->settings.reputation.reports_file);
	complain(reports, now);
}
