#include "replay/replay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/secret.h"
#include "config/conf.h"
#include "mail/mailaddr.h"
#include "replay/retries.h"
#include "replay/waiting.h"
#include "store/memory/store_memory.h"

#define WAITING_MAX (1 << 20)
#define RETRIES_MAX 200000
#define RETRIED_FOR INT64_C(432000) /* RFC 5321 4.5.4.1: four to five days */
#define TICK_EVERY  10		    /* seconds */
#define FOREVER	    (INT64_C(1) << 40)

struct replay {
	struct replay_terms terms;
	struct shared *shared;
	struct policy *policy;
	struct waiting_room *room;
	struct retries *retries;
	struct figures figures;
	struct rehearsed played;
	unsigned char key[TRIPLET_KEY];
	int64_t began; /* 0: nothing was played yet */
	int64_t now;
	int64_t ticked;
};

/* ---- Opening */

/* What a log does not tell. */
static void
warn(const struct policy *policy, conf_say *say, void *arg)
{
	char text[256];

	for (size_t i = 0; i < policy->list_count; i++)
		if (policy->lists[i].shared) {
			(void)snprintf(text, sizeof text,
			    "the shared list %s is empty here",
			    policy->lists[i].name);
			say(arg, false, text);
		}
	if (policy->wants_dns || policy->wants_spf)
		say(arg, false,
		    "DNS is not asked: rules that need it do not hold here");
	if (policy->wants_headers)
		say(arg, false,
		    "a log has no headers: rules that ask for them do not "
		    "hold here");
}

static struct policy *
load_policy(const char *config, conf_say *say, void *arg)
{
	struct policy *policy = conf_load(config, say, arg);

	if (policy == NULL)
		return NULL;
	(void)conf_check_lists(policy, say, arg);
	warn(policy, say, arg);
	rehearse_adapt(policy);
	policy->wants_dns = policy->wants_spf = false;
	return policy;
}

/* Hashed as the daemon does it, so that what that knows can be taken over. */
static bool
set_key(struct replay *replay, conf_say *say, void *arg)
{
	static const unsigned char key[TRIPLET_KEY] = "a replay has no secrets";
	const char *path = replay->policy->settings.secret_file;
	char why[512], text[600];

	memcpy(replay->key, key, sizeof replay->key);
	if (replay->terms.furnish == NULL || path[0] == '\0' ||
	    triplet_key_read(path, replay->key, why, sizeof why))
		return true;
	(void)snprintf(text, sizeof text, "secret_file: %s", why);
	say(arg, true, text);
	return false;
}

static void
count_left(void *arg, const struct waiting *waiting, bool crowded)
{
	struct replay *replay = arg;
	struct figures_rule *rule = waiting->rule;

	if (crowded)
		rule->forgotten++;
	else if (waiting->is_assumed)
		return;
	else if (replay->now - waiting->since >
	    replay->policy->settings.retry_window)
		rule->gave_up++;
	else
		rule->waiting++;
}

struct replay *
replay_open(const struct replay_terms *terms, conf_say *say, void *arg)
{
	struct replay *replay = calloc(1, sizeof *replay);

	if (replay == NULL)
		return NULL;
	replay->terms = *terms;
	replay->policy = load_policy(terms->config, say, arg);
	replay->retries = retries_open(RETRIES_MAX);
	replay->room = waiting_open(WAITING_MAX, count_left, replay);
	if (replay->policy == NULL || replay->retries == NULL ||
	    replay->room == NULL || !set_key(replay, say, arg) ||
	    !figures_open(&replay->figures, replay->policy))
		replay_close(&replay);
	return replay;
}

void
replay_close(struct replay **replay)
{
	struct replay *mine = *replay;

	if (mine == NULL)
		return;
	retries_close(&mine->retries);
	waiting_close(&mine->room);
	figures_close(&mine->figures);
	shared_close(&mine->shared);
	policy_release(&mine->policy);
	secret_wipe(mine->key, sizeof mine->key);
	free(mine);
	*replay = NULL;
}

