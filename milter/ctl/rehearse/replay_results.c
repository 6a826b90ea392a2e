#include "ctl/rehearse/replay_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/hash.h"

/* ---- Clients of note */

#define PLACES (FINDINGS_MAX * 2)

void
findings_free(struct findings *findings)
{
	for (size_t i = 0; findings->found != NULL && i < PLACES; i++) {
		free(findings->found[i].client);
		free(findings->found[i].name);
		free(findings->found[i].sender);
		free(findings->found[i].recipient);
		free(findings->found[i].who);
	}
	free(findings->found);
	memset(findings, 0, sizeof *findings);
}

/* Its place, or a free one: at most half of them are taken. */
static struct finding *
place_of(
    const struct findings *findings, const char *who, const struct rule *rule)
{
	uint64_t hash = hash_64(HASH_64, who, strlen(who));
	size_t place;

	hash = hash_64(hash, &rule, sizeof rule);
	for (place = hash % PLACES;; place = (place + 1) % PLACES) {
		struct finding *found = &findings->found[place];

		if (found->who == NULL ||
		    (found->rule == rule && strcmp(found->who, who) == 0))
			return found;
	}
}

static bool
fill(struct finding *found, const struct maillog_attempt *attempt,
    const char *who, size_t recipient)
{
	found->first = attempt->at;
	found->who = strdup(who);
	found->client = strdup(attempt->client);
	found->name = strdup(attempt->name == NULL ? "" : attempt->name);
	found->sender = strdup(attempt->sender);
	found->recipient = strdup(attempt->recipients[recipient]);
	return found->who != NULL && found->client != NULL &&
	    found->name != NULL && found->sender != NULL &&
	    found->recipient != NULL;
}

bool
findings_note(struct findings *findings, const struct maillog_attempt *attempt,
    const struct rehearsed *played, size_t recipient)
{
	const char *who =
	    played->pool[0] != '\0' ? played->pool : played->network;
	const struct rule *rule = played->rules[recipient];
	struct finding *found;

	if (findings->found == NULL)
		findings->found = calloc(PLACES, sizeof *findings->found);
	if (findings->found == NULL)
		return false;
	found = place_of(findings, who, rule);
	if (found->who == NULL && findings->count == FINDINGS_MAX) {
		findings->unlisted++;
		return true;
	}
	found->count++;
	if (found->who != NULL)
		return true;
	found->rule = rule;
	findings->count++;
	return fill(found, attempt, who, recipient);
}

/* Free places last. */
static int
by_count(const void *a, const void *b)
{
	const struct finding *left = a, *right = b;

	if (left->count == right->count)
		return (left->first > right->first) -
		    (left->first < right->first);
	return left->count < right->count ? 1 : -1;
}

/* ---- Names for --fail-if, and what they stand for */

