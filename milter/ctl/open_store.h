/* open_store -- the store that the settings ask for. */
#ifndef OPEN_STORE_H
#define OPEN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/settings.h"
#include "store/store.h"

struct store_opening {
	bool reads_only; /* as in store_redis.h; not of the embedded store */
	store_say *say;	 /* what the store has to say later */
	void *say_arg;
};

/* Redis where the settings name a server, else the embedded store.  It may start
 * threads.  NULL: `why_r` has the reason. */
struct store *open_store(const struct settings *settings, int64_t now,
    const struct store_opening *opening, char *why_r, size_t size);

bool names_redis(const struct settings *settings);

#endif
