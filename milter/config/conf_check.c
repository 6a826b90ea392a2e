/* What a policy allows and yet hardly means. */
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "config/conf.h"
#include "config/conf_build.h"
#include "mail/glob.h"

#define SCORE_MAX 100.0

/* ---- What two conditions have to do with each other */

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

/* Whether `b` holds wherever `a` does.  False: perhaps not. */
static bool
implies(const struct policy *policy, const struct condition *a,
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
		return implies(policy, a, &contrary);
	}
	if (is_called(a, "known") && is_called(b, "reputation_below") &&
	    !a->negated)
		return b->real <= policy->settings.reputation.poor_below;
	return are_contraries(a, b) || bounds_exclude(policy, a, b);
}

/* Whether the two never hold together. */
static bool
exclude_each_other(const struct policy *policy, const struct condition *a,
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

/* Whether it holds for nothing at all. */
static bool
is_impossible(const struct policy *policy, const struct condition *condition)
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

/* ---- Warnings */

static void
warn(const struct conf_build *build, const struct rule *rule, const char *text)
{
	conf_warning(
	    build->report, rule->line, "rule \"%s\": %s", rule->name, text);
}

/* ---- Rules that are never reached */

static bool
demands(const struct policy *policy, const struct rule *rule,
    const struct condition *condition)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (implies(policy, &rule->conditions[i], condition))
			return true;
	return false;
}

/* Whatever meets `rule` meets `earlier`, which ends the search; but a greylist
 * rule lets go one day. */
static bool
shadows(const struct policy *policy, const struct rule *earlier,
    const struct rule *rule)
{
	if (earlier->observe || earlier->verdict == RULE_GREYLIST)
		return false;
	for (size_t i = 0; i < earlier->condition_count; i++)
		if (!demands(policy, rule, &earlier->conditions[i]))
			return false;
	return true;
}

static void
check_reach(const struct conf_build *build, const struct rule *rule)
{
	const struct policy *policy = build->policy;
	char place[CONF_PLACE_SIZE];

	for (size_t i = 0; i < rule->index; i++) {
		const struct rule *earlier = &policy->rules[i];

		if (!shadows(policy, earlier, rule))
			continue;
		conf_line(build->report, earlier->line, rule->line, place);
		conf_warning(build->report, rule->line,
		    "rule \"%s\" can never be reached: whatever meets it is "
		    "settled by rule \"%s\" on %s",
		    rule->name, earlier->name, place);
		return;
	}
}

/* ---- Rules that never hold */

static void
check_possible(const struct conf_build *build, const struct rule *rule)
{
	const struct policy *policy = build->policy;

	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct condition *condition = &rule->conditions[i];
		const char *name = condition_name(condition);

		if (is_impossible(policy, condition))
			conf_warning(build->report, rule->line,
			    "rule \"%s\" can never hold: nothing meets its %s",
			    rule->name, name);
		for (size_t j = 0; j < i; j++)
			if (exclude_each_other(
				policy, condition, &rule->conditions[j]))
				conf_warning(build->report, rule->line,
				    "rule \"%s\" can never hold: its %s and "
				    "its "
				    "%s exclude each other",
				    rule->name,
				    condition_name(&rule->conditions[j]), name);
	}
}

/* ---- Rules that wait */

static void
check_wait(const struct conf_build *build, const struct rule *rule)
{
	char place[CONF_PLACE_SIZE];

	if (rule->observe || rule->own_stage != STAGE_MAIL)
		return;
	for (size_t i = 0; i < rule->index; i++) {
		const struct rule *earlier = &build->policy->rules[i];

		if (earlier->observe || earlier->own_stage < STAGE_DATA)
			continue;
		conf_line(build->report, earlier->line, rule->line, place);
		conf_warning(build->report, rule->line,
		    "rule \"%s\" could speak at mail, but waits for rule "
		    "\"%s\" on %s, which speaks at %s; move it up, or "
		    "set its at to data",
		    rule->name, earlier->name, place,
		    stage_names[earlier->own_stage]);
		return;
	}
}

/* `at` is a wish to wait longer, and cannot shorten what the facts need. */
static void
check_at(const struct conf_build *build, const struct rule *rule,
    const struct conf_section *section)
{
	if (conf_find(section, "at") != NULL && rule->at < rule->own_stage)
		conf_warning(build->report, rule->line,
		    "rule \"%s\": at = %s, but what it asks is known at %s",
		    rule->name, stage_names[rule->at],
		    stage_names[rule->own_stage]);
}

/* ---- Mail that is lost in the end */

/* Whether it still holds after any wait: it asks what stays as it is, or holds
 * also when all that fades has faded. */
