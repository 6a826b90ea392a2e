#include "dns/evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/seconds.h"
#include "dns/spf.h"
#include "mail/netaddr.h"

/* No answer lives shorter, so that asking again before would be in vain. */
#define ASK_AGAIN_S 60

/* ---- Lists: who is asked about */

/* Addresses that no list has (RFC 6890). */
static const struct network private_networks[] = {
    {{{0}, 4}, 8},
    {{{10}, 4}, 8},
    {{{100, 64}, 4}, 10},
    {{{127}, 4}, 8},
    {{{169, 254}, 4}, 16},
    {{{172, 16}, 4}, 12},
    {{{192, 168}, 4}, 16},
    {{{224}, 4}, 3},
    {{{0}, 16}, 96},
    {{{0xfc}, 16}, 7},
    {{{0xfe, 0x80}, 16}, 10},
    {{{0xff}, 16}, 8},
};

static bool
is_private(const struct netaddr *address)
{
	const size_t count =
	    sizeof private_networks / sizeof private_networks[0];

	for (size_t i = 0; i < count; i++)
		if (network_contains(&private_networks[i], address))
			return true;
	return false;
}

/* What a section asks for: whether that is known, and whether there is anything
 * to ask for. */
struct subject {
	bool known;
	const struct netaddr *address; /* or */
	const char *name;	       /* NULL both: nothing */
};

static struct subject
subject_of(const struct dnsbl *dnsbl, const struct facts *facts)
{
	struct subject subject = {.known = true};

	switch (dnsbl->of) {
	case DNSBL_OF_CLIENT:
		if (!is_private(&facts->client))
			subject.address = &facts->client;
		break;
	case DNSBL_OF_CLIENT_NAME:
		subject.known = facts->name_certainty == FACT_KNOWN;
		subject.name = facts->name;
		break;
	case DNSBL_OF_HELO:
		subject.known = facts->helo_certainty == FACT_KNOWN;
		subject.name = facts->helo;
		break;
	case DNSBL_OF_SENDER_DOMAIN:
		subject.name = facts->null_sender ? NULL : facts->sender_domain;
		break;
	}
	return subject;
}

/* False: there is nothing to ask for. */
static bool
name_of(const struct subject *subject, const char *zone,
    char name_r[DNS_LIST_NAME_SIZE])
{
	if (subject->address != NULL) {
		dns_list_name_of_address(subject->address, zone, name_r);
		return true;
	}
	return subject->name != NULL &&
	    dns_list_name_of_domain(subject->name, zone, name_r);
}

/* Whether an earlier list of the section is of the same zone. */
static bool
is_again(const struct dnsbl *dnsbl, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (strcmp(dnsbl->lists[i].zone, dnsbl->lists[place].zone) == 0)
			return true;
	return false;
}

/* Of one zone, for all lists of it. */
struct verdict {
	bool is_known;
	bool is_there; /* nothing else will come */
	bool pending;
	struct dns_answer answer;
	unsigned char room[DNS_CODES_SIZE];
};

/* `asks`: see to it that it will be there; else only take what is. */
static void
hear_zone(struct dns *dns, const char *zone, const struct subject *subject,
    bool asks, struct verdict *verdict_r)
{
	char name[DNS_LIST_NAME_SIZE];
	const struct resolver_question question = {.name = name,
	    .type = DNS_A,
	    .room = verdict_r->room,
	    .size = sizeof verdict_r->room};
	bool is_all;

	verdict_r->is_known = verdict_r->is_there = verdict_r->pending = false;
	verdict_r->answer = (struct dns_answer){.status = DNS_NOTHING};
	if (!subject->known)
		return;
	if (!name_of(subject, zone, name)) {
		/* What is not there is not listed. */
		verdict_r->is_known = verdict_r->is_there = true;
		return;
	}
	if (!dns_list_is_on(dns, zone, subject->name != NULL,
		subject->address != NULL && subject->address->length == 16))
		return;
	is_all = asks
	    ? resolver_ask(dns->resolver, &question, &verdict_r->answer)
	    : resolver_peek(dns->resolver, name, DNS_A, verdict_r->room,
		  sizeof verdict_r->room, &verdict_r->answer);
	verdict_r->is_known = verdict_r->answer.status != DNS_FAILED;
	verdict_r->is_there = verdict_r->is_known && is_all;
	/* What was there before serves until the new answer is. */
	verdict_r->pending = !verdict_r->is_known && !is_all;
}

