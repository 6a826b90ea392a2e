#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/near.h"
#include "config/conf_build.h"
#include "config/conf_value.h"
#include "mail/hostname.h"
#include "mail/netaddr.h"

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

/* What is wanted, and what is wrong with the unit. */
static bool
refuse_unit(const struct reading *reading, const char *wants)
{
	char why[CONF_VALUE_WHY_SIZE];

	conf_value_why(reading->text, wants, why);
	return refuse(reading, why);
}

/* The text is none of the words that are considered. */
static bool
refuse_word(
    const struct reading *reading, const char *why, const struct near *near)
{
	char like[NEAR_SIZE], text[CONF_VALUE_WHY_SIZE];

	near_say(near, like);
	(void)snprintf(text, sizeof text, "%s%s", why, like);
	return refuse(reading, text);
}

static bool
no_memory(const struct reading *reading)
{
	reading->build->out_of_memory = true;
	return false;
}

/* ---- Patterns that can match nothing of what they are for */

/* A pattern without * and ? is a text, and has to be one that can come. */
static bool
is_plain(const char *pattern)
{
	return strpbrk(pattern, "*?") == NULL;
}

/* The address of an envelope: local@domain.  Only postmaster may stand without a
 * domain (RFC 5321 4.5.1), and what programs of this host submit. */
static const char *
address_doubt(const char *pattern)
{
	const char *at = strrchr(pattern, '@');

	if (strcmp(pattern, "<>") == 0)
		return "the null sender matches no pattern; ask null_sender";
	if (strchr(pattern, '<') != NULL || strchr(pattern, '>') != NULL)
		return "addresses are compared without < and >";
	if (at == NULL && is_plain(pattern) && strpbrk(pattern, ".:/") != NULL)
		return "no address is without @; of a domain, all addresses "
		       "are \"*@example.org\"";
	if (at == pattern)
		return "no address begins with @; of a domain, all addresses "
		       "are \"*@example.org\"";
	if (at != NULL && at[1] == '\0')
		return "no address ends with @";
	if (at != NULL && at[1] == '.')
		return "no domain begins with a dot; all below it are "
		       "\"*@*.example.org\"";
	return NULL;
}

static const char *
name_doubt(const char *pattern)
{
	struct network network;
	char why[NETWORK_WHY_SIZE];

	if (strpbrk(pattern, "@/:[ ") != NULL)
		return "no host name has one of @ / : [ or a blank; for "
		       "addresses and networks there is client";
	if (is_plain(pattern) && network_parse(pattern, &network, why))
		return "that is an address, and no host name; for addresses "
		       "and networks there is client";
	if (pattern[0] == '.')
		return "no host name begins with a dot; all below a domain "
		       "are \"*.example.org\"";
	return NULL;
}

/* Whether only an address without a domain could match, which hardly ever comes. */
static bool
is_rare(const char *condition, const char *pattern)
{
	return (strcmp(condition, "sender") == 0 ||
		   (strcmp(condition, "recipient") == 0 &&
		       strcasecmp(pattern, "postmaster") != 0)) &&
	    is_plain(pattern) && strchr(pattern, '@') == NULL;
}

/* Why no text that this condition is about could match; NULL: one could. */
static const char *
pattern_doubt(const char *condition, const char *pattern)
{
	if (pattern[0] == '\0')
		return "an empty pattern matches nothing";
	if (strcmp(condition, "sender") == 0 ||
	    strcmp(condition, "recipient") == 0)
		return address_doubt(pattern);
	if (strcmp(condition, "client_name") == 0)
		return name_doubt(pattern);
	return NULL;
}

/* ---- Lists of values */

static bool
read_network(const struct reading *reading)
{
	char why[NETWORK_WHY_SIZE];

	if (network_parse(reading->text,
		&reading->condition->networks[reading->index], why))
		return true;
	if (strpbrk(reading->text, "/:") == NULL &&
	    hostname_is_valid(reading->text) &&
	    reading->text[strspn(reading->text, "0123456789.")] != '\0')
		return refuse(reading,
		    "not an IP address; for host names there is client_name");
	return refuse(reading, why);
}

