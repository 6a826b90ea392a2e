#include "redis/resp.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

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

/* NULL: there is none. */
static const char *
find_command(const struct resp_commands *commands, size_t index)
{
	const char *at = commands->bytes;

	if (!resp_is_complete(commands) || index >= commands->count)
		return NULL;
	while (index-- > 0)
		at = skip_command(at);
	return at;
}

void
resp_add_command(struct resp_commands *commands,
    const struct resp_commands *more, size_t index)
{
	const char *bytes = find_command(more, index);

	if (commands->words_due != 0 || bytes == NULL)
		commands->failed = true;
	if (bytes == NULL)
		return;
	append(commands, bytes, (size_t)(skip_command(bytes) - bytes));
	commands->count++;
}

const char *
resp_command_word(const struct resp_commands *commands, size_t index,
    size_t word, size_t *length_r)
{
	const char *at = find_command(commands, index);

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

/* ---- Replies: a struct resp_reply is hiredis's redisReply under a name that
 * lets no other module look into it. */

static const redisReply *
inside(const struct resp_reply *reply)
{
	return (const redisReply *)(const void *)reply;
}

enum resp_type
resp_type(const struct resp_reply *reply)
{
	if (reply == NULL)
		return RESP_NIL;
	switch (inside(reply)->type) {
	case REDIS_REPLY_STATUS:
		return RESP_STATUS;
	case REDIS_REPLY_STRING:
		return RESP_STRING;
	case REDIS_REPLY_INTEGER:
		return RESP_INTEGER;
	case REDIS_REPLY_ARRAY:
		return RESP_ARRAY;
	case REDIS_REPLY_ERROR:
		return RESP_ERROR;
	default:
		return RESP_NIL;
	}
}

/* A sign and digits, nothing else: strtoimax alone would take blanks. */
static bool
read_decimal(const char *text, size_t length, int64_t *value_r)
{
	const char *digits = text + (text[0] == '-');
	intmax_t value;
	char *end;

	if (length == 0 || *digits < '0' || *digits > '9')
		return false;
	errno = 0;
	value = strtoimax(text, &end, 10);
	if (errno != 0 || end != text + length || value < INT64_MIN ||
	    value > INT64_MAX)
		return false;
	*value_r = (int64_t)value;
	return true;
}

bool
resp_integer(const struct resp_reply *reply, int64_t *value_r)
{
	switch (resp_type(reply)) {
	case RESP_INTEGER:
		*value_r = inside(reply)->integer;
		return true;
	case RESP_STRING:
		return read_decimal(
		    inside(reply)->str, inside(reply)->len, value_r);
	default:
		return false;
	}
}

const char *
resp_string(const struct resp_reply *reply, size_t *length_r)
{
	enum resp_type type = resp_type(reply);

	if (type != RESP_STRING && type != RESP_STATUS)
		return NULL;
	if (length_r != NULL)
		*length_r = inside(reply)->len;
	return inside(reply)->str;
}

const char *
resp_error(const struct resp_reply *reply)
{
	return resp_type(reply) == RESP_ERROR ? inside(reply)->str : NULL;
}

size_t
resp_count(const struct resp_reply *reply)
{
	return resp_type(reply) == RESP_ARRAY ? inside(reply)->elements : 0;
}

const struct resp_reply *
resp_element(const struct resp_reply *reply, size_t index)
{
	if (index >= resp_count(reply))
		return NULL;
	return (const struct resp_reply *)(const void *)inside(reply)
	    ->element[index];
}

/* Those that are nil are nobody's, see make_nil(). */
static redisReply *
without_nils(redisReply *reply)
{
	if (reply == NULL || reply->type == REDIS_REPLY_NIL)
		return NULL;
	for (size_t i = 0;
	     reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
		reply->element[i] = without_nils(reply->element[i]);
	return reply;
}

void
resp_reply_free(struct resp_reply **reply)
{
	redisReply *own = without_nils((redisReply *)(void *)*reply);

	if (own != NULL)
		freeReplyObject(own);
	*reply = NULL;
}

/* ---- Parser */

/* hiredis believes a length before it has seen what it announces, and keeps all
 * of it.  So bytes go through a scanner first, which finds where a reply ends and
 * lets none through that has outgrown its bounds: that one is thrown away as it
 * comes, and an error takes its place. */

enum {
	LEVELS = 6,		/* of arrays in arrays */
	HEAD_BYTES = 24,	/* of a line that has to be a number */
	LINE_BYTES = 64 << 10,	/* of any line */
	STRING_MOST = 64 << 20, /* bytes of one that is thrown away */
	DUE_MOST = 1 << 24,	/* values of arrays that are thrown away */
};

#define TOO_LONG "-TOOLONG the reply is longer than we read\r\n"

struct resp_parser {
	redisReader *reader;
	redisReplyObjectFunctions functions; /* of the reader */
	const char *input;		     /* borrowed */
	size_t length;
	const char *wrong;

	/* The reply that is being read */
	bool is_skipped;
	size_t bytes;
	size_t due;		   /* values to come, those of its arrays too */
	size_t string;		   /* bytes to come of one, its end included */
	char head[HEAD_BYTES + 1]; /* how the line begins */
	size_t line;		   /* bytes of it so far */
	bool has_return;	   /* as the last of them */
};

static void
begin_reply(struct resp_parser *parser)
{
	parser->is_skipped = false;
	parser->bytes = 0;
	parser->due = 1;
}

/* Of the fields that are asked for most are not there: all these are one. */
static void *
make_nil(const redisReadTask *task)
{
	static redisReply nil = {.type = REDIS_REPLY_NIL};

	if (task->parent != NULL)
		((redisReply *)task->parent->obj)->element[task->idx] = &nil;
	return &nil;
}

static void
free_reply(void *object)
{
	struct resp_reply *reply = object;

	resp_reply_free(&reply);
}

/* False: no memory. */
static bool
open_reader(struct resp_parser *parser)
{
	parser->reader = redisReaderCreate();
	if (parser->reader == NULL)
		return false;
	parser->functions = *parser->reader->fn;
	parser->functions.createNil = make_nil;
	parser->functions.freeObject = free_reply;
	parser->reader->fn = &parser->functions;
	return true;
}

struct resp_parser *
resp_parser_open(void)
{
	struct resp_parser *parser = calloc(1, sizeof *parser);

	if (parser == NULL)
		return NULL;
	begin_reply(parser);
	if (!open_reader(parser))
		resp_parser_close(&parser);
	return parser;
}

void
resp_parser_close(struct resp_parser **parser)
{
	if (*parser == NULL)
		return;
	if ((*parser)->reader != NULL)
		redisReaderFree((*parser)->reader);
	free(*parser);
	*parser = NULL;
}

/* ---- The scanner */

/* What hiredis has of the reply goes, too. */
static void
skip(struct resp_parser *parser)
{
	if (parser->is_skipped)
		return;
	parser->is_skipped = true;
	redisReaderFree(parser->reader);
	if (!open_reader(parser))
		parser->wrong = "out of memory";
}

static void
begin_string(struct resp_parser *parser, size_t length)
{
	parser->string = length + 2;
	if (length > STRING_MOST)
		parser->wrong = "the reply is too long";
	else if (length > RESP_REPLY_BYTES)
		skip(parser);
}

static void
begin_array(struct resp_parser *parser, size_t count)
{
	parser->due += count;
	parser->due--;
	if (count > DUE_MOST || parser->due > DUE_MOST)
		parser->wrong = "the reply is too long";
	else if (count > RESP_ARRAY_ELEMENTS)
		skip(parser);
}

/* "$5" and "*3" say what follows, -1 that nothing is there. */
static void
take_head(struct resp_parser *parser)
{
	const char *digits = parser->head + 1;
	const char *end;
	int64_t number = decimal_scan(digits, &end);

	if (strncmp(digits, "-1\r", 3) == 0)
		parser->due--;
	else if (*digits < '0' || *digits > '9' || *end != '\r')
		parser->wrong = "Protocol error: a length that is no number";
	else if (parser->head[0] == '$')
		begin_string(parser, (size_t)number);
	else
		begin_array(parser, (size_t)number);
}

static void
keep_head(struct resp_parser *parser, const char *bytes, size_t length)
{
	size_t room = HEAD_BYTES - parser->line;

	if (parser->line >= HEAD_BYTES)
		return;
	if (length > room)
		length = room;
	memcpy(parser->head + parser->line, bytes, length);
	parser->head[parser->line + length] = '\0';
}

/* The bytes of the input that belong to a line, which may end with them. */
static size_t
pass_line(struct resp_parser *parser, const char *bytes, size_t length)
{
	const char *end = memchr(bytes, '\n', length);
	size_t passed = end != NULL ? (size_t)(end - bytes) + 1 : length;
	bool is_ended =
	    end != NULL && (end > bytes ? end[-1] == '\r' : parser->has_return);

	keep_head(parser, bytes, passed);
	parser->line += passed;
	parser->has_return = bytes[passed - 1] == '\r';
	if (strchr("+-:$*", parser->head[0]) == NULL ||
	    parser->head[0] == '\0' || parser->line > LINE_BYTES ||
	    (end != NULL && !is_ended))
		parser->wrong = "Protocol error: not what a reply looks like";
	if (parser->wrong != NULL || !is_ended)
		return passed;
	parser->line = 0;
	if (parser->head[0] == '$' || parser->head[0] == '*')
		take_head(parser);
	else
		parser->due--;
	return passed;
}

static size_t
pass_string(struct resp_parser *parser, size_t length)
{
	size_t passed = length < parser->string ? length : parser->string;

	parser->string -= passed;
	if (parser->string == 0)
		parser->due--;
	return passed;
}

/* How many bytes of the input belong to this reply. */
static size_t
scan(struct resp_parser *parser)
{
	size_t at = 0;

	while (parser->wrong == NULL && parser->due > 0 && at < parser->length)
		at += parser->string > 0
		    ? pass_string(parser, parser->length - at)
		    : pass_line(
			  parser, parser->input + at, parser->length - at);
	parser->bytes += at;
	if (parser->bytes > RESP_REPLY_BYTES)
		skip(parser);
	return at;
}

/* ---- Replies */

void
resp_feed(struct resp_parser *parser, const void *bytes, size_t length)
{
	parser->input = bytes;
	parser->length = length;
}

/* hiredis 1.x nests deeper than hiredis 0.14, and we want to see the same with
 * both. */
static bool
is_flat(const redisReply *reply, int levels)
{
	if (reply->type != REDIS_REPLY_ARRAY)
		return true;
	if (levels == 0)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (!is_flat(reply->element[i], levels - 1))
			return false;
	return true;
}

/* A whole reply has been fed. */
static enum resp_parsed
take(struct resp_parser *parser, struct resp_reply **reply_r)
{
	void *reply = NULL;

	if (redisReaderGetReply(parser->reader, &reply) != REDIS_OK) {
		parser->wrong = parser->reader->errstr;
		return RESP_BAD;
	}
	if (reply == NULL || !is_flat(reply, LEVELS)) {
		free_reply(reply);
		parser->wrong = "Protocol error: a reply of no known form";
		return RESP_BAD;
	}
	*reply_r = reply;
	return RESP_REPLY;
}

enum resp_parsed
resp_next(struct resp_parser *parser, struct resp_reply **reply_r)
{
	const char *bytes = parser->input;
	size_t length = parser->wrong == NULL ? scan(parser) : 0;
	bool is_whole = parser->due == 0;

	if (parser->wrong != NULL)
		return RESP_BAD;
	parser->input += length;
	parser->length -= length;
	if (parser->is_skipped) {
		bytes = TOO_LONG;
		length = is_whole ? sizeof TOO_LONG - 1 : 0;
	}
	if (length > 0 &&
	    redisReaderFeed(parser->reader, bytes, length) != REDIS_OK) {
		parser->wrong = parser->reader->errstr;
		return RESP_BAD;
	}
	if (!is_whole)
		return RESP_MORE;
	begin_reply(parser);
	return take(parser, reply_r);
}

const char *
resp_wrong(const struct resp_parser *parser)
{
	return parser->wrong != NULL ? parser->wrong : "nothing";
}
