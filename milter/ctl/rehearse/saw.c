#include "ctl/rehearse/saw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/conf.h"
#include "config/conf_value.h"

/* ---- Conditions */

static void
add(char *text, const char *more)
{
	strncat(text, more, SAW_SIZE - strlen(text) - 1);
}

static void
say_condition(const struct policy *policy, const struct condition *condition,
    char text_r[SAW_SIZE])
{
	size_t count = conf_words_count(condition);
	char value[CONF_WORDS_SIZE];

	(void)snprintf(text_r, SAW_SIZE, "%s = ", condition_name(condition));
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			add(text_r, ", ");
		if (i == 3 && count > 4) {
			add(text_r, "...");
			break;
		}
		conf_words_value(policy, condition, i, value);
		add(text_r, value);
	}
}

/* ---- Facts */

static void
say(char *text_r, const char *text)
{
	(void)snprintf(text_r, SAW_SIZE, "%s", text[0] == '\0' ? "none" : text);
}

static void
say_number(char *text_r, int64_t number)
{
	(void)snprintf(text_r, SAW_SIZE, "%" PRId64, number);
}

static void
say_clock(
    const struct greylist_clock *clock, int64_t now, char text_r[SAW_SIZE])
{
	bool has_passed = clock->last_passed != 0;
	int64_t at = has_passed ? clock->last_passed : clock->first_seen;
	char span[CONF_VALUE_SIZE];

	if (at == 0) {
		(void)snprintf(text_r, SAW_SIZE, "never seen");
		return;
	}
	conf_value_say_duration(now > at ? now - at : 0, span);
	(void)snprintf(text_r, SAW_SIZE, "%s %s ago",
	    has_passed ? "last passed" : "first seen", span);
}

/* The fields of that name, the first of them in full. */
static void
say_headers(
    const struct condition *condition, const struct facts *facts, char *text_r)
{
	bool of_number = condition->type->kind == VALUE_HEADER_NUMBER;
	size_t names = of_number ? 1 : condition->count;

	say(text_r, "no such header");
	for (size_t i = 0; i < facts->header_count; i++)
		for (size_t j = 0; j < names; j++) {
			const char *name = of_number
			    ? condition->header
			    : condition->headers[j].name;

			if (strcasecmp(facts->headers[i].name, name) != 0)
				continue;
			(void)snprintf(text_r, SAW_SIZE, "%s: %.200s",
			    facts->headers[i].name, facts->headers[i].value);
			return;
		}
}

/* Units of the slots that count, our own included. */
static void
say_limit(
    const struct condition *condition, const struct facts *facts, char *text_r)
{
	const struct limit_count *count = &facts->limits[condition->number];
	int64_t units = 0;

	for (int i = 0; i < WINDOW_COUNTED; i++)
		units += count->counts.slots[i];
	(void)snprintf(
	    text_r, SAW_SIZE, "%" PRId64 " with this message", units);
}

static void
say_dnsbl(
    const struct condition *condition, const struct facts *facts, char *text_r)
{
	const struct dnsbl_sum *sum = &facts->dnsbls[condition->number];

	if (sum->least == INT64_MIN)
		say(text_r, "not asked");
	else if (sum->least == sum->most)
		say_number(text_r, sum->least);
	else
		(void)snprintf(text_r, SAW_SIZE,
		    "%" PRId64 " to %" PRId64 ", as some have not told",
		    sum->least, sum->most);
}

static void
say_hours(const struct facts *facts, char *text_r)
{
	static const char *const days[] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

	(void)snprintf(text_r, SAW_SIZE, "%s %02d:%02d", days[facts->weekday],
	    facts->minute / 60, facts->minute % 60);
}

static const void *
member(const struct condition *condition, const struct facts *facts)
{
	return (const char *)facts + condition->type->fact;
}

static bool
is_about(const struct condition *condition, const char *part)
{
	return strstr(condition->type->name, part) != NULL;
}

/* Yes or no, and what tells so. */
static void
say_truth(
    const struct condition *condition, const struct facts *facts, char *text_r)
{
	static const char *const classes[] = {[HOSTNAME_NONE] = "no name",
	    [HOSTNAME_OWN] = "of a mail server",
	    [HOSTNAME_LINE] = "of a customer's line",
	    [HOSTNAME_RENTED] = "of a rented machine"};
	const char *const *name = member(condition, facts);
	const bool *truth = member(condition, facts);

	if (is_about(condition, "client_name"))
		say(text_r, *name);
	else if (is_about(condition, "_name"))
		(void)snprintf(text_r, SAW_SIZE, "%s (%s)",
		    facts->name[0] == '\0' ? "none" : facts->name,
		    classes[facts->name_class]);
	else if (is_about(condition, "helo"))
		say(text_r, facts->helo);
	else if (is_about(condition, "null_sender"))
		say(text_r, facts->null_sender ? "<>" : facts->sender);
	else if (condition->type->fact != 0)
		say(text_r, *truth ? "yes" : "no");
}

static void
say_list(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char *text_r)
{
	char client[NETADDR_TEXT_SIZE];

	netaddr_format(&facts->client, client);
	if (is_about(condition, "recipient"))
		say(text_r, recipient == NULL ? "" : recipient->address);
	else if (is_about(condition, "sender"))
		say(text_r, facts->sender);
	else if (condition->type->kind == VALUE_FILE &&
	    is_about(condition, "name"))
		say(text_r, facts->name);
	else if (condition->type->kind == VALUE_FILE)
		say(text_r, client);
	else
		(void)snprintf(text_r, SAW_SIZE, "%s, %s, <%s>: %sin it",
		    client, facts->name[0] == '\0' ? "no name" : facts->name,
		    facts->sender, condition->negated ? "" : "not ");
	if (facts->lists[condition->number] == NULL)
		add(text_r, "; the list is not there");
}

