#include "policy/condition.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/glob.h"
#include "policy/identity.h"
#include "policy/reputation.h"

static enum answer
yes_if(bool holds)
{
	return holds ? ANSWER_YES : ANSWER_NO;
}

/* What to answer while the fact itself is not there. */
static enum answer
unless_known(enum certainty certainty)
{
	switch (certainty) {
	case FACT_LATER:
		return ANSWER_LATER;
	case FACT_ASK:
		return ANSWER_ASK;
	case FACT_UNKNOWN:
	case FACT_KNOWN:
		break;
	}
	return ANSWER_UNKNOWN;
}

static enum answer
any_glob(const struct condition *condition, const char *text)
{
	for (size_t i = 0; i < condition->count; i++)
		if (glob_match(condition->globs[i], text))
			return ANSWER_YES;
	return ANSWER_NO;
}

static const struct list *
list_of(const struct condition *condition, const struct facts *facts)
{
	return facts->lists[condition->number];
}

/* --- the client --- */

static enum answer
client(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	for (size_t i = 0; i < condition->count; i++)
		if (network_contains(&condition->networks[i], &facts->client))
			return ANSWER_YES;
	return ANSWER_NO;
}

static enum answer
client_list(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct list *list = list_of(condition, facts);

	(void)recipient;
	if (list == NULL)
		return ANSWER_UNKNOWN;
	return yes_if(list_has_client(list, &facts->client));
}

static enum answer
listed(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct list *list = list_of(condition, facts);

	(void)recipient;
	if (list == NULL)
		return ANSWER_UNKNOWN;
	if (list_has_client(list, &facts->client))
		return ANSWER_YES;
	if (!facts->null_sender && list_has_address(list, facts->sender))
		return ANSWER_YES;
	if (facts->name_certainty != FACT_KNOWN)
		return ANSWER_UNKNOWN;
	return yes_if(
	    facts->name[0] != '\0' && list_has_domain(list, facts->name));
}

static enum answer
client_name(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (facts->name_certainty != FACT_KNOWN)
		return unless_known(facts->name_certainty);
	return facts->name[0] == '\0' ? ANSWER_NO
				      : any_glob(condition, facts->name);
}

static enum answer
no_client_name(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	if (facts->name_certainty != FACT_KNOWN)
		return unless_known(facts->name_certainty);
	return yes_if(facts->name[0] == '\0');
}

static enum answer
generic_name(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	if (facts->name_certainty != FACT_KNOWN)
		return unless_known(facts->name_certainty);
	return yes_if(facts->name_class == HOSTNAME_LINE ||
	    facts->name_class == HOSTNAME_RENTED);
}

static enum answer
helo(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (facts->helo_certainty != FACT_KNOWN)
		return unless_known(facts->helo_certainty);
	return any_glob(condition, facts->helo);
}

static enum answer
helo_malformed(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	if (facts->helo_certainty != FACT_KNOWN)
		return unless_known(facts->helo_certainty);
	return yes_if(facts->helo_malformed);
}

static enum answer
helo_ours(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	if (facts->helo_certainty != FACT_KNOWN)
		return unless_known(facts->helo_certainty);
	return yes_if(facts->helo_ours);
}

static enum answer
authenticated(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	return yes_if(facts->authenticated);
}

static enum answer
user(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	return facts->authenticated ? any_glob(condition, facts->user)
				    : ANSWER_NO;
}

static enum answer
tls(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	return yes_if(facts->tls);
}

static enum answer
daemon_name(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	return any_glob(condition, facts->daemon_name);
}

static enum answer
daemon_port(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (facts->daemon_port == 0)
		return ANSWER_UNKNOWN;
	return yes_if(facts->daemon_port == condition->number);
}

/* --- the envelope --- */

static enum answer
sender(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	return facts->null_sender ? ANSWER_NO
				  : any_glob(condition, facts->sender);
}

