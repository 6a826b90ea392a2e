/* service -- the running daemon: its parts, opened and closed in their order.
 *
 * Used by main alone, from one thread. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>

#include "policy/policy.h"

struct service;

/* Take the pid file and the milter socket, drop privileges, open the store, start
 * what runs in the background, and serve mail.  `ended` is called from another thread
 * if libmilter ends on a fault.  Takes over `policy`, which was read from `file`; that
 * has to stay.  NULL: something failed, `why_r` tells what, and nothing is left. */
struct service *service_open(struct policy *policy, const char *file,
    void (*ended)(void), char *why_r, size_t size);

/* Put the configuration file in force as it is now; if it is bad, log what is wrong
 * with it and go on with the old one.  Waits for nothing: it is done in the
 * background. */
void service_reload(struct service *service);

/* Stop at once: answer what is being asked, save, remove what was made.  What hangs
 * is left behind, and `*service` is then not NULL.  The process must then end without
 * the exit handlers of libraries: libmilter's takes away the locks of threads that
 * still run. */
void service_close(struct service **service);

/* Read a configuration file and log what is wrong with it.  NULL: it is bad. */
struct policy *service_load(const char *file);

/* A conf_say that logs; `arg` is not used. */
void service_log_finding(void *arg, bool error, const char *text);

#endif
