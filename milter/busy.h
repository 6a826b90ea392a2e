/* busy -- which load thresholds are crossed at this moment?
 *
 * One background thread steps it once a second: it samples this host, trades
 * figures with the other hosts through the store, and latches the thresholds
 * of the policy.  Sessions only read, so a decision costs no trip. */
#ifndef BUSY_H
#define BUSY_H

#include "policy.h"
#include "store.h"

struct busy;

/* NULL: out of memory. */
struct busy *busy_open(void);
void busy_close(struct busy **busy);

/* Sample, publish, read and latch.  `sessions` are those open on this host.
 * May wait for the store; without it the own load still counts. */
void busy_step(struct busy *busy, const struct policy *policy,
    struct store *store, int64_t sessions, int64_t now);

/* Fill one answer for each threshold of the policy, and the load itself. */
void busy_read(struct busy *busy, const struct policy *policy, bool *crossed_r,
    double *load_r);

#endif
