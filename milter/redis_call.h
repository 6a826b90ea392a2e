/* redis_call -- commands on their way to one server, with what comes back. */
#ifndef REDIS_CALL_H
#define REDIS_CALL_H

#include "resp.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_link;

struct redis_call {
	/* What to send, one reply place for each command, and the deadline on
	 * redis_thread_now's clock.  All must live until it is over. */
	const struct resp_commands *commands;
	struct resp_reply **replies;
	int64_t due_ms;

	/* No number follows its replies: they are only watched for faults, or
	 * that of a later call by the same asker will do. */
	bool is_unguarded;

	/* NULL: somebody waits for it, with redis_link_await.  Else called once
	 * when it is over, from any thread, which must not be kept waiting.  The
	 * call may be freed in it. */
	void (*done)(struct redis_call *call);
	void *arg;

	/* Once it is over: all replies are there, and the number behind them;
	 * or else all are NULL and nobody knows what the server did. */
	bool is_answered;

	/* The link's own: itself, the number that must follow the replies, and
	 * how far they are. */
	struct redis_link *link;
	int64_t guard;
	size_t received;
	struct redis_call *next;

	/* The crew's own, where somebody waits: his turn has come, to go or to
	 * lead; whether he waits for that already; whether it is over. */
	sem_t turn;
	bool is_awaited;
	atomic_bool is_over;
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

/* The first for whose turn somebody waits, or NULL. */
struct redis_call *redis_call_awaited(const struct redis_call_list *list);

/* It is over.  Unless it is answered, the replies that came are freed. */
void redis_call_finish(struct redis_call *call);

/* All of them are over; the list is empty afterwards. */
void redis_call_finish_all(struct redis_call_list *list);

#endif
