#include "dns/dns_share.h"

#include <string.h>

#define HEAD	 13   /* octets before the name */
#define DATA_MAX 2048 /* what is longer is rare, and each asks for it */

static void
put(unsigned char *out, size_t octets, uint32_t number)
{
	for (size_t i = octets; i > 0; i--, number >>= 8)
		out[i - 1] = (unsigned char)number;
}

static uint32_t
get(const unsigned char *in, size_t octets)
{
	uint32_t number = 0;

	for (size_t i = 0; i < octets; i++)
		number = number << 8 | in[i];
	return number;
}

bool
dns_share_put(unsigned char *room, size_t size, size_t *used, const char *name,
    enum dns_type type, const struct dns_answer *answer)
{
	size_t named = strlen(name);
	unsigned char *out = room + *used;

	if (answer->length > DATA_MAX || answer->count > UINT16_MAX ||
	    named >= DNS_NAME_SIZE || size - *used < HEAD ||
	    size - *used - HEAD < named + answer->length)
		return false;
	put(out, 2, (uint32_t)type);
	put(out + 2, 1, (uint32_t)answer->status);
	put(out + 3, 2, (uint32_t)answer->count);
	put(out + 5, 4, answer->ttl);
	put(out + 9, 2, (uint32_t)named);
	put(out + 11, 2, (uint32_t)answer->length);
	for (size_t i = 0; i < named; i++) /* without its end */
		out[HEAD + i] = (unsigned char)name[i];
	if (answer->length > 0)
		memcpy(out + HEAD + named, answer->data, answer->length);
	*used += HEAD + named + answer->length;
	return true;
}

/* As dns_answer.h says of a record of this type. */
static bool
is_sound_record(enum dns_type type, const struct dns_record *record)
{
	switch (type) {
	case DNS_A:
		return record->length == 4;
	case DNS_AAAA:
		return record->length == 16;
	case DNS_TXT:
		return true;
	case DNS_NS:
	case DNS_PTR:
	case DNS_MX:
		return record->length > 0 && record->length <= DNS_NAME_SIZE &&
		    memchr(record->data, '\0', record->length) ==
		    record->data + record->length - 1;
	}
	return false;
}

static bool
is_sound(const struct dns_news *news)
{
	struct dns_answer rest = news->answer;
	struct dns_record record;

	if (rest.status == DNS_NOTHING)
		return rest.count == 0 && rest.length == 0;
	if (rest.status != DNS_FOUND || rest.count == 0)
		return false;
	while (dns_answer_next(&rest, &record))
		if (!is_sound_record(news->type, &record))
			return false;
	return rest.count == 0 && rest.length == 0;
}

bool
dns_share_next(
    const unsigned char **bytes, size_t *length, struct dns_news *news_r)
{
	const unsigned char *in = *bytes;
	size_t named, data;

	if (*length < HEAD)
		return false;
	named = get(in + 9, 2);
	data = get(in + 11, 2);
	if (named >= DNS_NAME_SIZE || *length - HEAD < named + data ||
	    memchr(in + HEAD, '\0', named) != NULL)
		return false;
	memcpy(news_r->name, in + HEAD, named);
	news_r->name[named] = '\0';
	news_r->type = (enum dns_type)get(in, 2);
	news_r->answer = (struct dns_answer){.status = (enum dns_status)in[2],
	    .count = get(in + 3, 2),
	    .data = in + HEAD + named,
	    .length = data,
	    .ttl = get(in + 5, 4)};
	*bytes += HEAD + named + data;
	*length -= HEAD + named + data;
	return is_sound(news_r);
}
