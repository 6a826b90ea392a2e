#include "inquiry.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "effects.h"
#include "gate_parts.h"
#include "inquiry_limits.h"
#include "log.h"

/* A question answered and put again gets further each time; this many times is
 * more than a policy can need. */
#define LOOK_UPS_MAX 4

static unsigned
throw_dice(void)
{
	unsigned number = 0;

	if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
		return 0;
	return number % 10000;
}

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

void
inquiry_network(const struct settings *settings, const struct netaddr *client,
    char network_r[STORE_NETWORK_MAX])
{
	int64_t bits = client->length == 4 ? settings->network_ipv4
					   : settings->network_ipv6;
	struct network network;

	if (settings->identity == IDENTITY_ADDRESS)
		bits = 8 * client->length;
	network = network_of(client, (unsigned)bits);
	network_format(&network, network_r);
}

static void
forget_message(struct facts *facts)
{
	facts->recipient_count = 0;
	facts->recipients_seen = 0;
	facts->recipient_domains = 0;
	facts->header_count = 0;
	facts->size = 0;
	facts->complete = false;
	facts->record_certainty = FACT_ASK;
	facts->known = false;
	facts->score = 0;
	facts->clock_certainty = FACT_ASK;
	memset(facts->client_clock, 0, sizeof facts->client_clock);
}

void
inquiry_begin(struct gate *gate, struct inquiry *inquiry, int64_t now)
{
	struct facts *facts = &inquiry->facts;

	inquiry_end(gate, inquiry);
	inquiry->begun = true;
	inquiry->accepted = false;
	inquiry->exempt = false;
	inquiry->pairs_asked = 0;
	facts->now = now;
	facts->recipients = inquiry->recipients;
	facts->limits = inquiry->limits;
	facts->load_crossed = inquiry->load_crossed;
	facts->lists = inquiry->lists;
	forget_message(facts);
	limits_forget(inquiry);
	facts->store_down = !store_is_up(gate->store);
	facts->dice = throw_dice();
	set_local_time(facts);
	busy_read(
	    gate->busy, inquiry->policy, inquiry->load_crossed, &facts->load);
	lists_hold(
	    gate->lists, inquiry->policy, inquiry->snapshots, inquiry->lists);
}

static struct store_client
client_of(const struct inquiry *inquiry)
{
	struct store_client client = {.network = inquiry->network,
	    .host = inquiry->host,
	    .pool = inquiry->pool[0] == '\0' ? NULL : inquiry->pool};

	return client;
}

static const char *
identity_of(const struct inquiry *inquiry)
{
	return inquiry->pool[0] == '\0' ? inquiry->network : inquiry->pool;
}

/* --- the look-up --- */

static void
learn_nothing(struct gate *gate, struct inquiry *inquiry)
{
	struct facts *facts = &inquiry->facts;
	struct standing_entry entry;

	facts->store_down = true;
	facts->record_certainty = FACT_UNKNOWN;
	facts->clock_certainty = FACT_UNKNOWN;
	for (size_t i = 0; i < facts->recipient_count; i++)
		inquiry->recipients[i].clock_certainty = FACT_UNKNOWN;
	for (size_t i = 0; i < inquiry->policy->limit_count; i++)
		if (inquiry->limits[i].certainty == FACT_ASK)
			inquiry->limits[i].certainty = FACT_UNKNOWN;
	/* Who was in good standing a while ago is taken to be so still. */
	if (!standing_recall(gate->standing, identity_of(inquiry), facts->now,
		inquiry->policy->settings.store.remember_good, &entry))
		return;
	facts->record_certainty = FACT_KNOWN;
	facts->known = entry.known;
	facts->score = (double)entry.score;
}

static void
learn_record(struct gate *gate, struct inquiry *inquiry,
    const struct store_answer *answer)
{
	struct facts *facts = &inquiry->facts;
	const struct settings *settings = &inquiry->policy->settings;

	facts->store_down = false;
	facts->now = answer->now;
	facts->record_certainty = FACT_KNOWN;
	facts->known = settings->known_after > 0 &&
	    answer->passes >= settings->known_after;
	facts->score = reputation_score(
	    &answer->host, &answer->network, settings->reputation.prior);
	facts->clock_certainty = FACT_KNOWN;
	memcpy(facts->client_clock, answer->client, sizeof answer->client);
	inquiry->last_used = answer->last_used;

	if (facts->known) {
		struct standing_entry entry = {
		    true, (float)facts->score, facts->now};

		standing_note(gate->standing, identity_of(inquiry), &entry);
	}
}

static void
learn_clocks(struct inquiry *inquiry, const struct store_answer *answer)
{
	struct facts *facts = &inquiry->facts;

	for (size_t i = inquiry->pairs_asked; i < facts->recipient_count; i++) {
		struct recipient *recipient = &inquiry->recipients[i];

		memcpy(recipient->clock,
		    answer->pairs[i - inquiry->pairs_asked],
		    sizeof recipient->clock);
		recipient->clock_certainty = FACT_KNOWN;
	}
	inquiry->pairs_asked = facts->recipient_count;
}

static void
look_up(struct gate *gate, struct inquiry *inquiry, enum stage stage)
{
	const struct policy *policy = inquiry->policy;
	struct store_take takes[LIMITS_MAX];
	size_t which[LIMITS_MAX];
	struct store_query query = {.now = inquiry->facts.now,
	    .client = client_of(inquiry),
	    .pairs = &inquiry->pairs[inquiry->pairs_asked],
	    .pair_count = inquiry->facts.recipient_count - inquiry->pairs_asked,
	    .takes = takes};
	struct store_answer answer;

	for (int space = 0; space < CLOCK_SPACES; space++)
		query.spaces[space] = policy->clocks_used[space] ||
		    policy->client_clocks_used[space];
	query.take_count = limits_choose(inquiry, stage, takes, which);
	if (store_look_up(gate->store, &query, &answer) != STORE_OK) {
		learn_nothing(gate, inquiry);
		return;
	}
	learn_record(gate, inquiry, &answer);
	learn_clocks(inquiry, &answer);
	limits_learn(inquiry, &query, which, &answer);
}

