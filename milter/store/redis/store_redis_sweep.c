#include "store/redis/store_redis_sweep.h"

#include <string.h>

#include "base/bytes.h"
#include "base/seconds.h"
#include "policy/decay.h"

#define SWEEP_EVERY INT64_C(3600)

void
sweep_init(struct sweep_queue *queue)
{
	memset(queue, 0, sizeof *queue);
	pthread_mutex_init(&queue->mutex, NULL);
}

void
sweep_clear(struct sweep_queue *queue)
{
	pthread_mutex_destroy(&queue->mutex);
}

static struct sweep_entry *
place_of(struct sweep_queue *queue, const char *tag)
{
	uint64_t sum = bytes_sum(OCTETS_SUM, tag, strlen(tag));

	return &queue->places[sum % SWEEP_PLACES];
}

/* Clocks in the record, at most: fields that came since the last sweep may be
 * others. */
static int64_t
clocks_of(const struct sweep_reading *reading)
{
	int64_t others = reading->others < 0 ? 0 : reading->others;

	return reading->fields > others ? reading->fields - others : 0;
}

static bool
is_due(const struct store_terms *terms, const struct sweep_reading *reading,
    int64_t now)
{
	int64_t clocks = clocks_of(reading);
	int64_t every = terms->abandoned_after < SWEEP_EVERY
	    ? terms->abandoned_after
	    : SWEEP_EVERY;

	/* One never swept is no older than the clocks in it, as far as seen. */
	int64_t since = reading->swept != 0 ? reading->swept : reading->oldest;

	if (reading->fields == 0)
		return false;
	if (since == 0 || clocks > (int64_t)terms->network_cap ||
	    since > now + GREYLIST_SLACK)
		return true;
	if (clocks > 0 && seconds_between(now, since) >= every)
		return true;
	/* sums of an older generation may be left */
	return decay_generation(terms->half_life, since) !=
	    decay_generation(terms->half_life, now);
}

void
sweep_notice(struct sweep_queue *queue, const struct store_terms *terms,
    const struct sweep_reading *reading, const struct sweep_entry *entry,
    int64_t now)
{
	int64_t cap = (int64_t)terms->network_cap;
	bool full = clocks_of(reading) >= cap + cap / 2;
	struct sweep_entry *place;

	if (!is_due(terms, reading, now))
		return;
	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, entry->tag);
	if (!place->used || strcmp(place->tag, entry->tag) == 0 ||
	    (full && !place->full)) {
		*place = *entry;
		place->used = true;
		place->full = full;
		place->fields = reading->fields;
	}
	pthread_mutex_unlock(&queue->mutex);
}

bool
sweep_is_full(struct sweep_queue *queue, const char *tag)
{
	struct sweep_entry *place;
	bool full;

	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, tag);
	full = place->used && place->full && strcmp(place->tag, tag) == 0;
	pthread_mutex_unlock(&queue->mutex);
	return full;
}

bool
sweep_next(struct sweep_queue *queue, struct sweep_entry *entry_r)
{
	bool found = false;

	pthread_mutex_lock(&queue->mutex);
	for (size_t i = 0; i < SWEEP_PLACES && !found; i++) {
		queue->next = (queue->next + 1) % SWEEP_PLACES;
		found = queue->places[queue->next].used;
	}
	if (found)
		*entry_r = queue->places[queue->next];
	pthread_mutex_unlock(&queue->mutex);
	return found;
}

void
sweep_done(struct sweep_queue *queue, const char *tag)
{
	struct sweep_entry *place;

	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, tag);
	if (place->used && strcmp(place->tag, tag) == 0)
		place->used = false;
	pthread_mutex_unlock(&queue->mutex);
}
