#include "ctl/change/unused.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "config/conf.h"
#include "ctl/change/entries.h"
#include "mail/list_file.h"
#include "mail/sightings.h"
#include "store/matched.h"
#include "store/record.h"

#define DAY	   SIGHTINGS_DAY
#define FIRST	   3 /* that are named */
#define FIRST_SIZE 240
#define LIST_SIZE  256

/* One list, as far as it was gone through. */
struct walk {
	struct ctl *ctl;
	const struct unused_terms *terms;
	struct triplet_namer namer;
	int64_t now;
	char list[LIST_SIZE]; /* as it is shown */
	const char *source;
	struct store_match *matches; /* by name, each once */
	size_t match_count;
	int64_t since;	/* 0: it is not counted */
	int64_t within; /* seconds, for which it is told */
	size_t entries, unused;
	char first[FIRST_SIZE];
	bool is_cut;
};

/* One entry of it. */
struct listed {
	const char *text;
	char name[STORE_NAME_SIZE];
	int64_t until;
	unsigned line; /* of a file; else 0 */
	struct entry_note note;
};

/* ---- What matched */

/* Without all of them nothing can be told. */
static void
add_match(void *arg, const struct store_match *match)
{
	struct walk *walk = arg;

	if (array_grow(
		&walk->matches, walk->match_count, sizeof *walk->matches))
		walk->matches[walk->match_count++] = *match;
	else
		walk->is_cut = true;
}

/* Of one that came twice the later day first. */
static int
compare_matches(const void *a, const void *b)
{
	const struct store_match *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order != 0 ? order
			  : (left->day < right->day) - (left->day > right->day);
}

