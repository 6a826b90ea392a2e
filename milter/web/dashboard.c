/* The farm now, and what it did in the last hours. */
#include "web/web_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/watch/farm.h"
#include "web/figures.h"
#include "web/plot.h"

#define HOUR	     INT64_C(3600)
#define RECENT_HERE  8
#define MINUTE_LABEL 10 /* bars from one label to the next */
#define HOUR_LABEL   6

/* ---- Tiles */

static void
show_tile(struct visit *visit, const char *number, const char *what)
{
	html(visit->out,
	    "<div class=\"card\"><span class=\"number\">%s</span>"
	    "<span class=\"what\">%s</span></div>\n",
	    number, what);
}

/* 1234567 as "1,234,567". */
#define GROUPED_SIZE 32
static void
group(int64_t number, char text_r[GROUPED_SIZE])
{
	char digits[GROUPED_SIZE];
	int length = snprintf(digits, sizeof digits, "%" PRId64, number);
	char *to = text_r;

	for (int i = 0; i < length && to < text_r + GROUPED_SIZE - 2; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
}

static void
show_count_tile(struct visit *visit, int64_t number, const char *what)
{
	char text[GROUPED_SIZE];

	group(number, text);
	show_tile(visit, text, what);
}

/* "1m", "15m", "2h", "3d". */
static void
say_bound(int64_t seconds, char label_r[PLOT_LABEL_SIZE])
{
	static const struct {
		int64_t length;
		char letter;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	while (seconds % units[i].length != 0)
		i++;
	(void)snprintf(label_r, PLOT_LABEL_SIZE, "%" PRId64 "%c",
	    seconds / units[i].length, units[i].letter);
}

static int64_t
last_hour(const struct counters_view *view, enum count which)
{
	int64_t sum = 0;

	for (size_t i = 0; i < COUNTERS_MINUTES; i++)
		sum += view->minutes[which][i];
	return sum;
}

static void
show_tiles(struct visit *visit, const struct farm *farm)
{
	const struct counters_view *sum = &farm->sum;
	int64_t median =
	    counters_share(sum->delays, counters_delay_s, COUNTERS_DELAYS, 0.5);
	bool crossed[THRESHOLDS_MAX];
	char text[WEB_SPAN_SIZE], what[80], bound[PLOT_LABEL_SIZE];
	const char *source = NULL;
	double load = 0;

	html_raw(visit->out, "<div class=\"tiles\">\n");
	show_count_tile(
	    visit, last_hour(sum, COUNT_ACCEPTED), "accepted in the last hour");
	show_count_tile(
	    visit, last_hour(sum, COUNT_DEFERRED), "deferred in the last hour");
	show_count_tile(visit, last_hour(sum, COUNT_PASSED),
	    "of those accepted had waited");
	if (median >= 0) {
		say_bound(median, bound);
		(void)snprintf(what, sizeof what, "≤ %s", bound);
	}
	show_tile(
	    visit, median < 0 ? "–" : what, "until half of those had passed");
	load_watch_read(
	    visit->shared->load_watch, visit->policy, crossed, &load, &source);
	(void)snprintf(text, sizeof text, "%.2f", load);
	(void)snprintf(what, sizeof what, "load, of 1%s%s",
	    load > 0 && source != NULL ? "; by " : "",
	    load > 0 && source != NULL ? source : "");
	show_tile(visit, text, what);
	show_tile(visit, store_is_up(visit->shared->store) ? "up" : "away",
	    "the store");
	html_raw(visit->out, "</div>\n");
}

/* ---- Plots */

static void
begin_card(struct visit *visit, const char *title, const char *csv)
{
	html(visit->out,
	    "<section class=\"card\"><div class=\"cardhead\"><h2>%s</h2>",
	    title);
	if (csv != NULL)
		html(visit->out,
		    "<a href=\"plot.csv?of=%s\" download=\"%s.csv\">CSV"
		    "<span class=\"hide\"> of %s</span></a>",
		    csv, csv, title);
	html_raw(visit->out, "</div>\n");
}

static void
clock_label(int64_t at, char label_r[PLOT_LABEL_SIZE])
{
	time_t time = (time_t)at;
	struct tm tm;

	if (gmtime_r(&time, &tm) != NULL)
		(void)strftime(label_r, PLOT_LABEL_SIZE, "%H:%M", &tm);
}

static void
label_minute(size_t index, int64_t now, char label_r[PLOT_LABEL_SIZE])
{
	int64_t back = COUNTERS_MINUTES - 1 - (int64_t)index;

	if (back % MINUTE_LABEL == 0 && back < COUNTERS_MINUTES - 2)
		clock_label(now - back * 60, label_r);
}

static void
label_hour(size_t index, int64_t now, char label_r[PLOT_LABEL_SIZE])
{
	int64_t back = COUNTERS_HOURS - 1 - (int64_t)index;

	if (back % HOUR_LABEL == 0)
		clock_label((now - back * HOUR) / HOUR * HOUR, label_r);
}

static void
label_delay(size_t index, int64_t now, char label_r[PLOT_LABEL_SIZE])
{
	char bound[PLOT_LABEL_SIZE - 4];

	(void)now;
	if (index < COUNTERS_DELAYS - 1) {
		say_bound(counters_delay_s[index], label_r);
		(void)snprintf(bound, sizeof bound, "%.*s",
		    (int)sizeof bound - 1, label_r);
		(void)snprintf(label_r, PLOT_LABEL_SIZE, "≤ %s", bound);
	} else {
		(void)snprintf(label_r, PLOT_LABEL_SIZE, "more");
	}
}

/* Oldest first, as one reads. */
static void
turn(const int64_t *newest_first, size_t count, int64_t *turned_r)
{
	for (size_t i = 0; i < count; i++)
		turned_r[i] = newest_first[count - 1 - i];
}

/* What is shown of each span of time. */
struct rates {
	const char *heading;
	const char *csv;
	const char *title; /* for who cannot see it */
	size_t count;
	void (*label)(size_t index, int64_t now, char label_r[PLOT_LABEL_SIZE]);
};

static const struct rates minutes = {"Each minute, for an hour", "minutes",
    "Deferrals and passes in each of the last 60 minutes", COUNTERS_MINUTES,
    label_minute};
static const struct rates hours = {"Each hour, for two days", "hours",
    "Deferrals and passes in each of the last 48 hours", COUNTERS_HOURS,
    label_hour};

static void
show_rates(struct visit *visit, const struct rates *rates,
    const int64_t *deferred, const int64_t *passed)
{
	int64_t a[COUNTERS_MINUTES], b[COUNTERS_MINUTES];
	const struct plot plot = {.title = rates->title,
	    .count = rates->count,
	    .a = a,
	    .b = b,
	    .label = rates->label,
	    .now = visit->now,
	    .a_name = "deferred",
	    .b_name = "passed"};

	_Static_assert(COUNTERS_HOURS <= COUNTERS_MINUTES, "there is room");
	turn(deferred, rates->count, a);
	turn(passed, rates->count, b);
	begin_card(visit, rates->heading, rates->csv);
	html_raw(visit->out,
	    "<p class=\"key\"><i class=\"a\"></i>deferred"
	    "<i class=\"b\"></i>passed after waiting</p>\n<div "
	    "class=\"scroll plot\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"");
	html_text(visit->out, rates->heading);
	html_raw(visit->out, "\">");
	plot_bars(visit->out, &plot);
	html_raw(visit->out, "</div></section>\n");
}

static void
show_delays(struct visit *visit, const struct counters_view *sum)
{
	const struct plot plot = {
	    .title = "How long messages that passed had waited",
	    .count = COUNTERS_DELAYS,
	    .a = sum->delays,
	    .label = label_delay,
	    .a_name = "messages"};

	begin_card(visit, "How long they waited until they passed", "delays");
	html_raw(visit->out,
	    "<div class=\"scroll plot\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"Delays\">");
	plot_bars(visit->out, &plot);
	html_raw(visit->out, "</div></section>\n");
}

/* ---- Tables */

static void
show_number(struct visit *visit, int64_t number)
{
	char text[GROUPED_SIZE];

	group(number, text);
	html(visit->out, "<td class=\"n\">%s</td>", text);
}

static void
show_rule(struct visit *visit, const struct counters_rule *rule)
{
	html(visit->out, "<tr><td>%s</td>",
	    rule->name[0] == '\0' ? "(none)" : rule->name);
	show_number(visit, rule->accepted);
	show_number(visit, rule->deferred);
	show_number(visit, rule->passed);
	show_number(visit, rule->observed);
	html_raw(visit->out, "</tr>\n");
}

static bool
has_met(const struct counters_rule *rule)
{
	return rule->accepted + rule->deferred + rule->passed + rule->observed >
	    0;
}

/* Rules that have not decided anything yet are only named. */
static void
show_idle_rules(struct visit *visit, const struct counters_view *sum)
{
	const char *between = "";

	html_raw(visit->out,
	    "<details><summary>Rules that have met nothing yet</summary><p>");
	for (size_t i = 0; i < sum->rule_count; i++) {
		if (has_met(&sum->rules[i]) || sum->rules[i].name[0] == '\0')
			continue;
		html(visit->out, "%s%s", between, sum->rules[i].name);
		between = ", ";
	}
	html_raw(visit->out, "</p></details>");
}

static void
show_rules(struct visit *visit, const struct counters_view *sum)
{
	begin_card(visit, "Rules", "rules");
	html_raw(visit->out,
	    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"Rules\"><table><thead><tr><th scope=\"col\">Rule"
	    "</th><th scope=\"col\" class=\"n\">Accepted</th><th scope=\"col\" "
	    "class=\"n\">Deferred</th><th scope=\"col\" class=\"n\">Passed</th>"
	    "<th scope=\"col\" class=\"n\">On "
	    "trial</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < sum->rule_count; i++)
		if (has_met(&sum->rules[i]))
			show_rule(visit, &sum->rules[i]);
	html_raw(visit->out, "</tbody></table></div>");
	show_idle_rules(visit, sum);
	html_raw(visit->out, "</section>\n");
}

static void
show_host(
    struct visit *visit, const struct farm *farm, const struct farm_host *host)
{
	char seen[WEB_SPAN_SIZE], since[WEB_SPAN_SIZE] = "";
	bool is_silent = farm->now - host->seen > FARM_SILENT;

	web_span(ENGLISH, farm->now - host->seen, seen);
	if (host->has_counts)
		web_span(ENGLISH, farm->now - host->since, since);
	html(visit->out, "<tr><td class=\"mono\">%s</td>", host->name);
	if (isnan(host->load))
		html_raw(visit->out, "<td class=\"n\">–</td>");
	else
		html(visit->out, "<td class=\"n\">%.2f</td>", host->load);
	show_number(visit, host->counts[COUNT_ACCEPTED]);
	show_number(visit, host->counts[COUNT_DEFERRED]);
	show_number(visit, host->counts[COUNT_PASSED]);
	show_number(visit, host->counts[COUNT_LATE]);
	show_number(visit, host->counts[COUNT_AWAY]);
	html(visit->out,
	    "<td class=\"nowrap\">%s</td><td class=\"nowrap%s\">%s ago</td>"
	    "</tr>\n",
	    since, is_silent ? " bad" : "", seen);
}

static void
show_hosts(struct visit *visit, const struct farm *farm)
{
	begin_card(visit, "Mail servers", "hosts");
	html_raw(visit->out,
	    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"Mail servers\"><table><thead><tr><th "
	    "scope=\"col\">Server</th><th scope=\"col\" class=\"n\">Load</th>"
	    "<th scope=\"col\" class=\"n\">Accepted</th><th scope=\"col\" "
	    "class=\"n\">Deferred</th><th scope=\"col\" class=\"n\">Passed</th>"
	    "<th scope=\"col\" class=\"n\">Store late</th><th scope=\"col\" "
	    "class=\"n\">Store away</th><th scope=\"col\">Counts for</th><th "
	    "scope=\"col\">Seen</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < farm->host_count; i++)
		show_host(visit, farm, &farm->hosts[i]);
	html_raw(visit->out, "</tbody></table></div></section>\n");
}

static void
show_networks(struct visit *visit)
{
	struct recent_networks networks;

	recent_read_networks(
	    visit->shared->store, visit->now - HOUR, &networks);
	begin_card(visit, "Busiest networks of the last hour", "networks");
	if (networks.count == 0)
		html_raw(visit->out, "<p class=\"soft\">Nobody waits.</p>");
	else
		html_raw(visit->out,
		    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		    "aria-label=\"Networks\"><table><thead><tr><th "
		    "scope=\"col\">Network</th><th scope=\"col\" class=\"n\">"
		    "Deferred</th><th scope=\"col\" class=\"n\">Passed</th>"
		    "</tr></thead><tbody>\n");
	for (size_t i = 0; i < networks.count; i++) {
		html(visit->out,
		    "<tr><td class=\"mono\"><a "
		    "href=\"deferrals?client=%s\">%s</a></td>",
		    networks.top[i].name, networks.top[i].name);
		show_number(visit, networks.top[i].deferred);
		show_number(visit, networks.top[i].passed);
		html_raw(visit->out, "</tr>\n");
	}
	if (networks.count > 0)
		html_raw(visit->out, "</tbody></table></div>");
	html_raw(visit->out, "</section>\n");
}

static void
show_recent(struct visit *visit)
{
	const struct recent_wish wish = {
	    .query = {.kinds = 1U << JOURNAL_DEFER}, .most = RECENT_HERE};
	struct recent *recent = recent_read(visit->shared->store, &wish);

	html_raw(visit->out,
	    "<section class=\"card\"><div class=\"cardhead\"><h2>Latest "
	    "deferrals</h2><a href=\"deferrals\">All of them</a></div>\n");
	if (recent != NULL)
		web_show_entries(visit, recent);
	html_raw(visit->out, "</section>\n");
	free(recent);
}

/* Whoever reads slowly may have it stand still. */
static bool
stands_still(const struct visit *visit)
{
	return http_value(visit->request, HTTP_QUERY, "still") != NULL;
}

static void
show_age(struct visit *visit, const struct farm *farm, enum store_result result)
{
	char age[WEB_SPAN_SIZE], refresh[WEB_SPAN_SIZE];

	web_span(ENGLISH, visit->now - farm->sum.at, age);
	web_span(ENGLISH, visit->policy->settings.web.refresh, refresh);
	html_raw(visit->out, "<p class=\"soft\">");
	web_time(visit, visit->now);
	html(visit->out, "; the figures are %s old. ", age);
	if (stands_still(visit))
		html_raw(visit->out,
		    "This page stands still. <a href=\"dashboard\">Show it "
		    "anew</a></p>\n");
	else
		html(visit->out,
		    "This page shows itself anew every %s. <a "
		    "href=\"dashboard?still\">Stop that</a></p>\n",
		    refresh);
	if (result != STORE_OK)
		html_raw(visit->out,
		    "<p class=\"note\">The store does not tell about the farm: "
		    "these are the figures of this server alone.</p>\n");
}

/* What the store does not tell of the farm is told of this server.  NULL: out of
 * memory. */
static struct farm *
read_farm(struct visit *visit, enum store_result *result_r)
{
	struct ctl ctl = {.policy = (struct policy *)visit->policy,
	    .store = visit->shared->store,
	    .shared = visit->shared};
	struct farm *farm = malloc(sizeof *farm);

	if (farm == NULL)
		return NULL;
	*result_r = farm_look(&ctl, farm);
	if (*result_r != STORE_OK) {
		counters_look(visit->shared->counters, &farm->sum);
		counters_move_on(&farm->sum, visit->now);
	}
	return farm;
}

void
web_dashboard(struct visit *visit)
{
	enum store_result result;
	struct farm *farm = read_farm(visit, &result);

	visit->language = ENGLISH;
	if (farm == NULL) {
		web_plain(visit, 503, "out of memory");
		return;
	}
	web_begin(visit, "The farm now",
	    stands_still(visit) ? 0 : visit->policy->settings.web.refresh);
	html_raw(visit->out, "<h1>The farm now</h1>\n");
	show_age(visit, farm, result);
	show_tiles(visit, farm);
	html_raw(visit->out, "<div class=\"plots\">\n");
	show_rates(visit, &minutes, farm->sum.minutes[COUNT_DEFERRED],
	    farm->sum.minutes[COUNT_PASSED]);
	show_rates(visit, &hours, farm->sum.hours[COUNT_DEFERRED],
	    farm->sum.hours[COUNT_PASSED]);
	show_delays(visit, &farm->sum);
	show_networks(visit);
	html_raw(visit->out, "</div>\n<div class=\"below\">\n");
	show_rules(visit, &farm->sum);
	show_hosts(visit, farm);
	show_recent(visit);
	html_raw(visit->out, "</div>\n");
	web_end(visit);
	free(farm);
}

/* ---- The same as CSV (RFC 4180) */

static void
put_cell(struct bytes_out *out, const char *text)
{
	html_raw(out, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '"')
			html_raw(out, "\"");
		bytes_put(out, text, 1);
	}
	html_raw(out, "\"");
}

static void
csv_rates(struct visit *visit, const int64_t *deferred, const int64_t *passed,
    const int64_t *accepted, int64_t length)
{
	int64_t count = length == HOUR ? COUNTERS_HOURS : COUNTERS_MINUTES;

	html_raw(visit->out, "time,deferred,passed,accepted\r\n");
	for (int64_t i = count - 1; i >= 0; i--)
		html(visit->out,
		    "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\r\n",
		    visit->now / length * length - i * length, deferred[i],
		    passed[i], accepted[i]);
}

static void
csv_minutes(struct visit *visit, const struct farm *farm)
{
	csv_rates(visit, farm->sum.minutes[COUNT_DEFERRED],
	    farm->sum.minutes[COUNT_PASSED], farm->sum.minutes[COUNT_ACCEPTED],
	    60);
}

static void
csv_hours(struct visit *visit, const struct farm *farm)
{
	csv_rates(visit, farm->sum.hours[COUNT_DEFERRED],
	    farm->sum.hours[COUNT_PASSED], farm->sum.hours[COUNT_ACCEPTED],
	    HOUR);
}

static void
csv_delays(struct visit *visit, const struct farm *farm)
{
	html_raw(visit->out, "seconds,messages\r\n");
	for (size_t i = 0; i + 1 < COUNTERS_DELAYS; i++)
		html(visit->out, "%" PRId64 ",%" PRId64 "\r\n",
		    counters_delay_s[i], farm->sum.delays[i]);
	html(visit->out, "inf,%" PRId64 "\r\n",
	    farm->sum.delays[COUNTERS_DELAYS - 1]);
}

static void
csv_rules(struct visit *visit, const struct farm *farm)
{
	html_raw(visit->out, "rule,accepted,deferred,passed,observed\r\n");
	for (size_t i = 0; i < farm->sum.rule_count; i++) {
		const struct counters_rule *rule = &farm->sum.rules[i];

		put_cell(visit->out, rule->name);
		html(visit->out,
		    ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\r\n",
		    rule->accepted, rule->deferred, rule->passed,
		    rule->observed);
	}
}

static void
csv_hosts(struct visit *visit, const struct farm *farm)
{
	html_raw(
	    visit->out, "host,load,accepted,deferred,passed,since,seen\r\n");
	for (size_t i = 0; i < farm->host_count; i++) {
		const struct farm_host *host = &farm->hosts[i];

		put_cell(visit->out, host->name);
		if (isnan(host->load))
			html_raw(visit->out, ",");
		else
			html(visit->out, ",%.3f", host->load);
		html(visit->out,
		    ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
		    "\r\n",
		    host->counts[COUNT_ACCEPTED], host->counts[COUNT_DEFERRED],
		    host->counts[COUNT_PASSED], host->since, host->seen);
	}
}

static void
csv_networks(struct visit *visit, const struct farm *farm)
{
	struct recent_networks networks;

	(void)farm;
	recent_read_networks(
	    visit->shared->store, visit->now - HOUR, &networks);
	html_raw(visit->out, "network,deferred,passed\r\n");
	for (size_t i = 0; i < networks.count; i++) {
		put_cell(visit->out, networks.top[i].name);
		html(visit->out, ",%" PRId64 ",%" PRId64 "\r\n",
		    networks.top[i].deferred, networks.top[i].passed);
	}
}

void
web_plot_csv(struct visit *visit)
{
	static const struct {
		const char *name;
		void (*write)(struct visit *visit, const struct farm *farm);
	} plots[] = {
	    {"minutes", csv_minutes},
	    {"hours", csv_hours},
	    {"delays", csv_delays},
	    {"rules", csv_rules},
	    {"hosts", csv_hosts},
	    {"networks", csv_networks},
	};
	const char *of = http_value(visit->request, HTTP_QUERY, "of");
	enum store_result result;
	struct farm *farm = read_farm(visit, &result);

	for (size_t i = 0;
	     farm != NULL && of != NULL && i < sizeof plots / sizeof plots[0];
	     i++)
		if (strcmp(plots[i].name, of) == 0) {
			visit->answer->type = "text/csv; charset=utf-8";
			plots[i].write(visit, farm);
		}
	if (visit->answer->type == NULL)
		web_plain(visit, 404, "no such plot");
	free(farm);
}
