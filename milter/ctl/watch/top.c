/* top -- what goes on now: the busiest rules and networks, again and again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/commands.h"
#include "ctl/watch/farm.h"

#define SHOWN	   8 /* rules, networks */
#define NETWORKS   1000
#define PAGES	   4 /* of the journal, at each look */
#define EVERY	   INT64_C(2)
#define MINUTES	   INT64_C(5)
#define EVERY_MOST INT64_C(3600)

struct busy_network {
	char name[NETWORK_TEXT_SIZE];
	char rule[COUNTERS_NAME]; /* of the last deferral */
	int64_t deferred, passed, last;
};

struct busy_rule {
	const struct counters_rule *rule;
	int64_t now; /* matches since the last look */
};

/* Large: not for the stack. */
struct top {
	struct ctl *ctl;
	struct farm farm;
	struct counters_view before; /* the sum at the last look */
	bool has_before;
	struct busy_network networks[NETWORKS];
	size_t network_count;
	struct busy_rule rules[COUNTERS_RULES];
	size_t rule_count;
	/* filters; NULL: all */
	const char *rule, *server;
	struct network client;
	bool has_client;
};

/* ---- Rules */

static const struct counters_rule *
rule_before(const struct top *top, const char *name)
{
	for (size_t i = 0; top->has_before && i < top->before.rule_count; i++)
		if (strcmp(top->before.rules[i].name, name) == 0)
			return &top->before.rules[i];
	return NULL;
}

static int64_t
matches_of(const struct counters_rule *rule)
{
	return rule->accepted + rule->deferred + rule->observed;
}

static int
by_matches(const void *a, const void *b)
{
	const struct busy_rule *one = a, *other = b;
	int64_t all_one = matches_of(one->rule);
	int64_t all_other = matches_of(other->rule);

	if (one->now != other->now)
		return one->now > other->now ? -1 : 1;
	return all_one == all_other ? 0 : all_one > all_other ? -1 : 1;
}

static void
sort_rules(struct top *top)
{
	top->rule_count = 0;
	for (size_t i = 0; i < top->farm.sum.rule_count; i++) {
		const struct counters_rule *rule = &top->farm.sum.rules[i];
		const struct counters_rule *before =
		    rule_before(top, rule->name);
		int64_t now =
		    before == NULL ? 0 : matches_of(rule) - matches_of(before);

		if (matches_of(rule) == 0 ||
		    (top->rule != NULL && strcmp(top->rule, rule->name) != 0))
			continue;
		/* A server that began anew counts less than before. */
		top->rules[top->rule_count++] =
		    (struct busy_rule){rule, now < 0 ? 0 : now};
	}
	qsort(top->rules, top->rule_count, sizeof top->rules[0], by_matches);
}

static void
emit_rules(const struct top *top)
{
	for (size_t i = 0; i < top->rule_count && i < SHOWN; i++) {
		const struct counters_rule *rule = top->rules[i].rule;

		(void)ctl_emit(top->ctl,
		    json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "kind",
			"rule", "rule", rule->name, "now",
			(json_int_t)top->rules[i].now, "accepted",
			(json_int_t)rule->accepted, "deferred",
			(json_int_t)rule->deferred, "observed",
			(json_int_t)rule->observed, "passed",
			(json_int_t)rule->passed));
	}
}

/* ---- Networks */

static struct busy_network *
network_of_entry(struct top *top, const char *name)
{
	for (size_t i = 0; i < top->network_count; i++)
		if (strcmp(top->networks[i].name, name) == 0)
			return &top->networks[i];
	if (top->network_count == NETWORKS)
		return NULL;
	top->networks[top->network_count] = (struct busy_network){.last = 0};
	(void)snprintf(top->networks[top->network_count].name,
	    NETWORK_TEXT_SIZE, "%s", name);
	return &top->networks[top->network_count++];
}

/* Newest first, so that the first rule that is met is the last that spoke. */
static bool
add_entry(void *arg, const struct journal_entry *entry)
{
	struct top *top = arg;
	struct busy_network *network;

	if ((top->rule != NULL && strcmp(top->rule, entry->rule) != 0) ||
	    (top->server != NULL && strcmp(top->server, entry->host) != 0) ||
	    entry->kind == JOURNAL_OBSERVE)
		return true;
	network = network_of_entry(top, entry->network);
	if (network == NULL)
		return true;
	if (entry->kind == JOURNAL_PASS)
		network->passed++;
	else
		network->deferred++;
	if (network->last == 0) {
		network->last = entry->at;
		(void)snprintf(network->rule, sizeof network->rule, "%.*s",
		    COUNTERS_NAME - 1, entry->rule);
	}
	return true;
}

