#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/conf.h"
#include "lib/check_main.h"
#include "lib/shipped.h"

static void
no_errors(void *arg, bool error, const char *text)
{
	(void)arg;
	ck_assert_msg(!error, "%s", text);
}

/* Plans are made of rules, and those are best written as they are written. */
static struct policy *
plan(const char *text)
{
	char path[] = "/tmp/check_policy.XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct policy *policy;

	ck_assert_ptr_nonnull(file);
	ck_assert(fputs(text, file) >= 0);
	ck_assert_int_eq(fclose(file), 0);
	policy = conf_load(path, no_errors, NULL);
	unlink(path);
	ck_assert_ptr_nonnull(policy);
	return policy;
}

/* "m.d." for mail and data. */
static const char *
letters(unsigned mask)
{
	static char text[STAGE_COUNT + 1];

	for (int stage = 0; stage < STAGE_COUNT; stage++)
		text[stage] = (mask >> stage & 1U) != 0 ? "mrde"[stage] : '.';
	return text;
}

/* Nothing is learned, so that only the rules count. */
#define LEARN_NOTHING                                                          \
	"reputation { accepted = 0 spam = 0 ham = 0 refused_recipient = 0 "    \
	"unknown_command = 0 }\n"

#define OWN	  "rule \"own\" { client = \"::1\" verdict = accept }\n"
#define RECIPIENT "rule \"rcpt\" { recipient = \"a@*\" verdict = accept }\n"
#define DEFER	  "rule \"defer\" { client = \"::2\" verdict = defer }\n"
#define TRIPLET	  "rule \"triplet\" { verdict = greylist }\n"
#define AT_DATA	  "rule \"data\" { known = true at = data verdict = accept }\n"
#define HEADER	  "rule \"header\" { header = \"A: b\" verdict = defer }\n"
#define SIZE	  "rule \"size\" { size_above = 1M verdict = defer }\n"
#define ON_TRIAL                                                               \
	"rule \"trial\" { header = \"A: b\" verdict = defer "                  \
	"observe = true }\n"

/* --- where a rule can speak --- */

static const struct {
	const char *when;
	const char *text;
	const char *last_rule; /* the stages at which it can speak */
} rule_rows[] = {
    {"a client is known at mail", OWN, "m..."},
    {"a recipient at rcpt", RECIPIENT, ".r.."},
    {"a header at the end", HEADER, "...e"},
    {"a triplet has a recipient", TRIPLET, ".r.."},
    {"a client as such needs none",
	"rule \"a\" { verdict = greylist by = client }\n", "m..."},
    {"`at` makes it wait",
	"rule \"a\" { client = \"::1\" at = data verdict = accept }\n", "..d."},
    {"but not shorter",
	"rule \"a\" { header = \"A: b\" at = rcpt verdict = accept }\n",
	"...e"},
    {"below a rule that waits it may speak then", RECIPIENT DEFER, "mr.."},
    {"or then, or then", RECIPIENT AT_DATA HEADER DEFER, "mrde"},
    {"below one that speaks sooner it speaks in its time", OWN TRIPLET, ".r.."},
    {"what is on trial holds up nobody", ON_TRIAL DEFER, "m..."},
};

START_TEST(stages_of_rules)
{
	struct policy *policy = plan(rule_rows[_i].text);
	const struct rule *rule = &policy->rules[policy->rule_count - 1];

	ck_assert_msg(
	    strcmp(letters(rule->stage_mask), rule_rows[_i].last_rule) == 0,
	    "%s: %s", rule_rows[_i].when, letters(rule->stage_mask));
	policy_release(&policy);
}
END_TEST

/* --- where the filter has to be asked --- */

static const struct {
	const char *when;
	const char *text;
	const char *answers;
	enum stage last;
} policy_rows[] = {
    {"without rules all is accepted at mail", "", "m...", STAGE_MAIL},
    {"so it is by a rule", OWN, "m...", STAGE_MAIL},
    {"a deferral at mail also at data, as null senders wait until then", DEFER,
	"m.d.", STAGE_MAIL},
    {"accepting a recipient says nothing at rcpt", OWN RECIPIENT, "m...",
	STAGE_RCPT},
    {"deferring one does", TRIPLET, ".rd.", STAGE_RCPT},
    {"a policy that defers at data needs no answer before, for anybody",
	OWN RECIPIENT AT_DATA "rule \"z\" { verdict = greylist at = data }\n",
	"..d.", STAGE_DATA},
    {"one that defers at rcpt lets the exempt go at mail", OWN TRIPLET, "mrd.",
	STAGE_RCPT},
    {"a header is answered at the end", OWN HEADER, "m..e", STAGE_EOM},
    {"on trial nothing is answered, but seen to its end", ON_TRIAL, "...e",
	STAGE_EOM},
};

START_TEST(stages_of_policies)
{
	struct policy *policy = plan(policy_rows[_i].text);

	ck_assert_msg(
	    strcmp(letters(policy->stage_mask), policy_rows[_i].answers) == 0 &&
		policy->last_stage == policy_rows[_i].last,
	    "%s: %s", policy_rows[_i].when, letters(policy->stage_mask));
	policy_release(&policy);
}
END_TEST

/* --- what the mail server has to show --- */

