/* replay_command -- a policy against the log of a mail server. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/log.h"
#include "base/secret.h"
#include "ctl/commands.h"
#include "ctl/rehearse/replay_results.h"
#include "store/record.h"
#include "transfer/record_json.h"

#define RETRY_DEFAULT 600 /* seconds */
#define LIST_DEFAULT  20
#define LOOK_EVERY    4096 /* lines, to see what time it is */
#define TELL_EVERY_US 1000000

/* ---- Playing */

static bool
note_known(struct replay_run *run, const struct maillog_attempt *attempt,
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
compare(struct replay_run *run, const struct maillog_attempt *attempt,
    const struct rehearsed *played, const struct rehearsed *before)
{
	return note_change(
		   &run->newly, &run->newly_delayed, attempt, played, before) &&
	    note_change(&run->no_longer, &run->no_longer_delayed, attempt,
		before, played);
}

static bool
try(struct replay_run *run, const struct maillog_attempt *attempt)
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
tell_progress(struct replay_run *run)
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
		    100 * done, counts->lines,
		    replay_figures(run->replay)->messages);
	else
		(void)snprintf(text, sizeof text,
		    "%" PRId64 " lines, %" PRId64 " messages", counts->lines,
		    replay_figures(run->replay)->messages);
	(void)ctl_emit(run->ctl,
	    json_pack("{s:s, s:s}", "kind", "progress", "text", text));
}

/* False: out of memory, or nobody listens. */
static bool
take_attempts(struct replay_run *run, bool is_end)
{
	struct maillog_attempt attempt;

	while (maillog_take(run->log, is_end, &attempt))
		if (!try(run, &attempt))
			return false;
	return true;
}

static bool
play(struct replay_run *run)
{
	const struct maillog_line *line;
	int64_t at;

	run->told_us = clock_steady_us();
	for (uint64_t i = 1; maillog_lines_next(run->lines, &line, &at); i++) {
		if (!maillog_feed(run->log, line, at) ||
		    !take_attempts(run, false))
			return false;
		if (i % LOOK_EVERY == 0)
			tell_progress(run);
		if (run->ctl->is_ended)
			return false;
	}
	return take_attempts(run, true) && replay_end(run->replay, &run->sum);
}

/* ---- What the servers know today, for a replay to begin with */

/* NULL, or why this is no file for this store. */
static const char *
check_head(const json_t *head, struct store *store)
{
	const char *kind = json_string_value(json_object_get(head, "kind"));
	const char *key = json_string_value(json_object_get(head, "key"));
	struct triplet_namer namer;
	char ours[TRIPLET_SIZE] = "";
	bool named;

	if (kind == NULL || strcmp(kind, "milter-defer records") != 0)
		return "this was not written by export";
	if (json_integer_value(json_object_get(head, "version")) >
	    RECORD_JSON_VERSION)
		return "this is of a later version";
	named = store_namer(store, &namer) == STORE_OK &&
	    triplet_fingerprint(&namer, ours);
	secret_wipe(&namer, sizeof namer);
	if (!named)
		return "out of memory";
	return key != NULL && strcmp(key, ours) == 0
	    ? NULL
	    : "this was made with another secret_file than the "
	      "configuration names";
}

static const char *
take_line(const char *line, int64_t number, struct store *store, int64_t now)
{
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	const char *kind = json_string_value(json_object_get(object, "kind"));
	const char *why = NULL;
	struct store_record record;

	if (kind == NULL) {
		why = "this is no object with a \"kind\"";
	} else if (number == 1) {
		why = check_head(object, store);
	} else if (strcmp(kind, "record") == 0) {
		why = record_from_json(object, &record);
		if (why == NULL &&
		    store_restore(store, &record, 1, now) != STORE_OK)
			why = "out of memory";
		record_clear(&record);
	}
	json_decref(object);
	return why;
}

/* Put the records of a file that export wrote into the store, as if all of it had
 * been so at `now`.  False: and that was told. */
static bool
take_records(
    struct ctl *ctl, const char *path, struct store *store, int64_t now)
{
	FILE *file = fopen(path, "r");
	const char *why = file == NULL ? strerror(errno) : NULL;
	int64_t number = 0;
	char *line = NULL;
	size_t size = 0;

	while (why == NULL && getline(&line, &size, file) > 0)
		why = take_line(line, ++number, store, now);
	if (why != NULL)
		(void)ctl_fail(
		    ctl, "%s: line %lld: %s", path, (long long)number, why);
	free(line);
	if (file != NULL)
		(void)fclose(file);
	return why == NULL;
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
	struct replay_run *run = arg;

	run->has_failed |=
	    !take_records(run->ctl, ctl_value(run->args, "known"), store, now);
	return !run->has_failed;
}

static bool
open_policies(struct replay_run *run)
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
open_log(struct replay_run *run)
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
read_list(struct replay_run *run)
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
	struct replay_run run = {.ctl = ctl, .args = args};
	enum ctl_status status = CTL_FAILED;

	/* Nobody wants what the daemon would log of it. */
	(void)log_open(LOG_TO_NOBODY, "user");
	if (replay_read_tests(&run) && read_list(&run) && open_policies(&run) &&
	    open_log(&run)) {
		if (play(&run)) {
			status = replay_tell(&run) ? CTL_NOTHING : CTL_DONE;
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

const struct ctl_command ctl_replay = {.name = "replay",
    .arguments = "[MAILLOG ...]",
    .help = "play the log of a mail server to the policy",
    .most_words = CTL_WORDS_MAX,
    .options = replay_options,
    .layouts = replay_layouts,
    .run = run_replay};