static double
share(int64_t part, int64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

struct replay_name {
	const char *name;
	double (*value)(const struct replay_run *run);
	bool compares; /* is told with --against alone */
};

#define FIGURES(run) replay_figures((run)->replay)
#define VALUE(function, expression)                                            \
	static double function(const struct replay_run *run)                   \
	{                                                                      \
		return (double)(expression);                                   \
	}

VALUE(value_messages, FIGURES(run)->messages)
VALUE(value_deferred, FIGURES(run)->deferred)
VALUE(value_share, share(FIGURES(run)->deferred, FIGURES(run)->messages))
VALUE(value_known, FIGURES(run)->known_messages)
VALUE(value_known_delayed, FIGURES(run)->known_delayed)
VALUE(value_pairs, run->sum.pairs)
VALUE(value_came_back, run->sum.came_back)
VALUE(value_passed, run->sum.passed)
VALUE(value_gave_up, run->sum.gave_up)
VALUE(value_waiting, run->sum.waiting)
VALUE(value_assumed, run->sum.assumed)
VALUE(value_rejected, run->sum.rejected)
VALUE(value_p50, figures_share(run->sum.delays, 0.5))
VALUE(value_p90, figures_share(run->sum.delays, 0.9))
VALUE(value_p99, figures_share(run->sum.delays, 0.99))
VALUE(value_longest, run->sum.delays->longest)
VALUE(value_newly, run->newly_delayed)
VALUE(value_newly_clients, run->newly.count)
VALUE(value_no_longer, run->no_longer_delayed)
VALUE(value_garbage, maillog_lines_counts(run->lines)->garbage)

static const struct replay_name names[] = {
    {"messages", value_messages, false},
    {"deferred", value_deferred, false},
    {"deferred.share", value_share, false},
    {"known.messages", value_known, false},
    {"known.delayed", value_known_delayed, false},
    {"pairs", value_pairs, false},
    {"came_back", value_came_back, false},
    {"passed", value_passed, false},
    {"gave_up", value_gave_up, false},
    {"waiting", value_waiting, false},
    {"assumed", value_assumed, false},
    {"rejected", value_rejected, false},
    {"delay.p50", value_p50, false},
    {"delay.p90", value_p90, false},
    {"delay.p99", value_p99, false},
    {"delay.max", value_longest, false},
    {"newly.delayed", value_newly, true},
    {"newly.clients", value_newly_clients, true},
    {"no_longer.delayed", value_no_longer, true},
    {"garbage", value_garbage, false},
};

/* ---- Expressions: name, comparison, number */

static const char *const comparisons[] = {"<", "<=", "==", "!=", ">=", ">"};

static const char *
skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

static const struct replay_name *
find_name(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i].name) == length &&
		    memcmp(names[i].name, text, length) == 0)
			return &names[i];
	return NULL;
}

static bool
read_comparison(
    const char *text, size_t length, enum replay_comparison *which_r)
{
	for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
		if (strlen(comparisons[i]) == length &&
		    memcmp(comparisons[i], text, length) == 0) {
			*which_r = (enum replay_comparison)i;
			return true;
		}
	return false;
}

/* NULL: it is right; else what is wrong with it. */
static const char *
read_test(const char *text, struct replay_test *test_r)
{
	const char *at = skip_blanks(text);
	size_t length = strcspn(at, " \t<>=!");

	test_r->text = text;
	test_r->name = find_name(at, length);
	if (test_r->name == NULL)
		return "there is no such name (milter-deferctl(8) lists them)";
	at = skip_blanks(at + length);
	length = strspn(at, "<>=!");
	if (!read_comparison(at, length, &test_r->comparison))
		return "the comparison is none of < <= == != >= >";
	at = skip_blanks(at + length);
	length = strcspn(at, " \t");
	if (!decimal_read_real(at, length, &test_r->number) ||
	    *skip_blanks(at + length) != '\0')
		return "a number is wanted behind the comparison";
	return NULL;
}

static bool
holds(const struct replay_test *test, double value)
{
	switch (test->comparison) {
	case LESS:
		return value < test->number;
	case LESS_EQUAL:
		return value <= test->number;
	case EQUAL:
		return value == test->number;
	case NOT_EQUAL:
		return value != test->number;
	case MORE_EQUAL:
		return value >= test->number;
	default:
		return value > test->number;
	}
}

bool
replay_read_tests(struct replay_run *run)
{
	const char *text;

	while ((text = ctl_value_at(run->args, "fail-if", run->test_count)) !=
	    NULL) {
		const char *why = run->test_count == REPLAY_TESTS_MAX
		    ? "there are too many"
		    : read_test(text, &run->tests[run->test_count]);

		if (why != NULL) {
			(void)ctl_fail(run->ctl, "--fail-if %s: %s", text, why);
			return false;
		}
		run->test_count++;
	}
	return true;
}

/* ---- Telling */

static const char *
rule_name(const struct rule *rule)
{
	return rule == NULL ? "" : rule->name;
}

static void
tell_rules(
    struct replay_run *run, const char *kind, const struct replay *replay)
{
	const struct figures *figures = replay_figures(replay);

