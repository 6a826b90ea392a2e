#include <stdlib.h>
#include <string.h>

#include "config/conf_build.h"
#include "config/conf_value.h"

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
		if (strcmp(response_name(policy->responses[i]), name) == 0)
			return policy->responses[i];
	return NULL;
}

bool
conf_is_shipped(const char *name)
{
	for (size_t i = 0; i < shipped_text_count; i++)
		if (strcmp(shipped_texts[i].name, name) == 0)
			return true;
	return false;
}

static void
add_response(struct policy *policy, struct response *response)
{
	policy->responses[policy->response_count++] = response;
}

/* The log writes it without quotes. */
static bool
check_name(const struct conf_build *build, const struct conf_section *section)
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

	if (!check_name(build, section))
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

void
conf_read_responses(struct conf_build *build, const struct conf_tree *tree)
{
	struct policy *policy = build->policy;

	policy->responses =
	    calloc(tree->count + shipped_text_count, sizeof(struct response *));
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
