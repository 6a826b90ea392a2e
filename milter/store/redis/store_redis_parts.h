/* store_redis_parts -- what the files of store_redis share. */
#ifndef STORE_REDIS_PARTS_H
#define STORE_REDIS_PARTS_H

#include <stdatomic.h>

#include "redis/redis.h"
#include "store/redis/store_redis.h"
#include "store/redis/store_redis_clock.h"
#include "store/redis/store_redis_keys.h"
#include "store/redis/store_redis_login.h"
#include "store/redis/store_redis_secret.h"
#include "store/redis/store_redis_seen.h"
#include "store/redis/store_redis_sweep.h"
#include "store/redis/store_redis_trip.h"

#define HOST_NAME_SIZE 256

/* Redis's answer and our reckoning may differ by this many seconds: then the
 * latter is the time of the answer, since slots and generations were chosen by
 * it. */
#define CLOCK_SLACK 2

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

/* Learn what no look-up can do without, the clock and the secret, if they are
 * not known yet; may wait for Redis, until `due_ms` (redis_ask). */
enum store_result store_redis_prepare(
    struct redis_store *store, struct triplet_namer *namer_r, int64_t due_ms);

/* Take the answer to TIME that was asked for at `asked` (of the steady clock) and
 * has just come. */
void store_redis_learn_time(
    struct redis_store *store, const struct resp_reply *reply, int64_t asked);

/* What could not be read is of a kind that is not ours, under a name that is: it
 * is told and removed, so that the record begins anew. */
void store_redis_heal(
    struct redis_store *store, const struct redis_request *request);

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

/* Notice, and tell, if another server hashes with another secret. */
void store_redis_compare_secrets(struct redis_store *store);

/* Ask in the background, for half a second at most; an answer about a key that is
 * not ours heals it, and is STORE_UNREADABLE. */
enum store_result store_redis_ask(
    struct redis_store *store, struct redis_request *request, size_t count);

/* The operations of struct store_ops. */
enum store_result store_redis_look_up(struct store *store,
    const struct store_query *query, struct store_answer *answer_r);
enum store_result
store_redis_remember(struct store *store, const struct store_effects *effects);
enum store_result store_redis_exchange_load(struct store *store,
    const struct load_report *own, struct load_report *reports_r, size_t size,
    int64_t *now_r, size_t *count_r);
enum store_result
store_redis_hosts(struct store *store, store_host_each *each, void *arg);
enum store_result store_redis_read_list(
    struct store *store, const char *name, struct list **list_r);
enum store_result
store_redis_share(struct store *store, const struct store_shared *own,
    void (*each)(void *arg, const struct store_shared *theirs), void *arg);
enum store_result store_redis_take_reports(struct store *store, int64_t now,
    void (*each)(void *arg, const char *text), void *arg);

enum store_result
store_redis_add_entries(struct store *store, const struct journal_terms *terms,
    const struct journal_item *items, size_t count);
enum store_result
store_redis_read_entries(struct store *store, const struct journal_range *range,
    bool (*each)(void *arg, const char *text, size_t length), void *arg);
enum store_result
store_redis_last_entries(struct store *store, const struct journal_terms *terms,
    const uint64_t *threads, size_t count, uint64_t *places_r);
enum store_result store_redis_put_host(
    struct store *store, const char *text, size_t length, int64_t now);
enum store_result store_redis_read_hosts(struct store *store, int64_t now,
    void (*each)(void *arg, const char *host, const char *text, size_t length),
    void *arg);

enum store_result store_redis_put_note(struct store *store, const char *board,
    const struct store_note *note, int64_t now);
enum store_result
store_redis_read_notes(struct store *store, const char *board, int64_t now,
    void (*each)(void *arg, const char *name, const char *text), void *arg);
enum store_result store_redis_push(struct store *store, const char *queue,
    const char *const *texts, size_t count, int64_t now);
enum store_result store_redis_pop(struct store *store, const char *queue,
    void (*each)(void *arg, const char *text), void *arg, size_t *count_r);

/* Add bad points to a network and a host in it, without waiting. */
void store_redis_charge(
    struct redis_store *store, const char *network, unsigned host, double bad);

/* Where a list is kept: the set that others may fill, what expires, what is noted
 * of entries; the versions are those of all lists, in another slot. */
struct list_keys {
	char set[KEYS_KEY_SIZE];
	char until[KEYS_KEY_SIZE];
	char notes[KEYS_KEY_SIZE];
	char versions[KEYS_KEY_SIZE];
};

/* False: the name is too long. */
bool store_redis_list_keys(const struct redis_store *store, const char *name,
    struct list_keys *keys_r);

/* Go through a set, or what expires, in pages: `each` gets every member, maybe
 * more than once. */
struct store_redis_scan {
	const char *key;
	bool brief; /* a sorted set of what expires */
	void (*each)(
	    void *arg, const char *member, size_t length, int64_t until);
	bool (*is_full)(const void *arg); /* asked after each page */
	void *arg;
	int64_t within; /* microseconds */
};
enum store_redis_scanned {
	SCANNED_WHOLE,
	SCANNED_CUT,	 /* there is more than we take */
	SCANNED_ENDLESS, /* it takes too long */
	SCANNED_LOST	 /* Redis did not tell, or we are to stop */
};
enum store_redis_scanned store_redis_scan(
    struct redis_store *store, const struct store_redis_scan *scan);

enum store_result store_redis_result(enum redis_answer answer);

enum store_result store_redis_list_add(struct store *store, const char *name,
    const struct store_entry *entry, enum store_change *change_r);
enum store_result store_redis_list_remove(struct store *store, const char *name,
    const char *text, enum store_change *change_r);
enum store_result store_redis_list_each(
    struct store *store, const char *name, store_entry_each *each, void *arg);
enum store_result store_redis_forget(
    struct store *store, const struct store_forget *forget, size_t *count_r);
enum store_result store_redis_walk(struct store *store, struct store_walk *walk,
    int64_t now, store_record_each *each, void *arg);
enum store_result store_redis_read_record(struct store *store, const char *name,
    int64_t now, store_record_each *each, void *arg);
enum store_result store_redis_restore(struct store *store,
    struct store_record *records, size_t count, int64_t now);
enum store_result
store_redis_namer(struct store *store, struct triplet_namer *namer_r);

void store_redis_free_lists(struct redis_store *store);

/* Sweep what is queued, a bounded number of records. */
void store_redis_sweep(struct redis_store *store);

#endif