static bool
read_glob(const struct reading *reading)
{
	char **glob = &reading->condition->globs[reading->index];
	const char *doubt =
	    pattern_doubt(reading->condition->type->name, reading->text);

	if (doubt != NULL)
		return refuse(reading, doubt);
	if (is_rare(reading->condition->type->name, reading->text))
		conf_warning(reading->build->report,
		    reading->item->lines[reading->index],
		    "%s \"%s\": matches only an address without @, which "
		    "hardly ever comes; \"%s@*\" matches it at any domain",
		    reading->item->name, reading->text, reading->text);
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
	struct near near;
	bool truth;

	if (!conf_value_bool(reading->text, &truth)) {
		near_begin(&near, reading->text);
		near_try_words(&near, "true");
		return refuse_word(reading, CONF_VALUE_WANTS_BOOL, &near);
	}
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
	    refuse_unit(reading, CONF_VALUE_WANTS_DURATION);
}

static bool
read_size(const struct reading *reading)
{
	return conf_value_size(reading->text, &reading->condition->number) ||
	    refuse_unit(reading, CONF_VALUE_WANTS_SIZE);
}

static bool
read_share(const struct reading *reading)
{
	return conf_value_percent(reading->text, &reading->condition->number) ||
	    refuse_unit(reading, CONF_VALUE_WANTS_PERCENT);
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

/* Where this value stands, to be told when its file is looked at. */
static char *
where(const struct reading *reading)
{
	int line = reading->item->lines[reading->index];
	const char *path = conf_origin(reading->build->report, &line);
	char text[CONF_PLACE_SIZE];

	(void)snprintf(text, sizeof text, "%s:%d", path, line);
	return strdup(text);
}

static bool
add_list(const struct reading *reading, const char *name, bool shared,
    unsigned kinds)
{
	struct policy *policy = reading->build->policy;
	struct list_source *list = &policy->lists[policy->list_count];

	*list = (struct list_source){.name = strdup(name),
	    .shared = shared,
	    .kinds = kinds,
	    .setting = condition_name(reading->condition),
	    .where = where(reading)};
	if (list->name != NULL && list->where != NULL) {
		policy->list_count++;
		return true;
	}
	free(list->name);
	free(list->where);
	return no_memory(reading);
}

/* One list may serve several conditions: an entry need match one of them. */
static bool
use_list(const struct reading *reading, const char *name, bool shared,
    unsigned kinds, int64_t *place_r)
{
	struct policy *policy = reading->build->policy;
	size_t at = 0;

	while (at < policy->list_count &&
	    (policy->lists[at].shared != shared ||
		strcmp(policy->lists[at].name, name) != 0))
		at++;
	if (at == LISTS_MAX)
		return refuse(reading, "there are too many different lists");
	if (at == policy->list_count && !add_list(reading, name, shared, kinds))
		return false;
	if (((policy->lists[at].kinds ^ kinds) & LIST_NUMBERS) != 0)
		return refuse(reading,
		    "a file has either entries or keys with numbers, and "
		    "another condition takes this one for the other");
	policy->lists[at].kinds |= kinds;
	*place_r = (int64_t)at;
	return true;
}

static bool
read_file(const struct reading *reading)
{
	if (reading->text[0] != '/')
		return refuse(reading, "a path that begins with / is needed");
	return use_list(reading, reading->text, false,
	    reading->condition->type->entries, &reading->condition->number);
}

static bool
read_shared(const struct reading *reading)
{
	if (reading->text[0] == '/')
		return refuse(reading,
		    "that is a path, and a shared list has a name; for a file "
		    "there are client_list, client_name_list, sender_list and "
		    "recipient_list");
	if (!conf_value_name(reading->text, " {}\"\\"))
		return refuse(reading,
		    "the store can have no list of this name: 1 to 80 letters "
		    "of printable ASCII without blanks, braces, quotes and "
		    "backslashes are needed");
	return use_list(reading, reading->text, true,
	    reading->condition->type->entries, &reading->condition->number);
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

static bool
refuse_dnsbl(const struct reading *reading, size_t length)
{
	const struct policy *policy = reading->build->policy;
	char name[CONF_VALUE_NAME_MAX + 1];
	struct near near;

	(void)snprintf(name, sizeof name, "%.*s", (int)length, reading->text);
	near_begin(&near, name);
	for (size_t i = 0; i < policy->dnsbl_count; i++)
		near_try(&near, policy->dnsbls[i].name,
		    strlen(policy->dnsbls[i].name));
	return refuse_word(
	    reading, "there is no section dnsbl of this name", &near);
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
		return refuse_dnsbl(reading, (size_t)(number - reading->text));
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
	struct near near;

	near_begin(&near, reading->text);
	near_try_words(&near, "none neutral pass fail softfail permerror");
	while (strcasecmp(spf_result_names[result], reading->text) != 0)
		if (++result == SPF_RESULTS)
			return refuse_word(reading,
			    "none, neutral, pass, fail, softfail or permerror "
			    "is needed",
			    &near);
	reading->condition->results[reading->index] = result;
	return result != SPF_TEMPERROR ||
	    refuse(reading,
		"what the DNS could not tell is unknown, so that a rule "
		"with it would never hold");
}

/* "file:/path": numbers for users, senders or their domains. */
static bool
read_numbers(const struct reading *reading, bool *is_file_r)
{
	const char *path = reading->text + strlen("file:");
	int64_t place;

	*is_file_r = strncmp(reading->text, "file:", strlen("file:")) == 0;
	if (!*is_file_r)
		return false;
	if (*path != '/')
		return refuse(reading,
		    "a path that begins with / is needed behind file:");
	if (!use_list(reading, path, false, LIST_NUMBERS, &place))
		return false;
	reading->condition->numbers = (size_t)place + 1;
	return true;
}

static bool
is_distinct(const struct condition *condition)
{
	return condition->type->counts == LIMIT_DISTINCT_SENDERS ||
	    condition->type->counts == LIMIT_DISTINCT_RECIPIENTS;
}

static bool
read_limit(const struct reading *reading)
{
	int64_t *above = &reading->condition->above;
	bool is_file;

	if (read_numbers(reading, &is_file) || is_file)
		return reading->condition->numbers != 0;
	if (!conf_value_number(reading->text, above))
		return refuse(reading, CONF_VALUE_WANTS_NUMBER);
	if (*above == 0)
		return refuse(reading,
		    "a limit below one lets nothing through, ever: it has to "
		    "be from 1 to 1000000000");
	if (is_distinct(reading->condition) && *above > LIMIT_DISTINCT_MAX)
		return refuse(reading, "it has to be from 1 to 10000");
	return *above <= COUNT_MAX ||
	    refuse(reading, "it has to be from 1 to 1000000000");
}

static bool
read_octets(const struct reading *reading)
{
	int64_t *above = &reading->condition->above;
	bool is_file;

	if (read_numbers(reading, &is_file) || is_file)
		return reading->condition->numbers != 0;
	if (!conf_value_size(reading->text, above))
		return refuse_unit(reading, CONF_VALUE_WANTS_SIZE);
	*above /= LIMIT_OCTET_UNIT;
	return (*above >= 1 && *above <= COUNT_MAX) ||
	    refuse(reading, "it has to be from 1k to 900G");
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
    [VALUE_OCTETS] = {read_octets, 0},
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
conf_read_condition(struct conf_build *build, const struct conf_item *item,
    struct condition *condition_r)
{
	const struct reader *reader = &readers[condition_r->type->kind];
	struct reading reading = {
	    .build = build, .item = item, .condition = condition_r};
	bool good = true;

	if (item->count == 0) {
		conf_error(build->report, item->line,
		    "%s: an empty list would %s match", item->name,
		    condition_r->negated ? "always" : "never");
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
