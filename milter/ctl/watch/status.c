/* status -- how the mail servers are, what they decided, and what is remembered. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ctl/change/entries.h"
#include "ctl/change/unused.h"
#include "ctl/commands.h"
#include "ctl/open_store.h"
#include "ctl/watch/farm.h"
#include "store/record.h"

/* For going through all records, and all lists, unless --count. */
#define COUNT_MS 1000

/* ---- The store and the servers */

static void
emit_store(struct ctl *ctl, const struct farm *farm)
{
	static const char *const modes[] = {[LAYOUT_SINGLE] = "redis",
	    [LAYOUT_SENTINEL] = "redis with sentinel",
	    [LAYOUT_CLUSTER] = "redis cluster"};
	const struct settings *settings = &ctl->policy->settings;
	json_t *servers = json_array();

	for (char **server = settings->redis.servers;
	     server != NULL && *server != NULL; server++)
		(void)json_array_append_new(servers, json_text(*server));
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:s, s:o, s:s, s:I}", "kind", "store", "mode",
		names_redis(settings) ? modes[settings->redis.mode]
				      : "embedded",
		"servers", servers, "state", "up", "time",
		(json_int_t)farm->now));
}

static void
emit_host(
    struct ctl *ctl, const struct farm *farm, const struct farm_host *host)
{
	bool is_silent = farm->now - host->seen > FARM_SILENT;
	json_t *object = json_pack("{s:s, s:s, s:s, s:I}", "kind", "host",
	    "host", host->name, "state", is_silent ? "silent" : "ok", "seen",
	    (json_int_t)host->seen);

	if (!isnan(host->load))
		(void)json_object_set_new(
		    object, "load", json_real(host->load));
	if (host->has_counts)
		(void)json_object_set_new(
		    object, "since", json_integer(host->since));
	for (int i = 0; host->has_counts && i < COUNTS; i++)
		(void)json_object_set_new(
		    object, count_names[i], json_integer(host->counts[i]));
	if (host->slow_us >= 0)
		(void)json_object_set_new(
		    object, "slow_ms", json_real((double)host->slow_us / 1000));
	(void)ctl_emit(ctl, object);
}

/* ---- What was decided */

static void
emit_totals(struct ctl *ctl, const struct farm *farm)
{
	const struct counters_view *sum = &farm->sum;
	json_t *object = json_pack(
	    "{s:s, s:I}", "kind", "totals", "since", (json_int_t)sum->since);
	int64_t median =
	    counters_share(sum->delays, counters_delay_s, COUNTERS_DELAYS, 0.5);
	int64_t most = counters_share(
	    sum->delays, counters_delay_s, COUNTERS_DELAYS, 0.95);

	for (int i = 0; i < COUNTS; i++)
		(void)json_object_set_new(
		    object, count_names[i], json_integer(sum->counts[i]));
	/* How long those waited that passed: at most so. */
	if (median >= 0)
		(void)json_object_set_new(
		    object, "delay_median", json_integer(median));
	if (most >= 0)
		(void)json_object_set_new(
		    object, "delay_95", json_integer(most));
	(void)json_object_set_new(object, "deferred_minutes",
	    farm_minutes(farm, COUNT_DEFERRED, COUNTERS_MINUTES));
	(void)json_object_set_new(object, "accepted_minutes",
	    farm_minutes(farm, COUNT_ACCEPTED, COUNTERS_MINUTES));
	(void)ctl_emit(ctl, object);
}

static const struct counters_rule *
find_rule(const struct counters_view *sum, const char *name)
{
	for (size_t i = 0; i < sum->rule_count; i++)
		if (strncmp(sum->rules[i].name, name, COUNTERS_NAME - 1) == 0)
			return &sum->rules[i];
	return NULL;
}

/* Whether it never matched within so long, and that has been watched for as long. */
static bool
is_idle(const struct farm *farm, int64_t matched, int64_t idle)
{
	int64_t watched = farm->sum.watched;
	int64_t last = matched > watched ? matched : watched;

	return watched != 0 && farm->now - last >= idle;
}

static void
emit_rule(struct ctl *ctl, const struct farm *farm, const char *name,
    bool observes, int64_t idle)
{
	static const struct counters_rule none;
	const struct counters_rule *rule = find_rule(&farm->sum, name);
	json_t *object;

	if (rule == NULL)
		rule = &none;
	object = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:b}", "kind",
	    "rule", "rule", name, "observe", observes, "accepted",
	    (json_int_t)rule->accepted, "deferred", (json_int_t)rule->deferred,
	    "observed", (json_int_t)rule->observed, "passed",
	    (json_int_t)rule->passed, "idle",
	    name[0] != '\0' && is_idle(farm, rule->matched, idle));
	if (rule->matched != 0)
		(void)json_object_set_new(
		    object, "matched", json_integer(rule->matched));
	(void)ctl_emit(ctl, object);
}

static void
emit_rules(struct ctl *ctl, const struct farm *farm, int64_t idle)
{
	const struct policy *policy = ctl->policy;
	const struct counters_rule *rest;

	for (size_t i = 0; i < policy->rule_count; i++)
		emit_rule(ctl, farm, policy->rules[i].name,
		    policy->rules[i].observe, idle);
	rest = find_rule(&farm->sum, "");
	if (rest != NULL && rest->accepted > 0)
		emit_rule(ctl, farm, "", false, idle);
}

/* ---- What is remembered */

struct tally {
	const struct settings *settings;
	int64_t now;
	json_int_t records, known, pending, passed;
};

