#include "ctl/change/entries.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"

#define LIST_NAME_MAX 64
#define UNTIL_MAX     INT64_C(1000000000000) /* more is no time */

const struct ctl_layout entries_layouts[] = {
    {"entry", true,
	{{"change", "", CTL_TEXT}, {"entry", "ENTRY", CTL_TEXT},
	    {"list", "LIST", CTL_TEXT}, {"until", "ENDS", CTL_UNTIL},
	    {"by", "BY", CTL_TEXT}, {"at", "MADE", CTL_AGO},
	    {"note", "NOTE", CTL_TEXT}, {NULL}}},
    {NULL}};

static bool
see_nothing(void *arg, const struct store_entry *entry)
{
	(void)arg;
	(void)entry;
	return false;
}

/* Until it was asked for something, a store may not know the time. */
int64_t
entries_now(struct ctl *ctl)
{
	(void)store_list_each(ctl->store, LEVERS_LIST, see_nothing, NULL);
	return store_now(ctl->store, (int64_t)time(NULL));
}

bool
entries_until(struct ctl *ctl, const struct ctl_args *args, int64_t otherwise,
    int64_t *until_r)
{
	int64_t seconds = otherwise;

	if (!ctl_duration(ctl, args, "for", &seconds))
		return false;
	if (ctl_value(args, "for") != NULL && seconds <= 0) {
		(void)ctl_fail(ctl, "--for %s: that is over at once",
		    ctl_value(args, "for"));
		return false;
	}
	*until_r = LIST_FOR_EVER;
	if (seconds > 0 && seconds < UNTIL_MAX)
		*until_r = entries_now(ctl) + seconds;
	return true;
}

bool
entries_name(struct ctl *ctl, const char *list)
{
	size_t length = strlen(list);

	for (size_t i = 0; i < length; i++)
		if (!ascii_is_alnum(list[i]) && strchr("._-", list[i]) == NULL)
			length = 0;
	if (length > 0 && length <= LIST_NAME_MAX && list[0] != '.')
		return true;
	(void)ctl_fail(ctl,
	    "%.80s: the name of a list has letters, digits and . _ - (not "
	    "first), and at most %d of them",
	    list, LIST_NAME_MAX);
	return false;
}

struct entry_note
entries_note(const struct ctl *ctl, const char *text)
{
	struct entry_note note = {
	    .at = store_now(ctl->store, (int64_t)time(NULL))};

	(void)snprintf(note.user, sizeof note.user, "%s", ctl->user);
	if (text != NULL)
		(void)snprintf(note.text, sizeof note.text, "%s", text);
	return note;
}

/* ---- How the policy uses a list */

/* Whether a condition goes by this list: by its name. */
static bool
is_of_list(const struct policy *policy, const struct condition *condition,
    const char *list)
{
	return condition->type->kind == VALUE_SHARED &&
	    strcmp(policy->lists[condition->number].name, list) == 0;
}

static const struct condition *
condition_of(
    const struct policy *policy, const struct rule *rule, const char *list)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (is_of_list(policy, &rule->conditions[i], list))
			return &rule->conditions[i];
	return NULL;
}

/* Whether all of a network is accepted by a rule for nothing but its address. */
static bool
accepts_network(const struct rule *rule, const struct network *network)
{
	const struct condition *condition = &rule->conditions[0];

	if (rule->verdict != RULE_ACCEPT || rule->observe ||
	    rule->condition_count != 1 ||
	    condition->type->kind != VALUE_NETWORKS)
		return false;
	for (size_t i = 0; i < condition->count; i++)
		if (condition->networks[i].bits <= network->bits &&
		    network_contains(&condition->networks[i], &network->base))
			return true;
	return false;
}

static void
warn_of_rules_above(
    struct ctl *ctl, const struct rule *rule, const struct list_entry *entry)
{
	const struct rule *rules = ctl->policy->rules;

	if (entry->kind != LIST_NETWORK)
		return;
	for (size_t i = 0; i < rule->index; i++)
		if (accepts_network(&rules[i], &entry->network)) {
			ctl_warn(ctl,
			    "%s: rule \"%s\" accepts this client before rule "
			    "\"%s\" is asked",
			    entry->text, rules[i].name, rule->name);
			return;
		}
}

/* True if such an entry may hold in this condition. */
static bool
can_match(const struct condition *condition, const struct list_entry *entry)
{
	return (condition->type->entries & (unsigned)entry->kind) != 0;
}

static void
warn_of_width(struct ctl *ctl, const struct list_entry *entry)
{
	unsigned wide = entry->network.base.length == 4 ? 8 : 16;

	if (entry->kind == LIST_NETWORK && entry->network.bits < wide)
		ctl_warn(ctl, "%s: that is a large part of the Internet",
		    entry->text);
	if (entry->kind == LIST_DOMAIN && strchr(entry->text, '.') == NULL)
		ctl_warn(
		    ctl, "%s: that is all of a top-level domain", entry->text);
}

