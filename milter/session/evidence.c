#include "session/evidence.h"

#include <inttypes.h>
#include <stdio.h>

#include "session/shared.h"

void
evidence_ask(struct shared *shared, const struct message *message)
{
	if (message->policy->wants_dns)
		dns_lists_ask(
		    shared->dns_lists, message->policy, &message->facts);
}

void
evidence_forget(struct message *message)
{
	message->facts.dnsbls = message->dnsbls;
	for (size_t i = 0; i < message->policy->dnsbl_count; i++)
		message->dnsbls[i] = (struct dnsbl_sum){
		    .least = INT64_MIN, .most = INT64_MAX, .pending = true};
	message->evidence_pending = message->policy->dnsbl_count > 0;
}

static void
do_without(struct message *message)
{
	for (size_t i = 0; i < message->policy->dnsbl_count; i++)
		message->dnsbls[i].pending = false;
	message->evidence_pending = false;
}

void
evidence_take(struct shared *shared, struct message *message, enum stage stage)
{
	const struct policy *policy = message->policy;

	if (!message->evidence_pending)
		return;
	if (policy->wants_dns)
		message->evidence_pending = !dns_lists_read(shared->dns_lists,
		    policy, &message->facts, message->dnsbls);
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
		message->evidence_pending = !dns_lists_read(shared->dns_lists,
		    message->policy, &message->facts, message->dnsbls);
	} while (message->evidence_pending &&
	    resolver_wait(shared->resolver, seen, due_us));
	do_without(message);
	return true;
}

void
evidence_say(const struct message *message, char text_r[EVIDENCE_SIZE])
{
	const struct policy *policy = message->policy;
	size_t used = 0;

	text_r[0] = '\0';
	for (size_t i = 0; policy->wants_dns && i < policy->dnsbl_count; i++) {
		const struct dnsbl_sum *sum = &message->dnsbls[i];
		const char *comma = used == 0 ? "" : ",";

		if (sum->least == sum->most)
			used += (size_t)snprintf(text_r + used,
			    EVIDENCE_SIZE - used, "%s%.64s:%" PRId64, comma,
			    policy->dnsbls[i].name, sum->least);
		else
			used += (size_t)snprintf(text_r + used,
			    EVIDENCE_SIZE - used, "%s%.64s:unknown", comma,
			    policy->dnsbls[i].name);
	}
}
