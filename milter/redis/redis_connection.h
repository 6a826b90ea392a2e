/* redis_connection -- one connection to one server, from its address to the answers;
 * when it is lost, it is made anew.
 *
 * Nothing here waits: one thread, the client's, polls for all connections and
 * has each work.  Others only hand calls over, under the client's mutex.
 *
 * Answers come in the order of the calls, so everything that might shift them
 * ends the connection: an answer after its deadline, one that nobody asked for,
 * nonsense.  All calls under way then fail, none is sent again.  After each call
 * goes a PING with a number of its own, and the answer counts only if this number
 * follows it. */
#ifndef REDIS_CONNECTION_H
#define REDIS_CONNECTION_H

#include "redis/redis_address.h"
#include "redis/redis_call.h"
#include "redis/redis_tls.h"

#include <poll.h>
#include <pthread.h>

/* Strings may be NULL; all must outlive the connection. */
struct redis_connection_terms {
	const char *user;
	const char *password;
	int database;
	bool must_be_master; /* replicas will not do */
	const struct redis_tls *tls;
	const char *tls_name;
	int64_t connect_ms; /* for one try, login included */

	/* As in redis.h: a fault begins, or is over. */
	void (*report)(void *arg, bool up, const char *where, const char *why);
	void *report_arg;

	/* It was lost, or could not be had. */
	void (*lost)(void *arg);
	void *lost_arg;

	pthread_mutex_t *mutex; /* the client's */
	int wake_fd;		/* gets the client's attention */
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

/* Has it refused to remember something within the last two seconds? */
bool redis_connection_takes_writes(const struct redis_connection *conn);

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

/* Calls are under way. */
bool redis_connection_is_used(const struct redis_connection *conn);

/* Take no more calls; it is over when those under way are. */
void redis_connection_end(struct redis_connection *conn);
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

#endif
