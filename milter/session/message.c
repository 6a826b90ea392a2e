#include "session/message.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/seconds.h"
#include "policy/reputation.h"

/* A question answered and put again gets further each time; this many times is
 * more than a policy can need. */
#define LOOK_UPS_MAX 4

static void
set_local_time(struct facts *facts)
{
	time_t now = (time_t)facts->now;
	struct tm local;

	if (localtime_r(&now, &local) == NULL)
		return;
	facts->weekday = local.tm_wday;
	facts->minute = local.tm_hour * 60 + local.tm_min;
}

static void
forget_message(struct message *message)
{
	struct facts *facts = &message->facts;

	message->complete = false;
	message->pairs_asked = 0;
	message->is_new = message->pool_is_new = false;
	message->organisation[0] = '\0';
	message->joins = message->joins_late = false;
	memset(message->settled, 0, sizeof message->settled);
	limits_begin(message, MESSAGE_WHOLE);
	facts->recipient_domains = 0;
	facts->size = 0;
	facts->complete = false;
	facts->record_certainty = FACT_ASK;
	facts->known = false;
	facts->score = 0;
	facts->clock_certainty = FACT_ASK;
	memset(facts->client_clock, 0, sizeof facts->client_clock);
	facts->organisation_certainty =
	    message->policy->wants_organisation ? FACT_LATER : FACT_UNKNOWN;
	facts->organisation_score = 0;
	facts->store_late = false;
}

/* Nothing is learned of a client that a rule accepts for who it is; also where MAIL
 * is not answered, so that recipients which the MTA refuses to it are not held
 * against it. */
static void
note_exemption(struct message *message)
{
	struct outcome outcome =
	    decide(message->policy, &message->facts, NULL, STAGE_MAIL, NULL);

	message->exempt = outcome.verdict == VERDICT_ACCEPT &&
	    outcome.rule != NULL && outcome.rule->of_client;
	if (!message->exempt)
		return;
	message->refused = 0;
	message->accepted = 0;
	memset(&message->earned, 0, sizeof message->earned);
}

void
message_begin(struct message *message, int64_t now)
{
	struct facts *facts = &message->facts;

	message->begun = true;
	facts->now = message->clock = now;
	facts->listed_now = store_now(message->shared->store, now);
	facts->recipients = message->recipients;
	facts->limits = message->limits;
	facts->load_crossed = message->load_crossed;
	facts->settled = message->settled;
	facts->met =
	    message->shared->rehearse == NULL ? message->policy->met : NULL;
	facts->lists = message->lists;
	forget_message(message);
	facts->store_down = !store_is_up(message->shared->store);
	facts->dice = (unsigned)(random_draw(&message->random) % 10000);
	set_local_time(facts);
	load_watch_read(message->shared->load_watch, message->policy,
	    message->load_crossed, &facts->load, &facts->load_source);
	lists_hold(message->shared->lists, message->policy, message->snapshots,
	    message->lists);
	evidence_ask(&message->evidence, EVIDENCE_MAIL);
	note_exemption(message);
}

struct store_client
message_client(const struct message *message)
{
	struct store_client client = {.network = message->network,
	    .host = message->host,
	    .pool = message->pool[0] == '\0' ? NULL : message->pool};

	if (message->policy->settings.identity != IDENTITY_NETWORK)
		client.address = message->address;
	return client;
}

const char *
message_identity(const struct message *message)
{
	const struct store_client client = message_client(message);

	return client.pool != NULL   ? client.pool
	    : client.address != NULL ? client.address
				     : client.network;
}

/* ---- The look-up */

static void
give_up(enum certainty *certainty)
{
	if (*certainty == FACT_ASK)
		*certainty = FACT_UNKNOWN;
}

/* What was told before stays known, and who was in good standing a while ago is
 * taken to be so still. */
