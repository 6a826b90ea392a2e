/* reload -- which changed settings have to wait for a restart? */
#ifndef RELOAD_H
#define RELOAD_H

#include <stddef.h>

#include "policy/settings.h"

/* Call `each` with the full name, such as "redis.servers", of every setting
 * that differs and that is looked at only when the daemon starts; `part` is NULL,
 * or the only thing for which it is not looked at again. */
void reload_compare(const struct settings *before, const struct settings *after,
    void (*each)(void *arg, const char *name, const char *part), void *arg);

#endif