/* "rhbuq": recipients, headers, body, unknown commands, refused recipients. */
static const char *
wants(const struct policy *policy)
{
	static char text[6];

	snprintf(text, sizeof text, "%c%c%c%c%c",
	    policy->wants_rcpt ? 'r' : '.', policy->wants_headers ? 'h' : '.',
	    policy->wants_body ? 'b' : '.', policy->wants_unknown ? 'u' : '.',
	    policy->wants_refused ? 'q' : '.');
	return text;
}

static const struct {
	const char *when;
	const char *text;
	const char *wants;
} want_rows[] = {
    {"what earns points is listened to", OWN, "r..uq"},
    {"marks of spam are in headers",
	"reputation { spam_headers = \"X-Spam: yes\" }\n" OWN, "rh.uq"},
    {"nothing else", LEARN_NOTHING OWN, "....."},
    {"a deferral wants to know whose", LEARN_NOTHING DEFER, "r...."},
    {"so does a recipient", LEARN_NOTHING RECIPIENT, "r...."},
    {"a header comes with the end", LEARN_NOTHING HEADER, "rh..."},
    {"a number in a header too",
	LEARN_NOTHING
	"rule \"a\" { header_above = \"A: 1\" verdict = accept }\n",
	".h..."},
    {"a size with headers and body", LEARN_NOTHING SIZE, "rhb.."},
    {"a rule on trial as a real one", LEARN_NOTHING ON_TRIAL, "rh..."},
    {"unknown commands",
	LEARN_NOTHING
	"rule \"a\" { unknown_commands_above = 1 verdict = accept }\n",
	"...u."},
    {"refused recipients",
	LEARN_NOTHING
	"rule \"a\" { refused_recipients_above = 1 verdict = accept }\n",
	"r...q"},
    {"and a limit of them",
	LEARN_NOTHING
	"rule \"a\" { refused_above = 1 within = 1h verdict = accept }\n",
	"r...q"},
    {"a limit of recipients",
	LEARN_NOTHING
	"rule \"a\" { recipients_above = 1 within = 1h verdict = accept }\n",
	"r...."},
    {"accepted messages that earn points are seen to their end",
	"reputation { spam = 0 ham = 0 refused_recipient = 0 "
	"unknown_command = 0 }\n",
	"....."},
};

START_TEST(what_is_wanted)
{
	struct policy *policy = plan(want_rows[_i].text);

	ck_assert_msg(strcmp(wants(policy), want_rows[_i].wants) == 0, "%s: %s",
	    want_rows[_i].when, wants(policy));
	policy_release(&policy);
}
END_TEST

/* --- clocks --- */

static const char *
clocks(const struct policy *policy)
{
	static char text[6];

	for (int space = 0; space < CLOCK_SPACES; space++)
		text[space] = policy->clocks_used[space] ? "rod"[space] : '.';
	for (int space = 0; space < 2; space++)
		text[3 + space] =
		    policy->client_clocks_used[space] ? "RO"[space] : '.';
	text[5] = '\0';
	return text;
}

#define UNCAPPED "delay_cap = 0\n"

static const struct {
	const char *when;
	const char *text;
	const char *clocks; /* pairs: real, observed, deferred; clients */
} clock_rows[] = {
    {"accepting needs no clock", OWN, "....."},
    {"a triplet has one", UNCAPPED TRIPLET, "r...."},
    {"and the delay cap another", TRIPLET, "r.d.."},
    {"it watches over other deferrals too", DEFER, "r.d.."},
    {"unless they are beyond it",
	"rule \"a\" { verdict = defer uncapped = true }\n", "....."},
    {"a client has one of its own",
	UNCAPPED "rule \"a\" { verdict = greylist by = client }\n", "...R."},
    {"on trial the clocks are others",
	"rule \"a\" { verdict = greylist observe = true }\n"
	"rule \"b\" { verdict = greylist by = client observe = true }\n",
	".o..O"},
    {"a retry is known by its clock",
	"rule \"a\" { retried = 5m verdict = accept }\n", "r...."},
};

START_TEST(clocks_in_use)
{
	struct policy *policy = plan(clock_rows[_i].text);

	ck_assert_msg(strcmp(clocks(policy), clock_rows[_i].clocks) == 0,
	    "%s: %s", clock_rows[_i].when, clocks(policy));
	policy_release(&policy);
}
END_TEST

START_TEST(points_come_from_the_settings)
{
	struct policy *policy = plan("reputation { spam = 7.5 }\n");

	ck_assert_double_eq(
	    policy->settings.reputation.weights.points[REPUTATION_SPAM], 7.5);
	for (int i = 0; i < REPUTATION_EVENT_COUNT; i++)
		if (i != REPUTATION_SPAM)
			ck_assert_double_eq(
			    policy->settings.reputation.weights.points[i],
			    shipped_weights.points[i]);
	policy_release(&policy);
}
END_TEST

CHECK_MAIN("policy", tcase)
{
	tcase_add_loop_test(tcase, stages_of_rules, 0, COUNT(rule_rows));
	tcase_add_loop_test(tcase, stages_of_policies, 0, COUNT(policy_rows));
	tcase_add_loop_test(tcase, what_is_wanted, 0, COUNT(want_rows));
	tcase_add_loop_test(tcase, clocks_in_use, 0, COUNT(clock_rows));
	tcase_add_test(tcase, points_come_from_the_settings);
}
