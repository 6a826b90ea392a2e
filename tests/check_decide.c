#include "policy/decide.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

#define NEVER INT64_C(0)
#define NOON  INT64_C(1767268800) /* 2026-01-01 12:00 UTC */
#define HOUR  INT64_C(3600)
#define CAP   (4 * HOUR)

/* Conditions that answer what they are told, and some real ones. */
static enum answer
says(const struct asked *asked)
{
	return (enum answer)asked->condition->number;
}

static enum answer
is_for(const struct asked *asked)
{
	return strcmp(asked->recipient->address, asked->condition->header) == 0
	    ? ANSWER_YES
	    : ANSWER_NO;
}

/* What holds for the whole message is asked once. */
static unsigned times_asked;

static enum answer
says_once(const struct asked *asked)
{
	times_asked++;
	return says(asked);
}

static const struct condition_type telling_once = {
    "says_once", VALUE_NUMBER, STAGE_MAIL, ASKS_FOR_GOOD, .judge = says_once};
static const struct condition_type telling = {
    "says", VALUE_NUMBER, STAGE_MAIL, 0, .judge = says};
static const struct condition_type telling_at_data = {
    "says_at_data", VALUE_NUMBER, STAGE_DATA, 0, .judge = says};
static const struct condition_type addressing = {
    "for", VALUE_GLOBS, STAGE_RCPT, ASKS_RECIPIENT, .judge = is_for};

#define SAYS(answer_)                                                          \
	{                                                                      \
		.type = &telling, .number = ANSWER_##answer_                   \
	}
#define FOR(address_)                                                          \
	{                                                                      \
		.type = &addressing, .header = (address_)                      \
	}
#define AT_DATA_SAYS(answer_)                                                  \
	{                                                                      \
		.type = &telling_at_data, .number = ANSWER_##answer_           \
	}
#define IF(...)                                                                \
	.conditions = (struct condition[]){__VA_ARGS__},                       \
	.condition_count = sizeof((struct condition[]){__VA_ARGS__}) /         \
	    sizeof(struct condition)

#define ACCEPT .verdict = RULE_ACCEPT
#define DEFER  .verdict = RULE_DEFER
#define GREYLIST(whom)                                                         \
	.verdict = RULE_GREYLIST, .by = (whom),                                \
	.terms = {300, 25 * HOUR, 36 * 24 * HOUR}
#define RULES(...)                                                             \
	(struct rule[]){__VA_ARGS__},                                          \
	    sizeof((struct rule[]){__VA_ARGS__}) / sizeof(struct rule)

#define NO_RULE (-1)

static struct policy
policy_of(const struct rule *rules, size_t count, int64_t cap)
{
	struct policy policy = {
	    .rules = (struct rule *)rules, .rule_count = count};

	policy.settings.delay_cap = cap;
	policy.settings.retry_window = 25 * HOUR;
	policy.settings.carry_recipients = true;
	return policy;
}

static int
index_of(const struct policy *policy, const struct rule *rule)
{
	return rule == NULL ? NO_RULE : (int)(rule - policy->rules);
}

struct row {
	const char *when;
	const struct rule *rules;
	size_t rule_count;
	enum verdict verdict;
	int rule;
	int observed; /* 1-based; 0: none */
};

