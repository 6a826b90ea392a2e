/* What is read can be written and read again, and gives the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/netaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	char why[NETWORK_WHY_SIZE];
	char written[NETWORK_TEXT_SIZE];
	struct netaddr addr, again;
	struct network net, same;

	memcpy(text, data, size);
	if (netaddr_parse(text, &addr)) {
		netaddr_format(&addr, written);
		if (!netaddr_parse(written, &again) ||
		    !netaddr_equal(&addr, &again))
			abort();
		netaddr_host_bucket(&addr);
	}
	if (network_parse(text, &net, why)) {
		network_format(&net, written);
		if (!network_parse(written, &same, why) ||
		    memcmp(&net, &same, sizeof(net)) != 0 ||
		    !network_contains(&net, &net.base))
			abort();
	}
	free(text);
	return 0;
}
