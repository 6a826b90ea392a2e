/* store_redis_sweep -- clears records of what is forgotten, abandoned or too
 * much, in the background.
 *
 * Look-ups notice which records need it and queue them; store_tidy() sweeps.  A
 * record which has grown far beyond its cap is marked as full meanwhile: then an
 * author gets only a few further clocks, so that a flood ends and others still
 * find room. */
#ifndef STORE_REDIS_SWEEP_H
#define STORE_REDIS_SWEEP_H

#include <pthread.h>
#include <stdbool.h>

#include "store/redis/store_redis_keys.h"
#include "store/store.h"

#define SWEEP_PLACES 512

/* Further clocks of a host and sender, whoever it is, since the record was full. */
#define SWEEP_AUTHORS 64
struct sweep_author {
	uint32_t who;
	uint32_t admitted;
};

/* A record to sweep, by its tag. */
struct sweep_entry {
	bool used;
	bool full;
	int64_t fields; /* HLEN, when it was queued */
	char tag[KEYS_TAG_SIZE];
	struct sweep_author authors[SWEEP_AUTHORS];
};

/* Each tag has one place; whoever finds it taken waits for its next look-up. */
struct sweep_queue {
	pthread_mutex_t mutex;
	struct sweep_entry places[SWEEP_PLACES];
	size_t next; /* to look at */
};

/* All zero so far. */
static inline void
sweep_init(struct sweep_queue *queue)
{
	pthread_mutex_init(&queue->mutex, NULL);
}

static inline void
sweep_clear(struct sweep_queue *queue)
{
	pthread_mutex_destroy(&queue->mutex);
}

/* What a look-up read of a record. */
struct sweep_reading {
	int64_t fields; /* HLEN */
	int64_t swept;	/* Unix seconds, 0: never */
	int64_t oldest; /* of the clocks that were read, 0: none is pending */
	int64_t others; /* fields besides clocks when swept, -1: not known */
};

/* Queue the record if it is due by `now`. */
void sweep_notice(struct sweep_queue *queue, const struct store_terms *terms,
    const struct sweep_reading *reading, const char *tag, int64_t now);

/* Whether a record may get one more clock of this author, who is counted. */
bool sweep_admits(struct sweep_queue *queue, const char *tag,
    const char *network, unsigned host, unsigned sender);

#endif
