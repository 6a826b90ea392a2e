/* identity -- under which name a client is remembered. */
#ifndef POLICY_IDENTITY_H
#define POLICY_IDENTITY_H

#include <stddef.h>

#include "mail/netaddr.h"
#include "policy/settings.h"

#define IDENTITY_NETWORK_SIZE 64 /* "2001:db8:1:2::/64" and its NUL */

/* Name the network under which a client is remembered, by the settings. */
void identity_network(const struct settings *settings,
    const struct netaddr *client, char network_r[IDENTITY_NETWORK_SIZE]);

/* Whom an IPv6 client stands for besides its network, "" if nobody: its pool, else
 * its /48.  Whoever has one has as many networks as he likes, which must not give
 * him as many limits: all of them together may use up those of FAMILY_NETWORKS. */
#define FAMILY_NETWORKS 16
void
identity_family(const struct settings *settings, const struct netaddr *client,
    const char *pool, size_t size, char *family_r);

#endif
