/* Fuzz what a postmaster writes of a DNS list: whatever the octets, what is
 * accepted has a zone that can be asked, and a refusal says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/dns_list.h"
#include "mail/hostname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

static void
check_good(const struct dns_list *list, const unsigned char octets[16])
{
	struct netaddr address = {.length = 16};
	char name[DNS_LIST_NAME_SIZE];

	memcpy(address.octets, octets, 16);
	require(hostname_is_valid(list->zone));
	require(list->weight != 0 && abs(list->weight) <= DNS_LIST_WEIGHT_MAX);
	dns_list_name_of_address(&address, list->zone, name);
	require(strlen(name) == 64 + strlen(list->zone));
	require(
	    dns_list_judge(list, octets) != DNS_LIST_MATCH || octets[0] == 127);
}

/* The first 16 octets are an address. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[DNS_LIST_WHY_SIZE] = "", name[DNS_LIST_NAME_SIZE];
	struct dns_list list;
	char *text;

	if (size < 16)
		return 0;
	text = malloc(size - 15);
	if (text == NULL)
		return 0;
	memcpy(text, data + 16, size - 16);
	text[size - 16] = '\0';
	if (dns_list_parse(text, &list, why))
		check_good(&list, data);
	else
		require(why[0] != '\0');
	if (dns_list_name_of_domain(text, "list.example", name))
		require(strlen(name) <= 253);
	free(text);
	return 0;
}
