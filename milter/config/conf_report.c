#include "config/conf_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"

#define SENTENCE_SIZE 1024

static void __attribute__((format(printf, 4, 0)))
say(const struct conf_report *report, bool error, int line, const char *format,
    va_list arguments)
{
	char text[SENTENCE_SIZE];
	int at;

	if (line > 0)
		at = snprintf(text, sizeof text, "%s:%d: ", report->path, line);
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