static const struct row algebra_rows[] = {
    {"without rules everything is accepted", NULL, 0, VERDICT_ACCEPT, NO_RULE,
	0},
    {"a rule without conditions holds always", RULES({DEFER}), VERDICT_DEFER, 0,
	0},
    {"all conditions of a rule must hold",
	RULES({DEFER, IF(SAYS(YES), SAYS(NO))}), VERDICT_ACCEPT, NO_RULE, 0},
    {"the first rule that holds gives the verdict",
	RULES({DEFER, IF(SAYS(NO))}, {ACCEPT, IF(SAYS(YES))}, {DEFER}),
	VERDICT_ACCEPT, 1, 0},
    {"and no other", RULES({DEFER}, {ACCEPT}), VERDICT_DEFER, 0, 0},
    {"a rule waits for its facts, and those below wait with it",
	RULES({DEFER, IF(SAYS(LATER))}, {ACCEPT}), VERDICT_WAIT, NO_RULE, 0},
    {"a no settles a rule whatever else is open",
	RULES({DEFER, IF(SAYS(LATER), SAYS(NO))}, {ACCEPT}), VERDICT_ACCEPT, 1,
	0},
    {"in any order", RULES({DEFER, IF(SAYS(NO), SAYS(ASK))}, {ACCEPT}),
	VERDICT_ACCEPT, 1, 0},
    {"what is unknown does not hold",
	RULES({DEFER, IF(SAYS(YES), SAYS(UNKNOWN))}, {ACCEPT}), VERDICT_ACCEPT,
	1, 0},
    {"and is not waited for in vain",
	RULES({DEFER, IF(SAYS(UNKNOWN), SAYS(LATER), SAYS(ASK))}, {ACCEPT}),
	VERDICT_ACCEPT, 1, 0},
    {"the store is asked when all else holds",
	RULES({DEFER, IF(SAYS(YES), SAYS(ASK))}), VERDICT_ASK, NO_RULE, 0},
    {"and not while a rule waits anyway",
	RULES({DEFER, IF(SAYS(ASK), SAYS(LATER))}), VERDICT_WAIT, NO_RULE, 0},
    {"nor for a rule that cannot be reached",
	RULES({ACCEPT}, {DEFER, IF(SAYS(ASK))}), VERDICT_ACCEPT, 0, 0},
};

static const struct row observe_rows[] = {
    {"a rule on trial only notes what it would have done",
	RULES({DEFER, .observe = true}, {ACCEPT}), VERDICT_ACCEPT, 1, 1},
    {"the first one that speaks is noted",
	RULES({ACCEPT, .observe = true}, {DEFER, .observe = true}, {DEFER}),
	VERDICT_DEFER, 2, 1},
    {"one that does not hold notes nothing",
	RULES({DEFER, .observe = true, IF(SAYS(NO))}, {ACCEPT}), VERDICT_ACCEPT,
	1, 0},
    {"it never holds up a real rule",
	RULES({DEFER, .observe = true, IF(SAYS(LATER))}, {ACCEPT}),
	VERDICT_ACCEPT, 1, 0},
    {"but those on trial below wait with it",
	RULES({DEFER, .observe = true, IF(SAYS(LATER))},
	    {DEFER, .observe = true}, {ACCEPT}),
	VERDICT_ACCEPT, 2, 0},
    {"a rule below the verdict is not tried at all",
	RULES({ACCEPT}, {DEFER, .observe = true}), VERDICT_ACCEPT, 0, 0},
    {"nor do they ask the store",
	RULES({DEFER, .observe = true, IF(SAYS(LATER))},
	    {DEFER, .observe = true, IF(SAYS(ASK))}, {ACCEPT}),
	VERDICT_ACCEPT, 2, 0},
    {"nor do those below one that has spoken",
	RULES({ACCEPT, .observe = true},
	    {DEFER, .observe = true, IF(SAYS(ASK))}, {ACCEPT}),
	VERDICT_ACCEPT, 2, 1},
    {"it may ask the store",
	RULES({DEFER, .observe = true, IF(SAYS(ASK))}, {ACCEPT}), VERDICT_ASK,
	NO_RULE, 0},
};

static void
judge(const struct row *row)
{
	struct policy policy = policy_of(row->rules, row->rule_count, 0);
	struct facts facts = {.now = NOON};
	struct recipient bob = {.address = "bob"};
	struct outcome outcome =
	    decide(&policy, &facts, &bob, STAGE_DATA, NULL);

	ck_assert_msg(outcome.verdict == row->verdict &&
		index_of(&policy, outcome.rule) == row->rule &&
		index_of(&policy, outcome.observed) == row->observed - 1,
	    "%s: verdict %d of rule %d, observed %d", row->when,
	    (int)outcome.verdict, index_of(&policy, outcome.rule),
	    index_of(&policy, outcome.observed));
}

START_TEST(the_algebra)
{
	judge(&algebra_rows[_i]);
}
END_TEST

START_TEST(rules_on_trial)
{
	judge(&observe_rows[_i]);
}
END_TEST

