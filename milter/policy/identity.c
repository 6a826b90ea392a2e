#include "policy/identity.h"

#include <string.h>

#define FAMILY_BITS 48

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

void
identity_family(const struct settings *settings, const struct netaddr *client,
    const char *pool, size_t size, char *family_r)
{
	char text[NETWORK_TEXT_SIZE];
	struct network network;

	family_r[0] = '\0';
	if (client->length == 4 || settings->network_ipv6 <= FAMILY_BITS)
		return;
	if (pool[0] == '\0') {
		network = network_of(client, FAMILY_BITS);
		network_format(&network, text);
		pool = text;
	}
	if (strlen(pool) < size)
		strcpy(family_r, pool);
}
