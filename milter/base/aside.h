/* aside -- a job that may hang, such as asking a file system that does not answer,
 * done by a thread of its own: who wants it waits for a while, and goes on.
 *
 * One job at a time: a job that hangs is one thread, and there is none more until
 * it is back.  Used by one thread. */
#ifndef ASIDE_H
#define ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