static int
compare_names(const void *a, const void *b)
{
	const struct store_match *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static void
sort_matches(struct walk *walk)
{
	size_t kept = 0;

	if (walk->match_count == 0)
		return;
	qsort(walk->matches, walk->match_count, sizeof *walk->matches,
	    compare_matches);
	for (size_t i = 1; i < walk->match_count; i++)
		if (compare_names(&walk->matches[i], &walk->matches[kept]) != 0)
			walk->matches[++kept] = walk->matches[i];
	walk->match_count = kept + 1;
}

/* What is older than a store keeps it is not known either. */
static enum store_result
read_matches(struct walk *walk, const char *name)
{
	int64_t oldest = walk->now - (STORE_MATCHES_LIFE - 1) * DAY;
	enum store_result result = store_read_matches(
	    walk->ctl->store, name, add_match, walk, &walk->since);

	sort_matches(walk);
	if (walk->since != 0 && walk->since < oldest)
		walk->since = oldest;
	walk->within = walk->terms->idle;
	if (walk->now - walk->since < walk->within)
		walk->within = walk->now - walk->since;
	if (walk->within < 0)
		walk->within = 0;
	return result;
}

/* The day of its last match; 0: it is not known of any. */
static int64_t
day_of(const struct walk *walk, const struct listed *listed)
{
	struct store_match wanted = {.day = 0};
	const struct store_match *match = NULL;

	memcpy(wanted.name, listed->name, sizeof wanted.name);
	if (walk->match_count > 0)
		match = bsearch(&wanted, walk->matches, walk->match_count,
		    sizeof wanted, compare_names);
	return match == NULL ? 0 : match->day;
}

/* ---- Entries */

static void
emit_unused(const struct walk *walk, const struct listed *listed, int64_t day)
{
	json_t *object = json_pack("{s:s, s:o, s:o}", "kind", "unused", "entry",
	    json_text(listed->text), "list", json_text(walk->list));

	if (listed->line != 0)
		(void)json_object_set_new(
		    object, "line", json_integer(listed->line));
	if (day != 0)
		(void)json_object_set_new(
		    object, "matched", json_integer(day * DAY));
	entries_describe(object, listed->until, &listed->note);
	(void)ctl_emit(walk->ctl, object);
}

static void
name_first(struct walk *walk, const char *text)
{
	size_t length = strlen(walk->first);

	if (walk->unused < FIRST)
		(void)snprintf(walk->first + length,
		    sizeof walk->first - length, "%s%s",
		    length == 0 ? "" : ", ", text);
	else if (walk->unused == FIRST)
		(void)snprintf(
		    walk->first + length, sizeof walk->first - length, ", ...");
}

/* A day counts to its end; what was made within the time, or in the second in which
 * that begins, could not match before.  False: that is enough. */
static bool
see(struct walk *walk, const struct listed *listed)
{
	int64_t day, from = walk->now - walk->within;

	if (walk->is_cut || walk->ctl->is_ended ||
	    (walk->terms->due_us != 0 && walk->entries % 1024 == 1023 &&
		clock_steady_us() >= walk->terms->due_us)) {
		walk->is_cut = true;
		return false;
	}
	if (listed->until <= walk->now)
		return true;
	walk->entries++;
	day = day_of(walk, listed);
	if (walk->since == 0 || listed->note.at >= from ||
	    (day != 0 && (day + 1) * DAY > from))
		return true;
	name_first(walk, listed->text);
	walk->unused++;
	if (walk->terms->shows_each)
		emit_unused(walk, listed, day);
	return true;
}

static bool
see_line(void *arg, const struct list_file_entry *entry)
{
	struct walk *walk = arg;
	struct listed listed = {
	    .text = entry->text, .until = entry->until, .line = entry->line};

	matched_name_entry(&walk->namer, entry->text, listed.name);
	return see(walk, &listed);
}

/* Other programs may have put in any spelling. */
static bool
see_shared(void *arg, const struct store_entry *entry)
{
	struct walk *walk = arg;
	struct listed listed = {.text = entry->text, .until = entry->until};
	struct list_entry read;
	char why[NETWORK_WHY_SIZE];

	if (!list_entry_read(entry->text, &read, why))
		return true;
	matched_name_entry(&walk->namer, read.text, listed.name);
	entry_note_read(entry->note, &listed.note);
	return see(walk, &listed);
}

/* ---- Lists */

static void
emit_usage(const struct walk *walk)
{
	json_t *object = json_pack("{s:s, s:o, s:s, s:I, s:b}", "kind", "usage",
	    "list", json_text(walk->list), "source", walk->source, "entries",
	    (json_int_t)walk->entries, "complete", !walk->is_cut);

	if (walk->since != 0) {
		(void)json_object_set_new(
		    object, "unused", json_integer((json_int_t)walk->unused));
		(void)json_object_set_new(
		    object, "within", json_integer(walk->within));
		(void)json_object_set_new(
		    object, "since", json_integer(walk->since));
	}
	if (walk->first[0] != '\0')
		(void)json_object_set_new(
		    object, "first", json_text(walk->first));
	(void)ctl_emit(walk->ctl, object);
}

static bool
is_wanted(const struct walk *walk, const char *list, const char *rule)
{
	const char *wanted = walk->terms->list;

	return wanted == NULL || strcmp(wanted, list) == 0 ||
	    (rule != NULL && strcmp(wanted, rule) == 0);
}

static enum store_result
begin(struct walk *walk, const char *source, const char *name)
{
	walk->source = source;
	walk->match_count = walk->entries = walk->unused = 0;
	free(walk->matches);
	walk->matches = NULL;
	walk->first[0] = '\0';
	walk->is_cut = false;
	return read_matches(walk, name);
}

static void
end(struct walk *walk, struct unused_found *found)
{
	emit_usage(walk);
	found->lists++;
	found->unused += walk->unused;
	found->is_cut |= walk->is_cut;
	found->is_brief |= walk->since == 0 || walk->within < walk->terms->idle;
}

static enum store_result
walk_source(struct walk *walk, const struct list_source *source,
    struct unused_found *found)
{
	char name[STORE_NAME_SIZE];
	enum store_result result;
	enum list_file_answer answer;

	(void)snprintf(walk->list, sizeof walk->list, "%s", source->name);
	matched_name_list(&walk->namer, source, name);
	result = begin(walk, source->shared ? "shared" : "file", name);
	if (result == STORE_OK && source->shared) {
		result = store_list_each(
		    walk->ctl->store, source->name, see_shared, walk);
	} else if (result == STORE_OK) {
		answer =
		    list_file_each(source->name, source->kinds, see_line, walk);
		if (answer != LIST_FILE_LOADED)
			ctl_warn(walk->ctl, "list %s: %s", source->name,
			    file_why(errno));
	}
	if (result == STORE_OK)
		end(walk, found);
	return result;
}

static enum store_result
walk_values(struct walk *walk, const struct rule *rule,
    const struct condition *condition, struct unused_found *found)
{
	char name[STORE_NAME_SIZE], text[CONF_WORDS_SIZE];
	struct listed listed = {.text = text, .until = LIST_FOR_EVER};
	enum store_result result;

	matched_name_values(&walk->namer, rule, condition, name);
	result = begin(walk, "rule", name);
	if (result != STORE_OK)
		return result;
	for (size_t i = 0; i < condition->count; i++) {
		conf_words_value(walk->ctl->policy, condition, i, text);
		matched_name_value(&walk->namer, condition, i, listed.name);
		(void)see(walk, &listed);
	}
	end(walk, found);
	return STORE_OK;
}

static enum store_result
walk_rule(
    struct walk *walk, const struct rule *rule, struct unused_found *found)
{
	enum store_result result = STORE_OK;

	for (size_t i = 0; i < rule->condition_count && result == STORE_OK;
	     i++) {
		const struct condition *condition = &rule->conditions[i];

		(void)snprintf(walk->list, sizeof walk->list, "%s: %s",
		    rule->name, condition_name(condition));
		if (condition->count > 0 &&
		    is_wanted(walk, walk->list, rule->name))
			result = walk_values(walk, rule, condition, found);
	}
	return result;
}

enum store_result
unused_emit(struct ctl *ctl, const struct unused_terms *terms,
    struct unused_found *found_r)
{
	struct walk walk = {.ctl = ctl, .terms = terms};
	const struct policy *policy = ctl->policy;
	enum store_result result = store_namer(ctl->store, &walk.namer);

	walk.now = store_now(ctl->store, (int64_t)time(NULL));
	*found_r = (struct unused_found){.lists = 0};
	for (size_t i = 0; i < policy->list_count && result == STORE_OK; i++)
		if (is_wanted(&walk, policy->lists[i].name, NULL))
			result = walk_source(&walk, &policy->lists[i], found_r);
	for (size_t i = 0; i < policy->rule_count && result == STORE_OK; i++)
		result = walk_rule(&walk, &policy->rules[i], found_r);
	free(walk.matches);
	secret_wipe(&walk.namer, sizeof walk.namer);
	return result;
}