static bool
lasts(const struct condition *condition)
{
	static const bool no_load[THRESHOLDS_MAX] = {false};
	const struct facts rested = {.load_crossed = no_load};
	const struct asked asked = {condition, &rested, NULL};

	return (condition_flags(condition) & ASKS_FOR_GOOD) != 0 ||
	    ((condition_flags(condition) & ASKS_WHAT_FADES) != 0 &&
		condition->type->judge(&asked) == ANSWER_YES);
}

bool
conf_is_endless(const struct policy *policy, const struct rule *rule)
{
	bool at_mail = (rule->stage_mask >> STAGE_MAIL & 1U) != 0;

	/* At MAIL there is no pair yet whose delays could be capped. */
	if (rule->verdict != RULE_DEFER || rule->observe || rule->of_rest ||
	    (policy_caps(policy, rule) && !at_mail))
		return false;
	for (size_t i = 0; i < rule->condition_count; i++)
		if (!lasts(&rule->conditions[i]))
			return false;
	return true;
}

/* Who names whom he means, as a block list does, and lets it be uncapped, means it: that
 * is shown in the table only. */
static void
check_end(const struct conf_build *build, const struct rule *rule)
{
	const char *why = "delay_cap is 0";

	if (!conf_is_endless(build->policy, rule) ||
	    (rule->uncapped && conf_rule_asks(rule, ASKS_BY_NAME)))
		return;
	if (rule->uncapped)
		why = "it is uncapped";
	else if (policy_caps(build->policy, rule))
		why = "the delay cap cannot help at mail; set its at to rcpt "
		      "or data";
	conf_warning(build->report, rule->line,
	    "rule \"%s\" defers the same message without end, until it is "
	    "lost: nothing it asks changes by waiting, and %s",
	    rule->name, why);
}

/* ---- Responses */

static bool
is_used(const struct policy *policy, const struct response *response)
{
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].reply == response)
			return true;
	return false;
}

static bool
is_shipped(const char *name)
{
	for (size_t i = 0; i < shipped_text_count; i++)
		if (strcmp(shipped_texts[i].name, name) == 0)
			return true;
	return false;
}

static void
check_response(
    const struct conf_build *build, const struct conf_section *section)
{
	const struct response *response =
	    conf_response(build->policy, section->title);
	const char *doubt = response_doubt(response);

	if (doubt != NULL)
		conf_warning(build->report, section->line,
		    "response \"%s\": code %s does not fit %s: %s",
		    section->title, response->xcode, response->code, doubt);
	if (!is_used(build->policy, response) && !is_shipped(section->title))
		conf_warning(build->report, section->line,
		    "response \"%s\" is not used by any rule", section->title);
}

static void
check_link(const struct conf_build *build, const struct rule *rule)
{
	if (rule->reply != NULL && response_uses(rule->reply, FILL_LINK) &&
	    build->policy->settings.link[0] == '\0')
		warn(build, rule,
		    "its response shows %{link}, but no link is set");
}

/* ---- Lists asked by DNS */

static bool
asks_dnsbl(const struct rule *rule, size_t place)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (rule->conditions[i].type->kind == VALUE_DNSBL &&
		    rule->conditions[i].number == (int64_t)place)
			return true;
	return false;
}

/* A file that says itself that nobody is asked means it. */
static bool
forgets_servers(const struct conf_build *build, const struct conf_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		if (strcmp(tree->sections[i].kind, "dns") == 0 &&
		    conf_find(&tree->sections[i], "servers") != NULL)
			return false;
	return build->policy->settings.dns.servers[0] == NULL;
}

static void
check_dnsbl(
    const struct conf_build *build, const struct conf_tree *tree, size_t place)
{
	const struct policy *policy = build->policy;
	const struct dnsbl *dnsbl = &policy->dnsbls[place];
	bool used = false;

	for (size_t i = 0; i < policy->rule_count; i++)
		used = used || asks_dnsbl(&policy->rules[i], place);
	if (!used)
		conf_warning(build->report, dnsbl->line,
		    "dnsbl \"%s\" is not used by any rule", dnsbl->name);
	else if (forgets_servers(build, tree))
		conf_warning(build->report, dnsbl->line,
		    "dnsbl \"%s\" is never asked: section dns names no servers",
		    dnsbl->name);
}

static void
check_spf(const struct conf_build *build, const struct conf_tree *tree,
    const struct rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (rule->conditions[i].type->kind == VALUE_SPF &&
		    forgets_servers(build, tree))
			warn(build, rule,
			    "spf is never known: section dns names no servers");
}

/* ---- Places */

