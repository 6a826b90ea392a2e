#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "config/conf.h"
#include "config/conf_build.h"
#include "config/conf_logic.h"
#include "mail/list_file.h"

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
		if (conf_implies(policy, &rule->conditions[i], condition))
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

		if (conf_is_impossible(policy, condition))
			conf_warning(build->report, rule->line,
			    "rule \"%s\" can never hold: nothing meets its %s",
			    rule->name, name);
		for (size_t j = 0; j < i; j++)
			if (conf_excludes(
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

/* Whether it names whom it means, as a block list does. */
static bool
names_somebody(const struct rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if ((condition_flags(&rule->conditions[i]) & ASKS_BY_NAME) != 0)
			return true;
	return false;
}

/* A block list that is meant to be uncapped is shown in the table only. */
static void
check_end(const struct conf_build *build, const struct rule *rule)
{
	const char *why = "delay_cap is 0";

	if (!conf_is_endless(build->policy, rule) ||
	    (rule->uncapped && names_somebody(rule)))
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
		    section->title, response_xcode(response),
		    response_code(response), doubt);
	if (!is_used(build->policy, response) &&
	    !conf_is_shipped(section->title))
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
	for (size_t i = 0; i < build->policy->dnsbl_count; i++)
		check_dnsbl(build, tree, i);
	for (size_t i = 0; i < tree->count; i++)
		if (strcmp(tree->sections[i].kind, "response") == 0)
			check_response(build, &tree->sections[i]);
}

/* ---- List files */

static void
report_line(void *context, const char *path, unsigned line, const char *why)
{
	(void)path; /* the report has it */
	conf_error(context, (int)line, "%s", why);
}

static bool
check_list(const struct list_source *source, conf_say *say, void *arg)
{
	struct conf_report lines = {
	    .path = source->name, .say = say, .arg = arg};
	struct conf_report file = {
	    .path = source->where, .say = say, .arg = arg};
	const struct list_file_terms terms = {
	    source->kinds, report_line, &lines};
	struct list_file_identity identity;
	struct list *list = NULL;

	if (list_file_load(source->name, &terms, &list, &identity) !=
	    LIST_FILE_LOADED)
		conf_error(&file, 0, "%s \"%s\": %s", source->setting,
		    source->name, file_why(errno));
	list_free(&list);
	return file.errors + lines.errors == 0;
}

bool
conf_check_lists(const struct policy *policy, conf_say *say, void *arg)
{
	bool good = true;

	for (size_t i = 0; i < policy->list_count; i++)
		if (!policy->lists[i].shared &&
		    !check_list(&policy->lists[i], say, arg))
			good = false;
	return good;
}
