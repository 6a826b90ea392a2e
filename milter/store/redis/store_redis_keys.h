/* store_redis_keys -- the names of keys and fields in Redis.  Pure.
 *
 * The schema stands in milter-defer-redis(5).  All keys of one client have the
 * same hash tag (what stands in braces), so that they lie in one slot of a
 * cluster.  A tag is shorter than KEYS_TAG_SIZE. */
#ifndef STORE_REDIS_KEYS_H
#define STORE_REDIS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/facts.h"
#include "store/clock_worth.h"
#include "store/triplet.h"

#define KEYS_PREFIX_SIZE 65
#define KEYS_TAG_SIZE	 257
#define KEYS_KEY_SIZE	 (KEYS_PREFIX_SIZE + KEYS_TAG_SIZE + 48)
#define KEYS_FIELD_SIZE	 56

struct store_redis_keys {
	char prefix[KEYS_PREFIX_SIZE];
	char life[24]; /* the half-life, as it stands in the names of sums */
	int64_t half_life;
};

/* NULL, or why these will not do. */
const char *
keys_init(struct store_redis_keys *keys, const char *prefix, int64_t half_life);

/* "<prefix><name>", for what is shared by all. */
void keys_shared(const struct store_redis_keys *keys, const char *name,
    char key_r[KEYS_KEY_SIZE]);

/* "<prefix>list:<name>"; or with a `part`, "<prefix><part>:{<prefix>list:<name>}":
 * what else there is of that list, in the slot of the list itself.  False: the name
 * is too long. */
#define KEYS_UNTIL "until" /* entries that expire, and when */
#define KEYS_NOTES "notes" /* what is noted of entries */
bool keys_list(const struct store_redis_keys *keys, const char *part,
    const char *name, char key_r[KEYS_KEY_SIZE]);

/* "<prefix>{<tag>}": the record of a network or pool. */
void keys_record(const struct store_redis_keys *keys, const char *tag,
    char key_r[KEYS_KEY_SIZE]);

/* "<prefix>{<tag>}:r:<period>:<number>": the units of KEYS_SLOTS slots of a
 * rate window (window.h), of which the first has a multiple of that as its
 * number. */
#define KEYS_SLOTS 32
void keys_window(const struct store_redis_keys *keys, const char *tag,
    int64_t period, int64_t slot, char key_r[KEYS_KEY_SIZE]);

/* What a limit counts, for all of the tag or for one host. */
#define KEYS_NO_HOST UINT32_MAX
struct keys_limit {
	uint32_t id; /* 27 bits */
	uint32_t host;
};

/* "<prefix>{<tag>}:d:<period>:<id>", and of a host the bucket after a dot: which
 * different things there were, with their last times. */
void keys_distinct(const struct store_redis_keys *keys, const char *tag,
    int64_t period, const struct keys_limit *limit, char key_r[KEYS_KEY_SIZE]);

/* The tag of a holder who is no network: "h:" and the name that hides it. */
void keys_holder_tag(const char name[TRIPLET_SIZE], char tag_r[KEYS_TAG_SIZE]);

/* The field of a limit's units in such a key. */
void keys_units(const struct keys_limit *limit, int64_t slot,
    char field_r[KEYS_FIELD_SIZE]);

/* The field of a sum: `which` is 'g' or 'b'; of the tag, or of one host. */
void keys_sum(const struct store_redis_keys *keys, char which,
    int64_t generation, uint32_t host, char field_r[KEYS_FIELD_SIZE]);

/* Whose a field is: an address, by triplet_address(), or with NULL the whole
 * pool. */

/* The field of a clock: of a pair, or with `name` NULL of the client. */
void keys_clock(enum clock_space space, const char *address, const char *name,
    char field_r[KEYS_FIELD_SIZE]);

/* The field of what an address has earned: KEYS_PASSES or KEYS_USED. */
#define KEYS_PASSES 'p'
#define KEYS_USED   'u' /* when it last earned a longer life */
void keys_trust(char which, const char *address, char field_r[KEYS_FIELD_SIZE]);

/* The field of what is noted of a host, or with KEYS_NO_HOST of a network. */
#define KEYS_PACED 'a' /* when it last earned points for accepted mail */
#define KEYS_CROWD 'w' /* its first attempts are pushed out: keys_put_crowd() */
void keys_host(char which, uint32_t host, char field_r[KEYS_FIELD_SIZE]);

/* Fields with fixed names. */
#define KEYS_SWEPT  "s" /* when it was last swept */
#define KEYS_OTHERS "n" /* fields besides clocks, when swept */

/* What stands in the field of a clock: a number, which for one that is pending
 * tells also who started it, and in the record of a pool the network after it. */
#define KEYS_VALUE_SIZE	  (32 + KEYS_NETWORK_SIZE)
#define KEYS_NETWORK_SIZE 64
struct keys_value {
	int64_t clock;	 /* greylist_clock_encode() */
	unsigned host;	 /* bucket */
	unsigned sender; /* triplet_sender() */
	bool spared;	 /* a pool has the same: only one can be abandoned */
	bool is_known;	 /* who started it; if not, the three above are 0 */
	char network[KEYS_NETWORK_SIZE]; /* "": that of the record */
};
void
keys_put_value(const struct keys_value *value, char text_r[KEYS_VALUE_SIZE]);

/* Anything else than such a text is a clock of 0, that is none. */
void keys_get_value(const char *text, struct keys_value *value_r);

/* A crowd as one number, and back. */
int64_t keys_put_crowd(const struct clock_crowd *crowd);
struct clock_crowd keys_get_crowd(int64_t number);

enum keys_kind {
	KEYS_PAIR,    /* the clock of a pair */
	KEYS_CLIENT,  /* that of a client */
	KEYS_TRUSTED, /* KEYS_USED of an address */
	KEYS_CROWDED, /* KEYS_CROWD of a host */
	KEYS_SUM,     /* a sum that still counts */
	KEYS_OLD_SUM, /* one of an older generation or another half-life */
	KEYS_OTHER
};

/* What the field of a record is; for a clock, `*space_r` tells of what space. */
enum keys_kind keys_kind_of(const struct store_redis_keys *keys,
    const char *field, int64_t generation, enum clock_space *space_r);

#endif
