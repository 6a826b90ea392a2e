#include "store/redis/store_redis_sweep.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/seconds.h"
#include "store/redis/decay.h"

#define SWEEP_EVERY INT64_C(3600)
#define FULL_CLOCKS 16	 /* that an author may add to a full record */
#define FULL_FIELDS 4096 /* then only one */

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
	uint64_t sum = hash_64(HASH_64, tag, strlen(tag));

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
    const struct sweep_reading *reading, const char *tag, int64_t now)
{
	int64_t cap = (int64_t)terms->network_cap;
	bool full = clocks_of(reading) >= cap + cap / 2, same;
	struct sweep_entry *place;

	if (!is_due(terms, reading, now))
		return;
	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, tag);
	same = place->used && strcmp(place->tag, tag) == 0;
	if (!place->used || same || (full && !place->full)) {
		if (!same || full != place->full)
			memset(place->authors, 0, sizeof place->authors);
		/* longer ones never get here: their trip has failed */
		snprintf(place->tag, sizeof place->tag, "%s", tag);
		place->used = true;
		place->full = full;
		place->fields = reading->fields;
	}
	pthread_mutex_unlock(&queue->mutex);
}

static uint32_t
most_admitted(const struct sweep_entry *entry)
{
	return entry->fields < FULL_FIELDS ? FULL_CLOCKS : 1;
}

bool
sweep_admits(struct sweep_queue *queue, const char *tag, const char *network,
    unsigned host, unsigned sender)
{
	uint32_t who = (uint32_t)hash_64(
	    HASH_64 ^ host ^ sender << 8, network, strlen(network));
	struct sweep_entry *place;
	struct sweep_author *counted;
	bool admits = true;

	pthread_mutex_lock(&queue->mutex);
	place = place_of(queue, tag);
	if (place->used && place->full && strcmp(place->tag, tag) == 0) {
		counted = &place->authors[who % SWEEP_AUTHORS];
		if (counted->who != who)
			*counted = (struct sweep_author){who, 0};
		admits = counted->admitted < most_admitted(place);
		counted->admitted += admits;
	}
	pthread_mutex_unlock(&queue->mutex);
	return admits;
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
