#include "store/redis/store_redis_secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/seconds.h"
#include "base/secret.h"
#include "redis/error.h"
#include "store/redis/store_redis_parts.h"

#define LIFE "34560000" /* 400 days */

bool
redis_secret_init(struct redis_secret *secret, const unsigned char *key)
{
	pthread_mutex_init(&secret->mutex, NULL);
	secret->shared = key == NULL;
	secret->known = key != NULL;
	secret->hash = triplet_hash_new();
	secret->namer.hash = secret->hash;
	return secret->hash != NULL &&
	    (key == NULL || triplet_namer_set(&secret->namer, key));
}

void
redis_secret_clear(struct redis_secret *secret)
{
	pthread_mutex_destroy(&secret->mutex);
	triplet_hash_free(&secret->hash);
	secret_wipe(&secret->namer, sizeof secret->namer);
	secret_wipe(secret->text, sizeof secret->text);
	secret_wipe(secret->offer, sizeof secret->offer);
}

bool
redis_secret_read(struct redis_secret *secret, struct triplet_namer *namer_r)
{
	bool known;

	pthread_mutex_lock(&secret->mutex);
	known = secret->known;
	if (known && namer_r != NULL)
		*namer_r = secret->namer;
	pthread_mutex_unlock(&secret->mutex);
	return known;
}

/* The Redis key where it stands, and how it is asked for. */
struct secret_place {
	struct redis_store *store;
	const char *name;
	int64_t due_ms;
	bool renews;
};

static bool
make_text(char text_r[SECRET_TEXT_SIZE])
{
	unsigned char key[TRIPLET_KEY];

	if (!triplet_key_new(key))
		return false;
	for (int i = 0; i < TRIPLET_KEY; i++)
		snprintf(text_r + (size_t)i * 2, 3, "%02x", key[i]);
	secret_wipe(key, sizeof key);
	return true;
}

/* What was found by a thread that set out when there was a key already, or none:
 * another one may have put or adopted it meanwhile, and told so. */
struct finding {
	char text[SECRET_TEXT_SIZE];
	bool was_known;
	bool was_put; /* there, by this thread */
};

/* The text in Redis, after `offered` was put there if there was none. */
static enum redis_answer
fetch(const struct secret_place *place, const char *offered,
    struct finding *found_r)
{
	struct redis_request request = {.key = place->name};
	enum redis_answer answer;
	const char *text;

	if (offered != NULL)
		resp_add(&request.commands, "SET", place->name, offered, "EX",
		    LIFE, "NX");
	if (place->renews)
		resp_add(&request.commands, "EXPIRE", place->name, LIFE);
	resp_add(&request.commands, "GET", place->name);
	answer = redis_ask(place->store->redis, &request, 1, place->due_ms);
	found_r->text[0] = '\0';
	if (answer == REDIS_ANSWERED) {
		found_r->was_put = offered != NULL &&
		    resp_string(request.replies[0], NULL) != NULL;
		store_redis_heal(place->store, &request);
		text = resp_string(
		    request.replies[request.commands.count - 1], NULL);
		if (text != NULL)
			snprintf(
			    found_r->text, sizeof found_r->text, "%s", text);
	}
	redis_request_free(&request);
	return answer;
}

static enum secret_news
refuse(struct redis_secret *secret)
{
	bool told;

	pthread_mutex_lock(&secret->mutex);
	told = secret->unfit;
	secret->unfit = true;
	pthread_mutex_unlock(&secret->mutex);
	return told ? SECRET_DOWN : SECRET_UNFIT;
}

