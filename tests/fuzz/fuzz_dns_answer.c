/* Fuzz what a DNS server sends: whatever the octets, the records that are read
 * are whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

static bool
is_whole(enum dns_type type, const struct dns_record *record)
{
	if (type == DNS_A || type == DNS_AAAA)
		return record->length == (type == DNS_A ? 4U : 16U);
	return type == DNS_TXT ||
	    (record->length > 0 &&
		strlen((const char *)record->data) + 1 == record->length);
}

/* The first octet says what was asked for. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {
	    DNS_A, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA};
	static unsigned char room[DNS_DATA_MAX];
	struct dns_answer answer;
	struct dns_record record;
	enum dns_type type;
	size_t count = 0;

	if (size == 0)
		return 0;
	type = types[data[0] % (sizeof types / sizeof types[0])];
	dns_answer_read(data + 1, size - 1, "a.example", type, room, &answer);
	require((answer.status == DNS_FOUND) == (answer.count > 0));
	for (struct dns_answer left = answer; dns_answer_next(&left, &record);
	     count++)
		require(is_whole(type, &record));
	require(count == answer.count);
	return 0;
}
