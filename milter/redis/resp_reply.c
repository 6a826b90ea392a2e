#include "redis/resp.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>

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

void
resp_reply_free(struct resp_reply **reply)
{
	if (*reply != NULL)
		freeReplyObject(*reply);
	*reply = NULL;
}

/* ---- Parser */

/* The count that hiredis hands to createArray. */
#if HIREDIS_MAJOR >= 1
typedef size_t array_count;
#else
typedef int array_count;
#endif

enum { LEVELS = 6 }; /* of arrays in arrays */

struct resp_parser {
	redisReader *reader;
	redisReplyObjectFunctions *original; /* hiredis's own; static there */
	redisReplyObjectFunctions limited;
	size_t unfinished; /* bytes fed since the last whole reply */
	const char *wrong;
};

/* hiredis believes a length before it has seen the elements, and would walk
 * through billions of them when it frees the reply. */
static void *
create_limited_array(const redisReadTask *task, array_count count)
{
	const struct resp_parser *parser = task->privdata;

	if (count > RESP_ARRAY_ELEMENTS)
		return NULL;
	return parser->original->createArray(task, count);
}

struct resp_parser *
resp_parser_open(void)
{
	struct resp_parser *parser = calloc(1, sizeof *parser);

	if (parser == NULL)
		return NULL;
	parser->reader = redisReaderCreate();
	if (parser->reader == NULL) {
		free(parser);
		return NULL;
	}
	parser->original = parser->reader->fn;
	parser->limited = *parser->original;
	parser->limited.createArray = create_limited_array;
	parser->reader->fn = &parser->limited;
	parser->reader->privdata = parser;
	return parser;
}

void
resp_parser_close(struct resp_parser **parser)
{
	if (*parser == NULL)
		return;
	redisReaderFree((*parser)->reader);
	free(*parser);
	*parser = NULL;
}

void
resp_feed(struct resp_parser *parser, const void *bytes, size_t length)
{
	parser->unfinished += length;
	if (redisReaderFeed(parser->reader, bytes, length) != REDIS_OK)
		parser->wrong = parser->reader->errstr;
}

/* hiredis 1.x understands RESP3 and nests deeper, hiredis 0.14 does not, and we
 * want to see the same with both. */
static bool
is_expected(const redisReply *reply, int levels)
{
	if (reply->type < REDIS_REPLY_STRING || reply->type > REDIS_REPLY_ERROR)
		return false;
	if (reply->type != REDIS_REPLY_ARRAY)
		return true;
	if (levels == 0)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (!is_expected(reply->element[i], levels - 1))
			return false;
	return true;
}

enum resp_parsed
resp_next(struct resp_parser *parser, struct resp_reply **reply_r)
{
	void *reply = NULL;

	if (parser->wrong != NULL)
		return RESP_BAD;
	if (redisReaderGetReply(parser->reader, &reply) != REDIS_OK) {
		parser->wrong = parser->reader->errstr;
		return RESP_BAD;
	}
	if (reply == NULL && parser->unfinished > RESP_REPLY_BYTES) {
		parser->wrong = "the reply is too long";
		return RESP_BAD;
	}
	if (reply == NULL)
		return RESP_MORE;
	if (!is_expected(reply, LEVELS)) {
		freeReplyObject(reply);
		parser->wrong = "the reply is of a type that was not asked for";
		return RESP_BAD;
	}
	parser->unfinished = 0;
	*reply_r = reply;
	return RESP_REPLY;
}

bool
resp_is_drained(const struct resp_parser *parser)
{
	return parser->reader->pos == parser->reader->len;
}

const char *
resp_wrong(const struct resp_parser *parser)
{
	return parser->wrong != NULL ? parser->wrong : "nothing";
}
