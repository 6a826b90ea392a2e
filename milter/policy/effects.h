/* effects -- what a verdict makes the store remember.  Pure. */
#ifndef EFFECTS_H
#define EFFECTS_H

#include "policy/decide.h"

struct effects {
	enum clock_mark pairs[RECIPIENTS_MAX][CLOCK_SPACES];
	enum clock_mark client[CLOCK_SPACES];
	int64_t passes;	 /* 1 if a pair came back and got through, else 0 */
	bool is_evident; /* a new pair was let in by evidence, without a wait */
	bool worthy;	 /* the identity earns the longer life */
	bool hammered;	 /* a retry within a minute of the first attempt */
};

/* The clocks of a message start at its first attempt, whichever rule answered
 * it; a retry never restarts them.  `only` is the index of the recipient that
 * was deferred at RCPT, or EFFECTS_ALL for the whole message. */
#define EFFECTS_ALL ((size_t)-1)
void effects_of_deferral(const struct policy *policy, const struct facts *facts,
    size_t only, struct effects *effects_r);

/* A pair that waited has passed, whichever rule then accepted it, and carries
 * the message's other pairs with it.  Passes are renewed once a day, and so is
 * the record of the identity, which was last renewed at `last_used`.  What rules
 * on trial make of the message is part of it. */
void effects_of_acceptance(const struct policy *policy,
    const struct facts *facts, const struct outcome *outcome, int64_t last_used,
    struct effects *effects_r);

#endif
