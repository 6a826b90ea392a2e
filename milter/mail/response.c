#include "mail/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/near.h"

#define CODE_LENGTH 3
#define PART_MAX    3 /* digits of one part of an enhanced code */
/* What Sendmail says for want of an enhanced code. */
#define OTHER_XCODE "4.0.0"

/* ---- A text with placeholders %{name} */

static const char *const placeholders[FILL_COUNT] = {
    [FILL_CLIENT_ADDR] = "client_addr",
    [FILL_CLIENT_NAME] = "client_name",
    [FILL_HELO] = "helo",
    [FILL_SENDER] = "sender",
    [FILL_RECIPIENT] = "recipient",
    [FILL_SERVER] = "server",
    [FILL_RULE] = "rule",
    [FILL_REFERENCE] = "reference",
    [FILL_LINK] = "link",
    [FILL_WAIT] = "wait",
    [FILL_SCORE] = "score",
};

/* A stretch of a template: literal text, or a placeholder. */
struct part {
	const char *text; /* with a placeholder: its name */
	size_t length;
	bool is_placeholder;
	enum placeholder which; /* FILL_COUNT: none, or none of this name */
};

static enum placeholder
find_placeholder(const char *name, size_t length)
{
	int i = 0;

	while (i < FILL_COUNT &&
	    (strlen(placeholders[i]) != length ||
		memcmp(placeholders[i], name, length) != 0))
		i++;
	return (enum placeholder)i;
}

/* Take the next part off `*cursor`; false at the end.  A "%{" that is never
 * closed is a placeholder without a known name. */
static bool
next_part(const char **cursor, struct part *part_r)
{
	const char *start = *cursor;
	const char *open = strstr(start, "%{");

	if (*start == '\0')
		return false;
	part_r->is_placeholder = open == start;
	part_r->which = FILL_COUNT;
	if (open != start) {
		part_r->text = start;
		part_r->length =
		    open == NULL ? strlen(start) : (size_t)(open - start);
		*cursor = start + part_r->length;
		return true;
	}
	part_r->text = start + 2;
	part_r->length = strcspn(part_r->text, "}");
	*cursor = part_r->text + part_r->length;
	if (**cursor == '}') {
		part_r->which = find_placeholder(part_r->text, part_r->length);
		(*cursor)++;
	}
	return true;
}

/* Octets of literal text, and the number of placeholders. */
static size_t
measure(const char *text, size_t *placeholders_r)
{
	struct part part;
	size_t literal = 0;

	*placeholders_r = 0;
	while (next_part(&text, &part)) {
		if (part.is_placeholder)
			(*placeholders_r)++;
		else
			literal += part.length;
	}
	return literal;
}

