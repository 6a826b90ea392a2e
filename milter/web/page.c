/* What all pages have in common. */
#include "config.h"

#include "web/web_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/decimal.h"

/* The pages for users, as they stand at the head of each. */
static const struct {
	const char *path;
	const char *title;
} places[] = {
    {"/dashboard", "Now"},
    {"/deferrals", "Deferrals"},
    {"/client", "Client"},
};

static void
show_places(struct visit *visit)
{
	struct bytes_out *out = visit->out;

	html_raw(out, "<header><span class=\"brand\">milter-defer</span>\n");
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		bool here = strcmp(visit->request->path, places[i].path) == 0;

		html(out, "<a href=\"%s\"", places[i].path + 1);
		html_raw(out, here ? " aria-current=\"page\">" : ">");
		html(out, "%s</a>\n", places[i].title);
	}
	html(out,
	    "<form class=\"inline\" method=\"post\" action=\"logout\">"
	    "<input type=\"hidden\" name=\"token\" value=\"%s\">"
	    "<button class=\"plain\">Log out %s</button></form></header>\n",
	    visit->csrf, visit->user.name);
}

void
web_begin(struct visit *visit, const char *title, int64_t refresh)
{
	struct bytes_out *out = visit->out;
	bool is_user = visit->user.role != ROLE_NONE;
	char seconds[DECIMAL_SIZE];

	html(out,
	    "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta "
	    "charset=\"utf-8\">\n<title>%s</title>\n<meta name=\"viewport\" "
	    "content=\"width=device-width, initial-scale=1\">\n"
	    "<link rel=\"icon\" href=\"icon.svg\">\n"
	    "<link rel=\"stylesheet\" href=\"style.css?%s\">\n",
	    language_names[visit->language], title, PACKAGE_VERSION);
	if (refresh > 0) {
		(void)decimal_write(refresh, seconds);
		http_say(visit->answer, "Refresh", seconds);
	}
	html_raw(out,
	    is_user ? "</head>\n<body class=\"wide\">\n" : "</head>\n<body>\n");
	if (is_user)
		show_places(visit);
	html_raw(out, "<main>\n");
}

void
web_end(struct visit *visit)
{
	html_raw(visit->out, "</main>\n</body>\n</html>\n");
}

static const char *const months[LANGUAGES][12] = {
    {"January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December"},
    {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August",
	"September", "Oktober", "November", "Dezember"},
};

void
web_time(struct visit *visit, int64_t at)
{
	time_t time = (time_t)at;
	struct tm tm;

	if (gmtime_r(&time, &tm) == NULL)
		return;
	html(visit->out, "<time datetime=\"%d-", 1900 + tm.tm_year);
	html(visit->out, "%d%d-%d%dT", (tm.tm_mon + 1) / 10,
	    (tm.tm_mon + 1) % 10, tm.tm_mday / 10, tm.tm_mday % 10);
	html(visit->out, "%d%d:%d%d:%d%dZ\">", tm.tm_hour / 10, tm.tm_hour % 10,
	    tm.tm_min / 10, tm.tm_min % 10, tm.tm_sec / 10, tm.tm_sec % 10);
	html(visit->out, visit->language == GERMAN ? "%d. %s, " : "%d %s, ",
	    tm.tm_mday, months[visit->language][tm.tm_mon]);
	html(visit->out, "%d%d:%d%d UTC</time>", tm.tm_hour / 10,
	    tm.tm_hour % 10, tm.tm_min / 10, tm.tm_min % 10);
}

void
web_span(enum language language, int64_t seconds, char span_r[WEB_SPAN_SIZE])
{
	static const struct {
		int64_t length;
		int64_t from; /* such spans are said in this unit */
		const char *one[LANGUAGES], *many[LANGUAGES];
	} units[] = {
	    {86400, 172800, {"1 day", "1 Tag"}, {"days", "Tagen"}},
	    {3600, 7200, {"1 hour", "1 Stunde"}, {"hours", "Stunden"}},
	    {60, 60, {"1 minute", "1 Minute"}, {"minutes", "Minuten"}},
	    {1, 0, {"1 second", "1 Sekunde"}, {"seconds", "Sekunden"}},
	};
	size_t i = 0;
	int64_t count;

	if (seconds < 1)
		seconds = 1;
	while (seconds < units[i].from)
		i++;
	count = (seconds + units[i].length - 1) / units[i].length;
	if (count == 1)
		(void)snprintf(
		    span_r, WEB_SPAN_SIZE, "%s", units[i].one[language]);
	else
		(void)snprintf(span_r, WEB_SPAN_SIZE, "%" PRId64 " %s", count,
		    units[i].many[language]);
}
