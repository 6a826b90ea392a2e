#include "store/matched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "mail/sightings.h"
#include "store/record.h"

#define PUTS	   16 /* to the store, at once */
#define VALUE_SIZE 1024
#define KIND_LIST  'L'
#define KIND_ENTRY 'E'

/* ---- Names */

void
matched_name_list(const struct triplet_namer *namer,
    const struct list_source *source, char name_r[STORE_NAME_SIZE])
{
	char text[VALUE_SIZE];

	_Static_assert(TRIPLET_SIZE <= STORE_NAME_SIZE, "a name has no room");
	(void)snprintf(text, sizeof text, "%s\n%s",
	    source->shared ? "shared" : "file", source->name);
	triplet_mark(namer, KIND_LIST, text, name_r);
}

void
matched_name_values(const struct triplet_namer *namer, const struct rule *rule,
    const struct condition *condition, char name_r[STORE_NAME_SIZE])
{
	char text[VALUE_SIZE];

	(void)snprintf(text, sizeof text, "rule\n%s\n%s", rule->name,
	    condition_name(condition));
	triplet_mark(namer, KIND_LIST, text, name_r);
}

void
matched_name_entry(const struct triplet_namer *namer, const char *text,
    char name_r[STORE_NAME_SIZE])
{
	triplet_mark(namer, KIND_ENTRY, text, name_r);
}

void
matched_name_value(const struct triplet_namer *namer,
    const struct condition *condition, size_t index,
    char name_r[STORE_NAME_SIZE])
{
	char text[VALUE_SIZE] = "";
	const struct hours *hours;

	switch (condition->type->kind) {
	case VALUE_NETWORKS:
		network_format(&condition->networks[index], text);
		break;
	case VALUE_GLOBS:
		(void)snprintf(
		    text, sizeof text, "%s", condition->globs[index]);
		break;
	case VALUE_HEADERS:
		(void)snprintf(text, sizeof text, "%s: %s",
		    condition->headers[index].name,
		    condition->headers[index].pattern);
		break;
	case VALUE_HOURS:
		hours = &condition->hours[index];
		(void)snprintf(text, sizeof text, "%u %d-%d", hours->weekdays,
		    hours->from, hours->to);
		break;
	case VALUE_SPF:
		(void)snprintf(text, sizeof text, "%s",
		    spf_result_names[condition->results[index]]);
		break;
	default:
		break;
	}
	matched_name_entry(namer, text, name_r);
}

void
matched_clear(struct matched *matched)
{
	for (size_t i = 0; i < matched->count; i++)
		policy_release(&matched->policies[i]);
	free(matched->is_told);
	*matched = (struct matched){.count = 0};
}

/* ---- Telling */

struct telling {
	struct store *store;
	struct triplet_namer namer;
	int64_t now;
	size_t puts_left;
	struct sighting picked[STORE_PUT_MATCHES];
	size_t count,
	    at; /* of these, from rules; and up to where they were told */
	struct store_match matches[STORE_PUT_MATCHES];
};

/* Whether there is anything to tell; `is_told` NULL: not that we look. */
static bool
is_due(size_t count, const bool *is_told)
{
	return count > 0 || (is_told != NULL && !*is_told);
}

/* Put the first matches, maybe none.  False: it could not be done now. */
static bool
put(struct telling *telling, const char *list, size_t count, bool *is_told)
{
	if (telling->puts_left == 0)
		return false;
	telling->puts_left--;
	if (store_put_matches(telling->store, list, telling->matches, count,
		telling->now) != STORE_OK) {
		telling->puts_left = 0; /* it is away: next time */
		return false;
	}
	if (is_told != NULL)
		*is_told = true;
	return true;
}

static void
tell_list(struct telling *telling, const struct list_source *source,
    const struct list *list, bool *is_told)
{
	struct sightings *found = list_found(list);
	char name[STORE_NAME_SIZE], text[LIST_ENTRY_SIZE];
	size_t count;

	if (found == NULL || telling->puts_left == 0)
		return;
	count = sightings_pick(found, telling->picked, STORE_PUT_MATCHES);
	for (size_t i = 0; i < count; i++) {
		list_item_text(list, telling->picked[i].which, text);
		matched_name_entry(
		    &telling->namer, text, telling->matches[i].name);
		telling->matches[i].day = telling->picked[i].day;
	}
	if (!is_due(count, is_told))
		return;
	matched_name_list(&telling->namer, source, name);
	if (put(telling, name, count, is_told))
		sightings_told(found, telling->picked, count);
}

static void
tell_lists(struct telling *telling, const struct policy *policy,
    struct lists *lists, bool *is_told)
{
	struct list_snapshot *snapshots[LISTS_MAX];
	const struct list *held[LISTS_MAX];

