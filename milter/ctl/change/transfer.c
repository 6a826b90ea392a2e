/* export, import, secret -- what is remembered, out of one store and into another.
 *
 * Lines of JSON: first one that tells what follows, then the records, then how many
 * there were.  To take over twice what was taken over once changes nothing, so
 * whatever broke off is just begun again. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "ctl/commands.h"
#include "transfer/foreign.h"
#include "transfer/record_json.h"

#define TELL_EVERY INT64_C(500000) /* microseconds */
#define BAD_TOLD   10		   /* lines that are told one by one */

static int64_t
now_of(const struct ctl *ctl)
{
	return store_now(ctl->store, (int64_t)time(NULL));
}

/* How far it is, twice a second. */
struct progress {
	int64_t told_us;
	int64_t records;
};

static void
tell_progress(struct ctl *ctl, struct progress *progress)
{
	int64_t now_us = clock_steady_us();

	if (now_us - progress->told_us < TELL_EVERY)
		return;
	progress->told_us = now_us;
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:I}", "kind", "progress", "records",
		(json_int_t)progress->records));
}

/* The names of records are made with its key, which is the caller's to wipe. */
static enum store_result
ask_namer(struct ctl *ctl, struct triplet_namer *namer_r)
{
	enum store_result result;
	int tries = 0;

	do
		result = store_namer(ctl->store, namer_r);
	while (ctl_try_again(ctl, result, &tries));
	return result;
}

/* ---- export */

struct outgoing {
	struct ctl *ctl;
	struct progress progress;
};

static void
put_record(void *arg, const struct store_record *record)
{
	struct outgoing *outgoing = arg;
	size_t first = 0;

	do {
		(void)ctl_emit(outgoing->ctl, record_to_json(record, first));
		first += RECORD_JSON_CLOCKS;
	} while (first < record->clock_count);
	outgoing->progress.records++;
}

static enum ctl_status
put_head(struct ctl *ctl)
{
	struct triplet_namer namer;
	char fingerprint[TRIPLET_SIZE];
	enum store_result result = ask_namer(ctl, &namer);
	bool named;

	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	named = triplet_fingerprint(&namer, fingerprint);
	secret_wipe(&namer, sizeof namer);
	if (!named)
		return ctl_fail(ctl, "out of memory");
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:i, s:s, s:I}", "kind", "milter-defer records",
		"version", RECORD_JSON_VERSION, "key", fingerprint, "at",
		(json_int_t)now_of(ctl)));
	return CTL_DONE;
}

static enum ctl_status
run_export(struct ctl *ctl, const struct ctl_args *args)
{
	struct outgoing outgoing = {.ctl = ctl};
	enum ctl_status status = put_head(ctl);
	struct store_walk walk = {0};
	enum store_result result;

	(void)args;
	if (status != CTL_DONE)
		return status;
	while (!walk.is_done && !ctl->is_ended) {
		result = ctl_walk(ctl, &walk, put_record, &outgoing);
		if (result != STORE_OK)
			return ctl_fail_store(ctl, result);
		tell_progress(ctl, &outgoing.progress);
	}
	if (!walk.is_done)
		return CTL_FAILED;
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:I}", "kind", "total", "records",
		(json_int_t)outgoing.progress.records));
	return CTL_DONE;
}

static const struct ctl_option export_options[] = {
    {"progress", NULL, "tell how far it is, also where there is no terminal",
	false},
    {NULL, NULL, NULL, false}};

const struct ctl_command ctl_export = {.name = "export",
    .arguments = "",
    .help = "write all that is remembered of clients, as lines of JSON",
    .flags = CTL_STORE | CTL_DATA,
    .options = export_options,
    .run = run_export};

/* ---- import */

/* What kind of lines these are. */
enum content { CONTENT_NONE, CONTENT_RECORDS, CONTENT_CLIENTS };

struct incoming {
	struct ctl *ctl;
	bool clients_only;
	bool dry_run;
	const char *list; /* where addresses of whitelists go, or NULL */
	enum content content;
	int64_t at; /* when the points were as they stand there */
	bool same_key;
	bool has_end;
	bool failed;
	int64_t line;
	int64_t records;
	int64_t bad;
	int64_t ended; /* were of no use any more */
	int64_t listed;
	int64_t others; /* lines that name what no store holds */
	struct triplet_namer namer;
	struct progress progress;
	struct store_record batch[STORE_RESTORE_MOST];
	size_t count;
	int64_t began_us;
};

