#include "replay/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/secret.h"
#include "config/conf.h"
#include "store/memory/store_memory.h"

#define RETRIES_MAX 200000
#define RETRIED_FOR INT64_C(432000) /* RFC 5321 4.5.4.1: four to five days */
#define TICK_EVERY  10		    /* seconds */

/* A message that is assumed to be tried again: a log shows mail as delivered that a
 * policy would have put off, and not how its sender would have come back.
 * One piece of memory, so that many can wait.  Its strings are its own. */
struct retry {
	int64_t at;
	int64_t gap; /* to the last try, seconds */
	const char *client, *name, *helo, *user, *sender;
	bool tls;
	int64_t size;
	size_t recipient_count;
	const char *recipients[];
};

struct replay {
	struct replay_terms terms;
	struct shared *shared;
	struct policy *policy;
	/* messages to be tried again; the one that is due first is the first */
	struct retry **heap;
	size_t retry_count;
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

struct replay *
replay_open(const struct replay_terms *terms, conf_say *say, void *arg)
{
	struct replay *replay = calloc(1, sizeof *replay);

	if (replay == NULL)
		return NULL;
	replay->terms = *terms;
	replay->policy = load_policy(terms->config, say, arg);
	if (replay->policy == NULL || !set_key(replay, say, arg) ||
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
	for (size_t i = 0; i < mine->retry_count; i++)
		free(mine->heap[i]);
	free(mine->heap);
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
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	struct netaddr client;
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

	if (netaddr_parse(attempt->client, &client))
		(void)netaddr_to_sockaddr(&client, &address);
	replay->now = now;
	if (now - replay->ticked >= TICK_EVERY) {
		shared_tick(replay->shared, now);
		replay->ticked = now;
	}
	return rehearse(replay->shared, &rehearsal, now, &replay->played);
}

bool
replay_counts(const struct replay *replay)
{
	return replay->now - replay->began >= replay->terms.ignored;
}

/* ---- Retries that are assumed */

static size_t
room_of(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static const char *
put(char **at, const char *text)
{
	const char *copy = text == NULL ? NULL : *at;
	size_t room = room_of(text);

	if (room > 0)
		memcpy(*at, text, room);
	*at += room;
	return copy;
}

static struct retry *
retry_new(const struct maillog_attempt *attempt, const bool *again, int64_t gap)
{
	size_t room = room_of(attempt->client) + room_of(attempt->name) +
	    room_of(attempt->helo) + room_of(attempt->user) +
	    room_of(attempt->sender);
	size_t count = 0;
	struct retry *retry;
	char *at;

	for (size_t i = 0; i < attempt->recipient_count; i++)
		if (again[i]) {
			room += room_of(attempt->recipients[i]);
			count++;
		}
	retry = calloc(1, sizeof *retry + count * sizeof(char *) + room);
	if (retry == NULL)
		return NULL;
	at = (char *)&retry->recipients[count];
	retry->gap = gap;
	retry->tls = attempt->tls;
	retry->size = attempt->size;
	retry->client = put(&at, attempt->client);
	retry->name = put(&at, attempt->name);
	retry->helo = put(&at, attempt->helo);
	retry->user = put(&at, attempt->user);
	retry->sender = put(&at, attempt->sender);
	for (size_t i = 0; i < attempt->recipient_count; i++)
		if (again[i])
			retry->recipients[retry->recipient_count++] =
			    put(&at, attempt->recipients[i]);
	return retry;
}

static void
retry_describe(const struct retry *retry, struct maillog_attempt *attempt_r)
{
	*attempt_r = (struct maillog_attempt){.at = retry->at,
	    .client = retry->client,
	    .name = retry->name,
	    .helo = retry->helo,
	    .user = retry->user,
	    .tls = retry->tls,
	    .sender = retry->sender,
	    .size = retry->size,
	    .recipient_count = retry->recipient_count};
	memcpy(attempt_r->recipients, retry->recipients,
	    retry->recipient_count * sizeof *retry->recipients);
}

static void
swap(struct replay *replay, size_t a, size_t b)
{
	struct retry *other = replay->heap[a];

	replay->heap[a] = replay->heap[b];
	replay->heap[b] = other;
}

static bool
is_before(const struct replay *replay, size_t a, size_t b)
{
	return replay->heap[a]->at < replay->heap[b]->at;
}

/* It is taken over.  False: there is no room, and it is freed. */
static bool
add_retry(struct replay *replay, struct retry *retry, int64_t at)
{
	size_t place = replay->retry_count;

	if (place == RETRIES_MAX ||
	    !array_grow(&replay->heap, place, sizeof *replay->heap)) {
		free(retry);
		return false;
	}
	retry->at = at;
	replay->heap[replay->retry_count++] = retry;
	while (place > 0 && is_before(replay, place, (place - 1) / 2)) {
		swap(replay, place, (place - 1) / 2);
		place = (place - 1) / 2;
	}
	return true;
}

/* The next one, if it is due by `now`, to be free()d.  NULL: none. */
static struct retry *
take_retry(struct replay *replay, int64_t now)
{
	struct retry *first;
	size_t place = 0;

	if (replay->retry_count == 0 || replay->heap[0]->at > now)
		return NULL;
	first = replay->heap[0];
	replay->heap[0] = replay->heap[--replay->retry_count];
	for (;;) {
		size_t next = 2 * place + 1;

		if (next + 1 < replay->retry_count &&
		    is_before(replay, next + 1, next))
			next++;
		if (next >= replay->retry_count ||
		    !is_before(replay, next, place))
			break;
		swap(replay, place, next);
		place = next;
	}
	return first;
}

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
	if (!add_retry(replay, retry, replay->now + gap))
		replay->figures.retries_lost++;
	return true;
}

static bool
play_retries(struct replay *replay, int64_t until)
{
	struct maillog_attempt attempt;
	struct retry *retry;
	bool done = true;

	while (done && (retry = take_retry(replay, until)) != NULL) {
		retry_describe(retry, &attempt);
		done = play(replay, &attempt, retry->at);
		replay->figures.retries++;
		if (done && replay_counts(replay))
			done = figures_count_pairs(&replay->figures, &attempt,
			    &replay->played, retry->at);
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
	if (!play_retries(replay, attempt->at) ||
	    !play(replay, attempt, attempt->at))
		return false;
	if (attempt->recipient_count > 0 && replay_counts(replay) &&
	    !figures_count(
		&replay->figures, attempt, &replay->played, attempt->at))
		return false;
	return plan_retry(replay, attempt, replay->terms.retry);
}

bool
replay_end(struct replay *replay, struct figures_rule *sum_r)
{
	return figures_end(&replay->figures, replay->now, sum_r);
}

const struct figures *
replay_figures(const struct replay *replay)
{
	return &replay->figures;
}
