/* A client, as `milter-deferctl show` shows it, and what may be done about it: the
 * same commands, and the same lines in the log. */
#include "web/web_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "web/figures.h"
#include "web/form.h"

#define WORDS_MAX   6
#define OBJECTS_MAX 500 /* that one command may show */

/* ---- Running a command */

/* What it has said so far. */
struct shown {
	struct visit *visit;
	const struct ctl_command *command;
	const struct ctl_layout *table; /* that is open; or NULL */
	size_t objects;
};

static void
put_number(struct visit *visit, double value, enum ctl_format format)
{
	char span[WEB_SPAN_SIZE];

	switch (format) {
	case CTL_TIME:
		web_time(visit, (int64_t)value);
		break;
	case CTL_AGO:
		web_span(ENGLISH, visit->now - (int64_t)value, span);
		html(visit->out, "%s ago", span);
		break;
	case CTL_UNTIL:
		web_span(ENGLISH, (int64_t)value - visit->now, span);
		html(visit->out, "in %s", span);
		break;
	case CTL_SPAN:
		web_span(ENGLISH, (int64_t)value, span);
		html(visit->out, "%s", span);
		break;
	default:
		if (value == (double)(int64_t)value)
			html(visit->out, "%" PRId64, (int64_t)value);
		else
			html(visit->out, "%.2f", value);
	}
}

static void
put_value(struct visit *visit, const json_t *value, enum ctl_format format)
{
	size_t i;
	json_t *each;

	if (json_is_string(value))
		html_text(visit->out, json_string_value(value));
	else if (json_is_number(value))
		put_number(visit, json_number_value(value), format);
	else if (json_is_boolean(value))
		html_raw(visit->out, json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value) && format != CTL_SPARK) {
		json_array_foreach(value, i, each)
		{
			if (i > 0)
				html_raw(visit->out, ", ");
			if (json_is_string(each))
				html_text(visit->out, json_string_value(each));
			else if (json_is_number(each))
				put_number(
				    visit, json_number_value(each), format);
		}
	}
}

static void
end_table(struct shown *shown)
{
	if (shown->table != NULL)
		html_raw(shown->visit->out, "</tbody></table></div>\n");
	shown->table = NULL;
}

static void
begin_table(struct shown *shown, const struct ctl_layout *layout)
{
	struct bytes_out *out = shown->visit->out;

	shown->table = layout;
	html_raw(out,
	    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
	    "aria-label=\"Table\"><table><thead><tr>");
	for (const struct ctl_column *column = layout->columns;
	     column->key != NULL; column++)
		html(out, "<th scope=\"col\">%s</th>", column->title);
	html_raw(out, "</tr></thead><tbody>\n");
}

static void
show_row(struct shown *shown, const json_t *object)
{
	struct visit *visit = shown->visit;

	html_raw(visit->out, "<tr>");
	for (const struct ctl_column *column = shown->table->columns;
	     column->key != NULL; column++) {
		html_raw(visit->out, "<td>");
		put_value(visit, json_object_get(object, column->key),
		    column->format);
		html_raw(visit->out, "</td>");
	}
	html_raw(visit->out, "</tr>\n");
}

static void
show_list(struct visit *visit, const struct ctl_layout *layout, json_t *object)
{
	html_raw(visit->out, "<dl class=\"facts\">\n");
	for (const struct ctl_column *column = layout->columns;
	     column->key != NULL; column++) {
		const json_t *value = json_object_get(object, column->key);

		if (value == NULL || json_is_null(value))
			continue;
		html(visit->out, "<dt>%s</dt><dd>", column->title);
		put_value(visit, value, column->format);
		html_raw(visit->out, "</dd>\n");
	}
	html_raw(visit->out, "</dl>\n");
}

/* Of a kind that nobody laid out: a sentence, or name by name. */
static void
show_plain(struct visit *visit, const char *kind, json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "text"));
	const char *name;
	json_t *value;

	if (text != NULL) {
		html(visit->out, "<p class=\"note%s\">%s</p>\n",
		    strcmp(kind, "error") == 0 ? " bad" : "", text);
		return;
	}
	html_raw(visit->out, "<dl class=\"facts\">\n");
	json_object_foreach(object, name, value)
	{
		if (strcmp(name, "kind") == 0)
			continue;
		html(visit->out, "<dt>%s</dt><dd>", name);
		put_value(visit, value, CTL_TEXT);
		html_raw(visit->out, "</dd>\n");
	}
	html_raw(visit->out, "</dl>\n");
}

static bool
show_object(void *arg, const json_t *object)
{
	struct shown *shown = arg;
	json_t *borrowed = (json_t *)object; /* jansson's getters want it so */
	const char *kind = json_string_value(json_object_get(borrowed, "kind"));
	const struct ctl_layout *layout =
	    ctl_layout(shown->command, kind == NULL ? "" : kind);

	if (shown->table != layout || layout == NULL)
		end_table(shown);
	if (layout == NULL)
		show_plain(shown->visit, kind == NULL ? "" : kind, borrowed);
	else if (!layout->is_table)
		show_list(shown->visit, layout, borrowed);
	else {
		if (shown->table == NULL)
			begin_table(shown, layout);
		show_row(shown, borrowed);
	}
	return ++shown->objects < OBJECTS_MAX;
}

static bool
never_wait(void *arg, int64_t ms)
{
	(void)arg;
	(void)ms;
	return false;
}

