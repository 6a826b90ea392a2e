/* What a message makes the store remember: of its client and its pairs, and of the
 * organisation whose mail it is.
 *
 * An organisation is the one of the client's verified name, as its pool is, or else
 * the domain of the sender, if SPF says that the client may send its mail.  Anybody
 * can have such a domain: so it is no pool, gives no trust, and only joins what
 * comes back from another of its networks. */
#include "session/message.h"

#include <stdio.h>
#include <string.h>

#include "mail/mailaddr.h"
#include "policy/effects.h"

#define PASSED_LATELY INT64_C(3600) /* seconds */

/* ---- The organisation */

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

/* Of what is remembered of the client, what is the organisation's. */
static void
remember_organisation(
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

/* Whether it is not known only because DNS has not told. */
static bool
organisation_may_come(const struct message *message)
{
	return may_join(message) && message->organisation[0] == '\0' &&
	    message->facts.spf_certainty != FACT_KNOWN;
}

/* The message is over, and what DNS says of it may be there only now: its pairs
 * have to be known when they come back from elsewhere. */
static void
settle_organisation(struct message *message)
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
	remember_organisation(message, &stored);
}

/* ---- The client and the pairs */

/* Who does wrong again while its reputation is poor waits again. */
static void
end_pass(const struct message *message, struct store_effects *stored)
{
	const struct facts *facts = &message->facts;

	if (facts->record_certainty != FACT_KNOWN ||
	    facts->clock_certainty != FACT_KNOWN ||
	    facts->score >= message->policy->settings.reputation.poor_below)
		return;
	for (int space = 0; space < CLOCK_SPACES; space++)
		if (facts->client_clock[space].last_passed != 0 &&
		    (stored->client_mark[space] == MARK_NONE ||
			stored->client_mark[space] == MARK_PASSED))
			stored->client_mark[space] = MARK_FORGET;
}

/* What a message earned, which is known only when it is over. */
static void
add_earned(struct message *message, struct store_effects *stored)
{
	reputation_cap_message(
	    &message->earned, message->policy->settings.reputation.message_cap);
	stored->good = message->earned.good;
	stored->bad = message->earned.bad;
	stored->accepted = message->accepted;
	if (stored->bad > 0)
		end_pass(message, stored);
	memset(&message->earned, 0, sizeof message->earned);
	message->accepted = 0;
}

/* `effects` of a verdict, or NULL; what is left of the message when it is over. */
static void
hand_over(struct message *message, const struct effects *effects, bool is_over)
{
	struct store_take returned[LIMIT_TAKES_MAX];
	struct store_effects stored = {.now = message->facts.now,
	    .client = message_client(message),
	    .pairs = message->pairs,
	    .is_new = message->is_new,
	    .pool_is_new = message->pool_is_new};

	if (effects != NULL) {
		stored.pair_count = message->facts.recipient_count;
		stored.marks = effects->pairs;
		stored.passes = effects->passes;
		stored.worthy = effects->worthy;
		memcpy(stored.client_mark, effects->client,
		    sizeof effects->client);
	}
	if (is_over)
		add_earned(message, &stored);
	stored.returned = returned;
	stored.returned_count = limits_return(message, is_over, returned);
	if (store_has_marks(&stored) || stored.passes > 0 || stored.worthy ||
	    stored.good > 0 || stored.bad > 0 || stored.accepted > 0 ||
	    stored.returned_count > 0) {
		message->is_new = message->pool_is_new = false;
		(void)store_remember(message->shared->store, &stored);
		remember_organisation(message, &stored);
	}
}

void
message_deferred(struct message *message, size_t recipient)
{
	struct effects effects;

	effects_of_deferral(
	    message->policy, &message->facts, recipient, &effects);
	if (effects.hammered && !message->hammered) {
		message->hammered = true;
		message_event(message, REPUTATION_HAMMERING);
	}
	message->joins_late = organisation_may_come(message);
	hand_over(message, &effects, recipient == MESSAGE_WHOLE);
}

/* Whether this client has not passed so lately; now it has. */
static bool
passes_anew(
    const struct message *message, const char *sender, const char *recipient)
{
	const struct known_cache_entry entry = {true, 0, message->facts.now};
	struct known_cache_entry found;
	char who[STORE_POOL_MAX + 2 * MAILADDR_SIZE];

	(void)snprintf(who, sizeof who, "%s %s %s", message_identity(message),
	    sender, recipient);
	if (known_cache_recall(message->shared->passed, who, entry.seen,
		PASSED_LATELY, &found))
		return false;
	known_cache_note(message->shared->passed, who, &entry);
	return true;
}

/* One pair that passes in several sessions at once has passed once. */
static int64_t
count_passes(const struct message *message, const struct effects *effects)
{
	bool anew = false;

	if (effects->passes == 0)
		return 0;
	for (size_t i = 0; i < message->facts.recipient_count; i++)
		if (effects->pairs[i][CLOCK_REAL] == MARK_PASSED)
			anew |= passes_anew(message, message->pairs[i].sender,
			    message->pairs[i].recipient);
	return anew ? effects->passes : 0;
}

void
message_completed(struct message *message, const struct outcome *outcome)
{
	struct effects effects;

	message->complete = true;
	effects_of_acceptance(message->policy, &message->facts, outcome,
	    message->last_used, &effects);
	effects.passes = count_passes(message, &effects);
	if (effects.passes > 0)
		message_event(message, REPUTATION_GREYLIST_PASSED);
	/* What DNS says is no pass that was waited for: such counts once an hour,
	 * so that a burst of messages makes nobody known. */
	else if (effects.is_evident && passes_anew(message, "", ""))
		effects.passes = 1;
	hand_over(message, &effects, true);
}

void
message_event(struct message *message, enum reputation_event event)
{
	const struct reputation_weights *weights =
	    &message->policy->settings.reputation.weights;

	if (message->exempt)
		return;
	/* Callouts and backscatter are no fault of their sender. */
	if (event == REPUTATION_REFUSED_RECIPIENT) {
		message->refused++;
		if (message->facts.null_sender)
			return;
	}
	if (event == REPUTATION_ACCEPTED || event == REPUTATION_GREYLIST_PASSED)
		message->accepted += weights->points[event];
	else
		reputation_add(&message->earned, weights, event);
}

void
message_end(struct message *message)
{
	if (message->begun)
		settle_organisation(message);
	if (message->network[0] != '\0')
		hand_over(message, NULL, true);
	if (!message->begun)
		return;
	message->begun = false;
	lists_release(message->snapshots, message->policy->list_count);
}

void
message_count_connection(struct message *message, int64_t now)
{
	struct store_take taken[LIMIT_TAKES_MAX];
	struct store_effects stored = {
	    .now = now, .client = message_client(message), .returned = taken};

	stored.returned_count = limits_of_connection(message, taken);
	if (stored.returned_count > 0)
		(void)store_remember(message->shared->store, &stored);
}
