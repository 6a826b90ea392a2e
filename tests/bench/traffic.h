/* traffic -- who sends mail in a benchmark: an endless row of messages.
 *
 * Everything follows from the terms and the number of the message, so two runs
 * with the same terms send the same mail.  Pure. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#define TRAFFIC_KNOWN_NETWORKS 512  /* /24s in 198.18.0.0/15 (RFC 2544) */
#define TRAFFIC_TRIPLETS       1000 /* retried, each of a /24 in 100.64.0.0/10 */

enum traffic_kind {
	TRAFFIC_EXEMPT,	   /* clients in 10.0.0.0/8 */
	TRAFFIC_KNOWN,	   /* 90 % known networks, 10 % strangers */
	TRAFFIC_LEARN,	   /* the known networks in turn, to make them known */
	TRAFFIC_STRANGERS, /* each message from a network not seen before */
	TRAFFIC_RETRIES,   /* the same triplets in random order */
	TRAFFIC_AGAIN	   /* an address of each known network, in turn */
};

struct traffic {
	enum traffic_kind kind;
	uint64_t seed;
	uint64_t next; /* number of the next message */
};

/* One message.  `serial` makes its sender and its recipients. */
struct mail {
	char address[16]; /* IPv4, dotted */
	char name[40];	  /* the verified host name, or "[address]" */
	uint64_t serial;
};

/* False: there is no kind of this name. */
bool traffic_kind_by_name(const char *name, enum traffic_kind *kind_r);

void traffic_next(struct traffic *traffic, struct mail *mail_r);

#endif
