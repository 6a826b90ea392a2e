#include "ctl/rehearse/saw.h"

#include <string.h>

#include "lib/check_main.h"

static struct recipient recipient = {.address = "bob@local.test",
    .domain = "local.test",
    .clock_certainty = FACT_KNOWN,
    .clock[CLOCK_REAL] = {.first_seen = 1000}};
static struct limit_count limits[1] = {
    {.certainty = FACT_KNOWN, .counts.slots = {0, 3, 2}}};
static const struct list *lists[1];
static const bool crossed[1];
static struct dnsbl_sum dnsbls[1] = {{.least = 2, .most = 4}};
static struct header header = {"X-Score", "7"};

static struct facts
all_facts(void)
{
	return (struct facts){.now = 1090,
	    .client = {{192, 0, 2, 7}, 4},
	    .name_certainty = FACT_KNOWN,
	    .name = "mail.sender.example",
	    .country_certainty = FACT_KNOWN,
	    .country = "AT",
	    .asn_certainty = FACT_KNOWN,
	    .asn = "AS64500",
	    .helo_certainty = FACT_KNOWN,
	    .helo = "mail.sender.example",
	    .user = "",
	    .daemon_name = "smtpd",
	    .sender = "alice@sender.example",
	    .sender_domain = "sender.example",
	    .recipients = &recipient,
	    .recipient_count = 1,
	    .recipients_seen = 1,
	    .headers = &header,
	    .header_count = 1,
	    .complete = true,
	    .record_certainty = FACT_KNOWN,
	    .score = -12.5,
	    .organisation_certainty = FACT_KNOWN,
	    .organisation_score = 30,
	    .limits = limits,
	    .load_crossed = crossed,
	    .load = 0.5,
	    .lists = lists,
	    .dnsbls = dnsbls,
	    .spf_certainty = FACT_KNOWN};
}

/* Whatever is asked, there are words for what it saw: a new condition that has none
 * fails here. */
START_TEST(every_condition_has_words)
{
	struct header_pattern pattern = {"X-Score", "*"};
	struct facts facts = all_facts();
	char text[SAW_SIZE];

	for (size_t i = 0; i < condition_type_count; i++) {
		struct condition condition = {
		    .type = &condition_types[i], .header = "X-Score"};

		if (condition.type->kind == VALUE_HEADERS) {
			condition.headers = &pattern;
			condition.count = 1;
		}
		saw_fact(&condition, &facts, &recipient, text);
		ck_assert_msg(
		    text[0] != '\0', "nothing of %s", condition.type->name);
		saw_fact(&condition, &facts, NULL, text);
		ck_assert_msg(text[0] != '\0', "nothing of %s without one",
		    condition.type->name);
	}
}
END_TEST

static const struct {
	const char *condition;
	const char *saw;
} cases[] = {
    {"client", "192.0.2.7"},
    {"client_name", "mail.sender.example"},
    {"country", "AT"},
    {"asn", "AS64500"},
    {"sender", "alice@sender.example"},
    {"recipient", "bob@local.test"},
    {"user", "none"},
    {"authenticated", "no"},
    {"null_sender", "alice@sender.example"},
    {"recipients_in_message_above", "1"},
    {"reputation_below", "-12.5"},
    {"organisation_above", "30.0"},
    {"retried", "first seen 1m30s ago"},
    {"load_above", "0.50"},
    {"messages_above", "5 with this message"},
    {"dnsbl_above", "2 to 4, as some have not told"},
    {"header_above", "X-Score: 7"},
    {"hours", "Sun 00:00"},
    {"daemon_port", "0"},
};

START_TEST(it_tells_the_fact)
{
	struct facts facts = all_facts();
	struct condition condition = {.header = "X-Score"};
	bool is_negated;
	char text[SAW_SIZE];

	condition.type = condition_type_find(cases[_i].condition, &is_negated);
	ck_assert_ptr_nonnull(condition.type);
	saw_fact(&condition, &facts, &recipient, text);
	ck_assert_str_eq(text, cases[_i].saw);
}
END_TEST

START_TEST(what_could_not_be_told_is_unknown)
{
	bool is_negated;
	struct facts facts = all_facts();
	struct condition condition = {
	    .type = condition_type_find("known", &is_negated)};
	char text[SAW_SIZE];

	facts.record_certainty = FACT_UNKNOWN;
	saw_fact(&condition, &facts, NULL, text);
	ck_assert_str_eq(text, "unknown");
}
END_TEST

CHECK_MAIN("saw", tcase)
{
	tcase_add_test(tcase, every_condition_has_words);
	tcase_add_loop_test(tcase, it_tells_the_fact, 0, COUNT(cases));
	tcase_add_test(tcase, what_could_not_be_told_is_unknown);
}
