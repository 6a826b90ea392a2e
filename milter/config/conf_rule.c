/* The rules, and the texts with which they answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/near.h"
#include "config/conf_build.h"
#include "config/conf_value.h"

/* ---- The texts with which rules answer */

/* What SMTP servers say in the field; each can be replaced by a section of the
 * same name. */
const struct shipped_text shipped_texts[] = {
    {"internal-resource",
	"451 Internal resource temporarily unavailable - %{link}"},
    {"try-again", "451 Try again later."},
    {"greylisted", "451 4.7.1 Greylisted, try again after some time."},
    {"policy",
	"451 4.7.1 <%{recipient}>: Recipient address rejected: Intentional "
	"policy rejection, please try again later."},
    {"local-problem", "451 Temporary local problem - please try later."},
    {"blocklisted", "451 4.2.0 [%{client_addr}] blocked AUP#CDRBL."},
    {"ip-reputation", "451 4.7.1 IP Reputation Greylisted."},
    {"server-busy",
	"451 4.7.500 Server busy. Please try again later from "
	"[%{client_addr}]."},
    {"rejected-message", "451 4.3.0 Mail server temporarily rejected message."},
    {"one-domain",
	"451 4.3.0 Multiple destination domains per transaction is "
	"unsupported. Please try again."},
    {"timeout", "421 4.4.2 Timeout - closing connection."},
    {"protocol", "451 4.5.0 SMTP protocol violation, visit RFC 2821."},
    {"rate-limited",
	"451 4.7.650 The mail server [%{client_addr}] has been temporarily "
	"rate limited due to IP reputation."},
};

const size_t shipped_text_count =
    sizeof shipped_texts / sizeof shipped_texts[0];

const struct response *
conf_response(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->response_count; i++)
		if (strcmp(policy->responses[i]->name, name) == 0)
			return policy->responses[i];
	return NULL;
}

static void
add_response(struct policy *policy, struct response *response)
{
	policy->responses[policy->response_count++] = response;
}

/* The log writes it without quotes. */
static bool
check_response_name(
    const struct conf_build *build, const struct conf_section *section)
{
	if (conf_value_name(section->title, " \"'\\"))
		return true;
	conf_error(build->report, section->line,
	    "the name of a response is 1 to %d letters of printable ASCII "
	    "without blanks, quotes and backslashes",
	    CONF_VALUE_NAME_MAX);
	return false;
}

static void
read_response(struct conf_build *build, const struct conf_section *section)
{
	const struct conf_item *item = conf_find(section, "reply");
	struct response *response;
	char why[RESPONSE_WHY_SIZE];
	size_t at;

	if (!check_response_name(build, section))
		return;
	if (conf_response(build->policy, section->title) != NULL) {
		conf_error(build->report, section->line,
		    "response \"%s\" stands here twice", section->title);
		return;
	}
	if (item == NULL || item->count == 0) {
		conf_error(build->report, section->line,
		    "response \"%s\" has no reply", section->title);
		return;
	}
	if (response_make(section->title, (const char *const *)item->values,
		item->count, &response, why, &at))
		add_response(build->policy, response);
	else
		conf_error(build->report,
		    item->lines[at < item->count ? at : 0],
		    "response \"%s\": %s", section->title, why);
}

static void
add_built_in(struct conf_build *build, const struct shipped_text *text)
{
	struct response *response;
	char why[RESPONSE_WHY_SIZE];
	size_t at;

	if (conf_response(build->policy, text->name) != NULL)
		return;
	if (response_make(text->name, &text->reply, 1, &response, why, &at))
		add_response(build->policy, response);
	else
		build->out_of_memory = true;
}

static void
read_responses(struct conf_build *build, const struct conf_tree *tree)
{
	struct policy *policy = build->policy;

	policy->responses =
	    calloc(tree->count + shipped_text_count, sizeof(struct response *));
	policy->response_count = 0;
	if (policy->responses == NULL) {
		build->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < tree->count; i++)
		if (strcmp(tree->sections[i].kind, "response") == 0)
			read_response(build, &tree->sections[i]);
	for (size_t i = 0; i < shipped_text_count; i++)
		add_built_in(build, &shipped_texts[i]);
}

/* ---- The table of options */