static enum secret_news
adopt(struct redis_secret *secret, const struct finding *found)
{
	enum secret_news news = SECRET_FOUND;
	struct triplet_namer namer = {.hash = secret->hash};

	if (!triplet_key_from(found->text, namer.key))
		return refuse(secret);
	if (!triplet_namer_set(&namer, namer.key))
		return SECRET_DOWN;
	pthread_mutex_lock(&secret->mutex);
	secret->unfit = false;
	if (secret->known && strcmp(found->text, secret->text) != 0)
		news = SECRET_CHANGED;
	else if (secret->known)
		news = found->was_known && found->was_put ? SECRET_RESTORED
							  : SECRET_SAME;
	else if (strcmp(found->text, secret->offer) == 0)
		news = SECRET_MADE; /* whichever thread put it there */
	secret->known = true;
	secret->namer = namer;
	memcpy(secret->text, found->text, sizeof secret->text);
	pthread_mutex_unlock(&secret->mutex);
	secret_wipe(&namer, sizeof namer);
	return news;
}

/* Ours, should it have been lost, or a new one, which all threads offer; of several
 * servers that offer theirs at once the first prevails. */
static bool
choose_offer(struct redis_secret *secret, char offered_r[SECRET_TEXT_SIZE])
{
	bool can = true;

	pthread_mutex_lock(&secret->mutex);
	if (secret->text[0] == '\0' && secret->offer[0] == '\0')
		can = make_text(secret->offer);
	memcpy(offered_r,
	    secret->text[0] != '\0' ? secret->text : secret->offer,
	    SECRET_TEXT_SIZE);
	pthread_mutex_unlock(&secret->mutex);
	return can;
}

static enum redis_answer
find(struct redis_secret *secret, const struct secret_place *place,
    struct finding *found_r)
{
	char offered[SECRET_TEXT_SIZE] = "";
	enum redis_answer answer;

	answer = fetch(place, NULL, found_r);
	if (answer != REDIS_ANSWERED || found_r->text[0] != '\0')
		return answer;
	if (!choose_offer(secret, offered))
		return REDIS_AWAY;
	/* By another key nothing is found, as nothing is there. */
	if (place->store->reads_only)
		memcpy(found_r->text, offered, sizeof offered);
	else
		answer = fetch(place, offered, found_r);
	secret_wipe(offered, sizeof offered);
	return answer;
}

static void
tell_secret(const struct redis_store *store, enum secret_news news)
{
	switch (news) {
	case SECRET_SAME:
	case SECRET_LATE:
	case SECRET_DOWN:
		return;
	case SECRET_RESTORED:
		store_redis_say(store, true,
		    "the key for hashing was lost in Redis: ours is there "
		    "again");
		return;
	case SECRET_MADE:
	case SECRET_FOUND:
		store_redis_say(store, true,
		    "no secret_file is set: sender addresses are hashed with "
		    "a key %s in Redis, where others may read it",
		    news == SECRET_MADE ? "newly made" : "found");
		return;
	case SECRET_CHANGED:
		store_redis_say(store, true,
		    "the key for hashing in Redis was replaced: first attempts "
		    "made before are forgotten");
		return;
	case SECRET_UNFIT:
		store_redis_say(store, true,
		    "the key for hashing in Redis, %skey, has less than 32 "
		    "characters: nothing can be looked up",
		    store->keys.prefix);
		return;
	}
}

enum secret_news
store_redis_refresh_secret(
    struct redis_store *store, bool renews, int64_t due_ms)
{
	struct redis_secret *secret = &store->secret;
	char name[KEYS_KEY_SIZE];
	const struct secret_place place = {
	    store, name, due_ms, renews && !store->reads_only};
	struct finding found = {0};
	enum secret_news news = SECRET_DOWN;
	enum redis_answer answer;

	if (!secret->shared)
		return SECRET_SAME;
	keys_shared(&store->keys, "key", name);
	pthread_mutex_lock(&secret->mutex);
	found.was_known = secret->known;
	pthread_mutex_unlock(&secret->mutex);
	answer = find(secret, &place, &found);
	if (answer == REDIS_ANSWERED)
		news = adopt(secret, &found);
	else if (answer == REDIS_LATE)
		news = SECRET_LATE;
	secret_wipe(&found, sizeof found);
	tell_secret(store, news);
	return news;
}

/* ---- Whether all servers that share this Redis hash with the same secret
 *
 * Each tells what its secret makes of a fixed text, which says nothing about the
 * secret.  Servers that differ do not find each other's first attempts, so that a
 * retry that comes to the other one is a stranger's, for ever. */