static enum answer
sender_list(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct list *list = list_of(condition, facts);

	(void)recipient;
	if (list == NULL)
		return ANSWER_UNKNOWN;
	return yes_if(
	    !facts->null_sender && list_has_address(list, facts->sender));
}

static enum answer
null_sender(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	return yes_if(facts->null_sender);
}

static enum answer
recipient_glob(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)facts;
	return recipient == NULL ? ANSWER_LATER
				 : any_glob(condition, recipient->address);
}

static enum answer
recipient_list(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct list *list = list_of(condition, facts);

	if (recipient == NULL)
		return ANSWER_LATER;
	if (list == NULL)
		return ANSWER_UNKNOWN;
	return yes_if(list_has_address(list, recipient->address));
}

static enum answer
recipients_in_message_above(const struct condition *condition,
    const struct facts *facts, const struct recipient *recipient)
{
	if (recipient == NULL)
		return ANSWER_LATER;
	return yes_if(facts->recipients_seen > condition->number);
}

static enum answer
domains_in_message_above(const struct condition *condition,
    const struct facts *facts, const struct recipient *recipient)
{
	if (recipient == NULL)
		return ANSWER_LATER;
	return yes_if(facts->recipient_domains > condition->number);
}

/* --- the session --- */

static enum answer
connected_longer(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	return yes_if(facts->connected_for > condition->number);
}

static enum answer
unknown_commands_above(const struct condition *condition,
    const struct facts *facts, const struct recipient *recipient)
{
	(void)recipient;
	return yes_if(facts->unknown_commands > condition->number);
}

static enum answer
refused_recipients_above(const struct condition *condition,
    const struct facts *facts, const struct recipient *recipient)
{
	(void)recipient;
	return yes_if(facts->refused_recipients > condition->number);
}

/* --- the message --- */

static enum answer
header(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (!facts->complete)
		return ANSWER_LATER;
	for (size_t i = 0; i < facts->header_count; i++)
		for (size_t j = 0; j < condition->count; j++)
			if (strcasecmp(facts->headers[i].name,
				condition->headers[j].name) == 0 &&
			    glob_match(condition->headers[j].pattern,
				facts->headers[i].value))
				return ANSWER_YES;
	return ANSWER_NO;
}

static enum answer
header_above(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (!facts->complete)
		return ANSWER_LATER;
	for (size_t i = 0; i < facts->header_count; i++) {
		const char *value = facts->headers[i].value;
		char *end;

		if (strcasecmp(facts->headers[i].name, condition->header) != 0)
			continue;
		double number = strtod(value, &end);
		if (end != value && number > condition->real)
			return ANSWER_YES;
	}
	return ANSWER_NO;
}

/* A declared SIZE= may say early that it is too large, never that it is not. */
static enum answer
size_above(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (facts->declared_size > condition->number ||
	    facts->size > condition->number)
		return ANSWER_YES;
	return facts->complete ? ANSWER_NO : ANSWER_LATER;
}

/* --- the time --- */

static bool
has_weekday(const struct hours *hours, int weekday)
{
	return (hours->weekdays >> weekday & 1) != 0;
}

/* What runs past midnight belongs to the day on which it began. */
static bool
in_hours(const struct hours *hours, int weekday, int minute)
{
	if (hours->from <= hours->to)
		return has_weekday(hours, weekday) && minute >= hours->from &&
		    minute < hours->to;
	return (has_weekday(hours, weekday) && minute >= hours->from) ||
	    (has_weekday(hours, (weekday + 6) % 7) && minute < hours->to);
}

static enum answer
hours(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	for (size_t i = 0; i < condition->count; i++)
		if (in_hours(
			&condition->hours[i], facts->weekday, facts->minute))
			return ANSWER_YES;
	return ANSWER_NO;
}

static enum answer
share(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	return yes_if((int64_t)facts->share < condition->number);
}

/* --- what the store remembers --- */

