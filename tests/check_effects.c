#include "policy/effects.h"

#include <stdlib.h>

#include "lib/check_main.h"

#define NOON INT64_C(1767268800) /* 2026-01-01 12:00 UTC */
#define HOUR INT64_C(3600)
#define DAY  INT64_C(86400)

#define STRANGER                                                               \
	{                                                                      \
		0, 0                                                           \
	}
#define PENDING(age)                                                           \
	{                                                                      \
		NOON - (age), 0                                                \
	}
#define PASSED(age)                                                            \
	{                                                                      \
		0, NOON - (age)                                                \
	}
#define FORGOTTEN                                                              \
	{                                                                      \
		NOON - 25 * HOUR - 1, 0                                        \
	}
#define FORGOTTEN_OLD                                                          \
	{                                                                      \
		0, NOON - 36 * DAY - 1                                         \
	}

static const struct rule deferring = {.verdict = RULE_GREYLIST};
static const struct rule accepting = {.verdict = RULE_ACCEPT};

/* All clocks are in use unless a test says otherwise. */
static struct policy
policy_of(bool in_use)
{
	struct policy policy = {.rule_count = 0};

	policy.settings.delay = 300;
	policy.longest_delay = 300;
	policy.settings.retry_window = 25 * HOUR;
	policy.settings.keep = 36 * DAY;
	for (int space = 0; space < CLOCK_SPACES; space++) {
		policy.clocks_used[space] = in_use;
		policy.client_clocks_used[space] = in_use;
	}
	return policy;
}

static const struct {
	const char *when;
	struct greylist_clock real, observed, deferred;
	enum clock_mark marks[CLOCK_SPACES];
	bool hammered;
} deferral_rows[] = {
    {"a first attempt starts the clocks", STRANGER, STRANGER, STRANGER,
	{MARK_FIRST, MARK_FIRST, MARK_NONE}, false},
    {"a retry never restarts them", PENDING(299), PENDING(299), STRANGER,
	{MARK_NONE, MARK_NONE, MARK_NONE}, false},
    {"nor does one that waited, if another rule deferred it", PENDING(HOUR),
	PENDING(HOUR), STRANGER, {MARK_NONE, MARK_NONE, MARK_NONE}, false},
    {"after the window they start again", FORGOTTEN, FORGOTTEN, STRANGER,
	{MARK_RESTART, MARK_RESTART, MARK_NONE}, false},
    {"each clock is on its own", PENDING(HOUR), STRANGER, STRANGER,
	{MARK_NONE, MARK_FIRST, MARK_NONE}, false},
    {"a pair that passed has a clock for being put off", PASSED(HOUR),
	PASSED(HOUR), STRANGER, {MARK_NONE, MARK_NONE, MARK_FIRST}, false},
    {"it runs on as well", PASSED(HOUR), PASSED(HOUR), PENDING(HOUR),
	{MARK_NONE, MARK_NONE, MARK_NONE}, false},
    {"and starts again after the window", PASSED(DAY), PASSED(DAY), FORGOTTEN,
	{MARK_NONE, MARK_NONE, MARK_RESTART}, false},
    {"a forgotten pass is a first attempt", FORGOTTEN_OLD, FORGOTTEN_OLD,
	STRANGER, {MARK_RESTART, MARK_RESTART, MARK_NONE}, false},
    {"those from the future start now", PENDING(-6 * HOUR), PENDING(-6 * HOUR),
	STRANGER, {MARK_RESTART, MARK_RESTART, MARK_NONE}, false},
    {"so does that of being put off", PASSED(HOUR), PASSED(HOUR),
	PENDING(-6 * HOUR), {MARK_NONE, MARK_NONE, MARK_RESTART}, false},
    {"a retry within a minute hammers", PENDING(59), PENDING(59), STRANGER,
	{MARK_NONE, MARK_NONE, MARK_NONE}, true},
    {"one after a minute does not", PENDING(60), PENDING(60), STRANGER,
	{MARK_NONE, MARK_NONE, MARK_NONE}, false},
};

