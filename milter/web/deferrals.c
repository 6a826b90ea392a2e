/* What the journal tells of late, as a table with filters. */
#include "web/web_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "web/figures.h"
#include "web/form.h"

#define ADDRESS_SIZE  400
#define LOCATION_SIZE HTTP_VALUE_SIZE
#define HOUR	      INT64_C(3600)
#define HOURS_MAX     INT64_C(100000)

/* ---- The table */

static void
show_verdict(struct visit *visit, const struct journal_entry *entry)
{
	char span[WEB_SPAN_SIZE];

	switch (entry->kind) {
	case JOURNAL_PASS:
		web_span(ENGLISH, entry->waited, span);
		html(visit->out, "<td class=\"good\">passed after %s</td>",
		    span);
		break;
	case JOURNAL_OBSERVE:
		html_raw(visit->out, "<td class=\"soft\">on trial</td>");
		break;
	default:
		html_raw(visit->out, "<td class=\"wait\">deferred");
		if (entry->wait > 0) {
			web_span(ENGLISH, entry->wait, span);
			html(visit->out, " for %s", span);
		}
		html_raw(visit->out, "</td>");
	}
}

static void
show_entry(struct visit *visit, const struct journal_entry *entry)
{
	struct bytes_out *out = visit->out;

	html_raw(out, "<tr><td class=\"nowrap\">");
	web_time(visit, entry->at);
	html(out,
	    "</td><td><a class=\"mono\" href=\"client?address=%s\">%s</a>",
	    entry->client, entry->client);
	if (entry->name[0] != '\0')
		html(out, "<br><span class=\"soft\">%s</span>", entry->name);
	html_raw(out, "</td>");
	show_verdict(visit, entry);
	html(out, "<td>%s</td>", entry->rule);
	if (entry->has_score)
		html(out, "<td class=\"n\">%d</td>", entry->score);
	else
		html_raw(out, "<td class=\"n\">–</td>");
	html(out, "<td class=\"mono\">%s<br>", entry->sender);
	html(out, "%s%s</td>",
	    entry->recipient_hashes == 0 ? "" : entry->recipients[0],
	    entry->recipient_count > 1 ? " +" : "");
	/* Only what its sender was told has a page. */
	if (entry->kind == JOURNAL_DEFER)
		html(out, "<td><a class=\"mono\" href=\"%s\">%s</a>",
		    entry->reference, entry->reference);
	else
		html(out, "<td><span class=\"mono\">%s</span>",
		    entry->reference);
	html(
	    out, "<br><span class=\"soft\">%s</span></td></tr>\n", entry->host);
}

