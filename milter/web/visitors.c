#include "web/visitors.h"

#include <string.h>

#include "base/hash.h"
#include "base/random.h"

#define MINUTE INT64_C(60000000)

/* The visitor's place; that of who has spent least if it is new. */
static struct visitor *
place_of(struct visitors *visitors, const struct netaddr *address)
{
	unsigned char home[VISITOR_HOME] = {0};
	struct visitor *set, *least;

	/* Without randomness somebody could choose whom to push out. */
	if (visitors->seed == 0)
		visitors->seed = random_draw(&(struct random){0});
	memcpy(home, address->octets, VISITOR_HOME);
	set =
	    visitors
		->table[hash_64(HASH_64 ^ visitors->seed, home, VISITOR_HOME) %
		    VISITOR_SETS];
	least = set;
	for (size_t i = 0; i < VISITOR_WAYS; i++) {
		if (set[i].length == address->length &&
		    memcmp(set[i].home, home, VISITOR_HOME) == 0)
			return &set[i];
		if (set[i].spent_us < least->spent_us)
			least = &set[i];
	}
	memcpy(least->home, home, VISITOR_HOME);
	least->length = address->length;
	least->spent_us = 0;
	return least;
}

bool
visitors_may(struct visitors *visitors, const struct netaddr *visitor,
    int64_t limit, int64_t now_us)
{
	struct visitor *place;
	bool may;

	pthread_mutex_lock(&visitors->mutex);
	place = place_of(visitors, visitor);
	if (place->spent_us < now_us)
		place->spent_us = now_us;
	may = place->spent_us + MINUTE / limit <= now_us + MINUTE;
	if (may)
		place->spent_us += MINUTE / limit;
	pthread_mutex_unlock(&visitors->mutex);
	return may;
}
