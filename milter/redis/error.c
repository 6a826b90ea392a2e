#include "redis/error.h"

#include <string.h>

/* By how the text begins; other errors concern a RECORD.  NOPERM and CLUSTERDOWN
 * are deliberately not UNFIT: logging in would succeed, and we would connect
 * again for ever. */
static const struct {
	const char *begins;
	enum redis_error error;
} meanings[] = {
    {"MOVED ", REDIS_ERROR_REDIRECT},
    {"ASK ", REDIS_ERROR_REDIRECT},
    {"LOADING ", REDIS_ERROR_UNFIT},
    {"READONLY ", REDIS_ERROR_UNFIT},
    {"MASTERDOWN ", REDIS_ERROR_UNFIT},
    {"NOAUTH ", REDIS_ERROR_UNFIT},
    {"BUSY ", REDIS_ERROR_UNFIT},
    {"DENIED ", REDIS_ERROR_UNFIT},
    {"ERR max number of clients", REDIS_ERROR_UNFIT},
    {"NOPERM ", REDIS_ERROR_REFUSED},
    {"CLUSTERDOWN ", REDIS_ERROR_REFUSED},
    {"ERR unknown ", REDIS_ERROR_REFUSED},
    {"ERR wrong number of arguments", REDIS_ERROR_REFUSED},
    {"OOM ", REDIS_ERROR_UNABLE},
    {"MISCONF ", REDIS_ERROR_UNABLE},
    {"NOREPLICAS ", REDIS_ERROR_UNABLE},
    {"ERR increment or decrement would overflow", REDIS_ERROR_HARMLESS},
};

enum redis_error
redis_error_judge(const char *text)
{
	if (text == NULL)
		return REDIS_ERROR_NONE;
	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
		const char *begins = meanings[i].begins;

		if (strncmp(text, begins, strlen(begins)) == 0)
			return meanings[i].error;
	}
	return REDIS_ERROR_RECORD;
}

static const char *
failure_in(const struct resp_reply *reply)
{
	const char *text = resp_error(reply);

	return redis_error_judge(text) > REDIS_ERROR_HARMLESS ? text : NULL;
}

const char *
redis_reply_error(const struct resp_reply *reply)
{
	const char *text = failure_in(reply);

	for (size_t i = 0; text == NULL && i < resp_count(reply); i++)
		text = failure_in(resp_element(reply, i));
	return text;
}
