/* figures -- what a policy did to the mail of a log, counted.
 *
 * A message counts once for each attempt to deliver it.  A pair is a recipient of a
 * sender whom a client was told to come back for: it is counted by the rule that put
 * it off first, until it passes, or nobody comes for it any more. */
#ifndef FIGURES_H
#define FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maillog/maillog.h"
#include "policy/policy.h"
#include "replay/rehearse.h"

/* Delays: to the second below an hour, to the minute above. */
#define FIGURES_SECONDS 3600
#define FIGURES_MINUTES 7200

struct figures_delays {
	int64_t count;
	int64_t longest;
	uint32_t seconds[FIGURES_SECONDS];
	uint32_t minutes[FIGURES_MINUTES];
};

struct figures_rule {
	const struct rule *rule; /* NULL: no rule held */
	int64_t accepted;	 /* messages that it let pass */
	int64_t observed;	 /* messages that it would have spoken of */
	int64_t deferred; /* messages of which it put off any recipient */
	int64_t pairs;	  /* that it put off first */
	/* Of those that the log does not show as delivered then: */
	int64_t came_back;
	int64_t passed;	  /* after that */
	int64_t gave_up;  /* nobody came within retry_window */
	int64_t waiting;  /* when the log ended */
	int64_t assumed;  /* delivered in the log: their return is assumed */
	int64_t rejected; /* refused for other reasons in the end, in the log */
	int64_t forgotten;	       /* for want of memory */
	struct figures_delays *delays; /* until they passed; NULL: none did */
};

struct figures_hour {
	int64_t messages;
	int64_t deferred;
};

struct figures {
	/* The rules of the policy in their order, and no rule. */
	struct figures_rule *rules;
	size_t rule_count;
	int64_t messages;
	int64_t deferred;
	int64_t known_messages; /* of known clients, as far as was asked */
	int64_t known_delayed;
	int64_t retries; /* assumed ones that were played */
	int64_t retries_lost;
	int64_t first_hour; /* Unix seconds */
	struct figures_hour *hours;
	size_t hour_count;
	const struct policy *policy;
	struct waiting_room *room; /* pairs that wait */
	int64_t now;
};

/* False: out of memory, here and below.  The policy is borrowed. */
bool figures_open(struct figures *figures, const struct policy *policy);
void figures_close(struct figures *figures);

/* A message of the log was tried, which has recipients. */
bool
figures_count(struct figures *figures, const struct maillog_attempt *attempt,
    const struct rehearsed *played, int64_t now);

/* One was tried that the log does not show: its pairs count, it does not. */
bool figures_count_pairs(struct figures *figures,
    const struct maillog_attempt *attempt, const struct rehearsed *played,
    int64_t now);

/* The log ends at `now`: count what still waits.  `sum_r` is all rules together; its
 * `delays` are the caller's to free(). */
bool
figures_end(struct figures *figures, int64_t now, struct figures_rule *sum_r);

/* The delay that such a share (0..1) does not exceed; 0: there are none. */
int64_t figures_share(const struct figures_delays *delays, double share);

#endif
