/* decide -- the policy read from the top: facts in, verdict out.
 *
 * Pure: no clock, no store, no allocation.  Call it at each stage with what is
 * known; when it answers ASK, ask the store, complete the facts and call it
 * again. */
#ifndef DECIDE_H
#define DECIDE_H

#include "policy/policy.h"

enum verdict {
	VERDICT_WAIT,	/* nothing can be said yet: go on */
	VERDICT_ASK,	/* the store's answer is needed first */
	VERDICT_ACCEPT, /* `rule` accepts; NULL: no rule held */
	VERDICT_DEFER	/* `rule` defers with its response */
};

struct outcome {
	enum verdict verdict;
	const struct rule *rule;
	int64_t wait; /* seconds until a retry may pass; 0: not known */
	/* Greylisting that this message has waited out, by clock space. */
	bool triplet_passed[CLOCK_SPACES];
	bool client_passed[CLOCK_SPACES];
	/* The real rule whose wait is over with this message: it came back and
	 * passes now.  NULL: there is none. */
	const struct rule *passed;
	int64_t waited; /* seconds, since its first attempt */
	bool capped;	/* a rule let go because of the delay cap */
	/* An observing rule waits for a later step, and those below with it. */
	bool trial_waits;
	/* The first observing rule that would have spoken; NULL: none. */
	const struct rule *observed;
	int64_t observed_wait;
};

/* How each rule answered, for those who want to be told why. */
struct trace {
	struct trace_step {
		enum answer answer;
		/* the condition that settled it; NULL: `at`, the greylist
		 * clock, or all conditions held */
		const struct condition *condition;
	} steps[RULES_MAX];
	size_t step_count; /* rules that were tried */
};

/* Judge one recipient, or (recipient NULL) the message before any of them.
 * `trace_r` may be NULL. */
struct outcome decide(const struct policy *policy, const struct facts *facts,
    const struct recipient *recipient, enum stage stage, struct trace *trace_r);

/* Judge the whole message at DATA or at its end: it passes if any recipient may
 * pass, else it waits or asks if any recipient does, else the deferral with the
 * shortest wait speaks.  Where recipients are not to be carried, or some were not
 * looked at, it passes if all may, and the longest wait speaks.  Recipients that a
 * rule accepts for who they are do not carry the others; they pass by themselves if
 * there are no others.  Without recipients it is judged as at MAIL. */
struct outcome decide_message(
    const struct policy *policy, const struct facts *facts, enum stage stage);

/* Since when this pair, of which the clocks are known, has been put off without a
 * pass in between; 0: never, or so long ago that it counts as forgotten. */
int64_t put_off_since(const struct policy *policy,
    const struct recipient *recipient, int64_t now);

#endif
