/* replay -- what a policy would have done to the mail of a log.
 *
 * Time is that of the log, the decisions are those of the daemon, on an embedded
 * store that is empty at first, or furnished.  A message that the log shows as delivered, and that
 * the policy puts off, is assumed to be tried again: nobody knows when. */
#ifndef REPLAY_H
#define REPLAY_H

#include "config/conf_report.h"
#include "maillog/maillog.h"
#include "replay/figures.h"
#include "replay/rehearse.h"

struct replay_terms {
	const char *config; /* a configuration file */
	int64_t retry;	 /* seconds until the first assumed retry, then twice as
			     * long, and so on; 0: nobody comes again */
	int64_t ignored; /* seconds of the log that are played, not counted */
	double load;
	/* Fills the store when the log begins, at `now`; NULL: it stays empty.
	 * False: it cannot. */
	bool (*furnish)(void *arg, struct store *store, int64_t now);
	void *furnish_arg;
};

struct replay;

/* Wrong configurations, and what of them does not count here, are told to `say`.
 * NULL: the configuration is wrong, or memory is short. */
struct replay *
replay_open(const struct replay_terms *terms, conf_say *say, void *arg);
void replay_close(struct replay **replay);

/* Play what came before, and then this.  `played_r` is good until the next call.
 * False: out of memory. */
bool replay_try(struct replay *replay, const struct maillog_attempt *attempt,
    const struct rehearsed **played_r);

/* The log ends: count what still waits.  Then the figures are complete; `sum_r` is
 * all rules together, its `delays` the caller's to free().  False: out of memory. */
bool replay_end(struct replay *replay, struct figures_rule *sum_r);

/* Whether attempts count by now (terms.ignored). */
bool replay_counts(const struct replay *replay);

const struct figures *replay_figures(const struct replay *replay);

#endif
