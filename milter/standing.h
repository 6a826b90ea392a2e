/* standing -- which clients were lately in good standing, for when the store is
 * away?
 *
 * A memory of fixed size: a client network has a place in one small set of
 * slots, and when its set is full, the one seen longest ago goes.  Nothing is
 * allocated after creation.  Any number of threads may use it at once.
 *
 * Note those in good standing only; strangers would push them out. */
#ifndef STANDING_H
#define STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STANDING_SLOTS 16384 /* default; 24 bytes each */

struct standing_entry {
	bool known;   /* has earned trust */
	float score;  /* -100..100, as in reputation.h */
	int64_t seen; /* when noted, in seconds */
};

struct standing;

/* `slots` is rounded up to a power of two, 8..2^24.  `seed` decides the places;
 * take it from the system's random source, so that nobody can choose networks
 * that share one.  NULL if memory is short. */
struct standing *standing_create(size_t slots, uint64_t seed);

/* Frees *standing and sets it to NULL; NULL is no error. */
void standing_free(struct standing **standing);

/* Remember a network, given as its text, as seen at entry->seen; what was noted
 * of it before is replaced. */
void standing_note(struct standing *standing, const char *network,
    const struct standing_entry *entry);

/* Forget a network that is no longer in good standing. */
void standing_forget(struct standing *standing, const char *network);

/* True and *entry_r if this network was noted at most `max_age` seconds away
 * from `now`, on either side: a clock may have gone back.  Else false, and
 * *entry_r unchanged.  Times are of any one clock. */
bool standing_recall(struct standing *standing, const char *network,
    int64_t now, int64_t max_age, struct standing_entry *entry_r);

#endif
