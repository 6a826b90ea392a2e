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

/* What is counted, and when. */
struct memory_counting {
	int64_t now;
	bool peeks;    /* read what would be read then, and change nothing */
	int64_t units; /* 0: none; negative: given back that were taken `now` */
	/* Different things instead, of which a set keeps `most` at most; borrowed,
	 * each once. */
	bool is_distinct;
	const uint64_t *who;
	size_t count;
	size_t most;
};

/* Count and read; nothing is read where units are given back.  Of different things
 * the number comes as units of this moment.  False: out of memory. */
bool memory_counters_take(struct memory_counters *counters,
    const struct memory_counter_key *key,
    const struct memory_counting *counting, struct window_counts *counts_r);

/* Remove all counters and sets of a holder; how many there were is returned. */
size_t memory_counters_forget(
    struct memory_counters *counters, const char holder[TRIPLET_SIZE]);

/* Remove what is of no more use; every call looks at some of them. */
void memory_counters_expire(struct memory_counters *counters, int64_t now);

/* Counters of units. */
size_t memory_counters_count(const struct memory_counters *counters);

#endif
