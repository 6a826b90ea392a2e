/* call -- commands on their way to one server, with what comes back. */
#ifndef REDIS_CALL_H
#define REDIS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "redis/redis.h"

struct redis_connection;

struct redis_call {
	/* What to send, one reply place for each command, and the deadline on
	 * redis_now's clock.  All must live until it is over. */
	const struct resp_commands *commands;
	struct resp_reply **replies;
	int64_t due_ms;

	/* It needs no number behind its replies: they are only watched for
	 * faults. */
	bool is_unguarded;

	/* NULL, or called with each reply: why the connection is of no more use,
	 * or NULL. */
	const char *(*judge)(struct redis_call *call);

	/* Called once when it is over, in the client's thread, which from then
	 * on does not touch it. */
	void (*done)(struct redis_call *call);
	void *arg;

	/* Once it is over.  Answered: all replies are there, and the number
	 * behind its batch; else all are NULL. */
	enum redis_answer answer;
	bool is_redirected; /* a reply names another server */

	/* The connection's own. */
	struct redis_connection *conn;
	size_t received;
	struct redis_call *next;
};

/* Milliseconds of a clock that nobody sets; all deadlines here are on it. */
static inline int64_t
redis_now(void)
{
	return clock_steady_us() / 1000;
}

#endif