	for (size_t i = 0; i < figures->rule_count; i++) {
		const struct figures_rule *rule = &figures->rules[i];
		json_t *object = json_pack(
		    "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		    "kind", kind, "rule", rule_name(rule->rule), "accepted",
		    (json_int_t)rule->accepted, "observed",
		    (json_int_t)rule->observed, "deferred",
		    (json_int_t)rule->deferred, "pairs",
		    (json_int_t)rule->pairs, "came_back",
		    (json_int_t)rule->came_back, "passed",
		    (json_int_t)rule->passed, "gave_up",
		    (json_int_t)rule->gave_up, "waiting",
		    (json_int_t)rule->waiting);

		if (object == NULL)
			continue;
		(void)json_object_set_new(
		    object, "assumed", json_integer(rule->assumed));
		(void)json_object_set_new(
		    object, "rejected", json_integer(rule->rejected));
		if (rule->delays != NULL) {
			(void)json_object_set_new(object, "delay_p50",
			    json_integer(figures_share(rule->delays, 0.5)));
			(void)json_object_set_new(object, "delay_p90",
			    json_integer(figures_share(rule->delays, 0.9)));
			(void)json_object_set_new(object, "delay_p99",
			    json_integer(figures_share(rule->delays, 0.99)));
		}
		(void)ctl_emit(run->ctl, object);
	}
}

static void
tell_log(struct replay_run *run)
{
	const struct maillog_counts *counts = maillog_lines_counts(run->lines);
	const struct maillog_sums *sums = maillog_sums(run->log);
	json_t *object = json_pack(
	    "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", "log",
	    "lines", (json_int_t)counts->lines, "used", (json_int_t)sums->used,
	    "garbage", (json_int_t)counts->garbage, "misplaced",
	    (json_int_t)counts->misplaced, "damaged",
	    (json_int_t)counts->damaged, "screened", (json_int_t)sums->screened,
	    "unfinished", (json_int_t)sums->unfinished, "attempts",
	    (json_int_t)sums->attempts);

	if (object != NULL && run->first != 0) {
		(void)json_object_set_new(
		    object, "from", json_integer(run->first));
		(void)json_object_set_new(
		    object, "until", json_integer(run->last));
	}
	(void)ctl_emit(run->ctl, object);
}

static void
tell_totals(struct replay_run *run)
{
	json_t *object = json_pack("{s:s}", "kind", "total");

	for (size_t i = 0; object != NULL && i < sizeof names / sizeof names[0];
	     i++) {
		double value = names[i].value(run);

		if (run->against == NULL && names[i].compares)
			continue;
		(void)json_object_set_new(object, names[i].name,
		    value == floor(value) ? json_integer((json_int_t)value)
					  : json_real(value));
	}
	(void)ctl_emit(run->ctl, object);
}

static void
tell_hours(struct replay_run *run)
{
	const struct figures *figures = FIGURES(run);
	int64_t most = 0;

	for (size_t i = 0; i < figures->hour_count; i++)
		if (figures->hours[i].deferred > most)
			most = figures->hours[i].deferred;
	for (size_t i = 0; i < figures->hour_count; i++) {
		const struct figures_hour *hour = &figures->hours[i];
		json_int_t at = figures->first_hour + (json_int_t)i * 3600;

		(void)ctl_emit(run->ctl,
		    json_pack("{s:s, s:I, s:I, s:I, s:f}", "kind", "hour", "at",
			at, "messages", (json_int_t)hour->messages, "deferred",
			(json_int_t)hour->deferred, "share",
			most == 0 ? 0.0
				  : (double)hour->deferred / (double)most));
	}
}

static void
tell_findings(
    struct replay_run *run, const char *kind, struct findings *findings)
{
	size_t most =
	    findings->count < run->listed ? findings->count : run->listed;

	if (findings->found == NULL)
		return;
	qsort(findings->found, PLACES, sizeof *findings->found, by_count);
	for (size_t i = 0; i < most; i++) {
		const struct finding *found = &findings->found[i];

		(void)ctl_emit(run->ctl,
		    json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:s, s:I}",
			"kind", kind, "messages", (json_int_t)found->count,
			"client", json_text(found->client), "name",
			json_text(found->name), "sender",
			json_text(found->sender), "recipient",
			json_text(found->recipient), "rule",
			rule_name(found->rule), "first",
			(json_int_t)found->first));
	}
	if (most < findings->count || findings->unlisted > 0)
		ctl_warn(run->ctl,
		    "%s: %zu further ones are not listed (see --list)", kind,
		    findings->count - most);
}

