/* memory_counters -- what limits count of each holder, in the embedded store.
 *
 * One counter for each limit and holder: the units of the slots that count
 * (window.h), or the set of the different things that there were within the
 * period.  A set is exact, as far as it may hold them: of more the latest stay.
 * The number of counters is bounded, and so is that of the members of all sets;
 * when it is reached, the one that was used longest ago makes room.  Not locked:
 * its owner does that. */
#ifndef MEMORY_COUNTERS_H
#define MEMORY_COUNTERS_H

#include "store/store.h"
#include "store/triplet.h"

struct memory_counters;

/* `octets` of memory at most, but room for some hundred, and half as much for sets,
 * but room for some thousand members.  NULL: no memory. */
struct memory_counters *memory_counters_open(size_t octets);
void memory_counters_close(struct memory_counters **counters);

/* Whose units of what: unused octets are 0. */
struct memory_counter_key {
	char holder[TRIPLET_LENGTH];
	int64_t period; /* seconds */
	uint32_t id;
	uint32_t host; /* 1 + its bucket; 0: the holder as a whole */
};

/* Add units (0: none) and read.  False: out of memory. */
bool memory_counters_take(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now, int64_t units,
    struct window_counts *counts_r);

/* Read what would be read then, and change nothing. */
void memory_counters_peek(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now,
    struct window_counts *counts_r);

/* Give units back that were taken at `now`. */
void memory_counters_return(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now, int64_t units);

/* Some of them, and how many a set keeps at most. */
struct memory_members {
	const uint64_t *who; /* borrowed, each once */
	size_t count;
	size_t most;
};

/* Add these to a set, and tell how many there are.  False: out of memory. */
bool memory_counters_add(struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now,
    const struct memory_members *members, int64_t *number_r);

/* How many there would be with these, and nothing is changed. */
int64_t memory_counters_peek_set(const struct memory_counters *counters,
    const struct memory_counter_key *key, int64_t now,
    const struct memory_members *members);

/* Remove all counters and sets of a holder; how many there were is returned. */
size_t memory_counters_forget(
    struct memory_counters *counters, const char holder[TRIPLET_SIZE]);

/* Remove what is of no more use; every call looks at some of them. */
void memory_counters_expire(struct memory_counters *counters, int64_t now);

/* Counters of units. */
size_t memory_counters_count(const struct memory_counters *counters);

#endif
