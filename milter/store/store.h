/* store -- what the mail servers remember together: one set of questions,
 * several keepers.
 *
 * store_memory keeps it in this process, store_redis in Redis.  Both keep the
 * same contract (tests/check_store.c runs against each).  All calls may come
 * from any thread at once.  What could not be told is never guessed: the answer
 * is undefined unless it is STORE_OK.
 *
 * No mail address ever reaches the keeper readable: triplets and users are
 * keyed hashes (triplet.h). */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/list.h"
#include "mail/netaddr.h"
#include "policy/facts.h"
#include "policy/greylist.h"
#include "policy/reputation.h"
#include "policy/settings.h"
#include "policy/window.h"
#include "store/load_report.h"

/* Only STORE_DOWN concerns everybody.  The other two are about this call, or this
 * client's record, alone. */
enum store_result {
	STORE_OK,
	STORE_LATE,	  /* it is there, but did not answer in time */
	STORE_UNREADABLE, /* it answered, but what it keeps is no record */
	STORE_DOWN	  /* it is away */
};

#define STORE_TAKES_MAX 32
#define STORE_POOL_MAX	256 /* a domain and its NUL */

/* Who a client is: all strings are borrowed for the call.
 *
 * Reputation is the network's and its hosts'.  Clocks, passes and what else is
 * trust belong to a single address, and where there is a pool to that as well:
 * both are told of everything, and what either knows is found. */
struct store_client {
	const char *network; /* canonical text, e.g. "192.0.2.0/24" */
	unsigned host;	     /* 0..255, netaddr_host_bucket() */
	const char *pool;    /* organisational domain, or NULL */
	const char *address; /* canonical text; NULL: all of the network are
			      * one */
};

/* Name the network under which a client is remembered, by the settings.  Pure, as
 * the next one. */
#define STORE_NETWORK_SIZE 64 /* "2001:db8:1:2::/64" and its NUL */
void store_name_network(const struct settings *settings,
    const struct netaddr *client, char network_r[STORE_NETWORK_SIZE]);

/* Whom an IPv6 client stands for besides its network, "" if nobody: its pool, else
 * its /48.  Whoever has one has as many networks as he likes, which must not give
 * him as many limits: see FAMILY_NETWORKS. */
void
store_name_family(const struct settings *settings, const struct netaddr *client,
    const char *pool, size_t size, char *family_r);

/* `name` has room for STORE_NAME_SIZE octets, "" at first: there the store keeps
 * what it calls the pair from one question of a message to the next.  NULL: it
 * works that out each time. */
#define STORE_NAME_SIZE 12
struct store_pair {
	const char *sender;    /* normalised for hashing */
	const char *recipient; /* normalised for hashing */
	char *name;
};

/* Holders other than the client's own network, in one query. */
#define STORE_HOLDERS_MAX 9

enum store_distinct { STORE_UNITS, STORE_SENDERS, STORE_RECIPIENTS };
#define STORE_DISTINCT_MAX 100000

/* One unit (or more) of one limit. */
struct store_take {
	uint32_t id;	    /* of the limit: names the counter; 27 bits */
	const char *holder; /* whom it counts; NULL: the client's network */
	bool of_host;	    /* with holder NULL: the client's host instead */
	int64_t period;	    /* seconds */
	int64_t units;	    /* added before reading; 0: read only */
	int64_t at;	    /* of units to give back: when they were taken */
	/* What is counted instead of units: how many different senders, or
	 * recipients, of these pairs and others there were within the period.
	 * They are added, and none is given back.  The number is exact up to
	 * `most`, 1..STORE_DISTINCT_MAX, and comes as units of this moment. */
	enum store_distinct distinct;
	const struct store_pair *pairs; /* what `name` holds is left alone */
	size_t pair_count;		/* <= RECIPIENTS_MAX */
	int64_t most;
};

struct store_query {
	int64_t now; /* this host's clock; the embedded store goes by it */
	int64_t waited_ms; /* for earlier questions of the same decision: one
			    * deadline is for all of them */
	struct store_client client;
	const struct store_pair *pairs;
	size_t pair_count;	   /* <= RECIPIENTS_MAX */
	bool spaces[CLOCK_SPACES]; /* which clocks to read */
	/* A record under a name of its own, which is read as well; NULL: none.
	 * It is written as that of a client which has it for its network.  Where
	 * it `joins`, real clocks of these pairs count as the client's. */
	const char *organisation;
	bool joins;
	const struct store_take *takes;
	size_t take_count; /* <= STORE_TAKES_MAX */
	/* Only look: nothing is changed by it, not even tidied up, no units are
	 * taken, and `now` is the time to go by whatever the store's clock. */
	bool peeks;
};

