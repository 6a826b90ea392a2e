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

#include "store/clock_worth.h"
#include "store/triplet.h"

/* As they were at `at`. */
struct memory_sums {
	double good;
	double bad;
	int64_t at;
};

struct memory_host {
	struct memory_sums sums;
	int64_t paced_at; /* when it last earned for accepting */
	unsigned char bucket;
};

/* Whose clock it is: of a pair, or with a name of zeros of the client itself; of
 * one address, or with an address of zeros of the whole pool. */
struct memory_clock_name {
	char pair[TRIPLET_LENGTH];
	char address[TRIPLET_ADDRESS_LENGTH];
	unsigned char space; /* enum clock_space */
};

/* Who started it, for its share of the places and for the blame. */
struct memory_opener {
	uint64_t network;     /* memory_name.number */
	unsigned char host;   /* its bucket */
	unsigned char sender; /* triplet_sender() */
	bool spared; /* a pool has the same clock: only one can be abandoned */
};

struct memory_clock {
	int64_t clock; /* greylist_clock_encode() */
	struct memory_opener opener;
	struct memory_clock_name name;
};

/* What one address has earned, or the pool. */
struct memory_trust {
	int64_t passes;
	int64_t last_used;
	char address[TRIPLET_ADDRESS_LENGTH];
};

struct memory_crowd {
	struct clock_crowd crowd;
	uint64_t author;
};

/* Its neighbours in the row of all records of the book, and of its family. */
enum { MEMORY_ALL, MEMORY_FAMILY, MEMORY_ROWS };
struct memory_links {
	struct memory_record *older;
	struct memory_record *newer;
};

struct memory_record {
	struct memory_record *next; /* in its place of the book's table */
	struct memory_links rows[MEMORY_ROWS]; /* in orders of renewal */
	uint64_t number;		       /* of its name */
	size_t place;
	size_t family;
	size_t counted; /* octets, as the book last counted them */
	int64_t expires;
	int64_t prune_at; /* nothing is to be pruned before */
	int64_t paced_at; /* when the network last earned for accepting */
	struct memory_sums sums;
	struct memory_host *hosts;
	struct memory_clock *clocks;
	struct memory_trust *trusts;
	struct memory_crowd *crowds;
	uint16_t *index; /* of clocks by name: 1 + the place of one; 0: none */
	size_t host_count;
	size_t host_room;
	size_t clock_count;
	size_t clock_room;
	size_t index_size; /* 0 or a power of 2 */
	size_t trust_count;
	size_t trust_room;
	size_t crowd_count;
	size_t crowd_room;
	bool worthy;
	char name[]; /* "192.0.2.0/24" or "example.org" */
};

/* More than this a record cannot hold, whatever the cap. */
#define MEMORY_CLOCKS_MAX 20000
#define MEMORY_TRUSTS_MAX 256

/* NULL: out of memory. */
struct memory_record *memory_record_new(const char *name);
void memory_record_free(struct memory_record **record);

/* Octets of memory that it takes, the allocator's own included. */
size_t memory_record_octets(const struct memory_record *record);

void memory_sums_add(struct memory_sums *sums, int64_t half_life, int64_t now,
    const struct reputation_sums *points);
struct reputation_sums memory_sums_read(
    const struct memory_sums *sums, int64_t half_life, int64_t now);

/* A host, NULL if there is none (and none could be made). */
struct memory_host *
memory_record_host(const struct memory_record *record, unsigned bucket);
struct memory_host *
memory_record_make_host(struct memory_record *record, unsigned bucket);

/* What an address has earned, NULL if nothing; when there are too many, the one
 * that was used longest ago makes room. */
struct memory_trust *
memory_record_trust(const struct memory_record *record, const char *address);
struct memory_trust *
memory_record_make_trust(struct memory_record *record, const char *address);

/* Since when first attempts of this host have been pushed out; 0: they are not. */
int64_t memory_record_crowded(const struct memory_record *record,
    const struct memory_opener *opener, int64_t now);

/* The encoded clock of that name, 0 for none. */
int64_t memory_record_clock(
    const struct memory_record *record, const struct memory_clock_name *name);

/* Put a mark at a clock.  True if that changed it.  When the record holds an
 * eighth more than its cap, it is cut down to that as clock_places_sort()
 * says. */
bool memory_record_mark(struct memory_record *record,
    const struct store_terms *terms, const struct memory_clock *clock,
    enum clock_mark mark, int64_t now);

/* Add a clock as it is.  False: out of memory, or no room. */
bool memory_record_add(
    struct memory_record *record, const struct memory_clock *clock);

/* Who is to blame for how many first attempts that were abandoned. */
#define MEMORY_BLAMED_MAX 16
struct memory_blame {
	struct memory_opener opener;
	size_t count;
};

/* Who would be told by memory_record_prune() now, and nothing is changed. */
size_t memory_record_blamed(const struct memory_record *record,
    const struct store_terms *terms, char (*asked)[TRIPLET_SIZE],
    size_t asked_count, int64_t now,
    struct memory_blame blamed_r[MEMORY_BLAMED_MAX]);

/* Remove the clocks that are forgotten by now, and the first attempts that were
 * abandoned, and tell who is to blame; how many they are is returned.  Pairs of
 * these names are spared: their senders have just come back. */
size_t memory_record_prune(struct memory_record *record,
    const struct store_terms *terms, char (*asked)[TRIPLET_SIZE],
    size_t asked_count, int64_t now,
    struct memory_blame blamed_r[MEMORY_BLAMED_MAX]);

/* Remove what belongs to one address, or of it, or of all, the clocks of one pair;
 * how much there was is returned. */
struct memory_forgotten {
	const char *address; /* NULL: of all */
	const char *pair;    /* NULL: all that the address has */
	unsigned bucket;     /* the address's host */
};
size_t memory_record_forget(struct memory_record *record, int64_t half_life,
    const struct memory_forgotten *forgotten);

/* No time in it lies ahead of `now` any more: what does is set to now. */
void memory_record_turn_back(struct memory_record *record, int64_t now);

#endif
