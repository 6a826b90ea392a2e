#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "config/conf_build.h"
#include "config/conf_value.h"

#define COUNT_MAX INT64_C(1000000000)
#define PORT_MAX  65535
#define SCORE_MAX 100.0
#define SUM_MAX	  100000.0

/* One value in the hand of its reader. */
struct reading {
	struct conf_build *build;
	const struct conf_item *item;
	size_t index; /* which value of the list */
	const char *text;
	struct condition *condition;
};

static bool
refuse(const struct reading *reading, const char *why)
{
	conf_refuse(reading->build, reading->item, reading->index, why);
	return false;
}

static bool
no_memory(const struct reading *reading)
{
	reading->build->out_of_memory = true;
	return false;
}

/* ---- Lists of values */

static bool
read_network(const struct reading *reading)
{
	char why[NETWORK_WHY_SIZE];

	return network_parse(reading->text,
		   &reading->condition->networks[reading->index], why) ||
	    refuse(reading, why);
}

static bool
read_glob(const struct reading *reading)
{
	char **glob = &reading->condition->globs[reading->index];

	if (reading->text[0] == '\0')
		return refuse(reading, "an empty pattern matches nothing");
	*glob = strdup(reading->text);
	return *glob != NULL || no_memory(reading);
}

static bool
read_hours(const struct reading *reading)
{
	return conf_value_hours(
		   reading->text, &reading->condition->hours[reading->index]) ||
	    refuse(reading, CONF_VALUE_WANTS_HOURS);
}

bool
conf_add_header(
    struct conf_build *build, int line, const char *name, size_t length)
{
	struct policy *policy = build->policy;

	for (size_t i = 0; i < policy->header_count; i++)
		if (strlen(policy->headers[i]) == length &&
		    strncasecmp(policy->headers[i], name, length) == 0)
			return true;
	if (policy->header_count == HEADERS_MAX) {
		conf_error(build->report, line,
		    "at most %d different headers can be read", HEADERS_MAX);
		return false;
	}
	policy->headers[policy->header_count] = strndup(name, length);
	if (policy->headers[policy->header_count] == NULL) {
		build->out_of_memory = true;
		return false;
	}
	policy->header_count++;
	return true;
}

/* Cut "Name: text" and have the policy read that header. */
static bool
take_header(const struct reading *reading, char **name_r, const char **text_r)
{
	size_t length;

	if (!conf_value_header(reading->text, &length, text_r))
		return refuse(reading, CONF_VALUE_WANTS_HEADER);
	if (!conf_add_header(reading->build,
		reading->item->lines[reading->index], reading->text, length))
		return false;
	*name_r = strndup(reading->text, length);
	return *name_r != NULL || no_memory(reading);
}

static bool
read_header(const struct reading *reading)
{
	struct header_pattern *pattern =
	    &reading->condition->headers[reading->index];
	const char *text;

	if (!take_header(reading, &pattern->name, &text))
		return false;
	pattern->pattern = strdup(text);
	return pattern->pattern != NULL || no_memory(reading);
}

/* ---- Single values */

static bool
read_true(const struct reading *reading)
{
	bool truth;

	if (!conf_value_bool(reading->text, &truth))
		return refuse(reading, CONF_VALUE_WANTS_BOOL);
	return truth ||
	    refuse(
		reading, "only true can be asked for; leave the condition out");
}

static bool
read_number(const struct reading *reading)
{
	int64_t *number = &reading->condition->number;

	if (!conf_value_number(reading->text, number))
		return refuse(reading, CONF_VALUE_WANTS_NUMBER);
	return *number <= COUNT_MAX ||
	    refuse(reading, "it has to be from 0 to 1000000000");
}

static bool
read_port(const struct reading *reading)
{
	int64_t *number = &reading->condition->number;

	if (!conf_value_number(reading->text, number))
		return refuse(reading, CONF_VALUE_WANTS_NUMBER);
	return (*number >= 1 && *number <= PORT_MAX) ||
	    refuse(reading, "it has to be from 1 to 65535");
}

