#include "redis_thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

int64_t
redis_thread_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool
redis_thread_start(pthread_t *thread_r, void *(*run)(void *), void *arg)
{
	sigset_t all;
	sigset_t before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread_r, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

void
redis_thread_condition(pthread_cond_t *condition_r)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(condition_r, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

bool
redis_thread_wait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t due_ms)
{
	struct timespec due = {
	    .tv_sec = (time_t)(due_ms / 1000),
	    .tv_nsec = (long)(due_ms % 1000) * 1000000,
	};

	return pthread_cond_timedwait(condition, mutex, &due) != ETIMEDOUT;
}
