/* call -- commands on their way to one server, with what comes back. */
#ifndef REDIS_CALL_H
#define REDIS_CALL_H

#include "redis/redis.h"

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

	/* The connection's own. */
	struct redis_connection *conn;
	size_t received;
	struct redis_call *next;
};

/* Calls that are over.  All zero is empty. */
struct redis_call_list {
	struct redis_call *head;
	struct redis_call *tail;
};

void redis_call_append(struct redis_call_list *list, struct redis_call *call,
    enum redis_answer answer);

/* Tell each, and free the replies of those that have not all of them. */
void redis_call_finish_all(struct redis_call_list *list);

/* ---- The answers that a connection owes, in their order.
 *
 * A place outlives its call: when nobody waits any more the answer still comes,
 * and has to be thrown away. */

struct redis_place {
	struct redis_call *call; /* NULL: nobody waits any more */
	size_t left;		 /* replies that are still to come */
	int64_t guard;		 /* the number that follows them, or 0 */
	bool is_held;		 /* until that of a later place has come */
	int64_t since_ms;	 /* when it was handed over */
};

/* All zero is empty. */
struct redis_queue {
	struct redis_place *places; /* a ring */
	size_t size;		    /* of the ring, a power of two */
	size_t head;
	size_t count;
};

/* The place with this index; 0 is the next to be answered. */
struct redis_place *
redis_queue_at(const struct redis_queue *queue, size_t index);

/* False: no memory, nothing changed. */
bool redis_queue_reserve(struct redis_queue *queue, size_t more);

/* There is room. */
void
redis_queue_add(struct redis_queue *queue, const struct redis_place *place);

/* Move all of `more` to the end.  False: no memory, nothing changed. */
bool redis_queue_join(struct redis_queue *queue, struct redis_queue *more);

/* The first has all it waited for. */
void redis_queue_drop(struct redis_queue *queue);

void redis_queue_free(struct redis_queue *queue);

/* ---- Time */

/* Milliseconds of a clock that nobody sets; all deadlines here are on it. */
int64_t redis_now(void);

/* How long to wait after so many failures (at least 1) in a row: a quarter of a
 * second, twice as long after each, up to about `most_ms`; and some more or less,
 * so that not all come at once. */
int64_t redis_pause(size_t failures, int64_t most_ms);

#endif
