#include "session/evidence.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/seconds.h"
#include "session/shared.h"

/* No answer lives shorter, so that asking again before would be in vain. */
#define ASK_AGAIN_S 60

static struct spf_question
question_of(const struct message *message)
{
	const struct facts *facts = &message->facts;

	return (struct spf_question){.client = facts->client,
	    .sender = facts->null_sender ? "" : facts->sender,
	    .helo = facts->helo};
}

/* A session may have many messages, so MAIL asks for all when it is time. */
static unsigned
lists_at(struct message *message, enum evidence_step step)
{
	static const unsigned of[] = {
	    [EVIDENCE_CONNECT] =
		1U << DNSBL_OF_CLIENT | 1U << DNSBL_OF_CLIENT_NAME,
	    [EVIDENCE_HELO] = 1U << DNSBL_OF_HELO,
	    [EVIDENCE_MAIL] = 1U << DNSBL_OF_SENDER_DOMAIN,
	};
	int64_t now = message->facts.now;
	bool again = step == EVIDENCE_MAIL &&
	    seconds_apart(now, message->asked_at) >= ASK_AGAIN_S;

	if (step == EVIDENCE_CONNECT || again)
		message->asked_at = now;
	return again ? of[EVIDENCE_CONNECT] | of[EVIDENCE_HELO] | of[step]
		     : of[step];
}

void
evidence_ask(
    struct shared *shared, struct message *message, enum evidence_step step)
{
	if (message->policy->wants_dns)
		dns_lists_ask(shared->dns_lists, message->policy,
		    &message->facts, lists_at(message, step));
	if (message->policy->wants_spf && step == EVIDENCE_MAIL) {
		struct spf_question question = question_of(message);

		spf_checks_ask(shared->spf_checks, &question);
	}
}

void
evidence_forget(struct message *message)
{
	message->facts.dnsbls = message->dnsbls;
	for (size_t i = 0; i < message->policy->dnsbl_count; i++)
		message->dnsbls[i] = (struct dnsbl_sum){
		    .least = INT64_MIN, .most = INT64_MAX, .pending = true};
	message->facts.spf = SPF_NONE;
	message->facts.spf_certainty =
	    message->policy->wants_spf ? FACT_LATER : FACT_UNKNOWN;
	message->evidence_pending =
	    message->policy->dnsbl_count > 0 || message->policy->wants_spf;
}

/* False: some of it is pending. */
static bool
read_all(struct shared *shared, struct message *message)
{
	struct facts *facts = &message->facts;
	struct spf_question question = question_of(message);
	bool all = dns_lists_read(
	    shared->dns_lists, message->policy, facts, message->dnsbls);

	if (facts->spf_certainty == FACT_LATER &&
	    spf_checks_read(shared->spf_checks, &question, &facts->spf))
		facts->spf_certainty =
		    facts->spf == SPF_TEMPERROR ? FACT_UNKNOWN : FACT_KNOWN;
	return all && facts->spf_certainty != FACT_LATER;
}

static void
do_without(struct message *message)
{
	for (size_t i = 0; i < message->policy->dnsbl_count; i++)
		message->dnsbls[i].pending = false;
	if (message->facts.spf_certainty == FACT_LATER)
		message->facts.spf_certainty = FACT_UNKNOWN;
	message->evidence_pending = false;
}

void
evidence_take(struct shared *shared, struct message *message, enum stage stage)
{
	const struct policy *policy = message->policy;

	if (!message->evidence_pending)
		return;
	if (policy->wants_dns)
		message->evidence_pending = !read_all(shared, message);
	if (!policy->wants_dns ||
	    (stage >= STAGE_DATA && policy->settings.dns.patience_ms == 0))
		do_without(message);
}

bool
evidence_await(struct shared *shared, struct message *message, int64_t due_us)
{
	unsigned long seen;

	if (!message->evidence_pending)
		return false;
	do {
		seen = resolver_count(shared->resolver);
		message->evidence_pending = !read_all(shared, message);
	} while (message->evidence_pending &&
	    resolver_wait(shared->resolver, seen, due_us));
	do_without(message);
	return true;
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
evidence_say(const struct message *message, char text_r[EVIDENCE_SIZE])
{
	const struct policy *policy = message->policy;
	size_t used = 0;

	text_r[0] = '\0';
	for (size_t i = 0; policy->wants_dns && i < policy->dnsbl_count; i++) {
		const struct dnsbl_sum *sum = &message->dnsbls[i];
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
		    say_spf(&message->facts));
}