static int
by_deferrals(const void *a, const void *b)
{
	const struct busy_network *one = a, *other = b;

	if (one->deferred != other->deferred)
		return one->deferred > other->deferred ? -1 : 1;
	return one->passed == other->passed ? 0
	    : one->passed > other->passed   ? -1
					    : 1;
}

static enum store_result
read_networks(struct top *top)
{
	struct journal_query query = {
	    .client = top->has_client ? &top->client : NULL,
	    .since = top->farm.now - MINUTES * 60};
	enum store_result result = STORE_OK;
	bool more = true;

	top->network_count = 0;
	for (int i = 0; i < PAGES && more && result == STORE_OK; i++)
		result = journal_read(
		    top->ctl->store, &query, add_entry, top, &more);
	qsort(top->networks, top->network_count, sizeof top->networks[0],
	    by_deferrals);
	return result;
}

static void
emit_networks(const struct top *top)
{
	for (size_t i = 0; i < top->network_count && i < SHOWN; i++) {
		const struct busy_network *network = &top->networks[i];

		(void)ctl_emit(top->ctl,
		    json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "kind",
			"network", "network", network->name, "deferred",
			(json_int_t)network->deferred, "passed",
			(json_int_t)network->passed, "last",
			(json_int_t)network->last, "rule", network->rule));
	}
}

/* ---- All together */

static double
busiest_load(const struct farm *farm)
{
	double load = 0;

	for (size_t i = 0; i < farm->host_count; i++)
		if (!isnan(farm->hosts[i].load) &&
		    farm->now - farm->hosts[i].seen <= FARM_SILENT)
			load = fmax(load, farm->hosts[i].load);
	return load;
}

/* Since the last look, in a minute; at first, the last whole one. */
static double
rate_of(const struct top *top, enum count which, int64_t every)
{
	int64_t more = top->farm.sum.counts[which] - top->before.counts[which];

	if (!top->has_before)
		return (double)top->farm.sum.minutes[which][1];
	return more < 0 ? 0 : (double)more * 60 / (double)every;
}

static void
emit_rates(const struct top *top, int64_t every)
{
	static const enum count shown[] = {
	    COUNT_ACCEPTED, COUNT_DEFERRED, COUNT_PASSED};
	const struct farm *farm = &top->farm;
	json_t *object = json_pack("{s:s, s:I, s:I, s:f}", "kind", "rates",
	    "time", (json_int_t)farm->now, "servers",
	    (json_int_t)farm->host_count, "load", busiest_load(farm));

	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		char name[64];

		(void)json_object_set_new(object, count_names[shown[i]],
		    json_real(rate_of(top, shown[i], every)));
		(void)snprintf(
		    name, sizeof name, "%s_minutes", count_names[shown[i]]);
		(void)json_object_set_new(object, name,
		    farm_minutes(farm, shown[i], COUNTERS_MINUTES));
	}
	(void)ctl_emit(top->ctl, object);
}

/* All of it in one line, for who reads lines. */
static void
emit_tick(const struct top *top, int64_t every)
{
	(void)ctl_emit(top->ctl,
	    json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:s, s:s}", "kind",
		"tick", "time", (json_int_t)top->farm.now, "load",
		busiest_load(&top->farm), "accepted",
		rate_of(top, COUNT_ACCEPTED, every), "deferred",
		rate_of(top, COUNT_DEFERRED, every), "passed",
		rate_of(top, COUNT_PASSED, every), "rule",
		top->rule_count == 0 ? "" : top->rules[0].rule->name, "network",
		top->network_count == 0 ? "" : top->networks[0].name));
}

static bool
emit_frame(const struct top *top, bool begins)
{
	return ctl_emit(top->ctl,
	    json_pack("{s:s, s:b}", "kind", "frame", "begins", begins));
}

