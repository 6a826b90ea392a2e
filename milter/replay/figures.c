#include "replay/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "mail/mailaddr.h"

#define HOUR	    INT64_C(3600)
#define HOURS_MAX   (10 * 366 * 24)
#define WAITING_MAX (1 << 20)
#define FOREVER	    (INT64_C(1) << 40)

/* ---- Who waits: when there are too many, those that began longest ago make room */

struct waiting {
	uint64_t key;
	int64_t since;
	struct figures_rule *rule; /* that put it off first */
	bool came_back;
	bool is_assumed;       /* see figures_rule */
	struct waiting *chain; /* in the same bucket */
	struct waiting *older, *younger;
};

struct waiting_room {
	struct waiting **buckets; /* WAITING_MAX, a power of 2 */
	size_t count;
	struct waiting *oldest, *youngest;
};

static struct waiting_room *
room_open(void)
{
	struct waiting_room *room = calloc(1, sizeof *room);

	if (room == NULL)
		return NULL;
	room->buckets = calloc(WAITING_MAX, sizeof *room->buckets);
	if (room->buckets == NULL) {
		free(room);
		return NULL;
	}
	return room;
}

static struct waiting **
bucket_of(const struct waiting_room *room, uint64_t key)
{
	return &room->buckets[key & (WAITING_MAX - 1)];
}

static struct waiting *
room_find(struct waiting_room *room, uint64_t key)
{
	struct waiting *waiting = *bucket_of(room, key);

	while (waiting != NULL && waiting->key != key)
		waiting = waiting->chain;
	return waiting;
}

static struct waiting *
room_add(struct waiting_room *room, uint64_t key, int64_t since,
    struct figures_rule *rule)
{
	struct waiting **bucket = bucket_of(room, key);
	struct waiting *waiting = calloc(1, sizeof *waiting);

	if (waiting == NULL)
		return NULL;
	waiting->key = key;
	waiting->since = since;
	waiting->rule = rule;
	waiting->chain = *bucket;
	*bucket = waiting;
	waiting->older = room->youngest;
	if (room->youngest == NULL)
		room->oldest = waiting;
	else
		room->youngest->younger = waiting;
	room->youngest = waiting;
	room->count++;
	return waiting;
}

static void
unchain(struct waiting_room *room, const struct waiting *waiting)
{
	struct waiting **place = bucket_of(room, waiting->key);

	while (*place != waiting)
		place = &(*place)->chain;
	*place = waiting->chain;
}

static void
room_remove(struct waiting_room *room, struct waiting *waiting)
{
	unchain(room, waiting);
	if (waiting->older == NULL)
		room->oldest = waiting->younger;
	else
		waiting->older->younger = waiting->younger;
	if (waiting->younger == NULL)
		room->youngest = waiting->older;
	else
		waiting->younger->older = waiting->older;
	room->count--;
	free(waiting);
}

static void
room_close(struct waiting_room **room)
{
	struct waiting_room *mine = *room;

	if (mine == NULL)
		return;
	while (mine->oldest != NULL)
		room_remove(mine, mine->oldest);
	free(mine->buckets);
	free(mine);
	*room = NULL;
}

/* ---- Numbers */

static struct figures_rule *
rule_of(const struct figures *figures, const struct rule *rule)
{
	return &figures->rules[rule == NULL ? figures->rule_count - 1
					    : rule->index];
}

static bool
note_hour(struct figures *figures, int64_t now, bool deferred)
{
	int64_t place;

	if (figures->hour_count == 0)
		figures->first_hour = now - now % HOUR;
	place = (now - figures->first_hour) / HOUR;
	if (place < 0 || place >= HOURS_MAX)
		return true;
	while (figures->hour_count <= (size_t)place) {
		if (!array_grow(&figures->hours, figures->hour_count,
			sizeof *figures->hours))
			return false;
		figures->hours[figures->hour_count++] =
		    (struct figures_hour){0, 0};
	}
	figures->hours[place].messages++;
	figures->hours[place].deferred += deferred;
	return true;
}

static bool
note_delay(struct figures_rule *rule, int64_t seconds)
{
	struct figures_delays *delays = rule->delays;
	int64_t minute = seconds / 60;

	if (delays == NULL)
		delays = rule->delays = calloc(1, sizeof *delays);
	if (delays == NULL)
		return false;
	delays->count++;
	if (seconds > delays->longest)
		delays->longest = seconds;
	if (seconds < FIGURES_SECONDS)
		delays->seconds[seconds]++;
	else
		delays
		    ->minutes[minute < FIGURES_MINUTES ? minute
						       : FIGURES_MINUTES - 1]++;
	return true;
}

