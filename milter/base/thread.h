/* thread -- how this program starts a thread. */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>
#include <stdbool.h>

#define THREAD_NAME_MAX 15 /* characters that the system shows */

/* Start a thread that takes no signals: they are the main thread's.  Its name is
 * what ps and gdb show.  `thread_r` NULL: nobody will join it.  False: none could
 * be had. */
bool thread_start(
    pthread_t *thread_r, const char *name, void *(*run)(void *), void *arg);

/* A condition whose time-outs go by the steady clock, see clock_due(). */
bool thread_condition(pthread_cond_t *condition_r);

#endif