START_TEST(a_deferral_starts_clocks)
{
	struct policy policy = policy_of(true);
	struct recipient bob = {.clock_certainty = FACT_KNOWN,
	    .clock = {deferral_rows[_i].real, deferral_rows[_i].observed,
		deferral_rows[_i].deferred}};
	struct facts facts = {.now = NOON,
	    .recipients = &bob,
	    .recipient_count = 1,
	    .clock_certainty = FACT_UNKNOWN};
	struct effects effects;

	effects_of_deferral(&policy, &facts, EFFECTS_ALL, &effects);
	for (int space = 0; space < CLOCK_SPACES; space++)
		ck_assert_msg(
		    effects.pairs[0][space] == deferral_rows[_i].marks[space],
		    "%s: clock %d: got %d", deferral_rows[_i].when, space,
		    (int)effects.pairs[0][space]);
	ck_assert_msg(effects.hammered == deferral_rows[_i].hammered, "%s",
	    deferral_rows[_i].when);
	ck_assert(effects.passes == 0 && !effects.worthy);
}
END_TEST

START_TEST(a_deferral_starts_the_clients_clocks)
{
	struct policy policy = policy_of(true);
	struct facts facts = {.now = NOON,
	    .clock_certainty = FACT_KNOWN,
	    .client_clock = {PENDING(59), STRANGER}};
	struct effects effects;

	effects_of_deferral(&policy, &facts, EFFECTS_ALL, &effects);
	ck_assert_int_eq(effects.client[CLOCK_REAL], MARK_NONE);
	ck_assert_int_eq(effects.client[CLOCK_OBSERVED], MARK_FIRST);
	ck_assert_int_eq(effects.client[CLOCK_DEFERRED], MARK_NONE);
	ck_assert(!effects.hammered);
}
END_TEST

START_TEST(clocks_that_no_rule_reads_are_not_kept)
{
	struct policy policy = policy_of(false);
	struct recipient bob = {.clock_certainty = FACT_KNOWN};
	struct facts facts = {.now = NOON,
	    .recipients = &bob,
	    .recipient_count = 1,
	    .clock_certainty = FACT_KNOWN};
	struct outcome outcome = {
	    .verdict = VERDICT_ACCEPT, .observed = &deferring};
	struct effects effects;

	effects_of_deferral(&policy, &facts, EFFECTS_ALL, &effects);
	for (int space = 0; space < CLOCK_SPACES; space++) {
		ck_assert_int_eq(effects.pairs[0][space], MARK_NONE);
		ck_assert_int_eq(effects.client[space], MARK_NONE);
	}
	effects_of_acceptance(&policy, &facts, &outcome, NOON, &effects);
	ck_assert_int_eq(effects.pairs[0][CLOCK_OBSERVED], MARK_NONE);
	ck_assert_int_eq(effects.client[CLOCK_OBSERVED], MARK_NONE);
}
END_TEST

START_TEST(a_recipient_deferred_at_rcpt_is_alone)
{
	struct policy policy = policy_of(true);
	struct recipient recipients[] = {
	    {.clock_certainty = FACT_KNOWN}, {.clock_certainty = FACT_KNOWN}};
	struct facts facts = {
	    .now = NOON, .recipients = recipients, .recipient_count = 2};
	struct effects effects;

	effects_of_deferral(&policy, &facts, 1, &effects);
	ck_assert_int_eq(effects.pairs[0][CLOCK_REAL], MARK_NONE);
	ck_assert_int_eq(effects.pairs[1][CLOCK_REAL], MARK_FIRST);
}
END_TEST

START_TEST(a_late_store_is_not_burdened)
{
	struct policy policy = policy_of(true);
	struct recipient recipients[] = {{.clock_certainty = FACT_UNKNOWN},
	    {.clock_certainty = FACT_UNKNOWN}, {.clock_certainty = FACT_KNOWN}};
	struct facts facts = {
	    .now = NOON, .recipients = recipients, .recipient_count = 3};
	struct effects effects;

	effects_of_deferral(&policy, &facts, EFFECTS_ALL, &effects);
	ck_assert_int_eq(effects.pairs[0][CLOCK_REAL], MARK_FIRST);
	ck_assert_int_eq(effects.pairs[1][CLOCK_REAL], MARK_NONE);
	ck_assert_int_eq(effects.pairs[2][CLOCK_REAL], MARK_FIRST);
}
END_TEST

