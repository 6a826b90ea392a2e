/* What follows from the rules and settings, worked out once: when each rule can
 * speak, and what the MTA and the store are asked for at all. */
#include "config/conf_build.h"

bool
conf_rule_asks(const struct rule *rule, unsigned flags)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if ((condition_flags(&rule->conditions[i]) & flags) == flags)
			return true;
	return false;
}

/* Number the conditions, and give them what they need of the settings. */
static void
plan_conditions(struct policy *policy)
{
	size_t place = 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		struct rule *rule = &policy->rules[i];

		for (size_t j = 0; j < rule->condition_count; j++) {
			struct condition *condition = &rule->conditions[j];

			condition->place = place++;
			condition->first = policy->value_count;
			policy->value_count += condition->count;
			if (condition_counts(condition))
				continue;
			condition->period = policy->settings.retry_window;
			condition->keep = policy->settings.keep;
		}
	}
}

/* Who is deferred there for more than one recipient was asked about one already,
 * and may send to that; and a recipient that has too much mail is no other's
 * fault. */
static bool
asks_about_rest(const struct rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		if (condition_counts_recipients(&rule->conditions[i]) ||
		    ((rule->conditions[i].type->flags & ASKS_ABOUT_REST) != 0 &&
			rule->conditions[i].number > 0))
			return true;
	return false;
}

/* A size that may be told early, unlike one that is counted. */
static bool
may_be_declared(const struct condition *condition)
{
	return (condition->type->flags & READS_BODY) != 0 &&
	    !condition_counts(condition);
}

/* When the facts of a rule are known, but for such sizes. */
static enum stage
stage_without_size(const struct rule *rule)
{
	enum stage stage = rule->at;

	for (size_t i = 0; i < rule->condition_count; i++)
		if (condition_ready(&rule->conditions[i]) > stage &&
		    !may_be_declared(&rule->conditions[i]))
			stage = condition_ready(&rule->conditions[i]);
	if (rule->verdict == RULE_GREYLIST && rule->by == BY_TRIPLET &&
	    stage < STAGE_RCPT)
		stage = STAGE_RCPT;
	return stage;
}

/* `stage`, and those later ones at which a rule above may turn out not to hold. */
static unsigned
stages_from(enum stage stage, unsigned waits)
{
	unsigned own = 1U << stage;

	return own | (waits & ~(own - 1));
}

/* A rule speaks when its own facts are known, or later, as soon as one above it
 * has turned out not to hold.  What is on trial holds up nobody. */
static void
plan_rules(struct policy *policy)
{
	unsigned waits = 0; /* stages of the real rules so far */

	for (size_t i = 0; i < policy->rule_count; i++) {
		struct rule *rule = &policy->rules[i];
		enum stage early = stage_without_size(rule);
		bool of_size = conf_rule_asks(rule, READS_BODY);

		rule->own_stage = of_size ? STAGE_EOM : early;
		rule->of_client = conf_rule_asks(rule, ASKS_CLIENT);
		rule->of_evidence = rule->verdict == RULE_ACCEPT &&
		    conf_rule_asks(rule, ASKS_DNS);
		rule->of_recipient =
		    conf_rule_asks(rule, ASKS_RECIPIENT | ASKS_BY_NAME);
		/* A declared size may say so as soon as all else is known. */
		rule->stage_mask =
		    stages_from(early, waits) | 1U << rule->own_stage;
		rule->of_rest = asks_about_rest(rule) &&
		    rule->stage_mask == 1U << STAGE_RCPT;
		if (!rule->observe)
			waits |= 1U << rule->own_stage;
	}
}

/* Accepting is no use at RCPT, where only CONTINUE is said; and a null sender is
 * not deferred before DATA. */
static unsigned
answer_mask(const struct rule *rule)
{
	if (rule->observe)
		return 0;
	if (rule->verdict == RULE_ACCEPT)
		return rule->stage_mask & ~(1U << STAGE_RCPT);
	return rule->stage_mask |
	    (rule->own_stage < STAGE_DATA ? 1U << STAGE_DATA : 0);
}

/* Where nobody is deferred before DATA and somebody is answered there, nobody
 * need wait for an answer before: to say at MAIL that a client is exempt would
 * cost every message a wait, and save the exempt ones none. */