static const struct {
	const char *when;
	struct rule rule;
	enum stage stage;
	bool null_sender;
	enum verdict verdict;
} stage_rows[] = {
    {"a client rule speaks at MAIL", {DEFER, IF(SAYS(YES))}, STAGE_MAIL, false,
	VERDICT_DEFER},
    {"at = data makes it wait at MAIL", {DEFER, .at = STAGE_DATA}, STAGE_MAIL,
	false, VERDICT_WAIT},
    {"and at RCPT", {DEFER, .at = STAGE_DATA}, STAGE_RCPT, false, VERDICT_WAIT},
    {"until DATA", {DEFER, .at = STAGE_DATA}, STAGE_DATA, false, VERDICT_DEFER},
    {"it is late at the end as well", {DEFER, .at = STAGE_DATA}, STAGE_EOM,
	false, VERDICT_DEFER},
    {"a rule that waits by itself asks nothing",
	{DEFER, .at = STAGE_DATA, IF(SAYS(ASK))}, STAGE_RCPT, false,
	VERDICT_WAIT},
    {"a no needs no waiting", {DEFER, .at = STAGE_EOM, IF(SAYS(NO))},
	STAGE_MAIL, false, VERDICT_ACCEPT},
    {"nor does what is unknown", {DEFER, .at = STAGE_DATA, IF(SAYS(UNKNOWN))},
	STAGE_MAIL, false, VERDICT_ACCEPT},
    {"an accept rule waits too", {ACCEPT, .at = STAGE_DATA}, STAGE_RCPT, false,
	VERDICT_WAIT},
    {"what is asked for at DATA is not asked for at RCPT",
	{DEFER, IF(AT_DATA_SAYS(ASK))}, STAGE_RCPT, false, VERDICT_WAIT},
    {"but then", {DEFER, IF(AT_DATA_SAYS(ASK))}, STAGE_DATA, false,
	VERDICT_ASK},
    {"a null sender is not deferred at MAIL", {DEFER}, STAGE_MAIL, true,
	VERDICT_WAIT},
    {"nor at RCPT, so that callouts work", {DEFER}, STAGE_RCPT, true,
	VERDICT_WAIT},
    {"but at DATA", {DEFER}, STAGE_DATA, true, VERDICT_DEFER},
    {"it is not greylisted at RCPT either", {GREYLIST(BY_TRIPLET)}, STAGE_RCPT,
	true, VERDICT_WAIT},
    {"yet accepted at once", {ACCEPT}, STAGE_MAIL, true, VERDICT_ACCEPT},
};

START_TEST(stages)
{
	struct policy policy = policy_of(&stage_rows[_i].rule, 1, 0);
	struct facts facts = {
	    .now = NOON, .null_sender = stage_rows[_i].null_sender};
	struct recipient bob = {.address = "bob"};
	struct outcome outcome = decide(&policy, &facts,
	    stage_rows[_i].stage == STAGE_MAIL ? NULL : &bob,
	    stage_rows[_i].stage, NULL);

	ck_assert_msg(outcome.verdict == stage_rows[_i].verdict, "%s: got %d",
	    stage_rows[_i].when, (int)outcome.verdict);
}
END_TEST

enum whom { PAIR, CLIENT, NOBODY };