struct outcome
inquiry_judge(struct gate *gate, struct inquiry *inquiry, size_t recipient,
    enum stage stage)
{
	struct outcome outcome;

	for (int tries = 0;; tries++) {
		outcome = recipient == INQUIRY_WHOLE
		    ? decide_message(inquiry->policy, &inquiry->facts, stage)
		    : decide(inquiry->policy, &inquiry->facts,
			  &inquiry->recipients[recipient], stage, NULL);
		if (outcome.verdict != VERDICT_ASK)
			return outcome;
		if (tries == LOOK_UPS_MAX) {
			log_error("the rules ask the store without end; "
				  "the message is let through");
			outcome.verdict = VERDICT_ACCEPT;
			return outcome;
		}
		look_up(gate, inquiry, stage);
	}
}

/* --- afterwards --- */

/* What the store is told, put together; all of it borrowed from here. */
struct telling {
	struct store_effects effects;
	struct store_take returned[LIMITS_MAX];
};

static void
add_effects(struct telling *telling, const struct effects *effects)
{
	struct store_effects *stored = &telling->effects;

	stored->marks = effects->pairs;
	stored->passes = effects->passes;
	stored->worthy = effects->worthy;
	memcpy(stored->client_mark, effects->client, sizeof effects->client);
}

/* Everything that is known of a message only when it is over: what it earned,
 * and the units of limits that it gives back because it was not accepted. */
static void
add_rest(struct telling *telling, struct inquiry *inquiry)
{
	struct store_effects *stored = &telling->effects;

	reputation_cap_message(
	    &inquiry->earned, inquiry->policy->settings.reputation.message_cap);
	stored->good = inquiry->earned.good;
	stored->bad = inquiry->earned.bad;
	memset(&inquiry->earned, 0, sizeof inquiry->earned);
	stored->returned = telling->returned;
	stored->returned_count =
	    limits_return(inquiry, !inquiry->accepted, telling->returned);
}

/* `effects` of a verdict, or NULL; what is left of the message when it is over. */
static void
hand_over(struct gate *gate, struct inquiry *inquiry,
    const struct effects *effects, bool is_over)
{
	struct telling telling;
	struct store_effects *stored = &telling.effects;

	*stored = (struct store_effects){.now = inquiry->facts.now,
	    .client = client_of(inquiry),
	    .pairs = inquiry->pairs};
	if (effects != NULL) {
		stored->pair_count = inquiry->facts.recipient_count;
		add_effects(&telling, effects);
	}
	if (is_over)
		add_rest(&telling, inquiry);
	if (store_has_marks(stored) || stored->passes > 0 || stored->worthy ||
	    stored->good > 0 || stored->bad > 0 || stored->returned_count > 0)
		(void)store_remember(gate->store, stored);
}

void
inquiry_settle(struct gate *gate, struct inquiry *inquiry, size_t recipient,
    const struct outcome *outcome)
{
	bool is_over = false;
	struct effects effects;

	if (outcome->verdict == VERDICT_DEFER) {
		is_over = recipient == INQUIRY_WHOLE;
		effects_of_deferral(
		    inquiry->policy, &inquiry->facts, recipient, &effects);
	} else {
		effects_of_acceptance(inquiry->policy, &inquiry->facts, outcome,
		    inquiry->last_used, &effects);
		inquiry->accepted = true;
	}
	if (effects.hammered && !inquiry->hammered) {
		inquiry->hammered = true;
		inquiry_event(inquiry, REPUTATION_HAMMERING);
	}
	if (effects.passes > 0)
		inquiry_event(inquiry, REPUTATION_GREYLIST_PASSED);
	hand_over(gate, inquiry, &effects, is_over);
}

void
inquiry_settle_trial(
    struct gate *gate, struct inquiry *inquiry, const struct outcome *outcome)
{
	struct effects effects;

	effects_of_trial(inquiry->policy, &inquiry->facts, outcome, &effects);
	hand_over(gate, inquiry, &effects, false);
}

void
inquiry_exempt(struct inquiry *inquiry)
{
	inquiry->exempt = true;
	inquiry->refused = 0;
	memset(&inquiry->earned, 0, sizeof inquiry->earned);
}

void
inquiry_event(struct inquiry *inquiry, enum reputation_event event)
{
	if (!inquiry->exempt)
		reputation_add(
		    &inquiry->earned, &inquiry->policy->weights, event);
}

void
inquiry_refused(struct inquiry *inquiry)
{
	if (inquiry->exempt)
		return;
	inquiry->refused++;
	inquiry_event(inquiry, REPUTATION_REFUSED_RECIPIENT);
}

void
inquiry_end(struct gate *gate, struct inquiry *inquiry)
{
	if (inquiry->network[0] != '\0')
		hand_over(gate, inquiry, NULL, true);
	if (!inquiry->begun)
		return;
	inquiry->begun = false;
	lists_release(inquiry->snapshots, inquiry->policy->list_count);
}

void
inquiry_count_connection(
    struct gate *gate, struct inquiry *inquiry, int64_t now)
{
	struct store_take taken[LIMITS_MAX];
	struct store_effects stored = {
	    .now = now, .client = client_of(inquiry), .returned = taken};

	stored.returned_count = limits_of_connection(inquiry, taken);
	if (stored.returned_count > 0)
		(void)store_remember(gate->store, &stored);
}
