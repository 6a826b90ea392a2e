/* store_memory_parts -- what the files of store_memory share. */
#ifndef STORE_MEMORY_PARTS_H
#define STORE_MEMORY_PARTS_H

#include <pthread.h>

#include "base/bytes.h"
#include "store/journal.h"
#include "store/memory/memory_book.h"
#include "store/memory/memory_counters.h"
#include "store/memory/memory_file.h"
#include "store/memory/memory_lists.h"
#include "store/memory/store_memory.h"

struct memory {
	struct store store; /* first: a store is cast to this */
	struct store_terms terms;
	struct triplet_hash *hash;
	struct memory_key key;
	char *file; /* NULL: nothing is saved */
	int lock;   /* held on a file beside it, or -1 */
	int64_t save_every;
	int64_t tidied_at; /* only for the background thread */
	int64_t saved_at;  /* these for the one that saves; -1: not yet */
	bool save_failed;  /* and that was reported */
	bool ended;	   /* saved for the last time */
	store_say *report;
	void *report_arg;
	struct memory_journal *journal;
	struct memory_board *board;
	struct memory_matches *matches;
	char *host; /* terms.host */

	pthread_mutex_t mutex; /* guards what follows */
	struct memory_book *book;
	struct memory_counters *counters;
	struct memory_lists *lists;
};

/* store_look_up() and store_remember(). */
enum store_result memory_look_up(struct store *store,
    const struct store_query *query, struct store_answer *answer_r);
enum store_result
memory_remember(struct store *store, const struct store_effects *effects);

/* By what is asked: see store/store.h. */
extern const struct store_list_ops memory_list_ops;
extern const struct store_record_ops memory_record_ops;

/* The journal, and what this host tells of itself; notes and queues.  Both are in
 * memory, and only there, and have locks of their own, so that no decision waits
 * for a reader.  The journal takes about so many octets at most.  NULL: no
 * memory. */
struct memory_journal *memory_journal_open(size_t octets_max);
void memory_journal_close(struct memory_journal **journal);
extern const struct store_journal_ops memory_journal_ops;

struct memory_board *memory_board_open(void);
void memory_board_close(struct memory_board **board);
extern const struct store_board_ops memory_board_ops;

/* What matches of lists: bounded, with a lock of its own, and in the file, too.
 * STORE_MATCHES_MAX are kept of all lists together: of more, the longest one forgets
 * its oldest day, and counts from the day after.  NULL: no memory. */
struct memory_matches *memory_matches_open(void);
void memory_matches_close(struct memory_matches **matches);
extern const struct store_match_ops memory_match_ops;

/* All of them as octets, and back into what is empty; false: that is none. */
void
memory_matches_write(struct memory_matches *matches, struct bytes_out *out);
bool memory_matches_read(struct memory_matches *matches, struct bytes_in *in);

/* For the log. */
void memory_say(const struct memory *memory, bool bad, const char *text);

/* store_save(); a failure is told once, and once when it is over. */
bool memory_save(struct store *store, int64_t clock, bool last);

/* Read the file, if it is ours to use; without one nothing is saved. */
void memory_load(struct memory *memory, int64_t now);

#endif
