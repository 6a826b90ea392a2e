/* thread -- how this program starts a thread: one that does anything, one that does
 * something again and again, and one for a job that may hang. */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THREAD_NAME_MAX 15 /* characters that the system shows */

/* Start a thread that takes no signals: they are the main thread's.  Its name is
 * what ps and gdb show.  `thread_r` NULL: nobody will join it.  False: none could
 * be had. */
bool thread_start(
    pthread_t *thread_r, const char *name, void *(*run)(void *), void *arg);

/* From now on all threads of the process get a stack of this size, also those that a
 * library starts.  What the C library keeps for the next threads is bounded by
 * octets: of stacks of the usual 8 MB it keeps five, and a pool of more threads maps
 * and unmaps one for each.  Of one that is kept it takes back what was used above
 * 16 KB, which stops all processors for a moment and costs the next thread a page
 * fault for each page: nothing in a decision should need more. */
#ifndef __SANITIZE_THREAD__
#define THREAD_STACK ((size_t)(512 << 10))
#else /* what TSan keeps of a thread stands on its stack, too */
#define THREAD_STACK ((size_t)(4 << 20))
#endif
void thread_limit_stacks(void);

/* A condition whose time-outs go by the steady clock, see clock_due(). */
bool thread_condition(pthread_cond_t *condition_r);

/* ---- Ticker: a background thread that does something again and again */

struct ticker;

/* Call `tick` at once and then every `every_ms` milliseconds, until ticker_stop();
 * or, if that is 0, once after each ticker_nudge().  `now` is Unix seconds; how long
 * a second is does not depend on that clock.  `name` is that of the thread.  NULL: no
 * thread or no memory could be had. */
struct ticker *ticker_start(const char *name, int64_t every_ms,
    void (*tick)(void *arg, int64_t now), void *arg);

/* Let it tick once more, as soon as no tick is under way.  Waits for nothing;
 * several nudges before that are one. */
void ticker_nudge(struct ticker *ticker);

/* Tick no more, and wait at most `within_ms` for a tick that is under way.
 * False: it still is; the ticker is then left as it is, and may be stopped once
 * more. */
bool ticker_stop(struct ticker **ticker, int64_t within_ms);

/* ---- Aside: a job that may hang, such as asking a file system that does not
 * answer, done by a thread of its own: who wants it waits for a while, and goes on.
 *
 * One job at a time: a job that hangs is one thread, and there is none more until
 * it is back.  Used by one thread. */

struct aside;

/* `job` works on `size` octets of data, all zero at first, which are the job's
 * while it is under way and the caller's before and after.  `drop` (or NULL) frees
 * what they hold when both are done with them.  NULL: out of memory. */
struct aside *aside_open(const char *name, size_t size, void (*job)(void *data),
    void (*drop)(void *data));

/* The data; NULL while a job is under way. */
void *aside_data(struct aside *aside);

/* Do the job; none may be under way.  False: no thread could be had. */
bool aside_start(struct aside *aside);

/* Wait until no job is under way, but no longer than that.  Whether none is. */
bool aside_wait(struct aside *aside, int64_t within_ms);

/* For how long the job is under way, in milliseconds; 0 if none is. */
int64_t aside_age(struct aside *aside);

/* Waits for nothing: a job that is under way cleans up when it is back. */
void aside_close(struct aside **aside);

#endif
