#include "policy/identity.h"

void
identity_network(const struct settings *settings, const struct netaddr *client,
    char network_r[IDENTITY_NETWORK_SIZE])
{
	int64_t bits = client->length == 4 ? settings->network_ipv4
					   : settings->network_ipv6;
	struct network network;

	if (settings->identity == IDENTITY_ADDRESS)
		bits = 8 * client->length;
	network = network_of(client, (unsigned)bits);
	network_format(&network, network_r);
}
