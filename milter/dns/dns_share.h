/* dns_share -- answers as octets, for other servers of the farm.  Pure.
 *
 * One after another: type (2 octets), status (1), records (2), time to live (4),
 * length of the name and of the data (2 each), then these; numbers have their high
 * octet first.  What others wrote is read with care. */
#ifndef DNS_SHARE_H
#define DNS_SHARE_H

#include "dns/dns_answer.h"

/* What was learned of a name. */
struct dns_news {
	char name[DNS_NAME_SIZE];
	enum dns_type type;
	struct dns_answer answer; /* borrows its data */
};

/* Append it to the octets of `room` that are in use.  False: there is no room for
 * it, or it is too long for others. */
bool dns_share_put(unsigned char *room, size_t size, size_t *used,
    const char *name, enum dns_type type, const struct dns_answer *answer);

/* Take the next off; false at the end, and at what cannot be read. */
bool dns_share_next(
    const unsigned char **bytes, size_t *length, struct dns_news *news_r);

#endif
