#include "session/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define RULES_NAMED 8
#define RULES_SIZE  (RULES_NAMED * (COUNTERS_NAME + 24))
#define SHARE_SIZE  24

struct summary {
	int64_t at; /* of the last one, or when it began */
	struct counters_view before, now, since;
};

struct summary *
summary_open(int64_t now)
{
	struct summary *summary = calloc(1, sizeof *summary);

	if (summary != NULL)
		summary->at = now;
	return summary;
}

void
summary_close(struct summary **summary)
{
	free(*summary);
	*summary = NULL;
}

/* What is left is what came since.  Rules keep their places. */
static void
subtract(struct counters_view *now, const struct counters_view *before)
{
	for (int i = 0; i < COUNTS; i++)
		now->counts[i] -= before->counts[i];
	for (int i = 0; i < COUNTERS_WAITS; i++)
		now->waits[i] -= before->waits[i];
	for (int i = 0; i < COUNTERS_DELAYS; i++)
		now->delays[i] -= before->delays[i];
	for (size_t i = 0; i < before->rule_count; i++)
		now->rules[i].deferred -= before->rules[i].deferred;
}

static int
by_deferrals(const void *a, const void *b)
{
	int64_t one = ((const struct counters_rule *)a)->deferred;
	int64_t other = ((const struct counters_rule *)b)->deferred;

	return (one < other) - (one > other);
}

/* The rules that deferred most: "strangers":120,"busy":3 */
static void
say_rules(struct counters_view *view, char text_r[RULES_SIZE])
{
	size_t length = 0;

	qsort(view->rules, view->rule_count, sizeof *view->rules, by_deferrals);
	text_r[0] = '\0';
	for (size_t i = 0; i < RULES_NAMED && i < view->rule_count &&
	     view->rules[i].deferred > 0;
	     i++)
		length += (size_t)snprintf(text_r + length, RULES_SIZE - length,
		    "%s\"%s\":%" PRId64, i > 0 ? "," : "", view->rules[i].name,
		    view->rules[i].deferred);
}

/* The time that this share of them took at most. */
static void
say_share(const int64_t *buckets, const int64_t *bounds, size_t count,
    double share, char text_r[SHARE_SIZE])
{
	int64_t bound = counters_share(buckets, bounds, count, share);

	if (bound >= 0)
		(void)snprintf(text_r, SHARE_SIZE, "%" PRId64, bound);
	else
		(void)snprintf(text_r, SHARE_SIZE, "%s",
		    buckets[count - 1] > 0 ? "more" : "none");
}

static void
write_line(struct counters_view *view, int64_t span)
{
	char rules[RULES_SIZE], half[SHARE_SIZE], most[SHARE_SIZE];
	char wait[SHARE_SIZE];
	const int64_t *counts = view->counts;

	say_rules(view, rules);
	say_share(view->delays, counters_delay_s, COUNTERS_DELAYS, 0.5, half);
	say_share(view->delays, counters_delay_s, COUNTERS_DELAYS, 0.9, most);
	say_share(view->waits, counters_wait_us, COUNTERS_WAITS, 0.99, wait);
	log_info("summary span=%" PRId64 " sessions=%" PRId64
		 " accepted=%" PRId64 " deferred=%" PRId64 " observed=%" PRId64
		 " passed=%" PRId64 " delay_50=%s delay_90=%s wait_us_99=%s"
		 " trips=%" PRId64 " late=%" PRId64 " away=%" PRId64
		 " dropped=%" PRId64 " rules=%s",
	    span, counts[COUNT_SESSIONS], counts[COUNT_ACCEPTED],
	    counts[COUNT_DEFERRED], counts[COUNT_OBSERVED],
	    counts[COUNT_PASSED], half, most, wait, counts[COUNT_TRIPS],
	    counts[COUNT_LATE], counts[COUNT_AWAY], counts[COUNT_DROPPED],
	    rules);
}

void
summary_tick(struct summary *summary, struct counters *counters, int64_t every,
    int64_t now)
{
	if (now < summary->at) /* the clock went back */
		summary->at = now;
	if (every == 0 || now - summary->at < every)
		return;
	counters_look(counters, &summary->now);
	summary->since = summary->now;
	subtract(&summary->since, &summary->before);
	write_line(&summary->since, now - summary->at);
	summary->before = summary->now;
	summary->at = now;
}
