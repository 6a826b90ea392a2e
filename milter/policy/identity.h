/* identity -- under which name a client is remembered. */
#ifndef POLICY_IDENTITY_H
#define POLICY_IDENTITY_H

#include "mail/netaddr.h"
#include "policy/settings.h"

#define IDENTITY_NETWORK_SIZE 64 /* "2001:db8:1:2::/64" and its NUL */

/* Name the network under which a client is remembered, by the settings. */
void identity_network(const struct settings *settings,
    const struct netaddr *client, char network_r[IDENTITY_NETWORK_SIZE]);

#endif