static const struct {
	const char *when;
	bool by_client, observe;
	enum certainty certainty;
	enum clock_space space;
	enum whom whose; /* clock it is */
	struct greylist_clock clock;
	enum verdict verdict;
	int64_t wait;
	bool passed;
} greylist_rows[] = {
    {"a first attempt waits the whole delay", false, false, FACT_KNOWN,
	CLOCK_REAL, NOBODY, {0, 0}, VERDICT_DEFER, 300, false},
    {"an early one waits what is left", false, false, FACT_KNOWN, CLOCK_REAL,
	PAIR, {NOON - 299, 0}, VERDICT_DEFER, 1, false},
    {"one that is on time no longer meets the rule", false, false, FACT_KNOWN,
	CLOCK_REAL, PAIR, {NOON - 300, 0}, VERDICT_ACCEPT, 0, true},
    {"nor does one that passed before", false, false, FACT_KNOWN, CLOCK_REAL,
	PAIR, {0, NOON - HOUR}, VERDICT_ACCEPT, 0, true},
    {"the client's clock is nothing to a pair", false, false, FACT_KNOWN,
	CLOCK_REAL, CLIENT, {0, NOON - HOUR}, VERDICT_DEFER, 300, false},
    {"a client goes by its own clock", true, false, FACT_KNOWN, CLOCK_REAL,
	CLIENT, {NOON - 300, 0}, VERDICT_ACCEPT, 0, true},
    {"and not by that of a pair", true, false, FACT_KNOWN, CLOCK_REAL, PAIR,
	{0, NOON - HOUR}, VERDICT_DEFER, 300, false},
    {"a clock to be asked for is asked for", false, false, FACT_ASK, CLOCK_REAL,
	NOBODY, {0, 0}, VERDICT_ASK, 0, false},
    {"the client's as well", true, false, FACT_ASK, CLOCK_REAL, NOBODY, {0, 0},
	VERDICT_ASK, 0, false},
    {"without the store nobody is greylisted", false, false, FACT_UNKNOWN,
	CLOCK_REAL, NOBODY, {0, 0}, VERDICT_ACCEPT, 0, false},
    {"the clock of a rule on trial does not pass anybody", false, false,
	FACT_KNOWN, CLOCK_OBSERVED, PAIR, {0, NOON - HOUR}, VERDICT_DEFER, 300,
	false},
    {"a rule on trial goes by its own clock", false, true, FACT_KNOWN,
	CLOCK_OBSERVED, PAIR, {NOON - 300, 0}, VERDICT_ACCEPT, 0, true},
    {"and not by the real one", false, true, FACT_KNOWN, CLOCK_REAL, PAIR,
	{NOON - 300, 0}, VERDICT_ACCEPT, 300, false},
};

START_TEST(greylisting)
{
	const struct rule rules[] = {
	    {GREYLIST(greylist_rows[_i].by_client ? BY_CLIENT : BY_TRIPLET),
		.observe = greylist_rows[_i].observe}};
	enum clock_space space = greylist_rows[_i].space;
	struct policy policy = policy_of(rules, 1, 0);
	struct facts facts = {
	    .now = NOON, .clock_certainty = greylist_rows[_i].certainty};
	struct recipient bob = {
	    .address = "bob", .clock_certainty = greylist_rows[_i].certainty};
	struct outcome outcome;
	int64_t wait;
	bool passed;

	if (greylist_rows[_i].whose == PAIR)
		bob.clock[space] = greylist_rows[_i].clock;
	if (greylist_rows[_i].whose == CLIENT)
		facts.client_clock[space] = greylist_rows[_i].clock;
	outcome = decide(&policy, &facts, &bob, STAGE_RCPT, NULL);
	wait = rules[0].observe ? outcome.observed_wait : outcome.wait;
	passed = greylist_rows[_i].by_client ? outcome.client_passed[space]
					     : outcome.triplet_passed[space];
	ck_assert_msg(outcome.verdict == greylist_rows[_i].verdict &&
		wait == greylist_rows[_i].wait &&
		passed == greylist_rows[_i].passed,
	    "%s: verdict %d, wait %lld", greylist_rows[_i].when,
	    (int)outcome.verdict, (long long)wait);
}
END_TEST

START_TEST(a_pair_is_greylisted_when_there_is_one)
{
	const struct rule rules[] = {{GREYLIST(BY_TRIPLET)}};
	struct policy policy = policy_of(rules, 1, 0);
	struct facts facts = {.now = NOON};

	ck_assert_int_eq(
	    decide(&policy, &facts, NULL, STAGE_MAIL, NULL).verdict,
	    VERDICT_WAIT);
}
END_TEST