static void
clear_batch(struct incoming *incoming)
{
	for (size_t i = 0; i < incoming->count; i++)
		record_clear(&incoming->batch[i]);
	incoming->count = 0;
}

/* Hand over what has gathered. */
static void
flush(struct incoming *incoming)
{
	struct ctl *ctl = incoming->ctl;
	enum store_result result = STORE_OK;
	int tries = 0;

	if (incoming->count > 0 && !incoming->dry_run && !incoming->failed)
		do
			result = store_restore(ctl->store, incoming->batch,
			    incoming->count, (int64_t)time(NULL));
		while (ctl_try_again(ctl, result, &tries));
	if (result != STORE_OK) {
		incoming->failed = true;
		(void)ctl_fail_store(ctl, result);
	}
	incoming->progress.records += (int64_t)incoming->count;
	clear_batch(incoming);
	tell_progress(ctl, &incoming->progress);
	if (!ctl_rest(ctl, incoming->began_us))
		incoming->failed = true;
	incoming->began_us = clock_steady_us();
}

/* Leave out what is of no use with another key. */
static void
strip(struct store_record *record)
{
	size_t trusts = 0, clocks = 0;

	for (size_t i = 0; i < record->trust_count; i++)
		if (record->trusts[i].address[0] == '\0')
			record->trusts[trusts++] = record->trusts[i];
	for (size_t i = 0; i < record->clock_count; i++)
		if (record->clocks[i].address[0] == '\0' &&
		    record->clocks[i].pair[0] == '\0')
			record->clocks[clocks++] = record->clocks[i];
	record->trust_count = trusts;
	record->clock_count = clocks;
}

/* The record becomes the batch's. */
static void
gather(void *arg, struct store_record *record)
{
	struct incoming *incoming = arg;

	if (record->expires <= now_of(incoming->ctl)) {
		incoming->ended++;
		return;
	}
	incoming->batch[incoming->count++] = *record;
	*record = (struct store_record){0};
	incoming->records++;
	if (incoming->count == STORE_RESTORE_MOST)
		flush(incoming);
}

static void
fade(struct record_points *points, double left)
{
	points->good *= left;
	points->bad *= left;
}

/* Let points fade for so many seconds. */
static void
fade_all(struct store_record *record, int64_t half_life, int64_t age)
{
	double left = age <= 0 ? 1 : exp2(-(double)age / (double)half_life);

	fade(&record->points, left);
	for (size_t i = 0; i < record->host_count; i++)
		fade(&record->hosts[i].points, left);
}

static const char *
take_record(struct incoming *incoming, const json_t *object)
{
	const struct settings *settings = &incoming->ctl->policy->settings;
	struct store_record record;
	const char *wrong = record_from_json(object, &record);

	if (wrong == NULL) {
		fade_all(&record, settings->reputation.half_life,
		    now_of(incoming->ctl) - incoming->at);
		if (!incoming->same_key || incoming->clients_only)
			strip(&record);
		gather(incoming, &record);
	}
	record_clear(&record);
	return wrong;
}

static const char *
take_client(struct incoming *incoming, const json_t *object)
{
	const struct client_json terms = {
	    .settings = &incoming->ctl->policy->settings,
	    .namer = &incoming->namer,
	    .now = now_of(incoming->ctl),
	    .each = gather,
	    .arg = incoming};

	return client_from_json(&terms, object);
}

/* False: and that was told. */
static bool
check_key(struct incoming *incoming, const json_t *head)
{
	const char *theirs = json_string_value(json_object_get(head, "key"));
	char ours[TRIPLET_SIZE] = "";

	(void)triplet_fingerprint(&incoming->namer, ours);
	incoming->same_key = theirs != NULL && strcmp(theirs, ours) == 0;
	if (incoming->same_key || incoming->clients_only)
		return true;
	(void)ctl_fail(incoming->ctl,
	    "these records were made with another secret_file (%.20s, here it "
	    "is %s): of no use are all pairs and the trust of single "
	    "addresses; --clients-only takes the rest",
	    theirs == NULL ? "none" : theirs, ours);
	return false;
}

