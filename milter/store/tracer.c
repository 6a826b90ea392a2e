#include "store/tracer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 500 /* steps of one watcher */

struct watcher {
	char name[TRACER_NAME]; /* "": the place is free */
	struct network network;
	char *steps[WAITING_MAX];
	size_t count;
	bool is_noted; /* in the tick that is under way */
};

struct tracer {
	atomic_uint active;    /* a bit for each */
	int64_t looked_at;     /* only for the background thread */
	pthread_mutex_t mutex; /* guards the rest */
	struct watcher watchers[TRACER_COUNT];
};

struct tracer *
tracer_open(void)
{
	struct tracer *tracer = calloc(1, sizeof *tracer);

	if (tracer != NULL && pthread_mutex_init(&tracer->mutex, NULL) != 0) {
		free(tracer);
		return NULL;
	}
	return tracer;
}

static void
forget_steps(struct watcher *watcher)
{
	while (watcher->count > 0)
		free(watcher->steps[--watcher->count]);
}

void
tracer_close(struct tracer **tracer)
{
	struct tracer *mine = *tracer;

	if (mine == NULL)
		return;
	for (size_t i = 0; i < TRACER_COUNT; i++)
		forget_steps(&mine->watchers[i]);
	pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*tracer = NULL;
}

/* ---- For sessions */

unsigned
tracer_watchers(struct tracer *tracer, const struct netaddr *client)
{
	unsigned watchers = 0, active;

	active = atomic_load_explicit(&tracer->active, memory_order_relaxed);
	if (active == 0)
		return 0;
	pthread_mutex_lock(&tracer->mutex);
	for (unsigned i = 0; i < TRACER_COUNT; i++)
		if (tracer->watchers[i].name[0] != '\0' &&
		    network_contains(&tracer->watchers[i].network, client))
			watchers |= 1U << i;
	pthread_mutex_unlock(&tracer->mutex);
	return watchers;
}

static void
add_step(struct watcher *watcher, const char *step)
{
	char *copy;

	if (watcher->name[0] == '\0' || watcher->count == WAITING_MAX)
		return;
	copy = strdup(step);
	if (copy != NULL)
		watcher->steps[watcher->count++] = copy;
}

void
tracer_tell(struct tracer *tracer, unsigned watchers, const char *step)
{
	pthread_mutex_lock(&tracer->mutex);
	for (unsigned i = 0; i < TRACER_COUNT; i++)
		if ((watchers >> i & 1U) != 0)
			add_step(&tracer->watchers[i], step);
	pthread_mutex_unlock(&tracer->mutex);
}

/* ---- In the background */

/* What stands on the board; read before the lock is taken. */
struct notes {
	size_t count;
	struct {
		char name[TRACER_NAME], network[NETWORK_TEXT_SIZE];
	} each[TRACER_COUNT];
};

static void
keep_note(void *arg, const char *name, const char *text)
{
	struct notes *notes = arg;

	if (notes->count == TRACER_COUNT || name[0] == '\0' ||
	    strlen(name) >= TRACER_NAME || strlen(text) >= NETWORK_TEXT_SIZE)
		return;
	strcpy(notes->each[notes->count].name, name);
	strcpy(notes->each[notes->count].network, text);
	notes->count++;
}

static void
begin(struct watcher *watcher, const char *name, const struct network *network,
    const char *ready)
{
	memcpy(watcher->name, name, strlen(name) + 1);
	watcher->network = *network;
	watcher->is_noted = true;
	add_step(watcher, ready);
}

static void
note_watcher(struct tracer *tracer, const char *name, const char *text,
    const char *ready)
{
	struct watcher *place = NULL;
	struct network network;
	char why[NETWORK_WHY_SIZE];

	for (size_t i = 0; i < TRACER_COUNT; i++) {
		struct watcher *watcher = &tracer->watchers[i];

		if (strcmp(watcher->name, name) == 0) {
			watcher->is_noted = true;
			return;
		}
		if (watcher->name[0] == '\0' && place == NULL)
			place = watcher;
	}
	if (place != NULL && network_parse(text, &network, why))
		begin(place, name, &network, ready);
}

/* Whose note is there no more watches no more. */
static void
settle(struct tracer *tracer)
{
	unsigned active = 0;

	for (unsigned i = 0; i < TRACER_COUNT; i++) {
		struct watcher *watcher = &tracer->watchers[i];

		if (!watcher->is_noted) {
			forget_steps(watcher);
			watcher->name[0] = '\0';
		} else {
			active |= 1U << i;
		}
		watcher->is_noted = false;
	}
	atomic_store_explicit(&tracer->active, active, memory_order_relaxed);
}

/* Each host says that it watches, so that who asked knows when and where. */
static void
look(struct tracer *tracer, struct store *store, int64_t now)
{
	struct notes notes = {.count = 0};
	char ready[TRACER_TEXT];

	if (store_read_notes(store, TRACER_BOARD, now, keep_note, &notes) !=
	    STORE_OK)
		notes.count = 0;
	(void)snprintf(ready, sizeof ready, "%lld\t0\t%s\t\t\tready\t",
	    (long long)now, store->host == NULL ? "" : store->host);
	pthread_mutex_lock(&tracer->mutex);
	for (size_t i = 0; i < notes.count; i++)
		note_watcher(
		    tracer, notes.each[i].name, notes.each[i].network, ready);
	settle(tracer);
	pthread_mutex_unlock(&tracer->mutex);
}

/* Take out what one of them was given. */
static size_t
take_steps(struct tracer *tracer, size_t which, char *steps_r[WAITING_MAX],
    char name_r[TRACER_NAME])
{
	struct watcher *watcher = &tracer->watchers[which];
	size_t count;

	pthread_mutex_lock(&tracer->mutex);
	count = watcher->count;
	memcpy(steps_r, watcher->steps, count * sizeof *steps_r);
	memcpy(name_r, watcher->name, TRACER_NAME);
	watcher->count = 0;
	pthread_mutex_unlock(&tracer->mutex);
	return count;
}

static void
hand_over(struct tracer *tracer, struct store *store, size_t which, int64_t now)
{
	char *steps[WAITING_MAX], name[TRACER_NAME];
	char queue[sizeof TRACER_QUEUE + TRACER_NAME];
	size_t count = take_steps(tracer, which, steps, name);

	(void)snprintf(queue, sizeof queue, TRACER_QUEUE "%s", name);
	for (size_t at = 0; at < count; at += STORE_PUSH_MAX) {
		size_t some =
		    count - at < STORE_PUSH_MAX ? count - at : STORE_PUSH_MAX;

		(void)store_push(
		    store, queue, (const char *const *)steps + at, some, now);
	}
	while (count > 0)
		free(steps[--count]);
}

void
tracer_tick(struct tracer *tracer, struct store *store, int64_t now)
{
	if (now != tracer->looked_at) {
		tracer->looked_at = now;
		look(tracer, store, now);
	}
	if (atomic_load_explicit(&tracer->active, memory_order_relaxed) == 0)
		return;
	for (size_t i = 0; i < TRACER_COUNT; i++)
		hand_over(tracer, store, i, now);
}