static void
drop_early_answers(struct policy *policy)
{
	const unsigned early = 1U << STAGE_MAIL | 1U << STAGE_RCPT;
	unsigned deferrals = 0;

	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].verdict != RULE_ACCEPT)
			deferrals |= answer_mask(&policy->rules[i]);
	if ((policy->stage_mask >> STAGE_DATA & 1U) != 0 &&
	    (deferrals & early) == 0)
		policy->stage_mask &= ~early;
}

static void
plan_stages(struct policy *policy)
{
	policy->stage_mask = 0;
	policy->last_stage = STAGE_MAIL;
	policy->observes_eom = false;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		policy->stage_mask |= answer_mask(rule);
		if (rule->own_stage > policy->last_stage)
			policy->last_stage = rule->own_stage;
		if (rule->observe && rule->own_stage == STAGE_EOM)
			policy->observes_eom = true;
	}
	if (policy->last_stage != STAGE_RCPT)
		policy->stage_mask |= 1U << policy->last_stage;
	drop_early_answers(policy);
}

static void
plan_delay(struct policy *policy)
{
	int64_t longest = 0;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (rule->verdict == RULE_GREYLIST && rule->by == BY_TRIPLET &&
		    !rule->observe && rule->terms.delay > longest)
			longest = rule->terms.delay;
	}
	policy->longest_delay = longest > 0 ? longest : policy->settings.delay;
}

static void
plan_clocks(struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];
		enum clock_space space =
		    rule->observe ? CLOCK_OBSERVED : CLOCK_REAL;

		if (rule->verdict == RULE_GREYLIST && rule->by == BY_TRIPLET)
			policy->clocks_used[space] = true;
		if (rule->verdict == RULE_GREYLIST && rule->by == BY_CLIENT)
			policy->client_clocks_used[space] = true;
		if (conf_rule_asks(rule, ASKS_RECIPIENT | ASKS_STORE))
			policy->clocks_used[CLOCK_REAL] = true;
		if (policy_caps(policy, rule)) {
			policy->clocks_used[CLOCK_REAL] = true;
			policy->clocks_used[CLOCK_DEFERRED] = true;
		}
	}
}

static void
plan_rule_wants(struct policy *policy, const struct rule *rule)
{
	if (rule->verdict != RULE_ACCEPT ||
	    conf_rule_asks(rule, READS_RECIPIENTS))
		policy->wants_rcpt = true;
	for (size_t i = 0; i < rule->condition_count; i++)
		if (condition_ready(&rule->conditions[i]) == STAGE_RCPT)
			policy->wants_rcpt = true;
	policy->wants_headers |= conf_rule_asks(rule, READS_HEADERS);
	policy->wants_body |= conf_rule_asks(rule, READS_BODY);
	policy->wants_unknown |= conf_rule_asks(rule, READS_UNKNOWN);
	policy->wants_refused |= conf_rule_asks(rule, READS_REFUSED);
	policy->wants_dns |= conf_rule_asks(rule, ASKS_DNS) &&
	    policy->settings.dns.servers[0] != NULL;
	policy->wants_organisation |= conf_rule_asks(rule, ASKS_ORGANISATION);
	policy->wants_spf |= conf_rule_asks(rule, ASKS_SPF) &&
	    policy->settings.dns.servers[0] != NULL;
}

static bool
reads_marks_of(const struct policy *policy, enum reputation_event event,
    char *const *patterns)
{
	return policy->settings.reputation.weights.points[event] > 0 &&
	    patterns[0] != NULL;
}

static void
plan_wants(struct policy *policy)
{
	const double *points = policy->settings.reputation.weights.points;
	bool reads_marks = reads_marks_of(policy, REPUTATION_SPAM,
			       policy->settings.reputation.spam_headers) ||
	    reads_marks_of(policy, REPUTATION_HAM,
		policy->settings.reputation.ham_headers);

	policy->wants_headers = reads_marks;
	policy->wants_unknown = points[REPUTATION_UNKNOWN_COMMAND] > 0;
	policy->wants_refused = points[REPUTATION_REFUSED_RECIPIENT] > 0;
	for (size_t i = 0; i < policy->rule_count; i++)
		plan_rule_wants(policy, &policy->rules[i]);
	if (policy->wants_refused)
		policy->wants_rcpt = true;
}

void
conf_plan(struct policy *policy)
{
	plan_conditions(policy);
	plan_rules(policy);
	plan_stages(policy);
	plan_clocks(policy);
	plan_delay(policy);
	plan_wants(policy);
}