static enum answer
known(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	if (facts->record_certainty != FACT_KNOWN)
		return unless_known(facts->record_certainty);
	return yes_if(facts->known);
}

static enum answer
reputation_below(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (facts->record_certainty != FACT_KNOWN)
		return unless_known(facts->record_certainty);
	return yes_if(facts->score < condition->real);
}

static enum answer
reputation_above(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	if (facts->record_certainty != FACT_KNOWN)
		return unless_known(facts->record_certainty);
	return yes_if(facts->score > condition->real);
}

static enum answer
retried(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	struct greylist_terms terms = {
	    condition->number, condition->period, condition->keep};
	int64_t wait;

	if (recipient == NULL)
		return ANSWER_LATER;
	if (recipient->clock_certainty != FACT_KNOWN)
		return unless_known(recipient->clock_certainty);
	return yes_if(greylist_judge(&terms, &recipient->clock[CLOCK_REAL],
			  facts->now, &wait) == GREYLIST_PASSED);
}

static enum answer
store_down(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	return yes_if(facts->store_down);
}

static enum answer
store_late(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)condition;
	(void)recipient;
	return yes_if(facts->store_late);
}

static bool
window_of_message_admits(const struct window_terms *of_limit,
    const struct window_counts *counted, int64_t now, int64_t *wait_r)
{
	struct window_terms terms = *of_limit;
	struct window_counts counts = *counted;
	int64_t spare;

	/* A message with more units than the limit, as it is scaled now, fits
	 * when nobody else took any: it could never get through otherwise. */
	spare = counts.units - terms.limit;
	if (spare > 0 && terms.limit > 0) {
		counts.units -= spare;
		counts.slots[WINDOW_SLOT_NOW] -= spare;
	}
	return window_admits(&terms, &counts, now, wait_r);
}

static bool
limit_admits(const struct condition *condition, const struct facts *facts,
    int64_t *wait_r)
{
	const struct limit_count *count = &facts->limits[condition->number];
	struct window_terms terms = {condition->above, condition->period};

	if (condition->scaled && facts->record_certainty == FACT_KNOWN)
		terms.limit =
		    reputation_scaled_limit(terms.limit, facts->score);
	if (!window_of_message_admits(
		&terms, &count->counts, facts->now, wait_r))
		return false;
	terms.limit *= FAMILY_NETWORKS;
	return window_of_message_admits(
	    &terms, &count->family, facts->now, wait_r);
}

static enum answer
limit_exceeded(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct limit_count *count = &facts->limits[condition->number];
	int64_t wait;

	(void)recipient;
	if (count->certainty != FACT_KNOWN)
		return unless_known(count->certainty);
	return yes_if(!limit_admits(condition, facts, &wait));
}

int64_t
condition_wait(const struct condition *condition, const struct facts *facts)
{
	int64_t wait = 0;

	if (condition->type->kind == VALUE_LIMIT &&
	    facts->limits[condition->number].certainty == FACT_KNOWN)
		(void)limit_admits(condition, facts, &wait);
	return wait;
}

/* --- load --- */

static enum answer
load_above(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	return yes_if(facts->load_crossed[condition->number]);
}

static enum answer
load_below(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	(void)recipient;
	return yes_if(!facts->load_crossed[condition->number]);
}

/* --- what DNS lists say --- */

/* A sum that no list has to make, as 0 is above -1, needs none. */
static enum answer
dnsbl_answer(const struct dnsbl_sum *sum, bool is_so, bool may_be_so)
{
	if (is_so)
		return ANSWER_YES;
	if (!may_be_so)
		return ANSWER_NO;
	return sum->pending ? ANSWER_LATER : ANSWER_UNKNOWN;
}

static enum answer
dnsbl_above(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct dnsbl_sum *sum = &facts->dnsbls[condition->number];
	int64_t bound = condition->bound;
	unsigned needed = bound < 0 ? 0 : sum->needed;

	(void)recipient;
	return dnsbl_answer(sum, sum->least > bound && sum->bad >= needed,
	    sum->most > bound && sum->most_bad >= needed);
}

