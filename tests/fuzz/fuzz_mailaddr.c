/* Whatever a client types has a result that is consistent in itself, and the
 * spelling, once settled, is settled. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/mailaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct mailaddr *addr)
{
	size_t length = strlen(addr->text);

	if (addr->local_length > length || addr->domain_at > length)
		abort();
	if (addr->domain_at > addr->local_length &&
	    (addr->text[addr->local_length] != '@' ||
		mailaddr_domain(addr)[0] == '\0'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *raw = calloc(1, size + 1);
	struct mailaddr addr, normal;

	memcpy(raw, data, size);
	mailaddr_parse(raw, &addr);
	check(&addr);
	mailaddr_normalise_recipient(&addr, &normal);
	check(&normal);
	mailaddr_normalise_sender(&addr, &normal);
	check(&normal);
	if (strlen(normal.text) > strlen(addr.text) ||
	    strcmp(mailaddr_domain(&normal), mailaddr_domain(&addr)) != 0)
		abort();
	free(raw);
	return 0;
}
