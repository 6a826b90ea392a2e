#include "redis/resp.h"
#include "base/decimal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_SIZE = 1 + DECIMAL_SIZE + 2 };

bool
resp_reserve(struct resp_commands *commands, size_t more)
{
	size_t size = commands->size != 0 ? commands->size : 512;
	char *bytes;

	if (commands->size - commands->length >= more)
		return true;
	if (more > SIZE_MAX / 4 || commands->length > SIZE_MAX / 4)
		return false;
	while (size - commands->length < more)
		size *= 2;
	bytes = realloc(commands->bytes, size);
	if (bytes == NULL)
		return false;
	commands->bytes = bytes;
	commands->size = size;
	return true;
}

static bool
make_room(struct resp_commands *commands, size_t length)
{
	if (!commands->failed && !resp_reserve(commands, length))
		commands->failed = true;
	return !commands->failed;
}

/* There is room. */
static void
put(struct resp_commands *commands, const void *bytes, size_t length)
{
	if (length > 0)
		memcpy(commands->bytes + commands->length, bytes, length);
	commands->length += length;
}

/* "*3\r\n" or "$3\r\n" */
static void
put_head(struct resp_commands *commands, char kind, size_t number)
{
	char digits[DECIMAL_SIZE];
	size_t length = decimal_write((int64_t)number, digits);

	put(commands, &kind, 1);
	put(commands, digits, length);
	put(commands, "\r\n", 2);
}

static void
append(struct resp_commands *commands, const void *bytes, size_t length)
{
	if (make_room(commands, length))
		put(commands, bytes, length);
}

void
resp_begin(struct resp_commands *commands, size_t words)
{
	if (commands->words_due != 0 || words == 0)
		commands->failed = true;
	if (make_room(commands, HEAD_SIZE))
		put_head(commands, '*', words);
	commands->words_due = words;
	commands->count++;
}

void
resp_add_bytes(struct resp_commands *commands, const void *bytes, size_t length)
{
	if (commands->words_due == 0) {
		commands->failed = true;
		return;
	}
	commands->words_due--;
	if (length > SIZE_MAX - HEAD_SIZE - 2 ||
	    !make_room(commands, HEAD_SIZE + length + 2)) {
		commands->failed = true;
		return;
	}
	put_head(commands, '$', length);
	put(commands, bytes, length);
	put(commands, "\r\n", 2);
}

void
resp_add_string(struct resp_commands *commands, const char *string)
{
	resp_add_bytes(commands, string, strlen(string));
}

void
resp_add_integer(struct resp_commands *commands, int64_t integer)
{
	char digits[DECIMAL_SIZE];
	size_t length = decimal_write(integer, digits);

	resp_add_bytes(commands, digits, length);
}

void
resp_add_all(struct resp_commands *commands, const char *const words[])
{
	size_t count = 0;

	while (words[count] != NULL)
		count++;
	resp_begin(commands, count);
	for (size_t i = 0; i < count; i++)
		resp_add_string(commands, words[i]);
}

void
resp_add_commands(
    struct resp_commands *commands, const struct resp_commands *more)
{
	if (commands->words_due != 0 || more->words_due != 0 || more->failed)
		commands->failed = true;
	append(commands, more->bytes, more->length);
	commands->count += more->count;
}

void
resp_add_encoded(
    struct resp_commands *commands, const char *bytes, size_t length)
{
	if (commands->words_due != 0)
		commands->failed = true;
	append(commands, bytes, length);
	commands->count++;
}

/* The number in a head that put_head wrote; `*at` moves behind it. */
static size_t
read_head(const char **at)
{
	char *end;
	size_t number = (size_t)strtoumax(*at + 1, &end, 10);

	*at = end + 2;
	return number;
}

/* Only what put_head and resp_add_bytes wrote is ever read here. */
static const char *
skip_command(const char *at)
{
	size_t words = read_head(&at);

	while (words-- > 0) {
		size_t length = read_head(&at);

		at += length + 2;
	}
	return at;
}

const char *
resp_command_at(
    const struct resp_commands *commands, size_t index, size_t *length_r)
{
	const char *at = commands->bytes;
	const char *end;

	if (!resp_is_complete(commands) || index >= commands->count)
		return NULL;
	while (index-- > 0)
		at = skip_command(at);
	end = skip_command(at);
	*length_r = (size_t)(end - at);
	return at;
}

const char *
resp_command_word(const struct resp_commands *commands, size_t index,
    size_t word, size_t *length_r)
{
	const char *at = resp_command_at(commands, index, length_r);

	if (at == NULL || word >= read_head(&at))
		return NULL;
	for (*length_r = read_head(&at); word-- > 0; *length_r = read_head(&at))
		at += *length_r + 2;
	return at;
}

bool
resp_is_complete(const struct resp_commands *commands)
{
	return !commands->failed && commands->words_due == 0 &&
	    commands->count > 0;
}

void
resp_reset(struct resp_commands *commands)
{
	commands->length = 0;
	commands->count = 0;
	commands->words_due = 0;
	commands->failed = false;
}

void
resp_free(struct resp_commands *commands)
{
	free(commands->bytes);
	*commands = (struct resp_commands){0};
}