/* ---- Pairs */

/* One that goes, to make room (`crowded`) or because nobody came for it. */
static void
count_left(
    const struct figures *figures, const struct waiting *waiting, bool crowded)
{
	struct figures_rule *rule = waiting->rule;

	if (crowded)
		rule->forgotten++;
	else if (waiting->is_assumed)
		return;
	else if (figures->now - waiting->since >
	    figures->policy->settings.retry_window)
		rule->gave_up++;
	else
		rule->waiting++;
}

static void
lose_oldest(struct figures *figures, bool crowded)
{
	struct waiting *oldest = figures->room->oldest;

	count_left(figures, oldest, crowded);
	room_remove(figures->room, oldest);
}

static void
expire(struct figures *figures, int64_t before)
{
	struct waiting_room *room = figures->room;

	/* Removal moves `oldest` on.  NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	while (room->oldest != NULL && room->oldest->since < before)
		lose_oldest(figures, false);
}

/* The same client's, as it is recognised when it comes back. */
static uint64_t
name_pair(
    const struct rehearsed *played, const char *sender, const char *recipient)
{
	const char *who =
	    played->pool[0] != '\0' ? played->pool : played->network;
	struct mailaddr raw, normal;
	uint64_t hash = hash_64(HASH_64, who, strlen(who) + 1);

	mailaddr_parse(sender, &raw);
	mailaddr_normalise_sender(&raw, &normal);
	hash = hash_64(hash, normal.text, strlen(normal.text) + 1);
	mailaddr_parse(recipient, &raw);
	mailaddr_normalise_recipient(&raw, &normal);
	return hash_64(hash, normal.text, strlen(normal.text));
}

/* `fate` is what the log says; of an assumed retry, that it was taken. */
static bool
pair_deferred(struct figures *figures, uint64_t pair, const struct rule *rule,
    enum maillog_fate fate)
{
	struct figures_rule *by = rule_of(figures, rule);
	struct waiting *waiting = room_find(figures->room, pair);

	if (waiting != NULL) {
		if (!waiting->came_back && !waiting->is_assumed)
			waiting->rule->came_back++;
		waiting->came_back = true;
		/* From here on the log does not tell. */
		if (fate == MAILLOG_TAKEN && !waiting->is_assumed) {
			waiting->is_assumed = true;
			waiting->rule->assumed++;
		}
		return true;
	}
	by->pairs++;
	if (fate == MAILLOG_REJECTED) {
		by->rejected++;
		return true;
	}
	if (figures->room->count == WAITING_MAX)
		lose_oldest(figures, true);
	waiting = room_add(figures->room, pair, figures->now, by);
	if (waiting == NULL)
		return false;
	waiting->is_assumed = fate == MAILLOG_TAKEN;
	by->assumed += waiting->is_assumed;
	return true;
}

static bool
pair_passed(struct figures *figures, uint64_t pair)
{
	struct waiting *waiting = room_find(figures->room, pair);
	bool done = true;

	if (waiting == NULL)
		return true;
	if (!waiting->is_assumed) {
		waiting->rule->came_back += !waiting->came_back;
		waiting->rule->passed++;
		done = note_delay(waiting->rule, figures->now - waiting->since);
	}
	room_remove(figures->room, waiting);
	return done;
}

bool
figures_count_pairs(struct figures *figures,
    const struct maillog_attempt *attempt, const struct rehearsed *played,
    int64_t now)
{
	figures->now = now;
	for (size_t i = 0; i < attempt->recipient_count; i++) {
		uint64_t pair =
		    name_pair(played, attempt->sender, attempt->recipients[i]);
		bool done = played->deferred[i]
		    ? pair_deferred(
			  figures, pair, played->rules[i], attempt->fates[i])
		    : pair_passed(figures, pair);

		if (!done)
			return false;
	}
	return true;
}

/* ---- Messages */

/* One message is counted once by each rule that put any recipient of it off. */
static void
count_rules(struct figures *figures, const struct maillog_attempt *attempt,
    const struct rehearsed *played)
{
	const struct rule *last = NULL;
	bool any_passed = false, first = true;

	for (size_t i = 0; i < attempt->recipient_count; i++) {
		any_passed |= !played->deferred[i];
		if (!played->deferred[i] ||
		    (!first && played->rules[i] == last))
			continue;
		rule_of(figures, played->rules[i])->deferred++;
		last = played->rules[i];
		first = false;
	}
	if (any_passed)
		rule_of(figures,
		    played->judged != NULL &&
			    played->judged->verdict == RULE_ACCEPT
			? played->judged
			: NULL)
		    ->accepted++;
	if (played->observed != NULL)
		rule_of(figures, played->observed)->observed++;
}

bool
figures_count(struct figures *figures, const struct maillog_attempt *attempt,
    const struct rehearsed *played, int64_t now)
{
	figures->now = now;
	expire(figures, now - figures->policy->settings.retry_window);
	figures->messages++;
	figures->deferred += played->any_deferred;
	figures->known_messages += played->asked && played->known;
	figures->known_delayed +=
	    played->asked && played->known && played->any_deferred;
	count_rules(figures, attempt, played);
	return figures_count_pairs(figures, attempt, played, now) &&
	    note_hour(figures, now, played->any_deferred);
}

/* ---- The whole */

bool
figures_open(struct figures *figures, const struct policy *policy)
{
	memset(figures, 0, sizeof *figures);
	figures->rule_count = policy->rule_count + 1;
	figures->rules = calloc(figures->rule_count, sizeof *figures->rules);
	figures->policy = policy;
	figures->room = room_open();
	if (figures->rules == NULL || figures->room == NULL)
		return false;
	for (size_t i = 0; i < policy->rule_count; i++)
		figures->rules[i].rule = &policy->rules[i];
	return true;
}

void
figures_close(struct figures *figures)
{
	for (size_t i = 0; figures->rules != NULL && i < figures->rule_count;
	     i++)
		free(figures->rules[i].delays);
	free(figures->rules);
	free(figures->hours);
	room_close(&figures->room);
	memset(figures, 0, sizeof *figures);
}

static void
add_delays(struct figures_delays *sum, const struct figures_delays *delays)
{
	sum->count += delays->count;
	if (delays->longest > sum->longest)
		sum->longest = delays->longest;
	for (size_t i = 0; i < FIGURES_SECONDS; i++)
		sum->seconds[i] += delays->seconds[i];
	for (size_t i = 0; i < FIGURES_MINUTES; i++)
		sum->minutes[i] += delays->minutes[i];
}

static bool
sum_up(const struct figures *figures, struct figures_rule *sum_r)
{
	memset(sum_r, 0, sizeof *sum_r);
	sum_r->delays = calloc(1, sizeof *sum_r->delays);
	if (sum_r->delays == NULL)
		return false;
	for (size_t i = 0; i < figures->rule_count; i++) {
		const struct figures_rule *rule = &figures->rules[i];

		sum_r->accepted += rule->accepted;
		sum_r->observed += rule->observed;
		sum_r->deferred += rule->deferred;
		sum_r->pairs += rule->pairs;
		sum_r->came_back += rule->came_back;
		sum_r->passed += rule->passed;
		sum_r->gave_up += rule->gave_up;
		sum_r->waiting += rule->waiting;
		sum_r->assumed += rule->assumed;
		sum_r->rejected += rule->rejected;
		sum_r->forgotten += rule->forgotten;
		if (rule->delays != NULL)
			add_delays(sum_r->delays, rule->delays);
	}
	return true;
}

bool
figures_end(struct figures *figures, int64_t now, struct figures_rule *sum_r)
{
	figures->now = now;
	expire(figures, FOREVER);
	return sum_up(figures, sum_r);
}

int64_t
figures_share(const struct figures_delays *delays, double share)
{
	int64_t wanted, seen = 0;

	if (delays == NULL || delays->count == 0)
		return 0;
	/* 0.9 of 250 is a bit more than 225 to a computer. */
	wanted = (int64_t)ceil(share * (double)delays->count - 1e-6);
	for (int64_t i = 0; i < FIGURES_SECONDS; i++) {
		seen += delays->seconds[i];
		if (seen >= wanted)
			return i;
	}
	for (int64_t i = 0; i < FIGURES_MINUTES; i++) {
		seen += delays->minutes[i];
		if (seen >= wanted)
			return i * 60 < delays->longest ? i * 60
							: delays->longest;
	}
	return delays->longest;
}
