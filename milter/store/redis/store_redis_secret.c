#include "store/redis/store_redis_secret.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "store/redis/store_redis_parts.h"

#define LIFE "34560000" /* 400 days */

bool
redis_secret_init(struct redis_secret *secret, const unsigned char *key)
{
	pthread_mutex_init(&secret->mutex, NULL);
	secret->shared = key == NULL;
	secret->known = key != NULL;
	if (key != NULL)
		memcpy(secret->key, key, TRIPLET_KEY);
	secret->hash = triplet_hash_new();
	return secret->hash != NULL;
}

void
redis_secret_clear(struct redis_secret *secret)
{
	pthread_mutex_destroy(&secret->mutex);
	triplet_hash_free(&secret->hash);
	secret_wipe(secret->key, sizeof secret->key);
	secret_wipe(secret->text, sizeof secret->text);
}

bool
redis_secret_read(struct redis_secret *secret, struct triplet_namer *namer_r)
{
	bool known;

	namer_r->hash = secret->hash;
	pthread_mutex_lock(&secret->mutex);
	known = secret->known;
	if (known)
		memcpy(namer_r->key, secret->key, TRIPLET_KEY);
	pthread_mutex_unlock(&secret->mutex);
	return known;
}

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

/* The text in Redis, after `offered` was put there if there was none. */
static enum redis_answer
fetch(const struct secret_place *place, const char *offered,
    char text_r[SECRET_TEXT_SIZE])
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
	text_r[0] = '\0';
	if (answer == REDIS_ANSWERED) {
		store_redis_heal(place->store, &request);
		text = resp_string(
		    request.replies[request.commands.count - 1], NULL);
		if (text != NULL)
			snprintf(text_r, SECRET_TEXT_SIZE, "%s", text);
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
adopt(struct redis_secret *secret, const char *text, bool made)
{
	enum secret_news news = made ? SECRET_MADE : SECRET_FOUND;
	unsigned char key[TRIPLET_KEY];

	if (!triplet_key_from(text, key))
		return refuse(secret);
	pthread_mutex_lock(&secret->mutex);
	secret->unfit = false;
	if (secret->known && strcmp(text, secret->text) != 0)
		news = SECRET_CHANGED;
	else if (secret->known)
		news = made ? SECRET_RESTORED : SECRET_SAME;
	secret->known = true;
	memcpy(secret->key, key, TRIPLET_KEY);
	snprintf(secret->text, sizeof secret->text, "%s", text);
	pthread_mutex_unlock(&secret->mutex);
	secret_wipe(key, sizeof key);
	return news;
}

/* Ours, should it have been lost, or a new one; of several servers that offer
 * theirs at once the first prevails. */
static bool
choose_offer(struct redis_secret *secret, char offered_r[SECRET_TEXT_SIZE])
{
	pthread_mutex_lock(&secret->mutex);
	memcpy(offered_r, secret->text, SECRET_TEXT_SIZE);
	pthread_mutex_unlock(&secret->mutex);
	return offered_r[0] != '\0' || make_text(offered_r);
}

enum secret_news
redis_secret_refresh(
    struct redis_secret *secret, const struct secret_place *place)
{
	char offered[SECRET_TEXT_SIZE] = "", text[SECRET_TEXT_SIZE] = "";
	enum secret_news news = SECRET_DOWN;
	enum redis_answer answer;

	if (!secret->shared)
		return SECRET_SAME;
	answer = fetch(place, NULL, text);
	if (answer == REDIS_ANSWERED && text[0] == '\0' &&
	    choose_offer(secret, offered)) {
		/* By another key nothing is found, as nothing is there. */
		if (place->store->reads_only)
			memcpy(text, offered, sizeof text);
		else
			answer = fetch(place, offered, text);
	}
	if (answer == REDIS_ANSWERED && (text[0] != '\0' || offered[0] != '\0'))
		news = adopt(secret, text,
		    offered[0] != '\0' && strcmp(text, offered) == 0);
	else if (answer == REDIS_LATE)
		news = SECRET_LATE;
	secret_wipe(offered, sizeof offered);
	secret_wipe(text, sizeof text);
	return news;
}
