#include "config/conf_logic.h"

#include <string.h>
#include <strings.h>

#include "config/conf_words.h"
#include "mail/glob.h"

#define SCORE_MAX 100.0

static bool
is_called(const struct condition *condition, const char *name)
{
	return strcmp(condition->type->name, name) == 0;
}

/* Whether it asks for less than its bound, not for more. */
static bool
asks_below(const struct condition *condition)
{
	return strstr(condition->type->name, "_below") != NULL;
}

/* ---- Values of lists */

static bool
same_text(const struct policy *policy, const struct condition *a, size_t i,
    const struct condition *b, size_t j)
{
	char of_a[CONF_WORDS_SIZE], of_b[CONF_WORDS_SIZE];

	conf_words_value(policy, a, i, of_a);
	conf_words_value(policy, b, j, of_b);
	return strcasecmp(of_a, of_b) == 0;
}

/* Whatever matches a pattern with wildcards matches another if its text does, as
 * long as the other has no ? for one of them. */
static bool
covers_glob(const char *wide, const char *narrow)
{
	return strcasecmp(wide, narrow) == 0 ||
	    (strchr(wide, '?') == NULL && glob_match(wide, narrow));
}

/* Whether the value j of `b` has all that the value i of `a` has. */
static bool
covers(const struct policy *policy, const struct condition *a, size_t i,
    const struct condition *b, size_t j)
{
	switch (a->type->kind) {
	case VALUE_NETWORKS:
		return a->networks[i].bits >= b->networks[j].bits &&
		    network_contains(&b->networks[j], &a->networks[i].base);
	case VALUE_GLOBS:
		return covers_glob(b->globs[j], a->globs[i]);
	default:
		return same_text(policy, a, i, b, j);
	}
}

/* Whether each value of `a` is in `b`. */
static bool
is_within(const struct policy *policy, const struct condition *a,
    const struct condition *b)
{
	for (size_t i = 0; i < conf_words_count(a); i++) {
		size_t j = 0;

		while (j < conf_words_count(b) && !covers(policy, a, i, b, j))
			j++;
		if (j == conf_words_count(b))
			return false;
	}
	return true;
}

/* ---- Bounds */

/* The number that a condition compares with; of one without, 0. */
static double
bound_of(const struct policy *policy, const struct condition *condition)
{
	switch (condition->type->kind) {
	case VALUE_NUMBER:
	case VALUE_DURATION:
	case VALUE_SIZE:
	case VALUE_SHARE:
		return (double)condition->number;
	case VALUE_REAL:
	case VALUE_HEADER_NUMBER:
		return condition->real;
	case VALUE_LOAD:
		return policy->thresholds[condition->number];
	case VALUE_DNSBL:
		return (double)condition->bound;
	default:
		return 0;
	}
}

/* Whether both compare the same thing, where the type alone does not say so. */
static bool
same_subject(const struct condition *a, const struct condition *b)
{
	if (a->type->kind == VALUE_DNSBL)
		return a->number == b->number;
	return a->type->kind != VALUE_HEADER_NUMBER ||
	    strcasecmp(a->header, b->header) == 0;
}

static bool
bound_implies(const struct policy *policy, const struct condition *a,
    const struct condition *b)
{
	double of_a = bound_of(policy, a), of_b = bound_of(policy, b);
	bool below = asks_below(a) || a->type->kind == VALUE_SHARE;

	return same_subject(a, b) && (below ? of_a <= of_b : of_a >= of_b);
}

bool
conf_implies(const struct policy *policy, const struct condition *a,
    const struct condition *b)
{
	/* Each limit counts for itself. */
	if (a->type != b->type || a->negated != b->negated ||
	    condition_counts(a))
		return false;
	switch (a->type->kind) {
	case VALUE_TRUE:
		return true;
	case VALUE_FILE:
	case VALUE_SHARED:
	case VALUE_PORT:
		return a->number == b->number;
	case VALUE_NETWORKS:
	case VALUE_GLOBS:
	case VALUE_HEADERS:
	case VALUE_HOURS:
	case VALUE_SPF:
		return a->negated ? is_within(policy, b, a)
				  : is_within(policy, a, b);
	default:
		return bound_implies(policy, a, b);
	}
}

/* ---- What excludes what */

/* Of one, what the other has not. */
static const struct {
	const char *name, *other;
} contraries[] = {
    {"null_sender", "sender"},
    {"null_sender", "sender_list"},
    {"null_sender", "sender_listed"},
    {"no_client_name", "client_name"},
    {"no_client_name", "client_name_list"},
    {"no_client_name", "generic_name"},
    {"no_client_name", "mail_server_name"},
    {"no_client_name", "helo_fits"},
    {"generic_name", "mail_server_name"},
    {"store_down", "store_late"},
    {"store_down", "retried"},
};

static bool
are_contraries(const struct condition *a, const struct condition *b)
{
	if (a->negated || b->negated)
		return a->negated && is_called(a, "authenticated") &&
		    !b->negated && is_called(b, "user");
	for (size_t i = 0; i < sizeof contraries / sizeof contraries[0]; i++)
		if (is_called(a, contraries[i].name) &&
		    is_called(b, contraries[i].other))
			return true;
	return is_called(a, "store_down") && condition_counts(b);
}

/* More than the one and less than the other. */
static bool
bounds_exclude(const struct policy *policy, const struct condition *above,
    const struct condition *below)
{
	double least = bound_of(policy, above), most = bound_of(policy, below);

	if (above->type->kind != below->type->kind || asks_below(above) ||
	    !asks_below(below) || !same_subject(above, below))
		return false;
	switch (above->type->kind) {
	case VALUE_LOAD:
	case VALUE_REAL:
		return least >= most;
	case VALUE_DNSBL: /* whole numbers */
		return least + 1 >= most;
	default:
		return false;
	}
}

static bool
excludes(const struct policy *policy, const struct condition *a,
    const struct condition *b)
{
	struct condition contrary = *b;

	if (b->negated && !a->negated) {
		contrary.negated = false;
		return conf_implies(policy, a, &contrary);
	}
	if (is_called(a, "known") && is_called(b, "reputation_below") &&
	    !a->negated)
		return b->real <= policy->settings.reputation.poor_below;
	return are_contraries(a, b) || bounds_exclude(policy, a, b);
}

bool
conf_excludes(const struct policy *policy, const struct condition *a,
    const struct condition *b)
{
	return excludes(policy, a, b) || excludes(policy, b, a);
}

/* ---- What nothing can meet */

/* No sum of weights reaches the bound. */
static bool
is_out_of_reach(const struct policy *policy, const struct condition *condition)
{
	const struct dnsbl *dnsbl = &policy->dnsbls[condition->number];
	int64_t most = 0, least = 0;

	for (size_t i = 0; i < dnsbl->list_count; i++) {
		int64_t weight = dnsbl->lists[i].weight;

		most += weight > 0 ? weight : 0;
		least += weight < 0 ? weight : 0;
	}
	return asks_below(condition) ? least >= condition->bound
				     : most <= condition->bound;
}

bool
conf_is_impossible(
    const struct policy *policy, const struct condition *condition)
{
	if (is_called(condition, "reputation_below"))
		return condition->real <= -SCORE_MAX;
	if (is_called(condition, "reputation_above"))
		return condition->real >= SCORE_MAX;
	if (is_called(condition, "known"))
		return !condition->negated && policy->settings.known_after == 0;
	if (condition->type->kind == VALUE_SHARE)
		return condition->number == 0;
	return condition->type->kind == VALUE_DNSBL &&
	    is_out_of_reach(policy, condition);
}
