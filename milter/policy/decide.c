#include "policy/decide.h"

#include "base/seconds.h"

/* The question in hand, so that the helpers need not pass five things on. */
struct question {
	const struct policy *policy;
	const struct facts *facts;
	const struct recipient *recipient; /* NULL before the first one */
	enum stage stage;
	struct outcome *outcome;
	int64_t wait; /* of the rule that is being tried */
	const struct condition *settled_by;
};

/* The strongest answer of all conditions; enum answer is in that order.  A "no"
 * needs no other fact, so a rule never waits in vain. */
static enum answer
judge_conditions(struct question *question, const struct rule *rule)
{
	enum answer strongest = ANSWER_YES;

	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct condition *condition = &rule->conditions[i];
		enum answer answer = condition_judge(
		    condition, question->facts, question->recipient);

		/* Units of recipients are taken once all are known. */
		if (answer == ANSWER_ASK &&
		    condition_ready(condition) > question->stage)
			answer = ANSWER_LATER;
		if (answer > strongest) {
			strongest = answer;
			question->settled_by = condition;
		}
		if (answer == ANSWER_NO)
			break;
	}
	return strongest;
}

/* A null sender is a bounce or an address check by callout.  The latter never
 * gets to DATA, nor to a second recipient, so nobody is told "no" before that. */
static bool
too_early(const struct question *question, const struct rule *rule)
{
	if (question->stage < rule->at)
		return true;
	return rule->verdict != RULE_ACCEPT && question->facts->null_sender &&
	    question->stage < STAGE_DATA && !rule->of_rest;
}

/* Whose first attempt nobody has seen has waited for nobody knows how long. */
static void
note_pass(struct question *question, const struct rule *rule,
    const struct greylist_clock *clock)
{
	struct outcome *outcome = question->outcome;
	bool is_supposed =
	    rule->by == BY_TRIPLET && question->recipient->is_supposed;

	if (rule->observe || outcome->passed != NULL || is_supposed ||
	    clock->first_seen == 0 || clock->last_passed != 0)
		return;
	outcome->passed = rule;
	outcome->waited =
	    seconds_between(question->facts->now, clock->first_seen);
}

/* YES: still to wait. */
static enum answer
judge_greylist(struct question *question, const struct rule *rule)
{
	const struct facts *facts = question->facts;
	enum clock_space space = rule->observe ? CLOCK_OBSERVED : CLOCK_REAL;
	bool by_client = rule->by == BY_CLIENT;
	const struct greylist_clock *clock;
	enum answer answer;

	if (!by_client && question->recipient == NULL)
		return ANSWER_LATER;
	answer = answer_while(by_client ? facts->clock_certainty
					: question->recipient->clock_certainty);
	/* Else whoever makes the store slow for himself would be let in. */
	if (answer == ANSWER_UNKNOWN && facts->store_late && !rule->observe) {
		question->wait = rule->terms.delay;
		return ANSWER_YES;
	}
	if (answer != ANSWER_YES)
		return answer;

	clock = by_client ? &facts->client_clock[space]
			  : &question->recipient->clock[space];
	if (greylist_judge(&rule->terms, clock, facts->now, &question->wait) !=
	    GREYLIST_PASSED)
		return ANSWER_YES;
	note_pass(question, rule, clock);
	if (by_client)
		question->outcome->client_passed[space] = true;
	else
		question->outcome->triplet_passed[space] = true;
	return ANSWER_NO;
}

int64_t
put_off_since(
    const struct policy *policy, const struct recipient *recipient, int64_t now)
{
	const struct greylist_clock *clocks = recipient->clock;
	int64_t since = clocks[CLOCK_REAL].last_passed != 0
	    ? clocks[CLOCK_DEFERRED].first_seen
	    : clocks[CLOCK_REAL].first_seen;

	return seconds_between(now, since) > policy->settings.retry_window
	    ? 0
	    : since;
}

/* NO: this pair has been deferred for as long as the postmaster allows.  A wait that
 * is only supposed is none for this: it spares the pair the greylist, and a flood of
 * first attempts shall not defeat limits and load rules by it. */
static enum answer
judge_cap(struct question *question, const struct rule *rule)
{
	int64_t now = question->facts->now, since;
	enum answer answer;

	if (!policy_caps(question->policy, rule) || question->recipient == NULL)
		return ANSWER_YES;
	answer = answer_while(question->recipient->clock_certainty);
	if (answer == ANSWER_UNKNOWN)
		return ANSWER_YES;
	if (answer != ANSWER_YES)
		return answer;
	if (question->recipient->is_supposed &&
	    (rule->verdict != RULE_GREYLIST || rule->by != BY_TRIPLET))
		return ANSWER_YES;
	since = put_off_since(question->policy, question->recipient, now);
	if (since == 0 ||
	    seconds_between(now, since) < question->policy->settings.delay_cap)
		return ANSWER_YES;
	question->outcome->capped = true;
	return ANSWER_NO;
}

/* How long a defer rule asks its client to stay away: what its limit says, else
 * its `wait` and up to half as much again, so that all those who were turned
 * away at once do not come back at once. */
static int64_t
wait_of(const struct question *question, const struct rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		int64_t wait =
		    condition_wait(&rule->conditions[i], question->facts);

		if (wait > 0)
			return wait;
	}
	return rule->wait + rule->wait * question->facts->dice / 20000;
}

