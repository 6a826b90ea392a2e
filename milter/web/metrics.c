/* What Prometheus reads, in its text format 0.0.4: this host's counters since it
 * began.  Nothing of it asks the store. */
#include "web/web_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "store/counters.h"

#define PREFIX	   "milter_defer_"
#define LABEL_SIZE (2 * COUNTERS_NAME + 1)
#define SECOND	   1e6

static void
head(
    struct bytes_out *out, const char *name, const char *type, const char *help)
{
	const char *const parts[] = {"# HELP " PREFIX, name, " ", help,
	    "\n# TYPE " PREFIX, name, " ", type, "\n"};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		html_raw(out, parts[i]);
}

static void
number(struct bytes_out *out, int64_t value)
{
	html(out, " %" PRId64 "\n", value);
}

/* One that has no labels. */
static void
single(struct bytes_out *out, const char *name, const char *type,
    const char *help, double value)
{
	head(out, name, type, help);
	html(out, PREFIX "%s %.3f\n", name, value);
}

static void
counter(
    struct bytes_out *out, const char *name, const char *help, int64_t value)
{
	head(out, name, "counter", help);
	html(out, PREFIX "%s", name);
	number(out, value);
}

/* The value of a label: names are printable ASCII. */
static void
write_label(struct bytes_out *out, const char *name, const char *value)
{
	char text[LABEL_SIZE];
	size_t length = 0;

	for (; *value != '\0' && length + 2 < sizeof text; value++) {
		if (*value == '"' || *value == '\\')
			text[length++] = '\\';
		text[length++] = *value;
	}
	text[length] = '\0';
	html_raw(out, name);
	html_raw(out, "=\"");
	html_raw(out, text);
	html_raw(out, "\"");
}

static void
decision(struct bytes_out *out, const struct counters_rule *rule,
    const char *verdict, int64_t count)
{
	html_raw(out, PREFIX "decisions_total{");
	write_label(out, "rule", rule->name);
	html_raw(out, ",");
	write_label(out, "verdict", verdict);
	html_raw(out, "}");
	number(out, count);
}

static void
show_rules(struct bytes_out *out, const struct counters_view *view)
{
	head(out, "decisions_total", "counter",
	    "Decisions by rule and verdict; rule \"\" is none; observe is what "
	    "a "
	    "rule on trial would have decided.");
	for (size_t i = 0; i < view->rule_count; i++) {
		decision(
		    out, &view->rules[i], "accept", view->rules[i].accepted);
		decision(
		    out, &view->rules[i], "defer", view->rules[i].deferred);
		decision(
		    out, &view->rules[i], "observe", view->rules[i].observed);
	}
	head(out, "passed_total", "counter",
	    "Messages let in after they had waited, by the rule that they "
	    "waited "
	    "for.");
	for (size_t i = 0; i < view->rule_count; i++) {
		html_raw(out, PREFIX "passed_total{");
		write_label(out, "rule", view->rules[i].name);
		html_raw(out, "}");
		number(out, view->rules[i].passed);
	}
}

/* Of `count` buckets the last is for all above; `unit` is a second. */
static void
show_histogram(struct bytes_out *out, const char *name, const int64_t *buckets,
    const int64_t *bounds, size_t count, double unit)
{
	int64_t so_far = 0;

	for (size_t i = 0; i + 1 < count; i++) {
		so_far += buckets[i];
		html(out, PREFIX "%s_bucket", name);
		html_raw(out, "{le=\"");
		html(out, "%.6f", (double)bounds[i] / unit);
		html_raw(out, "\"}");
		number(out, so_far);
	}
	so_far += buckets[count - 1];
	html(out, PREFIX "%s_bucket", name);
	html_raw(out, "{le=\"+Inf\"}");
	number(out, so_far);
	html(out, PREFIX "%s_count", name);
	number(out, so_far);
}

