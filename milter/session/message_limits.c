/* The units of limits that one message takes and gives back. */
#include "session/message.h"

#include <string.h>

void
limits_begin(struct message *message, size_t recipient)
{
	const struct policy *policy = message->policy;

	if (recipient != MESSAGE_WHOLE)
		message->limited = recipient;
	for (size_t i = 0; i < policy->limit_count; i++) {
		const struct condition *condition = policy->limits[i].condition;
		struct limit_count *count = &message->limits[i];

		if (recipient != MESSAGE_WHOLE &&
		    !condition_counts_recipients(condition))
			continue;
		/* A session is one connection: its unit was counted. */
		if (condition->type->counts == LIMIT_CONNECTIONS &&
		    count->certainty == FACT_KNOWN)
			continue;
		memset(count, 0, sizeof *count);
		count->certainty = FACT_ASK;
		message->is_untaken[i] = false;
	}
}

/* Whom a limit counts here: the client's network, or its host, for NULL.  False:
 * nobody. */
static bool
find_holder(
    const struct message *message, enum limit_by by, const char **holder_r)
{
	*holder_r = NULL;
	switch (by) {
	case LIMIT_BY_NETWORK:
	case LIMIT_BY_HOST:
		break;
	case LIMIT_BY_SENDER:
		*holder_r = message->facts.sender;
		break;
	case LIMIT_BY_RECIPIENT:
		*holder_r = message->limited < message->facts.recipient_count
		    ? message->pairs[message->limited].recipient
		    : "";
		break;
	case LIMIT_BY_SERVER:
		*holder_r = message->server;
		break;
	case LIMIT_BY_SENDER_DOMAIN:
		*holder_r = message->facts.sender_domain;
		break;
	case LIMIT_BY_USER:
		*holder_r = message->facts.user;
		break;
	case LIMIT_BY_ALL:
		*holder_r = "*";
		break;
	}
	return *holder_r == NULL || (*holder_r)[0] != '\0';
}

/* A message with more recipients than the limit fits when nobody else took any:
 * it could never get through otherwise. */
static int64_t
units_of(const struct message *message, const struct limit *limit)
{
	int64_t units = 0, above;

	switch (limit->condition->type->counts) {
	case LIMIT_CONNECTIONS:
	case LIMIT_MESSAGES:
		return 1;
	case LIMIT_RECIPIENTS:
		units = message->facts.recipients_seen;
		break;
	case LIMIT_OCTETS:
		units = message->facts.size / LIMIT_OCTET_UNIT + 1;
		break;
	case LIMIT_REFUSED: /* only read here; counted as they are refused */
	case LIMIT_DISTINCT_SENDERS: /* not in units */
	case LIMIT_DISTINCT_RECIPIENTS:
	case LIMIT_NONE:
		return 0;
	}
	(void)condition_above(limit->condition, &message->facts, &above);
	return units < above ? units : above;
}

/* Whether any of the conditions that ask, or do not ask, about each recipient
 * says "no". */
static bool
excludes(const struct message *message, const struct rule *rule,
    const struct recipient *recipient, bool of_recipient)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct condition *condition = &rule->conditions[i];
		bool asks = (condition_flags(condition) & ASKS_RECIPIENT) != 0;

		if (!condition_counts(condition) && asks == of_recipient &&
		    condition_judge(condition, &message->facts, recipient) ==
			ANSWER_NO)
			return true;
	}
	return false;
}

/* Whether the other conditions of a limit's rule leave it open that the rule
 * holds, so that its units are worth taking. */
static bool
may_hold(const struct message *message, const struct limit *limit)
{
	const struct rule *rule = limit->rule;
	const struct recipient *recipients = message->recipients;
	size_t count = message->facts.recipient_count;
	int64_t above;

	if (condition_above(limit->condition, &message->facts, &above) !=
	    ANSWER_YES)
		return false;
	if (excludes(message, rule, count == 0 ? NULL : recipients, false))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!excludes(message, rule, &recipients[i], true))
			return true;
	return count == 0 && !excludes(message, rule, NULL, true);
}

/* A limit that is scaled by reputation may be twice as high. */
static void
count_distinct(const struct message *message, const struct condition *condition,
    struct store_take *take)
{
	int64_t above;

	if (condition->type->counts == LIMIT_DISTINCT_SENDERS)
		take->distinct = STORE_SENDERS;
	else if (condition->type->counts == LIMIT_DISTINCT_RECIPIENTS)
		take->distinct = STORE_RECIPIENTS;
	else
		return;
	(void)condition_above(condition, &message->facts, &above);
	if (above > LIMIT_DISTINCT_MAX)
		above = LIMIT_DISTINCT_MAX;
	take->pairs = message->pairs;
	take->pair_count = message->facts.recipient_count;
	take->most = 2 * above + RECIPIENTS_MAX + 1;
}

/* Add what a limit counts, for the client and for its family, if there is anybody
 * whom it counts; which of the two is told, as limits_choose() does, unless
 * `which_r` is NULL. */
static size_t
add_takes(const struct message *message, size_t limit_index, int64_t units,
    struct store_take *takes_r, size_t *which_r)
{
	const struct limit *limit = &message->policy->limits[limit_index];
	enum limit_by by = limit->condition->by;
	const char *holder;
	size_t count = 1;

