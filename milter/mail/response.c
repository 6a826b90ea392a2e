#include "mail/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "mail/response_text.h"

#define CODE_LENGTH 3
#define PART_MAX    3 /* digits of one part of an enhanced code */

struct response {
	char *name;
	char code[4];
	char xcode[12];
	size_t line_count;
	struct {
		char *whole;	  /* as in the configuration */
		const char *text; /* in it, behind the codes */
	} lines[REPLY_LINES_MAX];
};

static bool
take_code(const char **cursor, char code_r[4], char why_r[RESPONSE_WHY_SIZE])
{
	const char *text = *cursor;

	if (!ascii_is_digit(text[0]) || !ascii_is_digit(text[1]) ||
	    !ascii_is_digit(text[2]) || text[CODE_LENGTH] != ' ') {
		snprintf(why_r, RESPONSE_WHY_SIZE,
		    "a reply starts with a code of three digits and a blank, "
		    "such as \"451 \"");
		return false;
	}
	if (text[0] != '4' || text[1] > '5') {
		snprintf(why_r, RESPONSE_WHY_SIZE,
		    "code %.3s: milter-defer only defers, so a code from 400 "
		    "to 459 is needed, such as 451",
		    text);
		return false;
	}
	memcpy(code_r, text, CODE_LENGTH);
	code_r[CODE_LENGTH] = '\0';
	*cursor = text + CODE_LENGTH;
	while (**cursor == ' ')
		(*cursor)++;
	return true;
}

/* The length of a word of the form digit.digits.digits, else 0. */
static size_t
enhanced_length(const char *text)
{
	size_t at = 1;

	if (!ascii_is_digit(text[0]))
		return 0;
	for (int part = 0; part < 2; part++) {
		if (text[at] != '.' || !ascii_is_digit(text[at + 1]))
			return 0;
		for (at++; ascii_is_digit(text[at]);)
			at++;
	}
	return text[at] == ' ' || text[at] == '\0' ? at : 0;
}

static bool
is_class_4(const char *text, size_t length)
{
	const char *subject = text + 2;
	size_t digits = strspn(subject, "0123456789");

	return text[0] == '4' && digits <= PART_MAX &&
	    length - 2 - digits - 1 <= PART_MAX;
}

/* "" when the text has none. */
static bool
take_enhanced(const char **cursor, char *xcode_r, char why_r[RESPONSE_WHY_SIZE])
{
	size_t length = enhanced_length(*cursor);

	xcode_r[0] = '\0';
	if (length == 0)
		return true;
	if (!is_class_4(*cursor, length)) {
		snprintf(why_r, RESPONSE_WHY_SIZE,
		    "enhanced code %.*s: it has to be of class 4 with one to "
		    "three digits in each part, such as 4.7.1",
		    (int)(length < 24 ? length : 24), *cursor);
		return false;
	}
	memcpy(xcode_r, *cursor, length);
	xcode_r[length] = '\0';
	*cursor += length;
	while (**cursor == ' ')
		(*cursor)++;
	return true;
}

/* Check one line and find where its text begins. */
static bool
read_line(const char *line, char code_r[4], char xcode_r[12],
    const char **text_r, char why_r[RESPONSE_WHY_SIZE])
{
	*text_r = line;
	if (!response_text_is_plain(line, why_r) ||
	    !take_code(text_r, code_r, why_r) ||
	    !take_enhanced(text_r, xcode_r, why_r))
		return false;
	if (**text_r == '\0') {
		snprintf(why_r, RESPONSE_WHY_SIZE,
		    "there is no text behind the code");
		return false;
	}
	return response_text_check(*text_r, why_r);
}

static bool
add_line(
    struct response *response, const char *line, char why_r[RESPONSE_WHY_SIZE])
{
	size_t index = response->line_count;
	char code[4], xcode[12];
	const char *text;