static void
show_times(struct bytes_out *out, const struct counters_view *view)
{
	head(out, "decision_seconds", "histogram",
	    "How long mail servers waited for a decision.");
	show_histogram(out, "decision_seconds", view->waits, counters_wait_us,
	    COUNTERS_WAITS, SECOND);
	html(out, PREFIX "decision_seconds_sum %.6f\n",
	    (double)view->wait_us / SECOND);
	head(out, "delay_seconds", "histogram",
	    "How long messages that passed had been put off.");
	show_histogram(out, "delay_seconds", view->delays, counters_delay_s,
	    COUNTERS_DELAYS, 1);
	html(out, PREFIX "delay_seconds_sum");
	number(out, view->delay_s);
}

static void
show_counts(struct bytes_out *out, const struct counters_view *view)
{
	counter(out, "sessions_total", "SMTP sessions that have begun.",
	    view->counts[COUNT_SESSIONS]);
	counter(out, "store_trips_total", "Questions to the store.",
	    view->counts[COUNT_TRIPS]);
	counter(out, "store_late_total",
	    "Questions that the store did not answer in time, or not readably.",
	    view->counts[COUNT_LATE]);
	counter(out, "store_away_total", "Questions that found no store.",
	    view->counts[COUNT_AWAY]);
	counter(out, "journal_dropped_total",
	    "Entries that the journal could not take.",
	    view->counts[COUNT_DROPPED]);
	single(out, "start_time_seconds", "gauge",
	    "When the counters began, in Unix seconds.", (double)view->since);
}

static void
show_state(struct visit *visit)
{
	bool crossed[THRESHOLDS_MAX];
	double load = 0;

	load_watch_read(
	    visit->shared->load_watch, visit->policy, crossed, &load, NULL);
	single(visit->out, "load", "gauge",
	    "How busy this server is, as rules see it; 1 is all that it can "
	    "bear.",
	    load);
	single(visit->out, "store_up", "gauge", "Whether the store answers.",
	    store_is_up(visit->shared->store) ? 1 : 0);
	single(visit->out, "sessions", "gauge", "SMTP sessions that are open.",
	    (double)atomic_load(&visit->shared->sessions));
}

static void
show_web(struct visit *visit)
{
	static const struct {
		const char *name;
		const char *help;
	} rows[WEB_COUNTS] = {
	    [WEB_REQUESTS] = {"web_requests_total", "Requests for pages."},
	    [WEB_LOOKUPS] = {"web_lookups_total",
		"Visitors' questions for a reference."},
	    [WEB_REFUSED] = {"web_refused_total",
		"Requests that were refused: too many, or not allowed."},
	    [WEB_RELEASED] = {"web_released_total",
		"Deferrals whose sender asked to be let in."},
	    [WEB_EXPECTED] = {"web_expected_total",
		"Sender domains that a user said to expect."},
	    [WEB_LOGINS] = {"web_logins_total", "Users that logged in."},
	    [WEB_BAD_LOGINS] = {"web_bad_logins_total",
		"Attempts to log in that failed."},
	};

	for (size_t i = 0; i < WEB_COUNTS; i++)
		counter(visit->out, rows[i].name, rows[i].help,
		    (int64_t)atomic_load(&visit->web->counts[i]));
}

/* Figures are for who is named, and not for whoever comes through a proxy that is
 * not known to be one. */
static bool
may_read(const struct visit *visit)
{
	for (char *const *text = visit->policy->settings.web.metrics_to;
	     text != NULL && *text != NULL; text++) {
		struct network network;
		char why[NETWORK_WHY_SIZE];

		if (network_parse(*text, &network, why) &&
		    network_contains(&network, &visit->request->visitor))
			return !visit->request->is_forwarded;
	}
	return false;
}

void
web_metrics(struct visit *visit)
{
	struct counters_view *view;

	if (!may_read(visit)) {
		web_count(visit->web, WEB_REFUSED);
		web_plain(visit, 403, "not for you");
		return;
	}
	view = malloc(sizeof *view);
	if (view == NULL) {
		web_plain(visit, 503, "out of memory");
		return;
	}
	visit->answer->type = "text/plain; version=0.0.4; charset=utf-8";
	counters_look(visit->shared->counters, view);
	show_rules(visit->out, view);
	show_times(visit->out, view);
	show_counts(visit->out, view);
	show_state(visit);
	show_web(visit);
	free(view);
}