static enum dns_list_code
judge_list(const struct dns_list *list, struct dns_answer answer)
{
	enum dns_list_code found = DNS_LIST_NO_MATCH;
	struct dns_record record;

	while (dns_answer_next(&answer, &record)) {
		enum dns_list_code code = dns_list_judge(list, record.data);

		if (code > found)
			found = code;
	}
	return found;
}

/* Add all lists of the zone of the list at `place`. */
static void
add_zone_to_sum(const struct dnsbl *dnsbl, size_t place,
    const struct verdict *verdict, struct dnsbl_sum *sum)
{
	bool good = false, bad = false, may_good = false, may_bad = false;

	for (size_t i = place; i < dnsbl->list_count; i++) {
		const struct dns_list *list = &dnsbl->lists[i];
		enum dns_list_code code;
		bool is_listed;

		if (strcmp(list->zone, dnsbl->lists[place].zone) != 0)
			continue;
		code = verdict->is_known ? judge_list(list, verdict->answer)
					 : DNS_LIST_WRONG;
		if (code == DNS_LIST_NO_MATCH)
			continue;
		is_listed = code == DNS_LIST_MATCH;
		if (list->weight < 0 || is_listed)
			sum->least += list->weight;
		if (list->weight > 0 || is_listed)
			sum->most += list->weight;
		good = good || (list->weight < 0 && is_listed);
		bad = bad || (list->weight > 0 && is_listed);
		may_good = may_good || list->weight < 0;
		may_bad = may_bad || list->weight > 0;
	}
	sum->good += good;
	sum->bad += bad;
	sum->most_good += may_good;
	sum->most_bad += may_bad;
	sum->pending = sum->pending || verdict->pending;
}

/* All of the section is to be heard, each zone once. */
static void
forget_section(struct evidence *evidence, size_t section)
{
	const struct dnsbl *dnsbl = &evidence->policy->dnsbls[section];
	struct evidence_heard *heard = &evidence->heard[section];

	heard->sum = (struct dnsbl_sum){.needed = dnsbl->alone ? 1 : 2};
	heard->left = 0;
	for (size_t i = 0; i < dnsbl->list_count; i++)
		if (!is_again(dnsbl, i))
			heard->left |= UINT32_C(1) << i;
}

/* What is there already is taken; the rest will be read later. */
static void
ask_section(struct evidence *evidence, size_t section)
{
	const struct dnsbl *dnsbl = &evidence->policy->dnsbls[section];
	struct evidence_heard *heard = &evidence->heard[section];
	struct subject subject = subject_of(dnsbl, evidence->facts);
	struct verdict verdict;

	forget_section(evidence, section);
	for (size_t i = 0; i < dnsbl->list_count; i++) {
		if ((heard->left >> i & 1) == 0)
			continue;
		hear_zone(evidence->dns, dnsbl->lists[i].zone, &subject, true,
		    &verdict);
		if (!verdict.is_there)
			continue;
		add_zone_to_sum(dnsbl, i, &verdict, &heard->sum);
		heard->left &= ~(UINT32_C(1) << i);
	}
}

/* False: some is pending. */
static bool
read_section(struct evidence *evidence, size_t section)
{
	const struct dnsbl *dnsbl = &evidence->policy->dnsbls[section];
	const struct evidence_heard *heard = &evidence->heard[section];
	struct dnsbl_sum *sum = &evidence->dnsbls[section];
	struct subject subject;
	struct verdict verdict;

	*sum = heard->sum;
	if (heard->left == 0)
		return true;
	subject = subject_of(dnsbl, evidence->facts);
	for (size_t i = 0; i < dnsbl->list_count; i++) {
		if ((heard->left >> i & 1) == 0)
			continue;
		hear_zone(evidence->dns, dnsbl->lists[i].zone, &subject, false,
		    &verdict);
		add_zone_to_sum(dnsbl, i, &verdict, sum);
	}
	return !sum->pending;
}

/* ---- SPF on the answers that the resolver has, or gets
 *
 * Nobody waits: a check that needs more than is known goes on in the resolver's
 * thread, for at most 20 seconds (RFC 7208 4.6.4), and leaves its answers in the
 * resolver's cache.  How many go on at once is bounded. */

#define CHECKS_MAX 256 /* that go on in the thread */
#define LONGEST_US INT64_C(20000000)

struct check {
	struct dns *dns;
	struct spf spf;
	int64_t due_us;
	unsigned char room[DNS_DATA_MAX];
};

static void
prefetch(void *arg, const char *name, enum dns_type type)
{
	resolver_prefetch(arg, name, type);
}

static void
take(struct check *check, const struct dns_answer *answer)
{
	spf_take(&check->spf, answer, prefetch, check->dns->resolver);
}

