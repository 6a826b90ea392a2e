/* What milter-defer -t shows of a policy, and what it looks at besides. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "config/conf.h"
#include "config/conf_build.h"
#include "config/conf_value.h"
#include "mail/list_file.h"

#define WIDTH  96
#define INDENT 11 /* of what belongs to a rule */

/* ---- Values of conditions */

static void
say_hours(const struct hours *hours, char text_r[CONF_WORDS_SIZE])
{
	static const char *const days[] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	char list[32] = "";
	size_t at = 0;

	for (int day = 0; day < 7 && hours->weekdays != 0x7f; day++)
		if ((hours->weekdays >> day & 1) != 0)
			at += (size_t)snprintf(list + at, sizeof list - at,
			    "%s%s", at == 0 ? "" : ",", days[day]);
	(void)snprintf(text_r, CONF_WORDS_SIZE, "%s%s%02d:%02d-%02d:%02d", list,
	    at == 0 ? "" : " ", hours->from / 60, hours->from % 60,
	    hours->to / 60, hours->to % 60);
}

static void
say_share(int64_t hundredths, char text_r[CONF_WORDS_SIZE])
{
	(void)snprintf(
	    text_r, CONF_WORDS_SIZE, "%g%%", (double)hundredths / 100);
}

static void
say_list_value(const struct condition *condition, size_t index,
    char text_r[CONF_WORDS_SIZE])
{
	switch (condition->type->kind) {
	case VALUE_NETWORKS:
		network_format(&condition->networks[index], text_r);
		break;
	case VALUE_GLOBS:
		(void)snprintf(
		    text_r, CONF_WORDS_SIZE, "%s", condition->globs[index]);
		break;
	case VALUE_HEADERS:
		(void)snprintf(text_r, CONF_WORDS_SIZE, "%s: %s",
		    condition->headers[index].name,
		    condition->headers[index].pattern);
		break;
	case VALUE_SPF:
		(void)snprintf(text_r, CONF_WORDS_SIZE, "%s",
		    spf_result_names[condition->results[index]]);
		break;
	case VALUE_HOURS:
		say_hours(&condition->hours[index], text_r);
		break;
	default:
		break;
	}
}

static void
say_limit(const struct policy *policy, const struct condition *condition,
    char text_r[CONF_WORDS_SIZE])
{
	if (condition->numbers != 0)
		(void)snprintf(text_r, CONF_WORDS_SIZE, "file:%s",
		    policy->lists[condition->numbers - 1].name);
	else if (condition->type->kind == VALUE_OCTETS)
		conf_value_say_size(
		    condition->above * LIMIT_OCTET_UNIT, text_r);
	else
		conf_value_say_number(condition->above, text_r);
}

static void
say_single_value(const struct policy *policy, const struct condition *condition,
    char text_r[CONF_WORDS_SIZE])
{
	size_t place = (size_t)condition->number;

	switch (condition->type->kind) {
	case VALUE_REAL:
		(void)snprintf(text_r, CONF_WORDS_SIZE, "%g", condition->real);
		break;
	case VALUE_DURATION:
		conf_value_say_duration(condition->number, text_r);
		break;
	case VALUE_SIZE:
		conf_value_say_size(condition->number, text_r);
		break;
	case VALUE_SHARE:
		say_share(condition->number, text_r);
		break;
	case VALUE_HEADER_NUMBER:
		(void)snprintf(text_r, CONF_WORDS_SIZE, "%s: %g",
		    condition->header, condition->real);
		break;
	case VALUE_LOAD:
		(void)snprintf(
		    text_r, CONF_WORDS_SIZE, "%g", policy->thresholds[place]);
		break;
	case VALUE_FILE:
	case VALUE_SHARED:
		(void)snprintf(
		    text_r, CONF_WORDS_SIZE, "%s", policy->lists[place].name);
		break;
	case VALUE_DNSBL:
		(void)snprintf(text_r, CONF_WORDS_SIZE, "%s: %" PRId64,
		    policy->dnsbls[place].name, condition->bound);
		break;
	case VALUE_LIMIT:
	case VALUE_OCTETS:
		say_limit(policy, condition, text_r);
		break;
	case VALUE_TRUE:
		(void)snprintf(text_r, CONF_WORDS_SIZE, "true");
		break;
	default:
		conf_value_say_number(condition->number, text_r);
		break;
	}
}

