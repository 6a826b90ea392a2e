/* dns -- what all sessions have of DNS: the resolver, the lists that may be asked, and
 * databases of networks.
 *
 * The zone of a list is used only while it passes its test (RFC 5782 5), at the
 * start and every hour: the entry for tests is listed, and what must not be is not.
 * What a zone that is off, or that fails, would say is unknown. */
#ifndef DNS_H
#define DNS_H

#include <stdatomic.h>

#include "dns/geo.h"
#include "dns/resolver.h"
#include "policy/policy.h"

#define DNS_CODES_SIZE 512 /* for what a list answers */

struct dns {
	struct resolver *resolver;
	struct geo *geo;
	struct dns_zones *zones;  /* tested, or to be tested */
	atomic_uint spf_going_on; /* checks, in the resolver's thread */
};

/* No thread is started yet.  NULL: out of memory. */
struct dns *dns_open(void);
void dns_close(struct dns **dns);

/* Ask by this policy from now on, or nobody if it asks nothing. */
void dns_use(struct dns *dns, const struct policy *policy);

/* Once a second, in the background: test the lists that the policy names, and read
 * its databases. */
void dns_tick(struct dns *dns, const struct policy *policy);

/* Whether this zone, for names or for addresses, passes its test. */
bool
dns_list_is_on(struct dns *dns, const char *zone, bool of_names, bool of_ipv6);

#endif