static void
learn_nothing(struct message *message, enum store_result why)
{
	struct facts *facts = &message->facts;
	const struct store_client client = message_client(message);
	struct known_cache_entry entry;

	facts->store_down = why == STORE_DOWN;
	facts->store_late = why != STORE_DOWN;
	give_up(&facts->record_certainty);
	give_up(&facts->clock_certainty);
	for (size_t i = 0; i < facts->recipient_count; i++)
		give_up(&message->recipients[i].clock_certainty);
	for (size_t i = 0; i < message->policy->limit_count; i++)
		give_up(&message->limits[i].certainty);
	give_up(&facts->organisation_certainty);
	if (facts->record_certainty == FACT_KNOWN ||
	    !known_cache_find(message->shared->known_cache, &client, facts->now,
		message->policy->settings.store.remember_good, &entry))
		return;
	facts->record_certainty = FACT_KNOWN;
	facts->known = entry.known;
	facts->score = (double)entry.score;
}

/* A pass of a client whose reputation is poor is kept no longer than an attempt
 * would be: it is made to look forgotten, so that its clock starts anew. */
static void
doubt_pass(
    const struct settings *settings, int64_t now, struct greylist_clock *clock)
{
	if (clock->last_passed != 0 &&
	    seconds_apart(now, clock->last_passed) > settings->retry_window)
		clock->last_passed = 1;
}

static void
learn_record(struct message *message, const struct store_query *query,
    const struct store_answer *answer)
{
	struct facts *facts = &message->facts;
	const struct settings *settings = &message->policy->settings;
	const struct store_client client = message_client(message);
	struct standing standing;

	standing_of(settings, &answer->host, &answer->network, answer->passes,
	    &standing);
	facts->store_down = facts->store_late = false;
	facts->now = answer->now;
	facts->record_certainty = FACT_KNOWN;
	facts->score = standing.score;
	facts->known = standing.known;
	facts->clock_certainty = FACT_KNOWN;
	memcpy(facts->client_clock, answer->client, sizeof answer->client);
	for (int space = 0; standing.is_poor && space < CLOCK_SPACES; space++)
		doubt_pass(settings, facts->now, &facts->client_clock[space]);
	message->last_used = answer->last_used;
	message->is_new = answer->is_new;
	message->pool_is_new = answer->pool_is_new;
	if (query->organisation != NULL &&
	    message->policy->wants_organisation) {
		facts->organisation_certainty = FACT_KNOWN;
		facts->organisation_score =
		    reputation_score(&answer->organisation,
			&answer->organisation, settings->reputation.prior);
	}
	known_cache_learn(message->shared->known_cache, &client,
	    &(struct known_cache_entry){
		facts->known, (float)facts->score, facts->now});
}

/* A pair without a clock, whose host's first attempts are pushed out by others of
 * its own, may have come before any of those: once that has gone on for as long
 * as anybody is put off, it is taken to have waited for the greylist, though not for
 * the delay cap of other rules. */
static void
mind_crowd(const struct message *message, const struct store_answer *answer,
    struct recipient *recipient)
{
	struct greylist_clock *clock = &recipient->clock[CLOCK_REAL];
	int64_t cap = message->policy->settings.delay_cap;
	int64_t now = message->facts.now;

	recipient->is_supposed = clock->first_seen == 0 &&
	    clock->last_passed == 0 && cap > 0 && answer->crowded_since != 0 &&
	    seconds_between(now, answer->crowded_since) >= cap;
	if (recipient->is_supposed)
		clock->first_seen = now - cap;
}

static void
learn_clocks(struct message *message, const struct store_answer *answer)
{
	struct facts *facts = &message->facts;

	for (size_t i = message->pairs_asked; i < facts->recipient_count; i++) {
		struct recipient *recipient = &message->recipients[i];

		memcpy(recipient->clock,
		    answer->pairs[i - message->pairs_asked],
		    sizeof recipient->clock);
		mind_crowd(message, answer, recipient);
		recipient->clock_certainty = FACT_KNOWN;
	}
	message->pairs_asked = facts->recipient_count;
}

/* Has nobody of this network asked the store here before, as far as we remember?
 * From now on somebody has. */
static bool
is_newcomer(const struct message *message)
{
	uint64_t hash =
	    hash_64(HASH_64, message->network, strlen(message->network));
	atomic_uint *place = &message->shared->seen[hash % SHARED_SEEN];
	unsigned mark = (unsigned)(hash >> 32) | 1;

	if (atomic_load_explicit(place, memory_order_relaxed) == mark)
		return false;
	atomic_store_explicit(place, mark, memory_order_relaxed);
	return true;
}

