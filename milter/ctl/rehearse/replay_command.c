/* replay_command -- a policy against the log of a mail server. */
#include "replay/replay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/log.h"
#include "config/conf_value.h"
#include "ctl/commands.h"
#include "ctl/rehearse/replay_records.h"
#include "maillog/maillog_lines.h"
#include "replay/findings.h"

#define RETRY_DEFAULT 600 /* seconds */
#define LIST_DEFAULT  20
#define TESTS_MAX     16
#define LOOK_EVERY    4096 /* lines, to see what time it is */
#define TELL_EVERY_US 1000000

struct run {
	struct ctl *ctl;
	const struct ctl_args *args;
	struct replay *replay;
	struct replay *against; /* NULL: there is none */
	struct maillog_lines *lines;
	struct maillog *log;
	struct findings known;	   /* known clients that waited */
	struct findings newly;	   /* who waits, and did not before */
	struct findings no_longer; /* the other way round */
	size_t listed;		   /* clients, at most */
	int64_t newly_delayed;	   /* messages */
	int64_t no_longer_delayed;
	int64_t first, last; /* times of attempts; 0: there was none */
	int64_t told_us;
	bool has_failed; /* and that was told */
	struct figures_rule sum;
};

/* ---- Names for --fail-if, and what they stand for */

static double
share(int64_t part, int64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

struct name {
	const char *name;
	double (*value)(const struct run *run);
	bool compares; /* is told with --against alone */
};

#define FIGURES(run) replay_figures((run)->replay)
#define VALUE(function, expression)                                            \
	static double function(const struct run *run)                          \
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

static const struct name names[] = {
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

enum comparison { LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, MORE_EQUAL, MORE };
static const char *const comparisons[] = {"<", "<=", "==", "!=", ">=", ">"};

struct test {
	const char *text;
	const struct name *name;
	enum comparison comparison;
	double number;
};

static const char *
skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

static const struct name *
find_name(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i].name) == length &&
		    memcmp(names[i].name, text, length) == 0)
			return &names[i];
	return NULL;
}

static bool
read_comparison(const char *text, size_t length, enum comparison *which_r)
{
	for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
		if (strlen(comparisons[i]) == length &&
		    memcmp(comparisons[i], text, length) == 0) {
			*which_r = (enum comparison)i;
			return true;
		}
	return false;
}

/* NULL: it is right; else what is wrong with it. */
static const char *
read_test(const char *text, struct test *test_r)
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
holds(const struct test *test, double value)
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

/* ---- Playing */

static bool
note_known(struct run *run, const struct maillog_attempt *attempt,
    const struct rehearsed *played)
{
	if (!played->asked || !played->known || !played->any_deferred)
		return true;
	for (size_t i = 0; i < attempt->recipient_count; i++)
		if (played->deferred[i])
			return findings_note(&run->known, attempt, played, i);
	return true;
}

/* Note a recipient that waits by the one policy and not by the other. */
static bool
note_change(struct findings *findings, int64_t *messages,
    const struct maillog_attempt *attempt, const struct rehearsed *waits,
    const struct rehearsed *passes)
{
	for (size_t i = 0; i < attempt->recipient_count; i++)
		if (waits->deferred[i] && !passes->deferred[i]) {
			++*messages;
			return findings_note(findings, attempt, waits, i);
		}
	return true;
}

static bool
compare(struct run *run, const struct maillog_attempt *attempt,
    const struct rehearsed *played, const struct rehearsed *before)
{
	return note_change(
		   &run->newly, &run->newly_delayed, attempt, played, before) &&
	    note_change(&run->no_longer, &run->no_longer_delayed, attempt,
		before, played);
}

static bool
try(struct run *run, const struct maillog_attempt *attempt)
{
	const struct rehearsed *played, *before = NULL;

	if (!replay_try(run->replay, attempt, &played))
		return false;
	run->first = run->first == 0 ? attempt->at : run->first;
	run->last = attempt->at;
	if (run->against != NULL && !replay_try(run->against, attempt, &before))
		return false;
	if (!replay_counts(run->replay))
		return true;
	return note_known(run, attempt, played) &&
	    (before == NULL || compare(run, attempt, played, before));
}