struct store_answer {
	int64_t now; /* the store's clock, Unix seconds */
	struct reputation_sums network;
	struct reputation_sums host;
	struct reputation_sums organisation;
	int64_t passes;	   /* triplets that the client got through */
	int64_t last_used; /* when it last earned a longer life; of address and
			    * pool the one that did so longer ago, or never */
	int64_t crowded_since; /* when first attempts of this address began to
				* be pushed out of its network's record by
				* others of its own, and still are; else 0 */
	struct greylist_clock client[CLOCK_SPACES];
	struct greylist_clock pairs[RECIPIENTS_MAX][CLOCK_SPACES];
	struct window_counts counts[STORE_TAKES_MAX];
	bool is_new;	  /* nothing at all is kept of the network yet */
	bool pool_is_new; /* nor of the pool */
};

/* What to remember after a verdict.  Written without waiting; a write that is
 * lost costs a sender one more delay and nothing else. */
struct store_effects {
	int64_t now; /* of the decision, from store_answer */
	struct store_client client;
	const struct store_pair *pairs;
	const enum clock_mark (*marks)[CLOCK_SPACES]; /* one row a pair */
	size_t pair_count;
	enum clock_mark client_mark[CLOCK_SPACES];
	int64_t passes; /* to add */
	double good;	/* points to add to network and host */
	double bad;
	/* Good points for a message that was accepted.  A network and a host
	 * earn such at most once in STORE_ACCEPTED_EVERY; in between they take
	 * back bad ones, as far as there are any.  So volume buys nothing. */
	double accepted;
	bool worthy; /* keep the record for known clients' time, from now on */
	/* As the look-up told that gave `now`, and nothing was told since; false
	 * if not sure: the same is remembered, only dearer. */
	bool is_new;
	bool pool_is_new;
	/* units to give back; negative: to take without asking */
	const struct store_take *returned;
	size_t returned_count;
};

/* An event that another program reported; `points` > 0 good, < 0 bad. */
struct store_report {
	struct netaddr client;
	double points;
};

/* An entry of a shared list, as it is kept and changed: see mail/list.h. */
#define STORE_NOTE_SIZE	  200
#define STORE_ENTRIES_MAX 1000000 /* of one list; more are not taken */
struct store_entry {
	const char *text; /* shorter than LIST_ENTRY_SIZE */
	int64_t until;	  /* Unix seconds of the store, or LIST_FOR_EVER */
	const char *note; /* by whom and why: printable, shorter than
			   * STORE_NOTE_SIZE; "": nothing is known */
};
/* Whether it is to go on. */
typedef bool store_entry_each(void *arg, const struct store_entry *entry);

enum store_change {
	STORE_ADDED,
	STORE_RENEWED, /* it was there, and has this time and note now */
	STORE_REMOVED,
	STORE_ABSENT, /* nothing was there to remove */
	STORE_FULL    /* there is no room for it */
};

/* On which day since 1970, UTC, an entry of a list matched last, of which only a keyed
 * name is told.  Of one list the last STORE_MATCHES_MAX are kept, for
 * STORE_MATCHES_LIFE days. */
#define STORE_MATCHES_MAX  200000
#define STORE_MATCHES_LIFE 100
struct store_match {
	char name[STORE_NAME_SIZE];
	int64_t day;
};
typedef void store_match_each(void *arg, const struct store_match *match);

/* Whom to forget.  Without an address all that the record holds, and the record. */
struct store_forget {
	const char *tag; /* the record: of a network or a pool; NULL: another
			      * server has forgotten somebody, and what is kept
			      * here besides records is to go */
	const char *address; /* canonical text: this client of it, or NULL */
	unsigned host;	     /* its bucket, with `address` */
	const struct store_pair *pair; /* only its clocks; NULL: everything */
	const int64_t *periods; /* seconds, of limits: what was counted for the
				 * network within them goes as well */
	const uint32_t *limits; /* their ids, in parallel: what different
				 * things they counted; NULL: it stays */
	size_t period_count;
};

/* What one host lets the others know, as octets. */
struct store_shared {
	const void *bytes;
	size_t length; /* 0: nothing */
};

struct store;

#define STORE_ABANDONED_MOST 5
#define STORE_ACCEPTED_EVERY INT64_C(3600) /* seconds */

