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

/* The journal, and what this host tells of itself. */
struct memory_journal {
	size_t octets, octets_max; /* about so many at most */
	struct memory_kept *kept;  /* by place, from `first` on */
	size_t first, count, size;
	struct memory_last *lasts;
	uint64_t last_places; /* a power of two, 0: none yet */
	char *host;	      /* what it tells of itself */
	size_t host_length;
};

/* Notes, and queues, which are rings of texts. */
#define MEMORY_NAME_SIZE 128
#define MEMORY_QUEUES	 16
struct memory_note {
	char board[MEMORY_NAME_SIZE], name[MEMORY_NAME_SIZE];
	char text[STORE_BOARD_SIZE];
	int64_t until;
};

struct memory_queue {
	char name[MEMORY_NAME_SIZE]; /* "": it is free */
	int64_t pushed_at;
	char *texts[STORE_QUEUE_MAX];
	size_t first, count;
};

struct memory_board {
	struct memory_note notes[STORE_NOTES_MAX];
	struct memory_queue queues[MEMORY_QUEUES];
};

/* What matches of lists, also in the file.  STORE_MATCHES_MAX are kept of all lists
 * together: of more, the longest one forgets its oldest day, and counts from the day
 * after. */
struct memory_matches {
	struct memory_matched *lists; /* base/array.h */
	size_t list_count;
	size_t count; /* of all lists */
};

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
	char *host; /* terms.host */

	/* guards what follows, for which no decision waits */
	pthread_mutex_t aside;
	struct memory_journal journal;
	struct memory_board board;
	struct memory_matches matches;

	pthread_mutex_t mutex; /* guards what follows */
	struct memory_book *book;
	struct memory_counters *counters;
	struct memory_lists lists;
};

/* store_look_up() and store_remember(). */
enum store_result memory_look_up(struct store *store,
    const struct store_query *query, struct store_answer *answer_r);
enum store_result
memory_remember(struct store *store, const struct store_effects *effects);

/* By what is asked: see store/store.h. */
extern const struct store_list_ops memory_list_ops;
extern const struct store_record_ops memory_record_ops;

extern const struct store_journal_ops memory_journal_ops;
extern const struct store_board_ops memory_board_ops;
extern const struct store_match_ops memory_match_ops;

/* Free what they hold. */
void memory_journal_clear(struct memory_journal *journal);
void memory_board_clear(struct memory_board *board);
void memory_matches_clear(struct memory_matches *matches);

/* All of them as octets, and back into what is empty; false: that is none. */
void memory_matches_write(
    const struct memory_matches *matches, struct bytes_out *out);
bool memory_matches_read(struct memory_matches *matches, struct bytes_in *in);

/* For the log. */
void memory_say(const struct memory *memory, bool bad, const char *text);

/* store_save(); a failure is told once, and once when it is over. */
bool memory_save(struct store *store, int64_t clock, bool last);

/* Read the file, if it is ours to use; without one nothing is saved. */
void memory_load(struct memory *memory, int64_t now);

#endif
