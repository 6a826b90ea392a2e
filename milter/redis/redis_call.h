/* redis_call -- commands on their way to one server, with what comes back. */
#ifndef REDIS_CALL_H
#define REDIS_CALL_H

#include "redis/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_connection;

struct redis_call {
	/* What to send, one reply place for each command, and the deadline on
	 * redis_now's clock.  All must live until it is over. */
	const struct resp_commands *commands;
	struct resp_reply **replies;
	int64_t due_ms;

	/* No number follows its replies: they are only watched for faults, or
	 * that of a later call by the same asker will do. */
	bool is_unguarded;

	/* Called once when it is over, in the client's thread. */
	void (*done)(struct redis_call *call);
	void *arg;

	/* Once it is over: all replies are there, and the number behind them;
	 * or else all are NULL and nobody knows what the server did. */
	bool is_answered;

	/* The connection's own. */
	struct redis_connection *conn;
	int64_t guard;
	size_t received;
	struct redis_call *next;
};

/* Calls in the order of their answers.  All zero is empty. */
struct redis_call_list {
	struct redis_call *head;
	struct redis_call *tail;
};

void redis_call_append(struct redis_call_list *list, struct redis_call *call);

/* Move all of `more` to the end of `list`. */
void
redis_call_join(struct redis_call_list *list, struct redis_call_list *more);

/* Take the first; NULL: there is none. */
struct redis_call *redis_call_shift(struct redis_call_list *list);

/* The earliest deadline, or INT64_MAX. */
int64_t redis_call_due(const struct redis_call_list *list);

/* All of them are over; the replies of those without an answer are freed. */
void redis_call_finish_all(struct redis_call_list *list);

/* Milliseconds of a clock that nobody sets; all deadlines here are on it. */
int64_t redis_now(void);

#endif