	lists_hold(lists, policy, snapshots, held);
	for (size_t i = 0; i < policy->list_count; i++)
		tell_list(telling, &policy->lists[i], held[i],
		    is_told == NULL ? NULL : &is_told[i]);
	lists_release(snapshots, policy->list_count);
}

/* What was picked of the values of a condition, which is next. */
static void
tell_condition(struct telling *telling, struct sightings *met,
    const struct rule *rule, const struct condition *condition, bool *is_told)
{
	const struct sighting *picked = telling->picked + telling->at;
	size_t left = telling->count - telling->at, count = 0;
	char name[STORE_NAME_SIZE];

	for (; count < left &&
	     picked[count].which < condition->first + condition->count;
	     count++) {
		matched_name_value(&telling->namer, condition,
		    picked[count].which - condition->first,
		    telling->matches[count].name);
		telling->matches[count].day = picked[count].day;
	}
	telling->at += count;
	if (condition->count == 0 || !is_due(count, is_told))
		return;
	matched_name_values(&telling->namer, rule, condition, name);
	if (put(telling, name, count, is_told))
		sightings_told(met, picked, count);
}

/* What is picked comes in the order of the values. */
static void
tell_rules(struct telling *telling, const struct policy *policy, bool *is_told)
{
	if (telling->puts_left == 0 || policy->met == NULL)
		return;
	telling->at = 0;
	telling->count =
	    sightings_pick(policy->met, telling->picked, STORE_PUT_MATCHES);
	if (telling->count == 0 && is_told == NULL)
		return;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		for (size_t j = 0; j < rule->condition_count; j++)
			tell_condition(telling, policy->met, rule,
			    &rule->conditions[j],
			    is_told == NULL ? NULL : is_told++);
	}
}

/* Whether no session goes by it any more. */
static bool
is_over(const struct policy *policy)
{
	return atomic_load(&policy->references) == 1 &&
	    (policy->trial == NULL ||
		atomic_load(&policy->trial->references) == 1);
}

static void
let_go(struct matched *matched, size_t which)
{
	policy_release(&matched->policies[which]);
	matched->count--;
	memmove(&matched->policies[which], &matched->policies[which + 1],
	    (matched->count - which) * sizeof *matched->policies);
}

/* This one is in force now. */
static void
use(struct matched *matched, struct policy *policy)
{
	size_t at = 0;

	if (matched->count > 0 && matched->policies[0] == policy)
		return;
	while (at < matched->count && matched->policies[at] != policy)
		at++;
	if (at == MATCHED_POLICIES)
		let_go(matched, --at);
	if (at == matched->count) {
		(void)policy_hold(policy);
		matched->count++;
	}
	memmove(matched->policies + 1, matched->policies,
	    at * sizeof *matched->policies);
	matched->policies[0] = policy;
	matched->day = 0;
}

/* Once a day all lists are to be told of again. */
static bool *
lists_of_today(struct matched *matched, int64_t now)
{
	const struct policy *policy = matched->policies[0];
	size_t count = policy->list_count;

	if (matched->day == now / SIGHTINGS_DAY)
		return matched->is_told;
	matched->day = now / SIGHTINGS_DAY;
	for (size_t i = 0; i < policy->rule_count; i++)
		count += policy->rules[i].condition_count;
	free(matched->is_told);
	matched->is_told = calloc(count, sizeof(bool));
	return matched->is_told;
}

static void
tell_policy(struct telling *telling, const struct policy *policy,
    struct lists *lists, bool *is_told)
{
	tell_lists(telling, policy, lists, is_told);
	tell_rules(telling, policy,
	    is_told == NULL ? NULL : is_told + policy->list_count);
	if (policy->trial != NULL)
		tell_rules(telling, policy->trial, NULL);
}

static void
tell_all(struct matched *matched, struct telling *telling, struct lists *lists)
{
	bool *is_told = lists_of_today(matched, telling->now);

	for (size_t i = matched->count; i > 0; i--) {
		const struct policy *policy = matched->policies[i - 1];
		bool is_last = is_over(policy);

		tell_policy(telling, policy, lists, i == 1 ? is_told : NULL);
		if (is_last && telling->puts_left > 0 && i > 1)
			let_go(matched, i - 1);
	}
}

void
matched_tick(struct matched *matched, struct policy *policy,
    struct lists *lists, struct store *store, int64_t now)
{
	struct telling *telling = calloc(1, sizeof *telling);

	use(matched, policy);
	if (telling == NULL)
		return;
	if (store_is_up(store) &&
	    store_namer(store, &telling->namer) == STORE_OK) {
		telling->store = store;
		telling->now = store_now(store, now);
		telling->puts_left = PUTS;
		tell_all(matched, telling, lists);
	}
	secret_wipe(&telling->namer, sizeof telling->namer);
	free(telling);
}
