/* reputation -- what score do the good and bad points of a client earn?
 *
 * Every event is worth good or bad points.  They are kept as two sums per
 * client network and per host in it; the sums fade (decay.h), so a score falls
 * back to 0 when nothing happens.  Scores run from -100 (only ever bad) over 0
 * (unknown) to +100 (only ever good).
 *
 * Pure: you keep the sums, we judge.  Points are >= 0; anything else that
 * arrives as a sum (negative, NaN) counts as 0. */
#ifndef REPUTATION_H
#define REPUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As it is shipped: six refused recipients (30 points) give -37; a half-life
 * later 15 points are left, which is -23.  So a prior between 35 and 70 makes
 * "below -30" mean: six of them, and forgiven after one half-life. */
#define REPUTATION_PRIOR 50.0

enum reputation_event {
	REPUTATION_ACCEPTED,	    /* a message accepted and complete */
	REPUTATION_GREYLIST_PASSED, /* came back after a greylist delay */
	REPUTATION_HAM,		    /* an earlier filter says ham */
	REPUTATION_ABANDONED,	    /* a deferred triplet never came back */
	REPUTATION_HAMMERING,	    /* retried faster than once a minute */
	REPUTATION_UNKNOWN_COMMAND, /* SMTP command unknown or out of order */
	REPUTATION_MALFORMED_HELO,
	REPUTATION_REFUSED_RECIPIENT, /* the MTA said 5yz to a recipient */
	REPUTATION_SPAM,	      /* an earlier filter says spam */
	REPUTATION_REPORT_HAM,	      /* reports from outside */
	REPUTATION_REPORT_SPAM,
	REPUTATION_REPORT_TRAP,
	REPUTATION_EVENT_COUNT
};

struct reputation_event_info {
	const char *name; /* as in the config and in reports */
	bool good;	  /* which of the two sums it goes to */
};
extern const struct reputation_event_info
    reputation_events[REPUTATION_EVENT_COUNT];

/* The points of each event, from the config; 0 switches an event off. */
struct reputation_weights {
	double points[REPUTATION_EVENT_COUNT];
};

struct reputation_sums {
	double good;
	double bad;
};

/* Add one event to what a message has earned so far. */
void reputation_add(struct reputation_sums *message,
    const struct reputation_weights *weights, enum reputation_event event);

/* Cut what a message has earned to at most `cap` points each way, so that one
 * transaction cannot swing a score from end to end. */
void reputation_cap_message(struct reputation_sums *message, double cap);

/* The score of a host, -100..100.
 *
 *   neighbours = network - host           (network sums include the host's own)
 *   borrowed   = 100 (G - B) / (G + B + prior)               of the neighbours
 *   score      = (100 (g - b) + prior * borrowed) / (g + b + prior)  of the host
 *
 * So the neighbours' score enters with the weight of `prior` points: it is the
 * whole score of a host without history, and fades as the host earns points of
 * its own.  No event counts twice, no history anywhere is 0, and without
 * neighbours this is 100 (g - b) / (g + b + prior).
 *
 * A prior that is not above 0 counts as REPUTATION_PRIOR. */
double reputation_score(const struct reputation_sums *host,
    const struct reputation_sums *network, double prior);

/* The limit for a client with this score: limit * clamp(1 + score/100, 0.1, 2),
 * rounded, at least 1.  A limit below 1 admits nobody and stays as it is. */
int64_t reputation_scaled_limit(int64_t limit, double score);

struct settings; /* policy/settings.h, which includes this */

/* What a client is worth, by what it has earned. */
struct standing {
	double score; /* reputation, -100..100 */
	bool is_poor;
	bool known; /* has earned trust, and is not poor */
};

/* By the points of its host and of its network, which contain the host's, and the
 * pairs that it got through. */
void standing_of(const struct settings *settings,
    const struct reputation_sums *host, const struct reputation_sums *network,
    int64_t passes, struct standing *standing_r);

#endif
