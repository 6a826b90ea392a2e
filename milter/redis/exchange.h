/* exchange -- calls on one connection: commands out, replies in, by their order.
 *
 * After all calls that are sent at once goes a PING with a number of its own, and
 * their answers count only if this number follows them; else the order is broken,
 * which ends the connection.
 * So do silence, and nonsense.  A late answer does not: its call is over at the
 * deadline, and what comes for it is thrown away.
 *
 * Others hand calls over, under the client's mutex; the rest is for the client's
 * thread. */
#ifndef REDIS_EXCHANGE_H
#define REDIS_EXCHANGE_H

#include "redis/call.h"
#include "redis/error.h"
#include "redis/stream.h"

#include <pthread.h>
#include <stdatomic.h>

/* The answers that a connection owes, in their order.
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

struct redis_exchange {
	pthread_mutex_t *mutex; /* the client's */
	int64_t call_ms;	/* what is long for an answer */

	bool is_open; /* to others' calls */
	struct resp_parser *parser;
	struct resp_commands sending;
	size_t sent; /* bytes of it */
	struct redis_queue waiting;
	size_t at;	  /* the place among them that is being filled */
	size_t live;	  /* places whose call is not over */
	int64_t due_ms;	  /* no call's deadline is before it */
	int64_t owed_ms;  /* since when answers are owed without a break */
	int64_t heard_ms; /* the last byte */
	int64_t whole_ms; /* the last whole reply */
	int64_t late_ms;  /* when something last was late */
	bool is_slow;	  /* until answers have come in time for a while */
	char why[REDIS_WORDS_SIZE];

	atomic_bool is_choked;	 /* those who ask would be late, too */
	atomic_size_t pending;	 /* places */
	atomic_llong refused_ms; /* the last refusal to write, or 0 */

	/* Under the mutex */
	struct resp_commands outgoing;
	struct redis_queue added;
	int64_t added_due_ms; /* as due_ms */
	bool is_unsealed;     /* something in it wants a number behind it */
	int64_t guard;	      /* the last number */
};

void redis_exchange_init(
    struct redis_exchange *exchange, pthread_mutex_t *mutex, int64_t call_ms);

/* All calls are over. */
void redis_exchange_free(struct redis_exchange *exchange);

/* ---- Under the mutex */

/* There is room for a call of so many bytes, or none is to be had. */
bool redis_exchange_has_room(struct redis_exchange *exchange, size_t length);

/* Hand a call over for which there is room. */
void
redis_exchange_add(struct redis_exchange *exchange, struct redis_call *call);

/* ---- For the client's thread */

/* A new connection: send this call, and take those of others from
 * when it is_open.  False: no memory. */
bool
redis_exchange_begin(struct redis_exchange *exchange, struct redis_call *first);

/* Send and receive what can be now, and end what is late, be it that there is no
 * connection yet.  NULL, or why the connection is of no more use. */
const char *redis_exchange_work(struct redis_exchange *exchange,
    struct redis_stream *stream, bool is_readable);

/* The connection is gone, and with it all calls. */
void redis_exchange_end(struct redis_exchange *exchange);

/* Something waits to be taken over for which no poll is needed. */
bool redis_exchange_has_more(struct redis_exchange *exchange);

/* When there is something to do at the latest, or INT64_MAX: nothing is owed. */
int64_t redis_exchange_next(struct redis_exchange *exchange);

#endif