/* Run a command of milter-deferctl for this user, and show what it says. */
static void
run(struct visit *visit, const char *const *words, size_t count)
{
	char why[CTL_WHY_SIZE], who[USER_NAME_SIZE + 4];
	size_t used;
	struct shown shown = {
	    .visit = visit, .command = ctl_find(count, words, &used)};
	struct ctl ctl = {.file = "",
	    .policy = (struct policy *)visit->policy,
	    .store = visit->shared->store,
	    .shared = visit->shared,
	    .user = who,
	    .uid = geteuid(),
	    .may_change = visit->user.role == ROLE_CHANGE,
	    .io = {.emit = show_object, .wait = never_wait, .arg = &shown}};
	struct ctl_args *args = calloc(1, sizeof *args);

	/* As the log has it. */
	(void)snprintf(who, sizeof who, "web:%s", visit->user.name);
	if (args == NULL || shown.command == NULL)
		html_raw(visit->out,
		    "<p class=\"note\">This is not to be had.</p>\n");
	else if (!ctl_parse(
		     shown.command, count - used, words + used, args, why))
		html(visit->out, "<p class=\"note bad\">%s</p>\n", why);
	else
		(void)ctl_run(&ctl, args);
	end_table(&shown);
	free(args);
}

/* ---- What may be done */

/* Commands that one may send from here, each with the client's address and, if it
 * takes one, a time. */
static const struct lever {
	const char *command;
	const char *text;
	bool lasts;
} levers[] = {
    {"pass", "Let pass", true},
    {"block", "Block", true},
    {"forget", "Forget", false},
};

#define LEVERS (sizeof levers / sizeof levers[0])

static void
show_levers(struct visit *visit, const char *address)
{
	static const char *const spans[][2] = {
	    {"1h", "1 hour"}, {"1d", "1 day"}, {"7d", "7 days"}};

	html(visit->out,
	    "<form class=\"card\" method=\"post\" action=\"client\"><h2>Change "
	    "something</h2>\n<input type=\"hidden\" name=\"token\" "
	    "value=\"%s\"><input type=\"hidden\" name=\"address\" "
	    "value=\"%s\">\n<div class=\"fields\"><div><label for=\"for\">Pass "
	    "or block for</label><select id=\"for\" name=\"for\">\n",
	    visit->csrf, address);
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
		html(visit->out, "<option value=\"%s\">%s</option>\n",
		    spans[i][0], spans[i][1]);
	html_raw(visit->out, "</select></div>\n<div class=\"buttons\">");
	for (size_t i = 0; i < LEVERS; i++)
		html(visit->out,
		    "<button name=\"do\" value=\"%s\">%s</button>\n",
		    levers[i].command, levers[i].text);
	html_raw(visit->out, "</div></div></form>\n");
}

static void
pull(struct visit *visit, const char *address)
{
	char what[16], span[16];
	const char *words[4] = {what, address, "--for", span};

	form_field(visit->request->body, "do", what, sizeof what);
	form_field(visit->request->body, "for", span, sizeof span);
	html_raw(visit->out, "<section class=\"card\" role=\"status\">");
	for (size_t i = 0; i < LEVERS; i++)
		if (strcmp(levers[i].command, what) == 0)
			run(visit, words, levers[i].lasts ? 4 : 2);
	html_raw(visit->out, "</section>\n");
}

/* ---- The page */

static void
show_history(struct visit *visit, const struct network *client)
{
	const struct recent_wish wish = {
	    .query = {.client = client}, .most = RECENT_MAX / 4};
	struct recent *recent = recent_read(visit->shared->store, &wish);

	html_raw(
	    visit->out, "<section class=\"card\"><h2>In the journal</h2>\n");
	if (recent != NULL)
		web_show_entries(visit, recent);
	html_raw(visit->out, "</section>\n");
	free(recent);
}

static void
show_client(struct visit *visit, const char *address)
{
	const char *const words[] = {"show", address};
	struct network client;
	char why[NETWORK_WHY_SIZE];

	if (!network_parse(address, &client, why)) {
		html(visit->out,
		    "<p class=\"note bad\" role=\"alert\">%s</p>\n", why);
		return;
	}
	if (visit->request->is_post)
		pull(visit, address);
	html_raw(visit->out, "<section class=\"card\">");
	run(visit, words, 2);
	html_raw(visit->out, "</section>\n");
	if (visit->user.role == ROLE_CHANGE)
		show_levers(visit, address);
	show_history(visit, &client);
}

static void
find_address(const struct visit *visit, char *address_r, size_t size)
{
	const char *asked = http_value(visit->request, HTTP_QUERY, "address");

	if (visit->request->is_post)
		form_field(visit->request->body, "address", address_r, size);
	else
		(void)snprintf(
		    address_r, size, "%s", asked == NULL ? "" : asked);
}

void
web_client(struct visit *visit)
{
	char address[NETWORK_TEXT_SIZE];

	if (visit->request->is_post &&
	    (visit->user.role != ROLE_CHANGE || !web_form_is_theirs(visit))) {
		web_count(visit->web, WEB_REFUSED);
		web_plain(visit, 403, "not for you, or not your form");
		return;
	}
	visit->language = ENGLISH;
	find_address(visit, address, sizeof address);
	web_begin(visit, "Client", 0);
	html(visit->out,
	    "<h1>Client%s%s</h1>\n<form class=\"card\" action=\"client\"><div "
	    "class=\"fields\"><div><label for=\"address\">IP address"
	    "</label><input id=\"address\" name=\"address\" value=\"%s\" "
	    "autocapitalize=\"none\" required></div><div><button>Show</button>"
	    "</div></div></form>\n",
	    address[0] == '\0' ? "" : " ", address, address);
	if (address[0] != '\0')
		show_client(visit, address);
	web_end(visit);
}
