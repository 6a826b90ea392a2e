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

/* Those that are nil are nobody's, see resp_parser.c. */
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
