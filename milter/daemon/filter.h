/* filter -- the libmilter callbacks: a thin shell around the session.
 *
 * The only module that knows libmilter.  One filter in a process, because
 * libmilter has one: open it, start it, and drain it before the end. */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct shared;

/* Open the milter socket, in libmilter's words (a checked socket_spec).  False:
 * libmilter has told the log why. */
bool filter_open(const char *socket);

/* Serve all sessions from `shared`, which must outlive them, in threads that
 * take no signals.  `ended` is called from one of them if libmilter ends, which
 * it does only on a fault.  False: no thread could be had. */
bool filter_start(struct shared *shared, void (*ended)(void));

/* Begin no more callbacks, and wait at most `within_ms` for those that run.
 * False: some still run and use `shared`.  Sessions that are open then wait for
 * the end of the process, which they see as a lost connection. */
bool filter_drain(int64_t within_ms);

#endif