size_t
conf_words_count(const struct condition *condition)
{
	return condition->count == 0 ? 1 : condition->count;
}

void
conf_words_value(const struct policy *policy, const struct condition *condition,
    size_t index, char text_r[CONF_WORDS_SIZE])
{
	text_r[0] = '\0';
	if (index < condition->count)
		say_list_value(condition, index, text_r);
	else if (index == 0)
		say_single_value(policy, condition, text_r);
}

/* ---- Settings */

static void
describe_store(const struct settings *settings, FILE *out)
{
	static const char *const modes[] = {"", "sentinel ", "cluster "};
	char *const *server = settings->redis.servers;
	char memory[CONF_VALUE_SIZE];

	if (*server == NULL) {
		conf_value_say_size(settings->store.memory_max, memory);
		(void)fprintf(out, "store       embedded, at most %s%s%s\n",
		    memory,
		    settings->store.file[0] == '\0' ? "" : ", saved in ",
		    settings->store.file);
		return;
	}
	(void)fprintf(out, "store       Redis %s", modes[settings->redis.mode]);
	for (; *server != NULL; server++)
		(void)fprintf(
		    out, "%s%s", *server, server[1] == NULL ? "\n" : ", ");
}

static void
describe_greylisting(const struct settings *settings, FILE *out)
{
	char window[CONF_VALUE_SIZE], keep[CONF_VALUE_SIZE];
	char cap[CONF_VALUE_SIZE];

	conf_value_say_duration(settings->retry_window, window);
	conf_value_say_duration(settings->keep, keep);
	conf_value_say_duration(settings->delay_cap, cap);
	(void)fprintf(out,
	    "greylisting retry window %s, pass kept %s, delay cap %s\n", window,
	    keep, settings->delay_cap == 0 ? "none" : cap);
	(void)fprintf(out,
	    "client      %s/%" PRId64 ", /%" PRId64 ", known after %" PRId64
	    " passes\n",
	    settings->identity == IDENTITY_POOL		 ? "its pool, else "
		: settings->identity == IDENTITY_NETWORK ? "its network, "
							 : "its address, in ",
	    settings->network_ipv4, settings->network_ipv6,
	    settings->known_after);
}

static void
describe_dns(const struct policy *policy, FILE *out)
{
	static const char *const of[] = {
	    "client", "client name", "helo", "sender domain"};
	char *const *server = policy->settings.dns.servers;

	if (*server == NULL)
		return;
	(void)fprintf(out, "DNS         ");
	for (; *server != NULL; server++)
		(void)fprintf(
		    out, "%s%s", *server, server[1] == NULL ? "\n" : ", ");
	for (size_t i = 0; i < policy->dnsbl_count; i++) {
		const struct dnsbl *dnsbl = &policy->dnsbls[i];

		for (size_t j = 0; j < dnsbl->list_count; j++)
			(void)fprintf(out,
			    "dnsbl       %s (%s): %s, weight %d\n", dnsbl->name,
			    of[dnsbl->of], dnsbl->lists[j].zone,
			    dnsbl->lists[j].weight);
	}
}

/* ---- Conditions */

/* Print a word with a blank before it, on a new line if it does not fit. */
static void
put_word(FILE *out, const char *word, size_t length, int *column)
{
	if (*column + 1 + (int)length > WIDTH) {
		*column = INDENT + 2;
		(void)fprintf(out, "\n%*s", *column, "");
	}
	(void)fprintf(out, " %.*s", (int)length, word);
	*column += 1 + (int)length;
}

/* The same with each word of a text. */
static void
put_text(FILE *out, const char *text, int *column)
{
	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		if (length > 0)
			put_word(out, text, length, column);
		text += length + (text[length] == ' ' ? 1 : 0);
	}
}

static void
describe_limit(const struct condition *limit, FILE *out, int *column)
{
	static const char *const per[] = {"network", "host", "sender_domain",
	    "user", "all", "sender", "server", "recipient"};
	char period[CONF_VALUE_SIZE], text[CONF_WORDS_SIZE];

	conf_value_say_duration(limit->period, period);
	(void)snprintf(text, sizeof text, "within %s per %s%s", period,
	    per[limit->by], limit->scaled ? ", scaled by reputation" : "");
	put_text(out, text, column);
}

