/* Whose mail a message is, and what that has earned on the whole farm.
 *
 * An organisation is the one of the client's verified name, as its pool is, or else
 * the domain of the sender, if SPF says that the client may send its mail.  Anybody
 * can have such a domain: so it is no pool, gives no trust, and only joins what
 * comes back from another of its networks. */
#include "session/message_parts.h"

#include <stdio.h>
#include <string.h>

#include "policy/effects.h"

static bool
may_join(const struct message *message)
{
	return message->policy->wants_spf && message->pool[0] == '\0' &&
	    message->policy->settings.identity == IDENTITY_POOL;
}

/* The domain that says that the client is its own. */
static bool
find_domain(const struct message *message, char domain_r[HOSTNAME_SIZE])
{
	const struct facts *facts = &message->facts;
	const char *text =
	    facts->null_sender ? facts->helo : facts->sender_domain;
	char name[HOSTNAME_SIZE];

	return evidence_passes_spf(&message->evidence) &&
	    hostname_clean(text, name, sizeof name) &&
	    hostname_organisation(name, message->shared->psl, domain_r);
}

static void
find(struct message *message)
{
	bool wants = message->policy->wants_organisation;
	char domain[HOSTNAME_SIZE];
	const char *name = NULL;

	if (wants && message->pool[0] != '\0') {
		name = message->pool;
	} else if ((wants || may_join(message)) &&
	    find_domain(message, domain)) {
		name = domain;
		message->joins = may_join(message);
	}
	/* A network has no such name. */
	if (name != NULL)
		(void)snprintf(message->organisation,
		    sizeof message->organisation, "@%s", name);
}

void
organisation_find(struct message *message)
{
	struct facts *facts = &message->facts;

	if (message->organisation[0] != '\0')
		return;
	find(message);
	if (facts->organisation_certainty != FACT_LATER)
		return;
	if (message->organisation[0] != '\0')
		facts->organisation_certainty = FACT_ASK;
	else if (facts->spf_certainty != FACT_LATER)
		facts->organisation_certainty = FACT_UNKNOWN;
}

void
organisation_remember(
    const struct message *message, const struct store_effects *effects)
{
	struct store_effects stored = {.now = effects->now,
	    .client = {.network = message->organisation},
	    .worthy = effects->worthy};

	if (message->organisation[0] == '\0')
		return;
	if (message->joins) {
		stored.pairs = effects->pairs;
		stored.marks = effects->marks;
		stored.pair_count = effects->pair_count;
	}
	if (message->policy->wants_organisation) {
		stored.good = effects->good;
		stored.bad = effects->bad;
		stored.accepted = effects->accepted;
	}
	if (store_has_marks(&stored) || stored.good > 0 || stored.bad > 0 ||
	    stored.accepted > 0)
		(void)store_remember(message->shared->store, &stored);
}

bool
organisation_may_come(const struct message *message)
{
	return may_join(message) && message->organisation[0] == '\0' &&
	    message->facts.spf_certainty != FACT_KNOWN;
}

void
organisation_settle(struct message *message)
{
	struct effects effects;
	struct store_effects stored = {.now = message->facts.now,
	    .pairs = message->pairs,
	    .pair_count = message->facts.recipient_count,
	    .marks = effects.pairs};

	organisation_find(message);
	if (!message->joins_late || !message->joins)
		return;
	message->joins_late = false;
	effects_of_deferral(
	    message->policy, &message->facts, EFFECTS_ALL, &effects);
	organisation_remember(message, &stored);
}
