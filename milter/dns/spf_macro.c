#include "dns/spf_macro.h"

#include <stdint.h>
#include <string.h>

#include "base/ascii.h"

#define LABEL_MAX   63
#define KEEP_MAX    1000 /* parts; more are all there can be */
#define OUTPUT_SIZE 1024
#define OUTPUT_KEPT 512 /* more than a name needs */
#define VALUE_SIZE  1024

/* One piece of a text: a macro, or, with the letter NUL, what stands there. */
struct piece {
	struct spf_text literal;
	bool expands;  /* begins with '%' */
	char letter;   /* in lower case */
	bool escapes;  /* the letter was a capital */
	unsigned keep; /* parts on the right; 0: all */
	bool reverse;
	struct spf_text delimiters;
};

/* ---- Reading */

static char
take(struct spf_text *text)
{
	if (text->length == 0)
		return '\0';
	text->length--;
	return *text->at++;
}

static char
first(struct spf_text text)
{
	return text.length == 0 ? '\0' : *text.at;
}

/* What follows the letter, up to the brace (RFC 7208 7.1). */
static bool
take_transformers(struct spf_text *text, struct piece *piece)
{
	bool number = ascii_is_digit(first(*text));

	while (ascii_is_digit(first(*text))) {
		piece->keep = piece->keep * 10 + (unsigned)(take(text) - '0');
		if (piece->keep > KEEP_MAX)
			piece->keep = KEEP_MAX;
	}
	if (number && piece->keep == 0)
		return false;
	if (ascii_lower(first(*text)) == 'r') {
		piece->reverse = true;
		(void)take(text);
	}
	piece->delimiters.at = text->at;
	while (first(*text) != '\0' && strchr(".-+,/_=", first(*text)) != NULL)
		(void)take(text);
	piece->delimiters.length = (size_t)(text->at - piece->delimiters.at);
	return take(text) == '}';
}

static bool
take_expansion(struct spf_text *text, struct piece *piece)
{
	char letter;

	piece->expands = true;
	switch (take(text)) {
	case '%':
		piece->literal = (struct spf_text){"%", 1};
		return true;
	case '_':
		piece->literal = (struct spf_text){" ", 1};
		return true;
	case '-':
		piece->literal = (struct spf_text){"%20", 3};
		return true;
	case '{':
		break;
	default:
		return false;
	}
	letter = take(text);
	piece->letter = ascii_lower(letter);
	piece->escapes = letter != piece->letter;
	return letter != '\0' && strchr("slodiphvcrt", piece->letter) != NULL &&
	    take_transformers(text, piece);
}

/* False: it breaks the grammar. */
static bool
take_piece(struct spf_text *text, struct piece *piece_r)
{
	*piece_r = (struct piece){.literal = {text->at, 1}};
	switch (first(*text)) {
	case '%':
		(void)take(text);
		return take_expansion(text, piece_r);
	default:
		return first(*text) >= '!' && take(text) <= '~';
	}
}

bool
spf_macro_is_string(struct spf_text text)
{
	struct piece piece;

	while (text.length > 0)
		if (!take_piece(&text, &piece))
			return false;
	return true;
}

bool
spf_macro_wants_client_name(struct spf_text text)
{
	struct piece piece;

	while (text.length > 0)
		if (take_piece(&text, &piece) && piece.letter == 'p')
			return true;
	return false;
}

/* "." toplabel [ "." ], whatever stands before it. */
static bool
ends_in_toplabel(struct spf_text text)
{
	size_t label = 0;
	bool numeric = true;

	if (text.length > 0 && text.at[text.length - 1] == '.')
		text.length--;
	for (; label < text.length; label++) {
		char c = text.at[text.length - 1 - label];

		if (c == '.')
			break;
		if (!ascii_is_alnum(c) && c != '-')
			return false;
		numeric = numeric && ascii_is_digit(c);
	}
	return label > 0 && label < text.length && !numeric &&
	    text.at[text.length - 1] != '-' &&
	    text.at[text.length - label] != '-';
}

bool
spf_macro_is_domain(struct spf_text text)
{
	struct spf_text rest = text; /* behind the last macro */
	struct piece piece = {.expands = false};

	while (text.length > 0) {
		if (!take_piece(&text, &piece))
			return false;
		/* These are for explanations alone (RFC 7208 7.2). */
		if (piece.letter == 'c' || piece.letter == 'r' ||
		    piece.letter == 't')
			return false;
		if (piece.expands)
			rest = text;
	}
	return piece.expands || ends_in_toplabel(rest);
}

/* ---- Names */

static bool
can_be_asked_for(char c)
{
	return c >= ' ' && c <= '~' && c != '\\';
}