static bool
read_score(const struct reading *reading)
{
	double *score = &reading->condition->real;

	if (!conf_value_real(reading->text, score))
		return refuse(reading, CONF_VALUE_WANTS_REAL);
	return (*score >= -SCORE_MAX && *score <= SCORE_MAX) ||
	    refuse(reading, "it has to be from -100 to 100");
}

static bool
read_duration(const struct reading *reading)
{
	return conf_value_duration(
		   reading->text, &reading->condition->number) ||
	    refuse(reading, CONF_VALUE_WANTS_DURATION);
}

static bool
read_size(const struct reading *reading)
{
	return conf_value_size(reading->text, &reading->condition->number) ||
	    refuse(reading, CONF_VALUE_WANTS_SIZE);
}

static bool
read_share(const struct reading *reading)
{
	return conf_value_percent(reading->text, &reading->condition->number) ||
	    refuse(reading, CONF_VALUE_WANTS_PERCENT);
}

static bool
read_header_number(const struct reading *reading)
{
	struct condition *condition = reading->condition;
	const char *text;

	if (!take_header(reading, &condition->header, &text))
		return false;
	return conf_value_real(text, &condition->real) ||
	    refuse(reading,
		"a header and a number are needed, such as "
		"\"X-Spam-Score: 5\"");
}

/* ---- What the policy keeps in a table of its own */

static bool
read_load(const struct reading *reading)
{
	struct policy *policy = reading->build->policy;
	size_t at = 0;
	double load;

	if (!conf_value_real(reading->text, &load))
		return refuse(reading, CONF_VALUE_WANTS_REAL);
	if (load <= 0 || load > LOAD_MAX)
		return refuse(reading, "it has to be above 0, and at most 100");
	while (at < policy->threshold_count && policy->thresholds[at] != load)
		at++;
	if (at == THRESHOLDS_MAX)
		return refuse(reading, "there are too many different loads");
	if (at == policy->threshold_count)
		policy->thresholds[policy->threshold_count++] = load;
	reading->condition->number = (int64_t)at;
	return true;
}

static bool
use_list(const struct reading *reading, bool shared)
{
	struct policy *policy = reading->build->policy;
	size_t at = 0;

	while (at < policy->list_count &&
	    (policy->lists[at].shared != shared ||
		strcmp(policy->lists[at].name, reading->text) != 0))
		at++;
	if (at == LISTS_MAX)
		return refuse(reading, "there are too many different lists");
	if (at == policy->list_count) {
		policy->lists[at].name = strdup(reading->text);
		if (policy->lists[at].name == NULL)
			return no_memory(reading);
		policy->lists[at].shared = shared;
		policy->list_count++;
	}
	reading->condition->number = (int64_t)at;
	return true;
}

static bool
read_file(const struct reading *reading)
{
	if (reading->text[0] != '/')
		return refuse(reading, "a path that begins with / is needed");
	return use_list(reading, false);
}

static bool
read_shared(const struct reading *reading)
{
	if (reading->text[0] == '\0' ||
	    !ascii_is_printable(reading->text, " {}"))
		return refuse(reading,
		    "printable ASCII without blanks and braces is needed");
	return use_list(reading, true);
}

static bool
find_dnsbl(const struct policy *policy, const char *name, size_t length,
    int64_t *place_r)
{
	for (size_t i = 0; i < policy->dnsbl_count; i++) {
		const char *other = policy->dnsbls[i].name;

		if (strlen(other) == length &&
		    memcmp(other, name, length) == 0) {
			*place_r = (int64_t)i;
			return true;
		}
	}
	return false;
}

