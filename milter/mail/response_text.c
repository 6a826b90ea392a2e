#include "mail/response_text.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"

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

/* ---- Checking */

bool
response_text_is_plain(const char *text, char why_r[RESPONSE_WHY_SIZE])
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

bool
response_text_check(const char *text, char why_r[RESPONSE_WHY_SIZE])
{
	return response_text_is_plain(text, why_r) &&
	    check_placeholders(text, why_r) && check_length(text, why_r);
}

bool
response_text_uses(const char *text, enum placeholder which)
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
	if (!response_text_check(text, why_r))
		return false;
	if (!response_text_uses(text, FILL_LINK))
		return true;
	snprintf(why_r, RESPONSE_WHY_SIZE,
	    "%%{link} cannot stand in the link itself");
	return false;
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
