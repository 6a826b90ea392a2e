/* open_store -- the store that the settings ask for. */
#ifndef OPEN_STORE_H
#define OPEN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/settings.h"
#include "store/store.h"

/* Redis where the settings name a server, else the embedded store.  What the
 * store has to say later goes to `say`.  It may start threads.  `reads_only`
 * as in store_redis.h; it does not concern the embedded store.  NULL: `why_r` has
 * the reason. */
struct store *open_store(const struct settings *settings, int64_t now,
    bool reads_only, store_say *say, char *why_r, size_t size);

bool names_redis(const struct settings *settings);

/* What a daemon lets its store say: to the log. */
void open_store_log(void *arg, bool bad, const char *text);

#endif
