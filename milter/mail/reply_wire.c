#include "mail/reply_wire.h"

#include <stdio.h>

/* What Sendmail says for want of an enhanced code. */
#define OTHER_XCODE "4.0.0"

static void
double_percent(const char *text, char *out_r)
{
	for (; *text != '\0'; text++) {
		if (*text == '%')
			*out_r++ = '%';
		*out_r++ = *text;
	}
	*out_r = '\0';
}

static bool
passes_without_xcode(const char *text)
{
	return text[0] != '\0' && (text[0] < '0' || text[0] > '9');
}

void
reply_wire_make(const struct reply *reply, struct reply_wire *wire_r)
{
	const char *xcode = reply->xcode;

	if (xcode[0] == '\0' && !passes_without_xcode(reply->lines[0]))
		xcode = OTHER_XCODE;
	(void)snprintf(wire_r->code, sizeof wire_r->code, "%s", reply->code);
	(void)snprintf(wire_r->xcode, sizeof wire_r->xcode, "%s", xcode);
	wire_r->line_count = reply->line_count;
	for (size_t i = 0; i < reply->line_count; i++)
		double_percent(reply->lines[i], wire_r->lines[i]);
}
