/* list add, remove, show, import, export -- the shared lists that rules ask. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"
#include "ctl/change/entries.h"
#include "ctl/change/unused.h"
#include "ctl/commands.h"
#include "mail/date.h"

#define LINE_SIZE     2048
#define BAD_LINES_MAX 10 /* that are told */

/* ---- list add, list remove */

static enum ctl_status
run_add(struct ctl *ctl, const struct ctl_args *args)
{
	if (!entries_name(ctl, args->words[0]))
		return CTL_FAILED;
	return entries_add_words(ctl, args->words[0], args, 1);
}

static enum ctl_status
run_remove(struct ctl *ctl, const struct ctl_args *args)
{
	if (!entries_name(ctl, args->words[0]))
		return CTL_FAILED;
	return entries_remove_words(ctl, args->words[0], args, 1);
}

static const struct ctl_option add_options[] = {
    ENTRIES_FOR, ENTRIES_NOTE, {NULL}};

const struct ctl_command ctl_list_add = {.name = "list add",
    .arguments = "[--for D] LIST ENTRY...",
    .help = "add entries to a shared list, for a while or for ever",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 2,
    .most_words = CTL_WORDS_MAX,
    .options = add_options,
    .layouts = entries_layouts,
    .run = run_add};

const struct ctl_command ctl_list_remove = {.name = "list remove",
    .arguments = "LIST ENTRY...",
    .help = "remove entries from a shared list",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 2,
    .most_words = CTL_WORDS_MAX,
    .layouts = entries_layouts,
    .run = run_remove};

/* ---- list show, list export */

struct showing {
	struct ctl *ctl;
	const char *list;
	int64_t now;
	size_t count;
	void (*show)(struct ctl *ctl, const struct entry *entry);
};

static bool
show_one(void *arg, const struct store_entry *kept)
{
	struct showing *showing = arg;
	struct entry entry = {
	    .list = showing->list, .text = kept->text, .until = kept->until};

	if (kept->until <= showing->now)
		return true;
	entry_note_read(kept->note, &entry.note);
	showing->count++;
	showing->show(showing->ctl, &entry);
	return !showing->ctl->is_ended;
}

static void
show_nothing(struct ctl *ctl, const struct entry *entry)
{
	(void)ctl;
	(void)entry;
}

static enum ctl_status
go_through(struct showing *showing)
{
	enum store_result result = store_list_each(
	    showing->ctl->store, showing->list, show_one, showing);

	return result == STORE_OK ? CTL_DONE
				  : ctl_fail_store(showing->ctl, result);
}

static bool
is_first(const struct policy *policy, size_t which)
{
	for (size_t i = 0; i < which; i++)
		if (policy->lists[i].shared &&
		    strcmp(policy->lists[i].name, policy->lists[which].name) ==
			0)
			return false;
	return true;
}

/* The lists that the policy asks for, and how long each is. */
static enum ctl_status
show_names(struct ctl *ctl)
{
	struct showing showing = {
	    .ctl = ctl, .now = entries_now(ctl), .show = show_nothing};
	enum ctl_status status = CTL_NOTHING;

	for (size_t i = 0; i < ctl->policy->list_count; i++) {
		if (!ctl->policy->lists[i].shared || !is_first(ctl->policy, i))
			continue;
		showing.list = ctl->policy->lists[i].name;
		showing.count = 0;
		status = go_through(&showing);
		if (status != CTL_DONE)
			return status;
		(void)ctl_emit(ctl,
		    json_pack("{s:s, s:s, s:I}", "kind", "list", "list",
			showing.list, "entries", (json_int_t)showing.count));
	}
	return status == CTL_DONE
	    ? status
	    : ctl_nothing(ctl, "no rule asks for a shared list");
}

static void
show_entry(struct ctl *ctl, const struct entry *entry)
{
	entries_emit(ctl, entry, NULL);
}