/* Two letters, or AS and a number, which may stand alone; or a pattern. */
static bool
may_be_place(const char *text, bool of_country)
{
	if (strpbrk(text, "*?") != NULL)
		return true;
	if (of_country)
		return strlen(text) == 2 && ascii_is_letter(text[0]) &&
		    ascii_is_letter(text[1]);
	if (ascii_has_prefix(text, "AS"))
		text += 2;
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static void
check_place(const struct conf_build *build, const struct rule *rule,
    const struct condition *condition)
{
	bool of_country = is_called(condition, "country");
	const struct settings *settings = &build->policy->settings;
	const char *file =
	    of_country ? settings->geo.country_file : settings->geo.asn_file;

	if (file[0] == '\0')
		conf_warning(build->report, rule->line,
		    "rule \"%s\": %s is never known: section geo names no "
		    "%s_file",
		    rule->name, condition->type->name, condition->type->name);
	for (size_t i = 0; i < condition->count; i++)
		if (!may_be_place(condition->globs[i], of_country))
			conf_warning(build->report, rule->line,
			    "rule \"%s\": %s \"%s\" never matches: %s",
			    rule->name, condition->type->name,
			    condition->globs[i],
			    of_country ? "a country is two letters, as in DE"
				       : "write it as in AS64500");
}

static void
check_places(const struct conf_build *build, const struct rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct condition *condition = &rule->conditions[i];

		if (is_called(condition, "country") ||
		    is_called(condition, "asn"))
			check_place(build, rule, condition);
	}
}

/* ---- Pages */

static int
line_of(const struct conf_tree *tree, const char *kind, const char *name)
{
	for (size_t i = 0; i < tree->count; i++)
		if (strcmp(tree->sections[i].kind, kind) == 0 &&
		    conf_find(&tree->sections[i], name) != NULL)
			return conf_find(&tree->sections[i], name)->line;
	return 0;
}

static void
check_web(const struct conf_build *build, const struct conf_tree *tree)
{
	const struct settings *settings = &build->policy->settings;
	const char *link = settings->link;

	if (link[0] != '\0' && !ascii_has_prefix(link, "http://") &&
	    !ascii_has_prefix(link, "https://"))
		conf_warning(build->report, line_of(tree, "", "link"),
		    "link does not begin with https:// or http://");
	if (settings->web.listen[0] != '\0' && settings->journal.entries == 0)
		conf_warning(build->report, line_of(tree, "journal", "entries"),
		    "without a journal no page can tell why a message was "
		    "deferred");
}

/* ---- Limits of recipients */

static void
check_recipients(const struct conf_build *build, const struct rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (condition_counts_recipients(&rule->conditions[i]) &&
		    !rule->of_rest)
			conf_error(build->report, rule->line,
			    "rule \"%s\" counts messages of each recipient, "
			    "and so has to speak at rcpt alone: leave its at "
			    "out, and move it above all that wait for data",
			    rule->name);
}

/* ---- Lists of the store */

/* Redis's are changed by any program. */
static void
check_shared(const struct conf_build *build, const struct rule *rule)
{
	const struct settings *settings = &build->policy->settings;

	for (size_t i = 0; i < rule->condition_count; i++)
		if (rule->conditions[i].type->kind == VALUE_SHARED &&
		    settings->redis.servers[0] == NULL &&
		    settings->control[0] == '\0')
			warn(build, rule,
			    "its list stays empty: without Redis lists are "
			    "changed over the control socket, which is off");
}

/* ---- All */

/* Rules and their sections come in the same order. */
static void
check_rules(const struct conf_build *build, const struct conf_tree *tree)
{
	const struct rule *rule = build->policy->rules;

	for (size_t i = 0; i < tree->count; i++) {
		const struct conf_section *section = &tree->sections[i];

		if (strcmp(section->kind, "rule") != 0)
			continue;
		check_possible(build, rule);
		check_reach(build, rule);
		check_wait(build, rule);
		check_at(build, rule, section);
		check_end(build, rule);
		check_link(build, rule);
		check_spf(build, tree, rule);
		check_places(build, rule);
		check_shared(build, rule);
		check_recipients(build, rule);
		rule++;
	}
}

void
conf_check(struct conf_build *build, const struct conf_tree *tree)
{
	const struct conf_item *observe =
	    conf_find(&tree->sections[0], "observe");

	if (build->policy->settings.observe && observe != NULL)
		conf_warning(build->report, observe->line,
		    "observe is set: nothing is deferred, only logged");
	if (build->policy->rule_count == 0)
		conf_warning(build->report, 0,
		    "there are no rules: all mail is accepted");
	check_rules(build, tree);
	check_web(build, tree);
	for (size_t i = 0; i < build->policy->dnsbl_count; i++)
		check_dnsbl(build, tree, i);
	for (size_t i = 0; i < tree->count; i++)
		if (strcmp(tree->sections[i].kind, "response") == 0)
			check_response(build, &tree->sections[i]);
}
