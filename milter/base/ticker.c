#include "base/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

#define TICK_MS 1000

struct ticker {
	void (*tick)(void *arg, int64_t now);
	void *arg;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards `stop` and `ended` */
	pthread_cond_t changed;
	bool stop;
	bool ended;
};

/* Wait with the mutex held until `*flag` or until the time is over. */
static void
wait_for(struct ticker *ticker, const bool *flag, int64_t ms)
{
	struct timespec due = clock_due(ms);
	int error = 0;

	while (!*flag && error != ETIMEDOUT)
		error = pthread_cond_timedwait(
		    &ticker->changed, &ticker->mutex, &due);
}

static void *
run(void *arg)
{
	struct ticker *ticker = arg;

	pthread_mutex_lock(&ticker->mutex);
	while (!ticker->stop) {
		pthread_mutex_unlock(&ticker->mutex);
		ticker->tick(ticker->arg, (int64_t)time(NULL));
		pthread_mutex_lock(&ticker->mutex);
		wait_for(ticker, &ticker->stop, TICK_MS);
	}
	ticker->ended = true;
	pthread_cond_broadcast(&ticker->changed);
	pthread_mutex_unlock(&ticker->mutex);
	return NULL;
}

struct ticker *
ticker_start(void (*tick)(void *arg, int64_t now), void *arg)
{
	struct ticker *ticker = calloc(1, sizeof *ticker);

	if (ticker == NULL)
		return NULL;
	ticker->tick = tick;
	ticker->arg = arg;
	(void)pthread_mutex_init(&ticker->mutex, NULL);
	if (!thread_condition(&ticker->changed)) {
		(void)pthread_mutex_destroy(&ticker->mutex);
		free(ticker);
		return NULL;
	}
	if (!thread_start(&ticker->thread, "ticker", run, ticker)) {
		(void)pthread_cond_destroy(&ticker->changed);
		(void)pthread_mutex_destroy(&ticker->mutex);
		free(ticker);
		return NULL;
	}
	return ticker;
}

bool
ticker_stop(struct ticker **ticker, int64_t within_ms)
{
	struct ticker *mine = *ticker;
	bool ended;

	if (mine == NULL)
		return true;
	pthread_mutex_lock(&mine->mutex);
	mine->stop = true;
	pthread_cond_broadcast(&mine->changed);
	wait_for(mine, &mine->ended, within_ms);
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
