#include "base/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

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
run(void *arg)
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
	if (!thread_start(&ticker->thread, name, run, ticker)) {
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