static enum ctl_status
show_list(struct ctl *ctl, const char *list,
    void (*show)(struct ctl *ctl, const struct entry *entry))
{
	struct showing showing = {
	    .ctl = ctl, .list = list, .now = entries_now(ctl), .show = show};
	enum ctl_status status;

	if (!entries_name(ctl, list))
		return CTL_FAILED;
	status = go_through(&showing);
	return status != CTL_DONE || showing.count > 0
	    ? status
	    : ctl_nothing(ctl, "the list %s is empty", list);
}

static enum ctl_status
show_unused(struct ctl *ctl, const struct ctl_args *args)
{
	struct unused_terms terms = {.idle = UNUSED_AFTER,
	    .list = args->word_count == 0 ? NULL : args->words[0],
	    .shows_each = true};
	struct unused_found found;
	enum store_result result;

	if (!ctl_duration(ctl, args, "idle", &terms.idle))
		return CTL_FAILED;
	result = unused_emit(ctl, &terms, &found);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	if (found.lists == 0)
		return ctl_nothing(ctl, "%s has no such list", ctl->file);
	if (found.is_brief)
		ctl_warn(
		    ctl, "it was not counted for as long yet: see since when");
	return found.unused > 0 ? CTL_DONE : CTL_NOTHING;
}

static enum ctl_status
run_show(struct ctl *ctl, const struct ctl_args *args)
{
	if (ctl_value(args, "unused") != NULL)
		return show_unused(ctl, args);
	if (ctl_value(args, "idle") != NULL)
		return ctl_fail(ctl, "--idle goes with --unused");
	return args->word_count == 0
	    ? show_names(ctl)
	    : show_list(ctl, args->words[0], show_entry);
}

static const struct ctl_option show_options[] = {
    {"unused", NULL, "only what never matched, of any list of the policy",
	false},
    {"idle", "DURATION", "of --unused: not for so long; else 7d", false},
    {NULL}};

static const struct ctl_layout show_layouts[] = {
    {"entry", true,
	{{"entry", "ENTRY", CTL_TEXT}, {"until", "ENDS", CTL_UNTIL},
	    {"by", "BY", CTL_TEXT}, {"at", "MADE", CTL_AGO},
	    {"note", "NOTE", CTL_TEXT}, {NULL}}},
    {"list", true,
	{{"list", "LIST", CTL_TEXT}, {"entries", "ENTRIES", CTL_NUMBER},
	    {NULL}}},
    {"unused", true,
	{{"entry", "UNUSED", CTL_TEXT}, {"list", "LIST", CTL_TEXT},
	    {"line", "LINE", CTL_NUMBER}, {"matched", "MATCHED", CTL_AGO},
	    {"until", "ENDS", CTL_UNTIL}, {"by", "BY", CTL_TEXT},
	    {"at", "MADE", CTL_AGO}, {"note", "NOTE", CTL_TEXT}, {NULL}}},
    UNUSED_USAGE_LAYOUT, {NULL}};

const struct ctl_command ctl_list_show = {.name = "list show",
    .arguments = "[--unused] [LIST]",
    .help = "show the entries of a shared list, or which lists there are",
    .flags = CTL_STORE,
    .most_words = 1,
    .options = show_options,
    .layouts = show_layouts,
    .run = run_show};

/* As a line of a list file, which tells the rest in its comment. */
static void
write_entry(const struct entry *entry, char line_r[LINE_SIZE])
{
	const struct entry_note *note = &entry->note;
	char until[DATE_SIZE] = "", by[96] = "", at[48] = "";

	if (entry->until != LIST_FOR_EVER)
		date_write(entry->until, until);
	if (note->user[0] != '\0')
		(void)snprintf(by, sizeof by, " by=%s", note->user);
	if (note->at > 0)
		(void)snprintf(at, sizeof at, " at=%" PRId64, note->at);
	(void)snprintf(line_r, LINE_SIZE, "%s%s%s%s%s%s%s%s", entry->text,
	    until[0] == '\0' ? "" : " until ", until,
	    by[0] == '\0' && note->text[0] == '\0' ? "" : " #", by, at,
	    note->text[0] == '\0' ? "" : " ", note->text);
}

