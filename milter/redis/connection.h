/* connection -- one server, and our connection to it; when it is lost, it is made
 * anew.
 *
 * Nothing here waits: one thread, the client's, polls for all connections and
 * has each work.  Others only hand calls over, under the client's mutex.  None
 * of these is ever sent again. */
#ifndef REDIS_CONNECTION_H
#define REDIS_CONNECTION_H

#include "base/outage.h"
#include "redis/exchange.h"

/* What we say first on a new connection. */
struct redis_greeting_terms {
	const char *user;     /* with a password; NULL: the default user */
	const char *password; /* NULL: none */
	bool or_default; /* who does not know the user may let in without */
	int database;
	bool must_be_master; /* replicas will not do */
};

/* Strings may be NULL.  All must outlive the connection, but what is read when it
 * is made anew may be changed by the client's thread. */
struct redis_connection_terms {
	struct redis_greeting_terms greeting;
	struct redis_stream_terms stream;
	int64_t call_ms;    /* what is long for an answer */
	int64_t connect_ms; /* for one try, login included */

	redis_report report;
	void *report_arg;

	/* It was lost, or could not be had. */
	void (*lost)(void *arg);
	void *lost_arg;

	pthread_mutex_t *mutex; /* the client's */
};

#define REDIS_GREETINGS 5 /* AUTH twice, SELECT, PING, ROLE */

enum { REDIS_REFUSAL_MS = 2000 }; /* a refusal is believed for so long */

enum redis_connection_state {
	REDIS_DOWN,
	REDIS_OPENING,
	REDIS_GREETING,
	REDIS_UP
};

/* The client's thread may read it; to change it is the connection's own. */
struct redis_connection {
	const struct redis_connection_terms *terms;
	struct redis_address address; /* no host: none yet */
	char where[REDIS_WHERE_SIZE];
	char why[REDIS_WORDS_SIZE]; /* it is not up; empty: for no fault */
	enum redis_connection_state state;
	bool is_leaving; /* as soon as the calls under way are over */
	bool is_ending;	 /* and then for good */

	int64_t due_ms; /* of being made */
	int64_t retry_at;
	size_t tries;	 /* that brought no good connection */
	size_t failures; /* of servers that answered, and will not do */
	bool is_unfit;	 /* the last was such */
	bool is_refused; /* and it was the login */
	int64_t up_since;
	struct outage outage;

	struct redis_stream stream;
	struct redis_exchange exchange;

	/* Our own question: the greetings, or whether it still lives. */
	struct redis_call own;
	bool is_asking;
	struct resp_commands own_commands;
	struct resp_reply *own_replies[REDIS_GREETINGS];

	atomic_bool is_up;
};

/* With an address of NULL it waits for redis_connection_aim.  NULL: no memory. */
struct redis_connection *
redis_connection_open(const struct redis_connection_terms *terms,
    const struct redis_address *address);

/* All calls are over. */
void redis_connection_close(struct redis_connection **conn);

/* ---- For any thread */

static inline bool
redis_connection_is_up(const struct redis_connection *conn)
{
	return atomic_load(&conn->is_up);
}

/* Has it not refused to remember something of late? */
static inline bool
redis_connection_takes_writes(const struct redis_connection *conn)
{
	int64_t refused_ms = atomic_load(&conn->exchange.refused_ms);

	return refused_ms == 0 || redis_now() - refused_ms > REDIS_REFUSAL_MS;
}

/* Would somebody who asks now be answered too late? */
static inline bool
redis_connection_is_choked(const struct redis_connection *conn)
{
	return atomic_load(&conn->exchange.is_choked);
}

/* ---- Under the mutex */

/* There is room for a call of so many bytes, or none is to be had. */
static inline bool
redis_connection_has_room(struct redis_connection *conn, size_t length)
{
	return redis_exchange_has_room(&conn->exchange, length);
}

/* Hand a call over for which there is room.  It waits while the connection is
 * being made, and is over at once when that fails. */
static inline void
redis_connection_add(struct redis_connection *conn, struct redis_call *call)
{
	call->conn = conn;
	redis_exchange_add(&conn->exchange, call);
}

/* ---- For the client's thread */

/* How long to wait after so many failures (at least 1) in a row: a quarter of a
 * second, twice as long after each, up to about `most_ms`; and some more or less,
 * so that not all come at once. */
int64_t redis_pause(size_t failures, int64_t most_ms);

/* From now on connect to this address; what is under way to another ends first. */
void redis_connection_aim(
    struct redis_connection *conn, const struct redis_address *address);

/* Say why there is no address to connect to, for the report. */
void redis_connection_excuse(
    struct redis_connection *conn, const char *where, const char *why);

/* If it is down, try again at once, as if nothing had failed before. */
void redis_connection_hurry(struct redis_connection *conn);

/* Calls are under way. */
static inline bool
redis_connection_is_used(const struct redis_connection *conn)
{
	return atomic_load(&conn->exchange.pending) > 0;
}

/* Take no more calls; it is over when those under way are.  If a fault of it was
 * reported, so is `why`, unless that is NULL. */
void redis_connection_end(struct redis_connection *conn, const char *why);
static inline bool
redis_connection_is_over(const struct redis_connection *conn)
{
	return conn->is_ending && conn->state == REDIS_DOWN;
}

static inline void
redis_connection_note_refusal(struct redis_connection *conn)
{
	atomic_store(&conn->exchange.refused_ms, redis_now());
}

/* What to poll for, and for how many milliseconds at most. */
int
redis_connection_prepare(struct redis_connection *conn, struct pollfd *wait_r);

/* Do what can be done now; `revents` is what poll has said. */
void redis_connection_work(struct redis_connection *conn, short revents);

#endif
