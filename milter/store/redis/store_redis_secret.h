/* store_redis_secret -- the key with which triplets are hashed, as all servers
 * of the farm know it.
 *
 * It comes from the configuration, or else from Redis: the first server that
 * finds none there makes one.  If Redis loses it, the first that notices puts its
 * own there, and the others take that over. */
#ifndef STORE_REDIS_SECRET_H
#define STORE_REDIS_SECRET_H

#include <pthread.h>
#include <stdbool.h>

#include "redis/redis.h"
#include "store/store.h"
#include "store/triplet.h"

#define SECRET_TEXT_SIZE 129

struct redis_secret {
	bool shared; /* it lives in Redis; false: it is configured */
	pthread_mutex_t mutex;
	bool known;
	bool unfit; /* and that was told */
	struct triplet_hash *hash;
	struct triplet_namer namer;
	char text[SECRET_TEXT_SIZE];  /* as it stands in Redis */
	char offer[SECRET_TEXT_SIZE]; /* where none does; "": not made yet */
};

/* `key` NULL: the one in Redis.  False: out of memory. */
bool redis_secret_init(struct redis_secret *secret, const unsigned char *key);
void redis_secret_clear(struct redis_secret *secret);

/* What to name with; good until redis_secret_clear(); NULL: that does not matter.
 * False: the key is not known yet. */
bool
redis_secret_read(struct redis_secret *secret, struct triplet_namer *namer_r);

enum secret_news {
	SECRET_SAME,	 /* as before */
	SECRET_MADE,	 /* it is known now, and was made by us */
	SECRET_FOUND,	 /* it is known now, and was there */
	SECRET_RESTORED, /* it was lost there, and ours is there again */
	SECRET_CHANGED,	 /* another one was there, which is used from now on */
	SECRET_UNFIT,	 /* what stands in Redis is too short; told once */
	SECRET_LATE,
	SECRET_DOWN
};

/* Read it from Redis, or put it there, and tell what is new; with `renews` it lives
 * on there for another 400 days.  What stands there and can be no key of ours is
 * removed first.  Waits for Redis until `due_ms` (redis_ask). */
struct redis_store;
enum secret_news store_redis_refresh_secret(
    struct redis_store *store, bool renews, int64_t due_ms);

/* Notice, and tell, if another server hashes with another secret. */
void store_redis_compare_secrets(struct redis_store *store);

#endif
