/* spf_checks -- SPF on the answers that the resolver has, or gets.
 *
 * Nobody waits: a check that needs more than is known goes on in the resolver's
 * thread, for at most 20 seconds (RFC 7208 4.6.4), and leaves its answers in the
 * resolver's cache.  How many go on at once is bounded. */
#ifndef SPF_CHECKS_H
#define SPF_CHECKS_H

#include "dns/resolver.h"
#include "dns/spf.h"

struct spf_checks;

/* Borrows `resolver`, which has to be closed before.  NULL: out of memory. */
struct spf_checks *spf_checks_open(struct resolver *resolver);
void spf_checks_close(struct spf_checks **checks);

/* What is known now.  False: it may still come, and will be seen to. */
bool spf_checks_ask(struct spf_checks *checks,
    const struct spf_question *question, enum spf_result *result_r);

/* The same, once that was asked. */
bool spf_checks_read(struct spf_checks *checks,
    const struct spf_question *question, enum spf_result *result_r);

#endif
