#define _GNU_SOURCE /* pthread_setname_np */
#include "base/thread.h"

#include <signal.h>
#include <time.h>

/* Signals are blocked before it begins, so that it never takes one. */
bool
thread_start(
    pthread_t *thread_r, const char *name, void *(*run)(void *), void *arg)
{
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, run, arg);
	if (error == 0) {
		(void)pthread_setname_np(thread, name);
		if (thread_r == NULL)
			(void)pthread_detach(thread);
		else
			*thread_r = thread;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

bool
thread_condition(pthread_cond_t *condition_r)
{
	pthread_condattr_t steady;
	int error;

	if (pthread_condattr_init(&steady) != 0)
		return false;
	error = pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	if (error == 0)
		error = pthread_cond_init(condition_r, &steady);
	(void)pthread_condattr_destroy(&steady);
	return error == 0;
}
