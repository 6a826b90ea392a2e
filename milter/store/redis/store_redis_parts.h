/* store_redis_parts -- what the files of store_redis share. */
#ifndef STORE_REDIS_PARTS_H
#define STORE_REDIS_PARTS_H

#include <stdatomic.h>
#include <time.h>

#include "redis/redis.h"
#include "store/redis/store_redis.h"
#include "store/redis/store_redis_ask.h"
#include "store/redis/store_redis_clock.h"
#include "store/redis/store_redis_keys.h"
#include "store/redis/store_redis_secret.h"
#include "store/redis/store_redis_seen.h"
#include "store/redis/store_redis_sweep.h"

#define HOST_NAME_SIZE 256

/* Redis's answer and our reckoning may differ by this many seconds: then the
 * latter is the time of the answer, since slots and generations were chosen by
 * it. */
#define CLOCK_SLACK 2

/* What tells that a file has become another. */
struct login_stamp {
	struct timespec changed;
	uint64_t inode;
	int64_t size; /* -1: it is not there */
};

enum {
	LOGIN_USER,
	LOGIN_SENTINEL_USER,
	LOGIN_TLS_NAME,
	LOGIN_PASSWORD_FILE, /* and from here on files */
	LOGIN_SENTINEL_PASSWORD_FILE,
	LOGIN_CA_FILE,
	LOGIN_CERT_FILE,
	LOGIN_KEY_FILE,
	LOGIN_STRINGS
};

/* Who we are for Redis, and whom we trust: passwords and certificates, read again
 * when their files change.  All zero may be freed. */
struct redis_login_files {
	char *strings[LOGIN_STRINGS]; /* copies; NULL where nothing is set */
	bool tls;
	struct login_stamp stamps[LOGIN_STRINGS];
};

struct shared_list;

struct redis_store {
	struct store store; /* first: a store is cast to this */
	struct store_terms terms;
	char host[HOST_NAME_SIZE]; /* terms.host */
	struct store_redis_keys keys;
	struct redis *redis;
	bool is_cluster;
	bool reads_only;
	atomic_bool renews_login; /* soon */
	struct redis_clock clock;
	struct redis_secret secret;
	atomic_llong healed_at; /* of the steady clock; 0: no key ever was */
	struct sweep_queue sweeps;
	atomic_bool is_stopping;
	struct seen_table seen;
	store_say *report;
	void *report_arg;

	/* only for the background thread */
	struct redis_login_files login;
	int64_t renewed_at;  /* the secret; of the steady clock, or 0 */
	int64_t compared_at; /* the same, with those of other servers */
	int apart;	     /* comparisons in which they differed */
	struct shared_list *lists;
	char shared_up_to[48]; /* place in the stream; "": not begun */
};

/* printf for the log. */
void store_redis_say(const struct redis_store *store, bool bad,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Where the units of a limit are counted: the stop of a trip and its tag, and
 * whose they are there. */
struct limit_place {
	size_t stop;
	const char *tag; /* as the trip has it */
	struct keys_limit limit;
};

/* False: out of memory. */
bool store_redis_place_take(struct redis_trip *trip,
    const struct triplet_namer *namer, const struct store_client *client,
    const struct store_take *take, struct limit_place *place_r);

/* Add the units of a take to a slot, and see to the life of its key, in what is
 * done as a whole: the caller begins and ends that. */
void
store_redis_add_units(struct redis_trip *trip, const struct limit_place *place,
    const struct store_take *take, int64_t slot);

/* The operations of struct store_ops, and its tables. */
enum store_result store_redis_look_up(struct store *store,
    const struct store_query *query, struct store_answer *answer_r);
enum store_result
store_redis_remember(struct store *store, const struct store_effects *effects);
extern const struct store_list_ops store_redis_list_ops;
extern const struct store_match_ops store_redis_match_ops;
extern const struct store_farm_ops store_redis_farm_ops;
extern const struct store_journal_ops store_redis_journal_ops;
extern const struct store_board_ops store_redis_board_ops;
extern const struct store_record_ops store_redis_record_ops;
enum store_result store_redis_forget(
    struct store *store, const struct store_forget *forget, size_t *count_r);

/* ---- Records as plain values (store/record.h): the one place that reads and writes
 * all fields of one. */

/* What the record of `tag` holds, by the answers to HGETALL and TTL.  What is no
 * field of ours is left out.  False: out of memory, or there is no such record. */
bool record_decode(const struct redis_store *store,
    const struct redis_request *request, const char *tag, int64_t now,
    struct store_record *record_r);

/* Add the commands that make `after` of `before`, of which it has all.  Points are
 * as of `now`. */
void record_encode(const struct store_redis_keys *keys,
    const struct store_record *before, const struct store_record *after,
    int64_t now, struct resp_commands *commands);

/* What lists were when they were last read. */
void store_redis_free_lists(struct redis_store *store);

/* Sweep what is queued, a bounded number of records. */
void store_redis_sweep(struct redis_store *store);

#endif