	_Static_assert(LIMIT_TAKES_MAX <= STORE_TAKES_MAX, "too many takes");
	if (!find_holder(message, by, &holder))
		return 0;
	takes_r[0] = (struct store_take){.id = limit->id,
	    .holder = holder,
	    .of_host = by == LIMIT_BY_HOST,
	    .period = limit->condition->period,
	    .units = units,
	    .at = message->taken_at[limit_index]};
	count_distinct(message, limit->condition, &takes_r[0]);
	if (message->family[0] != '\0' && holder == NULL) {
		takes_r[1] = takes_r[0];
		takes_r[1].holder = message->family;
		takes_r[1].most = STORE_DISTINCT_MAX;
		count = 2;
	}
	for (size_t i = 0; which_r != NULL && i < count; i++)
		which_r[i] = limit_index + i * LIMITS_MAX;
	return count;
}

/* The same for all limits that count this, but for those whose units were taken
 * at the look-up. */
static size_t
add_uncounted(const struct message *message, enum limit_kind counts,
    int64_t units, struct store_take *takes_r)
{
	const struct policy *policy = message->policy;
	size_t count = 0;

	for (size_t i = 0; units != 0 && i < policy->limit_count; i++)
		if (policy->limits[i].condition->type->counts == counts &&
		    (counts == LIMIT_REFUSED ||
			message->limits[i].certainty != FACT_KNOWN))
			count +=
			    add_takes(message, i, units, &takes_r[count], NULL);
	return count;
}

size_t
limits_choose(const struct message *message, enum stage stage, bool only_reads,
    struct store_take takes_r[LIMIT_TAKES_MAX], size_t which_r[LIMIT_TAKES_MAX])
{
	const struct policy *policy = message->policy;
	size_t count = 0;

	for (size_t i = 0; i < policy->limit_count; i++) {
		const struct limit *limit = &policy->limits[i];
		bool of_recipient =
		    condition_counts_recipients(limit->condition);
		bool is_given_back = !of_recipient &&
		    limit->condition->type->counts != LIMIT_CONNECTIONS;

		if (message->limits[i].certainty != FACT_ASK ||
		    condition_ready(limit->condition) > stage ||
		    (of_recipient && stage > STAGE_RCPT) ||
		    !may_hold(message, limit))
			continue;
		count += add_takes(message, i,
		    only_reads && is_given_back ? 0 : units_of(message, limit),
		    &takes_r[count], &which_r[count]);
	}
	return count;
}

/* A limit that counts nobody here has no count; asking again will not help. */
static void
settle_idle(struct message *message)
{
	const struct policy *policy = message->policy;
	const char *holder;

	for (size_t i = 0; i < policy->limit_count; i++)
		if (message->limits[i].certainty == FACT_ASK &&
		    !find_holder(
			message, policy->limits[i].condition->by, &holder))
			message->limits[i].certainty = FACT_UNKNOWN;
}

void
limits_learn(struct message *message, const struct store_query *query,
    const size_t *which, const struct store_answer *answer)
{
	for (size_t i = 0; i < query->take_count; i++) {
		size_t limit = which[i] % LIMITS_MAX;
		struct limit_count *count = &message->limits[limit];
		struct window_counts counts = answer->counts[i];
		int64_t units =
		    units_of(message, &message->policy->limits[limit]);

		count->certainty = FACT_KNOWN;
		message->taken_at[limit] = answer->now;
		message->is_untaken[limit] = query->takes[i].units != units;
		if (message->is_untaken[limit]) {
			counts.units = units;
			counts.slots[WINDOW_SLOT_NOW] += units;
		}
		*(which[i] < LIMITS_MAX ? &count->counts : &count->family) =
		    counts;
	}
	settle_idle(message);
}

bool
limits_take_rest(struct message *message)
{
	bool any = false;

	for (size_t i = 0; i < message->policy->limit_count; i++)
		if (message->is_untaken[i]) {
			message->limits[i].certainty = FACT_ASK;
			message->is_untaken[i] = false;
			any = true;
		}
	return any;
}

/* Those for the recipient in hand, or all others. */
static size_t
drop_units(
    struct message *message, bool of_recipient, struct store_take *takes_r)
{
	const struct policy *policy = message->policy;
	size_t count = 0;

	for (size_t i = 0; i < policy->limit_count; i++) {
		const struct limit *limit = &policy->limits[i];
		int64_t units = message->limits[i].counts.units;

		if (message->limits[i].certainty != FACT_KNOWN || units == 0 ||
		    condition_counts_recipients(limit->condition) !=
			of_recipient ||
		    limit->condition->type->counts == LIMIT_CONNECTIONS)
			continue;
		message->limits[i].counts.units = 0;
		if (message->is_untaken[i] ||
		    (message->complete && may_hold(message, limit)))
			continue;
		count += add_takes(message, i, units, &takes_r[count], NULL);
	}
	return count;
}

/* Refused recipients are only counted, so theirs are units to take. */
size_t
limits_return(struct message *message, bool is_over,
    struct store_take takes_r[LIMIT_TAKES_MAX])
{
	size_t count = drop_units(message, !is_over, takes_r);
	int64_t refused = message->refused;

	if (!is_over)
		return count;
	message->refused = 0;
	return count +
	    add_uncounted(message, LIMIT_REFUSED, -refused, &takes_r[count]);
}

size_t
limits_of_connection(
    const struct message *message, struct store_take takes_r[LIMIT_TAKES_MAX])
{
	return add_uncounted(message, LIMIT_CONNECTIONS, -1, takes_r);
}
