/* redis_error -- what an error reply of Redis means for us.  Pure. */
#ifndef REDIS_ERROR_H
#define REDIS_ERROR_H

#include "redis/resp.h"

#include <stddef.h>

enum redis_error {
	REDIS_ERROR_NONE,     /* the text is NULL: no error at all */
	REDIS_ERROR_HARMLESS, /* an answer like others: a counter is full */
	REDIS_ERROR_REDIRECT, /* MOVED or ASK: not executed, go elsewhere */
	REDIS_ERROR_RECORD,   /* this command failed, most often for its key */
	REDIS_ERROR_REFUSED,  /* so would its like, whoever asks for what key */
	REDIS_ERROR_UNABLE,   /* so would any other that writes */
	REDIS_ERROR_UNFIT,    /* this server cannot serve us now: leave it */
};

enum redis_error redis_error_judge(const char *text);

/* The text of a reply that is an error, or of the first among what EXEC gives:
 * what it was to read or to write was not.  NULL: it is none, or says no more
 * than that a counter is full. */
const char *redis_reply_error(const struct resp_reply *reply);

enum { REDIS_WORDS_SIZE = 160 };

#endif