static void
export_entry(struct ctl *ctl, const struct entry *entry)
{
	const struct entry_note *note = &entry->note;
	char line[LINE_SIZE];
	json_t *object;

	write_entry(entry, line);
	object = json_pack("{s:s, s:s, s:o, s:o}", "kind", "entry", "list",
	    entry->list, "entry", json_text(entry->text), "text",
	    json_text(line));
	if (entry->until != LIST_FOR_EVER)
		(void)json_object_set_new(
		    object, "until", json_integer(entry->until));
	(void)json_object_set_new(object, "by", json_text(note->user));
	(void)json_object_set_new(object, "at", json_integer(note->at));
	(void)json_object_set_new(object, "note", json_text(note->text));
	(void)ctl_emit(ctl, object);
}

static enum ctl_status
run_export(struct ctl *ctl, const struct ctl_args *args)
{
	return show_list(ctl, args->words[0], export_entry);
}

const struct ctl_command ctl_list_export = {.name = "list export",
    .arguments = "LIST",
    .help = "print a shared list, for list import or as a list file",
    .flags = CTL_STORE,
    .least_words = 1,
    .most_words = 1,
    .run = run_export};

/* ---- list import */

/* Take a word such as "by=anne" off the front of a comment; NULL: it is another. */
static const char *
take_word(const char **rest, const char *name, char *value_r, size_t size)
{
	size_t length = strlen(name), end;

	while (**rest == ' ' || **rest == '\t')
		(*rest)++;
	if (strncmp(*rest, name, length) != 0)
		return NULL;
	*rest += length;
	end = strcspn(*rest, " \t");
	(void)snprintf(value_r, size, "%.*s", (int)end, *rest);
	*rest += end;
	return value_r;
}

