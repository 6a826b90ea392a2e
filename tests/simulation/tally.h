/* tally -- what became of the mail: who waited, for how long and why. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "farm.h"
#include "traffic.h"

#define TALLY_KINDS_MAX	 24
#define TALLY_CAUSES_MAX 32

/* The load that a server had, and the score of a client, in ranges. */
enum { TALLY_LOADS = 4, TALLY_SCORES = 5 };
extern const double tally_load_ends[TALLY_LOADS - 1];
extern const double tally_score_ends[TALLY_SCORES - 1];

/* All zero at first. */
struct tally_list {
	double *values;
	size_t count;
	size_t room;
};

struct tally_kind {
	uint64_t mails;	    /* with a recipient that exists */
	uint64_t delivered; /* to the last recipient */
	uint64_t lost;	    /* the sender gave up */
	uint64_t unretried; /* of those: who never tries twice */
	uint64_t attempts;
	uint64_t admitted; /* attempts */
};

struct tally_cause {
	char rule[FARM_RULE_SIZE];
	uint64_t good; /* deferrals of mail of good senders */
	uint64_t bad;
	double good_wait; /* seconds that good mail then waited */
};

/* Good mail of some senders, of some span of time. */
struct tally_share {
	uint64_t mails;
	uint64_t at_once;     /* at the first attempt */
	uint64_t within_hour; /* of it */
};

/* Regulars have written some mails before, and retry; strangers have not yet;
 * which they are does not depend on the policy.  Whom the store knew does. */
struct tally_span {
	struct tally_share regulars;
	struct tally_share strangers;
	struct tally_share known;
};

#define TALLY_REGULAR 5 /* mails */

struct tally {
	struct tally_kind kinds[TALLY_KINDS_MAX];
	struct tally_cause causes[TALLY_CAUSES_MAX];
	size_t cause_count;
	/* seconds that good mail took, with pairs never seen before from
	 * clients that were not known, and all other */
	struct tally_list first_delays;
	struct tally_list other_delays;
	struct tally_span calm;
	struct tally_span attack;
	uint64_t attempts[TALLY_LOADS][TALLY_SCORES];
	uint64_t admitted[TALLY_LOADS][TALLY_SCORES];
	double top_load;
	uint64_t attack_steps; /* of all servers, while it went on */
	double attack_load;    /* the sum of their loads */
};

/* What the tally remembers of a mail from its first attempt to its last. */
struct tally_mail {
	bool begun;
	bool attack; /* written while it went on */
	bool known;
	bool first_contact;
	int64_t failed_at;
	size_t cause; /* of the last failure */
};

/* One attempt; `result` is NULL when the server was full.  False: out of
 * memory. */
bool tally_attempt(struct tally *tally, const struct mail *mail,
    struct tally_mail *kept, const struct farm_result *result, int64_t now,
    double load);

/* The sender gave up. */
void tally_lost(struct tally *tally, const struct mail *mail);

void tally_clear(struct tally *tally);

/* The value that this share (0..1) of the list is not above; sorts it. */
double tally_quantile(struct tally_list *list, double share);

#endif
