/* store_redis -- the store that many mail servers share, kept in Redis.
 *
 * The schema stands in milter-defer-redis(5).  `now` is Redis's clock, whatever
 * the clocks of the servers say.  A look-up is one round trip; what is to be
 * remembered travels without a wait.  Every key that is written here has a time
 * to live. */
#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include "policy/settings.h"
#include "store/store.h"
#include "store/triplet.h"

struct redis;

struct store_redis_config {
	const struct settings *settings; /* settings.redis is used */
	struct store_terms terms;
	const unsigned char *key; /* of TRIPLET_KEY octets; NULL: one that the
				   * servers share through Redis; until it is
				   * known look-ups answer STORE_DOWN */
	bool reads_only;	  /* change nothing */
	store_say *report;	  /* NULL: nobody is told */
	void *report_arg;
};

/* Never waits for the network.  The config is copied.  NULL: `error_r` tells
 * what is wrong with the settings, or what could not be had.  After a fork, open
 * it in the child. */
struct store *store_redis_open(
    const struct store_redis_config *config, char *error_r, size_t error_size);

/* The link of such a store, to look at the servers themselves. */
struct redis *store_redis_link(struct store *store);

#endif
