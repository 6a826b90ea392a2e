#include "web/html.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

#define NUMBER_SIZE 64

void
html_raw(struct bytes_out *out, const char *text)
{
	bytes_put(out, text, strlen(text));
}

static const char *
entity(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return ascii_is_control(c) ? " " : NULL;
	}
}

void
html_text(struct bytes_out *out, const char *text)
{
	const char *from = text;

	for (; *text != '\0'; text++) {
		const char *instead = entity(*text);

		if (instead == NULL)
			continue;
		bytes_put(out, from, (size_t)(text - from));
		html_raw(out, instead);
		from = text + 1;
	}
	bytes_put(out, from, (size_t)(text - from));
}

/* One conversion, `at` behind its %; where it ends. */
static const char *
convert(struct bytes_out *out, const char *at, va_list *args)
{
	char number[NUMBER_SIZE] = "";
	int digits = 0;

	if (*at == '.') {
		digits = at[1] - '0';
		at += 2;
	}
	switch (*at) {
	case 's':
		html_text(out, va_arg(*args, const char *));
		return at + 1;
	case 'd':
		(void)snprintf(number, sizeof number, "%d", va_arg(*args, int));
		break;
	case 'f':
		(void)snprintf(number, sizeof number, "%.*f", digits,
		    va_arg(*args, double));
		break;
	case 'z':
		(void)snprintf(
		    number, sizeof number, "%zu", va_arg(*args, size_t));
		at++;
		break;
	case 'l':
		at++;
		if (*at == 'l') {
			at++;
			(void)snprintf(number, sizeof number, "%lld",
			    va_arg(*args, long long));
		} else {
			(void)snprintf(
			    number, sizeof number, "%ld", va_arg(*args, long));
		}
		break;
	default:
		(void)snprintf(number, sizeof number, "%%");
		break;
	}
	html_raw(out, number);
	return at + 1;
}

void
html(struct bytes_out *out, const char *format, ...)
{
	va_list args;
	const char *percent;

	va_start(args, format);
	while ((percent = strchr(format, '%')) != NULL) {
		bytes_put(out, format, (size_t)(percent - format));
		format = convert(out, percent + 1, &args);
	}
	va_end(args);
	html_raw(out, format);
}