/* Ask for what the check wants next, for `done` unless that is NULL. */
static bool
ask_next(struct check *check, resolver_done *done, struct dns_answer *answer_r)
{
	const struct resolver_question question = {check->spf.name,
	    check->spf.type, check->room, sizeof check->room, done, check};

	return resolver_ask(check->dns->resolver, &question, answer_r);
}

/* Go as far as the answers reach that are there, and have the next one asked
 * for.  False: it is not there yet. */
static bool
go_through(struct check *check)
{
	struct dns_answer answer;

	while (!check->spf.done) {
		if (!ask_next(check, NULL, &answer) &&
		    answer.status == DNS_FAILED)
			return false;
		take(check, &answer);
	}
	return true;
}

static void take_answer(void *arg, const struct dns_answer *answer);

/* Go on without anybody who waits, to the end or until an answer has to come:
 * from then on in the resolver's thread. */
static void
go_on(struct check *check)
{
	struct dns_answer answer;

	while (!check->spf.done && clock_steady_us() < check->due_us) {
		if (!ask_next(check, take_answer, &answer))
			return;
		take(check, &answer);
	}
	atomic_fetch_sub(&check->dns->spf_going_on, 1);
	free(check);
}

static void
take_answer(void *arg, const struct dns_answer *answer)
{
	take(arg, answer);
	go_on(arg);
}

static bool
hand_over(struct check *check)
{
	struct dns *dns = check->dns;

	if (atomic_fetch_add(&dns->spf_going_on, 1) >= CHECKS_MAX) {
		atomic_fetch_sub(&dns->spf_going_on, 1);
		return false;
	}
	check->due_us = clock_steady_us() + LONGEST_US;
	go_on(check);
	return true;
}

/* What is known now.  False: it may still come, and if it `goes_on` that will be
 * seen to. */
static bool
check_spf(
    const struct evidence *evidence, bool goes_on, enum spf_result *result_r)
{
	const struct facts *facts = evidence->facts;
	const struct spf_question question = {.client = facts->client,
	    .sender = facts->null_sender ? "" : facts->sender,
	    .helo = facts->helo};
	struct check *check = malloc(sizeof *check);
	bool all;

	*result_r = SPF_TEMPERROR;
	if (check == NULL)
		return true;
	check->dns = evidence->dns;
	spf_begin(&check->spf, &question);
	all = go_through(check);
	if (!all && goes_on && hand_over(check))
		return false;
	*result_r = check->spf.result;
	free(check);
	return all;
}

/* A failure of the DNS tells nothing. */
static void
take_spf(const struct evidence *evidence, bool goes_on)
{
	struct facts *facts = evidence->facts;
	enum spf_result result;

	if (!check_spf(evidence, goes_on, &result))
		return;
	facts->spf = result;
	facts->spf_certainty =
	    result == SPF_TEMPERROR ? FACT_UNKNOWN : FACT_KNOWN;
}

/* ---- Of one session */

/* What was there at the asking serves as long as asking again would be in vain. */
static bool
is_long_ago(const struct evidence *evidence)
{
	return seconds_apart(evidence->facts->now, evidence->asked_at) >=
	    ASK_AGAIN_S;
}

/* In memory, so it is known at once. */
static void
find_place(struct evidence *evidence)
{
	struct facts *facts = evidence->facts;
	struct geo *geo = evidence->dns->geo;

	facts->country = evidence->country;
	facts->country_certainty =
	    geo_find(geo, GEO_COUNTRY, &facts->client, evidence->country)
	    ? FACT_KNOWN
	    : FACT_UNKNOWN;
	facts->asn = evidence->asn;
	facts->asn_certainty =
	    geo_find(geo, GEO_ASN, &facts->client, evidence->asn)
	    ? FACT_KNOWN
	    : FACT_UNKNOWN;
}

/* A session may have many messages, so MAIL asks for all when it is time. */
static void
ask_lists(struct evidence *evidence, enum evidence_step step)
{
	static const unsigned asked_at[] = {
	    [EVIDENCE_CONNECT] =
		1U << DNSBL_OF_CLIENT | 1U << DNSBL_OF_CLIENT_NAME,
	    [EVIDENCE_HELO] = 1U << DNSBL_OF_HELO,
	    [EVIDENCE_MAIL] = 1U << DNSBL_OF_SENDER_DOMAIN,
	};
	unsigned asks = asked_at[step];

	if (step == EVIDENCE_MAIL && is_long_ago(evidence))
		asks |= asked_at[EVIDENCE_CONNECT] | asked_at[EVIDENCE_HELO];
	if ((asks & asked_at[EVIDENCE_CONNECT]) != 0)
		evidence->asked_at = evidence->facts->now;
	for (size_t i = 0; i < evidence->policy->dnsbl_count; i++)
		if ((asks >> evidence->policy->dnsbls[i].of & 1) != 0)
			ask_section(evidence, i);
		else if (step == EVIDENCE_CONNECT)
			forget_section(evidence, i);
}

