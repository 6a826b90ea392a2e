#include "config/conf_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/conf_value.h"

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