void
web_show_entries(struct visit *visit, const struct recent *recent)
{
	if (recent->result != STORE_OK)
		html_raw(visit->out,
		    "<p class=\"note\">The store does not tell.</p>\n");
	if (recent->count == 0) {
		html_raw(visit->out, "<p class=\"soft\">There are none.</p>\n");
		return;
	}
	html_raw(visit->out,
	    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"Table\"><table><thead><tr><th scope=\"col\">Time"
	    "</th><th scope=\"col\">Client</th><th scope=\"col\">What</th>"
	    "<th scope=\"col\">Rule</th><th scope=\"col\" class=\"n\">Score"
	    "</th><th scope=\"col\">Sender, recipient (hashed)</th><th "
	    "scope=\"col\">Reference, server</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < recent->count; i++)
		show_entry(visit, &recent->entries[i]);
	html_raw(visit->out, "</tbody></table></div>\n");
}

/* ---- What to look for */

/* The filters, as they stand in the query: addresses of mail are hashed before
 * they come there. */
struct filters {
	char client[NETWORK_TEXT_SIZE];
	char sender[STORE_NAME_SIZE];
	char recipient[STORE_NAME_SIZE];
	char rule[JOURNAL_NAME_SIZE];
	int64_t hours; /* 0: all that is kept */
};

static void
copy_query(
    const struct visit *visit, const char *name, char *value_r, size_t size)
{
	const char *value = http_value(visit->request, HTTP_QUERY, name);

	(void)snprintf(value_r, size, "%s", value == NULL ? "" : value);
}

static int64_t
read_number(const struct visit *visit, const char *name, int64_t most)
{
	const char *text = http_value(visit->request, HTTP_QUERY, name);
	int64_t number = 0;

	if (text != NULL)
		(void)decimal_read_all(text, strlen(text), most, &number);
	return number;
}

static void
read_filters(const struct visit *visit, struct filters *filters_r)
{
	copy_query(
	    visit, "client", filters_r->client, sizeof filters_r->client);
	copy_query(
	    visit, "sender", filters_r->sender, sizeof filters_r->sender);
	copy_query(visit, "recipient", filters_r->recipient,
	    sizeof filters_r->recipient);
	copy_query(visit, "rule", filters_r->rule, sizeof filters_r->rule);
	filters_r->hours = read_number(visit, "hours", HOURS_MAX);
}

/* Text for a query. */
static void
put_escaped(char *to, size_t size, const char *text)
{
	size_t length = strlen(to);

	for (; *text != '\0' && length + 4 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (ascii_is_alnum(*text) || strchr("-_.:/", c) != NULL)
			to[length++] = *text;
		else
			length += (size_t)snprintf(
			    to + length, size - length, "%%%02X", c);
	}
	to[length] = '\0';
}

static void
put_filter(char *to, size_t size, const char *name, const char *value)
{
	size_t length = strlen(to);

	if (value[0] == '\0')
		return;
	(void)snprintf(to + length, size - length,
	    "%c%s=", strchr(to, '?') == NULL ? '?' : '&', name);
	put_escaped(to, size, value);
}

static void
location_of(const struct filters *filters, char location_r[LOCATION_SIZE])
{
	char hours[DECIMAL_SIZE];

	(void)snprintf(location_r, LOCATION_SIZE, "deferrals");
	put_filter(location_r, LOCATION_SIZE, "client", filters->client);
	put_filter(location_r, LOCATION_SIZE, "sender", filters->sender);
	put_filter(location_r, LOCATION_SIZE, "recipient", filters->recipient);
	put_filter(location_r, LOCATION_SIZE, "rule", filters->rule);
	if (filters->hours > 0) {
		(void)decimal_write(filters->hours, hours);
		put_filter(location_r, LOCATION_SIZE, "hours", hours);
	}
}

/* A typed address, as its hash; what is no address, as it stands: it may be a
 * hash. */
static void
hash_field(struct visit *visit, const char *name,
    enum store_result (*hash)(
	struct store *store, const char *address, char hash_r[STORE_NAME_SIZE]),
    char value_r[STORE_NAME_SIZE])
{
	char typed[ADDRESS_SIZE];

	form_field(visit->request->body, name, typed, sizeof typed);
	if (strchr(typed, '@') == NULL ||
	    hash(visit->shared->store, typed, value_r) != STORE_OK)
		(void)snprintf(value_r, STORE_NAME_SIZE, "%.*s",
		    STORE_NAME_SIZE - 1, typed);
}

/* The form comes by POST, and leads to a query without addresses of mail: those
 * of a query stand in the logs of proxies. */
static void
take_form(struct visit *visit)
{
	struct filters filters = {.hours = 0};
	char location[LOCATION_SIZE], hours[DECIMAL_SIZE];
	const char *body = visit->request->body;

	form_field(body, "client", filters.client, sizeof filters.client);
	form_field(body, "rule", filters.rule, sizeof filters.rule);
	form_field(body, "hours", hours, sizeof hours);
	(void)decimal_read_all(hours, strlen(hours), HOURS_MAX, &filters.hours);
	hash_field(visit, "sender", journal_hash_sender, filters.sender);
	hash_field(
	    visit, "recipient", journal_hash_recipient, filters.recipient);
	location_of(&filters, location);
	web_redirect(visit, location);
}

/* ---- The page */

static void
show_input(
    struct visit *visit, const char *name, const char *label, const char *value)
{
	html(visit->out,
	    "<div><label for=\"%s\">%s</label><input id=\"%s\" name=\"%s\" "
	    "value=\"%s\" autocapitalize=\"none\" "
	    "autocomplete=\"off\"></div>\n",
	    name, label, name, name, value);
}

static void
show_rule_choice(struct visit *visit, const struct filters *filters)
{
	html_raw(visit->out,
	    "<div><label for=\"rule\">Rule</label><select id=\"rule\" "
	    "name=\"rule\"><option value=\"\">all</option>\n");
	for (size_t i = 0; i < visit->policy->rule_count; i++) {
		const char *name = visit->policy->rules[i].name;

		html(visit->out, "<option%s>%s</option>\n",
		    strcmp(name, filters->rule) == 0 ? " selected" : "", name);
	}
	html_raw(visit->out, "</select></div>\n");
}

static void
show_time_choice(struct visit *visit, const struct filters *filters)
{
	static const struct {
		int64_t hours;
		const char *text;
	} choices[] = {{0, "all that is kept"}, {1, "1 hour"}, {6, "6 hours"},
	    {24, "1 day"}, {168, "7 days"}};

	html_raw(visit->out,
	    "<div><label for=\"hours\">Of the last</label><select "
	    "id=\"hours\" name=\"hours\">\n");
	for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
		html(visit->out,
		    "<option value=\"%" PRId64 "\"%s>%s</option>\n",
		    choices[i].hours,
		    choices[i].hours == filters->hours ? " selected" : "",
		    choices[i].text);
	html_raw(visit->out, "</select></div>\n");
}

static void
show_filters(struct visit *visit, const struct filters *filters)
{
	html_raw(visit->out,
	    "<form class=\"card\" method=\"post\" action=\"deferrals\"><div "
	    "class=\"fields\">\n");
	show_input(visit, "client", "Client or network", filters->client);
	show_input(visit, "sender", "Sender", filters->sender);
	show_input(visit, "recipient", "Recipient", filters->recipient);
	show_rule_choice(visit, filters);
	show_time_choice(visit, filters);
	html_raw(visit->out, "<div><button>Show</button></div></div></form>\n");
}

/* False: what was typed is no network. */
static bool
make_wish(const struct visit *visit, const struct filters *filters,
    struct network *client_r, struct recent_wish *wish_r)
{
	char why[NETWORK_WHY_SIZE];

	memset(wish_r, 0, sizeof *wish_r);
	wish_r->most = RECENT_MAX;
	wish_r->query.before =
	    (uint64_t)read_number(visit, "before", INT64_MAX);
	if (filters->hours > 0)
		wish_r->query.since = visit->now - filters->hours * HOUR;
	(void)snprintf(wish_r->query.sender, sizeof wish_r->query.sender, "%s",
	    filters->sender);
	(void)snprintf(wish_r->query.recipient, sizeof wish_r->query.recipient,
	    "%s", filters->recipient);
	(void)snprintf(wish_r->rule, sizeof wish_r->rule, "%s", filters->rule);
	if (filters->client[0] == '\0')
		return true;
	wish_r->query.client = client_r;
	return network_parse(filters->client, client_r, why);
}

static void
show_older(struct visit *visit, const struct filters *filters, uint64_t next)
{
	char location[LOCATION_SIZE], before[DECIMAL_SIZE];

	location_of(filters, location);
	(void)decimal_write((int64_t)next, before);
	put_filter(location, sizeof location, "before", before);
	html(visit->out, "<p><a href=\"%s\">Older ones</a></p>\n", location);
}

static void
show_found(struct visit *visit, const struct filters *filters)
{
	struct network client;
	struct recent_wish wish;
	struct recent *recent;

	if (!make_wish(visit, filters, &client, &wish)) {
		html_raw(visit->out,
		    "<p class=\"note bad\" role=\"alert\">A client is an IP "
		    "address, or a network such as 192.0.2.0/24.</p>\n");
		return;
	}
	recent = recent_read(visit->shared->store, &wish);
	if (recent == NULL)
		return;
	html_raw(visit->out, "<section class=\"card\">");
	web_show_entries(visit, recent);
	if (recent->next != 0)
		show_older(visit, filters, recent->next);
	html_raw(visit->out, "</section>\n");
	free(recent);
}

void
web_deferrals(struct visit *visit)
{
	struct filters filters;

	if (visit->request->is_post) {
		take_form(visit);
		return;
	}
	visit->language = ENGLISH;
	read_filters(visit, &filters);
	web_begin(visit, "Deferrals", 0);
	html_raw(visit->out,
	    "<h1>Deferrals, and what passed after waiting</h1>\n<p "
	    "class=\"soft\">Addresses of mail are kept only as hashes: type "
	    "one to find what concerns it.</p>\n");
	show_filters(visit, &filters);
	show_found(visit, &filters);
	web_end(visit);
}
