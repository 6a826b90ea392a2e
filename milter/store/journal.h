/* journal -- recent decisions that somebody may ask about, as all mail servers of
 * the farm keep them together for a while.
 *
 * Written by sessions through a bounded queue, without waiting; a background
 * thread hands it to the store a few times a second, as one batch.  Read newest
 * first.  Mail addresses stand in it only as keyed hashes (triplet.h): who knows
 * an address can ask for it, nobody can list them.
 *
 * Each entry has a place, a number that grows with time: its second, and 20
 * random bits of its reference.  A reference tells its place, so that to find it
 * costs one question, however long the journal is. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/netaddr.h"
#include "policy/facts.h"
#include "store/store.h"

/* ---- References: 60 random bits and the second in which it was made, modulo
 * 2^20 (12 days), as 16 characters of Crockford's base 32. */

#define JOURNAL_REFERENCE_SIZE 17
void journal_reference_new(
    uint64_t random, int64_t now, char reference_r[JOURNAL_REFERENCE_SIZE]);

/* As people write it: in small letters, with blanks or dashes, O for 0, I and L
 * for 1.  False, and *reference_r unchanged: it is none. */
bool journal_reference_read(
    const char *text, char reference_r[JOURNAL_REFERENCE_SIZE]);

/* ---- Entries */

enum journal_kind {
	JOURNAL_DEFER,
	JOURNAL_OBSERVE, /* a rule on trial would have deferred or accepted */
	JOURNAL_PASS,	 /* let in after it had waited */
	JOURNAL_KINDS
};
extern const char *const journal_kinds[JOURNAL_KINDS]; /* "defer" ... */

enum journal_known { JOURNAL_UNKNOWN, JOURNAL_STRANGER, JOURNAL_IS_KNOWN };

#define JOURNAL_RECIPIENTS 32 /* of which hashes are kept */
#define JOURNAL_NAME_SIZE  256
#define JOURNAL_TEXT_SIZE  1024
#define JOURNAL_WORD_SIZE  65

/* Everything is printable ASCII (what was not is '?'), cut to its size. */
struct journal_entry {
	enum journal_kind kind;
	uint64_t place;
	/* Of the one before about the same client and sender and one of its
	 * recipients; 0: none is known. */
	uint64_t before;
	int64_t at; /* Unix seconds, of the store's clock */
	char reference[JOURNAL_REFERENCE_SIZE];
	char session[JOURNAL_WORD_SIZE];
	char host[JOURNAL_NAME_SIZE]; /* the mail server that decided */
	char rule[JOURNAL_NAME_SIZE]; /* of a pass: that it waited for; or "" */
	char response[JOURNAL_NAME_SIZE]; /* its name; "" of a pass */
	/* The reply as it was sent, code and all, lines parted by '\n'; "" unless
	 * it was a deferral. */
	char text[JOURNAL_TEXT_SIZE];
	int64_t wait;	/* seconds; 0: not known */
	int64_t waited; /* seconds, of a pass */
	enum stage stage;
	char client[NETADDR_TEXT_SIZE];
	char network[NETWORK_TEXT_SIZE]; /* under which it is remembered */
	char name[JOURNAL_NAME_SIZE];	 /* verified, or "" */
	/* Keyed hashes; who the client is (its pool, or else its address), and of
	 * the addresses as normalised (mailaddr.h). */
	char identity[STORE_NAME_SIZE];
	char sender[STORE_NAME_SIZE];
	bool null_sender;
	char recipients[JOURNAL_RECIPIENTS][STORE_NAME_SIZE];
	/* What the store calls sender and recipient together, or "". */
	char pairs[JOURNAL_RECIPIENTS][STORE_NAME_SIZE];
	size_t recipient_hashes;
	int64_t recipient_count; /* in all */
	bool has_score;
	int score; /* -100..100 */
	enum journal_known known;
	double load;
};

/* ---- Reading.  All but the first wait for the store: background, tools and
 * pages, never a decision. */

/* How long an entry is kept, and how many. */
struct journal_terms {
	int64_t entries; /* 0: there is no journal */
	int64_t age;	 /* seconds */
};

/* The keyed hash of an address as somebody types it, as entries have it. */
enum store_result journal_hash_sender(
    struct store *store, const char *address, char hash_r[STORE_NAME_SIZE]);
enum store_result journal_hash_recipient(
    struct store *store, const char *address, char hash_r[STORE_NAME_SIZE]);

/* The entry with this reference.  Cheap.  `*found_r` tells whether there is one;
 * `now` is Unix seconds. */
