/* redis_crew -- the threads that share one connection: one of them leads, the
 * others follow.
 *
 * Everybody sends for himself, unless many calls are under way: then the
 * leader sends what has gathered when the next answers come.  Whoever waits for
 * an answer leads if nobody else does: he receives the answers of all, until
 * his own is there; then he passes the lead on to one who still waits.  So a
 * call costs no change of threads while it is alone.  What nobody waits for
 * rides with the next call.
 *
 * The watch is the one thread that is always there.  It leads while nobody
 * waits for an answer, and when the connection is to end; nobody else opens or
 * closes it.  While others lead it looks every REDIS_RIDE_MS; while nobody
 * calls, it sleeps until something comes, and may find a second late that what
 * was told was not answered in time. */
#ifndef REDIS_CREW_H
#define REDIS_CREW_H

#include "redis_flow.h"
#include "redis_wake.h"

#include <pthread.h>

enum redis_leader {
	REDIS_LED_BY_NOBODY,
	REDIS_LED_BY_CALLER,
	REDIS_LED_BY_WATCH,
};

struct redis_crew {
	const struct redis_wake *wake; /* gets the watch's attention */
	atomic_bool is_open;	       /* changed under the mutex */

	pthread_mutex_t mutex; /* for all that follow */
	enum redis_leader leader;
	struct redis_flow *flow; /* NULL: not connected */
	const char *why;	 /* the connection is of no more use */
	uint64_t calls;		 /* ever handed over */
	bool is_ticking;	 /* the watch looks every REDIS_RIDE_MS */
	bool is_held;	     /* the leader is to send when he has received */
	pthread_cond_t sent; /* whoever was sending when it was stopped */

	/* The watch's own: of the calls, those that it knows of, and whether
	 * nothing happened since it last looked. */
	uint64_t seen;
	bool is_quiet;
};

void redis_crew_init(struct redis_crew *crew_r, const struct redis_wake *wake);
void redis_crew_clear(struct redis_crew *crew);

/* ---- For all threads */

/* Hand a call over; push or let_ride must follow.  False: refused, and the call
 * is over. */
bool redis_crew_submit(struct redis_crew *crew, struct redis_call *call);

/* See to it that what was handed over is sent: now, or with the next call for
 * which somebody waits, but within REDIS_RIDE_MS. */
enum { REDIS_RIDE_MS = 20 };
void redis_crew_push(struct redis_crew *crew);
void redis_crew_let_ride(struct redis_crew *crew);

/* Wait until a call without `done` is over, once it was handed over and pushed.
 * Its deadline is seen to. */
void redis_crew_await(struct redis_crew *crew, struct redis_call *call);

bool redis_crew_is_open(const struct redis_crew *crew);

/* Take no more calls; the connection ends when those under way are over. */
void redis_crew_shut(struct redis_crew *crew);

/* ---- For the watch */

/* Here is a connection.  `is_open`: for calls; else it is to end. */
void redis_crew_start(
    struct redis_crew *crew, struct redis_flow *flow, bool is_open);

/* Look after the connection for a while, at most a second or until the watch is
 * woken.  False: it has to end, and redis_crew_stop must follow. */
bool redis_crew_watch(struct redis_crew *crew);

/* Why it has to end; NULL: it was shut, and that is no fault. */
const char *redis_crew_why(const struct redis_crew *crew);

/* Close the connection; all calls are over. */
void redis_crew_stop(struct redis_crew *crew);

#endif
