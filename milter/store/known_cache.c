#include "store/known_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/seconds.h"

#define WAYS	  8 /* slots in a set */
#define SLOTS_MAX ((size_t)1 << 24)

struct slot {
	uint64_t key; /* 0: free */
	struct known_cache_entry entry;
};

struct known_cache {
	pthread_mutex_t lock; /* held for a look at one set only */
	uint64_t seed;
	size_t sets; /* a power of two */
	struct slot slots[];
};

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014; constants by Stafford):
 * a bijection in which each bit of the input reaches each bit of the output. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Never 0.  Two networks with one key would share their standing, at odds of
 * one in 2^64 for a pair. */
static uint64_t
key_of(const struct known_cache *cache, const char *network)
{
	size_t len = strlen(network);
	uint64_t hash = mix(cache->seed + len);

	while (len > 0) {
		uint64_t chunk = 0;
		size_t part = len < sizeof chunk ? len : sizeof chunk;

		memcpy(&chunk, network, part);
		hash = mix(hash ^ chunk);
		network += part;
		len -= part;
	}
	return hash != 0 ? hash : 1;
}

static struct slot *
set_of(struct known_cache *cache, uint64_t key)
{
	return &cache->slots[(key & (cache->sets - 1)) * WAYS];
}

static struct slot *
find(struct known_cache *cache, uint64_t key)
{
	struct slot *set = set_of(cache, key);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* A free slot, or else the one noted furthest from `now`: that is the oldest,
 * unless a clock went back, and then what is from the future has to go. */
static struct slot *
find_victim(struct known_cache *cache, uint64_t key, int64_t now)
{
	struct slot *set = set_of(cache, key), *victim = NULL;
	int64_t distance, furthest = -1;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == 0)
			return &set[i];
		distance = seconds_apart(now, set[i].entry.seen);
		if (distance > furthest) {
			furthest = distance;
			victim = &set[i];
		}
	}
	return victim;
}

struct known_cache *
known_cache_create(size_t slots, uint64_t seed)
{
	struct known_cache *cache;
	size_t size = WAYS;

	while (size < slots && size < SLOTS_MAX)
		size *= 2;
	cache = calloc(1, sizeof *cache + size * sizeof(struct slot));
	if (cache == NULL)
		return NULL;
	if (pthread_mutex_init(&cache->lock, NULL) != 0) {
		free(cache);
		return NULL;
	}
	cache->seed = seed;
	cache->sets = size / WAYS;
	return cache;
}

void
known_cache_free(struct known_cache **cache)
{
	if (*cache == NULL)
		return;
	pthread_mutex_destroy(&(*cache)->lock);
	free(*cache);
	*cache = NULL;
}

void
known_cache_note(struct known_cache *cache, const char *network,
    const struct known_cache_entry *entry)
{
	uint64_t key = key_of(cache, network);
	struct slot *slot;

	pthread_mutex_lock(&cache->lock);
	slot = find(cache, key);
	if (slot == NULL)
		slot = find_victim(cache, key, entry->seen);
	slot->key = key;
	slot->entry = *entry;
	pthread_mutex_unlock(&cache->lock);
}

void
known_cache_forget(struct known_cache *cache, const char *network)
{
	uint64_t key = network == NULL ? 0 : key_of(cache, network);
	struct slot *slot = NULL;

	pthread_mutex_lock(&cache->lock);
	if (network != NULL)
		slot = find(cache, key);
	else
		memset(cache->slots, 0, cache->sets * WAYS * sizeof *slot);
	if (slot != NULL)
		slot->key = 0;
	pthread_mutex_unlock(&cache->lock);
}

bool
known_cache_recall(struct known_cache *cache, const char *network, int64_t now,
    int64_t max_age, struct known_cache_entry *entry_r)
{
	uint64_t key = key_of(cache, network);
	struct slot *slot;
	bool found;

	pthread_mutex_lock(&cache->lock);
	slot = find(cache, key);
	found = slot != NULL && seconds_apart(now, slot->entry.seen) <= max_age;
	if (found)
		*entry_r = slot->entry;
	pthread_mutex_unlock(&cache->lock);
	return found;
}

static void
name_client(const struct store_client *client, const char *names_r[2])
{
	names_r[0] =
	    client->address != NULL ? client->address : client->network;
	names_r[1] = client->pool;
}

void
known_cache_learn(struct known_cache *cache, const struct store_client *client,
    const struct known_cache_entry *entry)
{
	const char *names[2];

	name_client(client, names);
	for (int i = 0; i < 2 && names[i] != NULL; i++)
		if (entry->known)
			known_cache_note(cache, names[i], entry);
		else
			known_cache_forget(cache, names[i]);
}

bool
known_cache_find(struct known_cache *cache, const struct store_client *client,
    int64_t now, int64_t max_age, struct known_cache_entry *entry_r)
{
	const char *names[2];

	name_client(client, names);
	for (int i = 0; i < 2 && names[i] != NULL; i++)
		if (known_cache_recall(cache, names[i], now, max_age, entry_r))
			return true;
	return false;
}
