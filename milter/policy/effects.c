#include "policy/effects.h"

#include <string.h>

#include "base/seconds.h"

#define RENEWALS     36 /* of a pass, within the time that it is kept */
#define HAMMER_UNDER INT64_C(60)

/* Whether the last use that was noted, at `then`, is to be noted anew: not at
 * each, which would cost a write, but so often that a pass is hardly forgotten
 * sooner than it says; at once where it lies in the future, or it would not be
 * noted again before that has come. */
static bool
is_stale(const struct policy *policy, int64_t then, int64_t now)
{
	int64_t age = seconds_between(now, then);

	return age > policy->settings.keep / RENEWALS || age < -GREYLIST_SLACK;
}

/* The mark that starts a clock, unless it is running or has passed. */
static enum clock_mark
start_mark(const struct policy *policy, const struct greylist_clock *clock,
    int64_t now)
{
	struct greylist_terms terms = {
	    0, policy->settings.retry_window, policy->settings.keep};
	int64_t wait;

	if (clock->first_seen == 0 && clock->last_passed == 0)
		return MARK_FIRST;
	return greylist_judge(&terms, clock, now, &wait) == GREYLIST_FIRST
	    ? MARK_RESTART
	    : MARK_NONE;
}

static void
start_clocks(const struct policy *policy, const struct recipient *recipient,
    int64_t now, enum clock_mark marks_r[CLOCK_SPACES])
{
	const struct greylist_clock *clocks = recipient->clock;

	for (int space = CLOCK_REAL; space <= CLOCK_OBSERVED; space++)
		if (policy->clocks_used[space])
			marks_r[space] =
			    start_mark(policy, &clocks[space], now);
	if (policy->clocks_used[CLOCK_DEFERRED] &&
	    clocks[CLOCK_REAL].last_passed != 0 &&
	    marks_r[CLOCK_REAL] == MARK_NONE)
		marks_r[CLOCK_DEFERRED] =
		    start_mark(policy, &clocks[CLOCK_DEFERRED], now);
}

static bool
hammers(const struct recipient *recipient, int64_t now)
{
	int64_t first_seen = recipient->clock[CLOCK_REAL].first_seen;
	int64_t age = seconds_between(now, first_seen);

	return recipient->clock_certainty == FACT_KNOWN && first_seen != 0 &&
	    age < HAMMER_UNDER && age >= -GREYLIST_SLACK;
}

void
effects_of_deferral(const struct policy *policy, const struct facts *facts,
    size_t only, struct effects *effects_r)
{
	bool is_told = false;

	memset(effects_r, 0, sizeof *effects_r);
	for (size_t i = 0; i < facts->recipient_count; i++) {
		if (only != EFFECTS_ALL && only != i)
			continue;
		/* Of what was not told in time, one pair is enough to carry
		 * the retry; more would burden a store that is late. */
		if (facts->recipients[i].clock_certainty == FACT_UNKNOWN) {
			if (is_told)
				continue;
			is_told = true;
		}
		start_clocks(policy, &facts->recipients[i], facts->now,
		    effects_r->pairs[i]);
		if (hammers(&facts->recipients[i], facts->now))
			effects_r->hammered = true;
	}
	for (int space = CLOCK_REAL; space <= CLOCK_OBSERVED; space++)
		if (policy->client_clocks_used[space])
			effects_r->client[space] = start_mark(
			    policy, &facts->client_clock[space], facts->now);
}

/* The mark of a clock that has been waited out, or that the message was
 * `carried` past; passes are renewed now and then. */
static enum clock_mark
pass_mark(const struct policy *policy, const struct greylist_clock *clock,
    bool carried, int64_t now)
{
	struct greylist_terms terms = {policy->longest_delay,
	    policy->settings.retry_window, policy->settings.keep};
	int64_t wait;

	if (greylist_judge(&terms, clock, now, &wait) != GREYLIST_PASSED)
		return carried ? MARK_PASSED : MARK_NONE;
	return clock->last_passed == 0 ||
		is_stale(policy, clock->last_passed, now)
	    ? MARK_PASSED
	    : MARK_NONE;
}