static void
say_of_recipient(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char *text_r)
{
	if (recipient == NULL)
		say(text_r, "no recipient yet");
	else if (condition->type->kind == VALUE_DURATION)
		say_clock(&recipient->clock[CLOCK_REAL], facts->now, text_r);
	else
		say(text_r, recipient->address);
}

static void
say_one(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char *text_r)
{
	const char *const *text = member(condition, facts);
	const int64_t *number = member(condition, facts);

	if ((condition->type->flags & ASKS_RECIPIENT) != 0 &&
	    condition->type->kind != VALUE_FILE &&
	    condition->type->kind != VALUE_SHARED)
		say_of_recipient(condition, facts, recipient, text_r);
	else if (condition->type->kind == VALUE_GLOBS)
		say(text_r, *text);
	else if (condition->type->kind == VALUE_PORT)
		say_number(text_r, facts->daemon_port);
	else if (condition->type->kind == VALUE_DURATION)
		conf_value_say_duration(*number, text_r);
	else
		say_number(text_r, *number);
}

/* What is measured or counted. */
static void
say_measure(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char *text_r)
{
	switch (condition->type->kind) {
	case VALUE_REAL:
		(void)snprintf(text_r, SAW_SIZE, "%.1f",
		    *(const double *)member(condition, facts));
		break;
	case VALUE_SIZE:
		conf_value_say_size(facts->size > facts->declared_size
			? facts->size
			: facts->declared_size,
		    text_r);
		break;
	case VALUE_SHARE:
		(void)snprintf(
		    text_r, SAW_SIZE, "%.2f%%", facts->share / 100.0);
		break;
	case VALUE_LOAD:
		(void)snprintf(text_r, SAW_SIZE, "%.2f", facts->load);
		break;
	case VALUE_DNSBL:
		say_dnsbl(condition, facts, text_r);
		break;
	case VALUE_LIMIT:
	case VALUE_OCTETS:
		say_limit(condition, facts, text_r);
		break;
	default:
		say_one(condition, facts, recipient, text_r);
	}
}

static void
say_fact(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char *text_r)
{
	switch (condition->type->kind) {
	case VALUE_NETWORKS:
		netaddr_format(&facts->client, text_r);
		break;
	case VALUE_TRUE:
		say_truth(condition, facts, text_r);
		break;
	case VALUE_FILE:
	case VALUE_SHARED:
		say_list(condition, facts, recipient, text_r);
		break;
	case VALUE_HEADERS:
	case VALUE_HEADER_NUMBER:
		say_headers(condition, facts, text_r);
		break;
	case VALUE_HOURS:
		say_hours(facts, text_r);
		break;
	case VALUE_SPF:
		say(text_r, spf_result_names[facts->spf]);
		break;
	default:
		say_measure(condition, facts, recipient, text_r);
	}
}

void
saw_fact(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char text_r[SAW_SIZE])
{
	const enum certainty *certainty =
	    (const void *)((const char *)facts + condition->type->certainty);
	bool is_known =
	    condition->type->certainty == 0 || *certainty == FACT_KNOWN;

	text_r[0] = '\0';
	if (!is_known ||
	    (condition_counts(condition) &&
		facts->limits[condition->number].certainty != FACT_KNOWN))
		say(text_r, "unknown");
	else
		say_fact(condition, facts, recipient, text_r);
}

/* ---- Rules */

/* Why a greylist rule holds, or does not. */
static void
say_waiting(const struct facts *facts, const struct rule *rule,
    const struct recipient *recipient, bool holds, char text_r[SAW_SIZE])
{
	enum clock_space space = rule->observe ? CLOCK_OBSERVED : CLOCK_REAL;
	struct greylist_clock never = {0, 0};
	const struct greylist_clock *clock = rule->by == BY_CLIENT
	    ? &facts->client_clock[space]
	    : recipient == NULL ? &never
				: &recipient->clock[space];
	char delay[CONF_VALUE_SIZE], seen[SAW_SIZE];

	conf_value_say_duration(rule->terms.delay, delay);
	say_clock(clock, facts->now, seen);
	(void)snprintf(text_r, SAW_SIZE, "%.100s; a first attempt waits %s%s",
	    seen, delay, holds ? "" : ", and has");
}

void
saw_rule(const struct message *message, const struct rule *rule,
    const struct recipient *recipient, const struct trace_step *step,
    struct saw *saw_r)
{
	bool holds = step->answer == ANSWER_YES;
	const char *why = holds ? "all of it holds"
				: "it has been put off for as long as may be";

	memset(saw_r, 0, sizeof *saw_r);
	if (step->condition != NULL && !holds) {
		say_condition(
		    message->policy, step->condition, saw_r->condition);
		saw_fact(
		    step->condition, &message->facts, recipient, saw_r->fact);
		(void)snprintf(saw_r->why, sizeof saw_r->why, "%s: %s",
		    saw_r->condition, saw_r->fact);
		return;
	}
	if (step->answer == ANSWER_LATER) {
		(void)snprintf(saw_r->why, sizeof saw_r->why,
		    "speaks at %s or later", stage_names[rule->own_stage]);
		return;
	}
	if (rule->verdict == RULE_GREYLIST) {
		say_waiting(
		    &message->facts, rule, recipient, holds, saw_r->fact);
		why = saw_r->fact;
	}
	(void)snprintf(saw_r->why, sizeof saw_r->why, "%s", why);
}
