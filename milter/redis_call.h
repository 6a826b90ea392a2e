/* redis_call -- commands on their way to one server, with what comes back. */
#ifndef REDIS_CALL_H
#define REDIS_CALL_H

#include "resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_link;

struct redis_call {
	/* What to send, one reply place for each command, and the deadline on
	 * redis_thread_now's clock.  All must live until `done`. */
	const struct resp_commands *commands;
	struct resp_reply **replies;
	int64_t due_ms;

	/* Nobody waits for it: it need not wake the link's thread, which is to
	 * wake for an answer to another call anyway. */
	bool may_ride;

	/* Called once, from the thread of a link, which must not be kept
	 * waiting.  The call may be freed in it. */
	void (*done)(struct redis_call *call);
	void *arg;

	/* Set before `done`: all replies are there, or else all are NULL and
	 * nobody knows what the server did. */
	bool is_answered;

	/* The link's own: itself, the number that must follow the replies, and
	 * how far they are. */
	struct redis_link *link;
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

/* It is over: call `done`.  Without all replies, those that came are freed. */
void redis_call_finish(struct redis_call *call);

#endif
