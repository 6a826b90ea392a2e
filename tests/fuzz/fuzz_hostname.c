/* Names that clients and their name servers made up.  The first 17 octets are
 * the client's address. */
#include <libpsl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/glob.h"
#include "mail/hostname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static psl_ctx_t *suffixes;
	struct netaddr addr = {.length = 4};
	char org[HOSTNAME_SIZE];
	char *name;

	if (suffixes == NULL)
		suffixes = psl_latest(NULL);
	if (size < 17)
		return 0;
	if (data[0] % 2 == 1)
		addr.length = 16;
	memcpy(addr.octets, data + 1, addr.length);
	name = calloc(1, size - 16);
	memcpy(name, data + 17, size - 17);
	if (hostname_organisation(name, suffixes, org) &&
	    (!hostname_is_valid(org) || strchr(org, '.') == NULL))
		abort();
	hostname_classify(name, &addr, org);
	hostname_classify(name, &addr, NULL);
	hostname_is_malformed_helo(name);
	hostname_helo_is_ours(name, org, &addr);
	glob_match(name, org);
	free(name);
	return 0;
}