/* "name: number", or the number alone where there is but one section. */
static bool
read_dnsbl(const struct reading *reading)
{
	struct condition *condition = reading->condition;
	const struct policy *policy = reading->build->policy;
	const char *number = strchr(reading->text, ':');
	double bound;

	if (number == NULL && policy->dnsbl_count != 1)
		return refuse(reading,
		    "it has to name a section dnsbl, as in \"name: 3\"");
	if (number != NULL &&
	    !find_dnsbl(policy, reading->text, (size_t)(number - reading->text),
		&condition->number))
		return refuse(
		    reading, "there is no section dnsbl of this name");
	number = number == NULL ? reading->text : number + 1;
	number += strspn(number, " ");
	if (!conf_value_real(number, &bound) || bound != rint(bound) ||
	    fabs(bound) > SUM_MAX)
		return refuse(reading,
		    "a whole number from -100000 to 100000 is needed, as in "
		    "\"name: 3\"");
	condition->bound = (int64_t)bound;
	return true;
}

/* What the DNS did not tell is unknown, and no rule holds by it. */
static bool
read_result(const struct reading *reading)
{
	enum spf_result result = SPF_NONE;

	while (strcasecmp(spf_result_names[result], reading->text) != 0)
		if (++result == SPF_RESULTS)
			return refuse(reading,
			    "none, neutral, pass, fail, softfail or permerror "
			    "is needed");
	reading->condition->results[reading->index] = result;
	return result != SPF_TEMPERROR ||
	    refuse(reading,
		"what the DNS could not tell is unknown, so that a rule "
		"with it would never hold");
}

static bool
read_limit(const struct reading *reading)
{
	int64_t *above = &reading->condition->above;

	if (!conf_value_number(reading->text, above))
		return refuse(reading, CONF_VALUE_WANTS_NUMBER);
	return (*above >= 1 && *above <= COUNT_MAX) ||
	    refuse(reading, "it has to be from 1 to 1000000000");
}

/* ---- All kinds */

/* `element` is the size of one entry of the condition's array, 0 for a
 * condition of one value. */
static const struct reader {
	bool (*read)(const struct reading *reading);
	size_t element;
} readers[] = {
    [VALUE_NETWORKS] = {read_network, sizeof(struct network)},
    [VALUE_GLOBS] = {read_glob, sizeof(char *)},
    [VALUE_TRUE] = {read_true, 0},
    [VALUE_NUMBER] = {read_number, 0},
    [VALUE_PORT] = {read_port, 0},
    [VALUE_REAL] = {read_score, 0},
    [VALUE_DURATION] = {read_duration, 0},
    [VALUE_SIZE] = {read_size, 0},
    [VALUE_SHARE] = {read_share, 0},
    [VALUE_HEADERS] = {read_header, sizeof(struct header_pattern)},
    [VALUE_HEADER_NUMBER] = {read_header_number, 0},
    [VALUE_HOURS] = {read_hours, sizeof(struct hours)},
    [VALUE_LOAD] = {read_load, 0},
    [VALUE_FILE] = {read_file, 0},
    [VALUE_SHARED] = {read_shared, 0},
    [VALUE_DNSBL] = {read_dnsbl, 0},
    [VALUE_SPF] = {read_result, sizeof(enum spf_result)},
    [VALUE_LIMIT] = {read_limit, 0},
};

/* Room for all values of a list. */
static bool
make_array(struct reading *reading, size_t element)
{
	struct condition *condition = reading->condition;
	size_t count = reading->item->count;

	if (element == 0) {
		if (count == 1)
			return true;
		reading->index = 1;
		return refuse(reading, "one value is needed, not a list");
	}
	condition->array = calloc(count, element);
	if (condition->array == NULL)
		return no_memory(reading);
	condition->count = count;
	return true;
}

bool
conf_read_condition(struct conf_build *build, const struct condition_type *type,
    const struct conf_item *item, struct condition *condition_r)
{
	const struct reader *reader = &readers[type->kind];
	struct reading reading = {
	    .build = build, .item = item, .condition = condition_r};
	bool good = true;

	condition_r->type = type;
	if (item->count == 0) {
		conf_error(build->report, item->line,
		    "%s: an empty list would never match", item->name);
		return false;
	}
	if (!make_array(&reading, reader->element))
		return false;
	for (; reading.index < item->count; reading.index++) {
		reading.text = item->values[reading.index];
		good = reader->read(&reading) && good;
	}
	return good;
}
