/* record -- all that a store keeps of one client network or pool, as plain values:
 * to be shown, and to be copied into another store.
 *
 * store_walk() gives every record, store_restore() takes one in.  Here alone is
 * said how two of them become one.  What is known of those whose first attempts are
 * pushed out, and units of limits, are not part of it: both last a few hours.
 *
 * Names are those of triplet.h, so a record is of use only with the key that they
 * were made with; what stands under no address is not.  Times are Unix seconds, 0
 * for never. */
#ifndef RECORD_H
#define RECORD_H

#include "store/store.h"
#include "store/triplet.h"

struct record_points {
	double good;
	double bad;
	int64_t paced_at; /* when it last earned for accepting */
};

struct record_host {
	struct record_points points;
	unsigned bucket; /* 0..255 */
};

/* What stands under the address "" belongs to a whole pool or, in the record of a
 * network, to all of its addresses: only what another program has told is kept so
 * there. */
struct record_trust {
	char address[TRIPLET_ADDRESS_SIZE];
	int64_t passes;
	int64_t last_used;
};

/* Who started a clock, as far as that is known. */
struct record_opener {
	char network[STORE_POOL_MAX]; /* "": that of the record, or unknown */
	unsigned host;		      /* its bucket */
	unsigned sender;	      /* triplet_sender() */
	bool is_known;
	bool spared; /* a pool has the same clock */
};

struct record_clock {
	char pair[TRIPLET_SIZE]; /* "": the client's own */
	char address[TRIPLET_ADDRESS_SIZE];
	enum clock_space space;
	struct greylist_clock at;
	struct record_opener opener;
};

#define RECORD_HOSTS_MAX  256
#define RECORD_TRUSTS_MAX 256
#define RECORD_CLOCKS_MAX 20000

struct store_record {
	char name[STORE_POOL_MAX]; /* "192.0.2.0/24" or "example.org" */
	int64_t expires;
	bool worthy; /* kept for known clients' time */
	bool
	    has_points; /* if not, of points, here or of hosts, nothing is said */
	struct record_points points; /* as of the moment of asking */
	struct record_host *hosts;
	struct record_trust *trusts;
	struct record_clock *clocks;
	size_t host_count;
	size_t trust_count;
	size_t clock_count;
};

/* Each adds an element, all zero; NULL: out of memory, or there are too many. */
struct record_host *record_add_host(struct store_record *record);
struct record_trust *record_add_trust(struct store_record *record);
struct record_clock *record_add_clock(struct store_record *record);

/* Whether a name could be a record's: a network in its canonical text, or a domain. */
bool record_name_is_good(const char *name);
bool record_is_network(const char *name);

/* Free what it holds, and clear it. */
void record_clear(struct store_record *record);

/* What would be of no use at `now` is left out: clocks and trust that have ended.
 * No time lies ahead of `now` any more. */
void record_tidy(
    struct store_record *record, const struct store_terms *terms, int64_t now);

/* Make `mine`, which the store has, of two records of one name.  Nobody is worse off
 * than before: what has passed stays passed, of two waits the longer counts, and
 * bad points are taken over only by a record that is new (`mine` is empty).  The
 * same record taken twice changes nothing the second time.  Clocks beyond `cap` are
 * left out.  False: out of memory; `mine` is then as good as before. */
bool record_merge(struct store_record *mine, const struct store_record *other,
    const struct store_terms *terms, int64_t now);

/* Where a walk through a store stands: all zero at the beginning. */
struct store_walk {
	uint64_t server; /* of several */
	uint64_t place;
	uint64_t map; /* of the servers */
	unsigned restarts;
	bool is_done;
};

/* The next records, a page of them, in no order, each lent for its call; a record
 * may come twice, and one that is made or removed meanwhile may be left out.  `now`
 * is this host's clock.  After another answer than STORE_OK the same page may be
 * asked for again.  May wait; asks no more of the store at once than a few messages
 * do. */
static inline enum store_result
store_walk(struct store *store, struct store_walk *walk, int64_t now,
    store_record_each *each, void *arg)
{
	return store->ops->records == NULL
	    ? STORE_DOWN
	    : store->ops->records->walk(store, walk, now, each, arg);
}

/* The record of that name, if there is one. */
static inline enum store_result
store_read_record(struct store *store, const char *name, int64_t now,
    store_record_each *each, void *arg)
{
	return store->ops->records == NULL
	    ? STORE_DOWN
	    : store->ops->records->read(store, name, now, each, arg);
}

/* Take records over, each tidied, as record_merge() says; at most
 * STORE_RESTORE_MOST.  On another answer than STORE_OK some may have been, and all
 * may be given again. */
#define STORE_RESTORE_MOST 16
static inline enum store_result
store_restore(struct store *store, struct store_record *records, size_t count,
    int64_t now)
{
	return store->ops->records == NULL
	    ? STORE_DOWN
	    : store->ops->records->restore(store, records, count, now);
}

/* What names are made with; its hash is the store's.  Wipe it when done. */
static inline enum store_result
store_namer(struct store *store, struct triplet_namer *namer_r)
{
	return store->ops->records == NULL
	    ? STORE_DOWN
	    : store->ops->records->namer(store, namer_r);
}

#endif
