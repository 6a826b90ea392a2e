/* dns_lists -- what the DNS lists of a policy say of a client, its names and its
 * sender.
 *
 * A zone is used only while it passes its test (RFC 5782 5), at the start and
 * every hour: the entry for tests is listed, and what must not be is not.  What
 * a zone that is off, or that fails, would say is unknown. */
#ifndef DNS_LISTS_H
#define DNS_LISTS_H

#include "dns/resolver.h"
#include "policy/policy.h"

struct dns_lists;

/* Borrows `resolver`.  NULL: out of memory. */
struct dns_lists *dns_lists_open(struct resolver *resolver);
void dns_lists_close(struct dns_lists **lists);

/* Once a second, in the background: test what the policy names. */
void dns_lists_tick(struct dns_lists *lists, const struct policy *policy);

/* See to it that the sections `of` these (1 << enum dnsbl_of) will have told.
 * Nobody waits. */
void dns_lists_ask(struct dns_lists *lists, const struct policy *policy,
    const struct facts *facts, unsigned of);

/* What is known now: one sum for each dnsbl of the policy.  False: some are
 * pending. */
bool dns_lists_read(struct dns_lists *lists, const struct policy *policy,
    const struct facts *facts, struct dnsbl_sum *sums_r);

#endif
