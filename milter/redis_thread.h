/* redis_thread -- threads that work in the background, and how they wait. */
#ifndef REDIS_THREAD_H
#define REDIS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Milliseconds of a clock that nobody sets; all deadlines here are on it. */
int64_t redis_thread_now(void);

/* Start a thread that takes no signals: they are the main thread's. */
bool redis_thread_start(pthread_t *thread_r, void *(*run)(void *), void *arg);

/* A condition that can be waited for until a deadline. */
void redis_thread_condition(pthread_cond_t *condition_r);

/* False when the deadline has passed. */
bool redis_thread_wait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t due_ms);

#endif