/* As they stand in the file; choices are places in their lists. */
struct rule_options {
	int64_t verdict;
	int64_t by;
	int64_t delay;
	char *response;
	int64_t at;
	int64_t wait;
	bool observe;
	bool uncapped;
	int64_t within;
	int64_t per;
	bool scale_by_reputation;
};

#define DAY 86400.0

#define MEMBER(member) .offset = offsetof(struct rule_options, member)

/* A fallback of NULL depends on the rule. */
const struct setting rule_option_table[] = {
    /* clang-format off */
    {"rule", "verdict", SETTING_CHOICE, MEMBER(verdict), NULL,
	.choices = "accept defer greylist"},
    {"rule", "response", SETTING_STRING, MEMBER(response), NULL},
    {"rule", "at", SETTING_CHOICE, MEMBER(at), "mail",
	.choices = "mail rcpt data eom"},
    {"rule", "by", SETTING_CHOICE, MEMBER(by), "triplet",
	.choices = "triplet client"},
    {"rule", "delay", SETTING_DURATION, MEMBER(delay), NULL, 0, 7 * DAY},
    {"rule", "wait", SETTING_DURATION, MEMBER(wait), "5m", 0, 7 * DAY},
    {"rule", "within", SETTING_DURATION, MEMBER(within), NULL, 1, 31 * DAY},
    {"rule", "per", SETTING_CHOICE, MEMBER(per), "network",
	.choices = "network host sender_domain user all sender server "
		   "recipient"},
    {"rule", "scale_by_reputation", SETTING_BOOL, MEMBER(scale_by_reputation),
	"false"},
    {"rule", "uncapped", SETTING_BOOL, MEMBER(uncapped), "false"},
    {"rule", "observe", SETTING_BOOL, MEMBER(observe), "false"},
    /* clang-format on */
};

const size_t rule_option_count =
    sizeof rule_option_table / sizeof rule_option_table[0];

/* One rule in the hand of its reader. */
struct reading {
	struct conf_build *build;
	const struct conf_section *section;
	struct rule_options options;
	struct rule *rule;
	struct condition *limit; /* the condition that counts; NULL: none */
};

static bool
has(const struct reading *reading, const char *option)
{
	return conf_find(reading->section, option) != NULL;
}

/* Where to point: the option if it is there, else the rule. */
static int
line_of(const struct reading *reading, const char *option)
{
	const struct conf_item *item = conf_find(reading->section, option);

	return item == NULL ? reading->section->line : item->line;
}

static void
complain(const struct reading *reading, const char *option, const char *why)
{
	conf_error(reading->build->report, line_of(reading, option),
	    "rule \"%s\": %s", reading->section->title, why);
}

/* ---- Conditions */

static void
read_condition(struct reading *reading, const struct conf_item *item)
{
	struct rule *rule = reading->rule;
	struct condition *condition =
	    &rule->conditions[rule->condition_count++];

	condition->type = condition_type_find(item->name, &condition->negated);
	(void)conf_read_condition(reading->build, item, condition);
	if (!condition_counts(condition))
		return;
	if (reading->limit != NULL)
		conf_error(reading->build->report, item->line,
		    "rule \"%s\" has two limits; make two rules of it",
		    reading->section->title);
	reading->limit = condition;
}

/* Stable across reloads, as long as the rule keeps its name. */
static uint32_t
limit_id(const struct rule *rule, const struct condition_type *type)
{
	uint64_t sum = hash_64(HASH_64, rule->name, strlen(rule->name) + 1);

	sum = hash_64(sum, type->name, strlen(type->name));
	return (sum ^ sum >> 32) & 0x7ffffff;
}

static void
make_limit(struct reading *reading)
{
	struct policy *policy = reading->build->policy;
	struct condition *condition = reading->limit;
	struct limit *limit = &policy->limits[policy->limit_count];

	if (policy->limit_count == LIMITS_MAX) {
		complain(reading, condition->type->name,
		    "there are more than 16 limits");
		return;
	}
	condition->period = reading->options.within;
	condition->scaled = reading->options.scale_by_reputation;
	condition->by = (enum limit_by)reading->options.per;
	condition->number = (int64_t)policy->limit_count++;
	limit->rule = reading->rule;
	limit->condition = condition;
	limit->id = limit_id(reading->rule, condition->type);
}