static void
tally_record(void *arg, const struct store_record *record)
{
	struct tally *tally = arg;

	tally->records++;
	if (!record_is_network(record->name))
		return; /* what a pool has stands with its networks as well */
	for (size_t i = 0; i < record->trust_count; i++)
		if (tally->settings->known_after > 0 &&
		    record->trusts[i].passes >= tally->settings->known_after)
			tally->known++;
	for (size_t i = 0; i < record->clock_count; i++) {
		const struct record_clock *clock = &record->clocks[i];

		if (clock->pair[0] == '\0' || clock->space != CLOCK_REAL)
			continue;
		if (clock->at.last_passed != 0)
			tally->passed++;
		else if (tally->now - clock->at.first_seen <=
		    tally->settings->retry_window)
			tally->pending++;
	}
}

static enum store_result
emit_records(struct ctl *ctl, const struct farm *farm, bool all)
{
	struct tally tally = {
	    .settings = &ctl->policy->settings, .now = farm->now};
	struct store_walk walk = {0};
	int64_t due_us = clock_steady_us() + COUNT_MS * 1000;
	enum store_result result = STORE_OK;

	while (result == STORE_OK && !walk.is_done &&
	    (all || clock_steady_us() < due_us) && ctl_wait(ctl, 0))
		result = store_walk(ctl->store, &walk, (int64_t)time(NULL),
		    tally_record, &tally);
	if (result == STORE_OK)
		(void)ctl_emit(ctl,
		    json_pack("{s:s, s:I, s:I, s:I, s:I, s:b}", "kind",
			"records", "records", tally.records, "known",
			tally.known, "pending", tally.pending, "passed",
			tally.passed, "complete", walk.is_done));
	return result;
}

/* ---- The command */

static enum ctl_status
run_with(struct ctl *ctl, const struct ctl_args *args, struct farm *farm)
{
	int64_t idle = UNUSED_AFTER;
	struct unused_terms terms = {.list = NULL};
	struct unused_found found;
	enum store_result result;
	size_t levers;

	if (!ctl_duration(ctl, args, "idle", &idle))
		return CTL_FAILED;
	result = farm_look(ctl, farm);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	emit_store(ctl, farm);
	(void)entries_emit_levers(ctl, &levers);
	for (size_t i = 0; i < farm->host_count; i++)
		emit_host(ctl, farm, &farm->hosts[i]);
	emit_totals(ctl, farm);
	result = emit_records(ctl, farm, ctl_value(args, "count") != NULL);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	emit_rules(ctl, farm, idle);
	terms.idle = idle;
	if (ctl_value(args, "count") == NULL)
		terms.due_us = clock_steady_us() + COUNT_MS * 1000;
	result = unused_emit(ctl, &terms, &found);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	if (found.is_cut)
		ctl_warn(
		    ctl, "not all entries of lists were counted: see --count");
	return CTL_DONE;
}

static enum ctl_status
run_status(struct ctl *ctl, const struct ctl_args *args)
{
	struct farm *farm = malloc(sizeof *farm);
	enum ctl_status status;

	if (farm == NULL)
		return ctl_fail(ctl, "out of memory");
	status = run_with(ctl, args, farm);
	free(farm);
	return status;
}

static const struct ctl_option options[] = {
    {"count", NULL, "count all records and entries, however long it takes",
	false},
    {"idle", "DURATION",
	"tell rules and entries that did not match for so long; else 7d",
	false},
    {NULL}};

static const struct ctl_layout layouts[] = {
    {"store", false,
	{{"mode", "store", CTL_TEXT}, {"servers", "servers", CTL_TEXT},
	    {"state", "state", CTL_MARK}, {"time", "its time", CTL_TIME},
	    {NULL}}},
    ENTRIES_LEVER_LAYOUT,
    {"host", true,
	{{"host", "SERVER", CTL_TEXT}, {"state", "STATE", CTL_MARK},
	    {"load", "LOAD", CTL_NUMBER}, {"seen", "SEEN", CTL_AGO},
	    {"since", "COUNTS SINCE", CTL_AGO},
	    {"accepted", "ACCEPTED", CTL_NUMBER},
	    {"deferred", "DEFERRED", CTL_NUMBER}, {"late", "LATE", CTL_NUMBER},
	    {"away", "AWAY", CTL_NUMBER}, {NULL}}},
    {"totals", false,
	{{"since", "counted since", CTL_AGO},
	    {"accepted", "accepted", CTL_TEXT},
	    {"deferred", "deferred", CTL_TEXT},
	    {"observed", "on trial", CTL_TEXT},
	    {"passed", "passed after it", CTL_TEXT},
	    {"delay_median", "half waited up to", CTL_SPAN},
	    {"delay_95", "19 of 20 up to", CTL_SPAN},
	    {"accepted_minutes", "accepted, 1 h", CTL_SPARK},
	    {"deferred_minutes", "deferred, 1 h", CTL_SPARK}, {NULL}}},
    {"records", false,
	{{"known", "known clients", CTL_TEXT},
	    {"pending", "pending pairs", CTL_TEXT},
	    {"passed", "passed pairs", CTL_TEXT},
	    {"records", "records", CTL_TEXT},
	    {"complete", "all counted", CTL_MARK}, {NULL}}},
    {"rule", true,
	{{"rule", "RULE", CTL_TEXT}, {"accepted", "ACCEPTED", CTL_NUMBER},
	    {"deferred", "DEFERRED", CTL_NUMBER},
	    {"observed", "ON TRIAL", CTL_NUMBER},
	    {"passed", "PASSED", CTL_NUMBER}, {"matched", "MATCHED", CTL_AGO},
	    {"idle", "IDLE", CTL_FLAG}, {NULL}}},
    UNUSED_USAGE_LAYOUT, {NULL}};

const struct ctl_command ctl_status_ = {.name = "status",
    .arguments = "",
    .help = "tell how the servers are, what they decided, what is remembered",
    .flags = CTL_STORE,
    .options = options,
    .layouts = layouts,
    .run = run_status};
