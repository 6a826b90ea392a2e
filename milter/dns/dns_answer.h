/* dns_answer -- what a DNS server says: read out of its message, and passed on to
 * other servers.  Pure.
 *
 * A name that does not exist, or has no record of the type, is an answer; a
 * failure (SERVFAIL, a time-out, garbage) is none, and says nothing of the name. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_SIZE 256   /* of a name as text, and its NUL */
#define DNS_DATA_MAX  16384 /* octets of one answer that are kept */

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28
};

enum dns_status {
	DNS_FAILED,  /* nothing was learned */
	DNS_NOTHING, /* no such name, or no record of this type */
	DNS_FOUND
};

/* Borrows its data.  Of DNS_FOUND, `count` records: read them one after another
 * with dns_answer_next(). */
struct dns_answer {
	enum dns_status status;
	size_t count;
	const unsigned char *data;
	size_t length;
	/* Seconds: the shortest of what led to the records, or how long a "no"
	 * holds (RFC 2308); 0 when nothing tells, or it was not just read. */
	uint32_t ttl;
};

/* One record:
 *	A, AAAA		4 or 16 octets
 *	PTR, NS, MX	a name as text, in lower case, with its NUL in `length`
 *	TXT		its strings put together (RFC 7208 3.3), no NUL */
struct dns_record {
	const unsigned char *data;
	size_t length;
	unsigned preference; /* of MX */
};

/* Take the next record off the answer; false when there is none left. */
bool dns_answer_next(struct dns_answer *answer, struct dns_record *record_r);

/* Read a whole message that answers the question for `name` (lower case, no dot
 * at its end) and `type`.  Aliases (CNAME) in it are followed.  `room` is where
 * the records go, `answer_r` borrows it; more than it holds is DNS_FAILED. */
void dns_answer_read(const unsigned char *message, size_t length,
    const char *name, enum dns_type type, unsigned char room[DNS_DATA_MAX],
    struct dns_answer *answer_r);

/* ---- As octets, for other servers of the farm: one after another type (2 octets),
 * status (1), records (2), time to live (4), length of the name and of the data
 * (2 each), then these; numbers have their high octet first.  What others wrote is
 * read with care. */

/* What was learned of a name. */
struct dns_news {
	char name[DNS_NAME_SIZE];
	enum dns_type type;
	struct dns_answer answer; /* borrows its data */
};

/* Append it to the octets of `room` that are in use.  False: there is no room for
 * it, or it is too long for others. */
bool dns_news_put(unsigned char *room, size_t size, size_t *used,
    const char *name, enum dns_type type, const struct dns_answer *answer);

/* Take the next off; false at the end, and at what cannot be read. */
bool dns_news_next(
    const unsigned char **bytes, size_t *length, struct dns_news *news_r);

#endif