static bool
is_printable(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* ---- Checking a text */

static bool
is_plain(const char *text, char why_r[RESPONSE_WHY_SIZE])
{
	for (; *text != '\0'; text++) {
		if (is_printable(*text))
			continue;
		snprintf(why_r, RESPONSE_WHY_SIZE, "%s",
		    *text == '\n' || *text == '\r'
			? "a line break in the text; give a list of texts "
			  "for a reply of several lines"
			: "only printable ASCII may stand in a reply");
		return false;
	}
	return true;
}

/* The length of the placeholder's name that `text` begins with, 0: none. */
static size_t
name_length(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");

	return find_placeholder(text, length) == FILL_COUNT ? 0 : length;
}

static void
say_unknown(const struct part *part, char why_r[RESPONSE_WHY_SIZE])
{
	char name[25], like[NEAR_SIZE];
	struct near near;

	(void)snprintf(name, sizeof name, "%.*s",
	    (int)(part->length < 24 ? part->length : 24), part->text);
	near_begin(&near, name);
	for (int i = 0; i < FILL_COUNT; i++)
		near_try(&near, placeholders[i], strlen(placeholders[i]));
	near_say(&near, like);
	snprintf(why_r, RESPONSE_WHY_SIZE,
	    "unknown placeholder %%{%s}%s; there are client_addr "
	    "client_name helo sender recipient server rule reference "
	    "link wait score",
	    name, like);
}

static bool
say_braceless(const char *name, size_t length, char why_r[RESPONSE_WHY_SIZE])
{
	snprintf(why_r, RESPONSE_WHY_SIZE,
	    "a placeholder without its brace; it is written %%{%.*s}",
	    (int)length, name);
	return false;
}

/* Nobody means a sign before or braces around just this word as they are. */
static bool
check_literal(const struct part *part, char why_r[RESPONSE_WHY_SIZE])
{
	for (size_t i = 0; i + 1 < part->length; i++) {
		const char *name = part->text + i + 1;
		size_t length = name_length(name);

		if (length > 0 &&
		    (name[-1] == '%' || name[-1] == '$' ||
			(name[-1] == '{' && name[length] == '}')))
			return say_braceless(name, length, why_r);
	}
	return true;
}

static bool
check_placeholders(const char *text, char why_r[RESPONSE_WHY_SIZE])
{
	struct part part;

	while (next_part(&text, &part)) {
		if (!part.is_placeholder && !check_literal(&part, why_r))
			return false;
		if (!part.is_placeholder || part.which != FILL_COUNT)
			continue;
		if (part.text[part.length] == '\0' &&
		    name_length(part.text) > 0)
			return say_braceless(
			    part.text, name_length(part.text), why_r);
		if (part.text[part.length] == '\0') {
			snprintf(why_r, RESPONSE_WHY_SIZE,
			    "the brace of a placeholder is never closed");
			return false;
		}
		say_unknown(&part, why_r);
		return false;
	}
	return true;
}

static bool
check_length(const char *text, char why_r[RESPONSE_WHY_SIZE])
{
	size_t count;
	size_t literal = measure(text, &count);
	size_t room = REPLY_TEXT_MAX;

	if (count < REPLY_TEXT_MAX / REPLY_ROOM_MIN)
		room -= count * REPLY_ROOM_MIN;
	else
		room = 0;
	if (literal <= room)
		return true;
	snprintf(why_r, RESPONSE_WHY_SIZE,
	    "too long: %zu octets of text, where %d less %d for each "
	    "placeholder are left",
	    literal, REPLY_TEXT_MAX, REPLY_ROOM_MIN);
	return false;
}

static bool
check_text(const char *text, char why_r[RESPONSE_WHY_SIZE])
{
	return is_plain(text, why_r) && check_placeholders(text, why_r) &&
	    check_length(text, why_r);
}

static bool
text_uses(const char *text, enum placeholder which)
{
	struct part part;

	while (next_part(&text, &part))
		if (part.is_placeholder && part.which == which)
			return true;
	return false;
}

bool
response_check_text(const char *text, char why_r[RESPONSE_WHY_SIZE])
{
	if (!check_text(text, why_r))
		return false;
	if (!text_uses(text, FILL_LINK))
		return true;
	snprintf(why_r, RESPONSE_WHY_SIZE,
	    "%%{link} cannot stand in the link itself");
	return false;
}

/* ---- Making a response */

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
	if (!is_plain(line, why_r) || !take_code(text_r, code_r, why_r) ||
	    !take_enhanced(text_r, xcode_r, why_r))
		return false;
	if (**text_r == '\0') {
		snprintf(why_r, RESPONSE_WHY_SIZE,
		    "there is no text behind the code");
		return false;
	}
	return check_text(*text_r, why_r);
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

bool
response_uses(const struct response *response, enum placeholder which)
{
	for (size_t i = 0; i < response->line_count; i++)
		if (text_uses(response->lines[i].text, which))
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

/* ---- Filling */

static const char *
value_of(const struct response_values *values, const struct part *part)
{
	const char *value =
	    part->which == FILL_COUNT ? NULL : values->text[part->which];

	return value == NULL ? "" : value;
}

/* Octets of the values, when each is cut to `most`. */
static size_t
needed(const char *text, const struct response_values *values, size_t most)
{
	struct part part;
	size_t sum = 0;

	while (next_part(&text, &part))
		if (part.is_placeholder)
			sum += strnlen(value_of(values, &part), most);
	return sum;
}

/* The longest that any value may be: short ones stay whole, and what they leave
 * goes to the long ones. */
static size_t
fair_share(const char *text, const struct response_values *values, size_t room)
{
	size_t share = room;

	while (share > 0 && needed(text, values, share) > room)
		share--;
	return share;
}

/* Append to out_r, which has room for `size` octets in all, what is clean. */
static size_t
append(char *out_r, size_t at, size_t size, const char *text, size_t length)
{
	for (size_t i = 0; i < length && at + 1 < size; i++)
		out_r[at++] = is_printable(text[i]) ? text[i] : '?';
	return at;
}

void
response_fill_text(const char *text, const struct response_values *values,
    char *out_r, size_t size)
{
	size_t count;
	size_t literal = measure(text, &count);
	size_t room = literal < size - 1 ? size - 1 - literal : 0;
	size_t share = fair_share(text, values, room);
	struct part part;
	size_t at = 0;

	while (next_part(&text, &part)) {
		if (part.is_placeholder) {
			part.text = value_of(values, &part);
			part.length = strnlen(part.text, share);
		}
		at = append(out_r, at, size, part.text, part.length);
	}
	out_r[at] = '\0';
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
			strcpy(reply_r->xcode, OTHER_XCODE);
	}
}

/* ---- Saying */

static const struct {
	long long below; /* seconds; beyond it the next unit is used */
	long long unit;
	const char *name;
} wait_units[] = {
    {120, 1, "second"},
    {2 * 3600, 60, "minute"},
    {2 * 86400, 3600, "hour"},
    {0, 86400, "day"},
};

void
response_say_wait(long long seconds, char *out_r, size_t size)
{
	size_t i = 0;
	long long count;

	if (seconds < 0)
		seconds = 0;
	while (wait_units[i].below != 0 && seconds >= wait_units[i].below)
		i++;
	count = seconds / wait_units[i].unit +
	    (seconds % wait_units[i].unit != 0 ? 1 : 0);
	snprintf(out_r, size, "%lld %s%s", count, wait_units[i].name,
	    count == 1 ? "" : "s");
}

void
reply_say(const struct reply *reply, char *text_r, size_t size)
{
	size_t length = 0;

	text_r[0] = '\0';
	for (size_t i = 0; i < reply->line_count && length < size; i++)
		length += (size_t)snprintf(text_r + length, size - length,
		    "%s%s%c%s%s%s", i > 0 ? "\n" : "", reply->code,
		    i + 1 < reply->line_count ? '-' : ' ', reply->xcode,
		    reply->xcode[0] != '\0' ? " " : "", reply->lines[i]);
}

/* ---- For libmilter */

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
	return text[0] != '\0' && !ascii_is_digit(text[0]);
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