/* How long and how much.  Seconds, unless said otherwise. */
struct store_terms {
	const char *host;     /* names this server among those that share it */
	int64_t half_life;    /* of reputation */
	int64_t pending_life; /* of a stranger's record: the retry window */
	int64_t worthy_life;  /* of a known client's record */
	int64_t abandoned_after; /* a first attempt without a retry */
	double abandoned_points; /* >= 0, bad points for each of those, for the
				  * network and host that made it; at most
				  * STORE_ABANDONED_MOST count at once: one
				  * message may have many recipients */
	size_t network_cap;	 /* clocks of pairs that a record may hold */
	size_t memory_max;	 /* octets of the embedded store */
};

/* As the settings say; `host` is borrowed. */
struct store_terms
store_terms_of(const struct settings *settings, const char *host);

/* Whether something is wrong, or just worth a line in the log, and what it is:
 * printable, one line.  May come from any thread, and must not call the store. */
typedef void store_say(void *arg, bool bad, const char *text);

/* What the journal (journal.h) keeps: texts in the order of their places. */
struct journal_item;
struct journal_terms;
struct journal_range;
struct store_note;
struct store_record; /* record.h */
struct store_walk;
struct triplet_namer;
typedef void store_record_each(void *arg, const struct store_record *record);
typedef void
store_host_each(void *arg, const char *host, const struct load_report *report);
typedef void store_shared_each(void *arg, const struct store_shared *theirs);
typedef void store_text_each(void *arg, const char *text);
typedef void store_note_each(void *arg, const char *name, const char *text);
typedef void store_telling_each(
    void *arg, const char *host, const char *text, size_t length);

/* The interface of a keeper, by what is asked of it; users call the functions
 * below.  A table, or a function, that may be NULL is marked so. */
struct store_list_ops {
	enum store_result (*read)(
	    struct store *store, const char *name, struct list **list_r);
	/* NULL, these three: its lists cannot be changed */
	enum store_result (*add)(struct store *store, const char *name,
	    const struct store_entry *entry, enum store_change *change_r);
	enum store_result (*remove)(struct store *store, const char *name,
	    const char *text, enum store_change *change_r);
	enum store_result (*each)(struct store *store, const char *name,
	    store_entry_each *each, void *arg);
};

struct store_match_ops {
	enum store_result (*put)(struct store *store, const char *list,
	    const struct store_match *matches, size_t count, int64_t now);
	enum store_result (*read)(struct store *store, const char *list,
	    store_match_each *each, void *arg, int64_t *since_r);
};

struct store_farm_ops {
	enum store_result (*exchange_load)(struct store *store,
	    const struct load_report *own, struct load_report *reports_r,
	    size_t size, int64_t *now_r, size_t *count_r);
	enum store_result (*hosts)(struct store *store, /* NULL: no others */
	    store_host_each *each, void *arg);
	enum store_result (*share)(struct store *store, /* NULL: no others */
	    const struct store_shared *own, store_shared_each *each, void *arg);
	enum store_result (*take_reports)(
	    struct store *store, int64_t now, store_text_each *each, void *arg);
};

struct store_journal_ops {
	enum store_result (*add)(struct store *store,
	    const struct journal_terms *terms, const struct journal_item *items,
	    size_t count);
	enum store_result (*read)(struct store *store,
	    const struct journal_range *range,
	    bool (*each)(void *arg, const char *text, size_t length),
	    void *arg);
	enum store_result (*last)(struct store *store,
	    const struct journal_terms *terms, const uint64_t *threads,
	    size_t count, uint64_t *places_r);
	enum store_result (*put_host)(
	    struct store *store, const char *text, size_t length, int64_t now);
	enum store_result (*read_hosts)(struct store *store, int64_t now,
	    store_telling_each *each, void *arg);
};

struct store_board_ops {
	enum store_result (*put_note)(struct store *store, const char *board,
	    const struct store_note *note, int64_t now);
	enum store_result (*read_notes)(struct store *store, const char *board,
	    int64_t now, store_note_each *each, void *arg);
	enum store_result (*push)(struct store *store, const char *queue,
	    const char *const *texts, size_t count, int64_t now);
	enum store_result (*pop)(struct store *store, const char *queue,
	    store_text_each *each, void *arg, size_t *count_r);
};

struct store_record_ops { /* see record.h */
	enum store_result (*walk)(struct store *store, struct store_walk *walk,
	    int64_t now, store_record_each *each, void *arg);
	enum store_result (*read)(struct store *store, const char *name,
	    int64_t now, store_record_each *each, void *arg);
	enum store_result (*restore)(struct store *store,
	    struct store_record *records, size_t count, int64_t now);
	enum store_result (*namer)(
	    struct store *store, struct triplet_namer *namer_r);
	enum store_result (*forget)(struct store *store,
	    const struct store_forget *forget, size_t *count_r);
};

