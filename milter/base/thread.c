#define _GNU_SOURCE /* pthread_setname_np, pthread_setattr_default_np */
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

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

void
thread_limit_stacks(void)
{
	pthread_attr_t usual;

	if (pthread_attr_init(&usual) != 0)
		return;
	if (pthread_attr_setstacksize(&usual, THREAD_STACK) == 0)
		(void)pthread_setattr_default_np(&usual);
	(void)pthread_attr_destroy(&usual);
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

/* ---- Ticker */

struct ticker {
	void (*tick)(void *arg, int64_t now);
	void *arg;
	pthread_t thread;
	int64_t every_ms;      /* 0: when it is nudged */
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	bool nudged;
	bool stop;
	bool ended;
};

/* Wait, with the mutex held, until it is time for a tick, or for none any more. */
static void
await_tick(struct ticker *ticker)
{
	struct timespec due = clock_due(ticker->every_ms);
	int error = 0;

	while (!ticker->stop && !ticker->nudged && error != ETIMEDOUT)
		error = ticker->every_ms > 0
		    ? pthread_cond_timedwait(
			  &ticker->changed, &ticker->mutex, &due)
		    : pthread_cond_wait(&ticker->changed, &ticker->mutex);
	ticker->nudged = false;
}

static void *
run_ticks(void *arg)
{
	struct ticker *ticker = arg;

	pthread_mutex_lock(&ticker->mutex);
	if (ticker->every_ms == 0)
		await_tick(ticker);
	while (!ticker->stop) {
		pthread_mutex_unlock(&ticker->mutex);
		ticker->tick(ticker->arg, (int64_t)time(NULL));
		pthread_mutex_lock(&ticker->mutex);
		await_tick(ticker);
	}
	ticker->ended = true;
	pthread_cond_broadcast(&ticker->changed);
	pthread_mutex_unlock(&ticker->mutex);
	return NULL;
}

struct ticker *
ticker_start(const char *name, int64_t every_ms,
    void (*tick)(void *arg, int64_t now), void *arg)
{
	struct ticker *ticker = calloc(1, sizeof *ticker);

	if (ticker == NULL)
		return NULL;
	ticker->tick = tick;
	ticker->arg = arg;
	ticker->every_ms = every_ms;
	(void)pthread_mutex_init(&ticker->mutex, NULL);
	if (!thread_condition(&ticker->changed)) {
		(void)pthread_mutex_destroy(&ticker->mutex);
		free(ticker);
		return NULL;
	}
	if (!thread_start(&ticker->thread, name, run_ticks, ticker)) {
		(void)pthread_cond_destroy(&ticker->changed);
		(void)pthread_mutex_destroy(&ticker->mutex);
		free(ticker);
		return NULL;
	}
	return ticker;
}

void
ticker_nudge(struct ticker *ticker)
{
	pthread_mutex_lock(&ticker->mutex);
	ticker->nudged = true;
	pthread_cond_broadcast(&ticker->changed);
	pthread_mutex_unlock(&ticker->mutex);
}

bool
ticker_stop(struct ticker **ticker, int64_t within_ms)
{
	struct ticker *mine = *ticker;
	struct timespec due = clock_due(within_ms);
	int error = 0;
	bool ended;

	if (mine == NULL)
		return true;
	pthread_mutex_lock(&mine->mutex);
	mine->stop = true;
	pthread_cond_broadcast(&mine->changed);
	while (!mine->ended && within_ms > 0 && error != ETIMEDOUT)
		error =
		    pthread_cond_timedwait(&mine->changed, &mine->mutex, &due);
	ended = mine->ended;
	pthread_mutex_unlock(&mine->mutex);
	if (!ended)
		return false;
	(void)pthread_join(mine->thread, NULL);
	(void)pthread_cond_destroy(&mine->changed);
	(void)pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*ticker = NULL;
	return true;
}

/* ---- Aside */

struct aside {
	const char *name;
	void (*job)(void *data);
	void (*drop)(void *data);
	void *data;
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t back;
	bool busy;
	bool abandoned;
	int64_t began_us;
};

static void
aside_free(struct aside *aside)
{
	if (aside->drop != NULL)
		aside->drop(aside->data);
	(void)pthread_cond_destroy(&aside->back);
	(void)pthread_mutex_destroy(&aside->mutex);
	free(aside->data);
	free(aside);
}

struct aside *
aside_open(const char *name, size_t size, void (*job)(void *data),
    void (*drop)(void *data))
{
	struct aside *aside = calloc(1, sizeof *aside);
	void *data = calloc(1, size);

	if (aside == NULL || data == NULL || !thread_condition(&aside->back)) {
		free(data);
		free(aside);
		return NULL;
	}
	(void)pthread_mutex_init(&aside->mutex, NULL);
	aside->name = name;
	aside->data = data;
	aside->job = job;
	aside->drop = drop;
	return aside;
}

static void *
run_job(void *arg)
{
	struct aside *aside = arg;
	bool abandoned;

	aside->job(aside->data);
	(void)pthread_mutex_lock(&aside->mutex);
	aside->busy = false;
	abandoned = aside->abandoned;
	(void)pthread_cond_broadcast(&aside->back);
	(void)pthread_mutex_unlock(&aside->mutex);
	if (abandoned)
		aside_free(aside);
	return NULL;
}

void *
aside_data(struct aside *aside)
{
	return aside_wait(aside, 0) ? aside->data : NULL;
}

bool
aside_start(struct aside *aside)
{
	aside->began_us = clock_steady_us();
	aside->busy = true;
	if (thread_start(NULL, aside->name, run_job, aside))
		return true;
	aside->busy = false;
	return false;
}

bool
aside_wait(struct aside *aside, int64_t within_ms)
{
	struct timespec due = clock_due(within_ms);
	int error = 0;
	bool idle;

	(void)pthread_mutex_lock(&aside->mutex);
	while (aside->busy && within_ms > 0 && error != ETIMEDOUT)
		error =
		    pthread_cond_timedwait(&aside->back, &aside->mutex, &due);
	idle = !aside->busy;
	(void)pthread_mutex_unlock(&aside->mutex);
	return idle;
}

int64_t
aside_age(struct aside *aside)
{
	return aside_wait(aside, 0)
	    ? 0
	    : (clock_steady_us() - aside->began_us) / 1000;
}

void
aside_close(struct aside **aside)
{
	struct aside *mine = *aside;
	bool busy;

	*aside = NULL;
	if (mine == NULL)
		return;
	(void)pthread_mutex_lock(&mine->mutex);
	busy = mine->busy;
	mine->abandoned = true;
	(void)pthread_mutex_unlock(&mine->mutex);
	if (!busy)
		aside_free(mine);
}