/* How far it is, about once a second. */
static void
tell_progress(struct run *run)
{
	int64_t now_us = clock_steady_us();
	double done = maillog_lines_share(run->lines);
	const struct maillog_counts *counts = maillog_lines_counts(run->lines);
	char text[128];

	if (now_us - run->told_us < TELL_EVERY_US)
		return;
	run->told_us = now_us;
	if (done >= 0)
		(void)snprintf(text, sizeof text,
		    "%3.0f %%, %" PRId64 " lines, %" PRId64 " messages",
		    100 * done, counts->lines, FIGURES(run)->messages);
	else
		(void)snprintf(text, sizeof text,
		    "%" PRId64 " lines, %" PRId64 " messages", counts->lines,
		    FIGURES(run)->messages);
	(void)ctl_emit(run->ctl,
	    json_pack("{s:s, s:s}", "kind", "progress", "text", text));
}

/* False: out of memory, or nobody listens. */
static bool
take_attempts(struct run *run)
{
	struct maillog_attempt attempt;

	while (maillog_take(run->log, &attempt))
		if (!try(run, &attempt))
			return false;
	return true;
}

static bool
play(struct run *run)
{
	const struct maillog_line *line;
	int64_t at;

	run->told_us = clock_steady_us();
	for (uint64_t i = 1; maillog_lines_next(run->lines, &line, &at); i++) {
		if (!maillog_feed(run->log, line, at) || !take_attempts(run))
			return false;
		if (i % LOOK_EVERY == 0)
			tell_progress(run);
		if (run->ctl->is_ended)
			return false;
	}
	maillog_end(run->log);
	if (!take_attempts(run))
		return false;
	return replay_end(run->replay, &run->sum);
}

/* ---- Telling */

static const char *
rule_name(const struct rule *rule)
{
	return rule == NULL ? "" : rule->name;
}