#define COMPARE_EVERY INT64_C(2000000) /* microseconds */
#define COMPARE_LIFE  "3600"
#define FORGOTTEN     INT64_C(3600)
#define FRESH	      INT64_C(10) /* seconds */
#define TIMES	      3 /* in a row: one who has just changed his is no news */
#define MARK_SIZE     (24 + HOST_NAME_SIZE)

/* A field is what the secret makes of the fixed text; its value, who told so last:
 * "<Unix seconds>:<host>". */
static bool
read_mark(const char *mark, int64_t *at_r, const char **host_r)
{
	const char *end;

	if (mark == NULL || strlen(mark) >= MARK_SIZE)
		return false;
	*at_r = decimal_scan(mark, &end);
	if (end == mark || *end != ':')
		return false;
	*host_r = end + 1;
	return true;
}

/* A host that lately told something else than `ours`, or NULL; what was told long
 * ago is removed. */
static const char *
find_other(struct redis_store *store, const struct resp_reply *marks,
    const char *ours, struct redis_request *removal)
{
	int64_t now = redis_clock_now(&store->clock), at;
	const char *other = NULL, *host;

	for (size_t i = 0; i + 1 < resp_count(marks); i += 2) {
		const char *name = resp_string(resp_element(marks, i), NULL);
		const char *mark =
		    resp_string(resp_element(marks, i + 1), NULL);

		if (name == NULL || strcmp(name, ours) == 0)
			continue;
		if (!read_mark(mark, &at, &host) ||
		    seconds_apart(now, at) > FORGOTTEN)
			resp_add(
			    &removal->commands, "HDEL", removal->key, name);
		else if (seconds_apart(now, at) <= FRESH)
			other = host;
	}
	return other;
}

static void
note(struct redis_store *store, const char *other)
{
	char host[HOST_NAME_SIZE];

	if (other == NULL) {
		if (store->apart >= TIMES)
			store_redis_say(store, false,
			    "all servers hash with the same secret again");
		store->apart = 0;
		return;
	}
	if (store->apart < TIMES && ++store->apart == TIMES) {
		ascii_clean(other, host, sizeof host);
		store_redis_say(store, true,
		    "%s hashes with another secret than this server: neither "
		    "finds the other's first attempts.  secret_file must be "
		    "the same on all, or set on none",
		    host);
	}
}

static void
exchange(struct redis_store *store, const char *ours)
{
	char key[KEYS_KEY_SIZE], mark[MARK_SIZE];
	struct redis_request request = {.key = key}, removal = {.key = key};

	keys_shared(&store->keys, "secrets", key);
	snprintf(mark, sizeof mark, "%lld:%s",
	    (long long)redis_clock_now(&store->clock), store->host);
	trip_begin_whole(&request.commands);
	resp_add(&request.commands, "HSET", key, ours, mark);
	resp_add(&request.commands, "EXPIRE", key, COMPARE_LIFE);
	resp_add(&request.commands, "HGETALL", key);
	trip_end_whole(&request.commands);
	if (redis_ask(store->redis, &request, 1, 0) == REDIS_ANSWERED) {
		note(store,
		    find_other(store, resp_element(request.replies[4], 2), ours,
			&removal));
		store_redis_heal(store, &request);
	}
	if (removal.commands.count > 0)
		(void)redis_tell(store->redis, &removal, 1);
	redis_request_free(&request);
	redis_request_free(&removal);
}

void
store_redis_compare_secrets(struct redis_store *store)
{
	int64_t now = clock_steady_us();
	struct triplet_namer namer;
	char ours[TRIPLET_SIZE];

	if (store->compared_at != 0 && now - store->compared_at < COMPARE_EVERY)
		return;
	store->compared_at = now;
	if (redis_secret_read(&store->secret, &namer) &&
	    triplet_fingerprint(&namer, ours))
		exchange(store, ours);
	secret_wipe(&namer, sizeof namer);
}