static void
pass_pair(const struct policy *policy, const struct facts *facts,
    const struct outcome *outcome, size_t i, struct effects *effects_r)
{
	const struct recipient *recipient = &facts->recipients[i];
	const struct greylist_clock *clocks = recipient->clock;
	enum clock_mark *marks = effects_r->pairs[i];
	bool by_evidence = outcome->rule != NULL && outcome->rule->of_evidence;
	bool is_evident;

	if (recipient->clock_certainty != FACT_KNOWN)
		return;
	marks[CLOCK_REAL] = pass_mark(policy, &clocks[CLOCK_REAL],
	    outcome->triplet_passed[CLOCK_REAL], facts->now);
	is_evident = by_evidence && marks[CLOCK_REAL] == MARK_NONE &&
	    pass_mark(policy, &clocks[CLOCK_REAL], true, facts->now) ==
		MARK_PASSED;
	if (is_evident)
		marks[CLOCK_REAL] = MARK_PASSED;
	/* Let in by another rule before it had waited: nobody will come back
	 * for it, and nobody has abandoned it. */
	if (marks[CLOCK_REAL] == MARK_NONE &&
	    clocks[CLOCK_REAL].first_seen != 0)
		marks[CLOCK_REAL] = MARK_FORGET;
	if (is_evident) {
		effects_r->is_evident = effects_r->worthy = true;
	} else if (marks[CLOCK_REAL] == MARK_PASSED) {
		effects_r->worthy = true;
		/* One pass a message, however many recipients it had; and
		 * none where nobody has seen the first attempt, or a flood
		 * would earn trust without coming back for anything. */
		if (clocks[CLOCK_REAL].first_seen != 0 &&
		    !recipient->is_supposed)
			effects_r->passes = 1;
	}
	if (clocks[CLOCK_DEFERRED].first_seen != 0)
		marks[CLOCK_DEFERRED] = MARK_FORGET;
}

static void
pass_client(const struct policy *policy, const struct facts *facts,
    const struct outcome *outcome, struct effects *effects_r)
{
	const struct greylist_clock *clock = &facts->client_clock[CLOCK_REAL];

	if (!outcome->client_passed[CLOCK_REAL])
		return;
	effects_r->client[CLOCK_REAL] =
	    pass_mark(policy, clock, true, facts->now);
	if (effects_r->client[CLOCK_REAL] == MARK_PASSED)
		effects_r->worthy = true;
}

/* The rule deferred nobody, so its clock starts with a message that it would
 * have `stopped`. */
static enum clock_mark
trial_mark(const struct policy *policy, const struct greylist_clock *clock,
    bool passed, bool stopped, int64_t now)
{
	if (passed)
		return pass_mark(policy, clock, true, now);
	return stopped ? start_mark(policy, clock, now) : MARK_NONE;
}

static void
note_trial(const struct policy *policy, const struct facts *facts,
    const struct outcome *outcome, struct effects *effects_r)
{
	const enum clock_space space = CLOCK_OBSERVED;
	bool stopped = outcome->observed != NULL &&
	    outcome->observed->verdict != RULE_ACCEPT;

	for (size_t i = 0; i < facts->recipient_count; i++) {
		const struct recipient *recipient = &facts->recipients[i];

		if (policy->clocks_used[space] &&
		    recipient->clock_certainty == FACT_KNOWN)
			effects_r->pairs[i][space] =
			    trial_mark(policy, &recipient->clock[space],
				outcome->triplet_passed[space], stopped,
				facts->now);
		/* Or a pass on trial would be forgotten sooner than a real
		 * one, and the trial would look worse than the rule. */
		if (effects_r->pairs[i][space] == MARK_PASSED)
			effects_r->worthy = true;
	}
	if (policy->client_clocks_used[space] &&
	    facts->clock_certainty == FACT_KNOWN)
		effects_r->client[space] =
		    trial_mark(policy, &facts->client_clock[space],
			outcome->client_passed[space], stopped, facts->now);
}

void
effects_of_acceptance(const struct policy *policy, const struct facts *facts,
    const struct outcome *outcome, int64_t last_used, struct effects *effects_r)
{
	memset(effects_r, 0, sizeof *effects_r);
	note_trial(policy, facts, outcome, effects_r);
	for (size_t i = 0; i < facts->recipient_count; i++)
		pass_pair(policy, facts, outcome, i, effects_r);
	if (facts->clock_certainty != FACT_KNOWN)
		return;
	pass_client(policy, facts, outcome, effects_r);
	if (facts->known && is_stale(policy, last_used, facts->now))
		effects_r->worthy = true;
}