/* Most who come for the first time are deferred, and would give back the units of
 * limits: so for them these are only read, unless it is known that they are to
 * be `taken`. */
static void
look_up(
    struct message *message, enum stage stage, bool taken, int64_t waited_ms)
{
	const struct policy *policy = message->policy;
	struct store_take takes[LIMIT_TAKES_MAX];
	size_t which[LIMIT_TAKES_MAX];
	struct store_query query = {.now = message->clock,
	    .waited_ms = waited_ms,
	    .client = message_client(message),
	    .pairs = &message->pairs[message->pairs_asked],
	    .pair_count = message->facts.recipient_count - message->pairs_asked,
	    .takes = takes};
	struct store_answer *answer = &message->answer;
	enum store_result result;

	for (int space = 0; space < CLOCK_SPACES; space++)
		query.spaces[space] = policy->clocks_used[space] ||
		    policy->client_clocks_used[space];
	query.take_count = limits_choose(
	    message, stage, !taken && is_newcomer(message), takes, which);
	if (message->organisation[0] != '\0')
		query.organisation = message->organisation;
	query.joins = message->joins;
	result = store_look_up(message->shared->store, &query, answer);
	counters_count(message->shared->counters, COUNT_TRIPS);
	if (result != STORE_OK) {
		counters_count(message->shared->counters,
		    result == STORE_DOWN ? COUNT_AWAY : COUNT_LATE);
		learn_nothing(message, result);
		return;
	}
	learn_record(message, &query, answer);
	learn_clocks(message, answer);
	limits_learn(message, &query, which, answer);
}

void
message_recall(struct message *message)
{
	struct store_query query = {.now = message->clock,
	    .client = message_client(message),
	    .peeks = true};

	if (store_look_up(message->shared->store, &query, &message->answer) ==
	    STORE_OK)
		learn_record(message, &query, &message->answer);
}

/* A rule on trial takes what is there, and nobody waits for it. */
static bool
waits_for_evidence(const struct outcome *outcome, enum stage stage)
{
	return stage >= STAGE_DATA &&
	    (outcome->verdict == VERDICT_WAIT ||
		(outcome->trial_waits && outcome->verdict != VERDICT_ASK));
}

/* Whether it needs no units to hold: what lets a message through does. */
static bool
is_final(const struct outcome *outcome, enum stage stage)
{
	return outcome->verdict == VERDICT_DEFER ||
	    (outcome->verdict == VERDICT_WAIT && stage != STAGE_EOM);
}

struct outcome
message_judge(struct message *message, size_t recipient, enum stage stage)
{
	struct outcome outcome;
	int64_t due_us = clock_steady_us() +
	    message->policy->settings.dns.patience_ms * 1000;
	int64_t began_us, took_us, waited_us = 0; /* for the store */

	evidence_take(&message->evidence, stage);
	if (recipient != MESSAGE_WHOLE)
		limits_begin(message, recipient);
	for (int tries = 0;; tries++) {
		organisation_find(message);
		outcome = recipient == MESSAGE_WHOLE
		    ? decide_message(message->policy, &message->facts, stage)
		    : decide(message->policy, &message->facts,
			  &message->recipients[recipient], stage, NULL);
		if (waits_for_evidence(&outcome, stage) &&
		    evidence_await(&message->evidence,
			outcome.verdict == VERDICT_WAIT ? due_us : 0))
			continue;
		if (is_final(&outcome, stage) ||
		    (outcome.verdict != VERDICT_ASK &&
			!limits_take_rest(message)))
			return outcome;
		if (outcome.verdict == VERDICT_ASK && tries == LOOK_UPS_MAX) {
			log_error("the rules ask the store without end; "
				  "the message is let through");
			outcome.verdict = VERDICT_ACCEPT;
			return outcome;
		}
		began_us = clock_steady_us();
		look_up(message, stage, outcome.verdict != VERDICT_ASK,
		    waited_us / 1000);
		took_us = clock_steady_us() - began_us;
		counters_wait(message->shared->counters, took_us);
		waited_us += took_us;
	}
}