static void
read_items(struct reading *reading)
{
	const struct conf_section *section = reading->section;

	for (size_t i = 0; i < section->item_count; i++) {
		const struct conf_item *item = &section->items[i];
		const struct setting *option = setting_find(
		    rule_option_table, rule_option_count, "rule", item->name);

		if (option != NULL)
			conf_read_option(
			    reading->build, option, item, &reading->options);
		else
			read_condition(reading, item);
	}
}

/* ---- What goes together */

static void
check_belongs(const struct reading *reading)
{
	static const struct {
		const char *option;
		unsigned verdicts; /* 1 << enum rule_verdict */
		const char *why;
	} table[] = {
	    {"response", 1U << RULE_DEFER | 1U << RULE_GREYLIST,
		"response does not belong to a rule that accepts"},
	    {"uncapped", 1U << RULE_DEFER | 1U << RULE_GREYLIST,
		"uncapped does not belong to a rule that accepts"},
	    {"wait", 1U << RULE_DEFER,
		"wait belongs to a rule with verdict = defer"},
	    {"by", 1U << RULE_GREYLIST,
		"by belongs to a rule with verdict = greylist"},
	    {"delay", 1U << RULE_GREYLIST,
		"delay belongs to a rule with verdict = greylist"},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (has(reading, table[i].option) &&
		    (table[i].verdicts >> reading->options.verdict & 1U) == 0)
			complain(reading, table[i].option, table[i].why);
}

/* Whom a limit can count for. */
static void
check_per(const struct reading *reading)
{
	enum limit_kind counts = reading->limit->type->counts;
	enum limit_by by = (enum limit_by)reading->options.per;
	bool of_sender = by == LIMIT_BY_SENDER || by == LIMIT_BY_SENDER_DOMAIN;

	if (counts == LIMIT_CONNECTIONS && (of_sender || by == LIMIT_BY_USER))
		complain(reading, "per",
		    "connections are counted per network, host, server or all");
	if (counts == LIMIT_DISTINCT_SENDERS && by == LIMIT_BY_SENDER)
		complain(reading, "per",
		    "a sender is one sender; count them per network, host, "
		    "user, sender_domain, server or all");
	if (by == LIMIT_BY_RECIPIENT && counts != LIMIT_MESSAGES)
		complain(reading, "per",
		    "of a recipient only messages are counted: messages_above");
	if (reading->limit->numbers != 0 && !of_sender && by != LIMIT_BY_USER)
		complain(reading, reading->limit->type->name,
		    "numbers of a file need per = user, sender or "
		    "sender_domain");
}

static void
check_limit(const struct reading *reading)
{
	static const char *const needs_limit[] = {
	    "within", "per", "scale_by_reputation"};

	if (reading->limit != NULL) {
		if (!has(reading, "within"))
			complain(reading, reading->limit->type->name,
			    "a limit needs within, such as within = 1h");
		check_per(reading);
		return;
	}
	for (size_t i = 0; i < sizeof needs_limit / sizeof needs_limit[0]; i++)
		if (has(reading, needs_limit[i]))
			conf_error(reading->build->report,
			    line_of(reading, needs_limit[i]),
			    "rule \"%s\": %s belongs to a rule with a limit, "
			    "such as messages_above",
			    reading->section->title, needs_limit[i]);
}

/* The delay for all has been checked where it stands. */
static void
check_delay(const struct reading *reading)
{
	int64_t window = reading->build->policy->settings.retry_window;
	char delay_text[CONF_VALUE_SIZE], window_text[CONF_VALUE_SIZE];

	if (!has(reading, "delay") || reading->options.delay < window)
		return;
	conf_value_say_duration(reading->options.delay, delay_text);
	conf_value_say_duration(window, window_text);
	conf_error(reading->build->report, line_of(reading, "delay"),
	    "rule \"%s\": delay (%s) has to be shorter than retry_window (%s), "
	    "or nobody passes",
	    reading->section->title, delay_text, window_text);
}

static void
check_greylist(const struct reading *reading)
{
	const struct rule_options *options = &reading->options;

	if (options->verdict != RULE_GREYLIST)
		return;
	check_delay(reading);
	if (options->by == BY_TRIPLET && has(reading, "at") &&
	    options->at == STAGE_MAIL)
		complain(reading, "at",
		    "a triplet has a recipient, which is not known at mail");
}

/* ---- The reply */

static void
complain_of_reply(const struct reading *reading, const char *name)
{
	const struct policy *policy = reading->build->policy;
	struct near near;
	char like[NEAR_SIZE];

	near_begin(&near, name);
	for (size_t i = 0; i < policy->response_count; i++) {
		const char *other = policy->responses[i]->name;

		near_try(&near, other, strlen(other));
	}
	near_say(&near, like);
	conf_error(reading->build->report, line_of(reading, "response"),
	    "rule \"%s\": there is no response \"%s\"%s",
	    reading->section->title, name, like);
}

static const struct response *
find_reply(const struct reading *reading)
{
	const char *name = reading->options.response;
	const struct response *reply;

	if (reading->options.verdict == RULE_ACCEPT)
		return NULL;
	if (name == NULL)
		name = reading->options.verdict == RULE_GREYLIST ? "greylisted"
								 : "try-again";
	reply = conf_response(reading->build->policy, name);
	if (reply == NULL && !reading->build->out_of_memory)
		complain_of_reply(reading, name);
	return reply;
}

/* ---- Rules */

static void
fill_rule(struct reading *reading)
{
	const struct rule_options *options = &reading->options;
	const struct settings *settings = &reading->build->policy->settings;
	struct rule *rule = reading->rule;

	rule->verdict = (enum rule_verdict)options->verdict;
	rule->by = (enum greylist_by)options->by;
	rule->at = (enum stage)options->at;
	rule->terms = (struct greylist_terms){
	    options->delay, settings->retry_window, settings->keep};
	rule->wait = options->wait;
	rule->observe = options->observe || settings->observe;
	rule->uncapped = options->uncapped;
	rule->reply = find_reply(reading);
}

/* With an option that could not be read, what follows from it is not known. */
static void
read_sound_rule(struct reading *reading)
{
	if (!has(reading, "verdict")) {
		complain(reading, "verdict",
		    "verdict is missing: accept, defer or greylist");
		return;
	}
	check_belongs(reading);
	check_greylist(reading);
	check_limit(reading);
	fill_rule(reading);
	if (reading->limit != NULL)
		make_limit(reading);
}

static void
read_rule(struct reading *reading)
{
	unsigned errors = reading->build->report->errors;

	reading->rule->conditions =
	    calloc(reading->section->item_count + 1, sizeof(struct condition));
	if (reading->rule->conditions == NULL) {
		reading->build->out_of_memory = true;
		return;
	}
	reading->options.delay = reading->build->policy->settings.delay;
	if (!settings_default(
		&reading->options, rule_option_table, rule_option_count))
		reading->build->out_of_memory = true;
	read_items(reading);
	if (reading->build->report->errors == errors)
		read_sound_rule(reading);
	free(reading->options.response);
}

/* `section` is one of the tree. */
static void
check_name(const struct conf_build *build, const struct conf_tree *tree,
    const struct conf_section *section)
{
	if (!conf_value_name(section->title, "\"\\"))
		conf_error(build->report, section->line,
		    "the name of a rule is 1 to %d letters of printable ASCII "
		    "without quotes and backslashes",
		    CONF_VALUE_NAME_MAX);
	for (const struct conf_section *other = tree->sections;
	     other != section; other++)
		if (strcmp(other->kind, "rule") == 0 &&
		    strcmp(other->title, section->title) == 0) {
			conf_twice(build->report, section->line, other->line,
			    "rule", section->title);
			return;
		}
}

static void
add_rule(struct conf_build *build, const struct conf_section *section)
{
	struct policy *policy = build->policy;
	struct reading reading = {.build = build, .section = section};

	if (policy->rule_count == RULES_MAX) {
		conf_error(build->report, section->line,
		    "there are more than %d rules", RULES_MAX);
		return;
	}
	reading.rule = &policy->rules[policy->rule_count];
	reading.rule->name = strdup(section->title);
	if (reading.rule->name == NULL) {
		build->out_of_memory = true;
		return;
	}
	reading.rule->line = section->line;
	reading.rule->index = policy->rule_count++;
	read_rule(&reading);
}

void
conf_read_rules(struct conf_build *build, const struct conf_tree *tree)
{
	read_responses(build, tree);
	build->policy->rules = calloc(RULES_MAX, sizeof(struct rule));
	if (build->policy->rules == NULL) {
		build->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < tree->count; i++) {
		const struct conf_section *section = &tree->sections[i];

		if (strcmp(section->kind, "rule") != 0)
			continue;
		check_name(build, tree, section);
		add_rule(build, section);
	}
}
