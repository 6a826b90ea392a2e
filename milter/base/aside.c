#include "base/aside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"

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
run(void *arg)
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
	if (thread_start(NULL, aside->name, run, aside))
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
