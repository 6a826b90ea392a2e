/* redis_resolve -- the addresses of a host, without waiting for the DNS. */
#ifndef REDIS_RESOLVE_H
#define REDIS_RESOLVE_H

#include "redis/address.h"

#include <netdb.h>

struct redis_resolving;

/* Begin.  A byte comes to `wake_fd` when it is done.  NULL: no memory or no
 * thread. */
struct redis_resolving *
redis_resolve(const struct redis_address *address, int wake_fd);

bool redis_resolve_is_done(const struct redis_resolving *resolving);

/* What came of it: NULL and `*found_r`, to be freed by freeaddrinfo(), or else
 * what is wrong. */
const char *redis_resolve_take(
    struct redis_resolving **resolving, struct addrinfo **found_r);

/* Nobody wants to know any more; NULL in it is fine. */
void redis_resolve_forget(struct redis_resolving **resolving);

#endif
