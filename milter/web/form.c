#include "web/form.h"

#include <string.h>

#include "base/ascii.h"

static int
hex_value(char c)
{
	return ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

/* One character at `text`, and where the next begins. */
static const char *
decode(const char *text, char *c_r)
{
	if (text[0] == '%' && ascii_is_hex(text[1]) && ascii_is_hex(text[2])) {
		*c_r = (char)(hex_value(text[1]) * 16 + hex_value(text[2]));
		text += 2;
	} else {
		*c_r = text[0] == '+' ? ' ' : text[0];
	}
	if (ascii_is_control(*c_r))
		*c_r = ' ';
	return text + 1;
}

void
form_field(const char *form, const char *name, char *value_r, size_t size)
{
	size_t length = strlen(name), at = 0;

	value_r[0] = '\0';
	while (strncmp(form, name, length) != 0 || form[length] != '=') {
		form = strchr(form, '&');
		if (form == NULL)
			return;
		form++;
	}
	form += length + 1;
	while (*form != '\0' && *form != '&' && at + 1 < size)
		form = decode(form, &value_r[at++]);
	value_r[at] = '\0';
}