static const struct {
	const char *when;
	struct rule rule;
	int64_t cap;
	enum certainty certainty;
	struct greylist_clock real, deferred;
	enum verdict verdict;
	bool supposed;
} cap_rows[] = {
    {"a pair that was put off for as long as is allowed passes", {DEFER}, CAP,
	FACT_KNOWN, {NOON - CAP, 0}, {0, 0}, VERDICT_ACCEPT, false},
    {"not one second earlier", {DEFER}, CAP, FACT_KNOWN, {NOON - CAP + 1, 0},
	{0, 0}, VERDICT_DEFER, false},
    {"a first attempt does not", {DEFER}, CAP, FACT_KNOWN, {0, 0}, {0, 0},
	VERDICT_DEFER, false},
    {"a forgotten one is a first attempt", {DEFER}, CAP, FACT_KNOWN,
	{NOON - 25 * HOUR - 1, 0}, {0, 0}, VERDICT_DEFER, false},
    {"an uncapped rule goes on", {DEFER, .uncapped = true}, CAP, FACT_KNOWN,
	{NOON - CAP, 0}, {0, 0}, VERDICT_DEFER, false},
    {"so does every rule without a cap", {DEFER}, 0, FACT_KNOWN,
	{NOON - CAP, 0}, {0, 0}, VERDICT_DEFER, false},
    {"a long greylist delay is capped too",
	{.verdict = RULE_GREYLIST, .terms = {8 * HOUR, 25 * HOUR, 25 * HOUR}},
	CAP, FACT_KNOWN, {NOON - CAP, 0}, {0, 0}, VERDICT_ACCEPT, false},
    {"a pair that passed once starts afresh", {DEFER}, CAP, FACT_KNOWN,
	{0, NOON - 9 * HOUR}, {0, 0}, VERDICT_DEFER, false},
    {"and passes when it was put off long enough since", {DEFER}, CAP,
	FACT_KNOWN, {0, NOON - 9 * HOUR}, {NOON - CAP, 0}, VERDICT_ACCEPT,
	false},
    {"the clock of a passed pair is nothing to a new one", {DEFER}, CAP,
	FACT_KNOWN, {NOON - 300, 0}, {NOON - CAP, 0}, VERDICT_DEFER, false},
    {"the cap asks for the clock", {DEFER}, CAP, FACT_ASK, {0, 0}, {0, 0},
	VERDICT_ASK, false},
    {"an uncapped rule need not", {DEFER, .uncapped = true}, CAP, FACT_ASK,
	{0, 0}, {0, 0}, VERDICT_DEFER, false},
    {"without the store the rule has its way", {DEFER}, CAP, FACT_UNKNOWN,
	{0, 0}, {0, 0}, VERDICT_DEFER, false},
    {"a wait that is only supposed defeats no other rule", {DEFER}, CAP,
	FACT_KNOWN, {NOON - CAP, 0}, {0, 0}, VERDICT_DEFER, true},
    {"but the longest greylist delay",
	{.verdict = RULE_GREYLIST, .terms = {8 * HOUR, 25 * HOUR, 25 * HOUR}},
	CAP, FACT_KNOWN, {NOON - CAP, 0}, {0, 0}, VERDICT_ACCEPT, true},
};

START_TEST(the_delay_cap)
{
	struct policy policy =
	    policy_of(&cap_rows[_i].rule, 1, cap_rows[_i].cap);
	struct facts facts = {.now = NOON};
	struct recipient bob = {.address = "bob",
	    .clock_certainty = cap_rows[_i].certainty,
	    .is_supposed = cap_rows[_i].supposed,
	    .clock = {[CLOCK_REAL] = cap_rows[_i].real,
		[CLOCK_DEFERRED] = cap_rows[_i].deferred}};
	struct outcome outcome =
	    decide(&policy, &facts, &bob, STAGE_DATA, NULL);

	ck_assert_msg(outcome.verdict == cap_rows[_i].verdict &&
		outcome.capped == (outcome.verdict == VERDICT_ACCEPT),
	    "%s: got %d", cap_rows[_i].when, (int)outcome.verdict);
}
END_TEST