enum store_result journal_find(struct store *store,
    const struct journal_terms *terms, const char *reference, int64_t now,
    struct journal_entry *entry_r, bool *found_r);

/* What to read; "" and 0 for what does not matter. */
struct journal_query {
	const struct network *client; /* or NULL */
	char sender[STORE_NAME_SIZE];
	char recipient[STORE_NAME_SIZE];
	unsigned kinds; /* 1 << enum journal_kind; 0: all */
	int64_t since;	/* Unix seconds; older ones end it */
	/* Where to go on, 0 at first: read older ones only.  Moved on by each
	 * call. */
	uint64_t before;
};

/* Read one page: up to JOURNAL_PAGE entries are looked at, newest first, with all
 * that have the place of the last one, and those that suit given to `each`, which may
 * end it by false.  `*more_r`: there may be older ones. */
#define JOURNAL_PAGE 500
enum store_result journal_read(struct store *store, struct journal_query *query,
    bool (*each)(void *arg, const struct journal_entry *entry), void *arg,
    bool *more_r);

/* What became of a deferral since, by the last entry about the same client and
 * sender and any of its recipients.  Cheap. */
enum journal_state {
	JOURNAL_WAITS,	 /* it came too early, or has not come: until `until` */
	JOURNAL_MAY,	 /* it may come back now, and has not */
	JOURNAL_PASSED,	 /* at `at`, after `waited` */
	JOURNAL_GAVE_UP, /* it has not come back for longer than that */
	JOURNAL_NOT_KEPT /* of that time nothing is known any more */
};
struct journal_after {
	enum journal_state state;
	int64_t at;	/* of the last entry about it */
	int64_t waited; /* seconds, if it passed */
	int64_t until;	/* when it may pass; 0: not known */
	char reference[JOURNAL_REFERENCE_SIZE]; /* of the last deferral */
};
enum store_result journal_after(struct store *store,
    const struct journal_terms *terms, const struct journal_entry *entry,
    int64_t retry_window, int64_t now, struct journal_after *after_r);

/* What is known of the same client and sender and its recipients, from the last
 * entry back, until `each` answers false, and 64 entries at most; a question for
 * each.  However many others came between. */
enum store_result journal_story(struct store *store,
    const struct journal_terms *terms, const struct journal_entry *entry,
    bool (*each)(void *arg, const struct journal_entry *entry), void *arg);

/* ---- Writing */

struct journal;

/* NULL: out of memory. */
struct journal *journal_open(void);
void journal_close(struct journal **journal);

/* What a session tells; strings are borrowed for the call, may come from a client
 * as they are, and may be NULL. */
struct journal_note {
	enum journal_kind kind;
	int64_t at;
	const char *reference, *session, *host, *rule, *response, *text;
	int64_t wait, waited;
	enum stage stage;
	const char *client, *network, *name;
	const char *identity;
	bool null_sender;
	const struct store_pair *pairs; /* sender, recipients: normalised */
	size_t pair_count;
	int64_t recipient_count;
	bool has_score;
	int score;
	enum journal_known known;
	double load;
};

/* Waits for nothing.  False: the queue is full, and it is dropped. */
bool journal_put(struct journal *journal, const struct journal_note *note);

/* Hand what waits to the store.  One background thread; may wait for the store.
 * While that is away they stay in the queue. */
void journal_flush(struct journal *journal, struct store *store,
    const struct journal_terms *terms);

/* ---- What keepers keep */

#define JOURNAL_ITEM_MAX 4096 /* octets of an entry as text */
#define JOURNAL_BATCH	 256  /* entries that are added at once */

#define JOURNAL_THREADS 4
struct journal_item {
	uint64_t place;
	const char *text;
	/* One for each (client, sender, recipient) of the first few: the last item
	 * of each can be asked for. */
	uint64_t threads[JOURNAL_THREADS];
	size_t thread_count;
};

/* Those from one place to another, both included, from the last on; at most
 * `most`, or until the callback answers false. */
#define JOURNAL_PLACE_MAX  (UINT64_C(1) << 53)
#define JOURNAL_PLACE_BITS 20 /* below the second */
struct journal_range {
	uint64_t from, to;
	size_t most;
};

/* The last entries of threads stand in a table of so many places, twice those of
 * the journal, where a later one takes the place of another. */
uint64_t journal_thread_places(const struct journal_terms *terms);

/* An entry as text, and back.  False: it is none. */
size_t journal_encode(
    const struct journal_entry *entry, char text_r[JOURNAL_ITEM_MAX]);
bool
journal_decode(const char *text, size_t length, struct journal_entry *entry_r);

#endif