/* The store begins with the log. */
static bool
begin(struct replay *replay, int64_t now)
{
	const struct settings *settings = &replay->policy->settings;
	const struct store_memory_config config = {
	    .terms = store_terms_of(settings, ""), .key = replay->key};
	struct store *store = store_memory_open(&config, now);

	replay->began = now;
	if (store == NULL)
		return false;
	if (replay->terms.furnish != NULL &&
	    !replay->terms.furnish(replay->terms.furnish_arg, store, now)) {
		store_close(&store);
		return false;
	}
	replay->shared = shared_open(policy_hold(replay->policy), store);
	if (replay->shared == NULL)
		return false;
	rehearse_load(replay->shared, replay->terms.load);
	return true;
}

/* ---- One attempt */

static void
set_address(const char *text, struct sockaddr_storage *address_r)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address_r;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address_r;

	memset(address_r, 0, sizeof *address_r);
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		return;
	}
	in6->sin6_family = AF_INET6;
	(void)inet_pton(AF_INET6, text, &in6->sin6_addr);
}

/* Who refused a message in the end does so after us. */
static enum rehearsal_end
end_of(const struct maillog_attempt *attempt)
{
	for (size_t i = 0; i < attempt->recipient_count; i++)
		if (attempt->fates[i] != MAILLOG_REJECTED)
			return REHEARSE_WHOLE;
	return attempt->recipient_count == 0 ? REHEARSE_QUESTION
					     : REHEARSE_BROKEN_OFF;
}

static bool
play(struct replay *replay, const struct maillog_attempt *attempt, int64_t now)
{
	struct sockaddr_storage address;
	struct rehearsal rehearsal = {
	    .address = (const struct sockaddr *)&address,
	    .name = attempt->name,
	    .helo = attempt->helo,
	    .server = "localhost",
	    .user = attempt->user,
	    .tls = attempt->tls,
	    .sender = attempt->sender,
	    .recipients = attempt->recipients,
	    .recipient_count = attempt->recipient_count,
	    .refused = attempt->refused,
	    .size = (size_t)attempt->size,
	    .end = end_of(attempt)};

	set_address(attempt->client, &address);
	replay->now = now;
	if (now - replay->ticked >= TICK_EVERY) {
		shared_tick(replay->shared, now);
		replay->ticked = now;
	}
	return rehearse(replay->shared, &rehearsal, now, &replay->played);
}

/* ---- Pairs */

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
pair_deferred(struct replay *replay, uint64_t pair, const struct rule *rule,
    enum maillog_fate fate)
{
	struct figures_rule *by = figures_rule(&replay->figures, rule);
	struct waiting *waiting = waiting_find(replay->room, pair);

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
	waiting = waiting_add(replay->room, pair, replay->now, by);
	if (waiting == NULL)
		return false;
	waiting->is_assumed = fate == MAILLOG_TAKEN;
	by->assumed += waiting->is_assumed;
	return true;
}

static bool
pair_passed(struct replay *replay, uint64_t pair)
{
	struct waiting *waiting = waiting_find(replay->room, pair);
	bool done = true;

	if (waiting == NULL)
		return true;
	if (!waiting->is_assumed) {
		waiting->rule->came_back += !waiting->came_back;
		waiting->rule->passed++;
		done = figures_note_delay(
		    waiting->rule, replay->now - waiting->since);
	}
	waiting_remove(replay->room, waiting);
	return done;
}

/* ---- Counting */

static bool
count_pairs(struct replay *replay, const struct maillog_attempt *attempt)
{
	const struct rehearsed *played = &replay->played;

	for (size_t i = 0; i < attempt->recipient_count; i++) {
		uint64_t pair =
		    name_pair(played, attempt->sender, attempt->recipients[i]);
		bool done = played->deferred[i]
		    ? pair_deferred(
			  replay, pair, played->rules[i], attempt->fates[i])
		    : pair_passed(replay, pair);

		if (!done)
			return false;
	}
	return true;
}