/* Whether the check fails. */
static bool
tell_tests(struct replay_run *run)
{
	bool fails = false;

	for (size_t i = 0; i < run->test_count; i++) {
		const struct replay_test *test = &run->tests[i];
		double value = test->name->value(run);
		bool is_so = holds(test, value);

		fails |= is_so;
		(void)ctl_emit(run->ctl,
		    json_pack("{s:s, s:o, s:f, s:s}", "kind", "test", "fail_if",
			json_text(test->text), "value", value, "result",
			is_so ? "bad" : "ok"));
	}
	return fails;
}

/* A check that has seen no mail is no success. */
static bool
is_empty(struct replay_run *run)
{
	if (maillog_sums(run->log)->attempts > 0)
		return false;
	ctl_warn(run->ctl,
	    "there is no mail from clients in it: is it the log of a Postfix "
	    "or a Sendmail?");
	return true;
}

bool
replay_tell(struct replay_run *run)
{
	tell_log(run);
	tell_rules(run, "rule", run->replay);
	if (run->against != NULL)
		tell_rules(run, "against", run->against);
	tell_hours(run);
	tell_findings(run, "known", &run->known);
	if (run->against != NULL) {
		tell_findings(run, "newly", &run->newly);
		tell_findings(run, "no_longer", &run->no_longer);
	}
	tell_totals(run);
	return tell_tests(run) || is_empty(run);
}

#define RULE_COLUMNS(title)                                                    \
	{"rule", title, CTL_TEXT}, {"accepted", "ACCEPTS", CTL_NUMBER},        \
	    {"deferred", "DEFERS", CTL_NUMBER},                                \
	    {"pairs", "PAIRS", CTL_NUMBER}, {"came_back", "BACK", CTL_NUMBER}, \
	    {"passed", "PASSED", CTL_NUMBER}, {"gave_up", "GONE", CTL_NUMBER}, \
	    {"assumed", "ASSUMED", CTL_NUMBER},                                \
	    {"delay_p50", "MEDIAN", CTL_SPAN},                                 \
	{                                                                      \
		"delay_p90", "90 %", CTL_SPAN                                  \
	}
#define CLIENT_COLUMNS(title)                                                  \
	{"messages", "TIMES", CTL_NUMBER}, {"client", title, CTL_TEXT},        \
	    {"name", "NAME", CTL_TEXT}, {"sender", "SENDER", CTL_TEXT},        \
	    {"recipient", "RECIPIENT", CTL_TEXT},                              \
	{                                                                      \
		"rule", "RULE", CTL_TEXT                                       \
	}

const struct ctl_layout replay_layouts[] = {
    {"rule", true, {RULE_COLUMNS("RULE"), {NULL}}},
    {"against", true, {RULE_COLUMNS("RULE (--against)"), {NULL}}},
    {"hour", true,
	{{"at", "HOUR", CTL_TIME}, {"messages", "MESSAGES", CTL_NUMBER},
	    {"deferred", "DEFERRED", CTL_NUMBER}, {"share", "", CTL_BAR},
	    {NULL}}},
    {"known", true, {CLIENT_COLUMNS("KNOWN, AND WAITS"), {NULL}}},
    {"newly", true, {CLIENT_COLUMNS("NEWLY WAITS"), {NULL}}},
    {"no_longer", true, {CLIENT_COLUMNS("NO LONGER WAITS"), {NULL}}},
    {"log", false,
	{{"lines", "lines", CTL_TEXT}, {"garbage", "garbage", CTL_TEXT},
	    {"misplaced", "of no near time", CTL_TEXT},
	    {"damaged", "files damaged", CTL_TEXT},
	    {"attempts", "attempts", CTL_TEXT},
	    {"unfinished", "never finished", CTL_TEXT},
	    {"from", "from", CTL_TIME}, {"until", "until", CTL_TIME}, {NULL}}},
    {"test", true,
	{{"fail_if", "FAILS IF", CTL_TEXT}, {"value", "VALUE", CTL_NUMBER},
	    {"result", "RESULT", CTL_MARK}, {NULL}}},
    {NULL}};