/* The first line.  False: and that was told. */
static bool
take_head(struct incoming *incoming, const json_t *object, const char *kind)
{
	int64_t version =
	    json_integer_value(json_object_get(object, "version"));

	if (strcmp(kind, "milter-defer records") == 0) {
		incoming->content = CONTENT_RECORDS;
	} else if (strcmp(kind, "milter-defer clients") == 0) {
		incoming->content = CONTENT_CLIENTS;
	} else {
		(void)ctl_fail(incoming->ctl,
		    "the first line does not tell of records: this was not "
		    "written by export; see --from");
		return false;
	}
	if (version < 1 || version > RECORD_JSON_VERSION) {
		(void)ctl_fail(incoming->ctl,
		    "this is of version %" PRId64
		    ", and this milter-deferctl reads up to %d",
		    version, RECORD_JSON_VERSION);
		return false;
	}
	incoming->at = json_integer_value(json_object_get(object, "at"));
	return incoming->content == CONTENT_CLIENTS ||
	    check_key(incoming, object);
}

static void
note_bad(struct incoming *incoming, const char *why)
{
	if (++incoming->bad <= BAD_TOLD)
		ctl_warn(
		    incoming->ctl, "line %" PRId64 ": %s", incoming->line, why);
}

/* What the tool could not put into a store is shown again. */
static void
take_other(struct incoming *incoming, json_t *object)
{
	incoming->others++;
	(void)ctl_emit(incoming->ctl, json_incref(object));
}

/* False: it is left to the postmaster. */
static bool
take_listed(struct incoming *incoming, const json_t *object)
{
	const struct store_entry entry = {
	    .text = json_string_value(json_object_get(object, "text")),
	    .until = LIST_FOR_EVER,
	    .note = "imported"};
	enum store_change change = STORE_FULL;
	enum store_result result;
	int tries = 0;

	if (incoming->list == NULL || entry.text == NULL)
		return false;
	if (incoming->dry_run)
		return true;
	do
		result = store_list_add(
		    incoming->ctl->store, incoming->list, &entry, &change);
	while (ctl_try_again(incoming->ctl, result, &tries));
	return result == STORE_OK &&
	    (change == STORE_ADDED || change == STORE_RENEWED);
}

static void
take_object(struct incoming *incoming, json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));
	const char *wrong = NULL;

	if (kind == NULL)
		wrong = "this is no object with a \"kind\"";
	else if (incoming->content == CONTENT_NONE ||
	    strncmp(kind, "milter-defer ", 13) == 0)
		incoming->failed = !take_head(incoming, object, kind);
	else if (strcmp(kind, "total") == 0)
		incoming->has_end = true;
	else if (strcmp(kind, "listed") == 0 && take_listed(incoming, object))
		incoming->listed++;
	else if (strcmp(kind, "left") == 0 || strcmp(kind, "listed") == 0)
		take_other(incoming, object);
	else if (strcmp(kind, "record") == 0 &&
	    incoming->content == CONTENT_RECORDS)
		wrong = take_record(incoming, object);
	else if (strcmp(kind, "client") == 0 &&
	    incoming->content == CONTENT_CLIENTS)
		wrong = take_client(incoming, object);
	if (wrong != NULL)
		note_bad(incoming, wrong);
}

static void
take_lines(struct incoming *incoming)
{
	char *line = malloc(RECORD_JSON_LINE);

	if (line == NULL)
		incoming->failed = true;
	while (!incoming->failed && !incoming->ctl->is_ended &&
	    ctl_line(incoming->ctl, line, RECORD_JSON_LINE)) {
		json_t *object;

		incoming->line++;
		if (line[0] == '\0')
			continue;
		object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (object != NULL)
			take_object(incoming, object);
		else if (incoming->content == CONTENT_NONE)
			incoming->failed = !take_head(incoming, NULL, "");
		else
			note_bad(incoming, "this is no JSON");
		json_decref(object);
	}
	free(line);
}