/* Three rules for ann, bob and eve. */
static const struct {
	const char *when;
	struct rule ann, bob, eve;
	enum verdict verdict;
	int rule;
	bool each;   /* recipients are not to be carried */
	bool unseen; /* there are recipients that were not looked at */
} whole_rows[] = {
    {"any that may pass carries the others", {DEFER}, {ACCEPT}, {DEFER},
	VERDICT_ACCEPT, 1, false, false},
    {"even while others wait", {DEFER, IF(SAYS(LATER))}, {ACCEPT}, {DEFER},
	VERDICT_ACCEPT, 1, false, false},
    {"what can be asked is asked first", {ACCEPT}, {DEFER},
	{DEFER, IF(SAYS(ASK))}, VERDICT_ASK, NO_RULE, false, false},
    {"nobody is deferred while one waits", {DEFER}, {DEFER},
	{DEFER, IF(SAYS(LATER))}, VERDICT_WAIT, NO_RULE, false, false},
    {"the shortest wait speaks", {DEFER, .wait = 60}, {DEFER, .wait = 30},
	{DEFER, .wait = 90}, VERDICT_DEFER, 1, false, false},
    {"of equal waits the first", {DEFER, .wait = 60}, {DEFER, .wait = 60},
	{DEFER, .wait = 60}, VERDICT_DEFER, 0, false, false},
    {"nobody is carried who is not to be", {DEFER}, {ACCEPT}, {ACCEPT},
	VERDICT_DEFER, 0, true, false},
    {"nor those who were not looked at", {DEFER}, {ACCEPT}, {ACCEPT},
	VERDICT_DEFER, 0, false, true},
    {"they pass when each may", {ACCEPT}, {ACCEPT}, {ACCEPT}, VERDICT_ACCEPT, 0,
	true, false},
    {"likewise, with more of them", {ACCEPT}, {ACCEPT}, {ACCEPT},
	VERDICT_ACCEPT, 0, false, true},
    {"then the longest wait speaks", {DEFER, .wait = 60}, {DEFER, .wait = 30},
	{DEFER, .wait = 90}, VERDICT_DEFER, 2, true, false},
    {"and one that is deferred need not wait for others", {DEFER},
	{DEFER, IF(SAYS(LATER))}, {ACCEPT}, VERDICT_DEFER, 0, true, false},
};

/* The same rule for one recipient alone. */
static struct rule
rule_for(const struct rule *rule, struct condition *conditions, char *address)
{
	struct condition only = FOR(address);
	struct rule made = *rule;

	if (rule->condition_count > 0)
		conditions[1] = rule->conditions[0];
	conditions[0] = only;
	made.conditions = conditions;
	made.condition_count = 1 + rule->condition_count;
	return made;
}

START_TEST(whole_messages)
{
	char ann[] = "ann", bob[] = "bob", eve[] = "eve";
	struct condition conditions[3][2];
	struct rule rules[] = {
	    rule_for(&whole_rows[_i].ann, conditions[0], ann),
	    rule_for(&whole_rows[_i].bob, conditions[1], bob),
	    rule_for(&whole_rows[_i].eve, conditions[2], eve)};
	struct policy policy = policy_of(rules, 3, 0);
	struct recipient recipients[] = {
	    {.address = ann}, {.address = bob}, {.address = eve}};
	struct facts facts = {.now = NOON,
	    .recipients = recipients,
	    .recipient_count = 3,
	    .recipients_seen = whole_rows[_i].unseen ? 4 : 3};
	struct outcome outcome;

	policy.settings.carry_recipients = !whole_rows[_i].each;
	outcome = decide_message(&policy, &facts, STAGE_DATA);

	ck_assert_msg(outcome.verdict == whole_rows[_i].verdict &&
		index_of(&policy, outcome.rule) == whole_rows[_i].rule,
	    "%s: verdict %d of rule %d", whole_rows[_i].when,
	    (int)outcome.verdict, index_of(&policy, outcome.rule));
}
END_TEST

