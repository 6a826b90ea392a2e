#include "web/visitors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"

#define SETS   1024
#define WAYS   8
#define HOME   8 /* octets of a /64 */
#define MINUTE INT64_C(60000000)

/* What a visitor has used up, in time: it may be ahead by a minute at most. */
struct visitor {
	unsigned char home[HOME];
	unsigned char length; /* 0: nobody */
	int64_t spent_us;
};

struct visitors {
	pthread_mutex_t mutex;
	uint64_t seed;
	struct visitor table[SETS][WAYS];
};

struct visitors *
visitors_open(void)
{
	struct visitors *visitors = calloc(1, sizeof *visitors);

	if (visitors == NULL ||
	    pthread_mutex_init(&visitors->mutex, NULL) != 0) {
		free(visitors);
		return NULL;
	}
	/* Without randomness somebody could choose whom to push out. */
	visitors->seed = random_draw(&(struct random){0});
	return visitors;
}

void
visitors_close(struct visitors **visitors)
{
	if (*visitors == NULL)
		return;
	pthread_mutex_destroy(&(*visitors)->mutex);
	free(*visitors);
	*visitors = NULL;
}

/* The visitor's place; that of who has spent least if it is new. */
static struct visitor *
place_of(struct visitors *visitors, const struct netaddr *address)
{
	unsigned char home[HOME] = {0};
	struct visitor *set, *least;

	memcpy(home, address->octets, HOME);
	set = visitors
		  ->table[hash_64(HASH_64 ^ visitors->seed, home, HOME) % SETS];
	least = set;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].length == address->length &&
		    memcmp(set[i].home, home, HOME) == 0)
			return &set[i];
		if (set[i].spent_us < least->spent_us)
			least = &set[i];
	}
	memcpy(least->home, home, HOME);
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