static enum answer
judge_rule(struct question *question, const struct rule *rule)
{
	enum answer answer;

	/* Then it would be the whole message, which comes as it is again. */
	if (rule->of_rest && question->stage > STAGE_RCPT)
		return ANSWER_NO;
	answer = judge_conditions(question, rule);
	if (answer >= ANSWER_UNKNOWN)
		return answer;
	if (too_early(question, rule))
		return ANSWER_LATER;
	if (answer != ANSWER_YES || rule->verdict == RULE_ACCEPT)
		return answer;

	if (rule->verdict == RULE_GREYLIST)
		answer = judge_greylist(question, rule);
	else
		question->wait = wait_of(question, rule);
	return answer == ANSWER_YES ? judge_cap(question, rule) : answer;
}

static void
note_step(
    const struct question *question, enum answer answer, struct trace *trace)
{
	if (trace == NULL || trace->step_count == RULES_MAX)
		return;
	trace->steps[trace->step_count].answer = answer;
	trace->steps[trace->step_count].condition = question->settled_by;
	trace->step_count++;
}

/* Whether a rule on trial has spoken, or waits: then those below are silent. */
static bool
is_noted(const struct outcome *outcome)
{
	return outcome->observed != NULL || outcome->trial_waits;
}

/* True when this rule ends the search. */
static bool
apply_answer(
    struct question *question, const struct rule *rule, enum answer answer)
{
	struct outcome *outcome = question->outcome;

	switch (answer) {
	case ANSWER_NO:
	case ANSWER_UNKNOWN:
		return false;
	case ANSWER_LATER:
		/* A rule on trial must not hold up the real ones. */
		if (rule->observe) {
			outcome->trial_waits = true;
			return false;
		}
		outcome->verdict = VERDICT_WAIT;
		return true;
	case ANSWER_ASK:
		/* Nor is the store asked for one that would not be noted. */
		if (rule->observe && is_noted(outcome))
			return false;
		outcome->verdict = VERDICT_ASK;
		return true;
	case ANSWER_YES:
		break;
	}
	if (rule->observe) {
		if (!is_noted(outcome)) {
			outcome->observed = rule;
			outcome->observed_wait = question->wait;
		}
		return false;
	}
	outcome->rule = rule;
	outcome->wait = question->wait;
	outcome->verdict =
	    rule->verdict == RULE_ACCEPT ? VERDICT_ACCEPT : VERDICT_DEFER;
	return true;
}

struct outcome
decide(const struct policy *policy, const struct facts *facts,
    const struct recipient *recipient, enum stage stage, struct trace *trace_r)
{
	struct outcome outcome = {.verdict = VERDICT_ACCEPT};
	struct question question = {.policy = policy,
	    .facts = facts,
	    .recipient = recipient,
	    .stage = stage,
	    .outcome = &outcome};

	if (trace_r != NULL)
		trace_r->step_count = 0;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];
		enum answer answer;

		question.wait = 0;
		question.settled_by = NULL;
		answer = judge_rule(&question, rule);
		note_step(&question, answer, trace_r);
		if (apply_answer(&question, rule, answer))
			break;
	}
	return outcome;
}

/* An accept rule about the recipient is for that recipient: if it carried the
 * others through, abuse@ would be a master key. */
static int
rank(const struct outcome *outcome, bool each)
{
	if (outcome->verdict == VERDICT_ACCEPT && outcome->rule != NULL &&
	    outcome->rule->of_recipient)
		return 4;
	if (outcome->verdict == VERDICT_ASK)
		return 0;
	if (outcome->verdict == VERDICT_WAIT)
		return 2;
	return (outcome->verdict == VERDICT_ACCEPT) == each ? 3 : 1;
}

/* Which of two recipients' outcomes speaks for the whole message, where one that
 * may pass is enough, or where `each` has to.  A rule on trial would have
 * deferred it as a real one. */
static bool
speaks_before(const struct outcome *a, const struct outcome *b, bool each)
{
	if (rank(a, each) != rank(b, each))
		return rank(a, each) < rank(b, each);
	if (a->verdict == VERDICT_ACCEPT)
		return (a->observed != NULL) == each &&
		    (b->observed != NULL) != each;
	if (a->verdict != VERDICT_DEFER)
		return false;
	return each ? a->wait > b->wait : a->wait < b->wait;
}

/* What any recipient has waited out, the message has. */
static void
add_passes(struct outcome *best, const struct outcome *outcome)
{
	for (int space = 0; space < CLOCK_SPACES; space++) {
		best->triplet_passed[space] |= outcome->triplet_passed[space];
		best->client_passed[space] |= outcome->client_passed[space];
	}
	if (outcome->passed != NULL &&
	    (best->passed == NULL || outcome->waited > best->waited)) {
		best->passed = outcome->passed;
		best->waited = outcome->waited;
	}
}

struct outcome
decide_message(
    const struct policy *policy, const struct facts *facts, enum stage stage)
{
	struct outcome best, passes = {.verdict = VERDICT_WAIT};
	/* Those that were not looked at do not ride along with one that was. */
	bool each = !policy->settings.carry_recipients ||
	    facts->recipients_seen > (int64_t)facts->recipient_count;

	if (facts->recipient_count == 0)
		return decide(policy, facts, NULL, stage, NULL);
	for (size_t i = 0; i < facts->recipient_count; i++) {
		const struct recipient *recipient = &facts->recipients[i];
		struct outcome outcome =
		    decide(policy, facts, recipient, stage, NULL);

		add_passes(&passes, &outcome);
		if (i == 0 || speaks_before(&outcome, &best, each))
			best = outcome;
	}
	add_passes(&best, &passes);
	return best;
}