bool
spf_name_settle(const char *text, char name_r[DNS_NAME_SIZE])
{
	size_t length = strlen(text), label = 0;

	if (length > 0 && text[length - 1] == '.')
		length--;
	if (length == 0 || length > SPF_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		name_r[i] = ascii_lower(text[i]);
		if (text[i] == '.' ? label == 0 : !can_be_asked_for(text[i]))
			return false;
		label = text[i] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	name_r[length] = '\0';
	return label > 0;
}

/* ---- Expanding */

/* The right end of what was written; the beginning of a long text is dropped. */
struct output {
	char text[OUTPUT_SIZE];
	size_t used;
};

static void
put(struct output *output, char c)
{
	if (output->used == OUTPUT_SIZE - 1) {
		memmove(output->text, output->text + output->used - OUTPUT_KEPT,
		    OUTPUT_KEPT);
		output->used = OUTPUT_KEPT;
	}
	output->text[output->used++] = c;
}

static void
put_escaped(struct output *output, char c)
{
	static const char hex[] = "0123456789ABCDEF";

	if (ascii_is_alnum(c) || (c != '\0' && strchr("-._~", c) != NULL)) {
		put(output, c);
		return;
	}
	put(output, '%');
	put(output, hex[(unsigned char)c >> 4]);
	put(output, hex[(unsigned char)c & 15]);
}

static bool
is_delimiter(const struct piece *piece, char c)
{
	if (piece->delimiters.length == 0)
		return c == '.';
	return memchr(piece->delimiters.at, c, piece->delimiters.length) !=
	    NULL;
}

static void
put_part(struct output *output, const struct piece *piece, const char *from,
    const char *to)
{
	for (; from < to; from++)
		if (piece->escapes)
			put_escaped(output, *from);
		else
			put(output, *from);
}

/* Skip the parts that are not kept, on the left. */
static void
put_forwards(
    struct output *output, const struct piece *piece, const char *value)
{
	size_t parts = 1;

	for (const char *c = value; *c != '\0'; c++)
		parts += is_delimiter(piece, *c);
	while (piece->keep != 0 && parts > piece->keep)
		parts -= is_delimiter(piece, *value++);
	for (; *value != '\0'; value++)
		if (is_delimiter(piece, *value))
			put(output, '.');
		else
			put_part(output, piece, value, value + 1);
}

/* Once it is reversed, the right is what was on the left. */
static void
put_backwards(
    struct output *output, const struct piece *piece, const char *value)
{
	const char *end = value;
	unsigned parts = 1;

	for (; *end != '\0'; end++)
		if (is_delimiter(piece, *end) && parts++ == piece->keep)
			break;
	for (const char *from = end;; from--) {
		if (from > value && !is_delimiter(piece, from[-1]))
			continue;
		put_part(output, piece, from, end);
		if (from == value)
			return;
		put(output, '.');
		end = from - 1;
	}
}

static void
copy(const char *text, char value_r[VALUE_SIZE])
{
	size_t length = strlen(text);

	if (length >= VALUE_SIZE)
		length = VALUE_SIZE - 1;
	memcpy(value_r, text, length);
	value_r[length] = '\0';
}

/* 192.0.2.1, and the 32 nibbles of 2001:db8::1 with dots between. */
static void
copy_client(const struct netaddr *client, char value_r[VALUE_SIZE])
{
	static const char hex[] = "0123456789abcdef";

	if (client->length == 4) {
		netaddr_format(client, value_r);
		return;
	}
	for (size_t i = 0; i < 32; i++) {
		unsigned octet = client->octets[i / 2];

		value_r[2 * i] = hex[i % 2 == 0 ? octet >> 4 : octet & 15];
		value_r[2 * i + 1] = i == 31 ? '\0' : '.';
	}
}

static void
copy_value(
    const struct spf_values *values, char letter, char value_r[VALUE_SIZE])
{
	switch (letter) {
	case 's':
		copy(values->local, value_r);
		strncat(value_r, "@", VALUE_SIZE - strlen(value_r) - 1);
		strncat(value_r, values->sender_domain,
		    VALUE_SIZE - strlen(value_r) - 1);
		break;
	case 'l':
		copy(values->local, value_r);
		break;
	case 'o':
		copy(values->sender_domain, value_r);
		break;
	case 'd':
		copy(values->domain, value_r);
		break;
	case 'i':
		copy_client(&values->client, value_r);
		break;
	case 'p':
		copy(values->client_name, value_r);
		break;
	case 'v':
		copy(values->client.length == 4 ? "in-addr" : "ip6", value_r);
		break;
	default:
		copy(values->helo, value_r);
	}
}

static void
put_piece(struct output *output, const struct piece *piece,
    const struct spf_values *values)
{
	char value[VALUE_SIZE];

	if (piece->letter == '\0') {
		for (size_t i = 0; i < piece->literal.length; i++)
			put(output, piece->literal.at[i]);
		return;
	}
	copy_value(values, piece->letter, value);
	if (piece->reverse)
		put_backwards(output, piece, value);
	else
		put_forwards(output, piece, value);
}

bool
spf_macro_expand(struct spf_text text, const struct spf_values *values,
    char name_r[DNS_NAME_SIZE])
{
	struct output output = {.used = 0};
	struct piece piece;
	const char *name = output.text;
	size_t most;

	while (text.length > 0) {
		if (!take_piece(&text, &piece))
			return false;
		put_piece(&output, &piece, values);
	}
	output.text[output.used] = '\0';
	most = SPF_NAME_MAX;
	if (output.used > 0 && output.text[output.used - 1] == '.')
		most++;
	/* Labels on the left are dropped (RFC 7208 7.3). */
	while (output.used - (size_t)(name - output.text) > most) {
		name = strchr(name, '.');
		if (name == NULL)
			return false;
		name++;
	}
	return spf_name_settle(name, name_r);
}