static enum ctl_status
watch(struct top *top, int64_t every, int64_t rounds)
{
	enum store_result result;

	do {
		result = farm_look(top->ctl, &top->farm);
		if (result == STORE_OK)
			result = read_networks(top);
		if (result != STORE_OK)
			return ctl_fail_store(top->ctl, result);
		sort_rules(top);
		(void)emit_frame(top, true);
		emit_rates(top, every);
		emit_rules(top);
		emit_networks(top);
		emit_tick(top, every);
		(void)emit_frame(top, false);
		top->before = top->farm.sum;
		top->has_before = true;
		if (rounds > 0 && --rounds == 0)
			return CTL_DONE;
	} while (ctl_wait(top->ctl, every * 1000));
	return CTL_DONE;
}

static enum ctl_status
run_with(struct top *top, const struct ctl_args *args)
{
	const char *network = ctl_value(args, "network");
	int64_t every = EVERY, rounds = 0;
	char why[NETWORK_WHY_SIZE];

	top->rule = ctl_value(args, "rule");
	top->server = ctl_value(args, "server");
	top->has_client = network != NULL;
	if (network != NULL && !network_parse(network, &top->client, why))
		return ctl_fail(top->ctl, "--network %s: %s", network, why);
	if (!ctl_duration(top->ctl, args, "every", &every) ||
	    !ctl_number(top->ctl, args, "rounds", &rounds))
		return CTL_FAILED;
	if (every < 1 || every > EVERY_MOST)
		return ctl_fail(top->ctl, "--every: from 1s to 1h");
	return watch(top, every, rounds);
}

static enum ctl_status
run_top(struct ctl *ctl, const struct ctl_args *args)
{
	struct top *top = calloc(1, sizeof *top);
	enum ctl_status status;

	if (top == NULL)
		return ctl_fail(ctl, "out of memory");
	top->ctl = ctl;
	status = run_with(top, args);
	free(top);
	return status;
}

static const struct ctl_option options[] = {
    {"network", "NETWORK", "only clients of this network", false},
    {"rule", "NAME", "only what this rule decides", false},
    {"server", "NAME", "of networks, only what this server decides", false},
    {"every", "DURATION", "how often to look; else 2s", false},
    {"rounds", "NUMBER", "end after so many looks", false}, {NULL}};

static const struct ctl_layout layouts[] = {
    {"rates", false,
	{{"time", "time", CTL_TIME}, {"load", "highest load", CTL_TEXT},
	    {"accepted", "accepted/min", CTL_TEXT},
	    {"accepted_minutes", "", CTL_SPARK},
	    {"deferred", "deferred/min", CTL_TEXT},
	    {"deferred_minutes", "", CTL_SPARK},
	    {"passed", "passed/min", CTL_TEXT},
	    {"passed_minutes", "", CTL_SPARK}, {NULL}}},
    {"rule", true,
	{{"rule", "RULE                     ", CTL_TEXT},
	    {"now", "NOW", CTL_NUMBER}, {"accepted", "ACCEPTED", CTL_NUMBER},
	    {"deferred", "DEFERRED", CTL_NUMBER},
	    {"observed", "ON TRIAL", CTL_NUMBER},
	    {"passed", "PASSED", CTL_NUMBER}, {NULL}}},
    {"network", true,
	{{"network", "NETWORK, LAST 5 MINUTES  ", CTL_TEXT},
	    {"deferred", "DEFERRED", CTL_NUMBER},
	    {"passed", "PASSED", CTL_NUMBER}, {"last", "LAST", CTL_AGO},
	    {"rule", "BY", CTL_TEXT}, {NULL}}},
    {"tick", true,
	{{"time", "TIME               ", CTL_TIME},
	    {"load", "LOAD ", CTL_NUMBER},
	    {"accepted", "ACCEPTED/MIN", CTL_NUMBER},
	    {"deferred", "DEFERRED/MIN", CTL_NUMBER},
	    {"passed", "PASSED", CTL_NUMBER}, {"rule", "RULE", CTL_TEXT},
	    {"network", "NETWORK", CTL_TEXT}, {NULL}}},
    {NULL}};

const struct ctl_command ctl_top = {.name = "top",
    .arguments = "",
    .help = "watch the busiest rules and networks, in place",
    .flags = CTL_STORE | CTL_LIVE | CTL_FRAMES,
    .options = options,
    .layouts = layouts,
    .run = run_top};
