/* client_names -- to which organisation did an address belong when its name could
 * last be looked up?
 *
 * While the DNS fails a client is who it was before: an address that was verified
 * as an organisation's lately stays that.  Who makes the look-up of his own name
 * fail keeps by that only what was his already.
 *
 * A table of fixed size: each address has one place, the later takes it.  Any
 * number of threads may use it at once. */
#ifndef CLIENT_NAMES_H
#define CLIENT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/hostname.h"
#include "mail/netaddr.h"

#define CLIENT_NAMES_KEPT                                                      \
	(INT64_C(2) * 86400) /* seconds: no outage is longer */

struct client_names;

/* `seed` decides the places; take it from the system's random source.  NULL: out
 * of memory. */
struct client_names *client_names_create(uint64_t seed);
void client_names_free(struct client_names **names);

/* The address was verified as one of this organisation; NULL: as none's. */
void client_names_note(struct client_names *names, const struct netaddr *client,
    const char *organisation, int64_t now);

/* Whose it was within CLIENT_NAMES_KEPT; false: nobody's, or nobody knows. */
bool
client_names_recall(struct client_names *names, const struct netaddr *client,
    int64_t now, char organisation_r[HOSTNAME_SIZE]);

#endif
