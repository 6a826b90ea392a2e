/* redis_link -- one connection to one server, shared by all threads.
 *
 * A thread of the link's own connects, logs in, and watches over the connection;
 * those who wait for answers work it (redis_crew.h).  Answers come in the order
 * of the calls, so everything that might shift them ends the connection: an
 * answer after its deadline, one that nobody asked for, nonsense.  All calls
 * under way then fail, none is sent again, and the thread connects anew.  While
 * it has no connection, calls are refused at once.
 *
 * After each call goes a PING with a number of its own, and the answer counts
 * only if this number follows it: so an answer that nobody asked for is not taken
 * for another's even when it comes while many are waited for.  One number is
 * enough behind several calls of one asker, and what was only told needs none. */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "redis_address.h"
#include "redis_call.h"
#include "redis_login.h"

#include <stdbool.h>
#include <stdint.h>

struct redis_link;

/* Pointers in it must outlive the link. */
struct redis_link_terms {
	struct redis_login login;

	/* As in redis.h: a fault begins, or is over. */
	void (*report)(void *arg, bool up, const char *where, const char *why);
	void *report_arg;

	/* The connection was lost, or could not be had; may be NULL.  Comes
	 * from the link's thread and must not wait for it. */
	void (*lost)(void *arg);
	void *lost_arg;
};

/* Start.  With an address of NULL it waits for redis_link_aim.  NULL: no
 * memory, or no thread to be had. */
struct redis_link *redis_link_open(
    const struct redis_link_terms *terms, const struct redis_address *address);

/* Refuse new calls, let those under way come to their end, close. */
void redis_link_close(struct redis_link **link);

/* From now on connect to this address.  If it is another one, the connection
 * is given up as soon as the calls under way have come to their end. */
void
redis_link_aim(struct redis_link *link, const struct redis_address *address);

/* Say why there is still no address to connect to, for the report. */
void
redis_link_excuse(struct redis_link *link, const char *where, const char *why);

/* Hand a call over; one of the next two must follow.  False: refused at once,
 * `done` will not be called. */
bool redis_link_submit(struct redis_link *link, struct redis_call *call);

/* See to it that what was handed over is sent, at once or within REDIS_RIDE_MS
 * (redis_crew.h). */
void redis_link_push(struct redis_link *link);
void redis_link_let_ride(struct redis_link *link);

/* Wait until a call without `done`, which was handed over and pushed, is over.
 * Its deadline is seen to. */
void redis_link_await(struct redis_call *call);

bool redis_link_is_up(struct redis_link *link);

/* The server has refused to remember something; false for the next two seconds:
 * that it takes what is told. */
void redis_link_note_refusal(struct redis_link *link);
bool redis_link_takes_writes(struct redis_link *link);

/* Wait for a connection, but not past the deadline. */
bool redis_link_wait_up(struct redis_link *link, int64_t due_ms);

/* Where it is or wants to be connected; as text, REDIS_WHERE_SIZE is enough. */
void
redis_link_address(struct redis_link *link, struct redis_address *address_r);
void redis_link_where(struct redis_link *link, char *where_r, size_t size);

#endif