static void
tell_rules(struct run *run, const char *kind, const struct replay *replay)
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
tell_log(struct run *run)
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
tell_totals(struct run *run)
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
tell_hours(struct run *run)
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
tell_findings(struct run *run, const char *kind, struct findings *findings)
{
	size_t most =
	    findings->count < run->listed ? findings->count : run->listed;

	findings_sort(findings);
	for (size_t i = 0; i < most; i++) {
		const struct finding *found = &findings->found[i];

		(void)ctl_emit(run->ctl,
		    json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:s, s:I}",
			"kind", kind, "messages", (json_int_t)found->count,
			"client", ctl_text(found->client), "name",
			ctl_text(found->name), "sender",
			ctl_text(found->sender), "recipient",
			ctl_text(found->recipient), "rule",
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
tell_tests(struct run *run, const struct test *tests, size_t count)
{
	bool fails = false;

	for (size_t i = 0; i < count; i++) {
		double value = tests[i].name->value(run);
		bool is_so = holds(&tests[i], value);

		fails |= is_so;
		(void)ctl_emit(run->ctl,
		    json_pack("{s:s, s:o, s:f, s:s}", "kind", "test", "fail_if",
			ctl_text(tests[i].text), "value", value, "result",
			is_so ? "bad" : "ok"));
	}
	return fails;
}

/* A check that has seen no mail is no success. */
static bool
is_empty(struct run *run)
{
	if (maillog_sums(run->log)->attempts > 0)
		return false;
	ctl_warn(run->ctl,
	    "there is no mail from clients in it: is it the log of a Postfix "
	    "or a Sendmail?");
	return true;
}

static void
tell(struct run *run)
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
}

/* ---- The command */

static void
say_finding(void *arg, bool error, const char *text)
{
	if (error)
		(void)ctl_fail(arg, "%s", text);
	else
		ctl_warn(arg, "%s", text);
}

static void
say_fault(void *arg, const char *text)
{
	ctl_warn(arg, "%s", text);
}

static bool
read_load(struct ctl *ctl, const struct ctl_args *args, double *load_r)
{
	const char *text = ctl_value(args, "load");

	if (text == NULL || decimal_read_real(text, strlen(text), load_r))
		return true;
	(void)ctl_fail(ctl, "--load %s: a number is wanted", text);
	return false;
}

static bool
furnish(void *arg, struct store *store, int64_t now)
{
	struct run *run = arg;

	run->has_failed |= !replay_take_records(
	    run->ctl, ctl_value(run->args, "known"), store, now);
	return !run->has_failed;
}

static bool
open_policies(struct run *run)
{
	struct replay_terms terms = {
	    .config = run->ctl->file, .retry = RETRY_DEFAULT};

	if (ctl_value(run->args, "known") != NULL) {
		terms.furnish = furnish;
		terms.furnish_arg = run;
	}
	if (!ctl_duration(run->ctl, run->args, "retry", &terms.retry) ||
	    !ctl_duration(run->ctl, run->args, "ignore", &terms.ignored) ||
	    !read_load(run->ctl, run->args, &terms.load))
		return false;
	run->replay = replay_open(&terms, say_finding, run->ctl);
	terms.config = ctl_value(run->args, "against");
	if (run->replay != NULL && terms.config != NULL)
		run->against = replay_open(&terms, say_finding, run->ctl);
	return run->replay != NULL &&
	    (terms.config == NULL || run->against != NULL);
}

static bool
open_log(struct run *run)
{
	static const char *const input[] = {"-"};
	const struct ctl_args *args = run->args;
	struct maillog_terms terms = {
	    .paths = input, .count = 1, .say = say_fault, .arg = run->ctl};
	char why[MAILLOG_WHY_SIZE];
	int64_t year = 0;

	if (!ctl_number(run->ctl, args, "year", &year))
		return false;
	if (ctl_value(args, "year") != NULL && (year < 1970 || year > 9999)) {
		(void)ctl_fail(run->ctl, "--year %s: a year has four digits",
		    ctl_value(args, "year"));
		return false;
	}
	if (args->word_count > 0) {
		terms.paths = args->words;
		terms.count = args->word_count;
	}
	terms.year = (int)year;
	run->log = maillog_open();
	run->lines = maillog_lines_open(&terms, why);
	if (run->lines == NULL)
		(void)ctl_fail(run->ctl, "%s", why);
	return run->lines != NULL && run->log != NULL;
}

static bool
read_tests(struct run *run, struct test tests_r[TESTS_MAX], size_t *count_r)
{
	const char *text;

	*count_r = 0;
	while ((text = ctl_value_at(run->args, "fail-if", *count_r)) != NULL) {
		const char *why = *count_r == TESTS_MAX
		    ? "there are too many"
		    : read_test(text, &tests_r[*count_r]);

		if (why != NULL) {
			(void)ctl_fail(run->ctl, "--fail-if %s: %s", text, why);
			return false;
		}
		++*count_r;
	}
	return true;
}

static bool
read_list(struct run *run)
{
	int64_t most = LIST_DEFAULT;

	if (!ctl_number(run->ctl, run->args, "list", &most))
		return false;
	run->listed = (size_t)most;
	return true;
}

static enum ctl_status
run_replay(struct ctl *ctl, const struct ctl_args *args)
{
	struct run run = {.ctl = ctl, .args = args};
	struct test tests[TESTS_MAX];
	enum ctl_status status = CTL_FAILED;
	size_t count;

	/* Nobody wants what the daemon would log of it. */
	(void)log_open(LOG_TO_NOBODY, "user");
	if (read_tests(&run, tests, &count) && read_list(&run) &&
	    open_policies(&run) && open_log(&run)) {
		if (play(&run)) {
			tell(&run);
			status =
			    tell_tests(&run, tests, count) || is_empty(&run)
			    ? CTL_NOTHING
			    : CTL_DONE;
		} else if (!ctl->is_ended && !run.has_failed) {
			(void)ctl_fail(ctl, "out of memory");
		}
	}
	findings_free(&run.known);
	findings_free(&run.newly);
	findings_free(&run.no_longer);
	free(run.sum.delays);
	maillog_lines_close(&run.lines);
	maillog_close(&run.log);
	replay_close(&run.replay);
	replay_close(&run.against);
	return status;
}

static const struct ctl_option replay_options[] = {
    {"against", "FILE", "compare with this configuration: who newly waits?",
	false},
    {"fail-if", "TEST", "exit with 1 if so, as in 'known.delayed > 0'", true},
    {"ignore", "DURATION", "learn from the first part of the log, uncounted",
	false},
    {"known", "FILE", "begin with what the servers know, as export wrote it",
	false},
    {"list", "NUMBER", "list so many clients at most (default 20)", false},
    {"load", "LOAD", "as if the server were so busy all the time", false},
    {"progress", NULL, "tell how far it is, also without a terminal", false},
    {"retry", "DURATION",
	"when who was delivered is assumed to try again (default 10m; 0: "
	"never)",
	false},
    {"year", "YEAR", "of the first line of each file, where it tells none",
	false},
    {NULL, NULL, NULL, false}};

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

static const struct ctl_layout replay_layouts[] = {
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

const struct ctl_command ctl_replay = {.name = "replay",
    .arguments = "[MAILLOG ...]",
    .help = "play the log of a mail server to the policy",
    .most_words = CTL_WORDS_MAX,
    .options = replay_options,
    .layouts = replay_layouts,
    .run = run_replay};