static const struct {
	const char *when;
	enum certainty certainty;
	enum clock_mark mark;
} certainty_rows[] = {
    {"a clock that nobody asked for is started unless it is there", FACT_ASK,
	MARK_FIRST},
    {"so is one that was not told in time, or no retry would ever count",
	FACT_UNKNOWN, MARK_FIRST},
};

START_TEST(unread_clocks)
{
	struct policy policy = policy_of(true);
	struct recipient bob = {
	    .clock_certainty = certainty_rows[_i].certainty};
	struct facts facts = {.now = NOON,
	    .recipients = &bob,
	    .recipient_count = 1,
	    .clock_certainty = certainty_rows[_i].certainty};
	struct effects effects;

	effects_of_deferral(&policy, &facts, EFFECTS_ALL, &effects);
	ck_assert_msg(effects.pairs[0][CLOCK_REAL] == certainty_rows[_i].mark &&
		effects.client[CLOCK_REAL] == certainty_rows[_i].mark,
	    "%s", certainty_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	enum certainty certainty;
	struct greylist_clock real, observed, deferred;
	bool carried;
	enum clock_mark marks[CLOCK_SPACES];
	int64_t passes;
	bool worthy;
} acceptance_rows[] = {
    {"a pair that waited has passed", FACT_KNOWN, PENDING(300), PENDING(300),
	STRANGER, false, {MARK_PASSED, MARK_NONE, MARK_NONE}, 1, true},
    {"one that was let through early has not, and waits no more", FACT_KNOWN,
	PENDING(299), PENDING(299), STRANGER, false,
	{MARK_FORGET, MARK_NONE, MARK_NONE}, 0, false},
    {"unless another of the message waited", FACT_KNOWN, PENDING(299),
	PENDING(299), STRANGER, true, {MARK_PASSED, MARK_PASSED, MARK_NONE}, 1,
	true},
    {"a new pair is carried too, but is no pass to be proud of", FACT_KNOWN,
	STRANGER, PENDING(1), STRANGER, true,
	{MARK_PASSED, MARK_PASSED, MARK_NONE}, 0, true},
    {"a new pair of an exempt message leaves no trace", FACT_KNOWN, STRANGER,
	PENDING(1), STRANGER, false, {MARK_NONE, MARK_NONE, MARK_NONE}, 0,
	false},
    {"a pass is not renewed within a day", FACT_KNOWN, PASSED(DAY), PASSED(DAY),
	STRANGER, true, {MARK_NONE, MARK_NONE, MARK_NONE}, 0, false},
    {"but then", FACT_KNOWN, PASSED(DAY + 1), PASSED(DAY + 1), STRANGER, true,
	{MARK_PASSED, MARK_PASSED, MARK_NONE}, 0, true},
    {"one from the future is noted as of now", FACT_KNOWN, PASSED(-HOUR),
	PASSED(-HOUR), STRANGER, true, {MARK_PASSED, MARK_PASSED, MARK_NONE}, 0,
	true},
    {"a forgotten pass is not renewed", FACT_KNOWN, FORGOTTEN_OLD, PASSED(1),
	STRANGER, false, {MARK_NONE, MARK_NONE, MARK_NONE}, 0, false},
    {"a forgotten attempt does not count as a wait", FACT_KNOWN, FORGOTTEN,
	PASSED(1), STRANGER, false, {MARK_FORGET, MARK_NONE, MARK_NONE}, 0,
	false},
    {"who gets through is no longer put off", FACT_KNOWN, PASSED(HOUR),
	PASSED(HOUR), PENDING(60), false, {MARK_NONE, MARK_NONE, MARK_FORGET},
	0, false},
    {"what nobody asked for is left alone", FACT_ASK, STRANGER, STRANGER,
	STRANGER, true, {MARK_NONE, MARK_NONE, MARK_NONE}, 0, false},
    {"and so is what nobody could tell", FACT_UNKNOWN, STRANGER, STRANGER,
	STRANGER, true, {MARK_NONE, MARK_NONE, MARK_NONE}, 0, false},
};

START_TEST(an_acceptance_passes_pairs)
{
	struct policy policy = policy_of(true);
	struct recipient bob = {
	    .clock_certainty = acceptance_rows[_i].certainty,
	    .clock = {acceptance_rows[_i].real, acceptance_rows[_i].observed,
		acceptance_rows[_i].deferred}};
	struct facts facts = {.now = NOON,
	    .recipients = &bob,
	    .recipient_count = 1,
	    .clock_certainty = FACT_UNKNOWN};
	struct outcome outcome = {.verdict = VERDICT_ACCEPT,
	    .triplet_passed = {
		acceptance_rows[_i].carried, acceptance_rows[_i].carried}};
	struct effects effects;

	effects_of_acceptance(&policy, &facts, &outcome, NOON, &effects);
	for (int space = 0; space < CLOCK_SPACES; space++)
		ck_assert_msg(
		    effects.pairs[0][space] == acceptance_rows[_i].marks[space],
		    "%s: clock %d: got %d", acceptance_rows[_i].when, space,
		    (int)effects.pairs[0][space]);
	ck_assert_msg(effects.passes == acceptance_rows[_i].passes &&
		effects.worthy == acceptance_rows[_i].worthy,
	    "%s: passes %lld, worthy %d", acceptance_rows[_i].when,
	    (long long)effects.passes, effects.worthy);
}
END_TEST

static const struct {
	const char *when;
	const struct rule *observed;
	bool passed;
	struct greylist_clock clock;
	enum clock_mark mark;
} trial_rows[] = {
    {"a rule on trial starts its clock though nothing was deferred", &deferring,
	false, STRANGER, MARK_FIRST},
    {"again after the window", &deferring, false, FORGOTTEN, MARK_RESTART},
    {"and does not restart it before", &deferring, false, PENDING(299),
	MARK_NONE},
    {"nor lets it go before it says so itself", &deferring, false,
	PENDING(HOUR), MARK_NONE},
    {"but then", NULL, true, PENDING(HOUR), MARK_PASSED},
    {"a pass of its own is not renewed within a day", NULL, true, PASSED(DAY),
	MARK_NONE},
    {"what it does not concern starts nothing", NULL, false, STRANGER,
	MARK_NONE},
    {"nor does what it would have accepted", &accepting, false, STRANGER,
	MARK_NONE},
};

START_TEST(a_trial_goes_by_its_own_clock)
{
	struct policy policy = policy_of(true);
	struct recipient bob = {.clock_certainty = FACT_KNOWN,
	    .clock = {[CLOCK_OBSERVED] = trial_rows[_i].clock}};
	struct facts facts = {.now = NOON,
	    .recipients = &bob,
	    .recipient_count = 1,
	    .clock_certainty = FACT_KNOWN,
	    .client_clock = {[CLOCK_OBSERVED] = trial_rows[_i].clock}};
	struct outcome outcome = {.verdict = VERDICT_ACCEPT,
	    .observed = trial_rows[_i].observed,
	    .triplet_passed = {[CLOCK_OBSERVED] = trial_rows[_i].passed},
	    .client_passed = {[CLOCK_OBSERVED] = trial_rows[_i].passed}};
	struct effects effects;

	effects_of_acceptance(&policy, &facts, &outcome, NOON, &effects);
	ck_assert_msg(effects.pairs[0][CLOCK_OBSERVED] == trial_rows[_i].mark &&
		effects.client[CLOCK_OBSERVED] == trial_rows[_i].mark,
	    "%s: got %d", trial_rows[_i].when,
	    (int)effects.pairs[0][CLOCK_OBSERVED]);
	ck_assert_int_eq(effects.pairs[0][CLOCK_REAL], MARK_NONE);
	ck_assert_int_eq(effects.passes, 0);
	ck_assert(effects.worthy == (trial_rows[_i].mark == MARK_PASSED));
}
END_TEST

static const struct {
	const char *when;
	bool passed;
	struct greylist_clock clock;
	enum clock_mark mark;
} client_rows[] = {
    {"a client that waited has passed", true, PENDING(300), MARK_PASSED},
    {"one that was let through has not", false, PENDING(300), MARK_NONE},
    {"its pass is not renewed within a day", true, PASSED(DAY), MARK_NONE},
    {"but then", true, PASSED(DAY + 1), MARK_PASSED},
};

START_TEST(an_acceptance_passes_the_client)
{
	struct policy policy = policy_of(true);
	struct facts facts = {.now = NOON,
	    .clock_certainty = FACT_KNOWN,
	    .client_clock = {client_rows[_i].clock, PASSED(1)}};
	struct outcome outcome = {.verdict = VERDICT_ACCEPT,
	    .client_passed = {client_rows[_i].passed}};
	struct effects effects;

	effects_of_acceptance(&policy, &facts, &outcome, NOON, &effects);
	ck_assert_msg(effects.client[CLOCK_REAL] == client_rows[_i].mark,
	    "%s: got %d", client_rows[_i].when,
	    (int)effects.client[CLOCK_REAL]);
}
END_TEST

static const struct {
	const char *when;
	bool known;
	int64_t last_used;
	bool worthy;
} worth_rows[] = {
    {"a known client's record is renewed once a day", true, NOON - DAY - 1,
	true},
    {"and no more often", true, NOON - DAY, false},
    {"but at once if that lies in the future", true, NOON + DAY, true},
    {"a stranger's is not", false, 0, false},
};

START_TEST(records_are_renewed_on_use)
{
	struct policy policy = policy_of(true);
	struct facts facts = {.now = NOON,
	    .clock_certainty = FACT_KNOWN,
	    .known = worth_rows[_i].known};
	struct outcome outcome = {.verdict = VERDICT_ACCEPT};
	struct effects effects;

	effects_of_acceptance(
	    &policy, &facts, &outcome, worth_rows[_i].last_used, &effects);
	ck_assert_msg(
	    effects.worthy == worth_rows[_i].worthy, "%s", worth_rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	struct greylist_clock real;
	enum clock_mark mark;
	int64_t passes;
	bool is_evident;
} evidence_rows[] = {
    {"a new pair need not come back", STRANGER, MARK_PASSED, 0, true},
    {"nor need one that came back too early", PENDING(10), MARK_PASSED, 0,
	true},
    {"one that waited has passed by that", PENDING(300), MARK_PASSED, 1, false},
    {"what has passed stays as it is", PASSED(HOUR), MARK_NONE, 0, false},
    {"what is forgotten is new", FORGOTTEN_OLD, MARK_PASSED, 0, true},
};

START_TEST(evidence_stands_for_a_wait)
{
	static const struct rule evident = {
	    .verdict = RULE_ACCEPT, .of_evidence = true};
	struct policy policy = policy_of(true);
	struct recipient bob = {
	    .clock_certainty = FACT_KNOWN, .clock = {evidence_rows[_i].real}};
	struct facts facts = {.now = NOON,
	    .recipients = &bob,
	    .recipient_count = 1,
	    .clock_certainty = FACT_KNOWN};
	struct outcome outcome = {.verdict = VERDICT_ACCEPT, .rule = &evident};
	struct effects effects;

	effects_of_acceptance(&policy, &facts, &outcome, NOON, &effects);
	ck_assert_msg(effects.pairs[0][CLOCK_REAL] == evidence_rows[_i].mark &&
		effects.passes == evidence_rows[_i].passes &&
		effects.is_evident == evidence_rows[_i].is_evident,
	    "%s: mark %d, passes %lld", evidence_rows[_i].when,
	    (int)effects.pairs[0][CLOCK_REAL], (long long)effects.passes);
}
END_TEST

CHECK_MAIN("effects", tcase)
{
	tcase_add_loop_test(
	    tcase, evidence_stands_for_a_wait, 0, COUNT(evidence_rows));
	tcase_add_loop_test(
	    tcase, a_deferral_starts_clocks, 0, COUNT(deferral_rows));
	tcase_add_test(tcase, a_deferral_starts_the_clients_clocks);
	tcase_add_test(tcase, clocks_that_no_rule_reads_are_not_kept);
	tcase_add_test(tcase, a_recipient_deferred_at_rcpt_is_alone);
	tcase_add_test(tcase, a_late_store_is_not_burdened);
	tcase_add_loop_test(tcase, unread_clocks, 0, COUNT(certainty_rows));
	tcase_add_loop_test(
	    tcase, an_acceptance_passes_pairs, 0, COUNT(acceptance_rows));
	tcase_add_loop_test(
	    tcase, a_trial_goes_by_its_own_clock, 0, COUNT(trial_rows));
	tcase_add_loop_test(
	    tcase, an_acceptance_passes_the_client, 0, COUNT(client_rows));
	tcase_add_loop_test(
	    tcase, records_are_renewed_on_use, 0, COUNT(worth_rows));
}