static enum ctl_status
finish(struct incoming *incoming)
{
	struct ctl *ctl = incoming->ctl;

	flush(incoming);
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "kind", "imported",
		"records", (json_int_t)incoming->records, "ended",
		(json_int_t)incoming->ended, "listed",
		(json_int_t)incoming->listed, "left",
		(json_int_t)incoming->others, "bad",
		(json_int_t)incoming->bad));
	if (incoming->failed)
		return CTL_FAILED;
	if (incoming->content == CONTENT_NONE)
		return ctl_fail(ctl, "there is nothing to read");
	if (!incoming->has_end)
		return ctl_fail(ctl,
		    "it is cut off; what came was taken over, and may be "
		    "again");
	if (incoming->bad > 0)
		return ctl_fail(
		    ctl, "%" PRId64 " lines could not be read", incoming->bad);
	if (incoming->content == CONTENT_CLIENTS && incoming->records == 0 &&
	    incoming->ended == 0 && incoming->listed == 0 &&
	    incoming->others == 0) {
		ctl_warn(ctl, "nothing was found in it: is it the right file?");
		return CTL_NOTHING;
	}
	return CTL_DONE;
}

static enum ctl_status
run_import(struct ctl *ctl, const struct ctl_args *args)
{
	struct incoming *incoming = calloc(1, sizeof *incoming);
	enum store_result result;
	enum ctl_status status;

	if (incoming == NULL)
		return ctl_fail(ctl, "out of memory");
	incoming->ctl = ctl;
	incoming->clients_only = ctl_value(args, "clients-only") != NULL;
	incoming->dry_run = ctl_value(args, "dry-run") != NULL;
	incoming->list = ctl_value(args, "list");
	incoming->began_us = clock_steady_us();
	result = ask_namer(ctl, &incoming->namer);
	if (result == STORE_OK) {
		take_lines(incoming);
		status = finish(incoming);
	} else {
		status = ctl_fail_store(ctl, result);
	}
	clear_batch(incoming);
	secret_wipe(&incoming->namer, sizeof incoming->namer);
	free(incoming);
	return status;
}

static bool
feed_import(const struct ctl_args *args, FILE *out)
{
	const struct foreign_source source = {
	    .program = ctl_value(args, "from"),
	    .whitelisted_after = ctl_value(args, "auto-whitelist"),
	    .paths = args->words,
	    .count = args->word_count};

	return foreign_feed(&source, out);
}

static const struct ctl_option import_options[] = {
    {"from", "PROGRAM", "postgrey, sqlgrey or milter-greylist: their files",
	false},
    {"auto-whitelist", "N",
	"deliveries after which that program let a client in (1)", false},
    {"list", "NAME", "the shared list for networks of its whitelists", false},
    {"clients-only", NULL, "leave out what needs the same secret_file", false},
    {"dry-run", NULL, "read everything and change nothing", false},
    {"progress", NULL, "tell how far it is, also where there is no terminal",
	false},
    {NULL, NULL, NULL, false}};

static const struct ctl_layout import_layouts[] = {
    {"imported", false,
	{{"records", "records taken over", CTL_NUMBER},
	    {"ended", "of no use any more", CTL_NUMBER},
	    {"listed", "put into the list", CTL_NUMBER},
	    {"left", "left to you", CTL_NUMBER},
	    {"bad", "bad lines", CTL_NUMBER}, {NULL, NULL, CTL_TEXT}}},
    {"left", true,
	{{"what", "LEFT TO YOU", CTL_TEXT}, {"text", "ENTRY", CTL_TEXT},
	    {"why", "WHY", CTL_TEXT}, {NULL, NULL, CTL_TEXT}}},
    {NULL, false, {{NULL, NULL, CTL_TEXT}}}};

const struct ctl_command ctl_import = {.name = "import",
    .arguments = "[FILE ...]",
    .help = "take over what export wrote, or what another program knew",
    .flags = CTL_STORE | CTL_CHANGES,
    .most_words = CTL_WORDS_MAX,
    .options = import_options,
    .layouts = import_layouts,
    .run = run_import,
    .feed = feed_import};

/* ---- secret */

static enum ctl_status
run_secret(struct ctl *ctl, const struct ctl_args *args)
{
	struct triplet_namer namer;
	char text[TRIPLET_KEY_TEXT];
	enum store_result result = ask_namer(ctl, &namer);

	(void)args;
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	triplet_key_write(namer.key, text);
	(void)ctl_emit(
	    ctl, json_pack("{s:s, s:s}", "kind", "secret", "text", text));
	secret_wipe(text, sizeof text);
	secret_wipe(&namer, sizeof namer);
	return CTL_DONE;
}

const struct ctl_command ctl_secret = {.name = "secret",
    .arguments = "",
    .help = "print the key of what is remembered, as a line for secret_file",
    .flags = CTL_STORE | CTL_CHANGES,
    .run = run_secret};
