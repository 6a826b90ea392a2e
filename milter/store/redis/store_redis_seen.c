#include "store/redis/store_redis_seen.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/seconds.h"
#include "store/store.h"

uint64_t
seen_who(const char *network, const char *what)
{
	uint64_t sum = hash_64(HASH_64, network, strlen(network) + 1);

	return hash_64(sum, what, strlen(what));
}

static struct seen_place *
place_of(struct seen_table *table, uint64_t who)
{
	return &table->places[(who ^ who >> 32) % SEEN_PLACES];
}

/* What is on its way to Redis may not have been seen there yet. */
void
seen_note(struct seen_table *table, const struct seen_place *seen)
{
	struct seen_place *place = place_of(table, seen->who);
	int64_t paced_at;

	pthread_mutex_lock(&table->mutex);
	paced_at = place->who == seen->who ? place->paced_at : 0;
	*place = *seen;
	if (paced_at > place->paced_at)
		place->paced_at = paced_at;
	pthread_mutex_unlock(&table->mutex);
}

void
seen_forget(struct seen_table *table)
{
	pthread_mutex_lock(&table->mutex);
	memset(table->places, 0, sizeof table->places);
	pthread_mutex_unlock(&table->mutex);
}

struct seen_gain
seen_accept(struct seen_table *table, uint64_t who, double points, int64_t now)
{
	struct seen_place *place = place_of(table, who);
	struct seen_gain gain = {0, 0};

	pthread_mutex_lock(&table->mutex);
	if (place->who == who) {
		if (place->paced_at == 0 ||
		    seconds_apart(now, place->paced_at) >=
			STORE_ACCEPTED_EVERY) {
			gain.good = points;
			place->paced_at = now;
		} else {
			gain.bad_less =
			    place->bad < points ? place->bad : points;
			place->bad -= gain.bad_less;
		}
	}
	pthread_mutex_unlock(&table->mutex);
	return gain;
}

int64_t
seen_lacking(struct seen_table *table, uint64_t who)
{
	struct seen_place *place = place_of(table, who);
	int64_t lacking = 0;

	pthread_mutex_lock(&table->mutex);
	if (place->who == who) {
		lacking = place->lacking;
		place->lacking = 0;
	}
	pthread_mutex_unlock(&table->mutex);
	return lacking;
}