struct store_ops {
	enum store_result (*look_up)(struct store *store,
	    const struct store_query *query, struct store_answer *answer_r);
	enum store_result (*remember)(
	    struct store *store, const struct store_effects *effects);
	const struct store_list_ops *lists;
	const struct store_match_ops *matches; /* NULL: it keeps none */
	const struct store_farm_ops *farm;
	const struct store_journal_ops *journal;
	const struct store_board_ops *board;
	const struct store_record_ops *records; /* NULL: it shows none */
	bool (*is_up)(const struct store *store);
	void (*tidy)(struct store *store, int64_t now);
	void (*renew)(struct store *store); /* NULL: there is nothing */
	bool (*save)(
	    struct store *store, int64_t clock, bool last); /* or NULL */
	void (*stop)(struct store *store);
	void (*close)(struct store *store);
	/* NULL: this host's clock is its own */
	int64_t (*now)(struct store *store, int64_t now);
};

/* The head of every keeper. */
struct store {
	const struct store_ops *ops;
	const char *host; /* terms.host; NULL: it has no name */
};

/* Look up a client, with the clocks of this message's pairs, and take units of
 * limits, in one round trip. */
static inline enum store_result
store_look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	return store->ops->look_up(store, query, answer_r);
}

/* Whether any clock, of a pair or of the client, is to be changed.  Pure. */
bool store_has_marks(const struct store_effects *effects);

/* Hand over what to remember.  OK means handed over, not stored. */
static inline enum store_result
store_remember(struct store *store, const struct store_effects *effects)
{
	return store->ops->remember(store, effects);
}

/* Publish this host's load and read all hosts' (own included, at most `size`).
 * `own` NULL: only read.  `own->at` is this host's clock; the reports, and `*now_r`,
 * are of the store's.  A value that is no report comes as one with NaN, so that it
 * can be counted.  Background only: may wait. */
static inline enum store_result
store_exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	return store->ops->farm->exchange_load(
	    store, own, reports_r, size, now_r, count_r);
}

/* Give `each` the name and the report of every host; none where this process is
 * the only one.  May wait. */
static inline enum store_result
store_hosts(struct store *store, store_host_each *each, void *arg)
{
	return store->ops->farm->hosts == NULL
	    ? STORE_OK
	    : store->ops->farm->hosts(store, each, arg);
}

/* Read the shared list `name` if it has changed since it was last read through
 * this store: `*list_r` is then a new sealed list that the caller owns, else
 * NULL.  Background only. */
static inline enum store_result
store_read_list(struct store *store, const char *name, struct list **list_r)
{
	return store->ops->lists->read(store, name, list_r);
}

/* What time it is by the store's clock, when this host's shows `now`, as far as
 * that is known without asking. */
static inline int64_t
store_now(struct store *store, int64_t now)
{
	return store->ops->now == NULL ? now : store->ops->now(store, now);
}

/* Change a shared list; all servers have it within two seconds.  The text is that
 * of a list_entry.  May wait, as may the next ones. */
static inline enum store_result
store_list_add(struct store *store, const char *name,
    const struct store_entry *entry, enum store_change *change_r)
{
	return store->ops->lists->add == NULL
	    ? STORE_DOWN
	    : store->ops->lists->add(store, name, entry, change_r);
}

static inline enum store_result
store_list_remove(struct store *store, const char *name, const char *text,
    enum store_change *change_r)
{
	return store->ops->lists->remove == NULL
	    ? STORE_DOWN
	    : store->ops->lists->remove(store, name, text, change_r);
}

/* Go through a shared list, in no order; what has expired may be among it. */
static inline enum store_result
store_list_each(
    struct store *store, const char *name, store_entry_each *each, void *arg)
{
	return store->ops->lists->each == NULL
	    ? STORE_DOWN
	    : store->ops->lists->each(store, name, each, arg);
}

/* Which entries of a list match, whatever the list is: it goes by a keyed name, too.
 * Whoever puts something, or nothing, looks from then on; `*since_r` is when somebody
 * began, Unix seconds, 0: nobody did.  At most STORE_PUT_MATCHES at once; they are
 * read in no order, some maybe twice.  May wait. */
#define STORE_PUT_MATCHES 500
static inline enum store_result
store_put_matches(struct store *store, const char *list,
    const struct store_match *matches, size_t count, int64_t now)
{
	return store->ops->matches == NULL
	    ? STORE_DOWN
	    : store->ops->matches->put(store, list, matches, count, now);
}