START_TEST(whoever_waited_passes_the_message_whoever_carries_it)
{
	char bob[] = "bob";
	struct condition for_bob[] = {FOR(bob)};
	const struct rule rules[] = {
	    {ACCEPT, .conditions = for_bob, .condition_count = 1},
	    {GREYLIST(BY_TRIPLET)}};
	struct policy policy = policy_of(rules, 2, 0);
	struct recipient recipients[] = {
	    {.address = bob, .clock_certainty = FACT_KNOWN},
	    {.address = "ann",
		.clock_certainty = FACT_KNOWN,
		.clock = {[CLOCK_REAL] = {NOON - 300, 0}}}};
	struct facts facts = {
	    .now = NOON, .recipients = recipients, .recipient_count = 2};
	struct outcome outcome = decide_message(&policy, &facts, STAGE_DATA);

	ck_assert_int_eq(outcome.verdict, VERDICT_ACCEPT);
	ck_assert(outcome.triplet_passed[CLOCK_REAL]);
}
END_TEST

START_TEST(a_rule_on_trial_would_have_to_stop_every_recipient)
{
	char ann[] = "ann";
	struct condition for_ann[] = {FOR(ann)};
	const struct rule rules[] = {{DEFER, .observe = true,
	    .conditions = for_ann, .condition_count = 1}};
	struct policy policy = policy_of(rules, 1, 0);
	struct recipient recipients[] = {{.address = ann}, {.address = "bob"}};
	struct facts facts = {
	    .now = NOON, .recipients = recipients, .recipient_count = 2};

	ck_assert_ptr_eq(
	    decide_message(&policy, &facts, STAGE_DATA).observed, NULL);
	facts.recipient_count = 1;
	ck_assert_ptr_eq(
	    decide_message(&policy, &facts, STAGE_DATA).observed, &rules[0]);
}
END_TEST

START_TEST(a_message_without_recipients_is_judged_as_at_mail)
{
	const struct rule rules[] = {{GREYLIST(BY_TRIPLET)}};
	struct policy policy = policy_of(rules, 1, 0);
	struct facts facts = {.now = NOON};

	ck_assert_int_eq(
	    decide_message(&policy, &facts, STAGE_MAIL).verdict, VERDICT_WAIT);
}
END_TEST

static const struct {
	const char *when;
	unsigned dice;
	int64_t wait;
} dice_rows[] = {
    {"the least is the wait itself", 0, 600},
    {"then it is spread", 5000, 750},
    {"over half as much again", 9999, 899},
};

START_TEST(deferred_clients_are_spread)
{
	const struct rule rules[] = {{DEFER, .wait = 600}};
	struct policy policy = policy_of(rules, 1, 0);
	struct facts facts = {.now = NOON, .dice = dice_rows[_i].dice};
	struct outcome outcome =
	    decide(&policy, &facts, NULL, STAGE_MAIL, NULL);

	ck_assert_msg(outcome.wait == dice_rows[_i].wait, "%s: got %lld",
	    dice_rows[_i].when, (long long)outcome.wait);
}
END_TEST

START_TEST(a_full_limit_says_how_long)
{
	bool negated;
	struct condition conditions[] = {
	    {.type = condition_type_find("messages_above", &negated),
		.above = 5,
		.period = HOUR}};
	const struct rule rules[] = {{DEFER, .wait = 600,
	    .conditions = conditions, .condition_count = 1}};
	struct policy policy = policy_of(rules, 1, 0);
	struct limit_count full = {FACT_KNOWN, {1, {0, 1, 5}}, {0}};
	struct facts facts = {.now = NOON, .limits = &full, .dice = 9999};

	ck_assert_int_eq(
	    decide(&policy, &facts, NULL, STAGE_MAIL, NULL).wait, HOUR);
}
END_TEST

START_TEST(the_trace_tells_what_settled_each_rule)
{
	const struct rule rules[] = {{DEFER, IF(SAYS(YES), SAYS(NO))},
	    {DEFER, .at = STAGE_EOM, .observe = true, IF(SAYS(YES))}, {ACCEPT},
	    {DEFER}};
	struct policy policy = policy_of(rules, 4, 0);
	struct facts facts = {.now = NOON};
	struct trace trace;

	(void)decide(&policy, &facts, NULL, STAGE_DATA, &trace);
	ck_assert_uint_eq(trace.step_count, 3);
	ck_assert_int_eq(trace.steps[0].answer, ANSWER_NO);
	ck_assert_ptr_eq(trace.steps[0].condition, &rules[0].conditions[1]);
	ck_assert_int_eq(trace.steps[1].answer, ANSWER_LATER);
	ck_assert_ptr_eq(trace.steps[1].condition, NULL);
	ck_assert_int_eq(trace.steps[2].answer, ANSWER_YES);
}
END_TEST

