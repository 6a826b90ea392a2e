/* open_store -- the store that the settings ask for. */
#ifndef OPEN_STORE_H
#define OPEN_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "policy/settings.h"
#include "store/store.h"

/* Redis where the settings name a server, else the embedded store.  What the
 * store has to say later goes to the log.  It may start threads.  NULL: `why_r`
 * has the reason. */
struct store *open_store(
    const struct settings *settings, int64_t now, char *why_r, size_t size);

#endif
