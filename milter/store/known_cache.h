/* known_cache -- which clients were lately in good standing, for when the store is
 * away?
 *
 * A memory of fixed size: a client network has a place in one small set of
 * slots, and when its set is full, the one seen longest ago goes.  Nothing is
 * allocated after creation.  Any number of threads may use it at once.
 *
 * Note those in good standing only; strangers would push them out. */
#ifndef KNOWN_CACHE_H
#define KNOWN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define KNOWN_CACHE_SLOTS 16384 /* default; 24 bytes each */

struct known_cache_entry {
	bool known;   /* has earned trust */
	float score;  /* -100..100, as in reputation.h */
	int64_t seen; /* when noted, in seconds */
};

struct known_cache;

/* `slots` is rounded up to a power of two, 8..2^24.  `seed` decides the places;
 * take it from the system's random source, so that nobody can choose networks
 * that share one.  NULL if memory is short. */
struct known_cache *known_cache_create(size_t slots, uint64_t seed);

/* Frees *cache and sets it to NULL; NULL is no error. */
void known_cache_free(struct known_cache **cache);

/* Remember a network, given as its text, as seen at entry->seen; what was noted
 * of it before is replaced. */
void known_cache_note(struct known_cache *cache, const char *network,
    const struct known_cache_entry *entry);

/* Forget a network that is no longer in good standing; NULL: all of them. */
void known_cache_forget(struct known_cache *cache, const char *network);

/* True and *entry_r if this network was noted at most `max_age` seconds away
 * from `now`, on either side: a clock may have gone back.  Else false, and
 * *entry_r unchanged.  Times are of any one clock. */
bool known_cache_recall(struct known_cache *cache, const char *network,
    int64_t now, int64_t max_age, struct known_cache_entry *entry_r);

/* The same of a client of the store, under its address or network and under its
 * pool, so that it is known when the DNS fails; an entry that is not `known` is
 * forgotten. */
void known_cache_learn(struct known_cache *cache,
    const struct store_client *client, const struct known_cache_entry *entry);
bool
known_cache_find(struct known_cache *cache, const struct store_client *client,
    int64_t now, int64_t max_age, struct known_cache_entry *entry_r);

#endif
