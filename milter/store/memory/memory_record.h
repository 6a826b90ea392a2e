/* memory_record -- what the embedded store keeps of one client: its clocks, its
 * passes, its fading sums.
 *
 * A record serves as that of a network, of a pool, or of both ends of that
 * choice; the parts that are not used stay empty.  Not locked: memory_book's
 * owner does that.  Times are Unix seconds. */
#ifndef MEMORY_RECORD_H
#define MEMORY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "store/triplet.h"

/* As they were at `at`. */
struct memory_sums {
	double good;
	double bad;
	int64_t at;
};

struct memory_host {
	struct memory_sums sums;
	unsigned char bucket;
};

struct memory_pair {
	int64_t clock; /* greylist_clock_encode() */
	char name[TRIPLET_LENGTH];
	unsigned char space; /* enum clock_space */
};

struct memory_record {
	struct memory_record *next;  /* in its place of the book's table */
	struct memory_record *older; /* in the book's order of renewal */
	struct memory_record *newer;
	size_t place;
	size_t counted; /* octets, as the book last counted them */
	int64_t expires;
	int64_t last_used;
	int64_t passes;
	int64_t client[CLOCK_SPACES]; /* greylist_clock_encode() */
	struct memory_sums sums;
	struct memory_host *hosts;
	struct memory_pair *pairs;
	size_t host_count;
	size_t host_room;
	size_t pair_count;
	size_t pair_room;
	bool worthy;
	char name[]; /* "192.0.2.0/24" or "example.org" */
};

/* NULL: out of memory. */
struct memory_record *memory_record_new(const char *name);
void memory_record_free(struct memory_record **record);

/* Octets of memory that it takes, the allocator's own included. */
size_t memory_record_octets(const struct memory_record *record);

void memory_sums_add(struct memory_sums *sums, int64_t half_life, int64_t now,
    const struct reputation_sums *points);
struct reputation_sums memory_sums_read(
    const struct memory_sums *sums, int64_t half_life, int64_t now);

/* The sums of a host, NULL if there are none (and none could be had). */
struct memory_sums *
memory_record_host(const struct memory_record *record, unsigned bucket);
struct memory_sums *
memory_record_make_host(struct memory_record *record, unsigned bucket);

/* The encoded clock of a pair, 0 for none. */
int64_t memory_record_clock(const struct memory_record *record,
    const char *name, enum clock_space space);

/* Put a mark at a clock.  True if that changed it. */
bool memory_clock_mark(int64_t *clock, enum clock_mark mark, int64_t now);

/* The same for the clock of a pair.  When the record is full, the clock that is
 * worth the least makes room: one that is forgotten by now, else the oldest of
 * the kind that clock_surplus() says. */
bool memory_record_mark(struct memory_record *record,
    const struct store_terms *terms, const struct memory_pair *pair,
    enum clock_mark mark, int64_t now);

/* No time in it lies ahead of `now` any more: what does is set to now. */
void memory_record_turn_back(struct memory_record *record, int64_t now);

/* Remove the clocks that are forgotten by now, and the first attempts that were
 * abandoned; the number of those is returned.  The `asked` names are spared:
 * their senders have just come back. */
size_t memory_record_prune(struct memory_record *record,
    const struct store_terms *terms, char (*asked)[TRIPLET_SIZE],
    size_t asked_count, int64_t now);

#endif
