#include "policy/condition.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/glob.h"
#include "mail/sightings.h"
#include "policy/reputation.h"

/* The networks of a family together may use up so many times the limit of one. */
#define FAMILY_NETWORKS 16

const char *const stage_names[STAGE_COUNT] = {"mail", "rcpt", "data", "eom"};

static enum answer
yes_if(bool holds)
{
	return holds ? ANSWER_YES : ANSWER_NO;
}

enum answer
answer_while(enum certainty certainty)
{
	static const enum answer answers[] = {[FACT_LATER] = ANSWER_LATER,
	    [FACT_ASK] = ANSWER_ASK,
	    [FACT_UNKNOWN] = ANSWER_UNKNOWN,
	    [FACT_KNOWN] = ANSWER_YES};

	return answers[certainty];
}

/* ---- Of the one fact that the row names */

static const void *
fact_of(const struct asked *asked)
{
	return (const char *)asked->facts + asked->condition->type->fact;
}

static enum answer
is_true(const struct asked *asked)
{
	const bool *fact = fact_of(asked);

	return yes_if(*fact);
}

static enum answer
is_above(const struct asked *asked)
{
	const int64_t *fact = fact_of(asked);

	return yes_if(*fact > asked->condition->number);
}

/* This value of the condition is why it is answered so. */
static enum answer
met(const struct asked *asked, size_t which)
{
	const struct facts *facts = asked->facts;

	if (facts->met != NULL)
		sightings_note(facts->met, asked->condition->first + which,
		    facts->listed_now);
	return ANSWER_YES;
}

static enum answer
any_glob(const struct asked *asked, const char *text)
{
	const struct condition *condition = asked->condition;

	for (size_t i = 0; i < condition->count; i++)
		if (glob_match(condition->globs[i], text))
			return met(asked, i);
	return ANSWER_NO;
}

static enum answer
matches(const struct asked *asked)
{
	const char *const *fact = fact_of(asked);

	return any_glob(asked, *fact);
}

/* Where an empty text says that there is none. */
static enum answer
is_empty(const struct asked *asked)
{
	const char *const *fact = fact_of(asked);

	return yes_if((*fact)[0] == '\0');
}

static enum answer
is_there_and_matches(const struct asked *asked)
{
	return is_empty(asked) == ANSWER_YES ? ANSWER_NO : matches(asked);
}

static const struct list *
list_of(const struct asked *asked)
{
	return asked->facts->lists[asked->condition->number];
}

/* ---- The client */

static enum answer
client(const struct asked *asked)
{
	const struct condition *condition = asked->condition;

	for (size_t i = 0; i < condition->count; i++)
		if (network_contains(
			&condition->networks[i], &asked->facts->client))
			return met(asked, i);
	return ANSWER_NO;
}

static enum answer
client_list(const struct asked *asked)
{
	return yes_if(list_has_client(
	    list_of(asked), &asked->facts->client, asked->facts->listed_now));
}

static enum answer
client_name_list(const struct asked *asked)
{
	const char *name = asked->facts->name;

	return yes_if(name[0] != '\0' &&
	    list_has_domain(list_of(asked), name, asked->facts->listed_now));
}

/* By its address or its verified name. */
static enum answer
client_listed(const struct asked *asked)
{
	if (client_list(asked) == ANSWER_YES)
		return ANSWER_YES;
	return asked->facts->name_certainty == FACT_KNOWN
	    ? client_name_list(asked)
	    : ANSWER_UNKNOWN;
}

static enum answer
listed(const struct asked *asked)
{
	const struct facts *facts = asked->facts;

	return !facts->null_sender &&
		list_has_address(
		    list_of(asked), facts->sender, facts->listed_now)
	    ? ANSWER_YES
	    : client_listed(asked);
}

static enum answer
generic_name(const struct asked *asked)
{
	enum hostname_class class = asked->facts->name_class;

	return yes_if(class == HOSTNAME_LINE || class == HOSTNAME_RENTED);
}

/* Its number may be written alone. */
static enum answer
asn(const struct asked *asked)
{
	if (is_empty(asked) == ANSWER_YES)
		return ANSWER_NO;
	return matches(asked) == ANSWER_YES
	    ? ANSWER_YES
	    : any_glob(asked, asked->facts->asn + strlen("AS"));
}

static enum answer
mail_server_name(const struct asked *asked)
{
	return yes_if(asked->facts->name_class == HOSTNAME_OWN);
}