static inline enum store_result
store_read_matches(struct store *store, const char *list,
    store_match_each *each, void *arg, int64_t *since_r)
{
	*since_r = 0;
	return store->ops->matches == NULL
	    ? STORE_OK
	    : store->ops->matches->read(store, list, each, arg, since_r);
}

/* Forget; `*count_r` is what there was of it: fields, or records. */
static inline enum store_result
store_forget(
    struct store *store, const struct store_forget *forget, size_t *count_r)
{
	*count_r = 0;
	return store->ops->records == NULL
	    ? STORE_DOWN
	    : store->ops->records->forget(store, forget, count_r);
}

/* Take reports of other programs out of the store, a bounded number, and give
 * each as raw text to `each`.  Every report is given to one taker only. */
static inline enum store_result
store_take_reports(
    struct store *store, int64_t now, store_text_each *each, void *arg)
{
	return store->ops->farm->take_reports(store, now, each, arg);
}

/* Publish what this host tells of itself, and read what all did within the last
 * hour (own included); it is kept for 40 days.  Background only: may wait. */
#define STORE_HOST_LIFE INT64_C(120) /* seconds; older is of a silent host */
#define STORE_HOST_KEPT INT64_C(40) * 86400
static inline enum store_result
store_put_host(
    struct store *store, const char *text, size_t length, int64_t now)
{
	return store->ops->journal->put_host(store, text, length, now);
}

static inline enum store_result
store_read_hosts(
    struct store *store, int64_t now, store_telling_each *each, void *arg)
{
	return store->ops->journal->read_hosts(store, now, each, arg);
}

/* Let other servers know, and give each what they have let us know since this was
 * called last, a bounded number.  Without Redis nothing.  Background only. */
static inline enum store_result
store_share(struct store *store, const struct store_shared *own,
    store_shared_each *each, void *arg)
{
	return store->ops->farm->share == NULL
	    ? STORE_OK
	    : store->ops->farm->share(store, own, each, arg);
}

/* Notes on a board that all servers see, and queues that they fill and one reader
 * empties: for what is asked of the farm now and then.  Names are printable.
 * Notes expire; `text` NULL takes one away.  Of a board no more than
 * STORE_NOTES_MAX are read; a queue holds the last STORE_QUEUE_MAX texts, and is
 * forgotten when nobody has pushed for a minute.  All of these may wait. */
#define STORE_NOTES_MAX	 64
#define STORE_BOARD_SIZE 1024
#define STORE_PUSH_MAX	 100
#define STORE_QUEUE_MAX	 2000
struct store_note {
	const char *name, *text;
	int64_t life; /* seconds */
};
static inline enum store_result
store_put_note(struct store *store, const char *board,
    const struct store_note *note, int64_t now)
{
	return store->ops->board->put_note(store, board, note, now);
}

static inline enum store_result
store_read_notes(struct store *store, const char *board, int64_t now,
    store_note_each *each, void *arg)
{
	return store->ops->board->read_notes(store, board, now, each, arg);
}

static inline enum store_result
store_push(struct store *store, const char *queue, const char *const *texts,
    size_t count, int64_t now)
{
	return store->ops->board->push(store, queue, texts, count, now);
}

/* Up to STORE_PUSH_MAX of them, the oldest first. */
static inline enum store_result
store_pop(struct store *store, const char *queue, store_text_each *each,
    void *arg, size_t *count_r)
{
	return store->ops->board->pop(store, queue, each, arg, count_r);
}

static inline bool
store_is_up(const struct store *store)
{
	return store->ops->is_up(store);
}

/* Called once a second in the background: expiry, pruning. */
static inline void
store_tidy(struct store *store, int64_t now)
{
	store->ops->tidy(store, now);
}

/* Read passwords and certificates again, and try at once what has failed.  Done
 * in the background. */
static inline void
store_renew(struct store *store)
{
	if (store->ops->renew != NULL)
		store->ops->renew(store);
}

/* The end is near: what takes long in the background ends soon. */
static inline void
store_stop(struct store *store)
{
	store->ops->stop(store);
}

/* Called once a second by a thread that may hang with the disk: save what is kept
 * in a file, if it is time by `clock`, the seconds of a clock that only goes
 * forward.  With `last` it is saved now and never again.  False: it cannot be. */
static inline bool
store_save(struct store *store, int64_t clock, bool last)
{
	return store->ops->save == NULL || store->ops->save(store, clock, last);
}

/* Saves first, unless that was done for the last time. */
static inline void
store_close(struct store **store)
{
	if (*store == NULL)
		return;
	(*store)->ops->close(*store);
	*store = NULL;
}

#endif
