/* memory_distinct -- how many different things each holder had within a period,
 * for the embedded store.
 *
 * Exact, as far as a set may hold them: of more the latest stay.  All sets
 * together hold a bounded number; when it is reached, the set that was used
 * longest ago makes room.  Not locked: its owner does that. */
#ifndef MEMORY_DISTINCT_H
#define MEMORY_DISTINCT_H

#include "store/memory/memory_counters.h"

struct memory_distinct;

/* `octets` of memory at most, but room for some thousand.  NULL: no memory. */
struct memory_distinct *memory_distinct_open(size_t octets);
void memory_distinct_close(struct memory_distinct **distinct);

/* Some of them, and how many a set keeps at most. */
struct memory_members {
	const uint64_t *who; /* borrowed, each once */
	size_t count;
	size_t most;
};

/* Add these, and tell how many there are.  False: out of memory. */
bool memory_distinct_add(struct memory_distinct *distinct,
    const struct memory_counter_key *key, int64_t now,
    const struct memory_members *members, int64_t *number_r);

/* How many there would be with these, and nothing is changed. */
int64_t memory_distinct_peek(const struct memory_distinct *distinct,
    const struct memory_counter_key *key, int64_t now,
    const struct memory_members *members);

/* Remove sets that are of no more use, of those that were used longest ago. */
void memory_distinct_expire(struct memory_distinct *distinct, int64_t now);

/* All sets of a holder; how many there were. */
size_t memory_distinct_forget(
    struct memory_distinct *distinct, const char holder[TRIPLET_SIZE]);

#endif
