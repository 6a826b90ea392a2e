#include "config/conf_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

#define SENTENCE_SIZE 1024

const char *
conf_origin(const struct conf_report *report, int *line)
{
	const char *path = report->path;
	int found = *line;

	for (size_t i = 0; i < report->origin_count; i++) {
		const struct conf_origin *origin = &report->origins[i];

		if (*line < origin->first)
			break;
		path = origin->path;
		found = *line - origin->first + origin->line;
	}
	*line = found;
	return path;
}

void
conf_line(const struct conf_report *report, int line, int here,
    char text_r[CONF_PLACE_SIZE])
{
	const char *path = conf_origin(report, &line);

	if (strcmp(path, conf_origin(report, &here)) == 0)
		(void)snprintf(text_r, CONF_PLACE_SIZE, "line %d", line);
	else
		(void)snprintf(
		    text_r, CONF_PLACE_SIZE, "line %d of %s", line, path);
}

static void __attribute__((format(printf, 4, 0)))
say(const struct conf_report *report, bool error, int line, const char *format,
    va_list arguments)
{
	char text[SENTENCE_SIZE];
	const char *path = report->path;
	int at;

	if (line > 0)
		path = conf_origin(report, &line);
	if (line > 0)
		at = snprintf(text, sizeof text, "%s:%d: ", path, line);
	else
		at = snprintf(text, sizeof text, "%s: ", report->path);
	if (at > 0 && (size_t)at < sizeof text)
		(void)vsnprintf(
		    text + at, sizeof text - (size_t)at, format, arguments);
	ascii_clean(text, text, sizeof text);
	report->say(report->arg, error, text);
}

void
conf_error(struct conf_report *report, int line, const char *format, ...)
{
	va_list arguments;

	report->errors++;
	va_start(arguments, format);
	say(report, true, line, format, arguments);
	va_end(arguments);
}

void
conf_warning(struct conf_report *report, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(report, false, line, format, arguments);
	va_end(arguments);
}

void
conf_twice(struct conf_report *report, int line, int other, const char *what,
    const char *title)
{
	const char *quote = title == NULL ? "" : "\"";
	char place[CONF_PLACE_SIZE];

	conf_line(report, other, line, place);
	conf_error(report, line,
	    "%s%s%s%s%s stands here twice; it is already on %s", what,
	    title == NULL ? "" : " ", quote, title == NULL ? "" : title, quote,
	    place);
}
