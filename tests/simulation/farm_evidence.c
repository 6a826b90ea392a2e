/* Takes the place of dns/evidence.c and dns/dns.c: what DNS says of a client is a
 * part of the world, and comes without a wire, at the first attempt or while it
 * waits. */
#include <stdlib.h>
#include <string.h>

#include "dns/evidence.h"
#include "farm_parts.h"

/* Of the attempt in hand: there is one at a time. */
static const struct farm_says *says;

void
farm_evidence_of(const struct farm_says *those)
{
	says = those;
}

struct dns *
dns_open(void)
{
	struct dns *dns = calloc(1, sizeof *dns);

	if (dns != NULL)
		dns->resolver = resolver_open();
	return dns;
}

void
dns_close(struct dns **dns)
{
	resolver_close(&(*dns)->resolver);
	free(*dns);
	*dns = NULL;
}

void
dns_use(struct dns *dns, const struct policy *policy)
{
	(void)dns;
	(void)policy;
}

void
dns_tick(struct dns *dns, const struct policy *policy)
{
	(void)dns;
	(void)policy;
}

static void
forget(struct evidence *evidence)
{
	const struct policy *policy = evidence->policy;

	evidence->facts->dnsbls = evidence->dnsbls;
	for (size_t i = 0; i < policy->dnsbl_count; i++)
		evidence->dnsbls[i] = (struct dnsbl_sum){
		    .least = INT64_MIN, .most = INT64_MAX, .pending = true};
	evidence->facts->spf = SPF_NONE;
	evidence->facts->spf_certainty =
	    policy->wants_spf ? FACT_LATER : FACT_UNKNOWN;
}

void
evidence_ask(struct evidence *evidence, enum evidence_step step)
{
	if (step == EVIDENCE_MAIL)
		forget(evidence);
	evidence->facts->country_certainty = FACT_UNKNOWN;
	evidence->facts->asn_certainty = FACT_UNKNOWN;
}

/* Two zones list whom a section knows, each with a weight of 2. */
static struct dnsbl_sum
sum_of(const struct dnsbl *dnsbl)
{
	bool is_trust = strcmp(dnsbl->name, "trusted") == 0;
	unsigned zones = (is_trust ? says->trusted : says->blocked) ? 2 : 0;
	int64_t sum = (is_trust ? -2 : 2) * (int64_t)zones;
	unsigned good = is_trust ? zones : 0;
	unsigned bad = is_trust ? 0 : zones;

	return (struct dnsbl_sum){.least = sum,
	    .most = sum,
	    .good = good,
	    .bad = bad,
	    .most_good = good,
	    .most_bad = bad,
	    .needed = dnsbl->alone ? 1 : 2};
}

void
evidence_take(struct evidence *evidence, enum stage stage)
{
	const struct policy *policy = evidence->policy;
	bool is_there = policy->wants_dns && says->in_time;

	if (stage < STAGE_DATA)
		return;
	for (size_t i = 0; i < policy->dnsbl_count; i++)
		if (is_there)
			evidence->dnsbls[i] = sum_of(&policy->dnsbls[i]);
		else
			evidence->dnsbls[i].pending = false;
	if (evidence->facts->spf_certainty == FACT_LATER)
		evidence->facts->spf_certainty =
		    is_there ? FACT_KNOWN : FACT_UNKNOWN;
	if (is_there)
		evidence->facts->spf = says->spf;
}

bool
evidence_await(struct evidence *evidence, int64_t due_us)
{
	(void)evidence;
	(void)due_us;
	return false;
}

bool
evidence_passes_spf(const struct evidence *evidence)
{
	return evidence->policy->wants_spf && says->spf == SPF_PASS;
}

void
evidence_say(const struct evidence *evidence, char text_r[EVIDENCE_SIZE])
{
	(void)evidence;
	text_r[0] = '\0';
}
