/* store_redis_seen -- what look-ups saw of clients, for what is to be remembered
 * of them afterwards.
 *
 * A table of fixed size, in which newcomers take the places of others; whoever
 * is not found there any more earns a little less.  Any number of threads may use
 * it at once.  Times are Unix seconds of Redis. */
#ifndef STORE_REDIS_SEEN_H
#define STORE_REDIS_SEEN_H

#include <pthread.h>
#include <stdint.h>

#define SEEN_PLACES 8192

/* One whose sums are kept, a network or a host, or an address. */
struct seen_place {
	uint64_t who;
	int64_t paced_at; /* when it last earned points for accepted mail */
	double bad;	  /* its bad points */
	int64_t lacking;  /* passes that its pool or network has more */
};

struct seen_table {
	pthread_mutex_t mutex;
	struct seen_place places[SEEN_PLACES];
};

/* All zero so far. */
static inline void
seen_init(struct seen_table *table)
{
	pthread_mutex_init(&table->mutex, NULL);
}

static inline void
seen_clear(struct seen_table *table)
{
	pthread_mutex_destroy(&table->mutex);
}

/* Who it is: of a network, a host in it, or an address, by `what`. */
uint64_t seen_who(const char *network, const char *what);

/* A look-up saw this. */
void seen_note(struct seen_table *table, const struct seen_place *seen);

/* Somebody was forgotten: so is everybody here, as nobody knows by name. */
void seen_forget(struct seen_table *table);

#endif
