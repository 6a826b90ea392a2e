#include "dns/evidence.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seconds.h"
#include "dns/dns_lists.h"
#include "dns/geo.h"
#include "dns/spf.h"

/* No answer lives shorter, so that asking again before would be in vain. */
#define ASK_AGAIN_S 60

struct dns {
	struct resolver *resolver;
	struct dns_lists *lists;
	struct geo *geo;
	atomic_uint spf_going_on; /* checks, in the resolver's thread */
};

struct dns *
dns_open(void)
{
	struct dns *dns = calloc(1, sizeof *dns);

	if (dns == NULL)
		return NULL;
	dns->resolver = resolver_open();
	if (dns->resolver != NULL)
		dns->lists = dns_lists_open(dns->resolver);
	dns->geo = geo_open();
	if (dns->geo == NULL || dns->lists == NULL)
		dns_close(&dns);
	return dns;
}

void
dns_close(struct dns **dns)
{
	if (*dns == NULL)
		return;
	dns_lists_close(&(*dns)->lists);
	resolver_close(&(*dns)->resolver);
	geo_close(&(*dns)->geo);
	free(*dns);
	*dns = NULL;
}

/* A policy that asks no DNS gets no thread for it. */
void
dns_use(struct dns *dns, const struct policy *policy)
{
	const struct settings *settings = &policy->settings;
	struct resolver_terms terms = {.servers = settings->dns.servers,
	    .timeout_ms = settings->dns.timeout_ms,
	    .answers_max = (size_t)settings->dns.answers_max,
	    .memory_max = (size_t)settings->dns.memory_max};

	if (!resolver_use(dns->resolver, policy->wants_dns ? &terms : NULL))
		log_error("no thread for DNS: what it says is unknown");
}

void
dns_tick(struct dns *dns, const struct policy *policy)
{
	const char *const files[GEO_KINDS] = {
	    [GEO_COUNTRY] = policy->settings.geo.country_file,
	    [GEO_ASN] = policy->settings.geo.asn_file};

	dns_lists_tick(dns->lists, policy);
	geo_tick(dns->geo, files);
}

size_t
dns_take_news(struct dns *dns, unsigned char bytes_r[RESOLVER_NEWS_SIZE])
{
	return resolver_take_news(dns->resolver, bytes_r);
}

void
dns_learn(struct dns *dns, const void *bytes, size_t length)
{
	resolver_learn(dns->resolver, bytes, length);
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
	bool asking; /* within resolver_ask() */
	bool answered;
	unsigned char room[DNS_DATA_MAX];
};

static void
prefetch(void *arg, const char *name, enum dns_type type)
{
	resolver_prefetch(arg, name, type);
}

static void
take_spf(struct check *check, const struct dns_answer *answer)
{
	spf_take(&check->spf, answer);
	spf_foresee(&check->spf, prefetch, check->dns->resolver);
}

/* Go as far as the answers reach that are there, and have the next one asked
 * for.  False: it is not there yet. */
static bool
go_through(struct check *check)
{
	struct resolver *resolver = check->dns->resolver;
	struct spf *spf = &check->spf;

	while (!spf->done) {
		struct dns_answer answer;
		bool all;

		resolver_prefetch(resolver, spf->name, spf->type);
		all = resolver_peek(resolver, spf->name, spf->type, check->room,
		    sizeof check->room, &answer);
		if (answer.status == DNS_FAILED && !all)
			return false;
		take_spf(check, &answer);
	}
	return true;
}

/* NULL: out of memory. */
static struct check *
begin_check(struct dns *dns, const struct spf_question *question)
{
	struct check *check = malloc(sizeof *check);

	if (check == NULL)
		return NULL;
	check->dns = dns;
	check->asking = check->answered = false;
	spf_begin(&check->spf, question);
	return check;
}

/* `all`: what is needed is there.  Frees the check. */
static bool
end_check(struct check *check, bool all, enum spf_result *result_r)
{
	if (all)
		*result_r = check == NULL ? SPF_TEMPERROR : check->spf.result;
	free(check);
	return all;
}

/* What is known now of what was asked for. */
static bool
read_spf(struct dns *dns, const struct spf_question *question,
    enum spf_result *result_r)
{
	struct check *check = begin_check(dns, question);

	return end_check(check, check == NULL || go_through(check), result_r);
}

/* In the resolver's thread. */

static void go_on(void *arg);

static void
take_answer(void *arg, const struct dns_answer *answer)
{
	struct check *check = arg;

	take_spf(check, answer);
	if (check->asking)
		check->answered = true;
	else
		go_on(check);
}

/* An answer that is there at once is taken within the loop, so that no chain of
 * them grows the stack. */
static void
go_on(void *arg)
{
	struct check *check = arg;
	struct spf *spf = &check->spf;

	while (!spf->done && clock_steady_us() < check->due_us) {
		check->answered = false;
		check->asking = true;
		resolver_ask(check->dns->resolver, spf->name, spf->type,
		    take_answer, check);
		check->asking = false;
		if (!check->answered)
			return;
	}
	atomic_fetch_sub(&check->dns->spf_going_on, 1);
	free(check);
}