/* One message is counted once by each rule that put any recipient of it off. */
static void
count_rules(struct replay *replay, const struct maillog_attempt *attempt)
{
	const struct rehearsed *played = &replay->played;
	struct figures *figures = &replay->figures;
	const struct rule *last = NULL;
	bool any_passed = false, first = true;

	for (size_t i = 0; i < attempt->recipient_count; i++) {
		any_passed |= !played->deferred[i];
		if (!played->deferred[i] ||
		    (!first && played->rules[i] == last))
			continue;
		figures_rule(figures, played->rules[i])->deferred++;
		last = played->rules[i];
		first = false;
	}
	if (any_passed)
		figures_rule(figures,
		    played->judged != NULL &&
			    played->judged->verdict == RULE_ACCEPT
			? played->judged
			: NULL)
		    ->accepted++;
	if (played->observed != NULL)
		figures_rule(figures, played->observed)->observed++;
}

bool
replay_counts(const struct replay *replay)
{
	return replay->now - replay->began >= replay->terms.ignored;
}

static bool
count(struct replay *replay, const struct maillog_attempt *attempt)
{
	const struct rehearsed *played = &replay->played;
	struct figures *figures = &replay->figures;

	if (attempt->recipient_count == 0 || !replay_counts(replay))
		return true;
	waiting_expire(
	    replay->room, replay->now - replay->policy->settings.retry_window);
	figures->messages++;
	figures->deferred += played->any_deferred;
	figures->known_messages += played->asked && played->known;
	figures->known_delayed +=
	    played->asked && played->known && played->any_deferred;
	count_rules(replay, attempt);
	return count_pairs(replay, attempt) &&
	    figures_note_hour(figures, replay->now, played->any_deferred);
}

/* ---- Retries that are assumed */

/* `gap` is what lies before the next one; whoever has tried for days gives up. */
static bool
plan_retry(
    struct replay *replay, const struct maillog_attempt *attempt, int64_t gap)
{
	bool again[MAILLOG_RECIPIENTS] = {false};
	bool any = false;
	struct retry *retry;

	for (size_t i = 0; i < attempt->recipient_count; i++) {
		again[i] = replay->played.deferred[i] &&
		    attempt->fates[i] == MAILLOG_TAKEN;
		any |= again[i];
	}
	if (!any || gap <= 0 || gap > RETRIED_FOR / 2)
		return true;
	retry = retry_new(attempt, again, gap);
	if (retry == NULL)
		return false;
	if (!retries_add(replay->retries, retry, replay->now + gap))
		replay->figures.retries_lost++;
	return true;
}

static bool
play_retries(struct replay *replay, int64_t until)
{
	struct maillog_attempt attempt;
	struct retry *retry;
	bool done = true;

	while (done && (retry = retries_take(replay->retries, until)) != NULL) {
		retry_describe(retry, &attempt);
		done = play(replay, &attempt, retry->at);
		replay->figures.retries++;
		if (done && replay_counts(replay))
			done = count_pairs(replay, &attempt);
		done = done && plan_retry(replay, &attempt, 2 * retry->gap);
		free(retry);
	}
	return done;
}

/* ---- The log */

bool
replay_try(struct replay *replay, const struct maillog_attempt *attempt,
    const struct rehearsed **played_r)
{
	*played_r = &replay->played;
	if (replay->began == 0 && !begin(replay, attempt->at))
		return false;
	return play_retries(replay, attempt->at) &&
	    play(replay, attempt, attempt->at) && count(replay, attempt) &&
	    plan_retry(replay, attempt, replay->terms.retry);
}

void
replay_end(struct replay *replay)
{
	waiting_expire(replay->room, FOREVER);
}

const struct figures *
replay_figures(const struct replay *replay)
{
	return &replay->figures;
}

const struct policy *
replay_policy(const struct replay *replay)
{
	return replay->policy;
}
