/* process -- a daemon as Unix knows it: detached, and roomy. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>

enum process_role {
	PROCESS_DAEMON,	    /* we are the daemon: go on */
	PROCESS_STARTED,    /* we are not, and the daemon has said ready */
	PROCESS_NOT_STARTED /* the daemon ended before, and has said why */
};

/* Go into the background: a process of its own in a session of its own, in the
 * root directory.  It keeps standard error until process_ready(), and the
 * starter waits for that.  To be called before any thread, lock or store. */
enum process_role process_detach(int *ready_r);

/* Tell the starter, and let go of the standard streams, but not of standard
 * error if that `keep`s being the log.  A no-op if `ready` is -1. */
void process_ready(int *ready, bool keep);

/* Allow as many open files as the system lets us; how many that is. */
long process_raise_files(void);

#endif