/* Needs both names; without a verified one nothing fits. */
static enum answer
helo_fits(const struct asked *asked)
{
	const struct facts *facts = asked->facts;

	return facts->name_certainty == FACT_KNOWN
	    ? yes_if(facts->helo_fits)
	    : answer_while(facts->name_certainty);
}

static enum answer
user(const struct asked *asked)
{
	return asked->facts->authenticated ? matches(asked) : ANSWER_NO;
}

static enum answer
daemon_port(const struct asked *asked)
{
	int64_t port = asked->facts->daemon_port;

	return port == 0 ? ANSWER_UNKNOWN
			 : yes_if(port == asked->condition->number);
}

/* ---- The envelope */

static enum answer
sender(const struct asked *asked)
{
	return asked->facts->null_sender ? ANSWER_NO : matches(asked);
}

static enum answer
sender_list(const struct asked *asked)
{
	return yes_if(!asked->facts->null_sender &&
	    list_has_address(list_of(asked), asked->facts->sender,
		asked->facts->listed_now));
}

static enum answer
recipient_glob(const struct asked *asked)
{
	return any_glob(asked, asked->recipient->address);
}

static enum answer
recipient_list(const struct asked *asked)
{
	return yes_if(list_has_address(list_of(asked),
	    asked->recipient->address, asked->facts->listed_now));
}

/* ---- The message */

static enum answer
header(const struct asked *asked)
{
	const struct condition *condition = asked->condition;
	const struct facts *facts = asked->facts;

	if (!facts->complete)
		return ANSWER_LATER;
	for (size_t i = 0; i < facts->header_count; i++)
		for (size_t j = 0; j < condition->count; j++)
			if (strcasecmp(facts->headers[i].name,
				condition->headers[j].name) == 0 &&
			    glob_match(condition->headers[j].pattern,
				facts->headers[i].value))
				return met(asked, j);
	return ANSWER_NO;
}

