/* load_watch -- which load thresholds are crossed at this moment?
 *
 * One background thread steps it once a second: it samples this host, trades
 * figures with the other hosts through the store, and latches the thresholds
 * of the policy.  Sessions only read, so a decision costs no trip. */
#ifndef LOAD_WATCH_H
#define LOAD_WATCH_H

#include "policy/policy.h"
#include "store/store.h"

struct load_watch;

/* NULL: out of memory. */
struct load_watch *load_watch_open(void);
void load_watch_close(struct load_watch **watch);

/* From the next step on this is the load, whatever is measured; not finite: what is
 * measured.  A change takes effect at once: nothing is held back by hysteresis. */
void load_watch_force(struct load_watch *watch, double load);

/* Sample, publish, read and latch.  `sessions` are those open on this host.
 * May wait for the store; without it the own load still counts. */
void load_watch_step(struct load_watch *watch, const struct policy *policy,
    struct store *store, int64_t sessions, int64_t now);

/* As if the load were this, to whoever reads before the next step; for rehearsals. */
void load_watch_suppose(struct load_watch *watch, double load);

/* Fill one answer for each threshold of the policy, the load itself, and the name
 * of its highest source: load_source_name(), or "farm" where other hosts make it
 * higher than this one's (unless `source_r` is NULL). */
void load_watch_read(struct load_watch *watch, const struct policy *policy,
    bool *crossed_r, double *load_r, const char **source_r);

#endif