static void
warn_of_use(struct ctl *ctl, const char *list, const struct list_entry *entry)
{
	const struct policy *policy = ctl->policy;
	bool is_used = false, matches = false, acts = false;

	warn_of_width(ctl, entry);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];
		const struct condition *condition =
		    condition_of(policy, rule, list);

		if (condition == NULL)
			continue;
		is_used = true;
		matches |= can_match(condition, entry);
		acts |= !rule->observe;
		if (can_match(condition, entry))
			warn_of_rules_above(ctl, rule, entry);
		if (rule->verdict == RULE_ACCEPT && entry->kind == LIST_ADDRESS)
			ctl_warn(ctl,
			    "%s: a sender is easily forged, and whoever says "
			    "that he is this one passes",
			    entry->text);
	}
	if (!is_used)
		ctl_warn(ctl,
		    "no rule asks for the list %s (listed = \"%s\"): it "
		    "has no effect",
		    list, list);
	else if (!matches)
		ctl_warn(ctl,
		    "%s: no rule that asks for the list %s looks for such: it "
		    "never matches",
		    entry->text, list);
	else if (!acts)
		ctl_warn(ctl, "the rules that ask for the list %s only observe",
		    list);
}

/* ---- Changes */

void
entries_describe(json_t *object, int64_t until, const struct entry_note *note)
{
	if (until != LIST_FOR_EVER)
		(void)json_object_set_new(object, "until", json_integer(until));
	if (note->user[0] != '\0')
		(void)json_object_set_new(object, "by", json_text(note->user));
	if (note->at > 0)
		(void)json_object_set_new(object, "at", json_integer(note->at));
	if (note->text[0] != '\0')
		(void)json_object_set_new(
		    object, "note", json_text(note->text));
}

void
entries_emit(struct ctl *ctl, const struct entry *entry, const char *change)
{
	json_t *object = json_pack("{s:s, s:o, s:s}", "kind", "entry", "entry",
	    json_text(entry->text), "list", entry->list);

	if (change != NULL)
		(void)json_object_set_new(
		    object, "change", json_string(change));
	entries_describe(object, entry->until, &entry->note);
	(void)ctl_emit(ctl, object);
}

enum ctl_status
entries_put(
    struct ctl *ctl, const struct entry *entry, enum store_change *change_r)
{
	char note[STORE_NOTE_SIZE];
	struct store_entry kept = {entry->text, entry->until, note};
	enum store_result result;

	entry_note_write(&entry->note, note);
	result = store_list_add(ctl->store, entry->list, &kept, change_r);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	if (*change_r == STORE_FULL)
		return ctl_fail(ctl, "%.200s: the list %s is full", entry->text,
		    entry->list);
	return CTL_DONE;
}

static enum ctl_status
worse(enum ctl_status one, enum ctl_status other)
{
	return one > other ? one : other;
}

static enum ctl_status
add_word(struct ctl *ctl, const struct entry *entry)
{
	enum store_change change = STORE_FULL;
	enum ctl_status status = entries_put(ctl, entry, &change);

	if (status == CTL_DONE)
		entries_emit(
		    ctl, entry, change == STORE_ADDED ? "added" : "renewed");
	return status;
}

enum ctl_status
entries_add_words(struct ctl *ctl, const char *list,
    const struct ctl_args *args, size_t first)
{
	struct entry entry = {.list = list};
	enum ctl_status status = CTL_DONE;
	struct list_entry read;
	char why[NETWORK_WHY_SIZE];

	if (!entries_until(ctl, args, 0, &entry.until))
		return CTL_FAILED;
	for (size_t i = first; i < args->word_count; i++)
		if (!list_entry_read(args->words[i], &read, why))
			return ctl_fail(ctl, "%.200s: %s", args->words[i], why);
	entry.note = entries_note(ctl, ctl_value(args, "note"));
	entry.text = read.text;
	for (size_t i = first; i < args->word_count; i++) {
		(void)list_entry_read(args->words[i], &read, why);
		warn_of_use(ctl, list, &read);
		status = worse(status, add_word(ctl, &entry));
	}
	return status;
}

/* As it is written: other programs may have put in any spelling. */
static enum store_result
remove_spelled(struct ctl *ctl, const char *list, const char *text,
    const char *spelled, enum store_change *change_r)
{
	enum store_result result =
	    store_list_remove(ctl->store, list, text, change_r);

	if (result == STORE_OK && *change_r == STORE_ABSENT &&
	    strcmp(text, spelled) != 0 && strlen(spelled) < LIST_ENTRY_SIZE)
		result = store_list_remove(ctl->store, list, spelled, change_r);
	return result;
}

static enum ctl_status
remove_word(struct ctl *ctl, const char *list, const char *text)
{
	struct list_entry read;
	char why[NETWORK_WHY_SIZE];
	struct entry shown = {
	    .list = list, .text = text, .until = LIST_FOR_EVER};
	enum store_change change;
	enum store_result result;

	if (list_entry_read(text, &read, why))
		shown.text = read.text;
	result = remove_spelled(ctl, list, shown.text, text, &change);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	if (change == STORE_ABSENT)
		return ctl_nothing(
		    ctl, "%.200s: is not in the list %s", text, list);
	entries_emit(ctl, &shown, "removed");
	return CTL_DONE;
}

enum ctl_status
entries_remove_words(struct ctl *ctl, const char *list,
    const struct ctl_args *args, size_t first)
{
	enum ctl_status status = CTL_DONE;

	for (size_t i = first; i < args->word_count; i++)
		status = worse(status, remove_word(ctl, list, args->words[i]));
	return status;
}