static enum answer
header_above(const struct asked *asked)
{
	const struct condition *condition = asked->condition;
	const struct facts *facts = asked->facts;

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
size_above(const struct asked *asked)
{
	const struct facts *facts = asked->facts;

	if (facts->declared_size > asked->condition->number ||
	    facts->size > asked->condition->number)
		return ANSWER_YES;
	return facts->complete ? ANSWER_NO : ANSWER_LATER;
}

/* ---- The time */

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
hours(const struct asked *asked)
{
	const struct facts *facts = asked->facts;

	for (size_t i = 0; i < asked->condition->count; i++)
		if (in_hours(&asked->condition->hours[i], facts->weekday,
			facts->minute))
			return met(asked, i);
	return ANSWER_NO;
}

static enum answer
share(const struct asked *asked)
{
	return yes_if((int64_t)asked->facts->share < asked->condition->number);
}

/* ---- What the store remembers */

static enum answer
score_below(const struct asked *asked)
{
	const double *score = fact_of(asked);

	return yes_if(*score < asked->condition->real);
}

static enum answer
score_above(const struct asked *asked)
{
	const double *score = fact_of(asked);

	return yes_if(*score > asked->condition->real);
}

static enum answer
retried(const struct asked *asked)
{
	const struct condition *condition = asked->condition;
	const struct recipient *recipient = asked->recipient;
	struct greylist_terms terms = {
	    condition->number, condition->period, condition->keep};
	int64_t wait;

	if (recipient->clock_certainty != FACT_KNOWN)
		return answer_while(recipient->clock_certainty);
	return yes_if(greylist_judge(&terms, &recipient->clock[CLOCK_REAL],
			  asked->facts->now, &wait) == GREYLIST_PASSED);
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

bool
condition_counts(const struct condition *condition)
{
	return condition->type->counts != LIMIT_NONE;
}

bool
condition_counts_recipients(const struct condition *condition)
{
	return condition_counts(condition) &&
	    condition->by == LIMIT_BY_RECIPIENT;
}

/* Whose numbers stand in a file; NULL: of nobody. */
static const char *
key_of(const struct condition *condition, const struct facts *facts)
{
	switch (condition->by) {
	case LIMIT_BY_USER:
		return facts->user;
	case LIMIT_BY_SENDER:
		return facts->sender;
	case LIMIT_BY_SENDER_DOMAIN:
		return facts->sender_domain;
	default:
		return NULL;
	}
}

enum answer
condition_above(const struct condition *condition, const struct facts *facts,
    int64_t *above_r)
{
	const char *key = key_of(condition, facts);
	const struct list *list;
	int64_t unit = 1;

	*above_r = condition->above;
	if (condition->numbers == 0)
		return ANSWER_YES;
	list = facts->lists[condition->numbers - 1];
	if (list == NULL)
		return ANSWER_UNKNOWN;
	if (key == NULL || key[0] == '\0' ||
	    !list_number(list, key, facts->listed_now, above_r))
		return ANSWER_NO;
	if (condition->type->counts == LIMIT_OCTETS)
		unit = LIMIT_OCTET_UNIT;
	*above_r = *above_r / unit < WINDOW_MAX ? *above_r / unit : WINDOW_MAX;
	if (*above_r == 0)
		*above_r = 1;
	return ANSWER_YES;
}

static bool
limit_admits(const struct condition *condition, const struct facts *facts,
    int64_t above, int64_t *wait_r)
{
	const struct limit_count *count = &facts->limits[condition->number];
	struct window_terms terms = {above, condition->period};

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
is_exceeded(const struct asked *asked)
{
	const struct condition *condition = asked->condition;
	enum certainty certainty =
	    asked->facts->limits[condition->number].certainty;
	int64_t above, wait;
	enum answer answer = condition_above(condition, asked->facts, &above);

	if (answer != ANSWER_YES)
		return answer;
	/* A size is known at the end, and taken then. */
	if (condition->type->counts == LIMIT_OCTETS && !asked->facts->complete)
		return ANSWER_LATER;
	if (certainty != FACT_KNOWN)
		return answer_while(certainty);
	return yes_if(!limit_admits(condition, asked->facts, above, &wait));
}

int64_t
condition_wait(const struct condition *condition, const struct facts *facts)
{
	int64_t above, wait = 0;

	if (condition_counts(condition) &&
	    facts->limits[condition->number].certainty == FACT_KNOWN &&
	    condition_above(condition, facts, &above) == ANSWER_YES)
		(void)limit_admits(condition, facts, above, &wait);
	return wait;
}

/* ---- Load */

static enum answer
load_above(const struct asked *asked)
{
	return yes_if(asked->facts->load_crossed[asked->condition->number]);
}

static enum answer
load_below(const struct asked *asked)
{
	return yes_if(!asked->facts->load_crossed[asked->condition->number]);
}

/* ---- What DNS lists say */

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
dnsbl_above(const struct asked *asked)
{
	const struct dnsbl_sum *sum =
	    &asked->facts->dnsbls[asked->condition->number];
	int64_t bound = asked->condition->bound;
	unsigned needed = bound < 0 ? 0 : sum->needed;

	return dnsbl_answer(sum, sum->least > bound && sum->bad >= needed,
	    sum->most > bound && sum->most_bad >= needed);
}

static enum answer
dnsbl_below(const struct asked *asked)
{
	const struct dnsbl_sum *sum =
	    &asked->facts->dnsbls[asked->condition->number];
	int64_t bound = asked->condition->bound;
	unsigned needed = bound > 0 ? 0 : sum->needed;

	return dnsbl_answer(sum, sum->most < bound && sum->good >= needed,
	    sum->least < bound && sum->most_good >= needed);
}

/* ---- What a domain says of the client */

static enum answer
is_result(const struct asked *asked)
{
	for (size_t i = 0; i < asked->condition->count; i++)
		if (asked->condition->results[i] == asked->facts->spf)
			return met(asked, i);
	return ANSWER_NO;
}

/* ---- The table */

/* How it spells its columns. */
#define CLIENT	  (ASKS_CLIENT | ASKS_FOR_GOOD)
#define RECIPIENT (ASKS_RECIPIENT | ASKS_FOR_GOOD)
#define STORE	  ASKS_STORE
#define GOOD	  ASKS_FOR_GOOD
#define NAMES	  ASKS_BY_NAME
#define REST	  (ASKS_ABOUT_REST | ASKS_FOR_GOOD)
#define FADES	  ASKS_WHAT_FADES
#define PASSING	  0U
#define NOT(name) .contrary = "not_" name
#define ORGANISATION                                                           \
	(ASKS_ORGANISATION | ASKS_SPF | ASKS_DNS | ASKS_STORE | ASKS_WHAT_FADES)
#define FACT(name)     .fact = offsetof(struct facts, name)
#define KNOWN_BY(name) .certainty = offsetof(struct facts, name)
#define NAME	       FACT(name), KNOWN_BY(name_certainty)
#define RECORD(of)     FACT(of), KNOWN_BY(record_certainty)

/* Sorted as milter-defer.conf(5) presents them. */
/* clang-format off */
const struct condition_type condition_types[] = {
    {"client", VALUE_NETWORKS, STAGE_MAIL, CLIENT | NAMES, .judge = client,
	NOT("client")},
    {"client_list", VALUE_FILE, STAGE_MAIL, CLIENT | NAMES,
	.judge = client_list, .entries = LIST_NETWORK, NOT("client_list")},
    {"client_name_list", VALUE_FILE, STAGE_MAIL, CLIENT | NAMES,
	.judge = client_name_list, NAME, .entries = LIST_DOMAIN,
	NOT("client_name_list")},
    {"client_listed", VALUE_SHARED, STAGE_MAIL, CLIENT | NAMES,
	.judge = client_listed, .entries = LIST_NETWORK | LIST_DOMAIN,
	NOT("client_listed")},
    {"listed", VALUE_SHARED, STAGE_MAIL, GOOD | NAMES, .judge = listed,
	.entries = LIST_ALL, NOT("listed")},
    {"client_name", VALUE_GLOBS, STAGE_MAIL, CLIENT | NAMES,
	.judge = is_there_and_matches, NAME, NOT("client_name")},
    {"no_client_name", VALUE_TRUE, STAGE_MAIL, GOOD, .judge = is_empty, NAME},
    {"generic_name", VALUE_TRUE, STAGE_MAIL, GOOD, .judge = generic_name, NAME,
	NOT("generic_name")},
    {"mail_server_name", VALUE_TRUE, STAGE_MAIL, GOOD,
	.judge = mail_server_name, NAME, NOT("mail_server_name")},
    {"country", VALUE_GLOBS, STAGE_MAIL, GOOD, .judge = is_there_and_matches,
	FACT(country), KNOWN_BY(country_certainty), NOT("country")},
    {"asn", VALUE_GLOBS, STAGE_MAIL, GOOD, .judge = asn, FACT(asn),
	KNOWN_BY(asn_certainty), NOT("asn")},
    {"helo", VALUE_GLOBS, STAGE_MAIL, GOOD, .judge = matches, FACT(helo),
	KNOWN_BY(helo_certainty), NOT("helo")},
    {"helo_malformed", VALUE_TRUE, STAGE_MAIL, GOOD, .judge = is_true,
	FACT(helo_malformed), KNOWN_BY(helo_certainty), NOT("helo_malformed")},
    {"helo_ours", VALUE_TRUE, STAGE_MAIL, GOOD, .judge = is_true,
	FACT(helo_ours), KNOWN_BY(helo_certainty), NOT("helo_ours")},
    {"helo_fits", VALUE_TRUE, STAGE_MAIL, GOOD, .judge = helo_fits,
	KNOWN_BY(helo_certainty), NOT("helo_fits")},
    {"authenticated", VALUE_TRUE, STAGE_MAIL, CLIENT, .judge = is_true,
	FACT(authenticated), NOT("authenticated")},
    {"user", VALUE_GLOBS, STAGE_MAIL, CLIENT | NAMES, .judge = user,
	FACT(user), NOT("user")},
    {"tls", VALUE_TRUE, STAGE_MAIL, GOOD, .judge = is_true, FACT(tls),
	NOT("tls")},
    {"daemon_name", VALUE_GLOBS, STAGE_MAIL, GOOD, .judge = matches,
	FACT(daemon_name), NOT("daemon_name")},
    {"daemon_port", VALUE_PORT, STAGE_MAIL, GOOD, .judge = daemon_port,
	NOT("daemon_port")},

    {"sender", VALUE_GLOBS, STAGE_MAIL, GOOD | NAMES, .judge = sender,
	FACT(sender), NOT("sender")},
    {"sender_list", VALUE_FILE, STAGE_MAIL, GOOD | NAMES,
	.judge = sender_list, .entries = LIST_ADDRESS | LIST_DOMAIN,
	NOT("sender_list")},
    {"sender_listed", VALUE_SHARED, STAGE_MAIL, GOOD | NAMES,
	.judge = sender_list, .entries = LIST_ADDRESS | LIST_DOMAIN,
	NOT("sender_listed")},
    {"null_sender", VALUE_TRUE, STAGE_MAIL, GOOD, .judge = is_true,
	FACT(null_sender), NOT("null_sender")},
    {"recipient", VALUE_GLOBS, STAGE_RCPT, RECIPIENT | NAMES,
	.judge = recipient_glob, NOT("recipient")},
    {"recipient_list", VALUE_FILE, STAGE_RCPT, RECIPIENT | NAMES,
	.judge = recipient_list, .entries = LIST_ADDRESS | LIST_DOMAIN,
	NOT("recipient_list")},
    {"recipient_listed", VALUE_SHARED, STAGE_RCPT, RECIPIENT | NAMES,
	.judge = recipient_list, .entries = LIST_ADDRESS | LIST_DOMAIN,
	NOT("recipient_listed")},
    {"recipients_in_message_above", VALUE_NUMBER, STAGE_RCPT, REST,
	.judge = is_above, FACT(recipients_seen)},
    {"domains_in_message_above", VALUE_NUMBER, STAGE_RCPT, REST,
	.judge = is_above, FACT(recipient_domains)},

    {"connected_longer", VALUE_DURATION, STAGE_MAIL, PASSING, .judge = is_above,
	FACT(connected_for)},
    {"unknown_commands_above", VALUE_NUMBER, STAGE_MAIL, READS_UNKNOWN,
	.judge = is_above, FACT(unknown_commands)},
    {"refused_recipients_above", VALUE_NUMBER, STAGE_MAIL, READS_REFUSED,
	.judge = is_above, FACT(refused_recipients)},

    {"header", VALUE_HEADERS, STAGE_EOM, GOOD | READS_HEADERS, .judge = header,
	NOT("header")},
    {"header_above", VALUE_HEADER_NUMBER, STAGE_EOM, GOOD | READS_HEADERS,
	.judge = header_above},
    /* Its headers are a part of a message's size. */
    {"size_above", VALUE_SIZE, STAGE_EOM, GOOD | READS_HEADERS | READS_BODY,
	.judge = size_above},

    {"hours", VALUE_HOURS, STAGE_MAIL, PASSING, .judge = hours, NOT("hours")},
    {"share", VALUE_SHARE, STAGE_MAIL, GOOD, .judge = share},

    {"known", VALUE_TRUE, STAGE_MAIL, STORE | GOOD, .judge = is_true,
	RECORD(known), NOT("known")},
    {"reputation_below", VALUE_REAL, STAGE_MAIL, STORE | FADES,
	.judge = score_below, RECORD(score)},
    {"reputation_above", VALUE_REAL, STAGE_MAIL, STORE | FADES,
	.judge = score_above, RECORD(score)},
    {"organisation_below", VALUE_REAL, STAGE_DATA, ORGANISATION,
	.judge = score_below, FACT(organisation_score),
	KNOWN_BY(organisation_certainty)},
    {"organisation_above", VALUE_REAL, STAGE_DATA, ORGANISATION,
	.judge = score_above, FACT(organisation_score),
	KNOWN_BY(organisation_certainty)},
    {"retried", VALUE_DURATION, STAGE_RCPT, STORE | RECIPIENT,
	.judge = retried},
    {"dnsbl_above", VALUE_DNSBL, STAGE_DATA, ASKS_DNS | GOOD | NAMES,
	.judge = dnsbl_above},
    {"dnsbl_below", VALUE_DNSBL, STAGE_DATA, ASKS_DNS | GOOD,
	.judge = dnsbl_below},
    {"spf", VALUE_SPF, STAGE_DATA, ASKS_DNS | ASKS_SPF | GOOD,
	.judge = is_result, FACT(spf), KNOWN_BY(spf_certainty), NOT("spf")},
    {"load_above", VALUE_LOAD, STAGE_MAIL, FADES, .judge = load_above},
    {"load_below", VALUE_LOAD, STAGE_MAIL, FADES, .judge = load_below},
    {"connections_above", VALUE_LIMIT, STAGE_MAIL, STORE, .judge = is_exceeded,
	.counts = LIMIT_CONNECTIONS},
    {"messages_above", VALUE_LIMIT, STAGE_MAIL, STORE, .judge = is_exceeded,
	.counts = LIMIT_MESSAGES},
    {"recipients_above", VALUE_LIMIT, STAGE_DATA, STORE | READS_RECIPIENTS,
	.judge = is_exceeded, .counts = LIMIT_RECIPIENTS},
    {"refused_above", VALUE_LIMIT, STAGE_MAIL, STORE | READS_REFUSED,
	.judge = is_exceeded, .counts = LIMIT_REFUSED},
    {"octets_above", VALUE_OCTETS, STAGE_EOM,
	STORE | READS_HEADERS | READS_BODY, .judge = is_exceeded,
	.counts = LIMIT_OCTETS},
    {"distinct_senders_above", VALUE_LIMIT, STAGE_DATA,
	STORE | READS_RECIPIENTS, .judge = is_exceeded,
	.counts = LIMIT_DISTINCT_SENDERS},
    {"distinct_recipients_above", VALUE_LIMIT, STAGE_DATA,
	STORE | READS_RECIPIENTS, .judge = is_exceeded,
	.counts = LIMIT_DISTINCT_RECIPIENTS},
    {"store_down", VALUE_TRUE, STAGE_MAIL, PASSING, .judge = is_true,
	FACT(store_down)},
    {"store_late", VALUE_TRUE, STAGE_MAIL, PASSING, .judge = is_true,
	FACT(store_late)},
};
/* clang-format on */

const size_t condition_type_count =
    sizeof condition_types / sizeof condition_types[0];

const struct condition_type *
condition_type_find(const char *name, bool *negated_r)
{
	for (size_t i = 0; i < condition_type_count; i++) {
		const struct condition_type *type = &condition_types[i];

		*negated_r =
		    type->contrary != NULL && strcmp(type->contrary, name) == 0;
		if (*negated_r || strcmp(type->name, name) == 0)
			return type;
	}
	return NULL;
}

enum stage
condition_ready(const struct condition *condition)
{
	enum stage ready = condition->type->ready;

	return condition_counts_recipients(condition) && ready < STAGE_RCPT
	    ? STAGE_RCPT
	    : ready;
}

const char *
condition_name(const struct condition *condition)
{
	return condition->negated ? condition->type->contrary
				  : condition->type->name;
}

/* A recipient has an answer of its own all the same, which is for him alone. */
unsigned
condition_flags(const struct condition *condition)
{
	unsigned flags = condition->type->flags;

	if (condition_counts_recipients(condition))
		flags |= ASKS_RECIPIENT;
	if (!condition->negated)
		return flags;
	flags &= ~(unsigned)ASKS_CLIENT;
	if ((flags & ASKS_RECIPIENT) == 0)
		flags &= ~(unsigned)ASKS_BY_NAME;
	return flags;
}

/* ---- Judging */

/* What to answer while what the predicate reads is not there; YES: it is. */
static enum answer
is_answerable(const struct asked *asked)
{
	const struct condition_type *type = asked->condition->type;
	const enum certainty *certainty =
	    (const void *)((const char *)asked->facts + type->certainty);

	if (condition_ready(asked->condition) == STAGE_RCPT &&
	    asked->recipient == NULL)
		return ANSWER_LATER;
	if ((type->kind == VALUE_FILE || type->kind == VALUE_SHARED) &&
	    list_of(asked) == NULL)
		return ANSWER_UNKNOWN;
	return type->certainty == 0 ? ANSWER_YES : answer_while(*certainty);
}

/* Where an answer that holds for the whole message is kept; NULL: it does not. */
static unsigned char *
kept_of(const struct asked *asked)
{
	const struct condition_type *type = asked->condition->type;

	if (asked->facts->settled == NULL ||
	    asked->condition->place >= SETTLED_MAX ||
	    (type->flags & (ASKS_FOR_GOOD | ASKS_RECIPIENT | ASKS_STORE)) !=
		ASKS_FOR_GOOD ||
	    type->ready == STAGE_RCPT)
		return NULL;
	return &asked->facts->settled[asked->condition->place];
}

static enum answer
judge(const struct asked *asked)
{
	enum answer answer = asked->condition->type->judge(asked);

	if (!asked->condition->negated)
		return answer;
	if (answer == ANSWER_YES)
		return ANSWER_NO;
	return answer == ANSWER_NO ? ANSWER_YES : answer;
}

enum answer
condition_judge(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient)
{
	const struct asked asked = {condition, facts, recipient};
	unsigned char *kept = kept_of(&asked);
	enum answer answer;

	if (kept != NULL && *kept != 0)
		return (enum answer)(*kept - 1);
	answer = is_answerable(&asked);
	if (answer == ANSWER_YES)
		answer = judge(&asked);
	if (kept != NULL && answer != ANSWER_LATER)
		*kept = (unsigned char)(answer + 1);
	return answer;
}