/* A message begins: nothing has been told of it. */
static void
forget(struct evidence *evidence)
{
	evidence->facts->dnsbls = evidence->dnsbls;
	for (size_t i = 0; i < evidence->policy->dnsbl_count; i++)
		evidence->dnsbls[i] = (struct dnsbl_sum){
		    .least = INT64_MIN, .most = INT64_MAX, .pending = true};
	evidence->facts->spf = SPF_NONE;
	evidence->facts->spf_certainty =
	    evidence->policy->wants_spf ? FACT_LATER : FACT_UNKNOWN;
	evidence->pending =
	    evidence->policy->dnsbl_count > 0 || evidence->policy->wants_spf;
}

void
evidence_ask(struct evidence *evidence, enum evidence_step step)
{
	if (step == EVIDENCE_CONNECT)
		find_place(evidence);
	else if (step == EVIDENCE_MAIL)
		forget(evidence);
	if (evidence->policy->wants_dns)
		ask_lists(evidence, step);
	if (evidence->policy->wants_spf && step == EVIDENCE_MAIL)
		take_spf(evidence, true);
}

/* False: some of it is pending. */
static bool
read_all(struct evidence *evidence)
{
	const struct facts *facts = evidence->facts;
	bool all = true, again = is_long_ago(evidence);

	for (size_t i = 0; i < evidence->policy->dnsbl_count; i++) {
		if (again)
			forget_section(evidence, i);
		all = read_section(evidence, i) && all;
	}
	if (facts->spf_certainty == FACT_LATER)
		take_spf(evidence, false);
	return all && facts->spf_certainty != FACT_LATER;
}

static void
do_without(struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->policy->dnsbl_count; i++)
		evidence->dnsbls[i].pending = false;
	if (evidence->facts->spf_certainty == FACT_LATER)
		evidence->facts->spf_certainty = FACT_UNKNOWN;
	evidence->pending = false;
}

void
evidence_take(struct evidence *evidence, enum stage stage)
{
	const struct policy *policy = evidence->policy;

	if (!evidence->pending)
		return;
	if (policy->wants_dns)
		evidence->pending = !read_all(evidence);
	if (!policy->wants_dns ||
	    (stage >= STAGE_DATA && policy->settings.dns.patience_ms == 0))
		do_without(evidence);
}

bool
evidence_await(struct evidence *evidence, int64_t due_us)
{
	unsigned long seen = 0;

	if (!evidence->pending)
		return false;
	while (evidence->pending &&
	    resolver_wait(evidence->dns->resolver, &seen, due_us))
		evidence->pending = !read_all(evidence);
	do_without(evidence);
	return true;
}

bool
evidence_passes_spf(const struct evidence *evidence)
{
	const struct facts *facts = evidence->facts;
	enum spf_result result;

	if (!evidence->policy->wants_spf)
		return false;
	if (facts->spf_certainty == FACT_KNOWN)
		return facts->spf == SPF_PASS;
	return check_spf(evidence, false, &result) && result == SPF_PASS;
}

/* What the log says of SPF; a failure is told, though no rule goes by it. */
static const char *
say_spf(const struct facts *facts)
{
	if (facts->spf_certainty == FACT_KNOWN || facts->spf == SPF_TEMPERROR)
		return spf_result_names[facts->spf];
	return "unknown";
}

void
evidence_say(const struct evidence *evidence, char text_r[EVIDENCE_SIZE])
{
	const struct policy *policy = evidence->policy;
	size_t used = 0;

	text_r[0] = '\0';
	for (size_t i = 0; policy->wants_dns && i < policy->dnsbl_count; i++) {
		const struct dnsbl_sum *sum = &evidence->dnsbls[i];
		char what[24] = "unknown";

		if (sum->least == sum->most)
			(void)snprintf(
			    what, sizeof what, "%" PRId64, sum->least);
		used += (size_t)snprintf(text_r + used, EVIDENCE_SIZE - used,
		    "%s%.64s:%s", used == 0 ? " dnsbl=" : ",",
		    policy->dnsbls[i].name, what);
	}
	if (policy->wants_spf)
		(void)snprintf(text_r + used, EVIDENCE_SIZE - used, " spf=%s",
		    say_spf(evidence->facts));
}
