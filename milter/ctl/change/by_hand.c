/* observe, load set, levers -- what is set by hand for all mail servers. */
#include <math.h>
#include <string.h>

#include "config/conf_value.h"
#include "ctl/change/entries.h"
#include "ctl/commands.h"
#include "store/load_report.h"

#define LASTS	  INT64_C(3600) /* seconds, unless --for says otherwise */
#define NAME_SIZE 320

static void
emit_lever(struct ctl *ctl, const struct entry *entry, const char *value)
{
	json_t *object = json_pack("{s:s, s:o, s:s, s:o}", "kind", "lever",
	    "lever", json_text(entry->text), "value", value, "by",
	    json_text(entry->note.user));

	if (entry->until != LIST_FOR_EVER)
		(void)json_object_set_new(
		    object, "until", json_integer(entry->until));
	(void)ctl_emit(ctl, object);
}

static enum ctl_status
set_lever(struct ctl *ctl, const struct ctl_args *args, const char *lever,
    const char *value)
{
	struct entry entry = {.list = LEVERS_LIST, .text = lever};
	enum store_change change;
	enum ctl_status status;

	if (!entries_until(ctl, args, LASTS, &entry.until))
		return CTL_FAILED;
	entry.note = entries_note(ctl, value);
	status = entries_put(ctl, &entry, &change);
	if (status == CTL_DONE)
		emit_lever(ctl, &entry, value);
	return status;
}

static enum ctl_status
clear_lever(struct ctl *ctl, const struct ctl_args *args, const char *lever)
{
	enum store_change change;
	enum store_result result;

	if (ctl_value(args, "for") != NULL)
		return ctl_fail(ctl, "what is taken back has no time");
	result = store_list_remove(ctl->store, LEVERS_LIST, lever, &change);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	if (change == STORE_ABSENT)
		return ctl_nothing(ctl, "%s is not set", lever);
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:o, s:s}", "kind", "lever", "lever",
		json_text(lever), "value", "cleared"));
	return CTL_DONE;
}

static const struct ctl_layout layouts[] = {ENTRIES_LEVER_LAYOUT, {NULL}};

/* ---- observe */

static enum ctl_status
run_observe(struct ctl *ctl, const struct ctl_args *args)
{
	const struct policy *policy = ctl->policy;

	if (strcmp(args->words[0], "on") == 0)
		return set_lever(ctl, args, LEVERS_OBSERVE, "on");
	if (strcmp(args->words[0], "off") != 0)
		return ctl_fail(ctl, "%.60s: it is on or off", args->words[0]);
	/* a policy on trial by the lever has none itself */
	if (policy->settings.observe && policy->trial != NULL)
		ctl_warn(ctl,
		    "observe = true stands in %s: nothing is deferred anyway",
		    ctl->file);
	return clear_lever(ctl, args, LEVERS_OBSERVE);
}

static const struct ctl_option observe_options[] = {
    {"for", "DURATION", "for so long, not an hour", false}, {NULL}};

const struct ctl_command ctl_observe = {.name = "observe",
    .arguments = "[--for D] on | off",
    .help = "defer nothing for a while, only log what would be deferred",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 1,
    .most_words = 1,
    .options = observe_options,
    .layouts = layouts,
    .run = run_observe};

/* ---- load set */

static enum ctl_status
run_load(struct ctl *ctl, const struct ctl_args *args)
{
	const char *host = ctl_value(args, "host"), *text = args->words[0];
	char lever[NAME_SIZE], value[32];
	double load;

	if (host != NULL &&
	    (host[0] == '\0' || strlen(host) > 255 ||
		strchr(host, ' ') != NULL))
		return ctl_fail(ctl, "--host %.60s: no name of a server", host);
	(void)snprintf(lever, sizeof lever, LEVERS_LOAD "%s%s",
	    host == NULL ? "" : "@", host == NULL ? "" : host);
	if (strcmp(text, "clear") == 0)
		return clear_lever(ctl, args, lever);
	if (!conf_value_real(text, &load) || !load_is_sane(load))
		return ctl_fail(ctl,
		    "%.60s: a load is a number from 0 to 100, such as 0.95, "
		    "or clear",
		    text);
	(void)snprintf(value, sizeof value, "%.3f", load);
	return set_lever(ctl, args, lever, value);
}

static const struct ctl_option load_options[] = {
    {"for", "DURATION", "for so long, not an hour", false},
    {"host", "NAME", "only the load of this mail server", false}, {NULL}};

const struct ctl_command ctl_load_set = {.name = "load set",
    .arguments = "[--for D] [--host NAME] LOAD | clear",
    .help = "let this be the load for a while, whatever is measured",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 1,
    .most_words = 1,
    .options = load_options,
    .layouts = layouts,
    .run = run_load};

/* ---- levers */

struct showing {
	struct ctl *ctl;
	int64_t now;
	size_t count;
};

static bool
show_lever(void *arg, const struct store_entry *kept)
{
	struct showing *showing = arg;
	struct entry entry = {.text = kept->text, .until = kept->until};

	if (kept->until <= showing->now ||
	    strncmp(kept->text, LEVERS_FORGET "@", sizeof LEVERS_FORGET) == 0)
		return true;
	entry_note_read(kept->note, &entry.note);
	emit_lever(showing->ctl, &entry, entry.note.text);
	showing->count++;
	return true;
}

enum store_result
entries_emit_levers(struct ctl *ctl, size_t *count_r)
{
	struct showing showing = {.ctl = ctl, .now = entries_now(ctl)};
	enum store_result result =
	    store_list_each(ctl->store, LEVERS_LIST, show_lever, &showing);

	*count_r = showing.count;
	return result;
}

static enum ctl_status
run_levers(struct ctl *ctl, const struct ctl_args *args)
{
	size_t count;
	enum store_result result = entries_emit_levers(ctl, &count);

	(void)args;
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	return count > 0 ? CTL_DONE
			 : ctl_nothing(ctl, "nothing is set by hand");
}

const struct ctl_command ctl_levers = {.name = "levers",
    .arguments = "",
    .help = "show what is set by hand: observe, load set",
    .flags = CTL_STORE,
    .layouts = layouts,
    .run = run_levers};