static const struct {
	const char *when;
	bool observe, by_client;
	enum verdict verdict;
} late_rows[] = {
    {"whose clock is not told in time waits as a stranger", false, false,
	VERDICT_DEFER},
    {"as a client, too", false, true, VERDICT_DEFER},
    {"but not by a rule on trial", true, false, VERDICT_ACCEPT},
};

START_TEST(late)
{
	const struct rule rules[] = {
	    {GREYLIST(late_rows[_i].by_client ? BY_CLIENT : BY_TRIPLET),
		.observe = late_rows[_i].observe}};
	struct policy policy = policy_of(rules, 1, 0);
	struct facts facts = {
	    .now = NOON, .store_late = true, .clock_certainty = FACT_UNKNOWN};
	const struct recipient bob = {
	    .address = "bob", .clock_certainty = FACT_UNKNOWN};
	struct outcome outcome = decide(&policy, &facts, &bob, STAGE_EOM, NULL);

	ck_assert_msg(outcome.verdict == late_rows[_i].verdict &&
		outcome.wait ==
		    (late_rows[_i].verdict == VERDICT_DEFER ? 300 : 0),
	    "%s: %d, wait %lld", late_rows[_i].when, (int)outcome.verdict,
	    (long long)outcome.wait);
	ck_assert_ptr_null(outcome.observed);
}
END_TEST

START_TEST(a_condition_of_the_message_is_judged_once)
{
	struct condition conditions[] = {
	    {.type = &telling_once, .place = 0, .number = ANSWER_NO},
	    {.type = &telling_once, .place = 1, .number = ANSWER_YES}};
	struct rule rules[] = {
	    {DEFER, .conditions = &conditions[0], .condition_count = 1},
	    {DEFER, .conditions = &conditions[1], .condition_count = 1}};
	struct policy policy = policy_of(rules, 2, 0);
	static struct recipient recipients[RECIPIENTS_MAX];
	unsigned char settled[SETTLED_MAX] = {0};
	struct facts facts = {.settled = settled,
	    .now = NOON,
	    .recipients = recipients,
	    .recipient_count = RECIPIENTS_MAX};

	times_asked = 0;
	for (size_t i = 0; i < RECIPIENTS_MAX; i++)
		(void)decide(&policy, &facts, &recipients[i], STAGE_RCPT, NULL);
	ck_assert_int_eq(
	    decide_message(&policy, &facts, STAGE_DATA).verdict, VERDICT_DEFER);
	ck_assert_uint_eq(times_asked, 2);
}
END_TEST

CHECK_MAIN("decide", tcase)
{
	tcase_add_test(tcase, a_condition_of_the_message_is_judged_once);
	tcase_add_loop_test(tcase, the_algebra, 0, COUNT(algebra_rows));
	tcase_add_loop_test(tcase, rules_on_trial, 0, COUNT(observe_rows));
	tcase_add_loop_test(tcase, stages, 0, COUNT(stage_rows));
	tcase_add_loop_test(tcase, greylisting, 0, COUNT(greylist_rows));
	tcase_add_test(tcase, a_pair_is_greylisted_when_there_is_one);
	tcase_add_loop_test(tcase, late, 0, COUNT(late_rows));
	tcase_add_loop_test(tcase, the_delay_cap, 0, COUNT(cap_rows));
	tcase_add_loop_test(tcase, whole_messages, 0, COUNT(whole_rows));
	tcase_add_test(
	    tcase, whoever_waited_passes_the_message_whoever_carries_it);
	tcase_add_test(
	    tcase, a_rule_on_trial_would_have_to_stop_every_recipient);
	tcase_add_test(
	    tcase, a_message_without_recipients_is_judged_as_at_mail);
	tcase_add_loop_test(
	    tcase, deferred_clients_are_spread, 0, COUNT(dice_rows));
	tcase_add_test(tcase, a_full_limit_says_how_long);
	tcase_add_test(tcase, the_trace_tells_what_settled_each_rule);
}
