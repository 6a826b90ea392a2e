/* connection -- one server, and our connection to it; when it is lost, it is made
 * anew.
 *
 * Nothing here waits: one thread, the client's, polls for all connections and
 * has each work.  Others only hand calls over, under the client's mutex.  None
 * of these is ever sent again. */
#ifndef REDIS_CONNECTION_H
#define REDIS_CONNECTION_H

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

struct redis_connection;

/* With an address of NULL it waits for redis_connection_aim.  NULL: no memory. */
struct redis_connection *
redis_connection_open(const struct redis_connection_terms *terms,
    const struct redis_address *address);

/* All calls are over. */
void redis_connection_close(struct redis_connection **conn);

/* ---- For any thread */

bool redis_connection_is_up(const struct redis_connection *conn);

/* Has it not refused to remember something within the last two seconds? */
bool redis_connection_takes_writes(const struct redis_connection *conn);

/* Would somebody who asks now be answered too late? */
bool redis_connection_is_choked(const struct redis_connection *conn);

/* ---- Under the mutex */

/* There is room for a call of so many bytes, or none is to be had. */
bool redis_connection_has_room(struct redis_connection *conn, size_t length);

/* Hand a call over for which there is room.  It waits while the connection is
 * being made, and is over at once when that fails. */
void
redis_connection_add(struct redis_connection *conn, struct redis_call *call);

/* ---- For the client's thread */

/* From now on connect to this address; what is under way to another ends first. */
void redis_connection_aim(
    struct redis_connection *conn, const struct redis_address *address);

/* Say why there is no address to connect to, for the report. */
void redis_connection_excuse(
    struct redis_connection *conn, const char *where, const char *why);

/* If it is down, try again at once, as if nothing had failed before. */
void redis_connection_hurry(struct redis_connection *conn);

/* Calls are under way. */
bool redis_connection_is_used(const struct redis_connection *conn);

/* Take no more calls; it is over when those under way are.  If a fault of it was
 * reported, so is `why`, unless that is NULL. */
void redis_connection_end(struct redis_connection *conn, const char *why);
bool redis_connection_is_ending(const struct redis_connection *conn);
bool redis_connection_is_over(const struct redis_connection *conn);

void redis_connection_note_refusal(struct redis_connection *conn);

/* What to poll for, and for how many milliseconds at most. */
int
redis_connection_prepare(struct redis_connection *conn, struct pollfd *wait_r);

/* Do what can be done now; `revents` is what poll has said. */
void redis_connection_work(struct redis_connection *conn, short revents);

const struct redis_address *
redis_connection_address(const struct redis_connection *conn);
const char *redis_connection_where(const struct redis_connection *conn);

/* Why it is not up, or "". */
const char *redis_connection_why(const struct redis_connection *conn);

/* It is not up because the server did not let us in. */
bool redis_connection_is_refused(const struct redis_connection *conn);

#endif