static void
describe_condition(const struct policy *policy,
    const struct condition *condition, const char *conjunction, FILE *out)
{
	size_t count = conf_words_count(condition);
	int column = INDENT + 3;
	char value[CONF_WORDS_SIZE + 2];

	(void)fprintf(out, "%*s%-4s", INDENT - 1, "", conjunction);
	put_text(out, condition_name(condition), &column);
	put_text(out, "=", &column);
	for (size_t i = 0; i < count; i++) {
		conf_words_value(policy, condition, i, value);
		if (i + 1 < count)
			strcat(value, ",");
		put_word(out, value, strlen(value), &column);
	}
	if (condition_counts(condition))
		describe_limit(condition, out, &column);
	(void)fprintf(out, "\n");
}

/* ---- Rules */

static void
describe_stages(unsigned mask, FILE *out)
{
	const char *between = "";

	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		if ((mask >> stage & 1U) == 0)
			continue;
		(void)fprintf(out, "%s%s", between, stage_names[stage]);
		between = ", ";
	}
}

static void
describe_reply(const struct response *reply, FILE *out)
{
	for (size_t i = 0; i < reply->line_count; i++) {
		int column = INDENT + 2;

		(void)fprintf(out, "%*s", column, "");
		put_text(out, reply->lines[i].whole, &column);
		(void)fprintf(out, "\n");
	}
}

static void
describe_verdict(
    const struct policy *policy, const struct rule *rule, FILE *out)
{
	char delay[CONF_VALUE_SIZE], cap[CONF_VALUE_SIZE];

	(void)fprintf(out, "%*s-> ", INDENT, "");
	switch (rule->verdict) {
	case RULE_ACCEPT:
		(void)fprintf(out, "accept");
		break;
	case RULE_DEFER:
		conf_value_say_duration(rule->wait, delay);
		(void)fprintf(out, "defer, wait %s", delay);
		break;
	case RULE_GREYLIST:
		conf_value_say_duration(rule->terms.delay, delay);
		(void)fprintf(out, "greylist by %s for %s",
		    rule->by == BY_TRIPLET ? "triplet" : "client", delay);
		break;
	}
	conf_value_say_duration(policy->settings.delay_cap, cap);
	if (conf_is_endless(policy, rule))
		(void)fprintf(out, ", without end");
	else if (policy_caps(policy, rule) && rule->own_stage == STAGE_MAIL)
		(void)fprintf(out, ", as long as it holds");
	else if (policy_caps(policy, rule))
		(void)fprintf(out, ", at most %s in all", cap);
	if (rule->observe)
		(void)fprintf(out, "  (observed only)");
	(void)fprintf(out, "\n");
	if (rule->reply != NULL)
		describe_reply(rule->reply, out);
}

static void
describe_rule(const struct policy *policy, const struct rule *rule, FILE *out)
{
	(void)fprintf(out, "\n%3zu  %-4s  %s", rule->index + 1,
	    stage_names[rule->own_stage], rule->name);
	if ((rule->stage_mask & ~(1U << rule->own_stage)) != 0) {
		(void)fprintf(out, "   [speaks at ");
		describe_stages(rule->stage_mask, out);
		(void)fprintf(out, "]");
	}
	(void)fprintf(out, "%s\n",
	    (rule->verdict == RULE_GREYLIST || conf_rule_asks(rule, ASKS_STORE))
		? "   [store]"
		: "");
	for (size_t i = 0; i < rule->condition_count; i++)
		describe_condition(
		    policy, &rule->conditions[i], i == 0 ? " if" : " and", out);
	describe_verdict(policy, rule, out);
}

void
conf_describe(const struct policy *policy, FILE *out)
{
	const struct settings *settings = &policy->settings;

	(void)fprintf(out, "socket      %s\n", settings->socket);
	describe_store(settings, out);
	describe_greylisting(settings, out);
	describe_dns(policy, out);
	(void)fprintf(out, "answers     ");
	describe_stages(policy->stage_mask, out);
	(void)fprintf(out, "\n");
	if (settings->observe)
		(void)fprintf(out,
		    "observe     true: nothing is deferred, only logged\n");
	(void)fprintf(out,
	    "\n%zu rules, tried from the top; the first that holds speaks.\n"
	    "No.  when  rule\n",
	    policy->rule_count);
	for (size_t i = 0; i < policy->rule_count; i++)
		describe_rule(policy, &policy->rules[i], out);
	(void)fprintf(out, "\n  -  %-4s  otherwise\n%*s-> accept\n",
	    stage_names[policy->last_stage], INDENT, "");
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