static bool
hand_over(struct check *check)
{
	struct dns *dns = check->dns;

	check->due_us = clock_steady_us() + LONGEST_US;
	if (atomic_fetch_add(&dns->spf_going_on, 1) < CHECKS_MAX &&
	    resolver_run(dns->resolver, go_on, check))
		return true;
	atomic_fetch_sub(&dns->spf_going_on, 1);
	return false;
}

/* What is known now.  False: it may still come, and will be seen to. */
static bool
ask_spf(struct dns *dns, const struct spf_question *question,
    enum spf_result *result_r)
{
	struct check *check = begin_check(dns, question);
	bool all = check == NULL || go_through(check);

	return (!all && hand_over(check)) ? false
					  : end_check(check, all, result_r);
}

/* ---- Of one session */

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

static struct spf_question
question_of(const struct evidence *evidence)
{
	const struct facts *facts = evidence->facts;

	return (struct spf_question){.client = facts->client,
	    .sender = facts->null_sender ? "" : facts->sender,
	    .helo = facts->helo};
}

/* The check is over; a failure of the DNS tells nothing. */
static void
learn_spf(struct facts *facts)
{
	facts->spf_certainty =
	    facts->spf == SPF_TEMPERROR ? FACT_UNKNOWN : FACT_KNOWN;
}

/* A session may have many messages, so MAIL asks for all when it is time. */
static unsigned
lists_at(struct evidence *evidence, enum evidence_step step)
{
	static const unsigned of[] = {
	    [EVIDENCE_CONNECT] =
		1U << DNSBL_OF_CLIENT | 1U << DNSBL_OF_CLIENT_NAME,
	    [EVIDENCE_HELO] = 1U << DNSBL_OF_HELO,
	    [EVIDENCE_MAIL] = 1U << DNSBL_OF_SENDER_DOMAIN,
	};
	int64_t now = evidence->facts->now;
	bool again = step == EVIDENCE_MAIL &&
	    seconds_apart(now, evidence->asked_at) >= ASK_AGAIN_S;

	if (step == EVIDENCE_CONNECT || again)
		evidence->asked_at = now;
	return again ? of[EVIDENCE_CONNECT] | of[EVIDENCE_HELO] | of[step]
		     : of[step];
}

void
evidence_ask(struct evidence *evidence, enum evidence_step step)
{
	if (step == EVIDENCE_CONNECT)
		find_place(evidence);
	if (evidence->policy->wants_dns)
		dns_lists_ask(evidence->dns->lists, evidence->policy,
		    evidence->facts, lists_at(evidence, step));
	if (evidence->policy->wants_spf && step == EVIDENCE_MAIL) {
		struct spf_question question = question_of(evidence);

		if (ask_spf(evidence->dns, &question, &evidence->facts->spf))
			learn_spf(evidence->facts);
	}
}

void
evidence_forget(struct evidence *evidence)
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

/* False: some of it is pending. */
static bool
read_all(struct evidence *evidence)
{
	struct facts *facts = evidence->facts;
	struct spf_question question = question_of(evidence);
	bool all = dns_lists_read(
	    evidence->dns->lists, evidence->policy, facts, evidence->dnsbls);

	if (facts->spf_certainty == FACT_LATER &&
	    read_spf(evidence->dns, &question, &facts->spf))
		learn_spf(facts);
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
	unsigned long seen;

	if (!evidence->pending)
		return false;
	do {
		seen = resolver_count(evidence->dns->resolver);
		evidence->pending = !read_all(evidence);
	} while (evidence->pending &&
	    resolver_wait(evidence->dns->resolver, seen, due_us));
	do_without(evidence);
	return true;
}

bool
evidence_passes_spf(const struct evidence *evidence)
{
	const struct facts *facts = evidence->facts;
	struct spf_question question = question_of(evidence);
	enum spf_result result;

	if (!evidence->policy->wants_spf)
		return false;
	if (facts->spf_certainty == FACT_KNOWN)
		return facts->spf == SPF_PASS;
	return read_spf(evidence->dns, &question, &result) &&
	    result == SPF_PASS;
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
		const char *before = used == 0 ? " dnsbl=" : ",";

		if (sum->least == sum->most)
			used += (size_t)snprintf(text_r + used,
			    EVIDENCE_SIZE - used, "%s%.64s:%" PRId64, before,
			    policy->dnsbls[i].name, sum->least);
		else
			used += (size_t)snprintf(text_r + used,
			    EVIDENCE_SIZE - used, "%s%.64s:unknown", before,
			    policy->dnsbls[i].name);
	}
	if (policy->wants_spf)
		(void)snprintf(text_r + used, EVIDENCE_SIZE - used, " spf=%s",
		    say_spf(evidence->facts));
}