static enum answer
dnsbl_below(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct dnsbl_sum *sum = &facts->dnsbls[condition->number];
	int64_t bound = condition->bound;
	unsigned needed = bound > 0 ? 0 : sum->needed;

	(void)recipient;
	return dnsbl_answer(sum, sum->most < bound && sum->good >= needed,
	    sum->least < bound && sum->most_good >= needed);
}

#define NO_LIMIT (-1)

/* How the table spells its flags. */
#define CLIENT	  (ASKS_CLIENT | ASKS_FOR_GOOD)
#define RECIPIENT (ASKS_RECIPIENT | ASKS_FOR_GOOD)
#define STORE	  ASKS_STORE
#define FOR_GOOD  ASKS_FOR_GOOD
#define DNS	  ASKS_DNS
#define PASSING	  0U

/* Sorted as milter-defer.conf(5) presents them. */
const struct condition_type condition_types[] = {
    {"client", VALUE_NETWORKS, STAGE_MAIL, client, NO_LIMIT, CLIENT},
    {"client_list", VALUE_FILE, STAGE_MAIL, client_list, NO_LIMIT, CLIENT},
    {"listed", VALUE_SHARED, STAGE_MAIL, listed, NO_LIMIT, FOR_GOOD},
    {"client_name", VALUE_GLOBS, STAGE_MAIL, client_name, NO_LIMIT, CLIENT},
    {"no_client_name", VALUE_TRUE, STAGE_MAIL, no_client_name, NO_LIMIT,
	FOR_GOOD},
    {"generic_name", VALUE_TRUE, STAGE_MAIL, generic_name, NO_LIMIT, FOR_GOOD},
    {"helo", VALUE_GLOBS, STAGE_MAIL, helo, NO_LIMIT, FOR_GOOD},
    {"helo_malformed", VALUE_TRUE, STAGE_MAIL, helo_malformed, NO_LIMIT,
	FOR_GOOD},
    {"helo_ours", VALUE_TRUE, STAGE_MAIL, helo_ours, NO_LIMIT, FOR_GOOD},
    {"authenticated", VALUE_TRUE, STAGE_MAIL, authenticated, NO_LIMIT, CLIENT},
    {"user", VALUE_GLOBS, STAGE_MAIL, user, NO_LIMIT, CLIENT},
    {"tls", VALUE_TRUE, STAGE_MAIL, tls, NO_LIMIT, FOR_GOOD},
    {"daemon_name", VALUE_GLOBS, STAGE_MAIL, daemon_name, NO_LIMIT, FOR_GOOD},
    {"daemon_port", VALUE_NUMBER, STAGE_MAIL, daemon_port, NO_LIMIT, FOR_GOOD},

    {"sender", VALUE_GLOBS, STAGE_MAIL, sender, NO_LIMIT, FOR_GOOD},
    {"sender_list", VALUE_FILE, STAGE_MAIL, sender_list, NO_LIMIT, FOR_GOOD},
    {"null_sender", VALUE_TRUE, STAGE_MAIL, null_sender, NO_LIMIT, FOR_GOOD},
    {"recipient", VALUE_GLOBS, STAGE_RCPT, recipient_glob, NO_LIMIT, RECIPIENT},
    {"recipient_list", VALUE_FILE, STAGE_RCPT, recipient_list, NO_LIMIT,
	RECIPIENT},
    {"recipients_in_message_above", VALUE_NUMBER, STAGE_RCPT,
	recipients_in_message_above, NO_LIMIT, FOR_GOOD},
    {"domains_in_message_above", VALUE_NUMBER, STAGE_RCPT,
	domains_in_message_above, NO_LIMIT, FOR_GOOD},

    {"connected_longer", VALUE_DURATION, STAGE_MAIL, connected_longer, NO_LIMIT,
	PASSING},
    {"unknown_commands_above", VALUE_NUMBER, STAGE_MAIL, unknown_commands_above,
	NO_LIMIT, PASSING},
    {"refused_recipients_above", VALUE_NUMBER, STAGE_MAIL,
	refused_recipients_above, NO_LIMIT, PASSING},

    {"header", VALUE_HEADERS, STAGE_EOM, header, NO_LIMIT, FOR_GOOD},
    {"header_above", VALUE_HEADER_NUMBER, STAGE_EOM, header_above, NO_LIMIT,
	FOR_GOOD},
    {"size_above", VALUE_SIZE, STAGE_EOM, size_above, NO_LIMIT, FOR_GOOD},

    {"hours", VALUE_HOURS, STAGE_MAIL, hours, NO_LIMIT, PASSING},
    {"share", VALUE_SHARE, STAGE_MAIL, share, NO_LIMIT, FOR_GOOD},

    {"known", VALUE_TRUE, STAGE_MAIL, known, NO_LIMIT, STORE | FOR_GOOD},
    {"reputation_below", VALUE_REAL, STAGE_MAIL, reputation_below, NO_LIMIT,
	STORE},
    {"reputation_above", VALUE_REAL, STAGE_MAIL, reputation_above, NO_LIMIT,
	STORE},
    {"retried", VALUE_DURATION, STAGE_RCPT, retried, NO_LIMIT,
	RECIPIENT | STORE},
    {"dnsbl_above", VALUE_DNSBL, STAGE_DATA, dnsbl_above, NO_LIMIT,
	DNS | FOR_GOOD},
    {"dnsbl_below", VALUE_DNSBL, STAGE_DATA, dnsbl_below, NO_LIMIT,
	DNS | FOR_GOOD},
    {"load_above", VALUE_LOAD, STAGE_MAIL, load_above, NO_LIMIT, PASSING},
    {"load_below", VALUE_LOAD, STAGE_MAIL, load_below, NO_LIMIT, PASSING},
    {"connections_above", VALUE_LIMIT, STAGE_MAIL, limit_exceeded,
	LIMIT_CONNECTIONS, STORE},
    {"messages_above", VALUE_LIMIT, STAGE_MAIL, limit_exceeded, LIMIT_MESSAGES,
	STORE},
    {"recipients_above", VALUE_LIMIT, STAGE_DATA, limit_exceeded,
	LIMIT_RECIPIENTS, STORE},
    {"refused_above", VALUE_LIMIT, STAGE_MAIL, limit_exceeded, LIMIT_REFUSED,
	STORE},
    {"store_down", VALUE_TRUE, STAGE_MAIL, store_down, NO_LIMIT, PASSING},
    {"store_late", VALUE_TRUE, STAGE_MAIL, store_late, NO_LIMIT, PASSING},
};

const size_t condition_type_count =
    sizeof condition_types / sizeof condition_types[0];

const struct condition_type *
condition_type_find(const char *name)
{
	for (size_t i = 0; i < condition_type_count; i++)
		if (strcmp(condition_types[i].name, name) == 0)
			return &condition_types[i];
	return NULL;
}

enum answer
condition_judge(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct condition_type *type = condition->type;
	unsigned char *kept = NULL;
	enum answer answer;

	if (facts->settled != NULL && condition->place < SETTLED_MAX &&
	    (type->flags & (ASKS_FOR_GOOD | ASKS_RECIPIENT | ASKS_STORE)) ==
		ASKS_FOR_GOOD &&
	    type->ready != STAGE_RCPT)
		kept = &facts->settled[condition->place];
	if (kept != NULL && *kept != 0)
		return (enum answer)(*kept - 1);
	answer = type->judge(condition, facts, recipient);
	if (kept != NULL && answer != ANSWER_LATER)
		*kept = (unsigned char)(answer + 1);
	return answer;
}