	if (!read_line(line, code, xcode, &text, why_r))
		return false;
	if (index == 0) {
		memcpy(response->code, code, sizeof code);
		memcpy(response->xcode, xcode, sizeof xcode);
	} else if (strcmp(response->code, code) != 0 ||
	    strcmp(response->xcode, xcode) != 0) {
		snprintf(why_r, RESPONSE_WHY_SIZE,
		    "all lines of a reply need the same codes, here %s %s",
		    response->code, response->xcode);
		return false;
	}
	response->lines[index].whole = strdup(line);
	if (response->lines[index].whole == NULL) {
		snprintf(why_r, RESPONSE_WHY_SIZE, "out of memory");
		return false;
	}
	response->lines[index].text =
	    response->lines[index].whole + (text - line);
	response->line_count++;
	return true;
}

bool
response_make(const char *name, const char *const *lines, size_t count,
    struct response **response_r, char why_r[RESPONSE_WHY_SIZE], size_t *line_r)
{
	struct response *response;

	*line_r = 0;
	if (count == 0 || count > REPLY_LINES_MAX) {
		snprintf(why_r, RESPONSE_WHY_SIZE,
		    "a reply has 1 to %d lines, not %zu", REPLY_LINES_MAX,
		    count);
		return false;
	}
	response = calloc(1, sizeof *response);
	if (response == NULL || (response->name = strdup(name)) == NULL) {
		free(response);
		snprintf(why_r, RESPONSE_WHY_SIZE, "out of memory");
		return false;
	}
	for (; *line_r < count; (*line_r)++) {
		if (!add_line(response, lines[*line_r], why_r)) {
			response_free(&response);
			return false;
		}
	}
	*response_r = response;
	return true;
}

void
response_free(struct response **response)
{
	if (*response == NULL)
		return;
	for (size_t i = 0; i < (*response)->line_count; i++)
		free((*response)->lines[i].whole);
	free((*response)->name);
	free(*response);
	*response = NULL;
}

/* ---- Questions */

const char *
response_name(const struct response *response)
{
	return response->name;
}

const char *
response_code(const struct response *response)
{
	return response->code;
}

const char *
response_xcode(const struct response *response)
{
	return response->xcode;
}

const char *
response_line(const struct response *response, size_t index)
{
	return index < response->line_count ? response->lines[index].whole
					    : NULL;
}

bool
response_uses(const struct response *response, enum placeholder which)
{
	for (size_t i = 0; i < response->line_count; i++)
		if (response_text_uses(response->lines[i].text, which))
			return true;
	return false;
}

/* The subjects (second digit of the enhanced code) that RFC 5248 and common
 * use know with a basic code; any other code goes with all of them. */
static const struct {
	const char *code;
	const char *subjects;
	const char *doubt;
} fits[] = {
    {"421", "347",
	"421 closes the connection; a code 4.3.x, 4.4.x or 4.7.x goes with it"},
    {"452", "235", "452 is lack of space; 4.2.x, 4.3.x or 4.5.x go with it"},
    {"454", "37", "454 is about TLS and login; 4.7.x goes with it"},
    {"455", "5", "455 is about parameters; 4.5.x goes with it"},
};

const char *
response_doubt(const struct response *response)
{
	const char *subject = response->xcode + 2;

	if (response->xcode[0] == '\0')
		return NULL;
	if (subject[1] != '.' || subject[0] > '7')
		return "RFC 3463 knows the subjects 4.0.x to 4.7.x only";
	for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++)
		if (strcmp(fits[i].code, response->code) == 0 &&
		    strchr(fits[i].subjects, subject[0]) == NULL)
			return fits[i].doubt;
	return NULL;
}

void
response_fill(const struct response *response,
    const struct response_values *values, struct reply *reply_r)
{
	memcpy(reply_r->code, response->code, sizeof reply_r->code);
	memcpy(reply_r->xcode, response->xcode, sizeof reply_r->xcode);
	reply_r->line_count = response->line_count;
	for (size_t i = 0; i < response->line_count; i++) {
		char *line = reply_r->lines[i];

		response_fill_text(response->lines[i].text, values, line,
		    sizeof reply_r->lines[i]);
		if (reply_r->xcode[0] == '\0' && ascii_is_digit(line[0]))
			strcpy(reply_r->xcode, "4.0.0");
	}
}
