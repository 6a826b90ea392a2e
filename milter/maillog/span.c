#include "maillog/span.h"

#include <string.h>

#include "base/decimal.h"

struct span
span_of(const char *at, size_t length)
{
	return (struct span){at, length};
}

bool
span_is(struct span span, const char *text)
{
	return span.length == strlen(text) &&
	    memcmp(span.at, text, span.length) == 0;
}

bool
span_begins(struct span span, const char *text)
{
	size_t length = strlen(text);

	return span.length >= length && memcmp(span.at, text, length) == 0;
}

void
span_skip(struct span *span, size_t length)
{
	span->at += length;
	span->length -= length;
}

bool
span_take(struct span *span, const char *text)
{
	if (!span_begins(*span, text))
		return false;
	span_skip(span, strlen(text));
	return true;
}

size_t
span_find(struct span span, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + length <= span.length; i++) {
		const char *next =
		    memchr(span.at + i, text[0], span.length - i - length + 1);

		if (next == NULL)
			break;
		i = (size_t)(next - span.at);
		if (memcmp(next, text, length) == 0)
			return i;
	}
	return span.length;
}

bool
span_take_until(struct span *span, const char *end, struct span *taken_r)
{
	size_t length = span_find(*span, end);

	if (length == span->length)
		return false;
	*taken_r = span_of(span->at, length);
	span_skip(span, length + strlen(end));
	return true;
}

bool
span_take_number(struct span *span, size_t least, size_t most, int *number_r)
{
	int64_t number;
	size_t width = span->length < most ? span->length : most;
	size_t digits = decimal_read(span->at, width, 9999, &number);

	if (digits < least)
		return false;
	*number_r = (int)number;
	span_skip(span, digits);
	return true;
}