static void
read_comment(const char *comment, struct entry *entry)
{
	char value[64];

	if (take_word(&comment, "by=", value, sizeof value) != NULL) {
		strcpy(entry->note.user, value);
		entry->note.at = 0;
	}
	if (take_word(&comment, "at=", value, sizeof value) != NULL)
		entry->note.at = decimal_scan(value, NULL);
	while (*comment == ' ' || *comment == '\t')
		comment++;
	if (*comment != '\0')
		(void)snprintf(
		    entry->note.text, sizeof entry->note.text, "%s", comment);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "ENTRY until MOMENT", as a list file has it; NULL, or what is wrong. */
static const char *
read_end(char *text, struct entry *entry)
{
	char *rest = text + strcspn(text, " \t"), *moment;

	if (*rest == '\0')
		return NULL;
	*rest++ = '\0';
	rest += strspn(rest, " \t");
	if (strncmp(rest, "until", 5) != 0 || !is_blank(rest[5]))
		return "more than one word";
	moment = rest + 5 + strspn(rest + 5, " \t");
	return date_parse(moment, &entry->until)
	    ? NULL
	    : "until what?  Write it as 2026-12-31T23:59Z or 2026-12-31";
}

/* A line of a list file; NULL, or what is wrong.  The entry's text points into it;
 * "": there is none. */
static const char *
read_line(char *line, struct entry *entry)
{
	const char *comment = NULL, *wrong;
	size_t end = 0;

	while (is_blank(*line))
		line++;
	while (line[end] != '\0' &&
	    !(line[end] == '#' && (end == 0 || is_blank(line[end - 1]))))
		end++;
	if (line[end] == '#')
		comment = line + end + 1;
	while (end > 0 && is_blank(line[end - 1]))
		end--;
	line[end] = '\0';
	entry->text = line;
	wrong = read_end(line, entry);
	if (comment != NULL)
		read_comment(comment, entry);
	return wrong;
}

/* An object as list export emits it with --json; NULL, or what is wrong. */
static const char *
read_object(char *line, struct entry *entry)
{
	json_t *object = json_loads(line, 0, NULL), *value;
	const char *text = json_string_value(json_object_get(object, "entry"));

	if (text == NULL || strlen(text) >= LIST_ENTRY_SIZE) {
		json_decref(object);
		return "no object with an entry";
	}
	value = json_object_get(object, "until");
	if (json_is_integer(value))
		entry->until = json_integer_value(value);
	value = json_object_get(object, "by");
	if (json_string_length(value) > 0) {
		(void)snprintf(entry->note.user, sizeof entry->note.user, "%s",
		    json_string_value(value));
		entry->note.at =
		    json_integer_value(json_object_get(object, "at"));
	}
	value = json_object_get(object, "note");
	if (json_string_length(value) > 0)
		(void)snprintf(entry->note.text, sizeof entry->note.text, "%s",
		    json_string_value(value));
	strcpy(line, text); /* an object is longer than what is in it */
	entry->text = line;
	json_decref(object);
	return NULL;
}

struct importing {
	struct ctl *ctl;
	const char *list;
	int64_t now;
	int64_t until; /* where a line says nothing */
	struct entry_note note;
	int64_t line, added, renewed, over, bad;
};

static void
complain(struct importing *importing, const char *why)
{
	if (importing->bad++ < BAD_LINES_MAX)
		ctl_warn(importing->ctl, "line %" PRId64 ": %s",
		    importing->line, why);
}

static enum ctl_status
import_line(struct importing *importing, char *line)
{
	struct entry entry = {.list = importing->list,
	    .until = importing->until,
	    .note = importing->note};
	struct list_entry read;
	char why[NETWORK_WHY_SIZE];
	enum store_change change;
	const char *wrong = NULL;

	importing->line++;
	if (line[0] == '{')
		wrong = read_object(line, &entry);
	else
		wrong = read_line(line, &entry);
	if (wrong == NULL && entry.text[0] == '\0')
		return CTL_DONE;
	if (wrong == NULL && !list_entry_read(entry.text, &read, why))
		wrong = why;
	if (wrong != NULL) {
		complain(importing, wrong);
		return CTL_DONE;
	}
	if (entry.until <= importing->now) {
		importing->over++;
		return CTL_DONE;
	}
	entry.text = read.text;
	if (entries_put(importing->ctl, &entry, &change) != CTL_DONE)
		return CTL_FAILED;
	*(change == STORE_ADDED ? &importing->added : &importing->renewed) += 1;
	return CTL_DONE;
}

static enum ctl_status
run_import(struct ctl *ctl, const struct ctl_args *args)
{
	struct importing importing = {.ctl = ctl, .list = args->words[0]};
	enum ctl_status status = CTL_DONE;
	char line[LINE_SIZE];

	if (!entries_name(ctl, importing.list) ||
	    !entries_until(ctl, args, 0, &importing.until))
		return CTL_FAILED;
	importing.now = entries_now(ctl);
	importing.note = entries_note(ctl, ctl_value(args, "note"));
	while (status == CTL_DONE && ctl_line(ctl, line, sizeof line))
		status = import_line(&importing, line);
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "kind", "imported",
		"list", importing.list, "added", (json_int_t)importing.added,
		"renewed", (json_int_t)importing.renewed, "over",
		(json_int_t)importing.over, "bad", (json_int_t)importing.bad));
	if (status == CTL_DONE && importing.bad > 0)
		return ctl_fail(
		    ctl, "%" PRId64 " lines are no entries", importing.bad);
	return status;
}

/* The file, or standard input. */
static bool
feed_import(const struct ctl_args *args, FILE *out)
{
	const char *path = args->word_count > 1 ? args->words[1] : "-";
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char buffer[4096];
	size_t got = 0;

	while (in != NULL && (got = fread(buffer, 1, sizeof buffer, in)) > 0)
		if (fwrite(buffer, 1, got, out) != got)
			break;
	if (in == NULL || ferror(in)) {
		(void)fprintf(
		    stderr, "milter-deferctl: %s: %s\n", path, strerror(errno));
		got = 1;
	}
	if (in != NULL && in != stdin)
		(void)fclose(in);
	return got == 0;
}

const struct ctl_command ctl_list_import = {.name = "list import",
    .arguments = "[--for D] LIST [FILE]",
    .help = "add what list export printed, or a list file",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 1,
    .most_words = 2,
    .options = add_options,
    .run = run_import,
    .feed = feed_import};
